"""Wallets over HTTP: what is held, what came and went, and sending; written by scripts/client.py, not by hand."""

from collections.abc import Mapping

from commonwatt.apps.api.answers import Page
from commonwatt.apps.api.v1.writing import WriteDone
from commonwatt.apps.views.wallet import Dealings, EntryView, Wallet
from commonwatt.client.line import Line, new_key, part
from commonwatt.model.entry import Commodity
from commonwatt.settlement.bill import Bill


class Wallets:
    """Wallets over HTTP: what is held, what came and went, and sending."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def wallet(self, account: str) -> Wallet:
        """What an account holds.

        ERGON, WATT and TSL in base units, and what of it is not free.
        """
        return self._line.call("GET", f"/accounts/{part(account)}/wallet", Wallet)

    def entries(
        self, account: str, *, cursor: str | None = None, limit: int = 50, commodity: Commodity | None = None
    ) -> Page[EntryView]:
        """What came and went.

        Entries of the books, the newest first.
        """
        return self._line.call(
            "GET",
            f"/accounts/{part(account)}/entries",
            Page[EntryView],
            query={"cursor": cursor, "limit": limit, "commodity": commodity},
        )

    def dealings(self, account: str) -> Dealings:
        """With whom an account deals.

        What is set aside between them, whom it has dealt with, and how it is topped up.
        """
        return self._line.call("GET", f"/accounts/{part(account)}/dealings", Dealings)

    def months(self, account: str) -> list[str]:
        """Months of which there are bills.

        Months by the community's clock, the newest first; the newest may still go on.
        """
        return self._line.call("GET", f"/accounts/{part(account)}/bills", list[str])

    def bill_pdf(self, account: str, month: str) -> bytes:
        """A month's bill as PDF.

        The bill for paper, in English and pounds.
        """
        return self._line.call("GET", f"/accounts/{part(account)}/bills/{part(month)}.pdf", bytes)

    def bill(self, account: str, month: str) -> Bill:
        """A month's bill.

        What came and went over a month, `YYYY-MM`, line by line with its entries' numbers, as far as it is settled.
        """
        return self._line.call("GET", f"/accounts/{part(account)}/bills/{part(month)}", Bill)

    def transfer(self, account: str, body: Mapping[str, object], *, key: str | None = None) -> WriteDone:
        """Give, reserve, post or void.

        A transfer body: `what` is `give`, `reserve`, `post` or `void`, or a direct sale's `list`, `take`, `unlist`.
        Asked again with the same `key` within a day, it is not done anew.
        """
        return self._line.call(
            "POST", f"/accounts/{part(account)}/transfers", WriteDone, told=body, key=key or new_key()
        )

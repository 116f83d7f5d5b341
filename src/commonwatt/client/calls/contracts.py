"""Contracts over HTTP; written by scripts/client.py, not by hand."""

from collections.abc import Mapping

from commonwatt.apps.api.v1.contracts import ResponseWanted
from commonwatt.apps.api.v1.writing import WriteDone
from commonwatt.apps.views.contracts import ContractView
from commonwatt.apps.views.offering import Weighed
from commonwatt.apps.views.responses import Response
from commonwatt.client.line import Line, new_key, part


class Contracts:
    """Contracts over HTTP."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def offer(self, account: str, body: Mapping[str, object], *, key: str | None = None) -> WriteDone:
        """Offer a contract.

        Terms as the guide to contracts has them; without `budget_micro`, what it may come to at most is set aside.
        Asked again with the same `key` within a day, it is not done anew.
        """
        return self._line.call("POST", f"/accounts/{part(account)}/offers", WriteDone, told=body, key=key or new_key())

    def weighed(self, account: str, body: Mapping[str, object]) -> Weighed:
        """Weigh an offer.

        What its terms come to at most, and whether and why not it may stand; nothing is offered by asking.
        """
        return self._line.call("POST", f"/accounts/{part(account)}/offers/weighed", Weighed, told=body)

    def close(self, account: str, name: str, *, key: str | None = None) -> WriteDone:
        """Take an offer back.

        Nobody accepts it any more; what was accepted goes on. Asked again with the same `key` within a day, it is not
        done anew.
        """
        return self._line.call(
            "POST", f"/accounts/{part(account)}/offers/{part(name)}/close", WriteDone, key=key or new_key()
        )

    def standing_by(self, account: str) -> list[Response]:
        """What one may call.

        Windows that stand by under offers whose own account calls them, by their start.
        """
        return self._line.call("GET", f"/accounts/{part(account)}/responses", list[Response])

    def call_response(self, account: str, name: str, body: ResponseWanted, *, key: str | None = None) -> WriteDone:
        """Call a response.

        Call the next window that stands by; who delivers is paid by the offer, who does not owes its penalty. Asked
        again with the same `key` within a day, it is not done anew.
        """
        return self._line.call(
            "POST", f"/accounts/{part(account)}/offers/{part(name)}/call", WriteDone, told=body, key=key or new_key()
        )

    def contracts(self, account: str) -> list[ContractView]:
        """An account's contracts.

        Of either side: each window with what was promised, measured and paid, and the entries that show it.
        """
        return self._line.call("GET", f"/accounts/{part(account)}/contracts", list[ContractView])

    def act(self, account: str, body: Mapping[str, object], *, key: str | None = None) -> WriteDone:
        """Guarantee, accept, leave, dispute, resolve.

        A body as the guide to contracts has it: `what` is `guarantee`, `accept`, `leave`, `dispute` or `resolve`. Asked
        again with the same `key` within a day, it is not done anew.
        """
        return self._line.call(
            "POST", f"/accounts/{part(account)}/contracts", WriteDone, told=body, key=key or new_key()
        )

"""Keep the books: who has how much of what, in double entry."""

from collections.abc import Iterator

from commonwatt.model import AccountId, Commodity, Entry, InvalidValue, canonical_json
from commonwatt.model.request import MAX_SAFE_INTEGER


class Accounts:
    """Balances in whole base units of each commodity; what one account gains another loses.

    An account is there as soon as it is posted to and gone when it is back at zero, so that two books with the
    same balances are the same books, whatever happened on the way.

    Held in a dict. Columnar arrays of balances come with the ledger issue; this form stays as their oracle.
    """

    def __init__(self) -> None:
        self._balances: dict[tuple[AccountId, Commodity], int] = {}

    def post(self, entry: Entry) -> None:
        """Move the entry's amount from its source to its target.

        Nobody is stopped from going below zero here; who may is the rulebook's to say.

        Raises:
            InvalidValue: A balance would leave +-(2^53-1), beyond which no state root can be signed; nothing moved.
        """
        less = self.balance(entry.source, entry.commodity) - entry.amount
        more = self.balance(entry.target, entry.commodity) + entry.amount
        if less < -MAX_SAFE_INTEGER or more > MAX_SAFE_INTEGER:
            raise InvalidValue(f"a balance is within +-(2^53-1), was {less} and {more} after {entry}")
        self._set(entry.source, entry.commodity, less)
        self._set(entry.target, entry.commodity, more)

    def balance(self, account: AccountId, commodity: Commodity) -> int:
        """Return what an account has, in base units; negative where it owes, 0 where nobody knows it."""
        return self._balances.get((account, commodity), 0)

    def total(self, commodity: Commodity) -> int:
        """Return the sum over all accounts, in base units: 0, or the books are broken."""
        return sum(balance for (_, counted), balance in self._balances.items() if counted == commodity)

    def balances(self) -> Iterator[tuple[AccountId, Commodity, int]]:
        """Yield account, commodity and balance wherever it is not zero, sorted by account, then commodity."""
        for account, commodity in sorted(self._balances):
            yield account, commodity, self._balances[account, commodity]

    def leaves(self) -> list[bytes]:
        """Return the books as leaf data for a state root: RFC 8785 JSON of each balance that is not zero, sorted."""
        return [
            canonical_json({"account": account, "balance": balance, "commodity": commodity.value})
            for account, commodity, balance in self.balances()
        ]

    def _set(self, account: AccountId, commodity: Commodity, balance: int) -> None:
        if balance:
            self._balances[account, commodity] = balance
        else:
            self._balances.pop((account, commodity), None)

"""The books in a dict, one balance at a time: slow, and plainly right."""

from collections.abc import Iterator

from commonwatt.model import AccountId, Commodity, Entry, InvalidValue
from commonwatt.model.request import MAX_SAFE_INTEGER


class PlainAccounts:
    """Balances by account and commodity; one is there as soon as it is posted to and gone when it is back at zero."""

    def __init__(self) -> None:
        self._balances: dict[tuple[AccountId, Commodity], int] = {}

    def post(self, entry: Entry) -> None:
        less = self.balance(entry.source, entry.commodity) - entry.amount
        more = self.balance(entry.target, entry.commodity) + entry.amount
        if less < -MAX_SAFE_INTEGER or more > MAX_SAFE_INTEGER:
            raise InvalidValue(f"a balance is within +-(2^53-1), was {less} and {more} after {entry}")
        self._set(entry.source, entry.commodity, less)
        self._set(entry.target, entry.commodity, more)

    def balance(self, account: AccountId, commodity: Commodity) -> int:
        return self._balances.get((account, commodity), 0)

    def total(self, commodity: Commodity) -> int:
        return sum(balance for (_, counted), balance in self._balances.items() if counted == commodity)

    def balances(self) -> Iterator[tuple[AccountId, Commodity, int]]:
        for account, commodity in sorted(self._balances):
            yield account, commodity, self._balances[account, commodity]

    def rows(self) -> list[bytes]:
        """Return one leaf an account that has anything, as the columnar books write it, byte by byte."""
        names = sorted({account for account, _ in self._balances})
        return [
            name.encode().ljust(64, b"\0")
            + b"".join(self.balance(name, commodity).to_bytes(8, signed=True) for commodity in Commodity)
            for name in names
        ]

    def _set(self, account: AccountId, commodity: Commodity, balance: int) -> None:
        if balance:
            self._balances[account, commodity] = balance
        else:
            self._balances.pop((account, commodity), None)

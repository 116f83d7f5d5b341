"""Transfers in two phases: reserve what is to change hands, then post it or let it go."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from dataclasses import dataclass

from commonwatt.model import MAX_SAFE_INTEGER, AccountId, Commodity, InvalidValue

FOR_EVER_S = MAX_SAFE_INTEGER
"""An ``until_s`` for what only its own answer may end, such as a pay-out on its way to a bank."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What one account is to give another, once it is posted.

    Args:
        id: Names it while it is pending, for example its place in the log; nobody uses one twice.
        commodity: What is to move.
        source: The account that is to give; the amount is reserved there.
        target: The account that is to receive.
        amount: Whole base units, above zero.
        until_s: First second since 1970 at which it no longer holds.

    Raises:
        InvalidValue: It has no name, moves nothing or more than 2^53-1, both accounts are one, or its end is beyond
            +-(2^53-1).
    """

    id: str
    commodity: Commodity
    source: AccountId
    target: AccountId
    amount: int
    until_s: int

    def __post_init__(self) -> None:
        if not self.id or self.source == self.target or not 0 < self.amount <= MAX_SAFE_INTEGER:
            raise InvalidValue(f"a transfer has a name and moves more than zero between two accounts, was {self}")
        if abs(self.until_s) > MAX_SAFE_INTEGER:
            raise InvalidValue(f"a transfer ends at a time within +-(2^53-1) s, was {self}")


class Transfers:
    """What is reserved and neither posted nor void yet, of every commodity.

    It moves nothing itself: what is posted is booked by the caller, who alone can change balances. Nobody is
    stopped from reserving more than they have; who may is the rulebook's to say, and `available` is what it looks at.
    Nothing is remembered of a transfer that is gone, so memory is flat however long the log.

    Args:
        pending: The `items` of the one to rebuild.
    """

    def __init__(self, pending: Iterable[Transfer] = ()) -> None:
        self._pending: dict[str, Transfer] = {}
        self._reserved: dict[tuple[AccountId, Commodity], int] = {}
        self._by_end: list[tuple[int, str]] = []
        for transfer in pending:
            self.reserve(transfer)

    def reserve(self, transfer: Transfer) -> None:
        """Set the amount aside at its source.

        Raises:
            InvalidValue: A transfer of that name is pending, or its source would have more than 2^53-1 reserved;
                nothing is set aside.
        """
        reserved = self.reserved(transfer.source, transfer.commodity) + transfer.amount
        if transfer.id in self._pending:
            raise InvalidValue(f"a transfer is reserved once, {transfer.id} is pending")
        if reserved > MAX_SAFE_INTEGER:
            raise InvalidValue(f"no more than 2^53-1 is reserved, was {reserved} with {transfer}")
        self._pending[transfer.id] = transfer
        self._reserved[transfer.source, transfer.commodity] = reserved
        insort(self._by_end, (transfer.until_s, transfer.id))

    def void(self, name: str) -> Transfer | None:
        """End a transfer, and return it for its caller to book or to let go; None where none of that name is pending.

        The clock is not asked: who lets time end transfers voids what is `due` first.
        """
        transfer = self._pending.get(name)
        if transfer is not None:
            self._release(transfer)
        return transfer

    def due(self, now_s: int) -> list[str]:
        """Return the names of what no longer holds at a time, first ended first; they stay until they are void.

        Args:
            now_s: The log's time, seconds since 1970; a transfer until then is due.
        """
        last = bisect_right(self._by_end, now_s, key=lambda entry: entry[0])
        return [name for _, name in self._by_end[:last]]

    def pending(self, name: str) -> Transfer | None:
        """Return a transfer that is neither posted nor void; None where there is none of that name."""
        return self._pending.get(name)

    def reserved(self, account: AccountId, commodity: Commodity) -> int:
        """Return what is set aside at an account, in base units, zero or more."""
        return self._reserved.get((account, commodity), 0)

    def available(self, account: AccountId, commodity: Commodity, balance: int) -> int:
        """Return what an account can still give of its balance, in base units; below zero where it cannot."""
        return balance - self.reserved(account, commodity)

    def items(self) -> list[Transfer]:
        """Return what is pending, sorted by name: all the state there is."""
        return [self._pending[name] for name in sorted(self._pending)]

    def _release(self, transfer: Transfer) -> None:
        del self._pending[transfer.id]
        del self._by_end[bisect_left(self._by_end, (transfer.until_s, transfer.id))]
        account = transfer.source, transfer.commodity
        self._reserved[account] -= transfer.amount
        if not self._reserved[account]:
            del self._reserved[account]

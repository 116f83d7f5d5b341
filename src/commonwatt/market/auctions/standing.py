"""All auctions of a community that still matter: by name, by when something is due, by who has how many."""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from commonwatt.market.auctions.allotting import Award
from commonwatt.market.auctions.auction import Auction, Why
from commonwatt.market.auctions.terms import Form, Good
from commonwatt.model import AccountId, InvalidValue, Side, Trade

MOST_CLOSED = 20
"""Results that are told after all else of their auctions is forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """What a closed auction came to: whose, of what, when, why it ended so, and who won how much at which price."""

    id: str
    owner: AccountId
    form: Form
    side: Side
    good: Good
    amount: int
    closed_s: int
    why: Why
    awards: tuple[Award, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Auctions at rest, see `Auctions.dump`."""

    auctions: list[Auction]
    closed: list[Closed]


class Auctions:
    """Auctions in the order in which they were opened; whoever changes one here does it inside `changing`.

    Args:
        items: Auctions that stand, of the one to rebuild.
        closed: Results of those that do not any more.
    """

    def __init__(self, items: Iterable[Auction] = (), closed: Iterable[Closed] = ()) -> None:
        self._closed = list(closed)
        self._by_id: dict[str, Auction] = {}
        self._due: list[tuple[int, int]] = []
        self._over: list[tuple[int, int]] = []
        self._of_owner: Counter[AccountId] = Counter()
        self._bidding: Counter[AccountId] = Counter()
        self._of: dict[AccountId, set[int]] = {}
        for auction in items:
            self.add(auction)

    def add(self, auction: Auction) -> None:
        """Take in an auction.

        Raises:
            InvalidValue: There is one of that name already.
        """
        if auction.id in self._by_id:
            raise InvalidValue(f"an auction is opened once, {auction.id} stands")
        self._by_id[auction.id] = auction
        self._of_owner[auction.owner] += 1
        self._note(auction, 1)

    def get(self, name: str) -> Auction | None:
        """Return an auction, or None."""
        return self._by_id.get(name)

    def change(self, auction: Auction) -> "_Changing":
        """Return a context in which an auction may be changed, so that it is found again afterwards."""
        return _Changing(self, auction)

    def forget(self, auction: Auction) -> None:
        """Let go of an auction; what it came to is told for as long as few others closed after it."""
        if auction.result is not None:
            self._closed = _latest([*self._closed, _closed(auction)])
        self._note(auction, -1)
        del self._by_id[auction.id]
        self._of_owner[auction.owner] -= 1
        if not self._of_owner[auction.owner]:
            del self._of_owner[auction.owner]

    def of_owner(self, account: AccountId) -> int:
        """Return how many auctions of an account stand, results that are kept included."""
        return self._of_owner[account]

    def bidding(self, account: AccountId) -> int:
        """Return in how many auctions that are not closed an account has a bid."""
        return self._bidding[account]

    def of(self, account: AccountId) -> list[Auction]:
        """Return the auctions in which an account has a part, or may have one, as they were opened."""
        return [self._by_id[str(number)] for number in sorted(self._of.get(account, ()))]

    def running(self, slot_s: int) -> list[Auction]:
        """Return the closed auctions of which something is owed for a slot, as they were opened."""
        return [
            auction
            for auction in self._by_id.values()
            if auction.result is not None and not auction.done and auction.terms.from_s <= slot_s < auction.terms.to_s
        ]

    def trades(self, slot_s: int) -> list[Trade]:
        """Return what auctions have sold for a slot, as they were opened, for the slot's settlement."""
        return [trade for auction in self._by_id.values() for trade in auction.trades(slot_s)]

    def due(self, now_s: int) -> list[Auction]:
        """Return the auctions about which something is due, first due first, then as they were opened."""
        return [self._by_id[str(number)] for _, number in self._due[: bisect_left(self._due, (now_s + 1, 0))]]

    def over(self, before_s: int) -> list[Auction]:
        """Return the auctions of which nothing is owed any more, and what was won was over before a time."""
        return [self._by_id[str(number)] for _, number in self._over[: bisect_left(self._over, (before_s, 0))]]

    def items(self) -> list[Auction]:
        """Return all auctions that stand, as they were opened."""
        return list(self._by_id.values())

    def closed(self) -> list[Closed]:
        """Return what came of the auctions that closed last, the first of them first."""
        still = [_closed(auction) for auction in self._by_id.values() if auction.result is not None]
        return _latest([*self._closed, *still])

    def leaves(self) -> Iterator[Mapping[str, object]]:
        """Yield everything that decides what may happen next, and the results that are still told."""
        yield from ({"auction": auction} for auction in self._by_id.values())
        yield from ({"closed": closed} for closed in self._closed)

    def dump(self) -> Kept:
        """Return all of it in plain form: a snapshot's."""
        return Kept(auctions=self.items(), closed=list(self._closed))

    @classmethod
    def load(cls, kept: Kept) -> "Auctions":
        """Return the auctions that `dump` wrote.

        Raises:
            InvalidValue: Two have one name.
        """
        return cls(kept.auctions, kept.closed)

    def _note(self, auction: Auction, sign: int) -> None:
        """Note, or note no longer, when an auction is due, who bids in it, and who has a part in it."""
        times, entry = (self._over if auction.done else self._due), (auction.due_s, int(auction.id))
        if sign > 0:
            insort(times, entry)
        else:
            del times[bisect_left(times, entry)]
        for account in auction.parties():
            numbers = self._of.setdefault(account, set())
            if sign > 0:
                numbers.add(int(auction.id))
            else:
                numbers.discard(int(auction.id))
            if not numbers:
                del self._of[account]
        if auction.result is None:
            for bidder in {*auction.bids, *auction.sealed}:
                self._bidding[bidder] += sign
                if not self._bidding[bidder]:
                    del self._bidding[bidder]


def _closed(auction: Auction) -> Closed:
    assert auction.result is not None
    return Closed(
        id=auction.id,
        owner=auction.owner,
        form=auction.terms.form,
        side=auction.terms.side,
        good=auction.terms.good,
        amount=auction.terms.amount,
        closed_s=auction.result.closed_s,
        why=auction.result.why,
        awards=auction.result.awards,
    )


def _latest(found: Iterable[Closed]) -> list[Closed]:
    return sorted(found, key=lambda closed: (closed.closed_s, int(closed.id)))[-MOST_CLOSED:]


class _Changing:
    def __init__(self, auctions: Auctions, auction: Auction) -> None:
        self._auctions, self._auction = auctions, auction

    def __enter__(self) -> Auction:
        self._auctions._note(self._auction, -1)
        return self._auction

    def __exit__(self, *error: object) -> None:
        self._auctions._note(self._auction, 1)

"""What stands in the WATT book: orders in the order in which they are served, and each owner's own."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heappush

from commonwatt.model import AccountId, Order, Side


class Standing:
    """An order at rest.

    ``left_wh`` is what is still wanted, 0 once it is gone; ``ready_wh`` what could change hands now: of an ask what is
    backed, of a bid what its buyer has room for, 0 where it waits.
    """

    __slots__ = ("left_wh", "order", "owner", "price", "queued", "rank", "ready_wh")

    def __init__(self, order: Order) -> None:
        self.order = order
        self.owner = order.owner
        self.price = order.price_micro_per_kwh
        self.rank = (-self.price if order.side is Side.BID else self.price, order.arrived)
        self.left_wh = order.energy_wh
        self.ready_wh = 0
        self.queued = False

    def told(self) -> Order:
        """Return the order with what is left of it."""
        return self.order if self.left_wh == self.order.energy_wh else replace(self.order, energy_wh=self.left_wh)


@dataclass(slots=True)
class Own:
    """What one account has in the book, each side in book order."""

    bids: list[Standing] = field(default_factory=list)
    asks: list[Standing] = field(default_factory=list)
    asked_wh: int = 0

    def add(self, standing: Standing) -> None:
        """Put an order to its rank."""
        if standing.order.side is Side.ASK:
            self.asked_wh += standing.left_wh
        insort(self._side(standing), standing, key=_rank)

    def remove(self, standing: Standing) -> None:
        """Take an order out; what is left of it must have been taken off `asked_wh`."""
        side = self._side(standing)
        del side[bisect_left(side, standing.rank, key=_rank)]

    def __len__(self) -> int:
        return len(self.bids) + len(self.asks)

    def _side(self, standing: Standing) -> list[Standing]:
        return self.bids if standing.order.side is Side.BID else self.asks


def _rank(standing: Standing) -> tuple[int, int]:
    return standing.rank


_Entry = tuple[tuple[int, int], str, Standing]


class Queue:
    """Orders of one side, best price first, then first come; finding the first costs no look at the rest.

    What has left stays in the heap until it comes to the top or `sweep` is called: leaving is free.
    """

    def __init__(self, counts: Callable[[Standing], bool]) -> None:
        self._heap: list[_Entry] = []
        self._counts = counts

    def add(self, standing: Standing) -> None:
        """Put an order to its rank; one is in a queue once at most."""
        heappush(self._heap, (standing.rank, standing.order.id, standing))

    def first(self) -> Standing | None:
        """Return the best order that counts, or None."""
        heap = self._heap
        while heap:
            standing = heap[0][2]
            if self._counts(standing):
                return standing
            standing.queued = False
            heappop(heap)
        return None

    def all_first(self) -> list[Standing]:
        """Return every order that counts at the best price, in no order; costs as much as there are at that price."""
        if (best := self.first()) is None:
            return []
        found, heap, look_at = [], self._heap, [0]
        while look_at:  # whatever has the best price hangs together at the top of the heap
            at = look_at.pop()
            if at < len(heap) and heap[at][2].price == best.price:
                look_at += [2 * at + 1, 2 * at + 2]
                if self._counts(heap[at][2]):
                    found.append(heap[at][2])
        return found

    def first_of_others(self, owner: AccountId) -> Standing | None:
        """Return the best order that counts and is not this owner's, or None; costs as much as the owner has better."""
        mine: list[_Entry] = []
        while (found := self.first()) is not None and found.owner == owner:
            mine.append(heappop(self._heap))
        for entry in mine:
            heappush(self._heap, entry)
        return found

    def sweep(self, keep: Iterable[Standing]) -> None:
        """Start again with these orders alone."""
        self._heap = [(standing.rank, standing.order.id, standing) for standing in keep]
        heapify(self._heap)

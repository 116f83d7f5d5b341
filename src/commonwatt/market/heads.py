"""The best order of each owner, and the best two of all owners, in O(log n) a change."""

from heapq import heapify, heappop, heappush

from commonwatt.model import AccountId

Rank = tuple[int, int]
"""What sorts orders, lower first: a signed price, then a place in time that no other order has."""
Head = tuple[int, int, AccountId]


class Heads:
    """One rank an owner, or none; ranks that were replaced stay in the heap until they come up or are too many."""

    def __init__(self) -> None:
        self._of: dict[AccountId, Rank] = {}
        self._heap: list[Head] = []

    def put(self, owner: AccountId, rank: Rank | None) -> None:
        """Let an owner have this rank from now on, or none."""
        if self._of.get(owner) == rank:
            return
        if rank is None:
            del self._of[owner]
            return
        self._of[owner] = rank
        heappush(self._heap, (*rank, owner))
        if len(self._heap) > 2 * len(self._of) + 64:
            self._heap = [(*known, name) for name, known in self._of.items()]
            heapify(self._heap)

    def drop(self, owner: AccountId, rank: Rank) -> None:
        """Take a rank away from its owner, where it is this one."""
        if self._of.get(owner) == rank:
            del self._of[owner]

    def first(self) -> Head | None:
        """Return the best owner with its rank."""
        while self._heap:
            head = self._heap[0]
            if self._of.get(head[2]) == head[:2]:
                return head
            heappop(self._heap)
        return None

    def second(self) -> Head | None:
        """Return the best of the owners without the first."""
        first = self.first()
        if first is None:
            return None
        while self._heap and self._heap[0] == first:
            heappop(self._heap)  # a rank that an owner lost and got again is in the heap twice
        found = self.first()
        heappush(self._heap, first)
        return found

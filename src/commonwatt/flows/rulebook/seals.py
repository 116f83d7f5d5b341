"""Sealed orders: who has which place in the log for something that only they know."""

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from commonwatt.model import AccountId


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """A commitment: who may reveal it, to what, and the first second since 1970 at which nobody can any more."""

    owner: AccountId
    seal: str
    until_s: int


class Seals:
    """What is sealed and neither revealed nor lapsed yet, by its place in the log."""

    def __init__(self) -> None:
        self._at: dict[int, Seal] = {}
        self._count: Counter[AccountId] = Counter()
        self._ends: deque[tuple[int, int]] = deque()

    @classmethod
    def load(cls, kept: Mapping[int, Seal]) -> "Seals":
        """Return the seals that `dump` wrote."""
        seals = cls()
        for place, seal in sorted(kept.items(), key=lambda item: (item[1].until_s, item[0])):
            seals.add(place, seal)
        return seals

    def dump(self) -> dict[int, Seal]:
        """Return all of them by place, in order."""
        return dict(sorted(self._at.items()))

    def add(self, place: int, seal: Seal) -> None:
        """Take one in; it ends no earlier than those before it."""
        self.put_back(place, seal)
        self._ends.append((seal.until_s, place))

    def take(self, place: int) -> Seal:
        """Take one out, to be revealed or because its time is over."""
        seal = self._at.pop(place)
        self._count[seal.owner] -= 1
        if not self._count[seal.owner]:
            del self._count[seal.owner]
        return seal

    def put_back(self, place: int, seal: Seal) -> None:
        """Let one stand as before, since what it hid cannot."""
        self._at[place] = seal
        self._count[seal.owner] += 1

    def get(self, place: int) -> Seal | None:
        """Return what is sealed at a place."""
        return self._at.get(place)

    def count(self, owner: AccountId) -> int:
        """Return how many an account has standing."""
        return self._count[owner]

    def due(self, now_s: int) -> list[int]:
        """Return the places whose time is over by now, in order, once."""
        places = []
        while self._ends and self._ends[0][0] <= now_s:
            place = self._ends.popleft()[1]
            if place in self._at:
                places.append(place)
        return places

    def leaves(self) -> Iterator[Mapping[str, object]]:
        """Yield what decides what may happen next, in order."""
        yield from ({"place": place, "sealed": self._at[place]} for place in sorted(self._at))

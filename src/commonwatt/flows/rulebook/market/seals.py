"""Orders whose place in time is fixed before anybody knows what they are, and the bonds that stand for them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from commonwatt.model import AccountId


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """One of them.

    Args:
        position: Where it stands in the log: the place in time of the order in it.
        owner: Who alone can reveal it.
        commitment: SHA-256 over what it is, see `sealing.commitment_of`.
        until_s: First second at which it has lapsed, or, told, is bound no more.
        bond_micro: What is reserved of the owner's ERGON until then.
        told: Whether its order stands in a market.
    """

    position: int
    owner: AccountId
    commitment: str
    until_s: int
    bond_micro: int
    told: bool = False

    @property
    def bond(self) -> str:
        """The name of what is reserved; no transfer that a member asks for can name it."""
        return f"seal {self.position}"


class Seals:
    """What is sealed and still bound; first in the log, first to lapse."""

    def __init__(self, seals: Iterable[Seal] = ()) -> None:
        self._by_position: dict[int, Seal] = {}
        self._count: Counter[AccountId] = Counter()
        for seal in seals:
            self.add(seal)

    def add(self, seal: Seal) -> None:
        """Keep one that stands after all others in the log."""
        self._by_position[seal.position] = seal
        self._count[seal.owner] += 1

    def remove(self, seal: Seal) -> None:
        """Let go of one."""
        del self._by_position[seal.position]
        self._count[seal.owner] -= 1
        if not self._count[seal.owner]:
            del self._count[seal.owner]

    def note(self, seal: Seal, *, told: bool) -> None:
        """Note whether an order stands in a market; it is bound to stand there until its seal's time is over."""
        self._by_position[seal.position] = replace(seal, told=told)

    def at(self, name: str) -> Seal | None:
        """Return the one that stands at a place in the log, or None."""
        return self._by_position.get(int(name)) if name.isdecimal() and len(name) < 17 else None

    def of(self, owner: AccountId) -> int:
        """Return how many an account has."""
        return self._count[owner]

    def lapsed(self, now_s: int) -> list[Seal]:
        """Return those whose time is over, in order."""
        found = []
        for seal in self._by_position.values():
            if seal.until_s > now_s:
                break
            found.append(seal)
        return found

    def items(self) -> list[Seal]:
        """Return all of them, in order: a snapshot's."""
        return list(self._by_position.values())

    def leaves(self) -> Iterator[Mapping[str, object]]:
        """Yield what decides what may happen next."""
        yield from ({"sealed": seal} for seal in self._by_position.values())

"""Other communities: whom to believe of them, which numbers this log has spoken about, and what is set aside."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from commonwatt.market.interchange import Interchange, Ranges
from commonwatt.model import AccountId, neighbour_account


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """Whose word counts as another community's, and its limits; see `interchange_bodies.RegisterNeighbour`."""

    operator: str
    note: str
    cosigners: tuple[tuple[str, int], ...]
    most_wh: int
    most_micro: int


@dataclass(slots=True, kw_only=True)
class Neighbour:
    """Another community as this log knows it.

    Args:
        community: Its name.
        trusted: Whom to believe of it.
        spoken: Numbers of which this log has prepared a document or said that it never will: one word each, for ever.
        sides: Documents whose side here is prepared, and not decided yet, by number.
    """

    community: str
    trusted: Trusted
    spoken: Ranges = ()
    sides: dict[int, Interchange] = field(default_factory=dict)

    @property
    def owed(self) -> AccountId:
        """Return the account of what is owed to it here; below zero what it owes."""
        return neighbour_account(self.community)

    @property
    def held(self) -> AccountId:
        """Return the account of what is set aside here: for documents, and money in place of WATT that is gone."""
        return neighbour_account(f"{self.community}:held")

    def gives(self, document: Interchange) -> bool:
        """Tell whether the other community is the one that gives WATT."""
        return document.giver == self.community

    def account(self, document: Interchange) -> AccountId:
        """Return whose account on this side a document is about."""
        return document.buyer if self.gives(document) else document.seller


class Neighbours:
    """All of them.

    Args:
        items: The `items` of the one to rebuild.
    """

    def __init__(self, items: Iterable[Neighbour] = ()) -> None:
        self._by_name = {known.community: known for known in items}
        self._coming_wh: Counter[AccountId] = Counter()
        for known in self._by_name.values():
            for document in known.sides.values():
                self._coming_wh[known.account(document)] += document.energy_wh

    def get(self, community: str) -> Neighbour | None:
        """Return a community, or None."""
        return self._by_name.get(community)

    def trust(self, community: str, trusted: Trusted) -> None:
        """Believe of a community whom one is told to."""
        known = self._by_name.get(community)
        if known is None:
            self._by_name[community] = Neighbour(community=community, trusted=trusted)
        else:
            known.trusted = trusted

    def prepared(self, known: Neighbour, document: Interchange) -> None:
        """Remember a side that is set aside."""
        known.sides[document.number] = document
        self._coming_wh[known.account(document)] += document.energy_wh

    def decided(self, known: Neighbour, document: Interchange) -> None:
        """Forget a side."""
        del known.sides[document.number]
        account = known.account(document)
        self._coming_wh[account] -= document.energy_wh
        if not self._coming_wh[account]:
            del self._coming_wh[account]

    def coming_wh(self, account: AccountId) -> int:
        """Return the WATT that an account will get, or may get back, in Wh: room and right for it are kept."""
        return self._coming_wh.get(account, 0)

    def items(self) -> list[Neighbour]:
        """Return all of them, in order of registration: all the state there is."""
        return list(self._by_name.values())

    def leaves(self) -> Iterator[Mapping[str, object]]:
        """Yield everything that decides what may happen next."""
        for known in self.items():
            yield {"neighbour": known.community, "spoken": known.spoken, "trusted": known.trusted}
            yield from ({"neighbour": known.community, "side": known.sides[number]} for number in sorted(known.sides))

"""Contracts and what their baselines need, for one community."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from commonwatt.market.contracts import Contract, Contracts, Fact, Guarantee, Offer
from commonwatt.metering.baseline import DayRows
from commonwatt.model import AssetId


@dataclass(frozen=True, slots=True, kw_only=True)
class Dumped:
    """All of it at rest, see `Contracted.dump`."""

    offers: list[Offer]
    contracts: list[Contract]
    guarantees: list[Guarantee]
    facts: list[Fact]
    days: dict[AssetId, list[tuple[int, bool, bytes]]]


@dataclass(slots=True)
class Contracted:
    """``days`` are recent days of the assets that running contracts count on, longer than readings are kept.

    Of others it remembers on which days they were called, as long as readings of these may still be taken in.
    """

    book: Contracts = field(default_factory=Contracts)
    days: dict[AssetId, DayRows] = field(default_factory=dict)

    def forget_days_before(self, day: int) -> None:
        """Let go of what was asked on days of which nothing can be told any more."""
        pledged = {one.asset for one in self.book.running()}
        for asset, days in list(self.days.items()):
            days.forget_before(day)
            if not days and asset not in pledged:
                del self.days[asset]

    def leaves(self, horizon_s: int) -> Iterator[Mapping[str, object]]:
        """Yield everything that decides what may happen next, in one order whatever the way that led to it."""
        yield from self.book.leaves(horizon_s)
        for asset in sorted(self.days):
            hashed = sha256()
            for day, called, values in self.days[asset].dump():
                hashed.update(day.to_bytes(8) + bytes([called, bool(values)]) + values)
            yield {"asset": asset, "days": hashed.hexdigest()}

    def dump(self) -> Dumped:
        """Return all of it in plain form: a snapshot's."""
        offers, contracts, guarantees, facts = self.book.dump()
        return Dumped(
            offers=offers,
            contracts=contracts,
            guarantees=guarantees,
            facts=facts,
            days={asset: self.days[asset].dump() for asset in sorted(self.days)},
        )

    @classmethod
    def load(cls, told: Dumped) -> "Contracted":
        """Return what `dump` wrote.

        Raises:
            InvalidValue: A part contradicts itself.
        """
        book = Contracts.load(told.offers, told.contracts, told.guarantees, told.facts)
        return cls(book, {asset: DayRows.load(days) for asset, days in told.days.items()})

"""A planning problem and its answer: what both engines, the explanation and the checker speak about."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from commonwatt.model import SLOT, SLOT_SECONDS, AssetId, Constraint, Envelope, Interval, InvalidValue, Reach

SLOT_HOURS = SLOT_SECONDS / 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One meter and what crossing it costs on top of the community's price: grid fees, taxes, a supplier's spread.

    Args:
        name: As in `Envelope.connection`.
        import_fee: n values, micro per kWh drawn through it.
        export_fee: n values, micro per kWh sent out through it; with the import fee never below zero, or the meter
            would pay for running in circles.
    """

    name: str
    import_fee: tuple[int, ...]
    export_fee: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """All that a plan depends on, over n slots.

    Args:
        start: Start of the first slot.
        envelopes: Everything that draws, makes or stores.
        import_price: n values, micro per kWh, at the community's feeder.
        export_price: n values, micro per kWh; counted as no higher than the import price of its slot, since one
            feeder has one direction at a time.
        constraints: Statements; those that reach outside the horizon are held as far as it goes.
        final_value_micro_per_kwh: What a kWh that can be got out of store at the horizon's end is worth.
        connections: Meters whose crossing costs something; assets behind others exchange at the community's price.
        own_use: True for row E1: among plans that keep the statements, least export comes before money.
        before: The last plan's power per asset, W, n values each: what running plans are held against.
        change_micro_per_kwh: What each kWh that moves away from ``before`` costs: stability has a price.
        by_asset: The envelopes by name.
    """

    start: datetime
    envelopes: tuple[Envelope, ...]
    import_price: tuple[int, ...]
    export_price: tuple[int, ...]
    constraints: tuple[Constraint, ...] = ()
    final_value_micro_per_kwh: int = 0
    connections: tuple[Connection, ...] = ()
    own_use: bool = True
    before: Mapping[AssetId, tuple[int, ...]] = field(default_factory=dict)
    change_micro_per_kwh: int = 0
    by_asset: Mapping[AssetId, Envelope] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        lengths = {len(e.lo_w) for e in self.envelopes} | {len(self.import_price), len(self.export_price)}
        lengths |= {len(c.import_fee) for c in self.connections} | {len(c.export_fee) for c in self.connections}
        lengths |= {len(power_w) for power_w in self.before.values()}
        if len(lengths) != 1:
            raise InvalidValue(f"envelopes and prices cover the same slots, was {sorted(lengths)}")
        object.__setattr__(self, "by_asset", {envelope.asset: envelope for envelope in self.envelopes})
        if len(self.by_asset) != len(self.envelopes):
            twice = sorted(name for name, count in Counter(e.asset for e in self.envelopes).items() if count > 1)
            raise InvalidValue(f"an asset has one envelope, was otherwise for {twice}")

    @property
    def slots(self) -> int:
        """Return the number of slots."""
        return len(self.import_price)

    def slot(self, index: int) -> Interval:
        """Return a slot of the horizon by its number."""
        return Interval(self.start + index * SLOT, self.start + (index + 1) * SLOT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmet:
    """A statement that the plan could not keep, and by how much, in the unit of its quantity."""

    constraint: Constraint
    by: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an engine found.

    Args:
        start: As in the problem.
        power_w: Power per asset that can be shifted, n values each, import positive.
        level_wh: Stored energy per storing asset at each slot's end.
        exchange_w: Power of the community at the feeder, n values, import positive.
        cost_micro: Expected cost over the horizon: energy, fees, wear, fuel, change, less final value.
        unmet: Statements not kept, most important first.
        bound_micro: No plan that keeps the statements as well costs less: proven.
        worth_micro_per_kwh: n values: what one more kWh drawn in a slot would cost the community.
        engine: ``exact`` or ``fleet``.
        ended: ``optimal`` within the gap that was asked for, or ``stopped``: by its limit, or cancelled.
    """

    start: datetime
    power_w: dict[AssetId, tuple[int, ...]]
    level_wh: dict[AssetId, tuple[int, ...]]
    exchange_w: tuple[int, ...]
    cost_micro: int
    unmet: tuple[Unmet, ...] = ()
    bound_micro: int
    worth_micro_per_kwh: tuple[int, ...] = ()
    engine: str = "exact"
    ended: str = "optimal"

    @property
    def gap(self) -> float:
        """Return the proven gap: how far the cost may at most be above the best, as a share of the cost."""
        if self.cost_micro <= self.bound_micro:
            return 0.0
        return (self.cost_micro - self.bound_micro) / max(1, abs(self.cost_micro))


def scoped(problem: Problem, constraint: Constraint) -> list[Envelope]:
    """Return the envelopes that a constraint is about."""
    names = set(constraint.scope)
    match constraint.reach:
        case Reach.ASSET:
            return [e for name in dict.fromkeys(constraint.scope) if (e := problem.by_asset.get(AssetId(name)))]
        case Reach.OWNER:
            return [e for e in problem.envelopes if e.owner in names]
        case Reach.CONNECTION:
            return [e for e in problem.envelopes if e.connection in names]
        case Reach.ZONE:
            return [e for e in problem.envelopes if e.zone in names]
        case Reach.FEEDER:
            return [e for e in problem.envelopes if e.feeder in names]
        case Reach.COMMUNITY:
            return list(problem.envelopes)

"""How a plugged car behaves: a battery that comes and leaves at uncertain hours and draws 6 A or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from commonwatt.assets import battery
from commonwatt.model import (
    SLOT,
    SLOT_SECONDS,
    Asset,
    Constraint,
    Envelope,
    InvalidValue,
    Priority,
    Quantity,
    Relation,
)

V2G_RESERVE_PERCENT = 30
"""A car is never discharged below this for others: its owner may have to leave early."""
LEAST_A, MOST_A, VOLTS = 6, 32, 230
"""What a charge point may signal to a car on a phase. Source: IEC 61851-1."""
EARLY_PERMILLE = 50
"""How unlikely an early departure may be and still find the car ready, where comfort is all that it costs."""


def reserve_wh(asset: Asset) -> int:
    """Return the level in Wh below which the car is not discharged."""
    return asset.capacity_wh * V2G_RESERVE_PERCENT // 100


def envelope(
    asset: Asset,
    level_wh: int,
    slots: int,
    wear_micro_per_kwh: int,
    *,
    leaves_after: int,
    wanted_wh: int,
    discharge: bool = True,
    arrives_after: int = 0,
) -> Envelope:
    """Return what a plugged car can do: nothing from its departure on, nor before it comes.

    It may store more than its owner wants while it stands, but takes no more than that away: the street's surplus
    is kept for the street, not given to the road.

    Args:
        asset: The car and its charger as one asset.
        level_wh: Stored energy now, Wh; of a car that is still to come, what it is likely to bring.
        slots: Length of the horizon.
        wear_micro_per_kwh: Degradation price of a discharged kWh.
        leaves_after: In how many slots it leaves.
        wanted_wh: What its owner wants it to hold by then, Wh; that it does is the owner's constraint (`needs`).
        discharge: False where the owner gives no energy back.
        arrives_after: In how many slots it comes (`stay`); 0 where it is there.
    """
    base = battery.envelope(asset, level_wh, slots, wear_micro_per_kwh, reserve_wh(asset))
    comes = min(arrives_after, leaves_after, slots)
    here = min(leaves_after, slots) - comes
    coming, away = (0,) * comes, (0,) * (slots - comes - here)
    lo_w = base.lo_w[:here] if discharge else (0,) * here
    store = base.store
    assert store is not None
    # The last quarter-hour at 6 A may pass what is wanted by a little; less would be to stop short of it.
    one_step_wh = asset.min_import_w * SLOT_SECONDS // 3600
    given_wh = here * asset.max_export_w * SLOT_SECONDS // 3600 if discharge else 0
    lowest_wh = max(min(level_wh, reserve_wh(asset)), level_wh - given_wh * 1000 // asset.discharge_permille)
    most_wh = min(asset.capacity_wh, max(lowest_wh, wanted_wh + one_step_wh))
    standing = max(0, comes + here - 1) if leaves_after <= slots else slots
    level_max_wh = store.level_max_wh[:standing] + (most_wh,) * (slots - standing)
    return replace(
        base,
        lo_w=coming + lo_w + away,
        hi_w=coming + base.hi_w[:here] + away,
        store=replace(store, level_max_wh=level_max_wh),
    )


@dataclass(frozen=True, slots=True)
class Likely:
    """When something is likely to happen: ``(permille, instant)`` pairs, both rising.

    Before an instant it happens in so many of a thousand days.
    """

    quantiles: tuple[tuple[int, datetime], ...]

    def __post_init__(self) -> None:
        chances, instants = [chance for chance, _ in self.quantiles], [instant for _, instant in self.quantiles]
        if not chances or chances != sorted(set(chances)) or instants != sorted(instants):
            raise InvalidValue(f"quantiles rise in chance and time, was {self.quantiles}")
        if not 0 <= chances[0] <= chances[-1] <= 1000:
            raise InvalidValue(f"a chance is between 0 and 1000 permille, was {chances}")

    def by(self, permille: int) -> datetime:
        """Return the instant before which it happens with a chance; at either end the nearest that is known."""
        below = [pair for pair in self.quantiles if pair[0] <= permille] or [self.quantiles[0]]
        above = [pair for pair in self.quantiles if pair[0] >= permille] or [self.quantiles[-1]]
        (low, early), (high, late) = below[-1], above[0]
        if high <= low:
            return early
        return early + (late - early) * (permille - low) // (high - low)


def from_past(since_midnight: Sequence[timedelta], midnight: datetime) -> Likely:
    """Return when something is likely on a day from when it happened on past ones.

    Args:
        since_midnight: How long after its own midnight, one of each past day, in any order; the more of them, the
            further into the tails.
        midnight: Of the day in question.

    Raises:
        InvalidValue: There are none.

    Source: of n days the i-th earliest stands for i / (n + 1) of all days to come; Weibull, 1939.
    """
    ranked = sorted(since_midnight)
    pairs = {(place + 1) * 1000 // (len(ranked) + 1): midnight + after for place, after in enumerate(ranked)}
    return Likely(tuple(sorted(pairs.items())))


def stay(start: datetime, comes: Likely, leaves: Likely, confidence_permille: int) -> tuple[int, int]:
    """Return in how many slots a car comes and leaves, so that it is there for that long with a confidence each.

    Args:
        start: Start of the first slot.
        comes: Likely arrival.
        leaves: Likely departure.
        confidence_permille: In so many of a thousand days it has come by then, and has not left before.

    Returns:
        ``arrives_after`` and ``leaves_after`` for `envelope`, rounded to the slots in which it surely stands.
    """
    arrives = max(0, -((start - comes.by(confidence_permille)) // SLOT))
    return arrives, max(arrives, (leaves.by(1000 - confidence_permille) - start) // SLOT)


def needs(
    asset: Asset,
    wanted_wh: int,
    stated: datetime,
    leaves: Likely | None = None,
    *,
    early_permille: int = EARLY_PERMILLE,
) -> tuple[Constraint, ...]:
    """Return what a driver needs: the wanted level at the stated hour, and as comfort by an early departure.

    Args:
        asset: The car.
        wanted_wh: Level in Wh.
        stated: When its owner says that it leaves: that need is the owner's word.
        leaves: When it is likely to leave; where so many departures are earlier than stated, the level is also
            wished for by then, below everybody's needs.
        early_permille: How many of a thousand departures may still come too early for that wish.
    """
    need = Constraint(
        quantity=Quantity.BATTERY,
        scope=(asset.id,),
        relation=Relation.AT_LEAST,
        value=wanted_wh,
        at=stated,
        priority=Priority.OWNER,
        author=asset.owner,
    )
    early = stated if leaves is None else leaves.by(early_permille)
    return (need,) if early >= stated else (need, replace(need, at=early, priority=Priority.COMFORT))


def charging(asset: Asset, phases: frozenset[int], most_a: int = MOST_A) -> Asset:
    """Return the asset with the powers that its charger and car can take on the phases that they have.

    Where a charger can switch between one phase and three (``{1, 3}``), it may draw from the least of one to the most
    of three. Between them is a gap where `most_a` is below 18 A: `current` fills it with the nearest power below.

    Args:
        asset: Its registered limits hold all the same.
        phases: 1, 3 or both.
        most_a: What the fuse or the cable allows on each phase, 6 A or more.

    Raises:
        InvalidValue: Less than 6 A, or another number of phases.
    """
    if not phases or phases - {1, 3} or most_a < LEAST_A:
        raise InvalidValue(f"a car charges on 1 or 3 phases with at least 6 A, was {sorted(phases)} with {most_a} A")
    most_w = min(asset.max_import_w, max(phases) * most_a * VOLTS)
    return replace(asset, min_import_w=min(min(phases) * LEAST_A * VOLTS, most_w), max_import_w=most_w)


def current(power_w: int, phases: frozenset[int], most_a: int = MOST_A) -> tuple[int, int]:
    """Return the phases and the whole amperes to signal for a power: as near to it as can be without passing it.

    Fewer phases are preferred where both come as near: switching back up takes a pause of a minute or more.
    """
    best = (0, 0)
    for count in sorted(phases):
        amperes = min(most_a, power_w // (count * VOLTS))
        if amperes >= LEAST_A and count * amperes > best[0] * best[1]:
            best = (count, amperes)
    return best

"""What the checker finds, what rounding may move, and the course of a level that all of it rests on."""

from collections.abc import Sequence
from dataclasses import dataclass

from commonwatt.model import (
    SLOT_SECONDS,
    SLOTS_PER_HOUR,
    Envelope,
    Store,
)

# All tolerances. A plan is in whole watts, watt-hours and micro; its engine may have counted before rounding.
ROUNDED_W = 1.0
"""What rounding may move in one asset's power in one slot where it has a choice; sums and levels add it up."""
ROUNDED_WH = 1.0
"""What rounding may move in a level that a plan tells."""
REPORTED = 0.1
"""To how much a shortfall is told, in the unit of its quantity."""
ROUNDED_MICRO = 10.0
"""What adding up money in floating point may move."""
FLOAT = 1e-6

MINUTES_PER_SLOT = SLOT_SECONDS // 60


@dataclass(frozen=True, slots=True)
class Violation:
    """One way in which a plan is wrong: which rule, which thing, and what was found."""

    rule: str
    thing: str
    found: str


@dataclass(frozen=True, slots=True)
class Track:
    """Levels at each slot's end as powers alone make them, and how far rounding may have moved them."""

    level_wh: tuple[float, ...]
    unsure_wh: tuple[float, ...]


def gain_of(store: Store, slot: int) -> float:
    """Return what a drawn Wh adds to a level in a slot."""
    return (store.gain_permille[slot] if store.gain_permille else store.charge_permille) / 1000


def tracked(envelope: Envelope, store: Store, power_w: Sequence[int]) -> Track:
    """Return the course of a level under powers in W, n values, import positive."""
    level, unsure = float(store.level_now_wh), 0.0
    levels, doubts = [], []
    keep = store.keep_ppm / 1e6
    for slot, power in enumerate(power_w):
        gain, loss = gain_of(store, slot), 1000 / store.discharge_permille
        moved_wh = power / SLOTS_PER_HOUR
        level = level * keep + (moved_wh * gain if power > 0 else moved_wh * loss)
        level += store.inflow_wh[slot] if store.inflow_wh else 0
        unsure *= keep
        if envelope.lo_w[slot] < envelope.hi_w[slot]:
            unsure += ROUNDED_W / SLOTS_PER_HOUR * max(gain, loss if envelope.lo_w[slot] < 0 else 0.0)
        levels.append(level)
        doubts.append(unsure)
    return Track(tuple(levels), tuple(doubts))


def at_slot(thing: str, slot: int) -> str:
    """Return where something was found."""
    return f"{thing} in slot {slot}"


def choices(envelopes: Sequence[Envelope], slot: int) -> int:
    """Count the assets whose power was rounded in a slot: those that had a choice."""
    return sum(e.lo_w[slot] < e.hi_w[slot] for e in envelopes)

"""What can be given at once: whether 2 MW can come in 2 s is read off the plan, not searched for (row M4)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from commonwatt.flexibility.problem import Plan, Problem
from commonwatt.model import SLOTS_PER_HOUR, AssetId, Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What directly controlled assets can change together in each slot, beyond the plan, until the slot's end.

    Args:
        up_w: n values in W: less drawn or more supplied.
        down_w: n values in W: more drawn or less supplied.
        up_of, down_of: The same per asset.
    """

    up_w: tuple[int, ...]
    down_w: tuple[int, ...]
    up_of: dict[AssetId, tuple[int, ...]]
    down_of: dict[AssetId, tuple[int, ...]]

    def can_give(self, slot: int, power_w: int) -> bool:
        """Tell whether so much can be guaranteed in a slot: up where above zero, down where below."""
        return power_w <= self.up_w[slot] if power_w >= 0 else -power_w <= self.down_w[slot]


def ready(problem: Problem, plan: Plan, about: Iterable[Envelope] | None = None) -> Ready:
    """Return what is ready while a plan runs.

    Only direct control counts: who is asked before a device moves may say no (rows X13, M4). Appliances that have
    begun are not broken off. What a store could give is bounded by what it holds at the slot's end under the plan.

    Args:
        problem: What was planned.
        plan: Its plan.
        about: Envelopes to count; all where nothing is said.
    """
    counted = [e for e in about or problem.envelopes if e.direct and not e.shift and e.asset in plan.power_w]
    up_of = {e.asset: _of(e, plan, _less_w) for e in counted}
    down_of = {e.asset: _of(e, plan, _more_w) for e in counted}
    slots = range(problem.slots)
    return Ready(
        up_w=tuple(sum(own[slot] for own in up_of.values()) for slot in slots),
        down_w=tuple(sum(own[slot] for own in down_of.values()) for slot in slots),
        up_of=up_of,
        down_of=down_of,
    )


def _of(envelope: Envelope, plan: Plan, room_w: Callable[[Envelope, int, int, int], int]) -> tuple[int, ...]:
    power_w = plan.power_w[envelope.asset]
    levels = plan.level_wh.get(envelope.asset, (0,) * len(power_w))
    return tuple(
        max(0, room_w(envelope, slot, watts, level))
        for slot, (watts, level) in enumerate(zip(power_w, levels, strict=True))
    )


def _less_w(envelope: Envelope, slot: int, power_w: int, level_wh: int) -> int:
    """Return how much less an asset can draw than planned: by its power, and by what its store may still lose."""
    room = power_w - envelope.lo_w[slot]
    store = envelope.store
    if store is None:
        return room
    spare_w = max(0, level_wh - store.level_min_wh[slot]) * SLOTS_PER_HOUR
    gain = store.gain_permille[slot] if store.gain_permille else store.charge_permille
    undrawn = min(max(0, power_w), spare_w * 1000 // gain)
    supplied = (spare_w - undrawn * gain // 1000) * store.discharge_permille // 1000
    return min(room, undrawn + max(0, supplied))


def _more_w(envelope: Envelope, slot: int, power_w: int, level_wh: int) -> int:
    """Return how much more an asset can draw than planned: by its power, and by what room its store has."""
    room = envelope.hi_w[slot] - power_w
    store = envelope.store
    if store is None:
        return room
    spare_w = max(0, store.level_max_wh[slot] - level_wh) * SLOTS_PER_HOUR
    gain = store.gain_permille[slot] if store.gain_permille else store.charge_permille
    unsupplied = min(max(0, -power_w), spare_w * store.discharge_permille // 1000)
    drawn = (spare_w - unsupplied * 1000 // store.discharge_permille) * 1000 // gain
    return min(room, unsupplied + max(0, drawn))

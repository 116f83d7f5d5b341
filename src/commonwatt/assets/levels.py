"""Levels as `Store` defines them, and bounds on them that some powers can always keep."""

import math
from collections.abc import Sequence
from dataclasses import replace

from commonwatt.model import SLOTS_PER_HOUR, Envelope, Store
from commonwatt.model.envelope import MILLION


def follow(envelope: Envelope, power_w: Sequence[int]) -> list[float]:
    """Return stored energy in Wh at each slot's end under powers in W, unrounded; bounds are not looked at."""
    store, levels = envelope.store, []
    assert store is not None, f"{envelope.asset} stores nothing"
    level = float(store.level_now_wh)
    for slot, power in enumerate(power_w):
        level = after(store, slot, level, power)
        levels.append(level)
    return levels


def after(store: Store, slot: int, level_wh: float, power_w: float) -> float:
    """Return the level after one slot at a power."""
    moved_wh = power_w / SLOTS_PER_HOUR
    into, out = gain(store, slot), 1000 / store.discharge_permille
    inflow_wh = store.inflow_wh[slot] if store.inflow_wh else 0
    return level_wh * store.keep_ppm / MILLION + moved_wh * (into if moved_wh > 0 else out) + inflow_wh


def gain(store: Store, slot: int) -> float:
    """Return what is stored of a drawn Wh."""
    return (store.gain_permille[slot] if store.gain_permille else store.charge_permille) / 1000


def within_reach(envelope: Envelope) -> Envelope:
    """Widen level bounds just as far as physics demands: what no power can keep is no bound.

    A store that begins outside its bounds, or that drifts out of them by itself, would leave the planner without any
    plan. Each bound that cannot be kept is moved to the nearest level that can.
    """
    store = envelope.store
    assert store is not None, f"{envelope.asset} stores nothing"
    low = high = float(store.level_now_wh)
    least, most = list(store.level_min_wh), list(store.level_max_wh)
    for slot in range(len(least)):
        lo_w, hi_w = _free(envelope, slot)
        low, high = after(store, slot, low, lo_w), after(store, slot, high, hi_w)
        least[slot] = min(least[slot], math.floor(high))
        most[slot] = max(most[slot], math.ceil(low))
        low, high = min(max(low, least[slot]), high), max(min(high, most[slot]), low)
    return replace(envelope, store=replace(store, level_min_wh=tuple(least), level_max_wh=tuple(most)))


def _free(envelope: Envelope, slot: int) -> tuple[int, int]:
    """Return the least and the most power in a slot, as far as a run or a rest that has begun leaves a choice."""
    lo_w, hi_w = envelope.lo_w[slot], envelope.hi_w[slot]
    if envelope.running < 0 and slot < envelope.least_rest + envelope.running:
        return 0, 0
    if envelope.running > 0 and slot < envelope.least_run - envelope.running and lo_w >= 0:
        return max(lo_w, min(envelope.least_import_w, hi_w)), hi_w
    return lo_w, hi_w


def may_rest(envelope: Envelope) -> Envelope:
    """Lower the least levels to what seeps away by itself from a store that is left alone at its least."""
    store = envelope.store
    assert store is not None, f"{envelope.asset} stores nothing"
    level, least = float(store.level_now_wh), []
    for slot, wanted_wh in enumerate(store.level_min_wh):
        level = min(after(store, slot, level, 0.0), float(wanted_wh))
        least.append(math.floor(level))
    return replace(envelope, store=replace(store, level_min_wh=tuple(least)))

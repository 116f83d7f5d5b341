"""By how much a plan misses what is stated: read off powers and levels, for plans that no solver's slack describes."""

from collections.abc import Mapping, Sequence

from commonwatt.flexibility.problem import Problem, Unmet, scoped
from commonwatt.model import AT_AN_INSTANT, SLOT_SECONDS, AssetId, Constraint, Envelope, Quantity, Relation

ROUNDED_WH = 1.5
"""What whole watts may move in a level, per store."""


def missed(
    problem: Problem, power_w: Mapping[AssetId, Sequence[int]], level_wh: Mapping[AssetId, Sequence[int]]
) -> tuple[Unmet, ...]:
    """Return the statements that powers and levels do not keep, most important first.

    Args:
        problem: Whose statements are about power, levels and temperatures.
        power_w: n values in W per asset that can be shifted.
        level_wh: n values in Wh per storing asset.
    """
    found = []
    for constraint in problem.constraints:
        about = scoped(problem, constraint)
        slots = _slots(problem, constraint)
        if not about or not slots:
            continue
        sign = 1 if constraint.relation is Relation.AT_LEAST else -1
        by = max(sign * (constraint.value - _value(constraint, about, slot, power_w, level_wh)) for slot in slots)
        if by > _rounding(constraint, about):
            found.append(Unmet(constraint=constraint, by=round(by, 1)))
    return tuple(sorted(found, key=lambda unmet: unmet.constraint.priority))


def _rounding(constraint: Constraint, about: Sequence[Envelope]) -> float:
    """Return what rounding may move, in the unit of the quantity; powers are whole as they are stated."""
    stores = [envelope.store for envelope in about if envelope.store]
    match constraint.quantity:
        case Quantity.BATTERY:
            return ROUNDED_WH * len(stores)
        case Quantity.CHARGE:
            return 100 * ROUNDED_WH * len(stores) / max(1, sum(store.capacity_wh for store in stores))
        case Quantity.TEMPERATURE:
            heats = [abs(store.warmth.wh_per_k) for store in stores if store.warmth]
            return 1000 * ROUNDED_WH / min(heats) if heats else 0.0
    return 0.0


def _slots(problem: Problem, constraint: Constraint) -> list[int]:
    if constraint.quantity in AT_AN_INSTANT:
        assert constraint.at is not None
        slot = -(-int((constraint.at - problem.start).total_seconds()) // SLOT_SECONDS) - 1
        return [slot] if 0 <= slot < problem.slots else []
    assert constraint.window is not None
    return [slot for slot in range(problem.slots) if constraint.window.overlaps(problem.slot(slot))]


def _value(
    constraint: Constraint,
    about: Sequence[Envelope],
    slot: int,
    power_w: Mapping[AssetId, Sequence[int]],
    level_wh: Mapping[AssetId, Sequence[int]],
) -> float:
    match constraint.quantity:
        case Quantity.POWER:
            return sum(power_w[e.asset][slot] if e.asset in power_w else e.lo_w[slot] for e in about)
        case Quantity.CHARGE:
            capacity_wh = sum(e.store.capacity_wh for e in about if e.store)
            return 100 * sum(level_wh[e.asset][slot] for e in about if e.store) / max(1, capacity_wh)
        case Quantity.BATTERY:
            return sum(level_wh[e.asset][slot] for e in about if e.store)
        case Quantity.TEMPERATURE:
            temperatures = [
                e.store.warmth.zero_mc + level_wh[e.asset][slot] * 1000 / e.store.warmth.wh_per_k
                for e in about
                if e.store and e.store.warmth
            ]
            return min(temperatures) if constraint.relation is Relation.AT_LEAST else max(temperatures)
        case _:
            raise AssertionError(f"power, levels and temperatures are read off here, was {constraint.quantity}")

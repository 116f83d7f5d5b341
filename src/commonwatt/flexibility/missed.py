"""By how much a plan misses what is stated: read off powers and levels, for plans that no solver's slack describes."""

from collections.abc import Mapping, Sequence

from commonwatt.flexibility.problem import Problem, Unmet, scoped
from commonwatt.model import AT_AN_INSTANT, SLOT_SECONDS, AssetId, Constraint, Envelope, Quantity, Relation

TOLERATED = {Quantity.CHARGE: 0.1, Quantity.BATTERY: 8.0, Quantity.POWER: 2.0, Quantity.TEMPERATURE: 20.0}
"""Whole watts and watt-hours: a per cent's tenth, Wh, W, thousandths of a degree."""


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
        if by > TOLERATED.get(constraint.quantity, 0.0) * max(1, len(about)) ** 0.5:
            found.append(Unmet(constraint=constraint, by=round(by, 1)))
    return tuple(sorted(found, key=lambda unmet: unmet.constraint.priority))


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

"""Why a device does what it does in a slot: what would come of the other thing, found by planning it (row X5)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

from commonwatt.flexibility.exact.solve import solve
from commonwatt.flexibility.explanation.explain import in_unit
from commonwatt.flexibility.language import text
from commonwatt.flexibility.problem import SLOT_HOURS, Plan, Problem, Unmet
from commonwatt.model import AssetId, Envelope, Refused

MICRO_PER_PENNY = 10_000
SAME_MICRO = 500
"""A twentieth of a penny is no difference."""
SAME_KWH = 0.03
"""More export than this is told; a plan may be so far above the least."""


def why(
    problem: Problem,
    plan: Plan,
    asset: AssetId,
    slot: int,
    clock: ZoneInfo | None = None,
    again: Callable[[Problem], Plan] = solve,
) -> str:
    """Return one sentence: which statement or price made a device do what it does in a slot, and what else would cost.

    The alternative is planned in full: not to run where it runs, to run at its most where it rests.

    Args:
        problem: What was asked.
        plan: Its plan.
        asset: The device.
        slot: The slot's number.
        clock: In which times are told; UTC where nothing is said.
        again: How alternatives are planned: as the plan was, or their costs would not compare.
    """
    zone: tzinfo = clock or UTC
    power_w = plan.power_w[asset][slot]
    does = f"{asset} {_does(power_w)} at {_time(problem, slot, zone)}"
    (envelope,) = (e for e in problem.envelopes if e.asset == asset)
    others = [
        found for other in _otherwise(envelope, slot, power_w) if (found := _planned(problem, other, again)) is not None
    ]
    if not others:
        return f"{does}: its own limits leave it nothing else"
    best = min(others, key=lambda other: (_ranks(other.unmet), other.cost_micro))
    worse = _worse(plan, best)
    if worse is not None:
        by = in_unit(worse.constraint.quantity, worse.by)
        whose = f" of {worse.constraint.author}" if worse.constraint.author else ""
        line = text(worse.constraint, clock or ZoneInfo("UTC"))
        return f"{does}: otherwise the statement{whose}, {line}, would be missed by {by}"
    exported = (_exported(best) - _exported(plan)) * SLOT_HOURS / 1000
    if problem.own_use and exported > SAME_KWH:
        return f"{does}: otherwise {exported:.2f} kWh of the community's own energy would be sent out"
    more = best.cost_micro - plan.cost_micro
    if more <= SAME_MICRO:
        return f"{does}, and might as well not: nothing would cost more"
    return f"{does}: {_because(problem, plan, best, asset, slot, zone)}; otherwise it would cost {_pence(more)} more"


def _otherwise(envelope: Envelope, slot: int, power_w: int) -> list[Envelope]:
    """Return the device as it would be if it had to do the other thing in a slot; several where there are ways."""
    if envelope.shift:
        shift, length = envelope.shift, len(envelope.shift.profile_w)
        if power_w:  # it starts so that it is over before, or begins after
            windows = [
                (shift.earliest, min(shift.latest, slot - length)),
                (max(shift.earliest, slot + 1), shift.latest),
            ]
        else:
            windows = [(max(shift.earliest, slot - length + 1), min(shift.latest, slot))]
        return [
            replace(envelope, shift=replace(shift, earliest=first, latest=last))
            for first, last in windows
            if first <= last
        ]
    if power_w:
        wanted = [0] if envelope.lo_w[slot] <= 0 <= envelope.hi_w[slot] else []
    else:
        wanted = [edge for edge in (envelope.hi_w[slot], envelope.lo_w[slot]) if edge]
    return [
        replace(envelope, lo_w=_with(envelope.lo_w, slot, edge), hi_w=_with(envelope.hi_w, slot, edge))
        for edge in wanted
    ]


def _with(values: tuple[int, ...], slot: int, value: int) -> tuple[int, ...]:
    return (*values[:slot], value, *values[slot + 1 :])


def _planned(problem: Problem, other: Envelope, again: Callable[[Problem], Plan]) -> Plan | None:
    envelopes = tuple(other if e.asset == other.asset else e for e in problem.envelopes)
    try:
        return again(replace(problem, envelopes=envelopes))
    except Refused:
        return None


def _worse(plan: Plan, other: Plan) -> Unmet | None:
    """Return the highest statement that the other plan misses by more."""
    by = {unmet.constraint: unmet.by for unmet in plan.unmet}
    return next((unmet for unmet in other.unmet if unmet.by > by.get(unmet.constraint, 0.0) + 1.0), None)


def _ranks(unmet: tuple[Unmet, ...]) -> list[float]:
    misses = [0.0] * 6
    for one in unmet:
        misses[one.constraint.priority] += one.by
    return misses


def _because(problem: Problem, plan: Plan, other: Plan, asset: AssetId, slot: int, zone: tzinfo) -> str:
    """Name the slot to which the device's energy would go, and the worth of a kWh here and there."""
    moved = [there - here for here, there in zip(plan.power_w[asset], other.power_w[asset], strict=True)]
    away = -1 if moved[slot] > 0 else 1
    elsewhere = max((t for t in range(problem.slots) if t != slot), key=lambda t: away * moved[t])
    worth = plan.worth_micro_per_kwh or problem.import_price
    now = f"a kWh is worth {_pence(worth[slot])} then"
    if away * moved[elsewhere] <= 0 or abs(worth[elsewhere] - worth[slot]) <= SAME_MICRO:
        return now
    return f"{now} and {_pence(worth[elsewhere])} at {_time(problem, elsewhere, zone)}"


def _exported(plan: Plan) -> int:
    return sum(max(0, -power) for power in plan.exchange_w)


def _does(power_w: int) -> str:
    if not power_w:
        return "rests"
    return f"{'draws' if power_w > 0 else 'supplies'} {abs(power_w) / 1000:g} kW"


def _time(problem: Problem, slot: int, zone: tzinfo) -> str:
    return f"{problem.slot(slot).start.astimezone(zone):%H:%M}"


def _pence(micro: int) -> str:
    return f"{micro / MICRO_PER_PENNY:.1f} p"

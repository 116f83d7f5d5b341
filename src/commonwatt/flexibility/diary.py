"""A plan as a diary: instructions in the six words of row X2, each with its reason."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from commonwatt.flexibility.instructions import compile
from commonwatt.flexibility.plan import DISCRETE_SLOTS
from commonwatt.flexibility.problem import Plan, Problem
from commonwatt.model import SLOT, AssetId, Instruction, Schedule

BALANCED_W = 200
"""A street that exchanges less than this is at the kink between two prices: there each home holds its own line."""
MICRO_PER_PENNY = 10_000

KEEPS = "keeps the street's own energy, worth {sold} outside"
BUYS = "grid energy at {bought}; {later} at {at}"
HELPS = "neighbours would else buy from the grid at {bought}"
SELLS = "worth {sold} outside, more than later here"
RESTS = "rests: the street is balanced without it, outside it is {bought}"
GAINS_NOTHING = "nothing to gain at {bought}"
WAITS = "waits: {bought} now, {later} at {at}"
REASONS = (KEEPS, BUYS, HELPS, SELLS, RESTS, GAINS_NOTHING, WAITS)
"""How a schedule says why, in English, as it is signed and logged; prices as `_pence` writes them, ``at`` as `_at`."""


def schedules(
    plan: Plan,
    problem: Problem,
    homes: Mapping[AssetId, Sequence[AssetId]],
    running_w: Mapping[AssetId, int],
    clock: ZoneInfo,
) -> list[Schedule]:
    """Turn a plan into one schedule per asset.

    The first hour is told slot by slot; what comes later will be planned again before it comes, so there runs
    in one direction stand as one diary entry with their mean power.

    Args:
        plan: What the solver found.
        problem: What it was asked, for the reasons.
        homes: Per battery, the load, solar and other assets behind its connection, itself included.
        running_w: What each asset was last told, W; decides between START and INCREASE.
        clock: In which reasons tell the time.
    """
    told = []
    for asset, power_w in plan.power_w.items():
        entries = compile(
            power_w,
            plan.start,
            before_w=running_w.get(asset, 0),
            runs=_runs(power_w),
            reason=lambda first, mean_w: _reason(problem, plan, first, mean_w, clock),
            balance_w=_held_lines(plan, problem, homes[asset]) if asset in homes else None,
        )
        told.append(Schedule(asset=asset, issued=plan.start, instructions=entries))
    return told


def in_force(schedule: Schedule, moment: datetime) -> Instruction | None:
    """Return the instruction that a schedule holds for an instant."""
    return next((entry for entry in schedule.instructions if moment in entry.interval), None)


def _runs(power_w: Sequence[int]) -> list[tuple[int, int]]:
    runs = [(slot, slot + 1) for slot in range(min(DISCRETE_SLOTS, len(power_w)))]
    first = len(runs)
    for slot in range(first + 1, len(power_w) + 1):
        if slot == len(power_w) or _direction(power_w[slot]) != _direction(power_w[first]):
            runs.append((first, slot))
            first = slot
    return runs


def _direction(power_w: int) -> int:
    return (power_w > 0) - (power_w < 0)


def _held_lines(plan: Plan, problem: Problem, behind: Sequence[AssetId]) -> dict[int, int]:
    """Return, for the first slots in which the street is balanced, what this home's connection should exchange.

    A home whose battery takes up its own surprise keeps what was promised to neighbours; away from the kink a
    surprise is cheaper at the grid's price, which is known, than out of the store, whose energy has a better use.
    """
    lines = {}
    for slot in range(DISCRETE_SLOTS):
        if abs(plan.exchange_w[slot]) < BALANCED_W:
            lines[slot] = line_w(plan, problem, behind, slot)
    return lines


def line_w(plan: Plan, problem: Problem, behind: Sequence[AssetId], slot: int) -> int:
    """Return what the connection of some assets is planned to exchange in a slot, in W, import positive."""
    fixed_w = sum(e.lo_w[slot] for e in problem.envelopes if not e.store and e.asset in behind)
    return fixed_w + sum(plan.power_w[asset][slot] for asset in behind if asset in plan.power_w)


def _reason(problem: Problem, plan: Plan, slot: int, power_w: int, clock: ZoneInfo) -> str:
    bought, sold = problem.import_price[slot], problem.export_price[slot]
    if power_w > 0:
        if plan.exchange_w[slot] < BALANCED_W:
            return KEEPS.format(sold=_pence(sold))
        dearest = max(range(slot, len(problem.import_price)), key=lambda ahead: problem.import_price[ahead])
        later = _pence(problem.import_price[dearest])
        return BUYS.format(bought=_pence(bought), later=later, at=_at(plan, dearest, clock))
    if power_w < 0:
        if plan.exchange_w[slot] > -BALANCED_W:
            return HELPS.format(bought=_pence(bought))
        return SELLS.format(sold=_pence(sold))
    if abs(plan.exchange_w[slot]) < BALANCED_W:
        return RESTS.format(bought=_pence(bought))
    cheapest = min(range(slot, len(problem.import_price)), key=lambda ahead: problem.import_price[ahead])
    if cheapest == slot:
        return GAINS_NOTHING.format(bought=_pence(bought))
    later = _pence(problem.import_price[cheapest])
    return WAITS.format(bought=_pence(bought), later=later, at=_at(plan, cheapest, clock))


def _pence(price_micro: int) -> str:
    return f"{price_micro / MICRO_PER_PENNY:.1f} p/kWh"


def _at(plan: Plan, slot: int, clock: ZoneInfo) -> str:
    return f"{(plan.start + slot * SLOT).astimezone(clock):%H:%M}"

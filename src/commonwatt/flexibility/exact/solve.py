"""Solve a problem exactly: statements by rank, then row E1, then money, with the gap proven."""

import math
from dataclasses import replace

import numpy as np

from commonwatt.flexibility.effort import Effort
from commonwatt.flexibility.exact.devices import KWH_PER_W, Device, gain
from commonwatt.flexibility.exact.matrix import Numbers, Values, terms
from commonwatt.flexibility.exact.program import Program, build
from commonwatt.flexibility.exact.ranks import give_way
from commonwatt.flexibility.exact.search import Search
from commonwatt.flexibility.exact.solver import Point
from commonwatt.flexibility.exact.statements import TOLD
from commonwatt.flexibility.problem import Plan, Problem, Unmet
from commonwatt.model import Refused, Store

OWN_USE_KWH = 0.02
"""How far above the least export a plan may be."""
BURNT = 1.001
"""What a kWh that stores lose counts, where one that is sent out counts 1."""
ROUNDING_KWH = 0.005
"""Where meters are left room for rounding, a miss below what they round over a day is no miss."""


def solve(problem: Problem, effort: Effort | None = None, *, room_wh: int = 0) -> Plan:
    """Return the best schedules by lexicographic priority: statements by rank, then row E1, then money.

    First all statements are taken as hard. If they cannot all be met, each rank in turn is met as nearly as possible
    and fairly (see `ranks.give_way`) and then held there, so that a lower rank never costs a higher one anything.
    Then, where asked, export is made as small as it can be, and among those plans the cheapest is taken.

    Args:
        problem: What is asked.
        effort: When to stop.
        room_wh: What is asked of a store beyond a stated least level, since meters and losses round down.

    Raises:
        Refused: A device's own limits leave it nothing to do.
    """
    effort = effort or Effort()
    program = build(problem, steps=effort.steps, sooner=effort.steps is not None, room_wh=room_wh)
    search = Search(program, effort)
    ranks = sorted({statement.constraint.priority for statement in program.statements})
    best = _cheapest(search)
    if best is None and ranks and give_way(search, ranks[-1:]):
        best = _cheapest(search)
    if best is None and give_way(search, ranks):
        best = _cheapest(search)
    if best is None:
        raise _impossible(problem)
    return _read(search, best)


def _cheapest(search: Search) -> Point | None:
    """Return the cheapest point, of those that export least where that is asked; None where there is none."""
    program, solver = search.program, search.solver
    if not program.problem.own_use:
        return search.whole(program.money, "money")
    # Losses count a little more than export: nothing is gained by burning in a store what could be sent out.
    export = search.costs(program.sold) + search.losses(BURNT)
    least = search.relaxed(export, "least export")
    if least is None:
        return None
    summed = _exported(search)
    for attempt in range(2):
        if attempt:  # export was weighed with steps relaxed; the real steps may need the room that it took
            solver.bound_columns(summed, 0.0, np.inf)
            least = search.whole(export, "least export")
            if least is None:
                break
        sold = float(least.values[program.sold].sum())
        solver.bound_columns(summed, 0.0, max(0.0, sold) + OWN_USE_KWH)
        best = search.whole(program.money, "money", least.values)
        if best is not None:
            return best
    solver.bound_columns(summed, 0.0, np.inf)
    return None


def _exported(search: Search) -> Numbers:
    """Return a column that is all that is exported."""
    sold = search.program.sold
    column = search.solver.add_columns(0.0, np.inf)
    search.solver.add_rows(terms(0, np.append(sold, column), np.append(np.ones(len(sold)), -1.0)), 0.0, 0.0, 1)
    return column


def _read(search: Search, best: Point) -> Plan:
    program, problem = search.program, search.program.problem
    values = best.values
    power_w, level_wh = {}, {}
    for device in program.devices:
        envelope = device.envelope
        if envelope.fixed:
            continue
        net = device.net
        energy = np.bincount(net.rows, weights=net.weights * values[net.columns], minlength=problem.slots)
        power = np.rint(energy / KWH_PER_W)
        power_w[envelope.asset] = tuple(int(w) for w in power)
        if envelope.store:
            levels = _levels(device, values, envelope.store)
            level_wh[envelope.asset] = tuple(round(wh) for wh in (levels * 1000).tolist())
    exchange = (values[program.bought] - values[program.sold]) / KWH_PER_W
    waited = float(program.waiting @ values[: len(program.waiting)])
    cost = best.objective - waited + program.offset
    bound = best.bound + program.offset - program.most_waiting
    return Plan(
        start=problem.start,
        power_w=power_w,
        level_wh=level_wh,
        exchange_w=tuple(round(w) for w in exchange.tolist()),
        cost_micro=round(cost * 1e6),
        unmet=_unmet(program, values),
        bound_micro=min(round(cost * 1e6), math.floor(bound * 1e6 + 1e-3)),
        worth_micro_per_kwh=_worth(search, best),
        engine="exact",
        ended="optimal" if search.ended else "stopped",
    )


def _levels(device: Device, values: Values, store: Store) -> Values:
    """Return stored kWh at each slot's end; columns stand only where something asked for them."""
    assert device.level is not None
    slots = len(device.level)
    if np.all(device.level >= 0):
        return values[device.level]
    drawn = device.draw.scaled(gain(store, slots))
    filled = np.bincount(drawn.rows, weights=drawn.weights * values[drawn.columns], minlength=slots)
    return np.asarray(store.level_now_wh / 1000 + np.cumsum(filled))


def _unmet(program: Program, values: Values) -> tuple[Unmet, ...]:
    found = []
    for statement in sorted(program.statements, key=lambda s: s.constraint.priority):
        miss = float(np.max(values[statement.slacks]))
        by = miss * statement.unit
        # What is asked beyond a statement is no part of it.
        if by > TOLD and (not program.room_wh or miss > ROUNDING_KWH):
            found.append(Unmet(constraint=statement.constraint, by=round(by, 1)))
    return tuple(found)


def _worth(search: Search, best: Point) -> tuple[int, ...]:
    """Return what one more kWh in each slot would cost, with all whole numbers as they are."""
    solver, program = search.solver, search.program
    if len(solver.integers):
        whole = solver.integers
        fixed = np.round(best.values[whole])
        solver.bound_columns(whole, fixed, fixed)
        if solver.minimise(program.money, whole=False, doing="worth") is None:
            return ()
    rows, _ = solver.duals()
    return tuple(round(price * 1e6) for price in rows[program.balance].tolist())


def _impossible(problem: Problem) -> Refused:
    """Say which device cannot be run at all."""
    for envelope in problem.envelopes:
        small = replace(problem, envelopes=(envelope,), constraints=(), connections=(), before={})
        search = Search(build(small), Effort())
        if search.whole(np.zeros(search.solver.width), "one device alone") is None:
            return Refused("a device's own limits leave it nothing to do", asset=envelope.asset)
    return Refused("the devices' own limits leave nothing to do", devices=len(problem.envelopes))

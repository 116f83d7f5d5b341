"""Statements that cannot all be kept: rank by rank as nearly as possible, and fairly within a rank (rows X1, X5)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from commonwatt.flexibility.effort import Effort
from commonwatt.flexibility.exact.matrix import Numbers, Values, joined, terms
from commonwatt.flexibility.exact.program import Program, build
from commonwatt.flexibility.exact.search import Search
from commonwatt.flexibility.exact.solver import Point
from commonwatt.flexibility.exact.statements import Statement
from commonwatt.flexibility.problem import scoped
from commonwatt.model import Priority

HELD = 1e-5
"""How far above a miss that was reached it is held, in units of slack (kWh): more than the solver errs."""
LOUD = 1000.0
"""What a relative miss counts in an objective, where a kWh that stores lose counts its inverse."""
SAME = 1e-6
"""Relative misses nearer than this are the same."""


def give_way(search: Search, ranks: Sequence[Priority]) -> bool:
    """Meet each of some ranks as nearly as possible, most important first, and hold it there.

    Ranks that are not named stay hard. Within a rank the largest relative miss is made as small as it can be, then
    the next, and so on; a miss counts from what its statement could reach if it were alone with its devices, so that
    a hopeless one frees nobody from trying.

    Returns:
        False where what is not named cannot be kept; then every slack that was released stays so.

    Source: lexicographic max-min fairness, Nace & Pioro, Max-min fairness and its applications to routing and
    load-balancing in communication networks, 2008.
    """
    statements = search.program.statements
    named = [s for s in statements if s.constraint.priority in ranks]
    for statement in named:
        search.solver.bound_columns(statement.slacks, 0.0, np.inf)
    for rank in sorted(set(ranks)):
        of_rank = [s for s in named if s.constraint.priority is rank]
        if of_rank and not _meet(search, of_rank, f"statements of {rank.name.lower()}"):
            return False
    return True


def misses(statement: Statement, point: Point) -> float:
    """Return by how much a point misses a statement: the largest over its rows, in units of slack."""
    return float(np.max(point.values[statement.slacks]))


def _meet(search: Search, statements: list[Statement], doing: str) -> bool:
    every = np.concatenate([s.slacks for s in statements])
    weights = np.concatenate([np.full(len(s.slacks), 1 / s.asked) for s in statements])
    point = _least(search, every, weights, doing)
    if point is None:
        return False
    missed = {id(s): alone(search.program, s) for s in statements if misses(s, point) > HELD}
    if any(misses(s, point) > missed.get(id(s), 0.0) + HELD for s in statements):
        point = _fairly(search, statements, missed, doing) or point
    held = np.maximum(point.values[every], 0.0)
    search.solver.bound_columns(every, 0.0, held + HELD)
    return True


def _least(search: Search, columns: Numbers, weights: Values, doing: str) -> Point | None:
    """Minimise a sum of misses; of all points that do, one in which no store runs in circles for nothing."""
    return search.whole(search.costs(columns, weights * LOUD) + search.losses(1 / LOUD), doing)


@dataclass(slots=True)
class _Fair:
    """A statement on its way to its share."""

    statement: Statement
    largest: int  # column of its largest miss
    own: float  # what it misses alone
    row: int  # keeps its miss within the common share


def _fairly(search: Search, statements: list[Statement], own: dict[int, float], doing: str) -> Point | None:
    """Find lexicographically least relative misses; return the last point, with the shares held in bounds."""
    solver = search.solver
    largest = np.array([_largest(search, s) for s in statements])
    share = solver.add_columns(0.0, np.inf)[0]
    count, every = len(statements), np.arange(len(statements))
    asked = np.array([s.asked for s in statements])
    alones = np.array([own.get(id(s), 0.0) for s in statements])
    rows = solver.add_rows(joined([terms(every, largest, 1.0), terms(every, share, -asked)]), -np.inf, alones, count)
    free = [_Fair(s, int(c), float(a), int(r)) for s, c, a, r in zip(statements, largest, alones, rows, strict=True)]
    last: Point | None = None
    while free:
        least = _least(search, np.array([share]), np.ones(1), doing)
        if least is None:
            return last
        last, reached = least, float(least.values[share])
        if reached <= SAME:
            _hold(search, free, reached)
            break
        duals = solver.duals()[0] if not len(solver.integers) else None
        for one in free:  # nobody may fall behind what was reached
            most = one.own + one.statement.asked * reached + HELD
            solver.bound_columns(np.array([one.largest]), 0.0, most)
        stuck = [one for one in free if duals is not None and abs(duals[one.row]) * one.statement.asked > LOUD / 1e3]
        stuck = stuck or _stuck(search, free, reached, doing)
        solver.free_rows(np.array([one.row for one in stuck]))
        free = [one for one in free if one not in stuck]
    every_slack = np.concatenate([s.slacks for s in statements])
    total = np.concatenate([np.full(len(s.slacks), 1 / s.asked) for s in statements])
    return _least(search, every_slack, total, doing) or last


def _hold(search: Search, free: list[_Fair], reached: float) -> None:
    for one in free:
        most = one.own + one.statement.asked * reached + HELD
        search.solver.bound_columns(np.array([one.largest]), 0.0, most)


def _stuck(search: Search, free: list[_Fair], reached: float, doing: str) -> list[_Fair]:
    """Return whose miss cannot be less than what was reached, with everybody else's held.

    If the sum over some is least with each at its bound, then each of them is stuck. Where discrete steps leave
    nobody stuck alone, but somebody in turn, those are taken who are behind where the fewest are.
    """
    tried, fewest = free, free
    while True:
        weights = np.array([1 / one.statement.asked for one in tried])
        point = _least(search, np.array([one.largest for one in tried]), weights, doing)
        if point is None:
            return fewest
        behind = [one for one in free if _share(one, point) >= reached - 10 * HELD / one.statement.asked - SAME]
        fewest = behind if len(behind) < len(fewest) else fewest
        still = [one for one in tried if one in behind]
        if len(still) == len(tried):
            return still
        if not still:
            return fewest or free
        tried = still


def _share(one: _Fair, point: Point) -> float:
    return (float(point.values[one.largest]) - one.own) / one.statement.asked


def _largest(search: Search, statement: Statement) -> int:
    """Return a column that is at least each row's miss."""
    if len(statement.slacks) == 1:
        return int(statement.slacks[0])
    count = len(statement.slacks)
    column = search.solver.add_columns(0.0, np.inf)
    every = np.arange(count)
    block = joined([terms(every, statement.slacks, 1.0), terms(every, column[0], -1.0)])
    search.solver.add_rows(block, -np.inf, 0.0, count)
    return int(column[0])


def alone(program: Program, statement: Statement) -> float:
    """Return by how much a statement is missed when only its own devices' limits count, in units of slack."""
    problem = program.problem
    devices = scoped(problem, statement.constraint)
    names = {e.asset for e in devices}
    small = replace(
        problem,
        envelopes=tuple(devices),
        constraints=(statement.constraint,),
        connections=(),
        before={asset: power_w for asset, power_w in problem.before.items() if asset in names},
    )
    search = Search(build(small, room_wh=program.room_wh), Effort())
    (only,) = search.program.statements
    search.solver.bound_columns(only.slacks, 0.0, np.inf)
    point = search.whole(search.costs(np.array([_largest(search, only)])), "one statement alone")
    return misses(only, point) if point else 0.0

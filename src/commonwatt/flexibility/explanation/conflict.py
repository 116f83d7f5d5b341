"""Which statements conflict: a minimal set of them, none of which could be left out.

Source: QuickXplain, Junker, Preferred explanations and relaxations for over-constrained problems, 2004. A linear
program's dual tells first which statements play a part, so that only few are asked about.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from commonwatt.flexibility.effort import Effort
from commonwatt.flexibility.exact.program import build
from commonwatt.flexibility.exact.search import Search
from commonwatt.flexibility.exact.solve import solve
from commonwatt.flexibility.exact.statements import TOLD
from commonwatt.flexibility.explanation.hall import conflict_of_cars
from commonwatt.flexibility.problem import Problem, scoped
from commonwatt.model import AssetId, Constraint, Envelope, Quantity, Relation

PLAYS_A_PART = 1e-7
"""A dual above this."""
MISSED = 1e-6
"""A miss above this, in units of slack."""


def said_once(problem: Problem) -> Problem:
    """Return a problem without repetitions: a statement made twice conflicts with itself no more than one made once."""
    return replace(problem, constraints=tuple(dict.fromkeys(problem.constraints)))


def minimal_conflict(problem: Problem, request: Constraint | None = None) -> tuple[Constraint, ...]:
    """Return statements that cannot all be kept, of which any but one can; none where all of them can.

    Args:
        problem: What is asked; money plays no part.
        request: A statement that should be among them, where it is in any conflict at all.
    """
    problem = said_once(problem)
    small = about(problem, request)
    if not small.constraints:
        return ()
    found = conflict_of_cars(small, request)
    if found is not None:
        return found
    if request is not None:
        small = _without_others(small, request)
    suspects = _suspects(small, request)
    if suspects is None:
        return ()
    small = only(small, suspects)
    oracle = Oracle(small)
    if oracle.keeps(suspects):  # steps, not sums, are what conflicts: everything is suspect
        small = _without_others(about(problem, request), request) if request else about(problem, request)
        suspects, oracle = list(small.constraints), Oracle(small)
        if oracle.keeps(suspects):
            return ()
    first = [request] if request in suspects else []
    others = sorted((c for c in suspects if c != request), key=lambda c: c.priority)
    found_list = first + quick_xplain(others, lambda chosen: oracle.keeps(first + chosen), known=not first)
    if first and len(found_list) > 1 and not oracle.keeps(found_list[1:]):
        # The others conflict without it.
        found_list = quick_xplain(found_list[1:], oracle.keeps, known=True)
    return tuple(found_list)


def quick_xplain(
    items: Sequence[Constraint], keeps: Callable[[list[Constraint]], bool], *, known: bool
) -> list[Constraint]:
    """Return a minimal part of the items that cannot be kept; earlier ones are blamed last.

    Args:
        items: Statements that cannot be kept together.
        keeps: Tells whether some can.
        known: True where it is known that nothing is wrong without any of them.
    """

    def blame(background: list[Constraint], among: list[Constraint], *, ask: bool) -> list[Constraint]:
        if ask and not keeps(background):
            return []
        if len(among) <= 1:
            return among
        half = len(among) // 2
        second = blame(background + among[:half], among[half:], ask=True)
        first = blame(background + second, among[:half], ask=bool(second))
        return first + second

    return blame([], list(items), ask=not known)


class Oracle:
    """Tells whether some of a problem's statements can be kept together, with all devices' limits and steps."""

    def __init__(self, problem: Problem) -> None:
        self._search = Search(build(plain(problem)), Effort())
        self._slacks = {s.constraint: (s.slacks, TOLD / s.unit) for s in self._search.program.statements}
        self._discrete = bool(len(self._search.solver.integers)) or any(
            d.both is not None and len(d.both) for d in self._search.program.devices
        )

    def keeps(self, statements: Sequence[Constraint]) -> bool:
        """Tell whether these can all be kept, the others put aside."""
        search, chosen = self._search, set(statements)
        for constraint, (slacks, told) in self._slacks.items():
            search.solver.bound_columns(slacks, 0.0, told if constraint in chosen else np.inf)
        nothing = np.zeros(search.solver.width)
        if search.relaxed(nothing, "what conflicts") is None:
            return False
        return not self._discrete or search.whole(nothing + search.losses(1.0), "what conflicts") is not None


def about(problem: Problem, request: Constraint | None) -> Problem:
    """Return the part of a problem that a request can have to do with: statements that share devices, in chains."""
    if request is None:
        return only(problem, problem.constraints)
    names = {c: frozenset(e.asset for e in scoped(problem, c)) for c in dict.fromkeys(problem.constraints)}
    reached, new = set(names.get(request, ())), True
    chosen = {request}
    while new:
        more = [c for c in names if c not in chosen and not reached.isdisjoint(names[c])]
        new = bool(more)
        chosen.update(more)
        reached.update(*(names[c] for c in more))
    return only(problem, [c for c in problem.constraints if c in chosen])


def only(problem: Problem, statements: Sequence[Constraint]) -> Problem:
    """Return a problem with some statements only, and the devices that they are about or that could help them."""
    touched: dict[AssetId, list[Constraint]] = {}
    for constraint in statements:
        for envelope in scoped(problem, constraint):
            touched.setdefault(envelope.asset, []).append(constraint)
    needed = tuple(
        e for e in problem.envelopes if e.asset in touched and not (_idle(e) and all(map(_only_most, touched[e.asset])))
    )
    return replace(problem, envelopes=needed, constraints=tuple(statements), before={})


def plain(problem: Problem) -> Problem:
    """Return a problem without its money."""
    nothing = (0,) * problem.slots
    return replace(
        problem, import_price=nothing, export_price=nothing, connections=(), before={}, final_value_micro_per_kwh=0,
        own_use=False,
    )  # fmt: skip


def _idle(envelope: Envelope) -> bool:
    """Tell whether a device can stay at nothing and could give nothing: it plays no part where only a most is asked."""
    store = envelope.store
    if envelope.shift or any(lo != 0 for lo in envelope.lo_w) or min(envelope.hi_w) < 0 or envelope.running > 0:
        return False
    if store is None:
        return True
    rests = not any(store.inflow_wh) and store.keep_ppm == 10**6
    return rests and max(store.level_min_wh) <= store.level_now_wh <= min(store.level_max_wh)


def _only_most(constraint: Constraint) -> bool:
    return constraint.relation is Relation.AT_MOST and constraint.quantity in {Quantity.POWER, Quantity.ENERGY}


def _without_others(problem: Problem, request: Constraint) -> Problem:
    """Leave out statements that could not be kept without the request either: they are no part of why it cannot."""
    others = [c for c in problem.constraints if c != request]
    if not others or Oracle(replace(problem, constraints=tuple(others))).keeps(others):
        return problem
    unmet = {unmet.constraint for unmet in solve(plain(replace(problem, constraints=tuple(others)))).unmet}
    return only(problem, [c for c in problem.constraints if c not in unmet])


def _suspects(problem: Problem, request: Constraint | None) -> list[Constraint] | None:
    """Return statements that cannot be kept together by the sums alone, or all; None where there is none to suspect.

    The least miss of the request with all else kept, or the least sum of all misses: by duality, statements whose
    rows have no dual there play no part in it.
    """
    search = Search(build(plain(problem)), Effort())
    solver, statements = search.solver, search.program.statements
    if not statements:
        return None
    asked = [s for s in statements if s.constraint == request]
    for elastic in (asked, statements) if asked else (statements,):
        columns = np.concatenate([s.slacks for s in elastic])
        weights = np.concatenate([np.full(len(s.slacks), 1 / s.asked) for s in elastic])
        solver.bound_columns(columns, 0.0, np.inf)
        point = search.relaxed(search.costs(columns, weights), "who conflicts")
        if point is None:
            continue
        if point.objective <= MISSED:
            break
        duals, _ = solver.duals()
        return [s.constraint for s in statements if np.max(np.abs(duals[s.rows])) > PLAYS_A_PART]
    return [s.constraint for s in statements]

"""What would cure a conflict: the smallest change of one statement alone, and of all together, each tried out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from commonwatt.flexibility.effort import Effort
from commonwatt.flexibility.exact.matrix import Values, joined, terms
from commonwatt.flexibility.exact.program import build
from commonwatt.flexibility.exact.search import Search
from commonwatt.flexibility.exact.statements import Statement, window
from commonwatt.flexibility.explanation.conflict import Oracle, about, only, plain
from commonwatt.flexibility.explanation.hall import conflict_of_cars
from commonwatt.flexibility.problem import Problem, scoped
from commonwatt.model import (
    AT_AN_INSTANT,
    SLOT,
    Constraint,
    Envelope,
    Interval,
    InvalidValue,
    Priority,
    Quantity,
    Relation,
)

TRIED = 8
"""Statements of a conflict whose cures are worked out: the first, which was asked about, then limits, then needs."""
EACH_SLOT = frozenset({Quantity.POWER, Quantity.RESERVE_UP, Quantity.RESERVE_DOWN})
"""Bounds that can give way in some slots only."""
LARGE = 1e-6
"""A miss above this, in units of slack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What would be said instead of a statement.

    Args:
        statement: What was said.
        instead: Statements in its place: itself with another value or instant, or cut in pieces around a raised part.
        stays: True where the devices that it is about would have to stay for it to help.
    """

    statement: Constraint
    instead: tuple[Constraint, ...]
    stays: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cure:
    """Changes that together make everything else possible: tried out.

    Args:
        changes: One, or one for each statement that gives way a little.
        share: The largest relative change: what cures are ranked by.
    """

    changes: tuple[Change, ...]
    share: float


def cures(problem: Problem, conflict: Sequence[Constraint], kept: Sequence[Constraint]) -> list[Cure]:
    """Return changes that cure a conflict, smallest first.

    Args:
        problem: What is asked.
        conflict: Statements that cannot all be kept, as `conflict.minimal_conflict` finds them.
        kept: Other statements that must go on to hold.
    """
    together = list(dict.fromkeys((*conflict, *kept)))
    base = about(replace(problem, constraints=tuple(together)), conflict[0])
    first, *others = conflict
    others.sort(key=lambda statement: statement.priority == Priority.OWNER)
    found = [cure for statement in [first, *others][:TRIED] for cure in _single(base, statement)]
    if len(conflict) > 1:
        found += _joint(base, [first, *others][:TRIED])
    return sorted(found, key=lambda cure: cure.share)


def works(problem: Problem, changes: Sequence[Change]) -> bool:
    """Tell whether everything can be kept once some statements are changed."""
    instead = {change.statement: change.instead for change in changes}
    told = [one for c in problem.constraints for one in instead.get(c, (c,))]
    envelopes = problem.envelopes
    for change in changes:
        if change.stays:
            until = int(window(problem, change.instead[0])[0]) + 1
            names = {e.asset for e in scoped(problem, change.statement)}
            envelopes = tuple(staying(e, until) if e.asset in names else e for e in envelopes)
    changed = replace(problem, envelopes=envelopes, constraints=tuple(dict.fromkeys(told)))
    small = only(changed, changed.constraints)
    as_cars = conflict_of_cars(small, None)
    return Oracle(small).keeps(small.constraints) if as_cars is None else not as_cars


def staying(envelope: Envelope, until: int) -> Envelope:
    """Return a device that stays until a slot: as it could be used last, so it can be used on."""
    free = [slot for slot, (lo, hi) in enumerate(zip(envelope.lo_w, envelope.hi_w, strict=True)) if lo or hi]
    if not free or free[-1] + 1 >= until:
        return envelope
    last = free[-1]

    def on(values: tuple[int, ...]) -> tuple[int, ...]:
        return values[: last + 1] + (values[last],) * (until - last - 1) + values[until:]

    store = envelope.store
    if store is not None:
        lowest, most = on(store.level_min_wh), on(store.level_max_wh)
        # Afterwards it may hold what it was filled with meanwhile.
        most = most[:until] + tuple(max(value, most[until - 1]) for value in most[until:])
        store = replace(store, level_min_wh=lowest, level_max_wh=most)
    return replace(envelope, lo_w=on(envelope.lo_w), hi_w=on(envelope.hi_w), store=store)


def _single(problem: Problem, statement: Constraint) -> list[Cure]:
    found = []
    asked, misses = _misses(problem, [statement])
    if misses is not None:
        change = _given_way(problem, asked[0], misses[0])
        if change is not None and works(problem, [change]):
            found.append(Cure(changes=(change,), share=float(np.max(misses[0])) / asked[0].asked))
    later = _later(problem, statement)
    if later is not None:
        found.append(later)
    return found


def _joint(problem: Problem, conflict: Sequence[Constraint]) -> list[Cure]:
    asked, misses = _misses(problem, conflict)
    if misses is None:
        return []
    changes, share = [], 0.0
    for one, missed in zip(asked, misses, strict=True):
        if np.max(missed) <= LARGE:
            continue
        change = _given_way(problem, one, missed)
        if change is None:
            return []
        changes.append(change)
        share = max(share, float(np.max(missed)) / one.asked)
    if len(changes) < 2 or not works(problem, changes):
        return []
    return [Cure(changes=tuple(changes), share=share)]


def _misses(problem: Problem, elastic: Sequence[Constraint]) -> tuple[list[Statement], list[Values] | None]:
    """Return by how much statements must be missed, row by row, so that all others are kept; None where it is no use.

    The largest relative miss is made least, then their sum.
    """
    search = Search(build(plain(problem)), Effort())
    solver = search.solver
    asked = [s for c in elastic for s in search.program.statements if s.constraint == c]
    if len(asked) != len(elastic):
        return asked, None
    columns = np.concatenate([s.slacks for s in asked])
    shares = np.concatenate([np.full(len(s.slacks), s.asked) for s in asked])
    solver.bound_columns(columns, 0.0, np.inf)
    worst = solver.add_columns(0.0, np.inf)
    every = np.arange(len(columns))
    block = joined([terms(every, columns, 1.0), terms(every, worst[0], -shares)])
    solver.add_rows(block, -np.inf, 0.0, len(columns))
    least = search.whole(search.costs(worst) + search.losses(1e-6), "cures")
    if least is None:
        return asked, None
    solver.bound_columns(worst, 0.0, float(least.values[worst[0]]) * (1 + 1e-7) + 1e-9)
    point = search.whole(search.costs(columns, 1 / shares) + search.losses(1e-6), "cures") or least
    return asked, [np.maximum(point.values[s.slacks], 0.0) for s in asked]


def _given_way(problem: Problem, statement: Statement, missed: Values) -> Change | None:
    """Return a statement with the value that is possible, in whole units, and only where and when it must give way."""
    said = statement.constraint
    by = math.ceil(float(np.max(missed)) * statement.unit - 1e-6)
    value = said.value - by if said.relation is Relation.AT_LEAST else said.value + by
    try:
        changed = replace(said, value=value)
    except InvalidValue:  # less than nothing is no statement
        return None
    slots = window(problem, said)
    if said.window is None or said.quantity not in EACH_SLOT:
        return Change(statement=said, instead=(changed,))
    needed = np.flatnonzero(missed > LARGE)
    first, last = problem.slot(int(slots[needed[0]])).start, problem.slot(int(slots[needed[-1]])).end
    pieces = []
    if said.window.start < first:
        pieces.append(replace(said, window=Interval(said.window.start, first)))
    start, end = max(first, said.window.start), min(last, said.window.end)
    pieces.append(replace(changed, window=Interval(start, end)))
    if last < said.window.end:
        pieces.append(replace(said, window=Interval(last, said.window.end)))
    # What was changed comes first.
    pieces.sort(key=lambda piece: piece.value == said.value)
    return Change(statement=said, instead=tuple(pieces))


def _later(problem: Problem, statement: Constraint) -> Cure | None:
    """Return the earliest later instant at which a wanted level can be reached, its devices staying that long."""
    if statement.quantity not in AT_AN_INSTANT or statement.relation is Relation.AT_MOST:
        return None
    at = window(problem, statement)
    if not len(at):
        return None

    def moved(slot: int) -> Change:
        instead = replace(statement, at=problem.start + (slot + 1) * SLOT)
        return Change(statement=statement, instead=(instead,), stays=True)

    low, high = int(at[0]), problem.slots - 1
    if low == high or not works(problem, [moved(high)]):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if works(problem, [moved(middle)]) else (middle, high)
    ahead = (problem.start + (high + 1) * SLOT - problem.start).total_seconds()
    waited = (high - int(at[0])) * SLOT.total_seconds()
    return Cure(changes=(moved(high),), share=waited / ahead)

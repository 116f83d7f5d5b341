"""Why not everything can be kept, in sentences: which statements conflict, whose they are, and what would cure it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from commonwatt.flexibility.exact.solve import solve
from commonwatt.flexibility.explanation.conflict import minimal_conflict, plain, said_once
from commonwatt.flexibility.explanation.cures import Change, Cure, cures
from commonwatt.flexibility.language import text
from commonwatt.flexibility.problem import Problem
from commonwatt.model import (
    AssetId,
    Constraint,
    Envelope,
    Interval,
    Quantity,
    Reach,
    Relation,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Statements that cannot all be kept, of which any but one can, and what would cure it.

    Args:
        conflict: The statements, the request first where there was one.
        cures: Changes, each tried out, smallest first.
    """

    conflict: tuple[Constraint, ...]
    cures: tuple[Cure, ...] = ()

    def sentences(self, clock: ZoneInfo) -> list[str]:
        """Return it in words: one line for the conflict's head, one per statement, one per cure.

        Args:
            clock: In which times are told.
        """
        told = [f"{len(self.conflict)} statements cannot all be kept; any one less would do:"]
        if len(self.conflict) == 1:
            told = ["one statement cannot be kept by itself:"]
        told += [f"  {_said(statement, clock)}" for statement in self.conflict]
        return told + [f"  cure: {in_words(cure, clock)}" for cure in self.cures]


def explain(problem: Problem, request: Constraint | None = None, *, with_cures: bool = True) -> Explanation | None:
    """Return why not all statements of a problem can be kept; None where they can.

    Args:
        problem: What is asked.
        request: The statement that is asked about; None for any conflict.
        with_cures: False to leave the cures out, which take longer than the conflict.

    Source: Junker 2004 for the minimal set; see `conflict`.
    """
    problem = said_once(problem)
    conflict = minimal_conflict(problem, request)
    if not conflict:
        return None
    if request in conflict:
        conflict = (request, *(c for c in conflict if c != request))
    found: Sequence[Cure] = ()
    if with_cures:
        found = cures(problem, conflict, _kept(problem, conflict))
    return Explanation(conflict=conflict, cures=tuple(found))


def explain_one(
    envelope: Envelope,
    stated: Sequence[Constraint],
    rest_w: Sequence[tuple[Constraint, tuple[int, ...]]],
    interval: Interval,
    *,
    with_cures: bool = True,
) -> Explanation | None:
    """Return why one asset's statements cannot be kept with all others' plans in place; never looks at the others.

    Args:
        envelope: The asset.
        stated: Its own statements.
        rest_w: Limits on power or energy that it shares, each with what the others draw within its scope, n values, W.
        interval: The first slot.
        with_cures: As for `explain`.
    """
    slots = len(envelope.lo_w)
    names = [AssetId(f"all others under limit {number}") for number in range(len(rest_w))]
    others = [
        Envelope(asset=name, zone="", lo_w=power_w, hi_w=power_w)
        for name, (_, power_w) in zip(names, rest_w, strict=True)
    ]
    limits = {
        replace(limit, reach=Reach.ASSET, scope=(envelope.asset, name)): limit
        for name, (limit, _) in zip(names, rest_w, strict=True)
    }
    nothing = (0,) * slots
    small = Problem(
        start=interval.start,
        envelopes=(envelope, *others),
        import_price=nothing,
        export_price=nothing,
        constraints=(*stated, *limits),
        own_use=False,
    )
    found = explain(small, with_cures=with_cures)
    if found is None:
        return None

    def named(constraint: Constraint) -> Constraint:
        limit = next((limits[c] for c in limits if c.scope == constraint.scope), None)
        return replace(constraint, reach=limit.reach, scope=limit.scope) if limit else constraint

    return Explanation(
        conflict=tuple(named(c) for c in found.conflict),
        cures=tuple(
            replace(
                cure,
                changes=tuple(
                    replace(change, statement=named(change.statement), instead=tuple(map(named, change.instead)))
                    for change in cure.changes
                ),
            )
            for cure in found.cures
        ),
    )


def in_words(cure: Cure, clock: ZoneInfo) -> str:
    """Return a cure as half a sentence: "leave at 08:10 instead of 07:30"."""
    return " and ".join(_change(change, clock) for change in cure.changes)


def _change(change: Change, clock: ZoneInfo) -> str:
    said, new = change.statement, change.instead[0]
    whose = f"{said.author}: " if said.author else ""
    name = ", ".join(said.scope) or "the community"
    if said.at is not None and new.at is not None and new.at != said.at:
        before, after = (moment.astimezone(clock) for moment in (said.at, new.at))
        day = "" if before.date() == after.date() else f" on {after.day} {after:%B}"
        return f"{whose}{name} leaves at {after:%H:%M}{day} instead of {before:%H:%M}"
    if said.at is not None:
        verb = "accept" if said.relation is Relation.AT_LEAST else "allow"
        wanted, possible = (in_unit(one.quantity, one.value) for one in (said, new))
        return f"{whose}{verb} {possible} instead of {wanted} for {name}"
    assert new.window is not None
    start, end = (moment.astimezone(clock) for moment in (new.window.start, new.window.end))
    until = "24:00" if end.time() == end.min.time() and end - start <= timedelta(days=1) else f"{end:%H:%M}"
    moved = in_unit(said.quantity, abs(new.value - said.value))
    verb = "raise" if new.value > said.value else "lower"
    return f"{whose}{verb} the bound on {said.quantity} of {_place(said)} by {moved} from {start:%H:%M} to {until}"


def _said(statement: Constraint, clock: ZoneInfo) -> str:
    author = statement.author or "nobody in particular"
    return f"{author} ({statement.priority.name.lower()}): {text(statement, clock)}"


def _place(statement: Constraint) -> str:
    if statement.reach is Reach.COMMUNITY:
        return "the community"
    names = ", ".join(statement.scope)
    return names if statement.reach is Reach.ASSET else f"{statement.reach} {names}"


def in_unit(quantity: Quantity, value: float) -> str:
    """Return an amount of a quantity as people read it."""
    match quantity:
        case Quantity.CHARGE:
            return f"{value:g} %"
        case Quantity.BATTERY | Quantity.ENERGY:
            return f"{value / 1000:g} kWh" if abs(value) >= 1000 else f"{value:g} Wh"
        case Quantity.TEMPERATURE:
            return f"{value / 1000:g} degrees"
        case Quantity.RUN_TIME:
            return f"{value:g} minutes"
        case Quantity.CYCLES:
            return f"{value / 1000:g} cycles"
    return f"{value / 1000:g} kW" if abs(value) >= 1000 else f"{value:g} W"


def _kept(problem: Problem, conflict: Sequence[Constraint]) -> list[Constraint]:
    """Return which statements beside a conflict a plan keeps: cures must go on to keep them."""
    unmet = {unmet.constraint for unmet in solve(plain(problem)).unmet}
    return [c for c in problem.constraints if c not in conflict and c not in unmet]

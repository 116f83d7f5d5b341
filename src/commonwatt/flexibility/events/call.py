"""An event: what it asks to be held ready beforehand, what it asks for when it is called, and how both are answered."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from commonwatt.flexibility.effort import Effort
from commonwatt.flexibility.events.ready import Ready
from commonwatt.flexibility.plan import plan as plan_anew
from commonwatt.flexibility.problem import Plan, Problem, scoped
from commonwatt.model import (
    AssetId,
    Constraint,
    Envelope,
    Interval,
    InvalidValue,
    Priority,
    Quantity,
    Reach,
    Relation,
    share_wh,
)


class EventKind(StrEnum):
    """What is called for."""

    DEMAND = "DEMAND"
    """Supply is wanted: the community is to send out at least so much (row H6)."""
    RESPONSE = "demand response"
    """So much less (below zero: more) is to be drawn than was planned."""
    FREQUENCY = "fast frequency response"
    """So much is to change within seconds, and is held ready from its announcement on (row X5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A call of the grid.

    Args:
        kind: What is called for.
        announced: When it became known.
        window: When it is due.
        power_w: What is asked for: sent out for DEMAND, changed for the others; above zero less is drawn or more
            supplied, below zero more is drawn.
        reach: Whose power is meant; the community where nothing is said.
        scope: Names, as in `Constraint`.
        priority: Whose word it is.
        author: Account of who calls.
    """

    kind: EventKind
    announced: datetime
    window: Interval
    power_w: int
    reach: Reach = Reach.COMMUNITY
    scope: tuple[str, ...] = ()
    priority: Priority = Priority.GRID
    author: str = ""

    def __post_init__(self) -> None:
        if self.announced > self.window.start:
            raise InvalidValue(f"an event is announced before it is due, was at {self.announced} for {self.window}")
        if self.power_w == 0 or (self.kind is EventKind.DEMAND and self.power_w < 0):
            raise InvalidValue(f"an event asks for some power, DEMAND for supply, was {self.power_w} W")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a called event.

    Args:
        plan: The plan from the event's start on.
        asked_w: Per slot of the window, the most that the scope may exchange, W, import positive (least for down).
        given_w: Per slot of the window, what it exchanges by the plan.
        met: Whether every slot gives what is asked.
    """

    plan: Plan
    asked_w: tuple[int, ...]
    given_w: tuple[int, ...]
    met: bool


def held(event: Event) -> Constraint:
    """Return the statement that holds an event's power ready from now on: planned so, it is there when it is called."""
    up = event.power_w > 0
    return _stated(event, Quantity.RESERVE_UP if up else Quantity.RESERVE_DOWN, Relation.AT_LEAST, abs(event.power_w))


def called(event: Event, planned_w: Sequence[int], problem: Problem) -> tuple[Constraint, ...]:
    """Return the statements that an event makes once it is called, one per slot of its window.

    Args:
        event: What is called.
        planned_w: n values in W: what its scope would have exchanged, the baseline of a response.
        problem: For its slots.
    """
    up = event.power_w > 0
    relation = Relation.AT_MOST if up else Relation.AT_LEAST
    return tuple(
        replace(
            _stated(event, Quantity.POWER, relation, _asked_w(event, planned_w[slot])),
            window=problem.slot(slot),
        )
        for slot in range(problem.slots)
        if event.window.overlaps(problem.slot(slot))
    )


def at_once(event: Event, now: Ready, slot: int) -> dict[AssetId, int] | None:
    """Split an event among those who are ready, by what each has ready: who changes by how many W, without a search.

    Returns:
        Changes in W by asset, in the direction of the event; None where more is asked for than is ready.
    """
    if not now.can_give(slot, event.power_w):
        return None
    of = now.up_of if event.power_w > 0 else now.down_of
    rooms = {asset: own[slot] for asset, own in of.items() if own[slot] > 0}
    shares = share_wh(abs(event.power_w), list(rooms.values()))
    return {asset: share for asset, share in zip(rooms, shares, strict=True) if share}


def answer(problem: Problem, before: Plan, event: Event, effort: Effort | None = None) -> Answer:
    """Plan again under a called event, from the first slot on.

    Args:
        problem: What was planned; its first slot is the one in which the event becomes known, or later.
        before: The plan that runs: what a response is measured against.
        event: What is called.
        effort: For the plan.
    """
    about = scoped(problem, _stated(event, Quantity.POWER, Relation.AT_MOST, 0))
    planned = _exchange_w(about, before, problem.slots)
    calls = called(event, planned, problem)
    anew = replace(problem, constraints=(*problem.constraints, *calls))
    found = plan_anew(anew, effort) if effort else plan_anew(anew)
    given = _exchange_w(about, found, problem.slots)
    slots = [slot for slot in range(problem.slots) if event.window.overlaps(problem.slot(slot))]
    missed = {unmet.constraint for unmet in found.unmet}
    return Answer(
        plan=found,
        asked_w=tuple(call.value for call in calls),
        given_w=tuple(given[slot] for slot in slots),
        met=not missed & set(calls),
    )


def _asked_w(event: Event, planned_w: int) -> int:
    return -event.power_w if event.kind is EventKind.DEMAND else planned_w - event.power_w


def _exchange_w(about: Sequence[Envelope], plan: Plan, slots: int) -> list[int]:
    total = [0] * slots
    for envelope in about:
        own = plan.power_w.get(envelope.asset, envelope.lo_w)
        total = [sum_w + watts for sum_w, watts in zip(total, own, strict=True)]
    return total


def _stated(event: Event, quantity: Quantity, relation: Relation, value: int) -> Constraint:
    return Constraint(
        quantity=quantity,
        reach=event.reach,
        scope=event.scope,
        relation=relation,
        value=value,
        window=event.window,
        priority=event.priority,
        author=event.author,
    )

"""Plan a street ahead, on paper: under statements in words, with what conflicts and why, and under an event."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from commonwatt.apps.consenting import minute
from commonwatt.apps.scenes import Scene
from commonwatt.apps.wiring import paper_day
from commonwatt.flexibility import language
from commonwatt.flexibility.diary import schedules
from commonwatt.flexibility.effort import Effort
from commonwatt.flexibility.events.call import Event, EventKind, answer, at_once
from commonwatt.flexibility.events.ready import ready
from commonwatt.flexibility.explanation.explain import explain
from commonwatt.flexibility.explanation.why import why
from commonwatt.flexibility.instructions.form import write
from commonwatt.flexibility.plan import Engine
from commonwatt.flexibility.problem import Plan, Problem, Unmet
from commonwatt.flows.constraint_to_command import HORIZON, plan_ahead
from commonwatt.flows.outlook import homes, outlook
from commonwatt.flows.rulebook import State
from commonwatt.model import (
    SLOT,
    SLOT_SECONDS,
    AssetId,
    AssetKind,
    Constraint,
    Instruction,
    Interval,
    InvalidValue,
    Quantity,
    Reach,
    Refused,
    Repeating,
    Schedule,
    epoch,
)

_SHORT_BY = {
    Quantity.CHARGE: ("%", 1),
    **dict.fromkeys((Quantity.POWER, Quantity.RAMP, Quantity.RESERVE_UP, Quantity.RESERVE_DOWN), ("W", 1)),
    Quantity.TEMPERATURE: ("C", 1000),
    Quantity.RUN_TIME: ("min", 1),
    Quantity.CYCLES: ("", 1000),
}
"""In which unit a shortfall is told, and how many of what `Quantity` counts in make one."""


MINUTES_PER_DAY = 1440
WHOLE = Effort(gap=1e-3, nodes=2_000)
"""What is handed over whole keeps every device's steps to its end, and is not made again in a quarter of an hour."""


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One diary entry of a plan, in the street's clock."""

    asset: str
    start: str
    end: str
    verb: str
    power_w: int
    expected_wh: int
    reason: str


class Foreseen(msgspec.Struct, frozen=True, kw_only=True):
    """A plan under statements: what was read, what would be done, what cannot be kept, and why.

    Args:
        statements: As they were understood.
        diary: What each asset would do.
        unmet: What cannot be kept, and by how much.
        conflict: Which statements cannot be kept together, whose they are, and what would cure it.
        why: Answers to what was asked about single slots.
        engine: Which engine planned.
        gap_percent: How far the cost is above the best at most.
    """

    statements: list[str]
    diary: list[Planned]
    unmet: list[str]
    conflict: list[str]
    why: list[str]
    engine: str
    gap_percent: float


class Called(msgspec.Struct, frozen=True, kw_only=True):
    """What an event would meet: what is ready, who moves at once, and the plan anew; powers in W, import positive.

    Args:
        ready_up_w, ready_down_w: What can be given at once in the event's first slot, under the plan before it.
        guaranteed: Whether what is asked is ready.
        at_once_w: Who changes by how much within seconds; nothing where it is not ready.
        planned_w: Per slot of the event, the exchange before it.
        asked_w: Per slot, the bound that the event sets.
        given_w: Per slot, the exchange by the plan anew.
        met: Whether every slot gives what is asked.
        costs_micro: What the event costs by the plan, without any reward.
    """

    ready_up_w: int
    ready_down_w: int
    guaranteed: bool
    at_once_w: dict[str, int]
    planned_w: list[int]
    asked_w: list[int]
    given_w: list[int]
    met: bool
    costs_micro: int


class _Scene:
    """A street at an instant of its day, lived on paper up to then: levels and plugged cars are real."""

    def __init__(self, stage: Scene, at: str) -> None:
        self.clock = stage.street.clock
        self.moment = _moment(stage, at)
        day = paper_day(stage)
        for done_s in day.run():
            if done_s + SLOT_SECONDS >= epoch(self.moment):
                break
        self.state, self.terms = day.sequencer.state, day.terms
        self.known = outlook(self.state, self.terms, epoch(self.moment))

    @property
    def ahead(self) -> Interval:
        """Return what a plan made now is about."""
        return Interval(self.known.now, self.known.now + HORIZON * SLOT)

    def plan(self, stated: tuple[Constraint, ...], engine: Engine) -> tuple[Plan, Problem]:
        """Plan under these statements alone."""
        return plan_ahead(replace(self.known, constraints=stated, end=None), engine, WHOLE)

    def told(self, plan: Plan, problem: Problem) -> list[Schedule]:
        """Return a plan as schedules with reasons."""
        behind = {a[AssetKind.BATTERY].id: [x.id for x in a.values()] for a in homes(self.state, self.terms).values()}
        return schedules(plan, problem, behind, {}, self.clock)


def plan_statements(
    stage: Scene,
    text: str,
    at: str,
    *,
    engine: Engine = Engine.AUTO,
    asks: Sequence[str] = (),
    into: Path | None = None,
) -> Foreseen:
    """Plan a street's next 24 hours from a time of its day under the statements of a text.

    The street lives on paper up to that time; the owners' own statements of that day are replaced by the text's.

    Args:
        stage: What to replay.
        text: One statement a line; # starts a comment.
        at: Time of day from which to plan.
        engine: Who plans.
        asks: Slots to explain, ``car-01@02:15`` each.
        into: Folder for the schedules in the open format, one file per asset.

    Raises:
        Refused: A line is not in the language, or a slot is not in the plan; says which.
        InvalidValue: The time is not one of the day's quarter-hours.
    """
    scene = _Scene(stage, at)
    clock = scene.clock
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    names = _names(scene.state)
    asked = [one for line in lines if line for one in _asked(line, scene.moment, clock, names)]
    ahead = scene.ahead
    stated = tuple(each for one in asked for each in (one.occurrences(ahead) if isinstance(one, Repeating) else [one]))
    plan, problem = scene.plan(stated, engine)
    told = scene.told(plan, problem)
    if into is not None:
        _hand_over(told, into)
    found = [item for item in plan.unmet if item.constraint in stated]
    conflict = explain(replace(problem, constraints=stated)) if found else None
    return Foreseen(
        statements=[language.text(one, clock) for one in asked],
        diary=[_planned(schedule, clock) for one in told for schedule in _entries(one)],
        unmet=[*_not_now(scene, asked, stated), *(_in_words(clock, item) for item in found)],
        conflict=conflict.sentences(clock) if conflict else [],
        why=[_why(problem, plan, ask, clock) for ask in asks],
        engine=plan.engine,
        gap_percent=round(100 * plan.gap, 4),
    )


def call_event(stage: Scene, at: str, kind: EventKind, power_w: int, window: tuple[str, str]) -> Called:
    """Say what a street would answer to an event that becomes known at a time of its day.

    Args:
        stage: What to replay.
        at: When the event becomes known.
        kind: What is called for.
        power_w: How much; see `commonwatt.flexibility.events.call.Event`.
        window: From when to when, as times of day.

    Raises:
        InvalidValue: A time is not one of the day's quarter-hours, or the event asks for nothing.
    """
    scene = _Scene(stage, at)
    start, end = (_moment(stage, clock) for clock in window)
    plan, problem = scene.plan(scene.known.constraints, Engine.AUTO)
    event = Event(
        kind=kind,
        announced=scene.moment,
        window=Interval(start.astimezone(UTC), end.astimezone(UTC)),
        power_w=power_w,
    )
    first = int((start - scene.moment) / SLOT)
    if not 0 <= first < problem.slots:
        raise InvalidValue(f"an event begins within the day that is planned, was {window[0]} at {at}")
    now = ready(problem, plan)
    moves = at_once(event, now, first)
    found = answer(problem, plan, event, WHOLE)
    slots = range(first, first + len(found.asked_w))
    return Called(
        ready_up_w=now.up_w[first],
        ready_down_w=now.down_w[first],
        guaranteed=moves is not None,
        at_once_w={str(asset): watts for asset, watts in (moves or {}).items()},
        planned_w=[plan.exchange_w[slot] for slot in slots],
        asked_w=list(found.asked_w),
        given_w=list(found.given_w),
        met=found.met,
        costs_micro=found.plan.cost_micro - plan.cost_micro,
    )


def _moment(stage: Scene, at: str) -> datetime:
    """Return a time of the replayed day, which may run past midnight."""
    moment = datetime.combine(stage.street.day, _time(at), stage.street.clock)
    if moment < stage.street.span.start:
        moment += timedelta(days=1)
    if epoch(moment) % SLOT_SECONDS:
        raise InvalidValue(f"a plan starts on a quarter of an hour, was {at}")
    return moment


def _planned(entry: tuple[AssetId, Instruction], clock: ZoneInfo) -> Planned:
    asset, told = entry
    return Planned(
        asset=asset,
        start=f"{told.interval.start.astimezone(clock):%H:%M}",
        end=f"{told.interval.end.astimezone(clock):%H:%M}",
        verb=told.verb.value,
        power_w=told.power_w,
        expected_wh=told.expected_wh,
        reason=told.reason,
    )


def _entries(schedule: Schedule) -> list[tuple[AssetId, Instruction]]:
    return [(schedule.asset, entry) for entry in schedule.instructions]


def _hand_over(told: Sequence[Schedule], into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    for schedule in told:
        (into / f"{schedule.asset}.json").write_bytes(write(schedule))


def _why(problem: Problem, plan: Plan, ask: str, clock: ZoneInfo) -> str:
    name, at, hour = ask.partition("@")
    asset = AssetId(name)
    if not at or asset not in plan.power_w:
        raise Refused("a slot is asked for as asset@time", asked=repr(ask), planned=", ".join(sorted(plan.power_w)))
    moment = _time(hour)
    for slot in range(problem.slots):
        if (problem.start + slot * SLOT).astimezone(clock).time() == moment:
            return why(problem, plan, asset, slot, clock)
    raise Refused("a slot begins on a quarter of an hour", asked=repr(ask))


def _not_now(scene: _Scene, asked: Sequence[language.Statement], stated: Sequence[Constraint]) -> list[str]:
    """Return what a plan made now says nothing about: cars that are away, and what lies outside its day."""
    clock, ahead, at = scene.clock, scene.ahead, f"{scene.moment:%H:%M}"
    here = {str(item.asset.id) for item in scene.known.stored}
    away = [s for s in stated if s.at and s.reach is Reach.ASSET and not here & {*s.scope}]
    late = [s for s in stated if (s.at and s.at > ahead.end) or (s.window and s.window.start >= ahead.end)]
    past = [s for s in stated if (s.at and s.at <= ahead.start) or (s.window and s.window.end <= ahead.start)]
    never = [one for one in asked if isinstance(one, Repeating) and not one.occurrences(ahead)]
    return [
        *(f"{language.text(s, clock)}: not plugged in at {at}" for s in away),
        *(f"{language.text(s, clock)}: lies beyond the 24 hours that are planned" for s in late),
        *(f"{language.text(s, clock)}: lies before {at}" for s in past),
        *(f"{language.text(one, clock)}: does not come in the 24 hours that are planned" for one in never),
    ]


def _asked(line: str, moment: datetime, clock: ZoneInfo, names: language.Names) -> tuple[language.Statement, ...]:
    said = language.read(line, moment, clock, names)
    if said.no_longer:
        raise Refused("a plan is asked for with what holds; leave out what no longer does", line=repr(line))
    return said.statements


def _names(state: State) -> language.Names:
    """Return what a statement may name in a street."""
    assets = state.assets.values()
    return {
        Reach.ASSET: [asset.id for asset in assets],
        Reach.OWNER: sorted({asset.owner for asset in assets}),
        Reach.CONNECTION: [asset.id for asset in assets if asset.kind is AssetKind.CONNECTION],
        Reach.ZONE: sorted({asset.zone for asset in assets}),
        Reach.FEEDER: [asset.id for asset in assets if asset.kind is AssetKind.FEEDER],
    }


def _time(at: str) -> time:
    minutes = minute(at)
    if minutes == MINUTES_PER_DAY:
        raise InvalidValue(f"a time of day is before 24:00, was {at!r}")
    return time(minutes // 60, minutes % 60)


def _in_words(clock: ZoneInfo, item: Unmet) -> str:
    unit, per = _SHORT_BY.get(item.constraint.quantity, ("Wh", 1))
    return f"{language.text(item.constraint, clock)}: short by {item.by / per:g} {unit}".rstrip()

"""The story of a day: plan, tell, live, measure, settle, slot after slot, each step durable before the next."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from commonwatt.flexibility.diary import in_force, line_w, schedules
from commonwatt.flexibility.dispatch import command, consented_limits, own_limits
from commonwatt.flexibility.plan import Engine
from commonwatt.flexibility.problem import Plan, Problem, Unmet
from commonwatt.flows.agents import acts
from commonwatt.flows.agreement import allowed
from commonwatt.flows.cautions import cautious
from commonwatt.flows.constraint_to_command import Outlook, plan_ahead
from commonwatt.flows.desk import Desk
from commonwatt.flows.onboard import OPERATOR, Cast, Charter, onboard
from commonwatt.flows.outlook import Terms, homes, outlook
from commonwatt.flows.ports import Feeds, Gateways, People
from commonwatt.flows.rulebook import State, bodies
from commonwatt.flows.rulebook.flexibility.consenting import last_level_wh, told_now, waiting
from commonwatt.flows.rulebook.market import order_bodies
from commonwatt.flows.sequence import Sequencer
from commonwatt.flows.slot_wishes import slot_wishes
from commonwatt.ledger.checkpoint import sign_note
from commonwatt.model import (
    GRID,
    SLOT_SECONDS,
    AccountId,
    AssetId,
    AssetKind,
    Command,
    Kind,
    Refused,
    Schedule,
    epoch,
    slot_from,
    slots_of,
)

PLANNED_AFTER_S = 30
"""Readings of the slot before are in at its end; half a minute later the plan is told."""
PHASES = ("heard", "planned", "lived", "traded", "closed")

Work = Generator[Callable[[], Any], Any, None]
"""A step in the making: yields what takes long and touches no state, is sent what came of it, and goes on."""


@dataclass(slots=True)
class Watched:
    """What an onlooker may want of a day beyond its log: how long plans took, and what they could not meet."""

    plan_s: list[float] = field(default_factory=list)
    unmet: dict[int, tuple[Unmet, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One phase of one slot: when it is due in the log's time, whether the log holds it already, and its work."""

    slot_s: int
    name: str
    due_s: int
    done: bool
    step: Callable[[int], Work | None]

    def work(self) -> Work:
        """Do the phase, whose requests are written and submitted without a pause between."""
        work = self.step(self.slot_s)
        if work is not None:
            yield from work


@dataclass(slots=True, kw_only=True)
class Day:
    """One community's day behind its doors. `run` may be killed at any instant and run again.

    ``grid`` is what the grid operator states before a slot, beside what the charter says; another day is gone on with
    by giving it other ``terms``.
    """

    sequencer: Sequencer
    cast: Cast
    charter: Charter
    terms: Terms
    gateways: Gateways
    people: People
    feeds: Feeds
    marks: Callable[[], dict[str, str]]
    stopwatch: Callable[[], float]
    watched: Watched = field(default_factory=Watched)
    grid: Mapping[int, Sequence[str]] = field(default_factory=dict)
    _came: tuple[int, int] | None = None

    def run(self) -> Iterator[int]:
        """Live through the day; yield the start of every slot that is closed, those of an earlier run first."""
        first_s = epoch(self.terms.span.start)
        for phase in self.phases():
            if not phase.done:
                in_place(phase.work())
            if phase.name == PHASES[-1] and phase.slot_s >= first_s:
                yield phase.slot_s

    def phases(self) -> Iterator[Phase]:
        """Yield the day's phases in order, those of an earlier run too.

        Everyone is onboarded and every meter read once before the day begins.
        """
        first_s = epoch(self.terms.span.start)
        before_s = first_s - SLOT_SECONDS
        yield self._phase(before_s, "heard", before_s, self._onboard)
        yield self._phase(before_s, "closed", first_s, self._read_first)
        for slot in slots_of(self.terms.span):
            slot_s = epoch(slot.start)
            told_s, end_s = slot_s + PLANNED_AFTER_S, slot_s + SLOT_SECONDS
            yield self._phase(slot_s, "heard", told_s, self._hear)
            yield self._phase(slot_s, "planned", told_s, self._plan)
            yield self._phase(slot_s, "lived", end_s, self._live)
            yield self._phase(slot_s, "traded", end_s, self._trade)
            yield self._phase(slot_s, "closed", end_s, self._close)

    def _phase(self, slot_s: int, name: str, due_s: int, step: Callable[[int], Work | None]) -> Phase:
        return Phase(slot_s=slot_s, name=name, due_s=due_s, done=self._done(slot_s, name), step=step)

    def _onboard(self, slot_s: int) -> None:
        """Say who is who and what stands where."""
        self._submit(onboard(self.sequencer.state, self.cast, self.charter, slot_s), slot_s, slot_s, "heard")

    def _read_first(self, slot_s: int) -> Work:
        """Read every meter once."""
        heard = yield partial(self.gateways.live, slot_s, {})
        desk = self._desk()
        self._facts(desk, slot_s)
        wires = [*desk.wires, *(wire for one in heard for wire in one.requests)]
        self._submit(wires, slot_s + SLOT_SECONDS, slot_s, "closed")

    def _hear(self, slot_s: int) -> Work:
        """Take in facts, statements, what owners decided who were asked, and what the community is cautious about."""
        cautions = yield from cautious(self.sequencer.state, self.terms, slot_s)
        desk = self._desk()
        self._facts(desk, slot_s)
        for line in self.grid.get(slot_s, ()):
            desk.write(self.cast.dso, GRID, Kind.CONSTRAINT, bodies.ConstraintBody(text=line, said_s=slot_s))
        for asset, line in self.people.say(slot_s):
            owner = self.sequencer.state.assets[asset].owner
            said = bodies.ConstraintBody(text=line, said_s=slot_s)
            desk.write(self.cast.members[owner], owner, Kind.CONSTRAINT, said)
        for proposal, accept in self.people.decide(slot_s, waiting(self.sequencer.state, slot_s + PLANNED_AFTER_S)):
            schedule = proposal.schedule
            owner = self.sequencer.state.assets[schedule.asset].owner
            decided = bodies.DecisionBody(asset=schedule.asset, issued_s=epoch(schedule.issued), accept=accept)
            desk.write(self.cast.members[owner], owner, Kind.CONSENT, decided)
        for line in cautions:
            said = bodies.ConstraintBody(text=line, said_s=slot_s)
            desk.write(self.cast.operator, OPERATOR, Kind.CONSTRAINT, said)
        self._submit(desk.wires, slot_s + PLANNED_AFTER_S, slot_s, "heard")

    def _plan(self, slot_s: int) -> Work:
        """Plan, log the schedules and place everyone's slot orders."""
        known = outlook(self.sequencer.state, self.terms, slot_s)
        plan, problem = yield partial(self._solve, known)
        self.watched.unmet[slot_s] = tuple(unmet for unmet in plan.unmet if unmet.constraint in known.constraints)
        desk = self._desk()
        self._write_schedules(desk, plan, problem)
        self._write_slot_orders(desk, known, plan, problem, slot_s)
        self._submit(desk.wires, slot_s + PLANNED_AFTER_S, slot_s, "planned")

    def go_without_plan(self, slot_s: int) -> None:
        """Pass over the planning of a slot: nobody orders by a plan, and devices do what they do by themselves."""
        self._submit([], slot_s + PLANNED_AFTER_S, slot_s, "planned")

    def _solve(self, known: Outlook) -> tuple[Plan, Problem]:
        began = self.stopwatch()
        found = self._planned(known)
        self.watched.plan_s.append(self.stopwatch() - began)
        return found

    def _planned(self, known: Outlook) -> tuple[Plan, Problem]:
        if self.terms.engine is Engine.FLEET:
            try:
                return plan_ahead(known, Engine.FLEET)
            except Refused:
                pass  # somebody states what it does not take; the exact engine does, and needs its time
        return plan_ahead(known)

    def _live(self, slot_s: int) -> Work:
        """Tell the devices, let the slot pass, and book what gateways answer and measure."""
        heard = yield partial(self.gateways.live, slot_s, self.commands(slot_s))
        wires = [wire for one in heard for wire in one.requests]
        self._submit(wires, slot_s + SLOT_SECONDS, slot_s, "lived")

    def _trade(self, slot_s: int) -> None:
        """Let members' agents act in the WATT book."""
        desk = self._desk()
        for account, kind, body in acts(self.sequencer.state, self.sequencer.tree.root(), slot_s):
            if account in self.cast.members:  # who holds the own key acts with it, or lets somebody
                desk.write(self.cast.members[account], account, kind, body)
        self._submit(desk.wires, slot_s + SLOT_SECONDS, slot_s, "traded")

    def _close(self, slot_s: int) -> None:
        """Sign a checkpoint over everything so far."""
        desk = self._desk()
        text = self.sequencer.checkpoint(slot_s).note_text()
        note = sign_note(text, self.sequencer.state.community, self.cast.note.private)
        desk.write(self.cast.operator, OPERATOR, Kind.CHECKPOINT, bodies.CheckpointBody(note=note))
        self._submit(desk.wires, slot_s + SLOT_SECONDS, slot_s, "closed")

    def commands(self, slot_s: int) -> dict[AssetId, Command]:
        """Return what devices are told for a slot, see `commands`; asked within the slot, what they are told now."""
        return commands(self.sequencer.state, slot_s)

    def _write_schedules(self, desk: Desk, plan: Plan, problem: Problem) -> None:
        state = self.sequencer.state
        behind = {
            assets[AssetKind.BATTERY].id: [asset.id for asset in assets.values()]
            for assets in homes(state, self.terms).values()
        }
        running = {
            asset: entry.power_w
            for asset, schedule in state.schedules.items()
            if (entry := in_force(schedule, plan.start))
        }
        clock = ZoneInfo(state.charter.timezone)
        for planned in schedules(plan, problem, behind, running, clock):
            schedule = allowed(planned, state.consent(planned.asset), clock)
            if schedule is not None:
                desk.write(self.cast.planner, AccountId("planner"), Kind.SCHEDULE, schedule_body(schedule))

    def _write_slot_orders(self, desk: Desk, known: Outlook, plan: Plan, problem: Problem, slot_s: int) -> None:
        state = self.sequencer.state
        for account, assets in homes(state, self.terms).items():
            planned_wh = line_w(plan, problem, [asset.id for asset in assets.values()], 0) * SLOT_SECONDS // 3600
            for wish in slot_wishes(state, known, account, assets, planned_wh, slot_s):
                body = order_bodies.SlotOrder(
                    side=wish.side,
                    energy_wh=wish.energy_wh,
                    price_micro_per_kwh=wish.price_micro_per_kwh,
                    slot_s=slot_s,
                )
                desk.write(self.cast.members[account], account, Kind.ORDER, body)

    def _facts(self, desk: Desk, slot_s: int) -> None:
        start_s, prices = self.feeds.prices(slot_s)
        if prices:
            told = bodies.FactBody(start_s=start_s, prices=prices)
            desk.write(self.cast.oracle, AccountId("oracle"), Kind.FACT, told)

    def _desk(self) -> Desk:
        return Desk(self.sequencer.state)

    def _submit(self, wires: list[bytes], stamped_s: int, slot_s: int, phase: str) -> None:
        self.sequencer.submit(wires, stamped_s, {"slot": str(slot_s), "phase": phase})
        self._came = slot_s, PHASES.index(phase)

    def _done(self, slot_s: int, phase: str) -> bool:
        """Tell whether the log already holds a phase of a slot; it is asked once how far an earlier run came."""
        if self._came is None:
            marks = self.marks()
            self._came = (int(marks["slot"]), PHASES.index(marks["phase"])) if marks else (0, 0)
        return self._came >= (slot_s, PHASES.index(phase))


def in_place(work: Work | None) -> None:
    """Do a step here and now, with all that it would have done aside."""
    if work is None:
        return
    try:
        aside = next(work)
        while True:
            aside = work.send(aside())
    except StopIteration:
        return


def commands(state: State, slot_s: int) -> dict[AssetId, Command]:
    """Return what the logged schedules ask of devices in a slot, of those whose owners consent, within what they do.

    Who is no longer in it is told nothing more, and released.
    """
    slot = slot_from(slot_s)
    holding = [one for stated in state.stated for one in stated.occurrences(slot)]
    told = {}
    for asset_id in state.schedules:
        instruction = told_now(state, asset_id, slot)
        if instruction:
            asset, level_wh = state.assets[asset_id], last_level_wh(state, asset_id, slot_s)
            agreed = consented_limits(asset, state.consent(asset_id), level_wh, slot)
            limits = own_limits(asset, holding, slot.start) + agreed
            told[asset_id] = command(asset, instruction, limits, now=slot.start)
    return told


def schedule_body(schedule: Schedule) -> bodies.ScheduleBody:
    """Return a schedule as it is signed."""
    return bodies.ScheduleBody(
        asset=schedule.asset,
        issued_s=epoch(schedule.issued),
        instructions=[
            bodies.InstructionItem(
                verb=entry.verb,
                start_s=epoch(entry.interval.start),
                end_s=epoch(entry.interval.end),
                power_w=entry.power_w,
                expected_wh=entry.expected_wh,
                reason=entry.reason,
                balance_w=entry.balance_w,
            )
            for entry in schedule.instructions
        ],
    )

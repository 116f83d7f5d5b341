"""A recorded day in which some owners set limits, are asked, say no, say nothing, or switch off in the middle of it."""

from dataclasses import replace
from datetime import time

import pytest
from paper_street import Lived, live, stage

from commonwatt.apps.scenes import Scene
from commonwatt.apps.wiring import paper_day
from commonwatt.flows import trading_day
from commonwatt.flows.constraint_to_command import Outlook, plan_ahead
from commonwatt.flows.desk import Desk
from commonwatt.flows.onboard import consent_body
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.sequence import replay
from commonwatt.flows.summary import diary
from commonwatt.flows.trading_day import PLANNED_AFTER_S, Day, in_place
from commonwatt.model import (
    ALWAYS,
    OFF,
    SLOT_SECONDS,
    AccountId,
    AssetId,
    ConsentMode,
    InvalidValue,
    Kind,
    Outcome,
    epoch,
)
from commonwatt.simulator.street import ConsentSpec

ASK = ConsentSpec(mode=ConsentMode.ASK, decide_minutes=20)
FIRST, SECOND = AssetId("battery-01"), AssetId("battery-02")


def agreed(*specs: ConsentSpec | None, starts: str = "12:00") -> Scene:
    """Return a street in which each home's member agrees to what stands here."""
    scene = stage(len(specs), starts)
    homes = tuple(replace(home, consent=spec) for home, spec in zip(scene.street.home, specs, strict=True))
    return Scene(replace(scene.street, home=homes), scene.recorded)


def decisions(lived: Lived) -> list[tuple[int, str, bool]]:
    return [
        ((at_s - lived.at(0)) // SLOT_SECONDS, body["asset"], body["accept"])
        for at_s, outcome, body in lived.logged(Kind.CONSENT)
        if body["what"] == "decision" and outcome is Outcome.BOOKED
    ]


def proposed(lived: Lived, asset: str) -> list[dict[str, object]]:
    return [b for _, outcome, b in lived.logged(Kind.SCHEDULE) if b["asset"] == asset and outcome is Outcome.WAITING]


@pytest.mark.row("X3")
@pytest.mark.row("X13")
@pytest.mark.row("M4")
def test_an_owner_who_is_asked_is_asked_once_ahead_and_their_yes_is_carried_out() -> None:
    lived = live(agreed(None, ASK, None), 12)
    (first, *_) = proposed(lived, SECOND)
    starts_s = [item["start_s"] for item in first["instructions"]]  # type: ignore[attr-defined]
    assert min(starts_s) - 20 * 60 > first["issued_s"] + SLOT_SECONDS, "there is time to decide"
    assert decisions(lived)[0] == (1, SECOND, True)
    accepted = {
        slot_s
        for slot_s in range(lived.at(0), lived.at(12), SLOT_SECONDS)
        if any(item["start_s"] <= slot_s < item["end_s"] for item in first["instructions"])  # type: ignore[attr-defined]
    }
    assert accepted
    told = {slot_s for slot_s, commands in lived.watch.commands.items() if SECOND in commands}
    assert told >= accepted
    assert min(told) == min(accepted), "nothing is told before it was accepted"
    for slot_s in accepted:
        _, problem, _ = lived.watch.plans[slot_s]
        assert not problem.by_asset[SECOND].direct
        assert problem.by_asset[SECOND].fixed, "what was accepted is planned around"
        assert problem.by_asset[FIRST].direct
    plan, problem, _ = lived.watch.plans[lived.at(0)]
    assert plan.power_w[SECOND][:3] == (0,) * 3
    assert not problem.by_asset[SECOND].direct
    assert SECOND not in lived.watch.plans[lived.at(1) + SLOT_SECONDS][0].power_w
    found = replay(lived.rows, "street", keep=True)
    assert (found.tree.root(), found.state.root()) == lived.roots
    entries = [entry for entry in diary(found.state, lived.rows) if entry.asset == SECOND]
    assert min(entry.start_s for entry in entries) == min(accepted), "what waits is not in the diary, what was told is"


@pytest.mark.row("X3")
@pytest.mark.parametrize("answers", ["no", "nothing"])
def test_a_plan_is_remade_without_who_declines_or_says_nothing(answers: str) -> None:
    lived = live(agreed(None, replace(ASK, answers=answers), None), 8)
    assert len(proposed(lived, SECOND)) == 1, "who said no is not asked again"
    assert [accept for _, _, accept in decisions(lived)] == ([False] if answers == "no" else [])
    assert not any(SECOND in commands for commands in lived.watch.commands.values())
    for slot in range(1, 8):
        plan, problem, _ = lived.watch.plans[lived.at(slot)]
        assert SECOND not in problem.by_asset
        assert FIRST in plan.power_w
    assert all(lived.watch.commands[lived.at(slot)].keys() >= {FIRST, "battery-03"} for slot in range(8))


@pytest.mark.row("X3")
def test_what_leaves_no_energy_may_be_all_that_an_owner_says_yes_to() -> None:
    lived = live(agreed(replace(ASK, answers="charging"), None), 4)
    assert decisions(lived)
    for (_, asset, accept), body in zip(decisions(lived), proposed(lived, FIRST), strict=False):
        assert asset == FIRST
        assert accept == all(item["power_w"] >= 0 for item in body["instructions"])  # type: ignore[attr-defined]


@pytest.mark.row("X3")
def test_limits_are_planned_with_kept_in_the_log_and_held_by_the_device() -> None:
    spec = ConsentSpec(
        mode=ConsentMode.WITHIN, least_percent=30, most_supply_w=700, hours=(time(13), time(17)), answers="nothing"
    )
    lived = live(agreed(spec, None, starts="12:30"), 24)
    outcomes = {outcome for _, outcome, body in lived.logged(Kind.SCHEDULE) if body["asset"] == FIRST}
    assert outcomes == {Outcome.BOOKED}, "what is planned keeps the limits"
    told = {slot_s: commands[FIRST] for slot_s, commands in lived.watch.commands.items() if FIRST in commands}
    assert min(told) == lived.at(2)
    assert max(told) == lived.at(17)
    floor_wh = spec.consent().floor_wh(6_400)
    for slot_s, command in told.items():
        assert command.band.lo_w >= -700
        reading = lived.state.readings.told(slot_s)[FIRST]
        before = lived.state.readings.told(slot_s - SLOT_SECONDS)[FIRST]
        assert reading.level_wh is not None
        assert before.level_wh is not None
        assert reading.level_wh >= min(floor_wh, before.level_wh)
    assert lived.watch.plans[lived.at(4)][1].by_asset[FIRST].direct


def say(day: Day, consent: bodies.ConsentBody, at_s: int) -> None:
    desk, owner = Desk(day.sequencer.state), AccountId("member-02")
    desk.write(day.cast.members[owner], owner, Kind.CONSENT, consent)
    assert day.sequencer.submit(desk.wires, at_s) == [Outcome.BOOKED]


@pytest.mark.row("X3")
@pytest.mark.parametrize("single", [True, False])
def test_switched_off_within_a_slot_a_device_is_told_nothing_from_then_on(*, single: bool) -> None:
    day = paper_day(stage(3, "12:00"))
    slots = day.run()
    slot_s = next(slots) + SLOT_SECONDS
    in_place(day._hear(slot_s))
    in_place(day._plan(slot_s))
    before = day.commands(slot_s)
    assert before.keys() >= {FIRST, SECOND}
    say(day, consent_body(OFF, SECOND if single else None), slot_s + PLANNED_AFTER_S + 5)
    after = day.commands(slot_s)
    assert after == {asset: told for asset, told in before.items() if asset not in (SECOND, "car-02")}
    in_place(day._live(slot_s))
    answered = {asset for asset, answer in day.sequencer.state.answers.items() if answer.slot_s == slot_s}
    assert answered == after.keys()
    day._trade(slot_s)
    day._close(slot_s)
    for n, later_s in enumerate(slots):
        assert SECOND not in day.commands(later_s)
        assert later_s < slot_s or FIRST in day.commands(later_s)
        assert SECOND not in day.sequencer.state.schedules
        if n == 3:
            break


@pytest.mark.row("X3")
def test_an_off_that_comes_while_a_plan_is_made_wins_over_it(monkeypatch: pytest.MonkeyPatch) -> None:
    day = paper_day(stage(3, "12:00"))

    def plan(known: Outlook) -> object:
        if known.now == day.terms.span.start:
            say(day, consent_body(OFF, SECOND), epoch(known.now) + PLANNED_AFTER_S)
        return plan_ahead(known)

    monkeypatch.setattr(trading_day, "plan_ahead", plan)
    slot_s = next(day.run())
    assert SECOND not in day.commands(slot_s)
    assert FIRST in day.commands(slot_s)


def test_a_home_that_says_nothing_of_consent_agrees_to_all_plans() -> None:
    day = paper_day(stage(2, "12:00"))
    next(day.run())
    assert day.sequencer.state.consent(FIRST) == ALWAYS
    with pytest.raises(InvalidValue):
        ConsentSpec(mode=ConsentMode.WITHIN).consent()

"""A street lives on with its door open: what members ask between two phases is planned with, traded and settled."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from living_street import Lives, living
from paper_street import FOLDER, live, stage
from test_door_kept import command

from commonwatt.apps import door_card
from commonwatt.apps import living as apps_living
from commonwatt.apps.deeds import run_durably
from commonwatt.apps.door_card import DOOR_CARD
from commonwatt.apps.scenes import GATE_S
from commonwatt.apps.wiring import open_log
from commonwatt.flexibility.plan import Engine
from commonwatt.flows import trading_day
from commonwatt.flows.constraint_to_command import Outlook, plan_ahead
from commonwatt.flows.onboard import consent_body
from commonwatt.flows.replay import replay
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.market import order_bodies
from commonwatt.flows.trading_day import PLANNED_AFTER_S
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import (
    SLOT,
    SLOT_SECONDS,
    AccountId,
    AssetId,
    Commodity,
    Consent,
    ConsentMode,
    Interval,
    Kind,
    Memo,
    Outcome,
    Refused,
    epoch,
)
from commonwatt.simulator.street import Street

HOMES, STARTS, SLOTS = 3, "12:00", 3
BATTERY = AssetId("battery-01")


@pytest.fixture
def lives(tmp_path: Path) -> Iterator[Lives]:
    with living(stage(HOMES, STARTS), tmp_path / "street") as opened:
        yield opened


def buys(slot_s: int, price_micro: int = 900_000) -> order_bodies.SlotOrder:
    return order_bodies.SlotOrder(side="bid", energy_wh=40, price_micro_per_kwh=price_micro, slot_s=slot_s)


def open_rows(lives: Lives) -> list[LeafRow]:
    with open_log(lives.folder) as log:
        return list(log.rows())


@pytest.mark.row("X8")
def test_where_nobody_else_speaks_a_live_day_is_the_recorded_one_to_the_last_byte(lives: Lives) -> None:
    lives.live(SLOTS)
    lives.close()
    found, alone = lives.replayed(), live(lives.stage, SLOTS)
    assert (found.tree.root(), found.state.root()) == alone.roots
    assert found.state.entries == alone.entries


@pytest.mark.row("E10")
@pytest.mark.row("M1")
def test_an_order_through_the_door_trades_with_what_the_street_orders_by_its_plan(lives: Lives) -> None:
    lives.live(1)
    slot_s = lives.at(2)
    assert lives.say("member-02", Kind.ORDER, buys(slot_s)) is Outcome.BOOKED
    position = len(lives.replayed().tree) - 1
    lives.live(6)
    lives.close()
    found = lives.replayed().state
    assert found.settled_to_s >= slot_s + SLOT_SECONDS
    trades = [e for e in found.entries if e.memo is Memo.TRADE and e.slot_s == slot_s]
    own = [e for e in trades if str(position) in e.ref.split("/") and e.commodity is Commodity.ENERGY]
    assert [(e.target, 0 < e.amount <= 40) for e in own] == [("member-02", True)], "as much as was delivered"
    assert len(trades) > 2, "the plan's own orders trade beside"


@pytest.mark.row("E10")
def test_orders_for_a_slot_are_taken_until_its_gate_and_refused_after(lives: Lives) -> None:
    slot_s = lives.plan()
    lives.pass_to(slot_s + GATE_S - 1)
    assert lives.say("member-02", Kind.ORDER, buys(slot_s)) is Outcome.BOOKED
    lives.pass_to(slot_s + GATE_S + 1)
    assert lives.say("member-02", Kind.ORDER, buys(slot_s)) is Outcome.TOO_LATE
    assert lives.say("member-02", Kind.ORDER, buys(slot_s + SLOT_SECONDS)) is Outcome.BOOKED
    stamps = [row.stamped_s for row in open_rows(lives)][-3:]
    assert stamps == [slot_s + GATE_S - 1, slot_s + GATE_S + 1, slot_s + GATE_S + 1]


@pytest.mark.row("X1")
def test_what_a_member_states_through_the_door_is_in_the_next_plan_and_told_to_the_battery(lives: Lives) -> None:
    lives.live(1)
    full = bodies.ConstraintBody(text=f"charge of {BATTERY} >= 60% at 12:45", said_s=lives.at(1))
    assert lives.say("member-01", Kind.CONSTRAINT, full) is Outcome.BOOKED
    lives.live(2)
    lives.close()
    spoken, alone = lives.replayed().state, live(lives.stage, 3).state
    slot_s = lives.at(2)
    assert epoch(spoken.schedules[BATTERY].issued) == slot_s
    gained = [
        state.readings.told(slot_s)[BATTERY].level_wh - state.readings.told(slot_s - SLOT_SECONDS)[BATTERY].level_wh  # type: ignore[operator]
        for state in (spoken, alone)
    ]
    asset = spoken.assets[BATTERY]
    assert spoken.readings.told(slot_s)[BATTERY].level_wh >= 0.59 * asset.capacity_wh  # type: ignore[operator]
    assert gained[0] > gained[1] + 300, "Wh in one slot"


@pytest.mark.row("X3")
def test_who_pauses_control_within_a_slot_is_told_nothing_in_it(lives: Lives) -> None:
    lives.live(1)
    lives.plan()
    off = consent_body(Consent(mode=ConsentMode.OFF), BATTERY)
    assert lives.say("member-01", Kind.CONSENT, off) is Outcome.BOOKED
    lives.end()
    lives.close()
    state = lives.replayed().state
    assert state.answers[BATTERY].slot_s == lives.at(0)
    assert state.answers[AssetId("battery-02")].slot_s == lives.at(1)


def test_a_member_lets_another_act_by_the_command_line_while_the_street_lives(lives: Lives) -> None:
    at = ("--port", lives.card().port)
    lives.live(1)
    assert command("key", lives.folder, "broker", "agent", *at).startswith("0 ")
    grant = ("delegate", lives.folder, "member-02", "broker", "--may", "order", "--until", "2018-11-20", *at)
    assert command(*grant).startswith("0 member-02 lets ")
    order = json.dumps({"what": "slot", **msgspec.to_builtins(buys(lives.at(2)))})
    ordered = command("ask", lives.folder, "broker", "order", order, "--for", "member-02", *at)
    assert ordered == "0 order for member-02: BOOKED\n"
    lives.live(1)
    with pytest.raises(Refused, match="NOT_ALLOWED"):
        command("ask", lives.folder, "broker", "order", order, "--for", "member-03", *at)


def test_a_long_plan_holds_up_the_logs_time_and_not_the_door(lives: Lives, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, done = threading.Event(), threading.Event()

    def plan_slowly(known: Outlook) -> object:
        asked.set()
        assert done.wait(60)
        return plan_ahead(known)

    monkeypatch.setattr(trading_day, "plan_ahead", plan_slowly)
    told_s = lives.at(0) + PLANNED_AFTER_S
    lives.pass_to(told_s)
    assert asked.wait(60)
    lives.ticks_ms += 100_000
    try:
        for _ in range(3):
            assert lives.say("member-02", Kind.ORDER, buys(lives.at(1))) is Outcome.BOOKED
        assert [row.stamped_s for row in open_rows(lives)][-3:] == [told_s] * 3
        assert lives.card().now_s(lives.ticks_ms / 1_000) == told_s
    finally:
        done.set()
    lives.until(lambda: lives.card().clock.until_s == lives.at(1))
    assert lives.living.now_s() == lives.at(0) + 130, "what was lost is made up for"
    assert lives.replayed().state.schedules[BATTERY]


def test_a_slot_that_cannot_be_planned_is_lived_without_a_plan(lives: Lives, monkeypatch: pytest.MonkeyPatch) -> None:
    lives.live(1)

    def refuse(known: Outlook) -> object:
        raise Refused("a plan stays within its effort", now=known.now)

    with monkeypatch.context() as patch:
        patch.setattr(trading_day, "plan_ahead", refuse)
        lives.live(1)
    state = lives.replayed().state
    assert epoch(state.schedules[BATTERY].issued) == lives.at(0)
    assert state.answers[BATTERY].slot_s == lives.at(0), "a device that is told nothing does what it does by itself"
    assert state.readings.told(lives.at(1)).keys() == state.readings.told(lives.at(0)).keys()
    assert [word for word in lives.words if "no plan at 12:15 UTC" in word]
    lives.live(1)
    assert epoch(lives.replayed().state.schedules[BATTERY].issued) == lives.at(2)


def test_a_large_street_is_planned_as_a_fleet_and_by_the_exact_engine_where_a_fleet_does_not_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Engine, bool]] = []

    def plan(known: Outlook, engine: Engine = Engine.AUTO) -> object:
        asked.append((engine, known.end is not None))
        if engine is Engine.FLEET and len(asked) > 1:
            raise Refused("the fleet engine does not take this; the exact one does")
        return plan_ahead(known, engine)

    monkeypatch.setattr(apps_living, "MOST_EXACT", HOMES - 1)
    monkeypatch.setattr(trading_day, "plan_ahead", plan)
    with living(stage(HOMES, STARTS), tmp_path / "street") as lives:
        lives.live(2)
    assert asked == [(Engine.FLEET, False), (Engine.FLEET, False), (Engine.AUTO, False)]
    state = lives.replayed().state
    assert lives.words == []
    assert epoch(state.schedules[BATTERY].issued) == state.answers[BATTERY].slot_s == lives.at(1)


def test_an_interrupted_street_goes_on_where_it_was(tmp_path: Path) -> None:
    scene, folder = stage(HOMES, STARTS), tmp_path / "street"
    with living(scene, folder) as lives:
        lives.live(1)
        slot_s = lives.plan()
        lives.pass_to(slot_s + 500)
    assert not (folder / DOOR_CARD).exists()
    with living(scene, folder) as lives:
        assert lives.living.now_s() == slot_s + PLANNED_AFTER_S, "the log's time is that of its last word"
        lives.end()
        lives.live(1)
    found = lives.replayed()
    assert (found.tree.root(), found.state.root()) == live(scene, SLOTS).roots


def test_a_folder_of_one_kind_of_run_is_not_gone_on_with_by_another(lives: Lives) -> None:
    lives.close()
    with pytest.raises(Refused, match="another street or an older version"):
        run_durably(lives.stage, FOLDER, lives.folder)


@pytest.mark.row("M1")
def test_the_next_day_goes_on_with_levels_and_books_until_the_recording_ends_with_the_door_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, short = stage(HOMES, STARTS), SLOT_SECONDS * 2
    line = "power of zone street <= 9 kW from 12:30 to 13:00 on 14 November for dso"
    start = scene.street.span.start
    halves = [Interval(start, start + 2 * SLOT), Interval(start + 2 * SLOT, start + 4 * SLOT)]
    days = [SimpleNamespace(span=halves[0], dso=scene.street.dso), SimpleNamespace(span=halves[1], dso=[line])]
    monkeypatch.setattr(Street, "each_day", lambda self: days)
    with living(scene, tmp_path / "street") as lives:
        lives.live(2)
        before = lives.replayed().state
        lives.live(1)
        assert lives.words == []
        lives.live(1)
        assert lives.words == ["the recording ends: it stays 2018-11-14 13:00 UTC, and the door stays open"]
        assert lives.say("member-02", Kind.ORDER, buys(lives.at(4))) is Outcome.BOOKED
        assert lives.card().now_s(10**10) == lives.at(4)
    found, day_s = lives.replayed().state, lives.at(0) + short
    first, last = found.readings.told(day_s)[BATTERY], before.readings.told(day_s - SLOT_SECONDS)[BATTERY]
    asset = found.assets[BATTERY]
    moved_wh = first.import_wh * asset.charge_permille // 1000 - first.export_wh * 1000 // asset.discharge_permille
    assert last.level_wh is not None
    assert last.level_wh != scene.street.battery.level_at_start_wh
    assert first.level_wh == pytest.approx(last.level_wh + moved_wh, abs=2)
    assert epoch(found.schedules[BATTERY].issued) == lives.at(3)
    assert [one.text for one in found.stated].count(line) == 1, "the grid operator states a day's limits as it begins"
    assert line not in [one.text for one in before.stated]


def test_a_street_that_is_killed_goes_on_with_all_that_it_had_answered(tmp_path: Path) -> None:
    folder = tmp_path / "street"
    with started(folder) as run:
        assert run.stdout is not None
        assert json.loads(run.stdout.readline())["leaves"] > 0
        order = ("order", folder, "member-02", "buy", 10, "0.01", "--port", door_card.read(folder).port)
        assert command(*order) == "0 member-02: buy 10 Wh at 0.01, BOOKED\n"
        os.kill(run.pid, signal.SIGKILL)
    assert run.returncode == -signal.SIGKILL
    assert (folder / DOOR_CARD).exists(), "a killed door leaves its card"
    with pytest.raises(Refused, match="no door is open there"):
        command(*order)
    with started(folder) as run:
        assert run.stdout is not None
        run.stdout.readline()
        os.kill(run.pid, signal.SIGINT)
        _, said = run.communicate(timeout=60)
    assert (run.returncode, said) == (0, "")
    assert not (folder / DOOR_CARD).exists()
    with open_log(folder) as log:
        found = replay(log.rows(), "street").state
    assert [order.energy_wh for order in found.book.of(AccountId("member-02")) if not order.by_agent] == [10]
    assert found.set_aside == []
    slots = range(epoch(stage(2, STARTS).street.span.start), found.settled_to_s, SLOT_SECONDS)
    assert len(slots) >= 2
    assert all(found.readings.told(slot_s).keys() == found.readings.told(slots[0]).keys() for slot_s in slots)


def started(folder: Path) -> "subprocess.Popen[str]":
    words = [sys.executable, str(Path(__file__).with_name("living_child.py")), str(folder), STARTS]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

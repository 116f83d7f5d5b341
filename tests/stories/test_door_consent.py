"""A member says through the door how their assets may be scheduled, sees what waits, and decides."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from community import NAME, NOON, instruction, key
from door_client import found_folder
from test_door_kept import Kept, command

from commonwatt.adapters.door.client import knock
from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.apps.wiring import open_log
from commonwatt.flows.desk import Desk
from commonwatt.flows.replay import replay
from commonwatt.flows.rulebook import bodies
from commonwatt.model import AccountId, InvalidValue, Kind, Outcome, Refused

BATTERY = "anna-battery"


@pytest.fixture
def doors() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def plan(folder: Path, port: int) -> Outcome:
    """Log a schedule as the planner does, two hours ahead."""
    start_s = NOON + 7_200
    body = bodies.ScheduleBody(asset=BATTERY, issued_s=NOON, instructions=[instruction(2_000, start_s, start_s + 900)])
    with open_log(folder) as log:
        desk = Desk(replay(log.rows(), NAME).state)
    desk.write(key("planner"), AccountId("planner"), Kind.SCHEDULE, body)
    (outcome,), _ = knock("127.0.0.1", port, desk.wires)
    return outcome


def test_a_member_sets_limits_is_asked_and_switches_off_through_the_door(tmp_path: Path, doors: ExitStack) -> None:
    folder = tmp_path / "town"
    found_folder(folder)
    save_secret(folder / "keys" / "anna.pem", key("anna").to_pem(b"open"))
    door = Kept(folder).open()
    doors.callback(door.close)
    to = ("consent", folder, "anna")
    at = ("--port", door.port)
    assert command(*to) == f"0 {BATTERY}: every plan\n"
    within = ("--mode", "within", "--least-percent", 20, "--most-supply-w", 0, "--from", "22:00", "--to", "06:30")
    assert "never giving below 20 %, giving nothing, from 22:00 to 06:30" in command(*to, BATTERY, *within, *at)
    assert "plans within limits, never giving below 20 %" in command(*to)
    ask = ("--mode", "ask", "--decide-minutes", 30)
    assert "0 anna agrees, all of it: plans after asking" in command(*to, *ask, *at)
    with pytest.raises(Refused, match=r"waits for it.*waiting none"):
        command(*to, BATTERY, "--accept", *at)
    assert plan(folder, door.port) is Outcome.WAITING
    assert "a schedule waits until 2026-06-01 14:30" in command(*to)
    told = json.loads(command(*to, BATTERY, "--json")[2:])
    assert (told[0]["asset"], told[0]["proposal"]["deadline_s"]) == (BATTERY, NOON + 5_400)
    done = json.loads(command(*to, BATTERY, "--accept", "--json", *at)[2:])
    assert done["outcome"] == Outcome.BOOKED
    assert done["body"] == {"what": "decision", "asset": BATTERY, "issued_s": NOON, "accept": True}
    assert "the last schedule was accepted" in command(*to)
    with pytest.raises(Refused, match="waits for it"):
        command(*to, BATTERY, "--decline", *at)
    assert "0 anna agrees, all of it: nothing" in command(*to, "--mode", "off", *at)
    assert command(*to) == f"0 {BATTERY}: nothing\n"


def test_what_makes_no_sense_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    folder = tmp_path / "town"
    found_folder(folder)
    for who in ("anna", "ben"):
        save_secret(folder / "keys" / f"{who}.pem", key(who).to_pem(b"open"))
    save_secret(folder / "keys" / "stranger.pem", key("stranger").to_pem(b"open"))
    to = ("consent", folder, "anna")
    for words in (
        ("--mode", "perhaps"),
        ("--least-percent", 5),
        ("--accept", "--decline"),
        ("--mode", "off", "--accept"),
        ("--accept",),
        ("--mode", "within", "--from", "22:00"),
    ):
        assert command(*to, *words).startswith("2 "), words
    for words, says in (
        (("--mode", "within"), "within limits has some"),
        (("--mode", "ask"), "by when"),
        (("--mode", "off", "--least-percent", 5), "no other has any"),
        (("--mode", "within", "--from", "25:00", "--to", "06:00"), "a time of day looks like"),
        (("--mode", "within", "--from", "06:00", "--to", "06:00"), "hours run"),
    ):
        with pytest.raises(InvalidValue, match=says):
            command(*to, *words)
    with pytest.raises(Refused, match="registered before it asks"):
        command("consent", folder, "stranger")
    with pytest.raises(Refused, match="a key is named"):
        command("consent", folder, "nobody", "--mode", "off")
    with pytest.raises(Refused, match="`commonwatt accept` opens one"):
        command(*to, "--mode", "off", "--port", 9)
    assert command(*to, "no-battery") == "0 anna has no such asset that stores\n"


def test_the_log_s_refusal_is_told(tmp_path: Path, doors: ExitStack) -> None:
    folder = tmp_path / "town"
    found_folder(folder)
    save_secret(folder / "keys" / "anna.pem", key("anna").to_pem(b"open"))
    door = Kept(folder).open()
    doors.callback(door.close)
    with pytest.raises(Refused, match="UNKNOWN_THING"):
        command("consent", folder, "anna", "no-battery", "--mode", "off", "--port", door.port)
    with pytest.raises(Refused, match="NOT_ALLOWED"):
        command("consent", folder, "anna", "ben-battery", "--mode", "off", "--port", door.port)

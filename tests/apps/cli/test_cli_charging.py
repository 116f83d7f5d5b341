"""`commonwatt receipt` and `commonwatt commission`: what a run's log tells of charging and of storage."""

import json
from pathlib import Path

import pytest
from charging_place import FEE, START_FEE, Plaza
from community import IMPORT, Flow
from test_cli_prove import command, folder_of
from test_rulebook_operating import Operated, owed

from commonwatt.model import MICRO, Refused, cost_micro

DUE = cost_micro(4_000, IMPORT + FEE) + START_FEE


def charged(plaza: Plaza) -> str:
    session = plaza.authorised(source="solar")
    plaza.start(session)
    plaza.pass_slot(4_000, anna=Flow(solar_wh=1_000))
    plaza.count(session, (0, 4_100))
    plaza.stop(session, by="zoe")
    plaza.meter(session, 4_000)
    return session


@pytest.mark.row("E9")
def test_a_receipt_tells_in_words_and_as_json_what_was_counted_read_and_paid(tmp_path: Path) -> None:
    plaza = Plaza()
    session = charged(plaza)
    folder = folder_of(plaza, tmp_path / "run")
    told = command("receipt", folder, session)
    for words in (
        f"session {session}: zoe at plaza, closed",
        "started 2026-06-01 12:00 UTC, ended 2026-06-01 12:15 by car",
        "counted 4100 Wh, register read 4000 Wh, billed 4000 Wh",
        "count and register differ by 100 Wh",
        "energy 1.200000 ERGON, service 0.400000 ERGON, paid 1.600000 ERGON",
        "of the solar energy that was wished, 1000 Wh came",
    ):
        assert words in told
    found = json.loads(command("receipt", folder, session, "--json"))
    assert (found["paid_micro"], found["difference_wh"], found["mix"]["grid_wh"]) == (DUE, 100, 3_000)
    assert found["lines"][0]["cost_micro"] == found["energy_micro"] == cost_micro(4_000, IMPORT)


@pytest.mark.row("E9")
def test_a_session_that_is_not_closed_shows_how_far_it_is(tmp_path: Path) -> None:
    plaza = Plaza()
    waiting, running = plaza.authorised("guest"), plaza.authorised(micro=1 * MICRO)
    plaza.start(running)
    folder = folder_of(plaza, tmp_path / "run")
    assert "guest at plaza, authorised" in command("receipt", folder, waiting)
    told = command("receipt", folder, running)
    assert "zoe at plaza, charging" in told
    assert "register not read yet" in told
    with pytest.raises(Refused, match="no charging session has this name"):
        command("receipt", folder, "7")


def test_what_went_beyond_the_cars_word_is_shown_as_not_paid(tmp_path: Path) -> None:
    plaza = Plaza()
    session = plaza.authorised(micro=MICRO)
    plaza.start(session)
    plaza.pass_slot(4_000)
    plaza.count(session, (0, 4_000))
    plaza.stop(session)
    plaza.meter(session, 4_000)
    told = command("receipt", folder_of(plaza, tmp_path / "run"), session)
    assert "paid 1.000000 ERGON" in told
    assert "not paid: 0.600000 ERGON" in told


@pytest.mark.row("W7")
def test_commission_tells_who_owes_what_and_for_whom_it_was_waived(tmp_path: Path) -> None:
    community = Operated()
    community.buy("ben")
    community.live(anna=Flow(charge_wh=3_000), ben=Flow(charge_wh=1_000))
    community.live(anna=Flow(discharge_wh=700))
    folder = folder_of(community, tmp_path / "run")
    due, waived = owed(3_000, 0) + owed(0, 700), owed(1_000, 0)
    found = json.loads(command("commission", folder, "--json"))
    assert found["assets"] == [
        {"owner": "anna", "asset": "anna-battery", "owed_micro": due, "waived_micro": 0},
        {"owner": "ben", "asset": "ben-battery", "owed_micro": 0, "waived_micro": waived},
    ]
    assert (found["commission_micro"], found["waived_micro"]) == (due, waived)
    assert found["licences"] == [["ben", MICRO]]
    told = command("commission", folder)
    assert f"commission 0.{due:06d} ERGON, licences 1.000000 ERGON, waived 0.{waived:06d} ERGON" in told
    assert "licences of ben: 1.000000 ERGON" in told

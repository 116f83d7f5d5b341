"""A session on a real OCPP wire comes to the same as one on paper, and stations that are not there are told about."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from charging_place import GATEWAY, POINT, POST, STATION, Plaza
from community import key
from paper_station import PaperStation
from test_door_charging import PLUG, doors, place_of, plaza_folder
from test_door_kept import Kept

from commonwatt.apps import plugging
from commonwatt.apps.wiring import open_log
from commonwatt.flows.charge_session import Pens, step
from commonwatt.flows.replay import community_of, resume
from commonwatt.flows.rulebook import State
from commonwatt.flows.rulebook.charging.sessions import ChargingSession
from commonwatt.model import SLOT_SECONDS, AccountId, Outcome, Refused
from commonwatt.simulator.car import PaperCar

__all__ = ["doors"]  # the fixture
VERSIONS = ["1.6", "2.0.1", "2.1"]
PENS = Pens(
    car=key("zoe"),
    car_account=AccountId("zoe"),
    station=key(POST),
    station_account=AccountId(STATION),
    gateway=key(GATEWAY),
    gateway_account=AccountId(GATEWAY),
)


def state_of(folder: Path) -> State:
    with open_log(folder) as log:
        return resume(log, community_of(log)).state


def on_paper(now_s: int) -> ChargingSession:
    """Live the same session without any wire, minute by minute."""
    plaza = Plaza()
    car = PaperCar(station=STATION, wants_wh=PLUG.wants_wh, most_micro=PLUG.most_micro, lasts_s=PLUG.lasts_s)
    station = PaperStation(power_w=PLUG.power_w or 0)
    slot_s, told_wh = now_s // SLOT_SECONDS * SLOT_SECONDS, 0
    while True:
        if now_s == slot_s + SLOT_SECONDS:
            shows_wh = station.register_wh(now_s)
            told = plaza.reading(GATEWAY, slot_s, {POINT: (shows_wh - told_wh, 0)})
            assert plaza.sequencer.submit([told], now_s) == [Outcome.BOOKED]
            slot_s, told_wh = now_s, shows_wh
        assert {*plaza.sequencer.submit(step(plaza.state, PENS, car, station, now_s), now_s)} <= {Outcome.BOOKED}
        (session,) = plaza.state.sessions.standing.values()
        if session.metered is not None:
            return session
        now_s += 60 - now_s % 60


@pytest.mark.row("E9")
@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_on_the_wire_leaves_in_the_log_what_the_same_one_on_paper_does(
    version: str, tmp_path: Path, doors: ExitStack
) -> None:
    plaza_folder(tmp_path)
    door = Kept(tmp_path).open()
    doors.callback(door.close)
    expected = on_paper(door.now_s)
    name = plugging.charge(tmp_path, "zoe", POST, replace(PLUG, version=version), place_of(door, []))
    state = state_of(tmp_path)
    assert state.sessions.standing[name] == replace(expected, id=name)
    assert expected.ended_by == "car"
    assert expected.metered == (0, expected.counted_wh)
    slot_s = (expected.started_s or 0) // SLOT_SECONDS * SLOT_SECONDS
    assert state.readings.told(slot_s)[POINT].import_wh == dict(expected.flowed)[slot_s], "its connection says so too"


@pytest.mark.row("E9")
@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_a_command_that_was_stopped_is_given_again_and_ends_the_session_in_which_its_station_lost_power(
    version: str, tmp_path: Path, doors: ExitStack
) -> None:
    plaza_folder(tmp_path)
    door = Kept(tmp_path).open()
    doors.callback(door.close)
    said: list[str] = []
    place, plug = place_of(door, said), replace(PLUG, version=version)

    async def pause() -> None:
        if any("counted 1" in word for word in said):
            raise InterruptedError
        await place.pause()

    with pytest.raises(InterruptedError):
        plugging.charge(tmp_path, "zoe", POST, plug, replace(place, pause=pause))
    (stood,) = state_of(tmp_path).sessions.standing.values()
    assert stood.ended_s is None
    assert stood.counted_wh > 1_000
    assert plugging.charge(tmp_path, "zoe", POST, plug, place) == stood.id
    (found,) = state_of(tmp_path).sessions.standing.values()
    assert (found.ended_by, found.metered) == ("station", (0, stood.counted_wh))
    again = plugging.charge(tmp_path, "zoe", POST, plug, place)
    assert state_of(tmp_path).sessions.standing[again].register_wh == stood.counted_wh, "its register goes on"


def test_a_station_that_never_connects_or_stands_in_no_file_is_told(tmp_path: Path, doors: ExitStack) -> None:
    plaza_folder(tmp_path)
    door = Kept(tmp_path).open()
    doors.callback(door.close)
    devices = tmp_path / "site"
    devices.mkdir()
    real = replace(PLUG, devices=devices, lasts_s=600)
    with pytest.raises(Refused, match=rf"under its meter's name.*{POINT}"):
        plugging.charge(tmp_path, "zoe", POST, real, place_of(door, []))
    (devices / "devices.toml").write_text(
        f'[[device]]\nasset = "{POINT}"\ndriver = "ocpp"\nurl = "ws://127.0.0.1:0/CP-1"\n', encoding="utf-8"
    )
    with pytest.raises(Refused, match=r"that is connected.*CP-1"):
        plugging.charge(tmp_path, "zoe", POST, real, place_of(door, []))
    assert not state_of(tmp_path).sessions.standing, "nobody authorises what cannot begin"

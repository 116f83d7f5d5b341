"""Events of OCPP 2.x: where they belong, what of them is kept, and what one that is late may change."""

import asyncio
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ocpp_yard import CHARGER
from test_ocpp_sessions import NOON_S, Desk, at
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from commonwatt.adapters.devices.driver import Doors
from commonwatt.adapters.devices.ocpp.device import OcppDevice, OcppSettings
from commonwatt.adapters.devices.ocpp.evse import KEPT_STRETCHES, Evse, Session
from commonwatt.adapters.devices.ocpp.translate import Currents, Sample
from commonwatt.model import instant

SERVER = """
import asyncio, sys
from pathlib import Path
from datetime import UTC, datetime
from commonwatt.adapters.devices.ocpp.server import serving
async def run():
    clock = lambda: datetime(2026, 1, 1, 13, tzinfo=UTC)
    async with serving("127.0.0.1", 0, clock, Path(sys.argv[1])) as server:
        server.register("CP-1")
        print(server.port, flush=True)
        await asyncio.sleep(20)
asyncio.run(run())
"""


def event(desk: Desk, kind: str, number: int, seconds: int, *, wh: int | None = None, evse: int | None = None,
          id: str = "a", **info: str) -> Any:  # fmt: skip
    more: dict[str, Any] = {} if evse is None else {"evse": {"id": evse, "connectorId": 1}}
    if wh is not None:
        more["meterValue"] = [{"timestamp": at(seconds), "sampledValue": [{"value": wh}]}]
    return desk.say(
        "TransactionEvent", eventType=kind, timestamp=at(seconds), triggerReason="Authorized", seqNo=number,
        transactionInfo={"transactionId": id, **info}, **more,
    )  # fmt: skip


@pytest.mark.row("E12")
def test_a_register_that_starts_anew_is_added_up_though_no_start_tells_it() -> None:
    desk = Desk("2.0.1")
    for n in range(4):
        first = n * 7_200
        event(desk, "Started", 0, first, evse=1, id=f"t{n}")
        for k in range(1, 7):
            desk.now_s += 600
            event(desk, "Updated", k, first + 600 * k, wh=1_000 * k, evse=1, id=f"t{n}")
        event(desk, "Ended", 7, first + 3_600, wh=6_100, evse=1, id=f"t{n}")
        desk.now_s += 3_600
    assert desk.station.evse(1).imported.total_wh == 4 * 6_100


def test_a_start_of_an_earlier_transaction_told_late_lets_no_register_fall() -> None:
    desk = Desk("2.0.1")
    desk.now_s += 7_200
    event(desk, "Started", 0, 3_600, wh=5_000, evse=1, id="later")
    event(desk, "Updated", 1, 3_700, wh=5_100, evse=1, id="later")
    event(desk, "Started", 0, 0, evse=1, id="earlier")
    event(desk, "Updated", 2, 3_800, wh=100, evse=1, id="later")
    evse = desk.station.evse(1)
    assert (evse.imported.total_wh, "fell" in evse.doubt) == (5_100, True)


@pytest.mark.row("E12")
def test_an_update_is_on_the_disk_before_it_is_answered(tmp_path: Path) -> None:
    desk = Desk("2.0.1", tmp_path)
    event(desk, "Started", 0, 0, wh=0, evse=1)
    desk.now_s += 3_600
    event(desk, "Updated", 1, 3_600, wh=7_000, evse=1)
    again = Desk("2.0.1", tmp_path)  # nothing was closed
    assert again.station.evse(1).imported.total_wh == 7_000
    again.now_s = desk.now_s + 3_600
    event(again, "Ended", 2, 3_700, evse=1)
    event(again, "Started", 0, 7_200, wh=0, evse=1, id="b")
    assert again.station.evse(1).imported.total_wh == 7_000


@pytest.mark.row("E12")
def test_a_server_killed_right_after_its_answer_has_kept_what_it_answered(tmp_path: Path) -> None:
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    told = [
        ("1.6", '[2,"1","StartTransaction",{"connectorId":1,"idTag":"C","meterStart":0,'
                '"timestamp":"2026-01-01T12:00:00Z"}]', 0),
        ("1.6", '[2,"2","StopTransaction",{"transactionId":-1,"meterStop":7000,"timestamp":"2026-01-01T13:00:00Z"}]',
         7_000),
        ("2.0.1", '[2,"3","TransactionEvent",{"eventType":"Updated","timestamp":"2026-01-01T13:00:00Z","seqNo":1,'
                  '"triggerReason":"MeterValueClock","transactionInfo":{"transactionId":"x"},"evse":{"id":1},'
                  '"meterValue":[{"timestamp":"2026-01-01T13:00:00Z","sampledValue":[{"value":9000}]}]}]', 9_000),
    ]  # fmt: skip
    for version, message, total_wh in told:
        server = subprocess.Popen([sys.executable, str(script), str(tmp_path)], stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            assert select.select([server.stdout], [], [], 60)[0], "it listens"
            url = f"ws://127.0.0.1:{int(server.stdout.readline())}/CP-1"
            with connect(url, subprotocols=[Subprotocol(f"ocpp{version}")], proxy=None, close_timeout=0.1) as link:
                link.send(message)
                assert str(link.recv(5)).startswith("[3")
                os.kill(server.pid, signal.SIGKILL)
        finally:
            server.kill()
            server.wait()
            server.stdout.close()  # type: ignore[union-attr]  # it is a pipe
        assert Desk("1.6", tmp_path).station.evse(1).imported.total_wh == total_wh


def test_a_transaction_is_where_its_later_events_say() -> None:
    desk = Desk("2.0.1")
    one, two = desk.station.evse(1), desk.station.evse(2)
    event(desk, "Started", 0, 0, wh=100)
    assert (one.sessions, two.sessions, one.imported.total_wh) == ([], [], None), "nothing is guessed"
    desk.now_s += 600
    event(desk, "Updated", 1, 600, wh=1_500, evse=2)
    assert one.session is None
    assert two.session is not None
    assert (two.session.id, two.imported.total_wh, one.imported.total_wh) == ("a", 1_500, None)
    event(desk, "Ended", 2, 660, wh=1_600)
    assert (two.session, two.imported.total_wh) == (None, 1_600)


def test_a_late_event_changes_no_charging_state() -> None:
    desk = Desk("2.0.1")
    event(desk, "Started", 0, 0, evse=1, chargingState="EVConnected")
    event(desk, "Updated", 2, 120, evse=1, chargingState="SuspendedEV")
    event(desk, "Updated", 1, 60, evse=1, chargingState="Charging")
    assert desk.station.evse(1).sessions[0].state == "SuspendedEV"


def test_a_station_that_leaves_ever_new_gaps_fills_no_memory() -> None:
    session = Session("a", 0)
    assert all(session.hear(2 * k) for k in range(1_000))
    assert len(session.seen) == KEPT_STRETCHES
    assert session.seen[-1] == [1_998, 1_998]
    assert session.hear(1_997)
    assert not session.hear(0)


def test_of_a_stations_many_connectors_few_are_kept() -> None:
    desk = Desk("2.0.1")
    for i in range(100):
        desk.say("StatusNotification", timestamp=at(0), connectorStatus="Occupied", evseId=1, connectorId=i)
    assert len(desk.station.evse(1).connectors) == 8


def test_a_restart_forgets_what_the_station_could_and_lets_both_registers_start_anew() -> None:
    desk = Desk("2.0.1")
    desk.station.facts["trigger"] = False
    evse = desk.station.evse(1)
    evse.take(sample(0, 5_000, 3_000), 0)
    desk.say("BootNotification", reason="PowerUp", chargingStation={"vendorName": "v", "model": "m"})
    assert "trigger" not in desk.station.facts
    evse.take(sample(60, 10, 20), 60)
    assert (evse.imported.total_wh, evse.exported.total_wh, evse.doubt) == (5_010, 3_020, "")


def test_a_restart_repeats_no_number_of_a_remote_start() -> None:
    desk = Desk("2.0.1")
    desk.station.facts |= {"remote start": 7, "report asked": 3}
    desk.say("BootNotification", reason="PowerUp", chargingStation={"vendorName": "v", "model": "m"})
    assert desk.station.facts == {"remote start": 7, "report asked": 3}


def test_a_late_sample_lets_no_register_start_anew_twice() -> None:
    evse = Evse(1, reset={"import"})
    evse.sampled_s = 100
    evse.imported.take(500, 50, 100, 0)
    evse.take(sample(60, 600), 100)
    assert evse.reset == {"import"}, "only what is newer says that it did not"


def test_what_was_asked_for_is_the_newest_whatever_its_clock_says() -> None:
    evse = Evse(1)
    evse.take(sample(100, 500, power_w=7_000), 100)
    evse.take(sample(60, 500, power_w=0), 160)
    assert (evse.power_w, evse.heard_s, evse.told_s) == (7_000, 100, 160)
    evse.take(sample(60, 500, power_w=0, asked=True), 170)
    assert (evse.power_w, evse.heard_s) == (0, 170)


def test_what_cannot_be_true_is_told_but_makes_nothing_fresh() -> None:
    evse = Evse(1, fuse_w=7_360)
    evse.take(sample(0, 500, power_w=7_360 * 5 // 4 + 100), 0)
    assert evse.doubt == ""
    evse.take(sample(60, 600, power_w=7_360 * 5 // 4 + 101), 60)
    assert evse.doubt
    assert (evse.heard_s, evse.told_s, evse.imported.total_wh) == (0, 60, 500)


@pytest.mark.parametrize(("status", "plugged"), [("Finishing", True), ("Reserved", False), ("", None)])
def test_a_car_is_at_the_plug_until_it_is_pulled(status: str, plugged: bool | None) -> None:
    assert Evse(1, status=status).plugged is plugged


def sample(
    at_s: int, wh: int, out_wh: int | None = None, *, power_w: int | None = None, asked: bool = False,
    currents: Currents | None = None,
) -> Sample:  # fmt: skip
    return Sample(at_s, wh, out_wh, power_w, None, None, asked, currents)


def test_a_state_is_as_old_as_what_it_shows() -> None:
    desk = Desk("2.0.1")
    desk.station.link = object()  # type: ignore[assignment]  # a line on which nothing is asked
    desk.station.facts["trigger"] = False
    device = OcppDevice(CHARGER, OcppSettings(), desk.server, "CP-1", Doors(clock=lambda: instant(desk.now_s)))
    event(desk, "Started", 0, 0, wh=100, evse=1)
    desk.now_s += 80
    desk.say("Heartbeat")
    event(desk, "Updated", 1, -60, wh=90, evse=1)
    state = asyncio.run(device.read())
    assert (state.at, state.import_wh) == (instant(desk.now_s - 80), 100)
    event(desk, "Ended", 2, 80, evse=1)
    desk.now_s += 60
    desk.say("Heartbeat")
    state = asyncio.run(device.read())
    assert (state.at, state.power_w) == (instant(desk.now_s), 0), "where nothing is charged it is enough that it lives"


def test_a_station_that_tells_of_ever_new_evses_and_endless_names_fills_no_memory() -> None:
    desk = Desk("2.0.1")
    long = "x" * 100_000
    for n in range(300):
        desk.say("NotifyEVChargingSchedule", timeBase=at(0), evseId=n, chargingSchedule={"id": n, "more": long})
        variable = {"component": {"name": long}, "variable": {"name": str(n)}, "variableAttribute": [{"value": long}]}
        desk.say("NotifyReport", requestId=1, generatedAt=at(0), seqNo=n, reportData=[variable])
    station = desk.station
    kept = sum(len(name) + len(value or "") for name, value in station.model.items())
    assert 0 < kept < 5_000
    assert len(repr(station.facts)) < 5_000


def test_amperes_show_a_power_until_one_is_told_and_doubt_nothing() -> None:
    evse = Evse(1, fuse_w=7_360, phases=3)
    evse.take(sample(0, 500, currents=Currents(0, 10_000, None)), 0)
    assert evse.power_w == 6_900
    evse.take(sample(60, 600, currents=Currents(0, 32_000, None)), 60)
    assert (evse.power_w, evse.doubt, evse.imported.total_wh) == (6_900, "", 600), "it has one phase after all"
    evse.take(sample(120, 700, power_w=3_000), 120)
    evse.take(sample(180, 800, currents=Currents(0, 10_000, None)), 180)
    assert (evse.power_w, evse.imported.total_wh) == (3_000, 800)


def test_values_that_an_offline_station_kept_back_are_as_old_as_they_are() -> None:
    for wrong_s in (0, -5_000, 300):  # whatever its clock shows
        evse, began_s = Evse(1), NOON_S + wrong_s
        evse.take(sample(began_s, 500, power_w=7_000), NOON_S + 2)
        assert evse.heard_s == NOON_S + 2
        for minute in range(1, 20):
            evse.take(sample(began_s + 60 * minute, 500 + 100 * minute, power_w=7_000), NOON_S + 3_600)
        assert (evse.imported.total_wh, evse.heard_s) == (2_400, NOON_S + 2 + 60 * 19)
        evse.take(sample(began_s + 3_601, 2_500, power_w=0), NOON_S + 3_603)
        assert (evse.power_w, evse.heard_s) == (0, NOON_S + 3_603)


def test_a_clock_that_is_set_back_makes_what_is_told_live_look_old_once_and_what_is_asked_for_never() -> None:
    evse = Evse(1)
    evse.take(sample(7_200, 500), 7_200)
    evse.take(sample(60, 600), 7_260)
    assert evse.heard_s == 7_200
    evse.take(sample(120, 700), 7_320)
    assert evse.heard_s == 7_320
    evse.take(sample(50, 800), 7_400)
    evse.take(sample(51, 800, asked=True), 7_401)
    assert evse.heard_s == 7_401

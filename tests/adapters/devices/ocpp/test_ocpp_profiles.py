"""Stations of every kind made to hold a power, over real sockets, by stations that check every message."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from commonwatt.adapters.devices.driver import DeviceSpec, Doors
from commonwatt.adapters.devices.ocpp.device import OcppDevice, open_device
from commonwatt.adapters.devices.ocpp.frames import CallRefused
from commonwatt.adapters.devices.ocpp.reports import device_model
from commonwatt.model import AccountId, Ack, Asset, AssetId, AssetKind, Band, Command, GatewayId, InvalidValue, instant
from commonwatt.simulator.devices.ocpp_station import OcppStation, running
from commonwatt.simulator.plant import Plant

NOON_S = 1_767_268_800
CAR = Asset(
    id=AssetId("car"), owner=AccountId("anna"), gateway=GatewayId("gw-1"), kind=AssetKind.VEHICLE, zone="lane",
    max_import_w=11_040, max_export_w=10_000, min_import_w=1_380, capacity_wh=64_000,
)  # fmt: skip


@dataclass(slots=True)
class Place:
    """A station, our device of it, and the time on both sides."""

    station: OcppStation
    device: OcppDevice
    plant: Plant

    async def hold(self, lo_w: int, hi_w: int | None = None, seconds: int = 300) -> Ack:
        expires = instant(self.plant.now_s) + timedelta(seconds=seconds)
        band = Band(lo_w=lo_w, hi_w=lo_w if hi_w is None else hi_w)
        return await self.device.apply(Command(id="c", asset=CAR.id, band=band, expires=expires, reason="test"))

    def told(self, action: str) -> list[dict[str, Any]]:
        return [payload for its, payload in self.station.heard if its == action]


@asynccontextmanager
async def place(version: str, settings: dict[str, Any], plug: bool = True, **kind: Any) -> AsyncIterator[Place]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    plant = Plant(asset=CAR, now_s=NOON_S, level_wh=32_000, own_w=lambda: CAR.max_import_w)
    async with Doors(clock=lambda: instant(plant.now_s)) as doors:
        url = f"ws://127.0.0.1:{port}/CP%201"
        spec = DeviceSpec(asset=CAR.id, driver="ocpp", url=url, settings={"answer_within_s": 1.0, **settings})
        device = await open_device(CAR, spec, doors)
        station = OcppStation(plant=plant, version=version, url=url, **kind)
        async with running(station):
            await asyncio.wait_for(station.up(), 5)
            if plug:
                await station.plug()
                await station.tell()
            yield Place(station, device, plant)


def play(
    story: Callable[[Place], Awaitable[None]], version: str, settings: dict[str, Any] | None = None, **kind: Any
) -> None:
    async def whole() -> None:
        async with asyncio.timeout(20), place(version, settings or {}, **kind) as here:
            await story(here)

    asyncio.run(whole())


@pytest.mark.row("W9", "E12")
def test_a_limit_in_amperes_is_rounded_down_and_told_as_it_was_taken() -> None:
    async def story(here: Place) -> None:
        ack = await here.hold(0, 5_000)
        assert ack.taken is not None
        assert ack.taken.hi_w == 4_830  # 7 A on three phases
        profile = here.told("SetChargingProfile")[-1]["csChargingProfiles"]
        assert profile["chargingProfilePurpose"] == "TxProfile"
        assert str(profile["transactionId"]) == here.station.transaction
        assert profile["chargingSchedule"]["startSchedule"] == "2026-01-01T11:59:00Z"
        assert profile["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] == 7
        assert here.plant.power_w == 4_830

    play(story, "1.6", {"phases": 3}, unit="A")


def test_a_pause_keeps_the_transaction() -> None:
    async def story(here: Place) -> None:
        ack = await here.hold(0)
        assert ack.taken is not None
        assert ack.taken.hi_w == 0
        assert here.plant.power_w == 0
        assert here.station.transaction is not None
        assert not here.told("RemoteStopTransaction")

    play(story, "1.6")


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_a_station_that_takes_no_profile_of_a_transaction_gets_another_and_is_remembered(version: str) -> None:
    async def story(here: Place) -> None:
        ack = await here.hold(0, 4_600)
        assert ack.taken is not None
        assert here.plant.power_w == 4_600
        tried = len(here.told("SetChargingProfile"))
        assert tried == 3
        await here.hold(0, 3_680)
        assert len(here.told("SetChargingProfile")) == tried + 1, "what worked is tried first"
        assert here.plant.power_w == 3_680

    play(story, version, rejects=frozenset({"TxProfile", "TxDefaultProfile"}))


def test_a_station_that_takes_none_says_so_in_the_answer() -> None:
    async def story(here: Place) -> None:
        ack = await here.hold(0, 4_600)
        assert ack.taken is None
        assert "takes no profile" in ack.why
        assert "Rejected" in ack.why

    rejects = frozenset({"TxProfile", "TxDefaultProfile", "ChargePointMaxProfile"})
    play(story, "1.6", rejects=rejects)


def test_without_a_transaction_none_is_named() -> None:
    async def story(here: Place) -> None:
        ack = await here.hold(0, 4_600)
        assert ack.taken is not None
        purposes = [one["csChargingProfiles"]["chargingProfilePurpose"] for one in here.told("SetChargingProfile")]
        assert purposes == ["TxDefaultProfile"]

    play(story, "1.6", plug=False)


def test_a_station_that_knows_level_zero_only_gets_level_zero() -> None:
    async def story(here: Place) -> None:
        assert (await here.hold(0, 4_600)).taken is not None
        assert not here.told("GetConfiguration") or here.told("SetChargingProfile")
        assert here.told("SetChargingProfile")[0]["csChargingProfiles"]["stackLevel"] == 0

    play(story, "1.6", {"stack_level_zero": True}, levels=0)
    play(story, "1.6", levels=0)  # or says so itself


def test_a_profile_that_overrules_ours_is_told_in_the_answer() -> None:
    async def story(here: Place) -> None:
        station = here.station
        station.stack.add(
            {"chargingProfileId": 1, "stackLevel": 1, "chargingProfilePurpose": "ChargePointMaxProfile",
             "chargingProfileKind": "Absolute", "chargingSchedule": {
                "startSchedule": "2026-01-01T00:00:00Z", "chargingRateUnit": "W",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 2_300}]}}, NOON_S)  # fmt: skip
        ack = await here.hold(0, 7_360)
        assert ack.taken is not None
        assert ack.taken.hi_w == 2_300
        assert "overrules" in ack.why

    play(story, "1.6")


def test_what_was_told_ends_by_itself_and_at_release() -> None:
    async def story(here: Place) -> None:
        await here.hold(0, 3_680, seconds=20)
        here.plant.pass_time(20)
        await here.station.tell()
        assert here.plant.power_w == CAR.max_import_w
        await here.hold(0, 3_680)
        await here.device.release()
        assert here.plant.power_w == CAR.max_import_w
        await here.device.release()

    for version in ("1.6", "2.0.1", "2.1"):
        play(story, version)


def test_a_station_that_cannot_clear_is_allowed_its_most() -> None:
    async def story(here: Place) -> None:
        await here.hold(0, 3_680)
        await here.device.release()
        assert here.plant.power_w == CAR.max_import_w

    play(story, "1.6", {"cannot_clear": True}, clears=False)


def test_a_station_with_a_wrong_clock_is_told_relative_to_the_start_of_its_transaction() -> None:
    async def story(here: Place) -> None:
        here.plant.pass_time(3_600)
        await here.station.tell()
        await here.hold(0, 3_680, seconds=30)
        assert here.plant.power_w == 3_680, "also an hour after it began"
        profile = here.told("SetChargingProfile")[-1]["csChargingProfiles"]
        assert profile["chargingProfileKind"] == "Relative"
        assert "validTo" not in profile
        assert profile["chargingSchedule"]["duration"] == 3_630
        here.plant.pass_time(30)
        await here.station.tell()
        assert here.plant.power_w == CAR.max_import_w

    play(story, "1.6", {"relative": True})


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_a_charge_is_begun_from_afar_where_a_car_waits_and_ended_when_asked(version: str) -> None:
    async def story(here: Place) -> None:
        assert here.station.transaction is None
        here.device.evse.status = "Preparing" if version == "1.6" else "Occupied"
        ack = await here.hold(0, 3_680)
        assert ack.why == ""
        async with asyncio.timeout(2):
            while here.device.evse.session is None or here.station.transaction == "-1":
                await asyncio.sleep(0.01)
        assert here.plant.power_w == 3_680
        assert await here.device.stop_session() == ""
        async with asyncio.timeout(2):
            while here.device.evse.session is not None:
                await asyncio.sleep(0.01)
        assert await here.device.stop_session() == "no transaction runs"

    play(story, version, {"remote_start_id_tag": "CAR"}, plug=False)


def test_supply_is_refused_in_words_where_it_cannot_be() -> None:
    async def story(here: Place) -> None:
        ack = await here.hold(-5_000)
        assert ack.taken is None
        assert "cannot supply" in ack.why
        assert not here.told("SetChargingProfile")

    play(story, "1.6", {"bidirectional": True})
    play(story, "2.0.1")
    play(story, "2.1")


@pytest.mark.row("W9")
def test_a_bidirectional_station_of_2_1_supplies_what_it_is_told() -> None:
    async def story(here: Place) -> None:
        ack = await here.hold(-5_000)
        assert ack.taken == Band(lo_w=-5_000, hi_w=-5_000)
        assert here.plant.power_w == -5_000
        period = here.told("SetChargingProfile")[-1]["chargingProfile"]["chargingSchedule"][0]["chargingSchedulePeriod"]
        assert period == [
            {"startPeriod": 0, "limit": 0, "operationMode": "CentralSetpoint", "setpoint": -5_000,
             "dischargeLimit": -5_000}]  # fmt: skip
        here.plant.pass_time(360)
        await here.station.tell()
        state = await here.device.read()
        assert state.export_wh == here.plant.export_wh > 0

    play(story, "2.1", {"bidirectional": True})


@pytest.mark.row("W9")
def test_a_bidirectional_station_that_counts_amperes_supplies_no_more_than_it_is_told() -> None:
    async def story(here: Place) -> None:
        ack = await here.hold(-7_500)
        assert here.plant.power_w == -7_360
        assert ack.taken == Band(lo_w=-7_360, hi_w=-7_360)
        await here.hold(5_000)
        assert here.plant.power_w == 4_830

    play(story, "2.1", {"bidirectional": True, "phases": 1}, unit="A")


def test_a_meter_that_starts_anew_with_each_transaction_is_added_up() -> None:
    async def story(here: Place) -> None:
        for _ in range(3):
            here.plant.pass_time(900)
            await here.station.tell()
            await here.station.unplug()
            here.plant.now_s += 60
            await here.station.plug()
        assert (await here.device.read()).import_wh == here.plant.import_wh > 8_000

    for version in ("1.6", "2.0.1"):
        play(story, version, per_transaction=True)


def test_what_happened_while_the_line_was_down_arrives_later_and_counts_once() -> None:
    async def story(here: Place) -> None:
        url, here.station.url = here.station.url, "ws://127.0.0.1:9/nobody"
        assert here.station._link is not None
        here.station._link.transport.abort()
        await asyncio.sleep(0.05)
        for _ in range(3):
            here.plant.pass_time(300)
            await here.station.tell()
        await here.station.unplug()
        here.plant.now_s += 60
        await here.station.plug()
        here.station.url = url
        await asyncio.wait_for(here.station.up(), 5)
        await here.station.tell()
        await here.station.repeat()
        assert (await here.device.read()).import_wh == here.plant.import_wh > 2_000
        sessions = here.device.evse.sessions
        assert [session.ended for session in sessions] == [True, False]

    for version in ("1.6", "2.0.1", "2.1"):
        play(story, version)


def test_an_old_reading_is_asked_for_anew() -> None:
    async def story(here: Place) -> None:
        here.plant.pass_time(600)
        assert (await here.device.read()).import_wh == here.plant.import_wh > 1_000

    for version in ("1.6", "2.0.1"):
        play(story, version)


def test_the_device_model_comes_in_pieces_and_is_whole_at_the_end() -> None:
    async def story(here: Place) -> None:
        told = await device_model(here.device.station)
        assert told == {"SmartChargingCtrlr.RateUnit": "W", "EVSE.1.Power": "11040"}

    for version in ("2.0.1", "2.1"):
        play(story, version)


def test_1_6_has_no_device_model() -> None:
    async def story(here: Place) -> None:
        with pytest.raises(CallRefused):
            await device_model(here.device.station)

    play(story, "1.6")


@pytest.mark.parametrize("settings", [{"conector": 1}, {"phases": 4}, {"rate_unit": "kW"}, {"lease_s": 0}])
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    async def opened() -> None:
        async with Doors() as doors:
            spec = DeviceSpec(asset=CAR.id, driver="ocpp", url="ws://127.0.0.1:9100/CP", settings=settings)
            with pytest.raises(InvalidValue):
                await open_device(CAR, spec, doors)
            with pytest.raises(InvalidValue):
                await open_device(CAR, DeviceSpec(asset=CAR.id, driver="ocpp", url="http://x/CP"), doors)

    asyncio.run(opened())

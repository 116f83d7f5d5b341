"""What a station holds while transactions come and go, and what we make of stations that answer oddly or not at all."""

import asyncio
from typing import Any, cast

import pytest
from test_ocpp_profiles import CAR, NOON_S, Place, play
from websockets.asyncio.server import ServerConnection

from commonwatt.adapters.devices.ocpp import profiles
from commonwatt.adapters.devices.ocpp.evse import Evse
from commonwatt.adapters.devices.ocpp.limits import Grid, Wanted
from commonwatt.adapters.devices.ocpp.station import Station
from commonwatt.model import Band, InvalidValue, Unreachable, instant

WANTED = Wanted(3_680, 0, None, instant(NOON_S), instant(NOON_S + 300))


class Told(Station):
    """A station that answers as a test says, by action; what is missing is accepted."""

    def __init__(self, version: str, answers: dict[str, Any]) -> None:
        super().__init__("CP", registered=True, remember=lambda _: None, kept=None)
        self.version, self.answers, self.calls = version, answers, list[tuple[str, dict[str, Any]]]()
        self.link = cast("ServerConnection", object())

    async def call(self, action: str, payload: dict[str, Any], within_s: float | None = None) -> dict[str, Any]:
        self.calls.append((action, payload))
        answer = self.answers.get(action, {"status": "Accepted"})
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)

    def hold(self, evse: Evse, **how: Any) -> tuple[int | None, int | None]:
        how = {"stack_level": 3, "relative": False, **how}
        return asyncio.run(profiles.hold(self, evse, WANTED, Grid(), **how))


@pytest.mark.row("E12", "X4")
@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_the_next_transaction_begins_with_the_limit_that_stands(version: str) -> None:
    async def story(here: Place) -> None:
        await here.hold(0, 3_680)
        await here.station.unplug()
        here.plant.now_s += 9
        await here.station.plug()
        assert here.plant.power_w == 3_680, "before anybody told it anything"
        await here.hold(0, 2_300)
        assert here.plant.power_w == 2_300
        await here.device.release()
        assert here.station.stack.profiles == []
        assert here.plant.power_w == CAR.max_import_w

    play(story, version)


def test_where_the_profile_is_changed_in_place_the_next_transaction_waits_for_its_own() -> None:
    async def story(here: Place) -> None:
        await here.hold(0, 7_360)
        await here.hold(0, 0)
        await here.station.unplug()
        await here.station.plug()
        assert here.plant.power_w == 0

    play(story, "2.1", {"bidirectional": True, "dynamic": True})


def test_a_station_that_takes_a_transactions_own_profile_only_is_not_asked_for_more_each_time() -> None:
    async def story(here: Place) -> None:
        await here.hold(0, 3_680)
        await here.hold(0, 2_300)
        purposes = [one["csChargingProfiles"]["chargingProfilePurpose"] for one in here.told("SetChargingProfile")]
        assert purposes == ["TxDefaultProfile", "TxProfile", "TxProfile"]

    play(story, "1.6", rejects=frozenset({"TxDefaultProfile"}))


async def until_it_draws(here: Place, power_w: int) -> None:
    async with asyncio.timeout(5):
        while here.plant.power_w != power_w:
            await asyncio.sleep(0.01)


@pytest.mark.row("E12", "X4")
@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_a_station_that_takes_no_default_is_told_again_as_soon_as_the_next_transaction_begins(version: str) -> None:
    async def story(here: Place) -> None:
        await here.hold(0, 3_680)
        await here.station.unplug()
        here.plant.now_s += 9
        told = len(here.told("SetChargingProfile"))
        await here.station.plug()
        await until_it_draws(here, 3_680)
        profile = here.told("SetChargingProfile")[told]
        made = profile.get("csChargingProfiles") or profile["chargingProfile"]
        assert str(made["transactionId"]) == here.station.transaction, "it is the new one's own, and nobody wrote it"
        await here.device.release()
        await here.station.unplug()
        await here.station.plug()
        await asyncio.sleep(0.1)
        assert here.plant.power_w == CAR.max_import_w, "what was let go is not told again"
        await here.hold(0, 2_300)
        await here.station.unplug()
        here.plant.now_s += 301
        await here.station.plug()
        await asyncio.sleep(0.1)
        assert here.plant.power_w == CAR.max_import_w, "nor is what ran out"

    play(story, version, rejects=frozenset({"TxDefaultProfile"}))


@pytest.mark.parametrize("version", ["1.6", "2.1"])
def test_a_station_that_lost_its_profiles_with_its_power_is_told_as_soon_as_a_transaction_begins(version: str) -> None:
    async def story(here: Place) -> None:
        await here.hold(0, 3_680)
        here.plant.now_s += 9
        told = len(here.told("SetChargingProfile"))
        await here.station.restart()
        await until_it_draws(here, 3_680)
        assert len(here.told("SetChargingProfile")) > told, "and did not know it by itself"

    play(story, version)


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_a_relative_default_lasts_in_the_next_transaction_no_longer_than_the_command(version: str) -> None:
    async def story(here: Place) -> None:
        here.plant.pass_time(3_600)
        await here.station.tell()
        await here.hold(0, 3_680)
        await here.station.unplug()
        here.plant.pass_time(200)
        await here.station.plug()
        assert here.plant.power_w == 3_680, "before anybody told it anything"
        async with asyncio.timeout(5):
            while len(here.told("SetChargingProfile")) < 4:
                await asyncio.sleep(0.01)
        here.station.follow()
        here.plant.pass_time(99)
        assert here.plant.power_w == 3_680
        here.plant.pass_time(1)
        here.station.follow()
        assert here.plant.power_w == CAR.max_import_w

    play(story, version, {"relative": True})


def test_a_relative_default_that_waited_too_long_is_cleared_at_the_start() -> None:
    async def story(here: Place) -> None:
        await here.hold(0, 3_680)
        await here.station.unplug()
        here.plant.pass_time(400)
        await here.station.plug()
        await until_it_draws(here, CAR.max_import_w)
        assert here.station.stack.profiles == []

    play(story, "1.6", {"relative": True})


@pytest.mark.parametrize(
    ("version", "number", "where"), [("1.6", "chargingProfileId", "connectorId"), ("2.1", "id", "evseId")]
)
def test_each_evse_has_profiles_of_its_own_number_and_is_asked_itself(version: str, number: str, where: str) -> None:
    station = Told(version, {})
    second = station.evse(2)
    second.begin("7", NOON_S)
    station.hold(second)
    asyncio.run(profiles.let_go(station, second))
    sent = [payload for action, payload in station.calls if action == "SetChargingProfile"]
    made = [one.get("csChargingProfiles") or one["chargingProfile"] for one in sent]
    assert [one[where] for one in sent] == [2, 2]
    assert [one[number] for one in made] == [2_002, 1_002]
    assert next(payload[where] for action, payload in station.calls if action == "GetCompositeSchedule") == 2
    cleared = [payload for action, payload in station.calls if action == "ClearChargingProfile"]
    assert [next(iter(one.values())) for one in cleared] == [1_002, 2_002, 3_002]


def test_a_limit_of_the_whole_station_is_none_of_one_of_its_evses() -> None:
    station = Told("1.6", {"SetChargingProfile": {"status": "Rejected"}})
    station.evse(2)
    with pytest.raises(profiles.NotHeld, match="other EVSEs"):
        station.hold(station.evse(1))
    assert [payload["connectorId"] for _, payload in station.calls] == [1]


def test_what_was_taken_is_held_whatever_becomes_of_the_question_what_is_held() -> None:
    for odd in (InvalidValue("0.0"), Unreachable("silent"), {"status": "Accepted", "chargingSchedule": {}}):
        station = Told("1.6", {"GetCompositeSchedule": odd})
        assert station.hold(station.evse(1)) == (None, None)
        station.hold(station.evse(1))
        asked = [action for action, _ in station.calls].count("GetCompositeSchedule")
        assert asked == (1 if isinstance(odd, Unreachable) else 2), "who gives no answer is not waited for again"


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_a_station_that_gives_no_answer_about_its_settings_is_told_all_the_same(version: str) -> None:
    silent = {"GetConfiguration": Unreachable("silent"), "GetVariables": Unreachable("silent")}
    station = Told(version, silent)
    assert asyncio.run(profiles.rate_unit(station)) == "W"
    station.hold(station.evse(1), stack_level=None)
    station.hold(station.evse(1), stack_level=None)
    assert [action for action, _ in station.calls].count("SetChargingProfile") == 2
    assert sum(action in silent for action, _ in station.calls) == 2, "each setting is asked for once"
    station.facts.clear()
    station.link = None
    with pytest.raises(Unreachable):
        asyncio.run(profiles.rate_unit(station))


def test_a_transaction_of_another_version_is_none_that_can_be_told_anything() -> None:
    station = Told("1.6", {})
    evse = station.evse(1)
    evse.begin("e1c3-of-2.0.1", NOON_S)
    station.hold(evse)
    assert [payload["csChargingProfiles"]["chargingProfilePurpose"] for action, payload in station.calls
            if action == "SetChargingProfile"] == ["TxDefaultProfile"]  # fmt: skip
    assert asyncio.run(profiles.stop_session(station, evse)) == "no transaction runs"


def test_profiles_that_are_not_cleared_are_not_taken_for_gone() -> None:
    for status, gone in (("Accepted", True), ("Unknown", True), ("Rejected", False)):
        station = Told("1.6", {"ClearChargingProfile": {"status": status}})
        assert asyncio.run(profiles.let_go(station, station.evse(1))) == gone


def test_starts_from_afar_have_numbers_that_do_not_come_again_after_a_boot() -> None:
    numbers = set()
    for _ in range(4):
        station = Told("2.1", {})
        asyncio.run(profiles.start_session(station, station.evse(1), "CAR"))
        numbers.add(station.calls[0][1]["remoteStartId"])
    assert len(numbers) == 4


def test_a_limit_below_the_set_point_is_told_in_the_answer() -> None:
    async def story(here: Place) -> None:
        here.station.stack.add(
            {"id": 1, "stackLevel": 1, "chargingProfilePurpose": "ChargingStationMaxProfile",
             "chargingProfileKind": "Absolute", "chargingSchedule": [{
                "id": 1, "startSchedule": "2026-01-01T00:00:00Z", "chargingRateUnit": "W",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 0}]}]}, NOON_S)  # fmt: skip
        ack = await here.hold(5_000)
        assert ack.taken == Band(lo_w=0, hi_w=0)
        assert "allows 0 W" in ack.why

    play(story, "2.1", {"bidirectional": True})


def test_more_amperes_than_one_phase_has_are_refused_where_nobody_said_how_many_there_are() -> None:
    async def story(here: Place) -> None:
        ack = await here.hold(0, 11_040)
        assert ack.taken is None
        assert "by phases" in ack.why
        assert (await here.hold(0, 7_360)).taken == Band(lo_w=0, hi_w=7_360)

    play(story, "1.6", unit="A")

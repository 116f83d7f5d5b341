"""What real stations and other people's simulators were seen to do wrong, each played back over a real socket.

The facts are of the issues named in each test and in docs/reference/ocpp-quirks.md; the messages are written by us.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ocpp_yard import CHARGER, now
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from commonwatt.adapters.devices.driver import Doors
from commonwatt.adapters.devices.ocpp.device import OcppDevice
from commonwatt.adapters.devices.ocpp.server import serving
from commonwatt.adapters.devices.ocpp.settings import OcppSettings
from commonwatt.model import Ack, Band, Command

Told = dict[str, Any]
Answers = Callable[[str, Told], Told | None]
LIST = Path(__file__).parents[4] / "docs/reference/ocpp-quirks.md"
BOOTS = {
    "1.6": {"chargePointVendor": "vendor", "chargePointModel": "model"},
    "2.0.1": {"reason": "PowerUp", "chargingStation": {"vendorName": "vendor", "model": "model"}},
}


class Foreign:
    """A station of somebody else's: it says what it is made to, and answers by a rule; None is a CALLERROR."""

    def __init__(self, device: OcppDevice, version: str, answers: Answers) -> None:
        self.device, self.version, self.answers = device, version, answers
        self.heard: list[tuple[str, Told]] = []
        self.link: ClientConnection
        self._answers: asyncio.Queue[Any] = asyncio.Queue()
        self._ids = 0

    async def listen(self) -> None:
        with suppress(ConnectionClosed):
            async for raw in self.link:
                frame = json.loads(raw)
                if frame[0] != 2:
                    self._answers.put_nowait(frame)
                    continue
                self.heard.append((frame[2], frame[3]))
                told = self.answers(frame[2], frame[3])
                made = [4, frame[1], "NotSupported", "", {}] if told is None else [3, frame[1], told]
                await self.link.send(json.dumps(made))

    async def say(self, action: str, **payload: Any) -> Any:
        """Say something, and return the frame by which it is answered."""
        self._ids += 1
        await self.link.send(json.dumps([2, str(self._ids), action, payload]))
        return await asyncio.wait_for(self._answers.get(), 5)

    async def charge(self) -> None:
        """Begin a transaction."""
        if self.version == "1.6":
            told = {"connectorId": 1, "idTag": "CAR", "meterStart": 100, "timestamp": stamp()}
            assert (await self.say("StartTransaction", **told))[0] == 3
        else:
            info, where = {"transactionId": "a"}, {"id": 1, "connectorId": 1}
            told = {"eventType": "Started", "timestamp": stamp(), "triggerReason": "CablePluggedIn", "seqNo": 0}
            assert (await self.say("TransactionEvent", **told, transactionInfo=info, evse=where))[0] == 3

    async def hold(self, lo_w: int, hi_w: int) -> Ack:
        """Let our side hold it within a band."""
        band, expires = Band(lo_w=lo_w, hi_w=hi_w), now() + timedelta(seconds=300)
        return await self.device.apply(Command(id="c", asset=CHARGER.id, band=band, expires=expires, reason="test"))

    def told(self, action: str) -> list[Told]:
        return [payload for its, payload in self.heard if its == action]

    @property
    def profiles(self) -> list[Told]:
        """The profiles that it was told, of any version."""
        return [one.get("csChargingProfiles") or one["chargingProfile"] for one in self.told("SetChargingProfile")]


def play(
    version: str, answers: Answers, story: Callable[[Foreign], Awaitable[None]], asset: Any = CHARGER, **settings: Any
) -> None:
    async def whole() -> None:
        async with asyncio.timeout(20), serving("127.0.0.1", 0, now) as server:
            device = OcppDevice(asset, OcppSettings(**settings), server, "CP-1", Doors(clock=now))
            foreign = Foreign(device, version, answers)
            names = [Subprotocol(f"ocpp{version}")]
            url = f"ws://127.0.0.1:{server.port}/CP-1"
            async with connect(url, subprotocols=names, proxy=None, close_timeout=0.1) as foreign.link:
                listening = asyncio.create_task(foreign.listen())
                assert (await foreign.say("BootNotification", **BOOTS.get(version, BOOTS["2.0.1"])))[0] == 3
                await story(foreign)
                listening.cancel()

    asyncio.run(whole())


def stamp(seconds: int = 0) -> str:
    return (now() + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def willing(action: str, asked: Told) -> Told | None:
    """Take every profile and tell no composite schedule: what most stations do."""
    if action in ("SetChargingProfile", "ClearChargingProfile"):
        return {"status": "Accepted"}
    return {"configurationKey": [], "unknownKey": asked.get("key", [])} if action == "GetConfiguration" else None


def profile_of(asked: Told) -> Told:
    found: Told = asked.get("csChargingProfiles") or asked["chargingProfile"]
    return found


def test_a_station_that_takes_level_zero_only_though_it_says_ten_is_told_level_zero_where_that_is_set() -> None:
    # ABB: evcc-io/evcc#15493, evcc-io/evcc#4957.
    def abb(action: str, asked: Told) -> Told | None:
        if action == "GetConfiguration":
            return {"configurationKey": [{"key": key, "readonly": True, "value": "10"} for key in asked["key"]]}
        if action == "SetChargingProfile" and profile_of(asked)["stackLevel"] != 0:
            return {"status": "Rejected"}
        return willing(action, asked)

    async def without(station: Foreign) -> None:
        await station.charge()
        ack = await station.hold(0, 3_680)
        assert ack.taken is None
        assert "takes no profile" in ack.why

    async def with_it(station: Foreign) -> None:
        await station.charge()
        assert (await station.hold(0, 3_680)).taken == Band(lo_w=0, hi_w=3_680)

    play("1.6", abb, without, rate_unit="W")
    play("1.6", abb, with_it, rate_unit="W", stack_level_zero=True)


def test_a_station_that_clears_nothing_is_allowed_its_most_and_never_asked_to_clear() -> None:
    # go-e: goecharger/go-eCharger-API-v2#187.
    async def story(station: Foreign) -> None:
        await station.charge()
        await station.hold(0, 3_680)
        await station.device.release()
        assert station.told("ClearChargingProfile") == []
        assert limits(station.profiles[-1]) == [CHARGER.max_import_w]
        assert "validTo" in station.profiles[-1]

    play("1.6", willing, story, rate_unit="W", cannot_clear=True)


def test_without_a_transaction_no_profile_of_one_is_sent_and_a_missing_maximum_is_said_in_words() -> None:
    # lbbrhzn/ocpp#221: such a TxProfile has to be rejected; lbbrhzn/ocpp#1703: many have no ChargePointMaxProfile.
    def poor(action: str, asked: Told) -> Told | None:
        if action != "SetChargingProfile":
            return willing(action, asked)
        purpose = profile_of(asked)["chargingProfilePurpose"]
        return {"status": {"ChargePointMaxProfile": "NotSupported"}.get(purpose, "Rejected")}

    async def story(station: Foreign) -> None:
        ack = await station.hold(0, 3_680)
        purposes = [one["chargingProfilePurpose"] for one in station.profiles]
        assert purposes == ["TxDefaultProfile", "ChargePointMaxProfile"]
        assert ack.taken is None
        assert "NotSupported" in ack.why

    play("1.6", poor, story, rate_unit="W")


def test_a_station_that_rejects_good_profiles_for_a_while_is_told_again_and_believed_then() -> None:
    # Wallbox Pulsar: evcc-io/evcc#15864.
    refused: list[Told] = []

    def moody(action: str, asked: Told) -> Told | None:
        if action == "SetChargingProfile" and len(refused) < 3:
            refused.append(asked)
            return {"status": "Rejected"}
        return willing(action, asked)

    async def story(station: Foreign) -> None:
        await station.charge()
        first = await station.hold(0, 3_680)
        assert first.taken is None
        assert "Rejected" in first.why
        assert (await station.hold(0, 3_680)).taken == Band(lo_w=0, hi_w=3_680)

    play("1.6", moody, story, rate_unit="W")


def test_anothers_profile_that_stands_above_ours_is_told_as_what_really_holds() -> None:
    # A TxDefaultProfile of ours overruled by somebody's TxProfile: evcc-io/evcc#9766.
    def overruled(action: str, asked: Told) -> Told | None:
        if action == "SetChargingProfile" and profile_of(asked)["chargingProfilePurpose"] == "TxProfile":
            return {"status": "Rejected"}
        if action == "GetCompositeSchedule":
            period = {"startPeriod": 0, "limit": 1_840.0}
            schedule = {"chargingRateUnit": "W", "chargingSchedulePeriod": [period]}
            return {
                "status": "Accepted", "connectorId": 1, "scheduleStart": stamp(), "chargingSchedule": schedule,
            }  # fmt: skip
        return willing(action, asked)

    async def story(station: Foreign) -> None:
        await station.charge()
        ack = await station.hold(0, 7_000)
        assert ack.taken == Band(lo_w=0, hi_w=1_840)
        assert "overrules" in ack.why

    play("1.6", overruled, story, rate_unit="W")


def test_an_error_code_that_ocpp_does_not_know_is_counted_and_the_status_taken() -> None:
    # Legrand: lbbrhzn/ocpp#1248.
    async def story(station: Foreign) -> None:
        told = await station.say("StatusNotification", connectorId=1, errorCode="Error", status="Charging")
        assert told[0] == 3
        assert station.device.evse.status == "Charging"
        assert any("errorCode" in quirk for quirk in station.device.station.quirks)

    play("1.6", willing, story)


def test_events_without_a_connector_in_any_order_and_said_twice_are_counted_once() -> None:
    # lbbrhzn/ocpp#2135, lbbrhzn/ocpp#2141.
    async def story(station: Foreign) -> None:
        async def event(kind: str, number: int, wh: int) -> None:
            told = await station.say(
                "TransactionEvent", eventType=kind, timestamp=stamp(number - 100), triggerReason="MeterValuePeriodic",
                seqNo=number, transactionInfo={"transactionId": "t"}, offline=True, evse={"id": 1},
                meterValue=[{"timestamp": stamp(number - 100), "sampledValue": [{"value": wh}]}],
            )  # fmt: skip
            assert told[0] == 3

        for number, wh in ((0, 1_000), (2, 1_020), (1, 1_010), (2, 1_020), (0, 1_000), (3, 1_030)):
            await event("Started" if number == 0 else "Updated", number, wh)
        evse = station.device.evse
        assert evse.imported.total_wh == 1_030
        assert [one.id for one in evse.sessions] == ["t"]

    play("2.0.1", willing, story)


def test_a_transaction_that_began_without_us_is_ended_without_its_number() -> None:
    # EVerest/libocpp#495: what began offline keeps the number -1.
    async def story(station: Foreign) -> None:
        await station.charge()
        values = [{"timestamp": stamp(), "sampledValue": [{"value": "700"}]}]
        assert (await station.say("MeterValues", connectorId=1, transactionId=-1, meterValue=values))[0] == 3
        assert (await station.say("StopTransaction", transactionId=-1, meterStop=900, timestamp=stamp()))[0] == 3
        assert station.device.evse.session is None
        assert station.device.evse.imported.total_wh == 900

    play("1.6", willing, story)


def test_a_start_that_is_told_again_after_a_lost_answer_gets_the_same_number() -> None:
    # matth-x/MicroOcpp#237.
    async def story(station: Foreign) -> None:
        told = {"connectorId": 1, "idTag": "CAR", "meterStart": 100, "timestamp": stamp()}
        first = await station.say("StartTransaction", **told)
        again = await station.say("StartTransaction", **told)
        assert first[2]["transactionId"] == again[2]["transactionId"]
        assert len(station.device.evse.sessions) == 1

    play("1.6", willing, story)


def test_the_two_new_kinds_of_frame_are_known_to_2_1_alone_and_break_no_connection() -> None:
    # CALLRESULTERROR and SEND: mikuso/ocpp-rpc#96.
    async def story(station: Foreign) -> None:
        await station.link.send('[5,"c9","FormatViolation","",{}]')
        await station.link.send('[6,"s1","NotifyPeriodicEventStream",{}]')
        older = station.version != "2.1"
        if older:
            answer = await asyncio.wait_for(station._answers.get(), 5)
            assert answer[0] == 4
        assert (await station.say("Heartbeat"))[0] == 3

    for version in ("1.6", "2.0.1", "2.1"):
        play(version, willing, story)


def test_a_composite_schedule_in_another_unit_than_asked_is_read_in_its_own() -> None:
    # SAP's simulator tells the unit that it was configured with.
    def sap(action: str, asked: Told) -> Told | None:
        if action == "GetCompositeSchedule":
            period = {"startPeriod": 0, "limit": 16, "numberPhases": 1}
            schedule = {"duration": 60, "chargingRateUnit": "A", "chargingSchedulePeriod": [period]}
            return {
                "status": "Accepted", "connectorId": 1, "scheduleStart": stamp(), "chargingSchedule": schedule,
            }  # fmt: skip
        return willing(action, asked)

    async def story(station: Foreign) -> None:
        await station.charge()
        ack = await station.hold(0, 3_680)
        assert (ack.taken, ack.why) == (Band(lo_w=0, hi_w=3_680), "")
        assert station.told("GetCompositeSchedule")[0]["chargingRateUnit"] == "W"

    play("1.6", sap, story, rate_unit="W")


@pytest.mark.parametrize("empty", [{}, {"chargingSchedule": {"chargingRateUnit": "W", "chargingSchedulePeriod": []}}])
def test_a_composite_schedule_that_is_accepted_and_empty_says_nothing_against_what_was_set(empty: Told) -> None:
    # Solidstudio's virtual charge point accepts everything and does nothing with it.
    def blind(action: str, asked: Told) -> Told | None:
        return {"status": "Accepted", **empty} if action == "GetCompositeSchedule" else willing(action, asked)

    async def story(station: Foreign) -> None:
        await station.charge()
        assert (await station.hold(0, 3_680)).taken == Band(lo_w=0, hi_w=3_680)

    play("1.6", blind, story, rate_unit="W")


def test_a_2_1_station_that_refuses_modes_takes_limits_and_its_refusal_of_a_set_point_is_told() -> None:
    # shiv3/ocpp-cp-simulator refuses any profile that names an operation mode.
    def modeless(action: str, asked: Told) -> Told | None:
        if action != "SetChargingProfile":
            return willing(action, asked)
        period = profile_of(asked)["chargingSchedule"][0]["chargingSchedulePeriod"][0]
        return {"status": "Rejected" if "operationMode" in period else "Accepted"}

    async def story(station: Foreign) -> None:
        await station.charge()
        assert (await station.hold(0, 3_680)).taken == Band(lo_w=0, hi_w=3_680)
        assert (await station.hold(3_680, 3_680)).taken is not None

    async def both_ways(station: Foreign) -> None:
        await station.charge()
        ack = await station.hold(-3_000, -3_000)
        assert ack.taken is None
        assert "Rejected" in ack.why

    supplies = replace(CHARGER, max_export_w=7_360, min_import_w=0)
    play("2.1", modeless, story, rate_unit="W")
    play("2.1", modeless, both_ways, asset=supplies, rate_unit="W", bidirectional=True)


def test_a_call_that_is_answered_by_an_error_is_no_acceptance() -> None:
    # The library of the trade returns nothing for a CALLERROR unless told otherwise; we do not use that part of it.
    async def story(station: Foreign) -> None:
        await station.charge()
        ack = await station.hold(0, 3_680)
        assert ack.taken is None
        assert "NotSupported" in ack.why

    play("1.6", lambda action, asked: None, story, rate_unit="W")


def test_schedules_start_a_minute_ago_in_whole_seconds() -> None:
    # evcc does so against wrong clocks; a fraction made shiv3's station answer a period at 299.961 s.
    async def story(station: Foreign) -> None:
        await station.charge()
        await station.hold(0, 3_680)
        for one in station.profiles:
            start = one["chargingSchedule"]["startSchedule"]
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", start)
            assert stamp(-65) <= start <= stamp(-59)

    play("1.6", willing, story, rate_unit="W")


def test_every_trap_of_the_list_has_the_test_that_it_names() -> None:
    rows = re.findall(r"^\| (.+?) \| .* \| `(\w+)` \|$", LIST.read_text(), re.MULTILINE)
    assert len(rows) >= 15
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    for trap, test in rows:
        assert f"def {test}(" in tests, trap
    named = {test for _, test in rows}
    here = set(re.findall(r"^def (test_\w+)\(", Path(__file__).read_text(), re.MULTILINE))
    assert here - named == {"test_every_trap_of_the_list_has_the_test_that_it_names"}


def limits(profile: Told) -> list[float]:
    schedule = profile["chargingSchedule"]
    return [one["limit"] for one in schedule["chargingSchedulePeriod"]]

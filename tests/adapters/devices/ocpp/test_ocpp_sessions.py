"""Sessions and counters, whatever stations repeat, forget or tell late: through the server's door, without a socket."""

import asyncio
import json
from itertools import count, permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.adapters.devices.ocpp.memory import Memory
from commonwatt.adapters.devices.ocpp.server import Server
from commonwatt.adapters.devices.ocpp.station import Station
from commonwatt.model import instant

NOON_S = 1_767_268_800
ids = count(1)


def at(seconds: int) -> str:
    return instant(NOON_S + seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


class Desk:
    """A server and one station, and a clock that is moved by hand."""

    def __init__(self, version: str, folder: Path | None = None) -> None:
        self.now_s = NOON_S
        self.memory = Memory(folder)
        self.server = Server(lambda: instant(self.now_s), self.memory)
        self.station: Station = self.server.register("CP-1")
        self.station.version = version

    def say(self, action: str, **payload: Any) -> Any:
        raw = json.dumps([2, str(next(ids)), action, payload])
        answer = asyncio.run(self.server.answer(self.station, raw))
        assert answer is not None
        return json.loads(answer)

    def start(self, seconds: int, wh: int, connector: int = 1) -> int:
        told = self.say(
            "StartTransaction", connectorId=connector, idTag="CAR", meterStart=wh, timestamp=at(seconds)
        )  # fmt: skip
        return int(told[2]["transactionId"])

    def values(self, seconds: int, wh: int, **more: Any) -> Any:
        sampled = [{"value": str(wh), "measurand": "Energy.Active.Import.Register"}]
        return self.say(
            "MeterValues", connectorId=1, meterValue=[{"timestamp": at(seconds), "sampledValue": sampled}], **more
        )  # fmt: skip

    def event(self, kind: str, number: int, seconds: int, wh: int, id: str = "a", evse: bool = True) -> Any:
        values = [{"timestamp": at(seconds), "sampledValue": [{"value": wh}]}]
        where = {"evse": {"id": 1}} if evse else {}
        return self.say(
            "TransactionEvent", eventType=kind, timestamp=at(seconds), triggerReason="MeterValuePeriodic",
            seqNo=number, transactionInfo={"transactionId": id}, meterValue=values, **where,
        )  # fmt: skip


@pytest.mark.row("E12")
def test_a_start_told_twice_is_one_transaction() -> None:
    desk = Desk("1.6")
    first = desk.start(0, 100)
    assert desk.start(0, 100) == first
    assert desk.start(3_600, 100) != first
    assert len(desk.station.evse(1).sessions) == 2


def test_a_stop_without_a_number_ends_the_one_that_is_open() -> None:
    desk = Desk("1.6")
    desk.start(0, 100)
    assert desk.say("StopTransaction", transactionId=-1, meterStop=900, timestamp=at(600))[0] == 3
    session = desk.station.evse(1).sessions[0]
    assert session.ended
    assert session.meter_stop_wh == 900
    assert desk.station.evse(1).imported.total_wh == 900
    assert desk.say("StopTransaction", transactionId=4711, meterStop=900, timestamp=at(600))[0] == 3
    assert desk.station.quirks["StopTransaction of none that is known"] == 1


def test_a_transaction_that_began_elsewhere_is_learnt_from_its_meter_values() -> None:
    desk = Desk("1.6")
    desk.values(0, 100, transactionId=77)
    session = desk.station.evse(1).session
    assert session is not None
    assert session.id == "77"
    desk.values(60, 150, transactionId=-1)
    assert len(desk.station.evse(1).sessions) == 1


def test_events_in_every_order_end_in_the_same_state() -> None:
    events = [("Started", 0, 0, 100), ("Updated", 1, 60, 200), ("Updated", 2, 120, 300), ("Ended", 3, 180, 400)]
    for order in permutations(events):
        desk = Desk("2.0.1")
        for one in order:
            desk.event(*one)
            desk.event(*one)
        evse = desk.station.evse(1)
        assert evse.imported.total_wh == 400
        session = evse.sessions[0]
        assert (len(evse.sessions), session.ended, session.seen, session.missing) == (1, True, [[0, 3]], 0)
        assert evse.session is None


def test_gaps_are_known_and_filled_later_and_a_missing_evse_is_tolerated() -> None:
    desk = Desk("2.0.1")
    desk.event("Started", 0, 0, 100)
    desk.event("Updated", 3, 180, 400, evse=False)
    session = desk.station.evse(1).session
    assert session is not None
    assert session.missing == 2
    desk.event("Updated", 1, 60, 200)
    assert session.missing == 1
    assert desk.station.evse(1).imported.total_wh == 400
    desk.event("Started", 0, 240, 400, id="b", evse=False)
    assert desk.station.quirks["TransactionEvent without EVSE"] == 1


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 1_000), st.integers(0, 300)), min_size=2, max_size=8), st.data())
def test_whatever_comes_late_or_twice_never_turns_the_counter_back(steps: list[tuple[int, int]], data: Any) -> None:
    desk = Desk("1.6")
    told, wh, second = [], 1_000, 0
    for more_wh, seconds in steps:
        wh, second = wh + more_wh, second + 360 + seconds
        told.append((second, wh))
    seen = []
    desk.now_s += second
    for second, wh in [(0, 1_000), *data.draw(st.permutations(told + told))]:
        desk.values(second, wh)
        seen.append(desk.station.evse(1).imported.total_wh)
    assert seen == sorted(seen)
    assert seen[-1] == told[-1][1]


def test_a_restart_of_ours_forgets_no_sum_and_no_transaction(tmp_path: Path) -> None:
    desk = Desk("1.6", tmp_path)
    id = desk.start(0, 0)
    desk.now_s += 3_600
    desk.say("StopTransaction", transactionId=id, meterStop=4_000, timestamp=at(3_600))
    desk.start(4_000, 0)  # a meter that starts anew, and then we are killed: nothing is closed
    again = Desk("1.6", tmp_path)
    again.now_s += 4_000
    assert again.station.evse(1).imported.total_wh == 4_000
    assert again.start(0, 0) == id
    again.now_s += 600
    again.values(4_600, 500)
    assert again.station.evse(1).imported.total_wh == 4_500


def test_a_station_that_says_what_no_list_knows_is_understood_and_counted() -> None:
    desk = Desk("1.6")
    assert desk.say("StatusNotification", connectorId=1, errorCode="Error", status="Available")[0] == 3
    assert desk.station.quirks["StatusNotification/errorCode: enum"] == 1
    assert desk.station.evse(1).error == "Error"


@pytest.mark.parametrize(
    ("version", "action", "payload", "code"),
    [
        ("1.6", "Nonsense", {}, "NotImplemented"),
        ("1.6", "Reset", {"type": "Soft"}, "NotSupported"),
        ("1.6", "MeterValues", {"meterValue": []}, "ProtocolError"),
        ("2.0.1", "MeterValues", {"evseId": "1", "meterValue": []}, "TypeConstraintViolation"),
        ("1.6", "MeterValues", {"connectorId": 1, "meterValue": [{"timestamp": "?", "sampledValue": [{"value": "1"}]}]},
         "PropertyConstraintViolation"),
    ],
)  # fmt: skip
def test_what_is_wrong_has_its_own_code(version: str, action: str, payload: dict[str, Any], code: str) -> None:
    told = Desk(version).say(action, **payload)
    assert told[0] == 4
    assert told[2] == code


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(["1.6", "2.0.1", "2.1"]), st.binary(max_size=200))
def test_the_server_survives_whatever_a_station_says(version: str, raw: bytes) -> None:
    desk = Desk(version)
    asyncio.run(desk.server.answer(desk.station, raw))
    assert desk.say("Heartbeat")[0] == 3, "and answers the next one"


def test_the_device_model_is_kept() -> None:
    desk = Desk("2.1")
    desk.say("NotifyReport", requestId=1, generatedAt=at(0), seqNo=0, tbc=False, reportData=[
        {"component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "Power"},
         "variableAttribute": [{"value": "7360"}]}])  # fmt: skip
    assert desk.station.model == {"EVSE.1.Power": "7360"}
    assert desk.station.facts["reported"] == 1


def test_nothing_flows_once_a_transaction_has_ended() -> None:
    desk = Desk("1.6")
    id = desk.start(0, 100)
    power = [{"value": "7", "measurand": "Power.Active.Import", "unit": "kW"}]
    desk.say("MeterValues", connectorId=1, meterValue=[{"timestamp": at(60), "sampledValue": power}])
    assert desk.station.evse(1).power_w == 7_000
    desk.say("StopTransaction", transactionId=id, meterStop=300, timestamp=at(120))
    assert desk.station.evse(1).power_w == 0


def test_one_free_connector_does_not_hide_another_that_is_not() -> None:
    desk = Desk("2.0.1")
    for connector, state in ((1, "Occupied"), (2, "Available")):
        desk.say("StatusNotification", timestamp=at(0), connectorStatus=state, evseId=1, connectorId=connector)
    assert desk.station.evse(1).plugged


def test_a_station_that_invents_fields_and_connectors_fills_no_memory() -> None:
    desk = Desk("1.6")
    for i in range(300):
        desk.say("Heartbeat", **{f"field{i}": 1})
        desk.say("StatusNotification", connectorId=i, errorCode="NoError", status="Available")
    assert len(desk.station.quirks) <= 202
    assert len(desk.station.evses) == 64


@pytest.mark.row("E12")
def test_a_meter_that_starts_anew_is_counted_from_nothing_also_where_its_start_was_never_told() -> None:
    for version in ("1.6", "2.0.1"):
        desk = Desk(version)
        for n, took_wh in enumerate((1_000, 800, 600)):
            second = 4_000 * n
            desk.now_s = NOON_S + second + 3_600
            if version == "1.6":
                id = desk.start(second, 0)
                desk.say("StopTransaction", transactionId=id, meterStop=took_wh, timestamp=at(second + 3_600))
            else:
                desk.event("Started", 0, second, 0, id=f"t{n}")
                desk.event("Ended", 1, second + 3_600, took_wh, id=f"t{n}")
        evse = desk.station.evse(1)
        assert evse.imported.total_wh == 2_400
        desk.now_s = NOON_S + 20_000
        if version == "1.6":
            desk.values(20_000, 700, transactionId=4_711)
            desk.values(20_060, 750, transactionId=4_711)
        else:
            desk.event("Updated", 1, 20_000, 700, id="lost")
            desk.event("Updated", 2, 20_060, 750, id="lost")
            desk.event("Started", 0, 19_000, 0, id="lost")
        assert evse.imported.total_wh == 2_400 + 750, "700 Wh of it before anything was heard"


def test_a_meter_that_goes_on_is_counted_by_what_it_rose_also_where_a_start_was_never_told() -> None:
    desk = Desk("1.6")
    id = desk.start(0, 5_000)
    desk.now_s += 3_600
    desk.say("StopTransaction", transactionId=id, meterStop=6_000, timestamp=at(3_600))
    desk.now_s += 3_600
    desk.values(7_200, 6_300, transactionId=4_711)
    assert desk.station.evse(1).imported.total_wh == 6_300
    evse = desk.station.evse(1)
    assert (evse.doubt, evse.imported.anew) == ("", 0)


def test_a_start_that_is_told_late_tells_where_the_sum_stood_then() -> None:
    desk = Desk("2.0.1")
    desk.event("Started", 0, 0, 5_000, id="a")
    desk.event("Ended", 1, 600, 5_200, id="a")
    desk.event("Updated", 1, 900, 5_400, id="b")
    desk.event("Updated", 2, 960, 5_500, id="b")
    desk.event("Started", 0, 700, 5_250, id="b")
    session = desk.station.evse(1).session
    assert session is not None
    assert (session.began_total_wh, desk.station.evse(1).imported.total_wh) == (5_250, 5_500)


def signed_16(*values: str) -> list[dict[str, Any]]:
    sampled = [{"value": value, "format": "SignedData"} for value in values]
    return [{"timestamp": at(0), "sampledValue": sampled}]


@pytest.mark.row("E12")
def test_signed_values_go_to_the_transaction_that_they_name_also_after_its_end_and_beside_ones_that_are_none() -> None:
    desk = Desk("1.6")
    first = desk.start(0, 0)
    desk.say("StopTransaction", transactionId=first, meterStop=100, timestamp=at(60))
    second = desk.start(120, 100)
    desk.say("MeterValues", connectorId=1, transactionId=first, meterValue=signed_16("ALFEN|1", "OCMF|a|b"))
    desk.say("MeterValues", connectorId=1, meterValue=signed_16("OCMF|c|d"))
    told = {one.id: one.signed for one in desk.station.evse(1).sessions}
    assert told == {str(first): ["OCMF|a|b"], str(second): ["OCMF|c|d"]}
    assert desk.station.quirks["signed value that cannot be read"] == 1


def test_signed_values_of_a_transaction_are_also_taken_from_meter_values_of_later_versions() -> None:
    desk = Desk("2.0.1")
    signed = {"signedMeterData": "OCMF|a|b", "encodingMethod": "OCMF", "signingMethod": "", "publicKey": ""}
    values = [{"timestamp": at(0), "sampledValue": [{"value": 0, "signedMeterValue": signed}]}]
    desk.say("MeterValues", evseId=1, meterValue=values)
    desk.event("Started", 0, 0, 0)
    desk.say("MeterValues", evseId=1, meterValue=values)
    desk.say("MeterValues", evseId=1, meterValue=values)
    assert [one.signed for one in desk.station.evse(1).sessions] == [["OCMF|a|b"]]

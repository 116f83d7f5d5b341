"""Stations whose clocks, numbers or order are wrong: nothing is lost, and nothing stands still for it."""

import json
from typing import Any

import pytest
from test_ocpp_sessions import NOON_S, Desk, at

from commonwatt.adapters.devices.ocpp.counters import LATE_S, Counter
from commonwatt.model import InvalidValue

FUTURE = "2099-01-01T00:00:00Z"
BAD_LEVEL = [{"value": "", "measurand": "SoC"}]


def power(desk: Desk, when: str, watts: int) -> None:
    sampled = [{"value": str(watts), "measurand": "Power.Active.Import"}]
    desk.say("MeterValues", connectorId=1, meterValue=[{"timestamp": when, "sampledValue": sampled}])


@pytest.mark.row("E12")
def test_a_stop_with_a_value_that_is_none_counts_all_the_same() -> None:
    desk = Desk("1.6")
    id = desk.start(0, 100)
    data = [{"timestamp": at(600), "sampledValue": BAD_LEVEL}]
    told = desk.say("StopTransaction", transactionId=id, meterStop=10_100, timestamp=at(600), transactionData=data)
    assert told[0] == 3
    evse = desk.station.evse(1)
    assert (evse.imported.total_wh, evse.sessions[0].ended_total_wh) == (10_100, 10_100)
    assert desk.station.quirks["sample that cannot be true"] == 1


def test_an_end_with_a_value_that_is_none_ends_all_the_same() -> None:
    desk = Desk("2.0.1")
    desk.event("Started", 0, 0, 100)
    values = [{"timestamp": at(60), "sampledValue": [{"value": 2_000_000, "measurand": "SoC"}]}]
    told = desk.say(
        "TransactionEvent", eventType="Ended", timestamp=at(60), triggerReason="EVDeparted", seqNo=1,
        transactionInfo={"transactionId": "a"}, meterValue=values,
    )  # fmt: skip
    assert told[0] == 3
    assert desk.station.evse(1).session is None


def test_a_stop_whose_instant_is_none_changes_nothing() -> None:
    desk = Desk("1.6")
    id = desk.start(0, 100)
    assert desk.say("StopTransaction", transactionId=id, meterStop=900, timestamp="?")[0] == 4
    assert not desk.station.evse(1).sessions[0].ended
    desk.say("StopTransaction", transactionId=id, meterStop=900, timestamp=at(600))
    assert desk.station.evse(1).imported.total_wh == 900


@pytest.mark.row("E12")
def test_a_transaction_dated_into_the_future_stops_no_later_one() -> None:
    desk = Desk("1.6")
    first = desk.say("StartTransaction", connectorId=1, idTag="C", meterStart=0, timestamp=FUTURE)[2]["transactionId"]
    assert (
        desk.say("StartTransaction", connectorId=1, idTag="C", meterStart=0, timestamp=FUTURE)[2]["transactionId"]
        == first
    ), "told again it is the same"
    desk.now_s += 3_600
    desk.say("StopTransaction", transactionId=first, meterStop=5_000, timestamp=FUTURE)
    evse = desk.station.evse(1)
    for i in range(1, 6):
        desk.now_s += 3_600
        id = desk.start(desk.now_s - NOON_S, 0)
        assert evse.session is not None, "a later one runs"
        desk.now_s += 3_600
        desk.say("StopTransaction", transactionId=id, meterStop=8_000, timestamp=at(desk.now_s - NOON_S))
        assert (evse.imported.total_wh, evse.doubt) == (5_000 + 8_000 * i, "")


def test_a_start_dated_into_the_future_lets_its_values_count() -> None:
    desk = Desk("1.6")
    id = desk.start(0, 0)
    desk.now_s += 3_600
    desk.say("StopTransaction", transactionId=id, meterStop=5_000, timestamp=at(3_600))
    desk.now_s += 3_600
    desk.say("StartTransaction", connectorId=1, idTag="C", meterStart=0, timestamp=FUTURE)
    desk.now_s += 3_600
    desk.values(10_800, 1_000)
    assert desk.station.evse(1).imported.total_wh == 6_000


def test_a_power_dated_into_the_future_is_replaced_by_the_next_one() -> None:
    desk = Desk("1.6")
    desk.start(0, 0)
    power(desk, FUTURE, 7_000)
    desk.now_s += 60
    power(desk, at(60), 0)
    assert desk.station.evse(1).power_w == 0


def test_what_was_kept_of_the_future_is_given_up() -> None:
    counter = Counter(last_wh=5_000, at_s=4_000_000_000, since_s=4_000_000_000, before_wh=1)
    assert counter.take(0, 1_000, 1_000, 0, reset=True) == ""
    assert counter.total_wh == 5_000
    assert counter.take(700, 1_100, 1_100, 0) == ""
    assert counter.total_wh == 5_700


def test_a_station_without_a_clock_begins_a_second_transaction() -> None:
    desk, never = Desk("1.6"), "1970-01-01T00:00:00Z"

    def start() -> int:
        told = desk.say("StartTransaction", connectorId=1, idTag="C", meterStart=0, timestamp=never)
        return int(told[2]["transactionId"])

    first = start()
    assert start() == first
    desk.say("StopTransaction", transactionId=first, meterStop=1_000, timestamp=never)
    second = start()
    assert second != first
    session = desk.station.evse(1).session
    assert session is not None
    assert session.id == str(second)


@pytest.mark.parametrize("wh", [10**20, -1])
def test_a_register_that_no_meter_shows_begins_and_ends_a_transaction_but_is_not_counted(wh: int) -> None:
    desk = Desk("1.6")
    id = desk.start(0, wh)
    assert desk.start(0, wh) == id
    evse = desk.station.evse(1)
    assert (evse.imported.total_wh, evse.sessions[0].meter_start_wh) == (None, None)
    desk.values(60, 100)
    desk.say("StopTransaction", transactionId=id, meterStop=wh, timestamp=at(120))
    assert (evse.imported.total_wh, evse.session) == (100, None)
    assert json.loads(desk.station.body())


def test_a_spike_is_no_energy_and_hourly_values_of_an_offline_day_are() -> None:
    fuse_w = 11_000
    counter = Counter()
    counter.take(1_000, 0, 0, fuse_w)
    counter.take(1_100, 600, 600, fuse_w)
    assert "too fast" in counter.take(3_900, 700, 600, fuse_w)
    assert counter.take(1_300, 1_200, 1_200, fuse_w) == ""
    assert counter.total_wh == 1_300
    for hour in range(1, 6):  # all of them at once, when the line is back
        assert counter.take(1_300 + 11_000 * hour, 1_200 + LATE_S * hour, 20_000, fuse_w) == ""
    assert counter.total_wh == 56_300


@pytest.mark.parametrize(("wh", "fits"), [(3_520, True), (3_521, False)])
def test_no_more_than_a_quarter_above_the_fuse_and_one_step_can_have_flowed(wh: int, fits: bool) -> None:
    counter = Counter()
    counter.take(0, 0, 0, 11_000)
    assert (counter.take(wh, 600, 600, 11_000) == "") is fits


def test_one_good_reading_makes_earlier_doubts_forgotten() -> None:
    counter = Counter()
    counter.take(5_000, 0, 0, 11_000)
    for i in range(1, 9):
        assert counter.take(4_000, 60 * i + 1, 60 * i + 1, 11_000) != "" or i == 5
        if i == 4:
            assert counter.take(5_001, 242, 242, 11_000) == ""
            break
    assert counter.take(4_000, 300, 300, 11_000) != "", "the fifth in all, the first in a row"


def test_a_lower_register_of_the_same_instant_is_late_and_no_other_meter() -> None:
    counter = Counter()
    counter.take(5_000, 60, 60, 11_000)
    assert counter.take(4_000, 60, 60, 11_000, reset=True) == ""
    assert counter.total_wh == 5_000


def test_of_a_meter_that_was_replaced_nothing_more_is_added() -> None:
    counter = Counter()
    counter.take(5_000, 0, 0, 11_000)
    for i in range(1, 6):
        counter.take(10, 60 * i, 60 * i, 11_000)
    assert counter.total_wh == 5_000
    assert counter.take(5_500, 30, 400, 11_000) == ""
    assert counter.total_wh == 5_000


def test_a_sample_without_a_moment_is_refused_where_it_can_be_told_again() -> None:
    desk = Desk("1.6")
    wrong: Any = [{"timestamp": at(0), "sampledValue": BAD_LEVEL}]
    assert desk.say("MeterValues", connectorId=1, meterValue=wrong)[2] == "PropertyConstraintViolation"
    with pytest.raises(InvalidValue):
        desk.station.evse(-1)


def test_the_next_transaction_of_the_same_instant_may_start_the_register_anew() -> None:
    desk = Desk("1.6")
    first = desk.say("StartTransaction", connectorId=1, idTag="C", meterStart=0, timestamp=FUTURE)[2]["transactionId"]
    desk.now_s += 3_600
    desk.say("StopTransaction", transactionId=first, meterStop=5_000, timestamp=FUTURE)
    desk.say("StartTransaction", connectorId=1, idTag="C", meterStart=10, timestamp="2099-01-01T00:00:01Z")
    desk.now_s += 600
    desk.values(4_200, 700)
    assert desk.station.evse(1).imported.total_wh == 5_700


def test_a_start_told_late_ends_no_later_transaction() -> None:
    desk = Desk("1.6")
    desk.now_s += 7_200
    later = desk.start(3_600, 500)
    earlier = desk.start(0, 100)
    session = desk.station.evse(1).session
    assert session is not None
    assert (session.id, earlier != later) == (str(later), True)

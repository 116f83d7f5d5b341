"""Profiles pass the official schemas, hold as long as asked on a station's clock, and read back as they were meant."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.adapters.devices.ocpp import schemas
from commonwatt.adapters.devices.ocpp.limits import EARLIER_S, Grid, Wanted, composite_w, profile
from commonwatt.model import InvalidValue, instant
from commonwatt.simulator.devices.ocpp_stack import Stack

NOON_S = 1_767_268_800


@given(
    st.sampled_from(schemas.VERSIONS),
    st.sampled_from(["TxProfile", "TxDefaultProfile", "ChargingStationMaxProfile"]),
    st.sampled_from([Grid("W"), Grid("A"), Grid("A", 230, 3), Grid("A", 120, 2)]),
    st.integers(0, 22_000),
    st.integers(1, 100_000),
    st.booleans(),
    st.floats(0, 0.999),
)
def test_what_is_made_is_allowed_and_holds_exactly_as_long_as_asked(
    version: str, purpose: str, grid: Grid, limit_w: int, left_s: int, relative: bool, fraction: float
) -> None:
    now = instant(NOON_S) + timedelta(seconds=fraction)
    wanted = Wanted(limit_w, 0, None, now, instant(NOON_S + left_s))
    made = profile(
        version, wanted, grid, id=1, purpose=purpose, stack_level=3, relative=relative,
        transaction="7" if purpose == "TxProfile" else None,
    )  # fmt: skip
    payload: dict[str, Any] = (
        {"connectorId": 1, "csChargingProfiles": made}
        if version == "1.6"
        else {"evseId": 1, "chargingProfile": made}
    )  # fmt: skip
    assert schemas.check(version, "SetChargingProfile", payload) == []
    stack = Stack()
    stack.add(made, NOON_S)
    for second, holds in ((0, True), (left_s - 1, True), (left_s, False)):
        held = stack.now(NOON_S + second, in_transaction=True)
        assert (held is not None) == holds
        if held is not None:
            assert held.limit is not None
            watts = held.limit * (1 if grid.unit == "W" else grid.ampere_w)
            assert limit_w - (1 if grid.unit == "W" else grid.ampere_w) < watts <= limit_w
    behind = stack.now(NOON_S - EARLIER_S, in_transaction=True)
    assert (behind is not None) == (not relative), "a clock that is a minute behind obeys at once"


@given(st.integers(1, 10_000))
def test_a_set_point_of_2_1_may_be_negative(power_w: int) -> None:
    wanted = Wanted(0, -power_w, -power_w, instant(NOON_S), instant(NOON_S + 60))
    made = profile("2.1", wanted, Grid(), id=1, purpose="TxProfile", stack_level=0, transaction="a")
    assert schemas.check("2.1", "SetChargingProfile", {"evseId": 1, "chargingProfile": made}) == []
    assert made["chargingSchedule"][0]["chargingSchedulePeriod"][0]["setpoint"] == -power_w


@given(st.integers(1, 10_000), st.sampled_from([Grid("A"), Grid("A", 230, 3)]))
def test_a_set_point_in_amperes_is_told_in_amperes_and_never_more_than_asked(power_w: int, grid: Grid) -> None:
    for signed_w in (power_w, -power_w):
        wanted = Wanted(max(0, signed_w), min(0, signed_w), signed_w, instant(NOON_S), instant(NOON_S + 60))
        made = profile("2.1", wanted, grid, id=1, purpose="TxProfile", stack_level=0, transaction="a")
        period = made["chargingSchedule"][0]["chargingSchedulePeriod"][0]
        for name in ("setpoint", "dischargeLimit" if signed_w < 0 else "limit"):
            told_w = period[name] * grid.ampere_w
            assert told_w * signed_w >= 0
            assert power_w - grid.ampere_w < abs(told_w) <= power_w


def composite(*periods: dict[str, Any], start: str = "2026-01-01T11:59:00Z", unit: str = "A") -> dict[str, Any]:
    schedule = {"scheduleStart": start, "chargingRateUnit": unit, "chargingSchedulePeriod": list(periods)}
    return {"status": "Accepted", "schedule": schedule}


def test_a_composite_schedule_is_read_at_this_very_moment() -> None:
    two = composite({"startPeriod": 0, "limit": 16}, {"startPeriod": 60, "limit": 6.5}, {"startPeriod": 90, "limit": 0})
    assert composite_w(two, instant(NOON_S), Grid("A", 230, 3)) == (4_485, None)
    one = composite({"startPeriod": 0, "limit": 10, "numberPhases": 1})
    assert composite_w(one, instant(NOON_S), Grid("W", 230, 3)) == (2_300, None)
    # A station that was asked in fractions of a second answered so (shiv3/ocpp-cp-simulator).
    odd = composite({"startPeriod": 0, "limit": 8}, {"startPeriod": 299.961, "limit": 0})
    assert composite_w(odd, instant(NOON_S), Grid("A")) == (1_840, None)
    assert composite_w({"status": "Rejected"}, instant(NOON_S), Grid()) == (None, None)
    with pytest.raises(InvalidValue):
        composite_w(composite({"startPeriod": 0, "limit": 1}, start="noon"), instant(NOON_S), Grid())


@pytest.mark.parametrize("version", schemas.VERSIONS)
def test_a_profile_runs_out_by_its_duration_and_by_its_last_instant_each_alone(version: str) -> None:
    wanted = Wanted(3_680, 0, None, instant(NOON_S), instant(NOON_S + 300))
    made = profile(version, wanted, Grid(), id=1, purpose="TxDefaultProfile", stack_level=0)
    schedule = made["chargingSchedule"] if version == "1.6" else made["chargingSchedule"][0]
    assert schedule["duration"] == 300 + EARLIER_S
    assert made["validTo"] == "2026-01-01T12:05:00Z"


def test_amperes_on_two_or_three_phases_are_those_of_all() -> None:
    assert [Grid("A", 230, 1).watts(10, phases) for phases in (1, 2, 3)] == [2_300, 4_600, 6_900]
    assert [Grid("A", 230, 2).watts(10, phases) for phases in (0, 4, None, "3")] == [4_600] * 4

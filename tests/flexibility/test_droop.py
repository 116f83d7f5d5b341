"""A device answers the frequency by itself, helps it always, and stays inside its band."""

import csv
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.flexibility.checking.check import violations
from commonwatt.flexibility.dispatch import Authority, Limit, command
from commonwatt.flexibility.droop import act, arm, change_w, held_ready, reserve_needed_w, respond, symmetric
from commonwatt.flexibility.plan import plan
from commonwatt.flexibility.problem import Problem
from commonwatt.model import (
    AccountId,
    Armed,
    Asset,
    AssetId,
    AssetKind,
    Band,
    Droop,
    Envelope,
    GatewayId,
    Instruction,
    Interval,
    InvalidValue,
    Priority,
    Quantity,
    Store,
    Verb,
    slot_from,
)
from flexibility.instructions.schedules import curves

RECORDED = Path(__file__).parent / "data" / "iberia_2025-04-28_1100-1110.csv"
CURVE = symmetric(15, ((200, 3700),))
BATTERY = Asset(
    id=AssetId("battery-01"), owner=AccountId("member-01"), gateway=GatewayId("HEPEK-0001"), kind=AssetKind.BATTERY,
    zone="street", max_import_w=5000, max_export_w=5000, capacity_wh=10_000,
)  # fmt: skip
FREE = Band(lo_w=-5000, hi_w=5000)
NOON = datetime(2018, 11, 14, 12, tzinfo=UTC)


def recorded() -> list[tuple[datetime, int]]:
    """Return instants and mHz, without the reading that is missing."""
    with RECORDED.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["freq_hz"]]
    return [
        (datetime.fromisoformat(row["time"]).replace(tzinfo=UTC), round(float(row["freq_hz"]) * 1000)) for row in rows
    ]


@pytest.mark.row("M4")
@pytest.mark.parametrize(
    ("frequency_mhz", "moved_w"),
    [
        (50_000, 0), (50_015, 0), (49_985, 0), (50_016, 20), (49_984, -20), (50_108, 1860), (49_892, -1860),
        (50_200, 3700), (49_800, -3700), (50_900, 3700), (47_000, -3700),
    ],
)  # fmt: skip
def test_between_the_points_run_straight_lines_and_beyond_them_nothing_moves(frequency_mhz: int, moved_w: int) -> None:
    assert change_w(CURVE, frequency_mhz) == moved_w
    assert respond(CURVE, frequency_mhz, 1000, FREE) == max(-5000, min(5000, 1000 + moved_w))


def test_a_curve_has_one_side_where_its_points_have_and_stops_at_its_reserve() -> None:
    low = Droop(deadband_mhz=20, points=((-500, -4000), (-100, -1000)), most_up_w=2500)
    moved = [change_w(low, f) for f in (50_300, 49_980, 49_940, 49_900, 49_700, 49_500)]
    assert moved == [0, 0, -500, -1000, -2500, -2500]
    assert reserve_needed_w(low) == (2500, 0)
    assert reserve_needed_w(CURVE) == (3700, 3700)
    assert change_w(symmetric(20, ((120, 1000),), nominal_mhz=60_000), 59_930) == -500


@pytest.mark.row("M4")
@given(curves(), st.integers(48_000, 52_000), st.integers(0, 500), st.integers(-9000, 9000), st.integers(0, 9000))
def test_less_frequency_never_draws_more_and_no_frequency_leaves_the_band_or_the_reserve(
    curve: Droop, frequency_mhz: int, more_mhz: int, base_w: int, most_w: int
) -> None:
    band = Band(lo_w=-most_w, hi_w=most_w)
    low, high = (respond(curve, at, base_w, band) for at in (frequency_mhz, frequency_mhz + more_mhz))
    assert -most_w <= low <= high <= most_w
    up_w, down_w = reserve_needed_w(curve)
    moved_w = change_w(curve, frequency_mhz)
    assert -up_w <= moved_w <= down_w
    assert moved_w * (frequency_mhz - 50_000) >= 0
    if abs(frequency_mhz - 50_000) <= curve.deadband_mhz:
        assert moved_w == 0


@given(curves(), st.integers(49_000, 51_000), st.integers(0, 7360))
def test_a_car_draws_nothing_or_at_least_its_6_amperes(curve: Droop, frequency_mhz: int, base_w: int) -> None:
    power_w = respond(curve, frequency_mhz, base_w, Band(lo_w=0, hi_w=7360), least_import_w=1380)
    assert power_w == 0 or 1380 <= power_w <= 7360


def test_between_nothing_and_6_amperes_the_nearer_is_taken_where_the_band_has_it() -> None:
    for base_w, hi_w, power_w in ((600, 7360, 0), (900, 7360, 1380), (900, 1000, 0)):
        assert respond(CURVE, 50_000, base_w, Band(lo_w=0, hi_w=hi_w), 1380) == power_w


@pytest.mark.row("M4")
def test_on_a_recorded_morning_a_battery_pushes_against_every_swing_and_keeps_its_reserve() -> None:
    charge = Instruction(verb=Verb.START_CHARGE, interval=slot_from(0), power_w=1000, expected_wh=250, reason="sun")
    seen = recorded()
    first = seen[0][0]
    cable = Limit(authority=Authority.DSO, band=Band(lo_w=-5000, hi_w=1200))
    until = first + timedelta(minutes=9)
    sent = command(BATTERY, charge, [cable], now=first, droop=arm(CURVE, until))
    did = [(at, frequency, act(sent, at, frequency, 1000)) for at, frequency in seen]
    for at, frequency, power_w in did:
        assert -5000 <= power_w <= 1200, "the grid operator's limit holds at every frequency"
        if at >= until or abs(frequency - 50_000) <= 15:
            assert power_w == 1000
        elif frequency < 50_000:
            assert power_w == 1000 + change_w(CURVE, frequency) < 1000
        else:
            assert 1000 < power_w <= 1200
    assert min(power_w for _, _, power_w in did) == respond(CURVE, min(f for _, f in seen), 1000, FREE)
    moved = sum(power_w != 1000 for _, _, power_w in did)
    assert moved > 100, "the recorded frequency leaves the deadband often"
    disarmed = replace(sent, droop=None, droop_band=None)
    assert {act(disarmed, at, frequency, 1000) for at, frequency in seen} == {1000}


@pytest.mark.row("M4")
def test_what_a_plan_holds_ready_is_there_at_the_worst_frequency_of_every_slot() -> None:
    slots = 8
    envelope = Envelope(
        asset=BATTERY.id, zone="street", lo_w=(-5000,) * slots, hi_w=(5000,) * slots,
        store=Store(
            level_now_wh=5000, level_min_wh=(0,) * slots, level_max_wh=(10_000,) * slots, capacity_wh=10_000,
            charge_permille=950, discharge_permille=950,
        ),
    )  # fmt: skip
    window = Interval(NOON, NOON + timedelta(hours=2))
    stated = held_ready(BATTERY.id, CURVE, window)
    assert [(one.quantity, one.value, one.priority) for one in stated] == [
        (Quantity.RESERVE_UP, 3700, Priority.CONTRACT),
        (Quantity.RESERVE_DOWN, 3700, Priority.CONTRACT),
    ]
    cheap_then_dear = (100_000,) * 4 + (400_000,) * 4
    asked = Problem(
        start=NOON, envelopes=(envelope,), import_price=cheap_then_dear, export_price=cheap_then_dear,
        constraints=stated, own_use=False,
    )  # fmt: skip
    found = plan(asked)
    assert found.unmet == ()
    assert violations(asked, found) == []
    for base_w in found.power_w[BATTERY.id]:
        assert respond(CURVE, 47_500, base_w, FREE) == base_w - 3700
        assert respond(CURVE, 51_500, base_w, FREE) == base_w + 3700
    without = plan(replace(asked, constraints=()))
    assert max(map(abs, without.power_w[BATTERY.id])) > 1300, "the reserve is what held the plan back"


def test_a_curve_on_one_side_holds_one_side_ready() -> None:
    low = Droop(deadband_mhz=20, points=((-500, -4000),))
    (only,) = held_ready(BATTERY.id, low, slot_from(0), author="grid")
    assert (only.quantity, only.value, only.author) == (Quantity.RESERVE_UP, 4000, "grid")


@pytest.mark.parametrize(
    ("wrong", "because"),
    [
        ({"points": ()}, "has points"),
        ({"deadband_mhz": -1}, "deadband of zero or more"),
        ({"points": ((-200, 5),)}, "helps the frequency"),
        ({"points": ((100, 5), (200, 4))}, "rises from point to point"),
        ({"points": ((200, 5), (100, 4))}, "rises from point to point"),
        ({"points": ((15, 5),)}, "outside the deadband"),
        ({"most_up_w": -1}, "a reserve limit is zero or more"),
    ],
)
def test_a_curve_that_would_not_help_is_refused(wrong: dict[str, object], because: str) -> None:
    with pytest.raises(InvalidValue, match=because):
        replace(CURVE, **wrong)
    with pytest.raises(InvalidValue, match="in UTC"):
        Armed(curve=CURVE, until=NOON.replace(tzinfo=None))

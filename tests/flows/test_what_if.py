"""What would be: each change reaches the plan as what it is, and nothing else moves."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from commonwatt.flows.constraint_to_command import Outlook, Stored
from commonwatt.flows.what_if import Change, changed, course, unmanaged_w
from commonwatt.model import (
    SLOT_SECONDS,
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    GatewayId,
    InvalidValue,
    Quantity,
    Reach,
    epoch,
)

NOW = datetime(2018, 11, 14, 17, tzinfo=UTC)
LONDON = ZoneInfo("Europe/London")
DAY = 96


def asset(kind: AssetKind, name: str, **more: int) -> Asset:
    return Asset(
        id=AssetId(name),
        owner=AccountId("anna"),
        gateway=GatewayId("gw"),
        kind=kind,
        zone="street",
        max_import_w=4_000,
        max_export_w=4_000,
        **more,
    )


BATTERY = asset(AssetKind.BATTERY, "cellar", capacity_wh=8_000)
CAR = asset(AssetKind.VEHICLE, "car", capacity_wh=40_000, charge_permille=900)
SIZES = {AssetKind.BATTERY: BATTERY, AssetKind.VEHICLE: CAR}


def outlook(*stored: Stored) -> Outlook:
    """Three homes that draw 800 W all day, one roof that makes 2 kW from nine to three; dear from five to eight."""
    start_s = epoch(NOW)
    evening = range(start_s, start_s + 3 * 3_600, SLOT_SECONDS)
    sun = tuple(500 if 64 <= (at + 68) % DAY < 88 else 0 for at in range(DAY))
    return Outlook(
        now=NOW,
        zone="street",
        load_wh={AssetId(f"meter-{n}"): (200,) * DAY for n in range(3)},
        solar_wh={AssetId("roof"): sun},
        stored=stored,
        prices={
            start_s + at * SLOT_SECONDS: (400_000, 50_000)
            if start_s + at * SLOT_SECONDS in evening
            else (100_000, 50_000)
            for at in range(DAY)
        },
        constraints=(),
        wear_micro_per_kwh={AssetKind.BATTERY: 10_000, AssetKind.VEHICLE: 10_000},
        reserve_wh=0,
        behind={AssetId(f"meter-{n}"): (AccountId(f"home-{n}"), AssetId(f"meter-{n}")) for n in range(3)},
        clock=LONDON,
    )


@pytest.mark.row("W2")
def test_a_full_battery_more_makes_the_dear_evening_cheaper_and_an_empty_one_does_not() -> None:
    full = Stored(asset=BATTERY, level_wh=8_000)
    bare, helped = course(outlook()), course(outlook(full))
    assert bare.cost_micro > helped.cost_micro and bare.demand_w == helped.demand_w
    added = course(changed(outlook(), Change(batteries=1), SIZES))
    assert added.cost_micro <= bare.cost_micro and added.left_wh >= 0
    assert bare.exchange_w == bare.demand_w, "nothing moves where nothing stores"


def test_a_roof_more_makes_what_the_mean_roof_makes_and_a_tariff_is_told_in_percent() -> None:
    two = course(changed(outlook(), Change(roofs=1), SIZES))
    one = course(outlook())
    assert two.made_wh == 2 * one.made_wh > 0 and two.cost_micro < one.cost_micro
    dear = course(changed(outlook(), Change(import_percent=200), SIZES))
    assert dear.cost_micro > one.cost_micro and dear.exchange_w == one.exchange_w
    assert course(changed(outlook(), Change(export_percent=0), SIZES)).cost_micro >= one.cost_micro
    assert one.kept_permille is not None and two.kept_permille is not None and two.kept_permille <= one.kept_permille


def test_a_car_more_wants_to_leave_at_half_past_seven_and_unmanaged_charges_at_once() -> None:
    other = changed(outlook(), Change(cars=2), SIZES)
    assert [one.leaves for one in other.stored] == [datetime(2018, 11, 15, 7, 30, tzinfo=UTC)] * 2
    assert [(one.quantity, one.value) for one in other.constraints] == [(Quantity.CHARGE, 80)] * 2
    found = course(other)
    assert found.unmet == () and found.left_wh >= 0
    at_once = unmanaged_w(found.demand_w, other)
    assert at_once[0] == found.demand_w[0] + 2 * 4_000
    # Sixteen kilowatt-hours are wanted in each car, of which nine tenths of what is drawn arrive.
    drawn_wh = sum(after - before for after, before in zip(at_once, found.demand_w, strict=True)) // 4
    assert abs(drawn_wh - 2 * 16_000 * 10 // 9) < 10
    assert max(found.exchange_w[:12]) < max(at_once[:12]), "the planner waits for the cheap night"


def test_limits_and_a_demand_bind_in_their_hours_and_what_cannot_be_kept_is_told() -> None:
    limited = changed(outlook(), Change(zone="street", limit_w=1_000), SIZES)
    (limit,) = limited.constraints
    assert (limit.reach, limit.scope, limit.value) == (Reach.ZONE, ("street",), 1_000)
    assert [one.value for one, _ in course(limited).unmet] == [1_000]
    asked = changed(outlook(), Change(demand_from_minute=1_380, demand_to_minute=60, demand_w=500), SIZES)
    (demand,) = asked.constraints
    assert demand.window is not None
    assert (demand.window.start, demand.window.end) == (NOW + timedelta(hours=6), NOW + timedelta(hours=8))
    now = changed(outlook(), Change(demand_from_minute=1_020, demand_to_minute=1_080, demand_w=0), SIZES)
    assert now.constraints[0].window is not None and now.constraints[0].window.start == NOW


def test_what_cannot_be_tried_says_why() -> None:
    for wrong in ({"cars": 101}, {"import_percent": 1_001}, {"demand_from_minute": 7}, {"limit_w": -1}):
        with pytest.raises(InvalidValue):
            Change(**wrong)
    with pytest.raises(InvalidValue, match="no battery yet"):
        changed(outlook(), Change(batteries=1), {})
    with pytest.raises(InvalidValue, match="a plan knows one zone"):
        changed(outlook(), Change(zone="north", limit_w=1), SIZES)

"""What a forecast cost: nothing where it was right, and what the meter shows where it was not."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from commonwatt.flows.decision import Finished, lost_micro
from commonwatt.model import AccountId, Asset, AssetId, AssetKind, GatewayId, InvalidValue

SLOTS = 96
CHEAP, DEAR = (100_000, 20_000), (400_000, 20_000)
PRICES = [CHEAP] * 64 + [DEAR] * 16 + [CHEAP] * 16
BATTERY = Asset(
    id=AssetId("battery-01"),
    owner=AccountId("member-01"),
    gateway=GatewayId("HEPEK-0001"),
    kind=AssetKind.BATTERY,
    zone="street",
    max_import_w=5_000,
    max_export_w=5_000,
    capacity_wh=8_000,
    charge_permille=950,
    discharge_permille=950,
)
EVENING = (*(100,) * 64, *(400,) * 16, *(100,) * 16)
DARK = (0,) * SLOTS
DAY = Finished(
    start=datetime(2026, 1, 12, tzinfo=UTC),
    clock=ZoneInfo("Europe/London"),
    battery=BATTERY,
    level_wh=500,
    foreseen_wh=(EVENING, DARK),
    came_wh=(EVENING, DARK),
    prices=PRICES,
    wear_micro_per_kwh=10_000,
    reserve_wh=0,
)


@pytest.mark.row("X9")
def test_a_forecast_that_was_right_costs_nothing() -> None:
    assert lost_micro(DAY) == 0


@pytest.mark.row("X9")
def test_an_evening_that_nobody_foresaw_is_bought_dear() -> None:
    quiet = replace(DAY, foreseen_wh=((100,) * SLOTS, DARK))
    lost = lost_micro(quiet)
    # 16 quarter-hours of 300 Wh more than was stored for, dear instead of cheap, less what storing loses.
    assert 500_000 < lost < 16 * 300 * 300


def test_a_day_has_as_many_slots_as_a_plan() -> None:
    with pytest.raises(InvalidValue, match="96 slots"):
        replace(DAY, prices=PRICES[1:])

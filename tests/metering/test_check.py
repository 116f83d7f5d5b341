"""A reading that cannot be true is named with its reason."""

from dataclasses import replace
from typing import Any

import pytest

from commonwatt.metering.aggregate import home_load_wh
from commonwatt.metering.check import fault
from commonwatt.model import AccountId, Asset, AssetId, AssetKind, GatewayId, Reading, slot_from

BATTERY = Asset(
    id=AssetId("battery-01"), owner=AccountId("member-01"), gateway=GatewayId("HEPEK-0001"), kind=AssetKind.BATTERY,
    zone="street", max_import_w=5000, max_export_w=4000, capacity_wh=6400, charge_permille=949, discharge_permille=949,
)  # fmt: skip
HOME = Asset(
    id=AssetId("home-01"), owner=AccountId("member-01"), gateway=GatewayId("HEPEK-0001"), kind=AssetKind.CONNECTION,
    zone="street", max_import_w=23_000, max_export_w=23_000,
)  # fmt: skip


def reading(asset: Asset, import_wh: int = 0, export_wh: int = 0, **more: Any) -> Reading:
    return Reading(asset=asset.id, interval=slot_from(900), import_wh=import_wh, export_wh=export_wh, **more)


@pytest.mark.row("M6")
@pytest.mark.parametrize(
    ("found", "asset", "why"),
    [
        (reading(HOME, import_wh=9_000_000), HOME, "import above registered limit: found 9000000 Wh, limit 5751 Wh"),
        (reading(HOME, export_wh=5752), HOME, "export above registered limit"),
        (reading(BATTERY, level_wh=6401), BATTERY, "level above registered capacity"),
        (reading(BATTERY), BATTERY, "tells no level"),
        (reading(HOME, level_wh=1), HOME, "stores nothing"),
        (reading(BATTERY, import_wh=100, level_wh=1097), BATTERY, "level rose more than was charged"),
    ],
)
def test_a_reading_that_cannot_be_true_is_set_aside(found: Reading, asset: Asset, why: str) -> None:
    before = Reading(asset=asset.id, interval=slot_from(0), import_wh=0, export_wh=0, level_wh=1000)
    assert why in (fault(found, asset, before if asset.stores else None, []) or "")


def test_a_reading_at_its_limits_is_believed() -> None:
    before = reading(BATTERY, level_wh=1000)
    assert fault(reading(HOME, import_wh=5751), HOME, None, []) is None
    assert fault(reading(BATTERY, import_wh=100, level_wh=1095), BATTERY, before, []) is None


def test_a_second_reading_of_one_time_is_not_believed() -> None:
    assert fault(reading(HOME), HOME, None, [reading(HOME)]) == "overlaps a reading that was booked"


def test_a_homes_own_load_is_what_the_meters_leave() -> None:
    sun = Reading(asset=AssetId("solar"), interval=slot_from(900), import_wh=0, export_wh=700)
    battery = reading(BATTERY, import_wh=200, level_wh=1)
    assert home_load_wh(reading(HOME, export_wh=100), [sun, battery]) == 400
    assert home_load_wh(reading(HOME, import_wh=50), []) == 50


@pytest.mark.parametrize(("import_wh", "why"), [(0, None), (1, "tells no level of an asset that stores")])
def test_a_car_that_is_away_has_a_meter_and_no_level(import_wh: int, why: str | None) -> None:
    car = replace(BATTERY, kind=AssetKind.VEHICLE)
    assert fault(reading(car, import_wh=import_wh), car, None, []) == why

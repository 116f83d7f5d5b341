"""Kept or missed is decided by meters alone."""

from datetime import UTC, datetime
from typing import Any

import pytest

from commonwatt.metering.kept import Miss, miss
from commonwatt.model import (
    SLOT,
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    Constraint,
    GatewayId,
    Interval,
    Quantity,
    Reach,
    Reading,
    Relation,
    epoch,
    slot_from,
)

NOON = datetime(2018, 11, 14, 12, tzinfo=UTC)


def asset(name: str, kind: AssetKind, capacity_wh: int = 0) -> Asset:
    return Asset(
        id=AssetId(name), owner=AccountId("m"), gateway=GatewayId("g"), kind=kind, zone="street",
        max_import_w=9000, max_export_w=9000, capacity_wh=capacity_wh,
    )  # fmt: skip


ASSETS = [
    asset("home-01", AssetKind.CONNECTION),
    asset("home-02", AssetKind.CONNECTION),
    asset("car-01", AssetKind.VEHICLE, 64_000),
]


def told(slot: int, **readings: tuple[int, int, int | None]) -> dict[int, dict[AssetId, Reading]]:
    slot_s = epoch(NOON) + slot * 900
    return {
        slot_s: {
            AssetId(name.replace("_", "-")): Reading(
                asset=AssetId(name.replace("_", "-")),
                interval=slot_from(slot_s),
                import_wh=i,
                export_wh=e,
                level_wh=level,
            )
            for name, (i, e, level) in readings.items()
        }
    }


def constraint(**fields: Any) -> Constraint:
    return Constraint(**{"relation": Relation.AT_LEAST, **fields})


@pytest.mark.parametrize(("level_wh", "found"), [(51_200, None), (51_199, Miss(1, "Wh", 1))])
def test_a_level_is_read_from_the_slot_that_ends_at_its_instant(level_wh: int, found: Miss | None) -> None:
    wish = constraint(quantity=Quantity.CHARGE, scope=("car-01",), value=80, at=NOON + SLOT)
    assert miss(wish, ASSETS, told(0, car_01=(0, 0, level_wh)) | told(1, car_01=(0, 0, 0))) == found


def test_a_zones_power_is_what_its_connections_exchange_together() -> None:
    window = Interval(NOON, NOON + 2 * SLOT)
    limit = constraint(
        quantity=Quantity.POWER,
        scope=("street",),
        reach=Reach.ZONE,
        value=4000,
        relation=Relation.AT_MOST,
        window=window,
    )
    kept = told(0, home_01=(1500, 0, None), home_02=(0, 500, None), car_01=(1400, 0, 5))
    assert miss(limit, ASSETS, kept | told(2, home_01=(5000, 0, None))) is None
    over = told(0, home_01=(1001, 0, None)) | told(1, home_01=(1500, 0, None))
    assert miss(limit, ASSETS, over) == Miss(2000, "W", 2)


def test_energy_is_bounded_as_a_sum_and_what_was_not_measured_tells_nothing() -> None:
    window = Interval(NOON, NOON + 2 * SLOT)
    bound = constraint(
        quantity=Quantity.ENERGY,
        scope=("street",),
        reach=Reach.ZONE,
        value=1000,
        relation=Relation.AT_MOST,
        window=window,
    )
    assert miss(bound, ASSETS, told(0, home_01=(600, 0, None)) | told(1, home_02=(500, 0, None))) == Miss(100, "Wh", 1)
    assert miss(bound, ASSETS, {}) is None
    wish = constraint(quantity=Quantity.BATTERY, scope=("car-01",), value=5, at=NOON + SLOT)
    assert miss(wish, ASSETS, told(0, home_01=(0, 0, None))) is None


def window(slots: int = 2) -> dict[str, Any]:
    return {"window": Interval(NOON, NOON + slots * SLOT)}


@pytest.mark.parametrize(
    ("reach", "scope", "found"),
    [
        (Reach.CONNECTION, ("home-01",), Miss(2_000, "W", 1)),
        (Reach.CONNECTION, ("home-01", "home-02"), None),
        (Reach.OWNER, ("m",), None),
        (Reach.OWNER, ("nobody",), None),
        (Reach.FEEDER, ("f",), None),
        (Reach.COMMUNITY, (), None),
    ],
)
def test_what_is_behind_connections_is_what_they_exchange_together(
    reach: Reach, scope: tuple[str, ...], found: Miss | None
) -> None:
    limit = constraint(
        quantity=Quantity.POWER, reach=reach, scope=scope, value=4_000, relation=Relation.AT_MOST, **window()
    )
    assert miss(limit, ASSETS, told(0, home_01=(1_500, 0, None), home_02=(0, 500, None), car_01=(1_400, 0, 5))) == found


def test_a_ramp_is_the_change_from_a_slot_to_the_next() -> None:
    limit = constraint(quantity=Quantity.RAMP, scope=("home-01",), value=1_000, relation=Relation.AT_MOST, **window(3))
    readings = told(0, home_01=(0, 0, None)) | told(1, home_01=(500, 0, None)) | told(2, home_01=(0, 100, None))
    assert miss(limit, ASSETS, readings) == Miss(1_400, "W", 2)
    assert miss(limit, ASSETS, told(0, home_01=(900, 0, None))) is None, "nothing to compare with"


def test_an_appliance_ran_in_the_slots_in_which_it_drew() -> None:
    wish = constraint(quantity=Quantity.RUN_TIME, scope=("home-01",), value=45, **window(4))
    ran = told(0, home_01=(200, 0, None)) | told(1, home_01=(0, 0, None)) | told(2, home_01=(100, 0, None))
    assert miss(wish, ASSETS, ran) == Miss(15, "min", 1)
    assert miss(wish, ASSETS, ran | told(3, home_01=(1, 0, None))) is None


def test_a_cycle_is_a_capacity_given_out() -> None:
    limit = constraint(quantity=Quantity.CYCLES, scope=("car-01",), value=500, relation=Relation.AT_MOST, **window(2))
    given = told(0, car_01=(0, 20_000, 40_000)) | told(1, car_01=(0, 16_000, 20_000))
    assert miss(limit, ASSETS, given) == Miss(62, "thousandths of a cycle", 1)
    assert miss(limit, ASSETS[:2], given) is None


@pytest.mark.parametrize("quantity", [Quantity.TEMPERATURE, Quantity.RESERVE_UP, Quantity.RESERVE_DOWN])
def test_of_what_is_not_metered_nothing_can_be_told(quantity: Quantity) -> None:
    wish = constraint(quantity=quantity, scope=("car-01",), value=5, **window())
    assert miss(wish, ASSETS, told(0, car_01=(0, 0, 5))) is None

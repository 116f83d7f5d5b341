"""A noun refuses to be wrong."""

from collections.abc import Callable
from typing import Any

import pytest

from commonwatt.model import (
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    Band,
    Commodity,
    Constraint,
    Entry,
    Envelope,
    GatewayId,
    InvalidValue,
    Order,
    OrderId,
    Quantity,
    Reach,
    Reading,
    Relation,
    Side,
    slot_from,
)


def asset(**changes: Any) -> Asset:
    fields: dict[str, Any] = {
        "id": AssetId("battery-01"),
        "owner": AccountId("member-01"),
        "gateway": GatewayId("HEPEK-0001"),
        "kind": AssetKind.BATTERY,
        "zone": "street",
        "max_import_w": 5000,
        "max_export_w": 5000,
        "capacity_wh": 6400,
        "charge_permille": 949,
        "discharge_permille": 949,
    }
    return Asset(**{**fields, **changes})


@pytest.mark.parametrize(
    "make",
    [
        lambda: asset(max_import_w=-1),
        lambda: asset(charge_permille=0),
        lambda: asset(discharge_permille=1001),
        lambda: asset(min_import_w=5001),
        lambda: Reading(asset=AssetId("a"), interval=slot_from(0), import_wh=-1, export_wh=0),
        lambda: Band(lo_w=1, hi_w=0),
        lambda: Order(
            id=OrderId("1"), owner=AccountId("m"), side=Side.BID, energy_wh=0, price_micro_per_kwh=1, arrived=1
        ),
        lambda: Entry(
            commodity=Commodity.WATT,
            source=AccountId("m"),
            target=AccountId("m"),
            amount=1,
            memo="x",
            slot_s=0,
        ),
        lambda: Envelope(asset=AssetId("a"), zone="z", lo_w=(0, 0), hi_w=(0,)),
        lambda: Envelope(asset=AssetId("a"), zone="z", lo_w=(1,), hi_w=(0,)),
        lambda: Constraint(
            quantity=Quantity.CHARGE,
            scope=("car",),
            relation=Relation.AT_LEAST,
            value=101,
            at=slot_from(0).start,
        ),
        lambda: Constraint(
            quantity=Quantity.POWER,
            scope=("z",),
            reach=Reach.ZONE,
            relation=Relation.AT_MOST,
            value=1,
            at=slot_from(0).start,
        ),
        lambda: Constraint(
            quantity=Quantity.POWER, scope=(), reach=Reach.ZONE, relation=Relation.AT_MOST, value=1, window=slot_from(0)
        ),
    ],
)
def test_an_impossible_noun_cannot_be_made(make: Callable[[], object]) -> None:
    with pytest.raises(InvalidValue):
        make()


def test_a_round_trip_never_gives_back_more_than_efficiencies_allow() -> None:
    assert asset().round_trip_wh(1000) == 900
    assert asset().recoverable_wh(1001) == 949

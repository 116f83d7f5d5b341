"""No two sums that are shown tell of a home or two by what lies between them."""

from types import SimpleNamespace
from typing import Any

from commonwatt.adapters.stores.chronicle import Chronicle
from commonwatt.apps.views.curves import curves
from commonwatt.apps.views.zones import feeder, zone, zones
from commonwatt.flows.chronicle import Believed, Chapter
from commonwatt.identity.seat import PUBLIC, Role, Seat
from commonwatt.metering.batch import Quality
from commonwatt.model import GRID, AccountId, Asset, AssetId, AssetKind, GatewayId, Reading, slot_from

DSO = Seat(person="dora", role=Role.DSO, account=GRID)
Meter = tuple[str, AssetKind, str, int | None]
"""Whose, of what, in which zone, and what it told in Wh; None for nothing."""


def community(*meters: Meter) -> Any:
    """Return what views ask of a community in whose first slot these meters told."""
    assets, told = {}, Chapter(size=1, now_s=900)
    for number, (owner, kind, where, wh) in enumerate(meters):
        stores = kind in (AssetKind.BATTERY, AssetKind.VEHICLE)
        asset = Asset(
            id=AssetId(f"meter-{number:02}"),
            owner=AccountId(owner),
            gateway=GatewayId("gateway-01"),
            kind=kind,
            zone=where,
            max_import_w=8_000,
            max_export_w=8_000,
            capacity_wh=50_000 if stores else 0,
            charge_permille=900 if stores else 1_000,
        )
        assets[asset.id] = asset
        if wh is not None:
            level_wh = 9_000 if stores else None
            reading = Reading(asset=asset.id, interval=slot_from(0), import_wh=wh, export_wh=0, level_wh=level_wh)
            told.readings.append(Believed(reading=reading, slot_s=0, quality=Quality.MEASURED, position=0))
    told.losses_wh[0] = 1
    chronicle = Chronicle()
    chronicle.add(told)
    state = SimpleNamespace(assets=assets, stated=[])
    return SimpleNamespace(state=state, chronicle=chronicle, told_s=900)


def homes(count: int, where: str = "street", first: int = 0) -> list[Meter]:
    return [(f"{where}-{first + n}", AssetKind.CONNECTION, where, 250) for n in range(count)]


def stores(*owners: int, kind: AssetKind = AssetKind.VEHICLE) -> list[Meter]:
    return [(f"street-{owner}", kind, "street", 100) for owner in owners]


def test_demand_alone_is_shown_where_three_own_stores_or_nobody_does() -> None:
    def demand(*meters: Meter) -> int | None:
        (slot,) = curves(community(*meters), DSO, 0, 900)
        assert slot.discharging_w == len(homes(4)) * 1_000
        return slot.demand_w

    car = AssetKind.VEHICLE
    assert demand(*homes(4)) == 4_000
    assert demand(*homes(4), *stores(0)) is None, "what lies between the curves would be that car"
    assert demand(*homes(4), *stores(0, 1)) is None
    assert demand(*homes(4), *stores(0, 0, 0)) is None, "three cars of one home are one home's"
    assert demand(*homes(4), *stores(0, 1), *stores(2, kind=AssetKind.BATTERY)) == 4_000 - 3 * 400
    assert demand(*homes(4), *stores(0, 1), ("street-2", car, "street", None)) is None, "of whom nothing was told"


def test_what_cars_did_is_shown_of_three_owners_not_of_three_cars() -> None:
    (one_s,) = curves(community(*homes(4), *stores(0, 0, 0)), DSO, 0, 900)
    (three_s,) = curves(community(*homes(4), *stores(0, 1, 2)), DSO, 0, 900)
    assert (one_s.unmanaged_w, one_s.smart_w) == (None, None)
    assert three_s.unmanaged_w is not None and three_s.smart_w == 4_000


def test_no_curves_are_shown_of_three_connections_of_two_owners() -> None:
    assert curves(community(*homes(2), *homes(1)), DSO, 0, 900) == []


def shown(*meters: Meter) -> dict[str, int | None]:
    seen = community(*meters)
    found = {one.zone: one.slots[0].power_w for one in zones(seen, DSO, 0, 900)}
    assert {name: zone(seen, DSO, name, 0, 900).slots[0].power_w for name in found} == found, "one by one as together"
    south = Seat(person="dora", role=Role.DSO, account=GRID, zones=("south",))
    assert all(found[one.zone] == one.slots[0].power_w for one in zones(seen, south, 0, 900))
    return found


def test_a_zone_is_not_shown_whose_sum_would_leave_a_home_or_two_at_the_feeder() -> None:
    north, south = homes(4, "north"), homes(3, "south")
    assert shown(*north, *south) == {"north": 4_000, "south": 3_000}
    assert shown(*north, *south, *homes(1, "west")) == {"north": 4_000, "south": None, "west": None}
    assert shown(*north, *homes(1, "west")) == {"north": None, "west": None}
    assert shown(*north, *homes(2, "west"), *homes(1, "east")) == {"east": None, "north": 4_000, "west": None}
    assert shown(*homes(2, "south"), *homes(1, "south")) == {"south": None}, "three connections of two owners"


def test_the_feeder_is_not_shown_of_fewer_than_three_homes() -> None:
    meter = ("operator", AssetKind.FEEDER, "street", 700)
    assert feeder(community(*homes(2), meter), PUBLIC, 0, 900) == []
    assert [one.power_w for one in feeder(community(*homes(3), meter), PUBLIC, 0, 900)] == [2_800]

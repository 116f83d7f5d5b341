"""A home's day is of all its meters, however many of a kind it has."""

from types import SimpleNamespace
from typing import Any

from commonwatt.adapters.stores.chronicle import Chronicle
from commonwatt.apps.views.home import today
from commonwatt.flows.chronicle import Believed, Chapter
from commonwatt.metering.batch import Quality
from commonwatt.model import SLOT_SECONDS, AccountId, Asset, AssetId, AssetKind, GatewayId, Reading, slot_from

ME = AccountId("member-01")


def test_a_home_with_two_roofs_two_batteries_and_two_connections_is_told_of_all_of_them() -> None:
    own, told = list[Asset](), Chapter(size=1, now_s=SLOT_SECONDS, prices={0: (300_000, 100_000)})
    for number, (kind, import_wh, export_wh) in enumerate(
        [
            (AssetKind.CONNECTION, 1_000, 0),
            (AssetKind.CONNECTION, 500, 100),
            (AssetKind.SOLAR, 0, 300),
            (AssetKind.SOLAR, 0, 200),
            (AssetKind.BATTERY, 400, 0),
            (AssetKind.BATTERY, 0, 600),
        ]
    ):
        asset = Asset(
            id=AssetId(f"meter-{number}"),
            owner=ME,
            gateway=GatewayId("gateway-01"),
            kind=kind,
            zone="street",
            max_import_w=8_000,
            max_export_w=8_000,
            capacity_wh=9_000 if kind is AssetKind.BATTERY else 0,
            charge_permille=900 if kind is AssetKind.BATTERY else 1_000,
        )
        own.append(asset)
        reading = Reading(
            asset=asset.id,
            interval=slot_from(0),
            import_wh=import_wh,
            export_wh=export_wh,
            level_wh=4_500 if kind is AssetKind.BATTERY else None,
        )
        told.readings.append(Believed(reading=reading, slot_s=0, quality=Quality.MEASURED, position=0))
    chronicle = Chronicle()
    chronicle.add(told)
    state = SimpleNamespace(charter=SimpleNamespace(timezone="UTC"), settled_to_s=SLOT_SECONDS)
    community: Any = SimpleNamespace(state=state, chronicle=chronicle, outside=None)
    found = today(community, ME, own, money=True)
    assert (found.import_wh, found.export_wh, found.solar_wh) == (1_500, 100, 500)
    # Without its batteries, which took 400 and gave 600, the grid would have been asked for 1,600 Wh at 0.30 a kWh.
    assert found.alone_micro == 480_000

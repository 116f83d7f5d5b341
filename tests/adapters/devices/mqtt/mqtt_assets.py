"""The two assets of these tests."""

from commonwatt.model import AccountId, Asset, AssetId, AssetKind, GatewayId

BATTERY = Asset(
    id=AssetId("battery"),
    owner=AccountId("anna"),
    gateway=GatewayId("gw-1"),
    kind=AssetKind.BATTERY,
    zone="lane",
    max_import_w=5_000,
    max_export_w=5_000,
    capacity_wh=10_000,
)
BOILER = Asset(
    id=AssetId("boiler"),
    owner=AccountId("anna"),
    gateway=GatewayId("gw-1"),
    kind=AssetKind.CONNECTION,
    zone="lane",
    max_import_w=2_000,
    max_export_w=0,
)

"""Prints the discovery messages of all kinds of asset, one a line."""

import sys

import msgspec

from commonwatt.adapters.devices.mqtt.discovery import Shown, described, state_message
from commonwatt.model import AccountId, Asset, AssetId, AssetKind, GatewayId, Verb


def main() -> None:
    for asset in (
        made("home battery", AssetKind.BATTERY, 5_000, 5_000, 10_000),
        made("car", AssetKind.VEHICLE, 11_000, 0, 64_000),
        made("roof", AssetKind.SOLAR, 0, 8_000),
        made("zähler/1", AssetKind.CONNECTION, 17_000, 17_000),
        made("meter", AssetKind.CONNECTION, 0, 0),
    ):
        states = [Shown(), Shown(power_w=-400, import_wh=1_500, export_wh=0, level_wh=900, instruction="SUPPLY 400 W")]
        states.append(Shown(wish=Verb.SUPPLY if asset.max_export_w else None, target_w=400, reason='it said "now"'))
        line = {
            "config": described(asset, "commonwatt/gw-1/status", "0.1.0"),
            "states": [state_message(asset, shown).decode() for shown in states],
        }
        sys.stdout.write(msgspec.json.encode(line).decode() + "\n")


def made(name: str, kind: AssetKind, import_w: int, export_w: int, capacity_wh: int = 0) -> Asset:
    return Asset(
        id=AssetId(name),
        owner=AccountId("anna"),
        gateway=GatewayId("gw-1"),
        kind=kind,
        zone="lane",
        max_import_w=import_w,
        max_export_w=export_w,
        capacity_wh=capacity_wh,
    )


main()

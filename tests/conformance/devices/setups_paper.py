"""The suite's own yardstick: devices without a wire, a battery and a charger that only takes limits."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from device_bench import NOON_S, Bench, Setup

from commonwatt.model import AccountId, Ack, Asset, AssetId, AssetKind, Caps, Command, GatewayId, Unreachable, instant
from commonwatt.simulator.devices.paper import PaperDevice
from commonwatt.simulator.mischief import Mischief
from commonwatt.simulator.plant import Plant

BATTERY = Asset(
    id=AssetId("battery"),
    owner=AccountId("anna"),
    gateway=GatewayId("gw-1"),
    kind=AssetKind.BATTERY,
    zone="lane",
    max_import_w=5_000,
    max_export_w=5_000,
    capacity_wh=10_000,
    charge_permille=950,
    discharge_permille=950,
)
CHARGER = Asset(
    id=AssetId("charger"),
    owner=AccountId("anna"),
    gateway=GatewayId("gw-1"),
    kind=AssetKind.VEHICLE,
    zone="lane",
    max_import_w=7_360,
    max_export_w=0,
    min_import_w=1_380,
    capacity_wh=64_000,
)


class Cuttable(PaperDevice):
    """Cannot be reached while the wire that it does not have is cut."""

    wire: Mischief

    async def apply(self, command: Command) -> Ack:
        if self.wire.refuse:
            raise Unreachable("paper is cut")
        return await super().apply(command)


@asynccontextmanager
async def paper(asset: Asset, *, setpoint: bool) -> AsyncIterator[Bench]:
    plant = Plant(asset=asset, now_s=NOON_S, level_wh=asset.capacity_wh // 2)
    caps = Caps(
        max_import_w=asset.max_import_w,
        max_export_w=asset.max_export_w,
        min_import_w=asset.min_import_w,
        setpoint=setpoint,
        lease_s=60,
    )
    bench: Bench

    async def restart() -> None:
        plant.restart()

    device = Cuttable(plant, lambda: instant(bench.now_s), caps)
    device.wire = Mischief()
    bench = Bench(plant=plant, device=device, wire=device.wire, restart=restart, levels=True)
    yield bench


NO_WIRE = dict.fromkeys(("delay", "cut", "half-open", "spoil", "twice", "late"), "it has no wire")
PAPER = {**NO_WIRE, "lie": "it is the yardstick", "repeat": "it says nothing by itself"}
SETUPS = [
    Setup("paper battery", partial(paper, BATTERY, setpoint=True), PAPER),
    Setup("paper charger", partial(paper, CHARGER, setpoint=False), PAPER),
]

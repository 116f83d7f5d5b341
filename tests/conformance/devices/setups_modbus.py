"""Devices by register map: batteries of three makes and two meters, each behind a Modbus server of its own."""

import asyncio
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from device_bench import ANSWERS, NOON_S, Bench, Setup

from commonwatt.adapters.devices.driver import DeviceSpec, Doors, open_device
from commonwatt.adapters.devices.modbus.map_file import map_text
from commonwatt.model import AccountId, Asset, AssetId, AssetKind, GatewayId, instant
from commonwatt.simulator.devices.modbus_map import MapUnit
from commonwatt.simulator.devices.modbus_server import serve
from commonwatt.simulator.mischief import Mischief, wire
from commonwatt.simulator.plant import Plant

QUICK = {"timeout_s": 0.25, "backoff_s": 0.01, "backoff_most_s": 0.02}
"""The wire of a bench is short."""


def asset(kind: AssetKind) -> Asset:
    return Asset(
        id=AssetId("thing"),
        owner=AccountId("anna"),
        gateway=GatewayId("gw-1"),
        kind=kind,
        zone="lane",
        max_import_w=5_000,
        max_export_w=5_000,
        capacity_wh=10_000 if kind is AssetKind.BATTERY else 0,
        charge_permille=950,
        discharge_permille=950,
    )


@asynccontextmanager
async def by_map(name: str, kind: AssetKind, resolution_wh: int) -> AsyncIterator[Bench]:
    plant = Plant(asset=asset(kind), now_s=NOON_S)
    plant.level_wh = plant.asset.capacity_wh // 2
    text = tomllib.loads(map_text(name))
    unit = MapUnit(text, plant)
    mischief = Mischief()
    bench: Bench

    async def restart() -> None:
        unit.restart()

    async def back() -> None:
        await asyncio.sleep(0.03)  # longer than the adapter waits before it tries again

    def lie(lying: bool) -> None:
        unit.lying = lying

    doors = Doors(clock=lambda: instant(bench.now_s))
    async with (
        doors,
        serve({text.get("unit", 1): unit}) as port,
        wire(mischief, "127.0.0.1", port) as relay,
    ):
        spec = DeviceSpec(
            asset=plant.asset.id, driver="modbus", url=f"tcp://127.0.0.1:{relay}", settings={"map": name, **QUICK}
        )
        device = await open_device(plant.asset, spec, doors)
        bench = Bench(
            plant=plant,
            device=device,
            wire=mischief,
            restart=restart,
            back=back,
            lie=lie,
            resolution_wh=resolution_wh,
            levels=plant.asset.stores,
        )
        yield bench


SETUPS = [
    Setup("modbus solax", partial(by_map, "solax-x-hybrid-g4", AssetKind.BATTERY, 100), ANSWERS),
    Setup("modbus sungrow", partial(by_map, "sungrow-sh", AssetKind.BATTERY, 100), ANSWERS),
    Setup("modbus fox", partial(by_map, "fox-ess-h1", AssetKind.BATTERY, 1), ANSWERS),
    Setup("modbus sdm630", partial(by_map, "eastron-sdm630", AssetKind.CONNECTION, 10), ANSWERS, told=False),
    Setup("modbus em24", partial(by_map, "carlo-gavazzi-em24-e1", AssetKind.CONNECTION, 100), ANSWERS, told=False),
]

"""Devices by register map: batteries of three makes and two meters, each behind a Modbus server of its own."""

import asyncio
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

from device_bench import ANSWERS, NOON_S, Bench, Setup

from commonwatt.adapters.devices.driver import DeviceSpec, Doors, open_device
from commonwatt.adapters.devices.modbus.map_file import map_text
from commonwatt.model import AccountId, Asset, AssetId, AssetKind, GatewayId, Nameplate, instant
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
async def by_map(
    name: str, kind: AssetKind, resolution_wh: int, label_of: Callable[[Nameplate], Nameplate]
) -> AsyncIterator[Bench]:
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
            label=partial(setattr, unit, "nameplate"),
            label_of=label_of,
        )
        yield bench


def by_function(label: Nameplate) -> Nameplate:
    """Function 43/14 has no object for a serial number."""
    return replace(label, serial="")


def solax(label: Nameplate) -> Nameplate:
    one, two, three = label.firmware.split(".")
    return Nameplate(make="SolaX", serial=label.serial, firmware=f"ARM {one}.{two} DSP {three}.0")


def sungrow(label: Nameplate) -> Nameplate:
    return Nameplate(make="Sungrow", model="type " + label.model.removeprefix("B"), serial=label.serial)


def em24(label: Nameplate) -> Nameplate:
    return Nameplate(make="Carlo Gavazzi", serial=label.serial)


SETUPS = [
    Setup(f"modbus {short}", partial(by_map, name, kind, resolution_wh, label), ANSWERS, told=told, driver="modbus")
    for short, name, kind, resolution_wh, label, told in (
        ("solax", "solax-x-hybrid-g4", AssetKind.BATTERY, 100, solax, True),
        ("sungrow", "sungrow-sh", AssetKind.BATTERY, 100, sungrow, True),
        ("fox", "fox-ess-h1", AssetKind.BATTERY, 1, by_function, True),
        ("sdm630", "eastron-sdm630", AssetKind.CONNECTION, 10, by_function, False),
        ("em24", "carlo-gavazzi-em24-e1", AssetKind.CONNECTION, 100, em24, False),
    )
]

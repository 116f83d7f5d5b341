"""SunSpec devices: batteries told by models 704 and 124, and roofs curtailed by 704 and 123, integers and floats."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from device_bench import ANSWERS, NOON_S, Bench, Setup
from setups_modbus import QUICK, asset

import commonwatt
from commonwatt.adapters.devices.driver import DeviceSpec, Doors, open_device
from commonwatt.model import AssetKind, instant
from commonwatt.simulator.devices.modbus_server import serve
from commonwatt.simulator.devices.sunspec import SunSpecUnit
from commonwatt.simulator.mischief import Mischief, wire
from commonwatt.simulator.plant import Plant

MODELS = Path(commonwatt.__file__).parent / "adapters/devices/sunspec/models"


@asynccontextmanager
async def by_models(models: Sequence[int], kind: AssetKind, unit_id: int, base: int) -> AsyncIterator[Bench]:
    thing = asset(kind)
    if kind is AssetKind.SOLAR:
        thing = replace(thing, max_import_w=0)
    plant = Plant(asset=thing, now_s=NOON_S, level_wh=thing.capacity_wh // 2)
    if kind is AssetKind.SOLAR:
        plant.own_w = lambda: -thing.max_export_w
    unit = SunSpecUnit(MODELS, models, plant, base=base)
    mischief = Mischief()
    bench: Bench

    async def restart() -> None:
        unit.restart()

    async def back() -> None:
        await asyncio.sleep(0.03)  # longer than the adapter waits before it tries again

    def lie(lying: bool) -> None:
        unit.lying = lying

    doors = Doors(clock=lambda: instant(bench.now_s))
    bench = Bench(
        plant=plant,
        device=None,  # type: ignore[arg-type]  # opened below: it asks the bench for the time
        wire=mischief,
        restart=restart,
        back=back,
        lie=lie,
        levels=thing.stores,
        label=partial(setattr, unit, "nameplate"),
    )
    async with doors, serve({unit_id: unit}) as port, wire(mischief, "127.0.0.1", port) as relay:
        spec = DeviceSpec(asset=thing.id, driver="sunspec", url=f"tcp://127.0.0.1:{relay}", settings=QUICK)
        bench.device = await open_device(thing, spec, doors)
        yield bench


SETUPS = [
    Setup(name, partial(by_models, models, kind, unit_id, base), ANSWERS, driver="sunspec", clock=122 in models)
    for name, models, kind, unit_id, base in (
        ("sunspec battery 704", (1, 701, 702, 704, 713, 715), AssetKind.BATTERY, 1, 40_000),
        ("sunspec battery 124", (1, 103, 120, 122, 124), AssetKind.BATTERY, 126, 50_000),
        ("sunspec roof 704", (1, 701, 702, 704), AssetKind.SOLAR, 1, 0),
        ("sunspec roof 123", (1, 113, 120, 121, 123), AssetKind.SOLAR, 1, 40_000),
    )
]

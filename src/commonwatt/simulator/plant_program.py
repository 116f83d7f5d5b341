"""The devices of a street as a program of its own: batteries, roofs, cars and meters on loopback, in simulated time.

Run by the gateway adapter as ``python -m commonwatt.simulator.plant_program FOLDER``. The first line that it reads
tells who hangs where; every further one lets a slot begin or end. It ends when its input does.
"""

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from commonwatt.adapters.devices.gateway.translate import Ready, Slot, Stepped
from commonwatt.adapters.stores.keyfile import load_secret, save_secret
from commonwatt.model import AssetId, AssetKind, CommonwattError
from commonwatt.simulator.box import Spec
from commonwatt.simulator.devices.modbus_server import serve
from commonwatt.simulator.devices.ocpp_station import OcppStation, running
from commonwatt.simulator.devices.p1 import P1Port, p1_port
from commonwatt.simulator.devices.sunspec import SunSpecUnit
from commonwatt.simulator.lines import lines, say
from commonwatt.simulator.wired_home import HomePlant, PlantMemory, WiredHome

MODELS = Path(__file__).parents[1] / "adapters" / "devices" / "sunspec" / "models"
SPOKEN = {
    AssetKind.BATTERY: (1, 701, 702, 704, 713, 715),
    AssetKind.SOLAR: (1, 103, 120, 121, 123),
    AssetKind.CONNECTION: (1, 701),
}
"""The SunSpec models of what speaks Modbus."""
V2G = "2.1"
"""The version of OCPP that can ask a car to give energy back."""
TELEGRAM_EVERY_S = 0.005
"""In simulated time: a real P1 port tells every second of fifteen minutes."""


class PlantSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Who hangs on the street: its homes, and the meter at the feeder; and whom each charging station calls."""

    homes: list[Spec]
    feeder: Spec
    stations: dict[AssetId, str] = {}


class Plants:
    """All homes' devices, one memory for all of them."""

    def __init__(self, spec: PlantSpec, path: Path) -> None:
        self._path = path
        kept: dict[str, PlantMemory] = {}
        if path.exists():
            kept = msgspec.json.decode(load_secret(path), type=dict[str, PlantMemory])
        self.homes = [WiredHome(home, kept.get(home.number, PlantMemory())) for home in spec.homes]
        self.feeder = WiredHome(spec.feeder, kept.get(spec.feeder.number, PlantMemory()))
        self.stations = [
            (plant, _station(plant, spec.stations[name]))
            for home in self.homes
            for name, plant in home.plants.items()
            if name in spec.stations
        ]

    async def step(self, slot: Slot) -> None:
        """Let a slot begin or end everywhere; cars come and go."""
        self._pass(slot)
        for plant, station in self.stations:
            if plant.connected and station.transaction is None:
                await station.plug()
            elif not plant.connected and station.transaction is not None:
                await station.unplug()

    def _pass(self, slot: Slot) -> None:
        """Let physics happen; the feeder's meter sees what all wires carried."""
        if slot.phase == "begin":
            for home in (*self.homes, self.feeder):
                home.begin(slot.slot_s)
            return
        self.feeder.end(slot.slot_s, sum(home.end(slot.slot_s) for home in self.homes))
        kept = {home.spec.number: home.memory for home in (*self.homes, self.feeder)}
        save_secret(self._path, msgspec.json.encode(kept))


async def main(folder: Path) -> None:
    """Serve until the input ends."""
    told = await lines()
    spec = msgspec.json.decode(await told.readline(), type=PlantSpec)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    plants = Plants(spec, folder / "devices.json")
    async with AsyncExitStack() as wires, asyncio.TaskGroup() as tasks:
        urls = {}
        for home in plants.homes:
            for name, plant in home.plants.items():
                if plant.asset.kind in SPOKEN:
                    urls[name] = await _modbus(plant, wires)
        for _, station in plants.stations:
            await wires.enter_async_context(running(station))
        ((name, plant),) = plants.feeder.plants.items()
        port = await wires.enter_async_context(p1_port(P1Port(plant=plant)))
        urls[name] = f"tcp://127.0.0.1:{port.port}"
        telling = tasks.create_task(_tell(port))
        say(Ready(urls=urls))
        while line := await told.readline():
            slot = msgspec.json.decode(line, type=Slot)
            await plants.step(slot)
            say(Stepped(slot_s=slot.slot_s))
        telling.cancel()


def _station(plant: HomePlant, url: str) -> OcppStation:
    return OcppStation(plant=plant, version=V2G, url=url, plugged=plant.connected, patience_s=5)


async def _modbus(plant: HomePlant, wires: AsyncExitStack) -> str:
    unit = SunSpecUnit(MODELS, SPOKEN[plant.asset.kind], plant)
    return f"tcp://127.0.0.1:{await wires.enter_async_context(serve({1: unit}))}"


async def _tell(port: P1Port) -> None:
    while True:
        await asyncio.sleep(TELEGRAM_EVERY_S)
        await port.push()


if __name__ == "__main__":
    try:
        asyncio.run(main(Path(sys.argv[1])))
    except BrokenPipeError:
        os._exit(0)  # whoever asked is gone
    except (OSError, CommonwattError) as error:
        print(f"devices {sys.argv[1]}: {error}", file=sys.stderr)  # noqa: T201  its only way to say why it ends
        os._exit(1)

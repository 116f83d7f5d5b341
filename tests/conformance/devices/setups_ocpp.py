"""Charging stations of the three versions, that connect through the wire to our server."""

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from device_bench import NOON_S, Bench, Setup
from setups_paper import CHARGER

from commonwatt.adapters.devices.driver import DeviceSpec, Doors
from commonwatt.adapters.devices.ocpp.device import open_device
from commonwatt.model import AssetId, instant
from commonwatt.simulator.devices.ocpp_station import OcppStation, running
from commonwatt.simulator.mischief import Mischief, wire
from commonwatt.simulator.plant import Plant

BOTH_WAYS = replace(CHARGER, id=AssetId("v2g"), max_export_w=7_360, min_import_w=0)


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def station(version: str, *, unit: str = "W", both: bool = False) -> AsyncIterator[Bench]:
    asset = BOTH_WAYS if both else CHARGER
    plant = Plant(asset=asset, now_s=NOON_S, level_wh=asset.capacity_wh // 2)
    mischief = Mischief()
    bench: Bench
    settings: dict[str, Any] = {"answer_within_s": 0.6, "bidirectional": both}
    with tempfile.TemporaryDirectory() as folder:
        async with Doors(clock=lambda: instant(bench.now_s), folder=Path(folder)) as doors:
            port = free_port()
            spec = DeviceSpec(asset=asset.id, driver="ocpp", url=f"ws://127.0.0.1:{port}/CP-1", settings=settings)
            bench = Bench(plant=plant, device=None, wire=mischief)  # type: ignore[arg-type]  # opened with its clock
            bench.device = await open_device(asset, spec, doors)
            async with wire(mischief, "127.0.0.1", port) as relay:
                simulated = OcppStation(
                    plant=plant, version=version, url=f"ws://127.0.0.1:{relay}/CP-1", unit=unit,
                )  # fmt: skip
                async with running(simulated):

                    async def back() -> None:
                        await asyncio.sleep(0.05)  # until it has noticed that it was cut off
                        with suppress(TimeoutError):
                            await asyncio.wait_for(simulated.up(), 5)

                    def lie(on: bool) -> None:
                        simulated.lies = on

                    bench.told, bench.back, bench.restart = simulated.tell, back, simulated.restart
                    bench.lie, bench.repeat = lie, simulated.repeat
                    bench.label = simulated.relabel
                    await asyncio.wait_for(simulated.up(), 5)
                    await simulated.plug()
                    await simulated.tell()
                    bench.levels = True
                    yield bench


SETUPS = [
    Setup("ocpp 1.6 in A", partial(station, "1.6", unit="A"), driver="ocpp", clock=True),
    Setup("ocpp 2.0.1", partial(station, "2.0.1"), driver="ocpp", clock=True),
    Setup("ocpp 2.1", partial(station, "2.1"), driver="ocpp", clock=True),
    Setup("ocpp 2.1 both ways", partial(station, "2.1", both=True), driver="ocpp", clock=True),
]

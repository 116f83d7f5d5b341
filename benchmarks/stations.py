"""P11, P23 and P26: what thousands of connected charging stations cost one server process."""

import asyncio
import gc
import os
import resource
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, process_time

import msgspec

from benchmarks.figure import Figure, figure
from commonwatt.adapters.devices.driver import DeviceSpec, Doors
from commonwatt.adapters.devices.ocpp.device import OcppDevice, open_device
from commonwatt.model import AccountId, Asset, AssetId, AssetKind, Band, Command, GatewayId

EVERY_S = 10
SETTLE_S, MEASURE_S = 5, 30
MOST_FILES = 16_384


def p11() -> Figure:
    """Share of one core that 5,000 stations take, each in a session with meter values every 10 s; limit 50 percent."""
    return asyncio.run(_steady("P11", 5_000))


def p11_ten() -> Figure:
    """Meter values that are lost of 10,000 stations connected at once; none may be. The core's share stands beside."""
    return asyncio.run(_steady("P11-10K", 10_000))


def p23() -> Figure:
    """Seconds from an event to the last of 2,000 stations' accepted and read-back profiles; limit 2 s."""
    return asyncio.run(_event(2_000))


def p26() -> Figure:
    """Memory per connected station in a session, in kB; limit 60 kB."""
    # In a process of its own: what an earlier figure left in the heap would be used again and look like nothing.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_fresh_memory, 5_000).result()


def _fresh_memory(count: int) -> Figure:
    return asyncio.run(_memory(count))


async def _steady(id: str, count: int) -> Figure:
    async with _street(count, EVERY_S) as (devices, load):
        await asyncio.sleep(SETTLE_S)
        began, cpu = perf_counter(), process_time()
        await asyncio.sleep(MEASURE_S)
        share = (process_time() - cpu) / (perf_counter() - began)
        tally = await load.stop()
    told = sum((device.evse.imported.last_wh or 0) - 1_000 for device in devices) // 20
    lost = max(tally["sent"] - tally["answered"], tally["sent meter values"] - told)
    conditions = {
        "stations": count,
        "meter_values": tally["sent meter values"],
        "lost": lost,
        "refused": tally.get("refused", 0),
        "lost_connections": tally.get("lost connections", 0),
        "core_percent": round(100 * share, 1),
        "measured_s": MEASURE_S,
    }
    if count > 5_000:
        return figure(id, lost, "messages lost", 0, limit_is="none may be lost", **conditions)
    return figure(id, 100 * share, "% of one core", 50, limit_is="what was promised", **conditions)


async def _event(count: int) -> Figure:
    async with _street(count, EVERY_S) as (devices, load):
        await asyncio.gather(*(device.apply(_command(device, 11_000, "before")) for device in devices))
        await asyncio.sleep(2)
        took = []
        for i, power_w in enumerate((4_200, 7_360, 4_200)):
            began = perf_counter()
            acks = await asyncio.gather(*(device.apply(_command(device, power_w, f"e{i}")) for device in devices))
            took.append(perf_counter() - began)
            wrong = [ack for ack in acks if ack.taken is None or ack.taken.hi_w != power_w]
            assert not wrong, wrong[0]
        tally = await load.stop()
    return figure(
        "P23", max(took), "s", 2.0, stations=count, runs_s=[round(s, 3) for s in took], profiles=tally["profiles"],
        limit_is="what was promised; every profile set, accepted and read back, meter values going on",
    )  # fmt: skip


async def _memory(count: int) -> Figure:
    async with _street(count, EVERY_S) as (_, load):
        await asyncio.sleep(2 * EVERY_S)
        gc.collect()
        grown = _rss() - load.before
        tally = await load.stop()
    return figure(
        "P26", grown / count / 1000, "kB per station", 60, stations=count, rss_mb=round(grown / 1e6, 1),
        meter_values=tally["sent meter values"], limit_is="what was promised; device, station, session and connection",
    )  # fmt: skip


class _Load:
    """The process of the stations."""

    def __init__(self, process: asyncio.subprocess.Process, before: int) -> None:
        self._process, self.before = process, before

    async def stop(self) -> dict[str, int]:
        """Let them stop sending and return what they counted."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        return msgspec.json.decode(await self._process.stdout.readline(), type=dict[str, int])


@asynccontextmanager
async def _street(count: int, every_s: int) -> AsyncIterator[tuple[list[OcppDevice], _Load]]:
    """Open a device per station on one server, and connect them all from another process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, MOST_FILES)), hard))
    with tempfile.TemporaryDirectory() as folder:
        async with Doors(folder=Path(folder)) as doors:
            first = await _open(0, doors, _free_port())
            port = first.server.port
            gc.collect()
            before = _rss()
            devices = [first, *[await _open(i, doors, port) for i in range(1, count)]]
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "benchmarks.stations_load", str(port), str(count), str(every_s),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            try:
                assert process.stdout is not None
                assert (await process.stdout.readline()).strip() == b"ready"
                yield devices, _Load(process, before)
            finally:
                if process.returncode is None:
                    process.kill()
                await process.wait()


async def _open(i: int, doors: Doors, port: int) -> OcppDevice:
    asset = Asset(
        id=AssetId(f"car-{i}"), owner=AccountId("anna"), gateway=GatewayId("gw-1"), kind=AssetKind.VEHICLE,
        zone="lane", max_import_w=11_000, max_export_w=0, capacity_wh=64_000,
    )  # fmt: skip
    spec = DeviceSpec(asset=asset.id, driver="ocpp", url=f"ws://127.0.0.1:{port}/CP-{i}")
    return await open_device(asset, spec, doors)


def _command(device: OcppDevice, power_w: int, name: str) -> Command:
    expires = datetime.now(UTC) + timedelta(seconds=300)
    return Command(id=name, asset=device.asset.id, band=Band(lo_w=0, hi_w=power_w), expires=expires, reason="event")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _rss() -> int:
    """Return the memory of this process that lies in RAM, in bytes."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")

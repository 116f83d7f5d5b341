"""P25: how many Modbus devices one process polls every second, and how many it could at most."""

import asyncio
import os
import resource
import statistics
import tomllib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from multiprocessing import get_context
from multiprocessing.connection import Connection
from time import perf_counter, process_time
from typing import TypeVar

from benchmarks.figure import Figure, figure
from commonwatt.adapters.devices.driver import DeviceSpec, Doors, open_device
from commonwatt.adapters.devices.modbus.map_file import map_text
from commonwatt.flows.device_ports import Device
from commonwatt.model import AccountId, Asset, AssetId, AssetKind, CommonwattError, GatewayId
from commonwatt.simulator.devices.modbus_map import MapUnit
from commonwatt.simulator.devices.modbus_server import serve
from commonwatt.simulator.plant import Plant

DEVICES = int(os.environ.get("COMMONWATT_P25_DEVICES", "1000"))
SECONDS = int(os.environ.get("COMMONWATT_P25_SECONDS", "20"))
MAP = "solax-x-hybrid-g4"
AT_ONCE = 32
"""Polls under way at a time where the most is measured."""
FULL_SPEED_S = 5.0
REQUEST = bytes([0, 1, 0, 0, 0, 6, 1, 4, 0, 0x16, 0, 13])
"""The one read that the map takes, as it goes over the wire."""
ANSWER_BYTES = 9 + 2 * 13
Thing = TypeVar("Thing")
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def p25() -> Figure:
    """Modbus batteries that one process polls per second at most; 1,000 at 1 Hz are polled first, none missed.

    The limit is the same requests over bare asyncio streams to the same simulated devices, nothing decoded.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_serve, args=(theirs, DEVICES))
    process.start()
    try:
        ports = ours.recv()
        steady, most, bare = asyncio.run(_measure(ports))
    finally:
        ours.send("stop")
        process.join(20)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    latencies, missed, cpu = steady
    return figure(
        "P25", most, "devices/s", bare, devices=DEVICES, seconds=SECONDS, polls=len(latencies), missed=missed,
        p50_ms=_ms(latencies, 0.5), p99_ms=_ms(latencies, 0.99), worst_ms=_ms(latencies, 1.0), cpu_share=round(cpu, 3),
        map=MAP, at_once=AT_ONCE, goals="1,000 devices at 1 Hz, no poll missed",
        limit_is="the same request and answer over asyncio streams to the same simulated devices, nothing decoded",
    )  # fmt: skip


async def _measure(ports: Sequence[int]) -> tuple[tuple[list[float], int, float], float, float]:
    async with Doors() as doors:
        devices = [await _opened(port, n, doors) for n, port in enumerate(ports)]
        for device in devices:
            await device.read()  # its connection is made here
        steady = await _steadily(devices)
        most = statistics.median([await _at_full_speed(devices, lambda device: device.read()) for _ in range(3)])
    wires = [await asyncio.open_connection("127.0.0.1", port) for port in ports]
    bare = statistics.median([await _at_full_speed(wires, _ask) for _ in range(3)])
    for _, writer in wires:
        writer.close()
    return steady, most, bare


async def _steadily(devices: Sequence[Device]) -> tuple[list[float], int, float]:
    """Poll every device once a second, evenly spread, and return latencies, missed polls and the share of a core."""
    latencies, missed = list[float](), 0
    began, began_cpu = perf_counter(), process_time()

    async def poll(device: Device, first: float) -> None:
        nonlocal missed
        for n in range(SECONDS):
            due = began + first + n
            await asyncio.sleep(max(0.0, due - perf_counter()))
            try:
                await device.read()
            except CommonwattError:
                missed += 1
                continue
            late = perf_counter() - due  # from when it was due, not from when it was sent
            latencies.append(late)
            missed += late > 1

    await asyncio.gather(*(poll(device, n / len(devices)) for n, device in enumerate(devices)))
    return latencies, missed, (process_time() - began_cpu) / (perf_counter() - began)


async def _at_full_speed(things: Sequence[Thing], ask: Callable[[Thing], Awaitable[object]]) -> float:
    """Return how many of them are asked a second, some at a time, one after another and from the start again."""
    done, until = 0, perf_counter() + FULL_SPEED_S
    began = perf_counter()

    async def worker(number: int) -> None:
        nonlocal done
        while perf_counter() < until:
            for thing in things[number::AT_ONCE]:
                await ask(thing)
                done += 1
            if not things[number::AT_ONCE]:
                return

    await asyncio.gather(*(worker(number) for number in range(AT_ONCE)))
    return done / (perf_counter() - began)


async def _ask(streams: Streams) -> None:
    reader, writer = streams
    writer.write(REQUEST)
    await reader.readexactly(ANSWER_BYTES)


async def _opened(port: int, number: int, doors: Doors) -> Device:
    battery = _battery(number)
    spec = DeviceSpec(asset=battery.id, driver="modbus", url=f"tcp://127.0.0.1:{port}", settings={"map": MAP})
    return await open_device(battery, spec, doors)


def _serve(pipe: Connection, devices: int) -> None:
    """Serve devices, each on a port of its own, in this process until told to stop."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    async def run() -> None:
        registers = tomllib.loads(map_text(MAP))
        async with AsyncExitStack() as stack:
            units = [MapUnit(registers, Plant(asset=_battery(n), now_s=0, level_wh=n)) for n in range(devices)]
            pipe.send([await stack.enter_async_context(serve({1: unit})) for unit in units])
            await asyncio.get_running_loop().run_in_executor(None, pipe.recv)

    asyncio.run(run())


def _battery(number: int) -> Asset:
    return Asset(
        id=AssetId(f"battery-{number}"),
        owner=AccountId("anna"),
        gateway=GatewayId("gw-1"),
        kind=AssetKind.BATTERY,
        zone="lane",
        max_import_w=5_000,
        max_export_w=5_000,
        capacity_wh=10_000,
    )


def _ms(latencies: list[float], share: float) -> float:
    ordered = sorted(latencies)
    return round(1e3 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2) if ordered else 0.0

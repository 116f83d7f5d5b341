"""A smart meter at a simulated P1 port, through the wire."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Literal

from device_bench import NOON_S, Bench, Setup

from commonwatt.adapters.devices.driver import DeviceSpec, Doors
from commonwatt.adapters.devices.p1.device import open_device
from commonwatt.adapters.devices.p1.nameplate import fingerprint
from commonwatt.model import AccountId, Asset, AssetId, AssetKind, GatewayId, Nameplate, instant
from commonwatt.simulator.devices.p1 import P1Port, p1_port
from commonwatt.simulator.mischief import Mischief, wire
from commonwatt.simulator.plant import Plant

CONNECTION = Asset(
    id=AssetId("connection"),
    owner=AccountId("anna"),
    gateway=GatewayId("gw-1"),
    kind=AssetKind.CONNECTION,
    zone="lane",
    max_import_w=17_250,
    max_export_w=17_250,
)


def printed(label: Nameplate) -> Nameplate:
    """A telegram has three letters of the maker and no firmware, and we keep no meter's number."""
    number = fingerprint(label.serial.encode().hex().encode())
    return Nameplate(make=label.make[:3], model=label.model, serial=number)


@asynccontextmanager
async def meter(version: str, country: Literal["nl", "se"], checksum: Literal["crc16", "x25"]) -> AsyncIterator[Bench]:
    plant, mischief = Plant(asset=CONNECTION, now_s=NOON_S), Mischief()
    bench: Bench
    settings = {"version": version, "checksum": checksum, "again_s": 0.02}
    async with Doors(clock=lambda: instant(bench.now_s)) as doors:
        port = P1Port(plant=plant, country=country, checksum=checksum)
        async with p1_port(port), wire(mischief, "127.0.0.1", port.port) as at:
            spec = DeviceSpec(asset=CONNECTION.id, driver="p1", url=f"tcp://127.0.0.1:{at}", settings=settings)
            device = await open_device(CONNECTION, spec, doors)

            async def until_counted(seen: int) -> None:
                while device.good + device.dropped == seen:
                    await asyncio.sleep(0.002)

            def patience() -> float:
                """Long where something will arrive, so that a busy machine fails no test; short where nothing will."""
                return 0.1 if mischief.swallow or mischief.hold or mischief.refuse else 0.4

            spoken: list[bytes] = []

            async def say(telegram: bytes) -> None:
                seen = device.good + device.dropped
                await port.push(telegram)
                try:
                    await asyncio.wait_for(until_counted(seen), patience())
                except TimeoutError:
                    return

            async def told() -> None:
                spoken.append(port.telegram())
                await say(spoken[-1])

            async def repeat() -> None:
                for telegram in reversed(spoken[-3:]):
                    await say(telegram)

            async def back() -> None:
                async with asyncio.timeout(5):
                    while not (port.listeners and device.connected):
                        await asyncio.sleep(0.01)

            def lie(lying: bool) -> None:
                port.lies = lying

            bench = Bench(
                plant=plant, device=device, wire=mischief, told=told, back=back, repeat=repeat,
                lie=lie if country == "nl" else None,
            )  # fmt: skip
            bench.label = partial(setattr, port, "nameplate")
            bench.label_of = printed
            await back()
            await told()
            try:
                yield bench
            finally:
                await device.close()


METER = {"restart": "it is told nothing that it could forget"}
SETUPS = [
    Setup("p1 DSMR 5", partial(meter, "5", "nl", "crc16"), METER, told=False, driver="p1", clock=True),
    Setup(
        "p1 Sweden, X25", partial(meter, "sweden", "se", "x25"),
        {**METER, "lie": "what its lies leave out it does not tell"}, told=False, driver="p1", clock=True,
    ),
]  # fmt: skip

"""Devices behind a broker: the wire that misbehaves lies between us and a real Mosquitto, the devices beyond it."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any

from device_bench import NOON_S, Bench, Setup

from commonwatt.adapters.devices.driver import DeviceSpec, Doors
from commonwatt.adapters.devices.mqtt.client import Broker, Message
from commonwatt.adapters.devices.mqtt.device import MqttDevice, open_device
from commonwatt.model import AccountId, Asset, AssetId, AssetKind, GatewayId, Nameplate, instant
from commonwatt.simulator.devices.mqtt_battery import MqttBattery
from commonwatt.simulator.devices.mqtt_plug import TasmotaPlug
from commonwatt.simulator.devices.mqtt_shelly import ShellyEm, ShellyPm
from commonwatt.simulator.devices.mqtt_thing import Said, Thing
from commonwatt.simulator.mischief import Mischief, wire
from commonwatt.simulator.plant import Plant
from servers.mosquitto import shared

NUMBERS = itertools.count()
MAKE = Callable[[Plant, str], Thing]


def asset(kind: AssetKind, import_w: int, export_w: int = 0, **more: Any) -> Asset:
    return Asset(
        id=AssetId("thing"),
        owner=AccountId("anna"),
        gateway=GatewayId("gw-1"),
        kind=kind,
        zone="lane",
        max_import_w=import_w,
        max_export_w=export_w,
        **more,
    )


BOILER = asset(AssetKind.CONNECTION, 2_000, min_import_w=2_000)
HOUSE = asset(AssetKind.CONNECTION, 11_000, 8_000)
BATTERY = asset(AssetKind.BATTERY, 5_000, 5_000, capacity_wh=10_000, charge_permille=950, discharge_permille=950)
INVERTER = {
    "profile": "generic",
    "values": {
        "power_w": {"topic": "{device}/state", "path": "battery.power", "scale": -1},
        "soc_percent": {"topic": "{device}/state", "path": "battery.soc"},
        "import_wh": {"topic": "{device}/state", "path": "energy.charged_kwh", "scale": 1000},
        "export_wh": {"topic": "{device}/state", "path": "energy.discharged_kwh", "scale": 1000},
    },
    "command": {
        "topic": "{device}/set",
        "payload": {"mode": "remote", "watts": "$w", "seconds": "$seconds"},
        "release": {"mode": "auto"},
        "scale": -1,
        "reply": {"topic": "{device}/answer", "path": "watts"},
    },
    "presence_topic": "{device}/link",
    "nameplate": {
        "make": {"topic": "{device}/about", "path": "maker"},
        "model": {"topic": "{device}/about", "path": "type"},
        "serial": {"topic": "{device}/about", "path": "sn"},
        "firmware": {"topic": "{device}/about", "path": "version"},
    },
}


def tasmota(label: Nameplate) -> Nameplate:
    """Nobody tells Tasmota who made the plug."""
    return replace(label, make="")


def shelly(label: Nameplate) -> Nameplate:
    return replace(label, make="Shelly")


class Marks:
    """Knows what has arrived: a mark follows the device's messages on the same way, and overtakes none."""

    def __init__(self, broker: Broker, thing: Thing) -> None:
        self._broker, self._thing, self._topic = broker, thing, f"{thing.name}/mark"
        self._seen = -1
        self._numbers = itertools.count()

    async def listen(self) -> None:
        await self._broker.listen(self._topic, self._hear)

    def _hear(self, message: Message) -> None:
        with suppress(ValueError):
            self._seen = max(self._seen, int(message.payload))

    async def pass_by(self, within_s: float) -> bool:
        number = next(self._numbers)
        await self._thing.say(Said(self._topic, str(number)))
        until = time.monotonic() + within_s
        while self._seen < number and self._broker.connected and time.monotonic() < until:
            await asyncio.sleep(0.002)
        return self._seen >= number


@asynccontextmanager
async def behind_broker(
    what: Asset,
    make: MAKE,
    settings: dict[str, Any],
    label_of: Callable[[Nameplate], Nameplate] = shelly,
    *,
    levels: bool = False,
    rests_free: bool = False,
) -> AsyncIterator[Bench]:
    port, name = shared().port, f"thing{next(NUMBERS)}"
    plant = Plant(asset=what, now_s=NOON_S, level_wh=what.capacity_wh // 2)
    thing, mischief = make(plant, name), Mischief()
    bench: Bench
    async with (
        thing.plugged_in("127.0.0.1", port),
        wire(mischief, "127.0.0.1", port) as through,
        Doors(clock=lambda: instant(bench.now_s)) as doors,
    ):
        quick = {"connect_within_s": 0.5, "answer_within_s": 0.8}
        spec = DeviceSpec(
            asset=what.id, driver="mqtt", url=f"mqtt://127.0.0.1:{through}/{name}", settings={**settings, **quick}
        )
        bench = Bench(plant=plant, device=None, wire=mischief, levels=levels, rests_free=rests_free)  # type: ignore[arg-type]  comes below
        device: MqttDevice = await open_device(what, spec, doors)
        marks = Marks(device.broker, thing)
        await marks.listen()

        async def told() -> None:
            await thing.tell()
            await marks.pass_by(0.5)

        async def back() -> None:
            async with asyncio.timeout(15):
                while not (device.broker.connected and await marks.pass_by(0.5)):
                    await asyncio.sleep(0.01)

        async def restart() -> None:
            await thing.restart()
            await marks.pass_by(1.0)

        async def repeat() -> None:
            await thing.repeat()
            await marks.pass_by(1.0)

        def lie(on: bool) -> None:
            thing.lies = on

        bench.device, bench.told, bench.back = device, told, back
        bench.label, bench.label_of = partial(setattr, thing, "nameplate"), label_of
        bench.labels_every_s = 61  # one that did not answer in time is not asked sooner
        bench.restart, bench.repeat, bench.lie = restart, repeat, lie
        await back()
        await told()
        yield bench


RELAY = {"profile": "shelly2", "relay": 0}
SETUPS = [
    Setup(
        "tasmota plug",
        partial(behind_broker, BOILER, TasmotaPlug, {"profile": "tasmota"}, tasmota, rests_free=True),
        driver="mqtt",
        clock=True,
    ),
    Setup(
        "shelly em",
        partial(behind_broker, HOUSE, ShellyEm, {"profile": "shelly1", "channels": [0, 1]}),
        told=False,
        driver="mqtt",
        clock=True,
    ),
    Setup(
        "shelly 1pm",
        partial(behind_broker, BOILER, ShellyPm, {**RELAY, "meter": "switch"}, rests_free=True),
        driver="mqtt",
        clock=True,
    ),
    Setup(
        "shelly 3em with relay",
        partial(behind_broker, BOILER, partial(ShellyPm, three_phases=True), {**RELAY, "meter": "em"}, rests_free=True),
        driver="mqtt",
        clock=True,
    ),
    Setup("mqtt battery", partial(behind_broker, BATTERY, MqttBattery, INVERTER, copy, levels=True), driver="mqtt"),
]

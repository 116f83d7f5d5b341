"""A device on a bad wire holds up nobody but itself: neither another's command nor a slot's readings."""

import asyncio
import time
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from community import NAME
from noting import Noting, asset

from commonwatt.adapters.devices.driver import DeviceSpec, Doors, open_device
from commonwatt.adapters.devices.modbus.map_file import map_text
from commonwatt.adapters.stores.outbox import OutboxFile
from commonwatt.flows.device_ports import Device
from commonwatt.flows.gateway.gateway import Gateway, Identity
from commonwatt.flows.gateway.letters import Orders, Told
from commonwatt.flows.gateway.rules import LocalRules, Mode, Rules
from commonwatt.flows.gateway.running import Alarms, Runner
from commonwatt.flows.keeper import ANSWER_WITHIN_S, Keeper
from commonwatt.identity.keys import SigningKey
from commonwatt.model import Ack, AssetId, AssetKind, Caps, Command, DeviceState, GatewayId, epoch
from commonwatt.simulator.devices.modbus_map import MapUnit
from commonwatt.simulator.devices.modbus_server import serve
from commonwatt.simulator.mischief import Mischief, wire
from commonwatt.simulator.plant import Plant

pytestmark = [pytest.mark.row("H1"), pytest.mark.row("H6")]
A, B, LINE = AssetId("a"), AssetId("b"), AssetId("line")
AT_ONCE_S = 3.0
"""Far less than a device that gives no answer takes, far more than a loaded machine needs for one that does."""


class WallClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def steady_s(self) -> float:
        return time.monotonic()


@asynccontextmanager
async def slow_meter() -> AsyncIterator[tuple[Device, Mischief]]:
    """A meter of the connection, by real Modbus, on a wire that holds back what it says."""
    thing = asset("line", AssetKind.CONNECTION)
    text, mischief = tomllib.loads(map_text("eastron-sdm630")), Mischief()
    unit = MapUnit(text, Plant(asset=thing, now_s=epoch(datetime.now(UTC))))
    async with (
        Doors(clock=lambda: datetime.now(UTC)) as doors,
        serve({text.get("unit", 1): unit}) as port,
        wire(mischief, "127.0.0.1", port) as relay,
    ):
        settings = {"map": "eastron-sdm630", "timeout_s": ANSWER_WITHIN_S}
        spec = DeviceSpec(asset=LINE, driver="modbus", url=f"tcp://127.0.0.1:{relay}", settings=settings)
        yield await open_device(thing, spec, doors), mischief


class Battery(Noting):
    def __init__(self, *, hangs: bool = False) -> None:
        super().__init__(Caps(max_import_w=5_000, max_export_w=5_000, lease_s=900))
        self.hangs = hangs
        self.read_at = lambda: datetime.now(UTC)

    async def apply(self, command: Command) -> Ack:
        if self.hangs:
            await asyncio.Event().wait()
        return await super().apply(command)


@dataclass
class Box:
    runner: Runner
    gateway: Gateway
    outbox: OutboxFile

    def orders(self, number: int, *told: tuple[AssetId, int, int | None]) -> None:
        now_s = epoch(datetime.now(UTC))
        commands = [
            Told(id=f"{number} {name}", asset=name, lo_w=lo_w, hi_w=5_000 if line_w is not None else lo_w,
                 balance_w=line_w, expires_s=now_s + 900, reason="r")
            for name, lo_w, line_w in told
        ]  # fmt: skip
        self.runner.obey(
            Orders(community=NAME, gateway="gw-1", number=number, slot_s=now_s // 900 * 900, told_s=now_s,
                   until_s=now_s + 1_800, commands=commands)
        )  # fmt: skip

    async def until(self, true: object) -> float:
        """Live on until something is true; return how long that took."""
        began_s = time.monotonic()
        while not true():  # type: ignore[operator]
            assert time.monotonic() - began_s < ANSWER_WITHIN_S, "it never came true"
            await self.runner.step()
            await asyncio.sleep(0.01)
        return time.monotonic() - began_s


def box(folder: Path, line: Device | None, a: Noting, b: Noting, mode: Mode = Mode.PROSUMER) -> Box:
    things = {A: (asset("a"), a), B: (asset("b"), b)}
    if line is not None:
        things[LINE] = (asset("line", AssetKind.CONNECTION), line)  # type: ignore[assignment]
    outbox = OutboxFile(folder / "outbox.sqlite")
    rules = LocalRules(Rules(mode=mode))
    keeper = Keeper(things, LINE if line is not None else None, rules=rules.settle)
    identity = Identity(community=NAME, number=GatewayId("gw-1"), secret=b"secret")
    gateway = Gateway(
        identity, [thing for thing, _ in things.values()], keeper, SigningKey.from_seed(b"s", "g"), outbox
    )
    clock = WallClock()
    return Box(Runner(gateway, outbox, None, None, clock, Alarms(clock, lambda word: None)), gateway, outbox)


def test_a_battery_that_hangs_delays_neither_its_neighbours_command_nor_the_next_orders(tmp_path: Path) -> None:
    async def live() -> None:
        a, b = Battery(hangs=True), Battery()
        home = box(tmp_path, None, a, b)
        for number, power_w in enumerate((1_000, 2_000, 3_000), start=1):
            home.orders(number, (A, power_w, None), (B, power_w, None))
            took_s = await home.until(lambda power_w=power_w: b.told and b.told[-1].band.lo_w == power_w)
            assert took_s < AT_ONCE_S
        await home.gateway.keeper.close()

    asyncio.run(live())


def test_a_meter_that_hangs_at_a_slots_end_delays_no_command(tmp_path: Path) -> None:
    class Hanging(Battery):
        async def read(self) -> DeviceState:
            await asyncio.Event().wait()
            raise AssertionError

    async def live() -> None:
        a, b = Battery(), Hanging()
        home = box(tmp_path, None, a, b)
        home.gateway._memory.closed_s = epoch(datetime.now(UTC)) // 900 * 900 - 1_800
        reading = asyncio.create_task(home.gateway.close_slot(home.gateway.closed_s + 900))
        home.orders(1, (A, 1_000, None))
        assert await home.until(lambda: a.told) < AT_ONCE_S
        assert not reading.done()
        reading.cancel()
        await home.gateway.keeper.close()

    asyncio.run(live())


def test_two_batteries_at_one_line_answer_a_deviation_once(tmp_path: Path) -> None:
    a, b = Battery(), Battery()
    line = Battery()
    line.line = lambda: 3_000 + a.power_w + b.power_w

    async def live() -> None:
        home = box(tmp_path, line, a, b)
        home.orders(1, (A, -5_000, 0), (B, -5_000, 0))
        await home.until(lambda: a.told and b.told)
        for _ in range(3):
            await home.gateway.tick(datetime.now(UTC) + timedelta(seconds=1))
        assert a.power_w + b.power_w == -3_000
        await home.gateway.keeper.close()

    asyncio.run(live())

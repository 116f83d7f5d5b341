"""A device by its map: told, let go, holding its line, and read by and from other people's Modbus."""

import asyncio
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from commonwatt.adapters.devices.driver import DeviceSpec, Doors, open_device
from commonwatt.adapters.devices.modbus.map_file import map_text
from commonwatt.flows.device_ports import Device
from commonwatt.model import (
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    Band,
    Command,
    GatewayId,
    InvalidValue,
    Unreachable,
    instant,
)
from commonwatt.simulator.devices.modbus_map import MapUnit
from commonwatt.simulator.devices.modbus_server import serve
from commonwatt.simulator.plant import Plant

NOW_S = 1_767_268_800
QUICK = {"timeout_s": 0.2, "backoff_s": 0.01}
BATTERY = Asset(
    id=AssetId("battery"),
    owner=AccountId("anna"),
    gateway=GatewayId("gw-1"),
    kind=AssetKind.BATTERY,
    zone="lane",
    max_import_w=5_000,
    max_export_w=5_000,
    capacity_wh=10_000,
)


def command(lo_w: int, hi_w: int | None = None, *, seconds: int = 15, balance_w: int | None = None) -> Command:
    band = Band(lo_w=lo_w, hi_w=lo_w if hi_w is None else hi_w, balance_w=balance_w)
    expires = instant(NOW_S) + timedelta(seconds=seconds)
    return Command(id="c1", asset=BATTERY.id, band=band, expires=expires, reason="test")


@asynccontextmanager
async def at_port(port: int, **settings: Any) -> AsyncIterator[Device]:
    async with Doors(clock=lambda: instant(NOW_S)) as doors:
        spec = DeviceSpec(
            asset=BATTERY.id, driver="modbus", url=f"tcp://127.0.0.1:{port}", settings={**QUICK, **settings}
        )
        yield await open_device(BATTERY, spec, doors)


@asynccontextmanager
async def simulated(
    name: str, load_w: Callable[[], int] = lambda: 0, **settings: Any
) -> AsyncIterator[tuple[Device, Plant, MapUnit]]:
    plant = Plant(asset=BATTERY, now_s=NOW_S, level_wh=5_000)
    text = tomllib.loads(map_text(name))
    unit = MapUnit(text, plant, load_w)
    async with serve({text["unit"]: unit}) as port, at_port(port, map=name, **settings) as device:
        yield device, plant, unit


@pytest.mark.row("X4", "W9")
def test_a_command_goes_with_the_seconds_that_are_left_of_it_and_the_lease_at_most() -> None:
    async def story() -> None:
        async with simulated("solax-x-hybrid-g4") as (device, plant, unit):
            for asked_s, told_s in ((7, 7), (20, 20), (3_600, 20)):
                ack = await device.apply(command(-2_000, seconds=asked_s))
                assert ack.taken == Band(lo_w=-2_000, hi_w=-2_000)
                assert unit.written["holding", 0x7C + 6] == told_s
                assert plant.power_w == -2_000
            plant.pass_time(20)
            assert plant.held is None

    asyncio.run(story())


def test_a_release_leaves_remote_control_instead_of_waiting_for_its_end() -> None:
    """Some units stay in remote mode otherwise: #1158, #1429."""

    async def story() -> None:
        async with simulated("solax-x-hybrid-g4") as (device, plant, unit):
            await device.apply(command(3_000))
            await device.release()
            assert plant.held is None
            assert unit.written["holding", 0x7C] == 0

    asyncio.run(story())


@pytest.mark.row("W9")
def test_victron_holds_its_line_by_itself_and_only_for_an_owner_who_accepts_that_it_never_lets_go() -> None:
    async def story() -> None:
        async with simulated("victron-gx-ess") as (device, plant, _):
            assert not device.caps.takes_commands
            ack = await device.apply(command(-1_000))
            assert ack.taken is None
            assert "for ever" in ack.why
            assert plant.held is None
            assert (await device.read()).level_wh == 5_000
        async with simulated("victron-gx-ess", lambda: 1_200, holds_for_ever=True) as (device, plant, unit):
            assert device.caps.balances
            assert device.caps.lease_s is None
            ack = await device.apply(command(-5_000, 5_000, balance_w=0))
            assert ack.taken is not None
            assert ack.taken.balance_w == 0
            assert plant.power_w == 1 - 1_200, "zero is told as one watt"
            ack = await device.apply(command(2_000))
            assert plant.power_w == 2_000, "a power is told as what the line then exchanges"
            assert unit.written["holding", 2717] == 3_200
            await device.release()
            assert plant.held is None

    asyncio.run(story())


@pytest.mark.row("W9")
@pytest.mark.parametrize(("lo_w", "hi_w", "does_w"), [(-500, 0, -500), (0, 0, 0), (-5_000, 1_000, -1_200)])
def test_a_limit_beside_a_line_is_kept_while_the_house_changes(
    lo_w: int, hi_w: int, does_w: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The grid's limit, a consent and the owner's OFF bind what balances by itself too: it is told no band."""
    monkeypatch.setattr("commonwatt.adapters.devices.modbus.device.FOLLOW_EVERY_S", 0.02)
    load_w = [1_200]

    async def story() -> None:
        async with simulated("victron-gx-ess", lambda: load_w[0], holds_for_ever=True) as (device, plant, _):
            ack = await device.apply(command(lo_w, hi_w, balance_w=0))
            assert ack.taken == Band(lo_w=does_w, hi_w=does_w), "what is not written is not said to be taken"
            assert "only where nothing limits it" in ack.why
            assert abs(plant.power_w - does_w) <= 1
            load_w[0] = -3_000
            most_w = min(hi_w, 3_000)
            async with asyncio.timeout(3):
                while abs(plant.power_w - most_w) > 1:
                    await asyncio.sleep(0.01)
            await device.release()
            assert plant.held is None
            await asyncio.sleep(0.06)
            assert plant.held is None, "what was let go is not told again"
            await device.close()

    asyncio.run(story())


@pytest.mark.row("W9", "X4")
def test_the_owners_own_map_may_be_anywhere(tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    own.write_text(map_text("fox-ess-h1"), encoding="utf-8")

    async def story() -> None:
        plant = Plant(asset=BATTERY, now_s=NOW_S, level_wh=2_000)
        unit = MapUnit(tomllib.loads(own.read_text()), plant)
        async with serve({3: unit}) as port, at_port(port, map=str(own), unit=3) as device:
            assert (await device.read()).level_wh == 2_000

    asyncio.run(story())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"map": "no-such"}, "or one of carlo-gavazzi-em24-e1"),
        ({"map": "/no/such.toml"}, "cannot be read"),
        ({"map": "fox-ess-h1", "units": 3}, "units"),
        ({}, "map"),
    ],
)
def test_settings_that_make_no_sense_are_refused_when_the_device_is_opened(settings: Any, words: str) -> None:
    async def story() -> None:
        with pytest.raises(InvalidValue) as refusal:
            async with at_port(1, **settings):
                pass
        assert words in str(refusal.value)

    asyncio.run(story())


def test_a_device_that_is_not_there_yet_is_opened_and_works_once_it_is() -> None:
    async def story() -> None:
        async with at_port(1, map="solax-x-hybrid-g4") as device:
            assert device.caps.lease_s == 20
            with pytest.raises(Unreachable):
                await device.read()
            with pytest.raises(Unreachable):
                await device.apply(command(0))

    asyncio.run(story())


def test_a_register_that_the_device_refuses_to_take_is_a_refusal_in_words() -> None:
    async def story() -> None:
        fox = tomllib.loads(map_text("fox-ess-h1"))
        fox["control"] = {"hold": fox["control"]["release"], "release": fox["control"]["release"]}
        unit = MapUnit(fox, Plant(asset=BATTERY, now_s=NOW_S))
        async with serve({247: unit}) as port, at_port(port, map="fox-ess-h1") as device:
            ack = await device.apply(command(1_000))
            assert ack.taken is None
            assert "illegal address (Modbus exception 2)" in ack.why

    asyncio.run(story())


@pytest.mark.row("W9", "E12")
def test_a_meter_that_somebody_else_serves_is_read_as_he_laid_it_out() -> None:
    """The server is pymodbus's own, its values packed by pymodbus's own types, none of our code behind it."""

    async def story() -> None:
        inputs = [
            SimData(52, values=[-1234.5], datatype=DataType.FLOAT32),
            SimData(54, count=16, values=0, datatype=DataType.REGISTERS),
            SimData(70, values=[49.98, 8123.45, 17.5], datatype=DataType.FLOAT32),
        ]
        nothing = [SimData(0, count=1, values=False, datatype=DataType.BITS)]
        holding = [SimData(0, count=1, values=0, datatype=DataType.REGISTERS)]
        server = ModbusTcpServer(SimDevice(1, (nothing, nothing, holding, inputs)), address=("127.0.0.1", 0))
        await server.serve_forever(background=True)
        assert server.transport is not None
        port = server.transport.sockets[0].getsockname()[1]
        try:
            async with at_port(port, map="eastron-sdm630") as device:
                state = await device.read()
        finally:
            await server.shutdown()
        assert (state.power_w, state.frequency_mhz) == (-1_234, 49_980)
        assert (state.import_wh, state.export_wh) == (8_123_450, 17_500)

    asyncio.run(story())


@pytest.mark.row("W9")
def test_somebody_elses_client_reads_and_writes_our_simulator() -> None:
    async def story() -> None:
        plant = Plant(asset=BATTERY, now_s=NOW_S, level_wh=5_000, import_wh=123_456, export_wh=70_000_000)
        unit = MapUnit(tomllib.loads(map_text("solax-x-hybrid-g4")), plant)
        async with serve({1: unit}) as port:
            client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=1)
            await client.connect()
            block = [1, 1, *client.convert_to_registers(-1_500, client.DATATYPE.INT32, word_order="little")]
            await client.write_registers(0x7C, [*block, 0, 0, 20, 0, 0, 0, 0, 0, 0], device_id=1)
            assert plant.power_w == -1_500
            words = (await client.read_input_registers(0x16, count=13, device_id=1)).registers
            assert client.convert_from_registers(words[:1], client.DATATYPE.INT16) == -1_500
            assert words[6] == 50
            out = client.convert_from_registers(words[7:9], client.DATATYPE.UINT32, word_order="little")
            into = client.convert_from_registers(words[11:13], client.DATATYPE.UINT32, word_order="little")
            assert (out, into) == (700_000, 1_234)
            refused = await client.read_input_registers(5_000, count=1, device_id=1)
            assert refused.isError()
            client.close()

    asyncio.run(story())

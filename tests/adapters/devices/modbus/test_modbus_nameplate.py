"""Who a Modbus device is: in registers of its map or by function 43/14, and one that knows neither is left in peace."""

import asyncio
import tomllib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.adapters.devices.driver import DeviceSpec, Doors
from commonwatt.adapters.devices.modbus.device import ModbusDevice, open_device
from commonwatt.adapters.devices.modbus.map_file import find_map, map_names, map_text, read_map
from commonwatt.adapters.devices.modbus.nameplate import label_blocks, label_of, named, text
from commonwatt.model import (
    NO_NAMEPLATE,
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    GatewayId,
    InvalidValue,
    Nameplate,
    Unreachable,
    instant,
)
from commonwatt.simulator.devices.modbus_map import MapUnit
from commonwatt.simulator.devices.modbus_server import ILLEGAL_ADDRESS, ModbusError, serve
from commonwatt.simulator.mischief import Mischief, wire
from commonwatt.simulator.plant import Plant

pytestmark = pytest.mark.row("W11")
NOON_S = 1_767_268_800
METER = Asset(
    id=AssetId("meter"),
    owner=AccountId("anna"),
    gateway=GatewayId("gw-1"),
    kind=AssetKind.CONNECTION,
    zone="lane",
    max_import_w=5_000,
    max_export_w=5_000,
)
OWN = """
title = "Meter"
source = "its manual, where all of it stands"
[[register]]
meaning = "power_w"
address = 12
type = "s32"
"""


class Refusing:
    """A meter that knows its power alone, and counts who asks for more."""

    def __init__(self) -> None:
        self.refused = 0

    def read(self, table: str, address: int, count: int) -> Sequence[int]:
        if (table, address, count) != ("input", 12, 2):
            self.refused += 1
            raise ModbusError(ILLEGAL_ADDRESS)
        return [0, 500]

    def write(self, address: int, words: Sequence[int]) -> None:
        raise ModbusError(ILLEGAL_ADDRESS)

    def names(self) -> dict[int, str]:
        self.refused += 1
        raise ModbusError(1)


def on_wire(
    unit: Refusing | MapUnit,
    map_name: str,
    story: Callable[[ModbusDevice, Mischief], Awaitable[None]],
    unit_id: int = 1,
    timeout_s: float = 5.0,
) -> None:
    async def whole() -> None:
        mischief = Mischief()
        async with (
            Doors(clock=lambda: instant(NOON_S)) as doors,
            serve({unit_id: unit}) as port,
            wire(mischief, "127.0.0.1", port) as at,
        ):
            settings = {"map": map_name, "timeout_s": timeout_s, "backoff_s": 0.01, "backoff_most_s": 0.02}
            spec = DeviceSpec(asset=METER.id, driver="modbus", url=f"tcp://127.0.0.1:{at}", settings=settings)
            await story(await open_device(METER, spec, doors), mischief)

    asyncio.run(whole())


def test_a_device_that_refuses_to_say_who_it_is_is_asked_once_and_read_on(tmp_path: Path) -> None:
    plain, labelled = tmp_path / "plain.toml", tmp_path / "labelled.toml"
    plain.write_text(OWN)
    labelled.write_text(OWN + "[nameplate]\nserial = [{ address = 700, words = 4 }]\n")
    for path in (plain, labelled):
        unit = Refusing()

        async def story(device: ModbusDevice, _: Mischief) -> None:
            for _ in range(3):
                assert await device.identity() == NO_NAMEPLATE
                assert (await device.read()).power_w == 500

        on_wire(unit, str(path), story)
        assert unit.refused == 1


def test_a_device_that_is_silent_when_asked_who_it_is_is_asked_three_times_between_readings(tmp_path: Path) -> None:
    path = tmp_path / "plain.toml"
    path.write_text(OWN)

    async def story(device: ModbusDevice, wire: Mischief) -> None:
        for _ in range(5):
            wire.swallow = True
            with pytest.raises(Unreachable):
                await device.identity()
            wire.heal()
        for _ in range(3):  # as long as it answers nothing at all, its silence says nothing of the question
            assert await read_again(device) == 500
            wire.swallow = True
            with pytest.raises(Unreachable):
                await device.identity()
            wire.heal()
            wire.cut()
        assert await device.identity() == NO_NAMEPLATE, "no question is asked that could be silent"
        assert await read_again(device) == 500

    on_wire(Refusing(), str(path), story, timeout_s=0.2)


async def read_again(device: ModbusDevice) -> int | None:
    async with asyncio.timeout(20):
        while True:
            try:
                return (await device.read()).power_w
            except Unreachable:
                await asyncio.sleep(0.02)


def test_a_gx_device_and_a_meter_without_registers_of_a_nameplate_say_who_they_are() -> None:
    for name, unit_id, expected in (
        ("victron-gx-ess", 100, Nameplate(make="Victron", serial="meter")),
        ("eastron-sdm230", 1, Nameplate(make="commonwatt", model="simulated", firmware="1.2.3")),
    ):
        unit = MapUnit(tomllib.loads(map_text(name)), Plant(asset=METER, now_s=NOON_S))

        async def story(device: ModbusDevice, _: Mischief, expected: Nameplate = expected) -> None:
            assert await device.identity() == expected

        on_wire(unit, name, story, unit_id)


@pytest.mark.parametrize("name", map_names())
def test_the_nameplate_of_a_map_that_we_bring_is_read_in_few_reads(name: str) -> None:
    registers = find_map(name)
    assert len(label_blocks(registers)) <= 5
    assert registers.nameplate is None or registers.nameplate.make
    assert registers.nameplate is None or registers.nameplate.serial


def test_parts_of_a_nameplate_are_put_together_and_what_is_empty_says_nothing() -> None:
    registers = read_map(
        OWN
        + '[nameplate]\nmake = "Acme"\nmodel = [{ address = 1, words = 2 }]\n'
        + 'firmware = [{ address = 5, type = "u16", before = "V" }, { address = 6, type = "u16", before = "." }]\n'
        + "serial = [{ address = 9, words = 3 }]\n",
        "own",
    )
    words = {("input", at): 0 for at in range(20)}
    words |= {("input", 1): 0x4231, ("input", 2): 0x3000, ("input", 5): 2, ("input", 6): 7}
    assert label_of(registers, words) == Nameplate(make="Acme", model="B10", firmware="V2.7")
    assert label_of(read_map(OWN, "own"), words) == NO_NAMEPLATE


@pytest.mark.parametrize(
    "wrong",
    [
        "serial = [{ address = 1 }]",
        'serial = [{ address = 1, words = 2, type = "u16" }]',
        "serial = [{ address = 1, words = 33 }]",
        "serial = 7",
        "colour = 'red'",
    ],
)
def test_a_nameplate_that_makes_no_sense_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidValue, match="register map own"):
        read_map(f"{OWN}[nameplate]\n{wrong}\n", "own")


def test_a_models_name_is_clearer_than_a_products_code() -> None:
    said = {0: b"Acme", 1: b"B10", 2: b"V2", 4: b"Battery", 5: b"Ten"}
    assert named(said) == Nameplate(make="Acme", model="Ten", firmware="V2")
    assert named({0: b"Acme", 1: b"B10\0junk"}).model == "B10"


@given(st.binary(max_size=40))
def test_whatever_a_device_writes_is_text_that_can_be_seen(said: bytes) -> None:
    assert text(said).isprintable()

"""What the guide shows is true: its devices can be opened and its map is one; both drivers admit what is missing."""

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from commonwatt.adapters.devices.driver import DeviceSpec, drivers, settings_of
from commonwatt.adapters.devices.modbus.device import ModbusSettings
from commonwatt.adapters.devices.modbus.map_file import find_map, map_names, read_map
from commonwatt.adapters.devices.modbus.translate import Block, Told, blocks_of, writes_for
from commonwatt.adapters.devices.sunspec.device import SunSpecSettings

GUIDE = Path(__file__).parents[4] / "docs/guide/devices"


def examples(page: str) -> list[str]:
    return re.findall(r"```toml\n(.*?)```", (GUIDE / page).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize(("page", "kind"), [("modbus.md", ModbusSettings), ("sunspec.md", SunSpecSettings)])
def test_the_devices_of_the_guide_can_be_set_up(page: str, kind: type[Any]) -> None:
    (device,) = tomllib.loads(examples(page)[0])["device"]
    spec = msgspec.convert(device, DeviceSpec)
    assert spec.driver == page.removesuffix(".md")
    settings = settings_of(spec, kind)
    if isinstance(settings, ModbusSettings):
        find_map(settings.map)


def test_the_map_of_the_guide_is_one() -> None:
    own = read_map(examples("modbus.md")[1], "guide")
    assert blocks_of(own) == [Block("holding", 100, 2)]
    assert own.control is not None
    told = writes_for(own.control, own.word_order, power_w=-2, seconds=30)
    assert told == [Told(210, (0xFFFE, 0xFFFF, 30)), Told(209, (1,), True)]


def test_the_guide_names_every_map() -> None:
    text = (GUIDE / "modbus.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in map_names())


@pytest.mark.row("X4")
@pytest.mark.parametrize("name", ["modbus", "sunspec"])
def test_what_is_missing_is_admitted(name: str) -> None:
    quality = drivers()[name].quality()
    assert quality.shape == "polled"
    assert "real_hardware" in quality.missing

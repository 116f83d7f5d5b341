"""Who a SunSpec device is stands in its common model, and what time it has in model 122, where it has one."""

import asyncio

import pytest
from test_sunspec_device import NOW_S, simulated
from test_sunspec_models import model

from commonwatt.adapters.devices.sunspec.models import decode
from commonwatt.adapters.devices.sunspec.translate import clock_s, nameplate_of
from commonwatt.flows.device_ports import Clocked, Identified
from commonwatt.model import NO_NAMEPLATE, Nameplate

pytestmark = pytest.mark.row("W11")
PATIENT = {"timeout_s": 5.0}


def test_options_stand_behind_the_model_and_the_clock_counts_from_2000() -> None:
    async def story() -> None:
        async with simulated((1, 103, 122), settings=PATIENT) as (device, plant, unit):
            assert isinstance(device, Identified)
            assert isinstance(device, Clocked)
            assert device.clock_ahead_s is None, "it was not asked yet"
            assert await device.identity() == Nameplate(
                make="commonwatt", model="simulated", serial=str(plant.asset.id), firmware="1.2.3"
            )
            assert device.clock_ahead_s == 0
            unit.put(1, "Opt", "BT-2")
            plant.now_s = NOW_S - 90
            assert (await device.identity()).model == "simulated BT-2"
            assert device.clock_ahead_s == -90
            plant.now_s = 946_684_800  # what a clock that was never set shows
            await device.identity()
            assert device.clock_ahead_s is None

    asyncio.run(story())


def test_a_device_without_a_common_model_is_read_and_says_nothing() -> None:
    async def story() -> None:
        async with simulated((103, 120), settings=PATIENT) as (device, _, _):
            assert isinstance(device, Identified)
            assert await device.identity() == NO_NAMEPLATE
            assert (await device.read()).power_w is not None

    asyncio.run(story())


def test_a_nameplate_that_is_no_text_says_nothing_and_no_map_is_looked_for_anew() -> None:
    async def story() -> None:
        async with simulated((1, 103), settings=PATIENT) as (device, _, unit):
            assert isinstance(device, Identified)
            unit.nameplate = Nameplate(make="\udcff")
            assert await device.identity() == NO_NAMEPLATE
            unit.reads.clear()
            await device.read()
            assert len(unit.reads) == 1

    asyncio.run(story())


def test_what_is_not_implemented_is_nothing() -> None:
    assert nameplate_of(decode(model(1), [1, 66, *[0] * 66])) == NO_NAMEPLATE
    short = nameplate_of(decode(model(1), [1, 16, *[0x4142] * 16]))
    assert short == Nameplate(make="AB" * 16), "a model that was cut short"
    assert clock_s(decode(model(122), [122, 44, *[0] * 44])) is None

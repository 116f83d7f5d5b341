"""A power that a SunSpec device is told is never more than was asked, and what is answered is what was written."""

import asyncio
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_sunspec_device import FOLDER, command, opened, simulated
from test_sunspec_models import filled, model

from commonwatt.adapters.devices.sunspec.models import LARGEST_SCALE, Node, decode
from commonwatt.adapters.devices.sunspec.translate import beat, hold, step_w, told_w
from commonwatt.model import Band, InvalidValue
from commonwatt.simulator.devices.modbus_server import serve
from commonwatt.simulator.devices.sunspec import SunSpecUnit


def node_704(**raw: int) -> Node:
    node = decode(model(704), filled(704))
    node.raw.update({"WSet": None, **raw})
    return node


@given(st.integers(-20_000, 20_000), st.integers(1, 20_000), st.integers(-3, 2))
def test_no_percent_is_more_than_was_asked(power_w: int, full_w: int, scale: int) -> None:
    node = node_704(WSetPct=0, WSetPct_SF=scale)
    try:
        _, (told,) = hold(node, 704, power_w=power_w, seconds=9, full_w=full_w, curtail=False)[1]
    except InvalidValue:
        return  # it does not fit
    signed = told - 0x1_0000 if told & 0x8000 else told
    does_w = -signed * Fraction(10) ** scale * full_w / 100
    assert abs(does_w) <= abs(power_w)
    assert told_w(node, 704, power_w, full_w, curtail=False) == int(does_w)


@pytest.mark.row("X4", "W9")
def test_a_scale_factor_that_grew_since_the_scan_is_answered_with_what_was_written() -> None:
    async def story() -> None:
        async with simulated((1, 701, 702, 704)) as (device, plant, unit):
            unit.put(704, "WSet_SF", 2)
            ack = await device.apply(command(1_051))
            assert ack.taken == Band(lo_w=1_000, hi_w=1_000)
            assert plant.power_w == 1_000

    asyncio.run(story())


def test_a_scale_factor_beyond_the_standards_is_refused() -> None:
    with pytest.raises(InvalidValue, match="scale factor"):
        step_w(node_704(WSetPct=0, WSetPct_SF=LARGEST_SCALE + 1), 704, 5_000, curtail=False)


def test_a_heartbeat_begins_again_before_it_means_nothing() -> None:
    """All ones say that a point is not implemented."""
    node = decode(model(715), filled(715))
    node.raw["ControllerHb"] = 0xFFFF_FFFE
    ((_, words),) = beat(node)
    assert words == (0, 0)


def test_a_map_that_moved_is_scanned_anew_when_a_command_finds_it_gone() -> None:
    async def story() -> None:
        async with simulated((1, 701, 702, 704)) as (device, plant, unit):
            moved = SunSpecUnit(FOLDER, (1, 120, 701, 702, 704), plant)
            unit.words[:], unit.places = moved.words, moved.places
            assert (await device.apply(command(1_000))).taken is None
            unit.reads.clear()
            await device.apply(command(1_000))
            assert unit.reads[0][0] == 40_000

    asyncio.run(story())


def test_a_device_whose_whole_power_is_less_exports_no_more_than_that() -> None:
    async def story() -> None:
        async with simulated((1, 103, 121, 124)) as (_, _, unit):
            unit.put(121, "WMax", 3_000)
            async with serve({1: unit}) as port, opened(port) as device:
                assert device.caps.max_export_w == 3_000

    asyncio.run(story())

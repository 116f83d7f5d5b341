"""A SunSpec device: found wherever it is, read at the scale of the moment, told in the right order."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_sunspec_models import BATTERY, filled

from commonwatt.adapters.devices.driver import DeviceSpec, Doors, open_device
from commonwatt.adapters.devices.sunspec import models
from commonwatt.adapters.devices.sunspec.translate import hold
from commonwatt.flows.device_ports import Device
from commonwatt.model import Asset, AssetKind, Band, Command, InvalidValue, Unreachable, instant
from commonwatt.simulator.devices.modbus_server import ModbusError, serve
from commonwatt.simulator.devices.sunspec import SunSpecUnit
from commonwatt.simulator.plant import Plant

NOW_S = 1_767_268_800
FOLDER = Path(models.__file__).parent / "models"
ROOF = replace(BATTERY, kind=AssetKind.SOLAR, max_import_w=0, capacity_wh=0)
QUICK = {"timeout_s": 0.2, "backoff_s": 0.01}


class Recorded(SunSpecUnit):
    """Remembers where it was written, and what was read at once."""

    def __init__(self, *args: Any, **said: Any) -> None:
        super().__init__(*args, **said)
        self.writes: list[str] = []
        self.reads: list[tuple[int, int]] = []

    def write(self, address: int, words: Sequence[int]) -> None:
        start = address - self._base
        self.writes += [n for (_, n), place in self.places.items() if start <= place.address < start + len(words)]
        super().write(address, words)

    def read(self, table: str, address: int, count: int) -> Sequence[int]:
        self.reads.append((address, count))
        return super().read(table, address, count)


@asynccontextmanager
async def simulated(
    numbers: Sequence[int],
    asset: Asset = BATTERY,
    unit_id: int = 1,
    settings: dict[str, Any] | None = None,
    **said: Any,
) -> AsyncIterator[tuple[Device, Plant, Recorded]]:
    plant = Plant(asset=asset, now_s=NOW_S, level_wh=asset.capacity_wh // 2, import_wh=1_111, export_wh=2_222)
    unit = Recorded(FOLDER, numbers, plant, **said)
    async with serve({unit_id: unit}) as port, opened(port, asset, settings) as device:
        yield device, plant, unit


@asynccontextmanager
async def opened(port: int, asset: Asset = BATTERY, settings: dict[str, Any] | None = None) -> AsyncIterator[Device]:
    async with Doors(clock=lambda: instant(NOW_S)) as doors:
        url = f"tcp://127.0.0.1:{port}"
        spec = DeviceSpec(asset=asset.id, driver="sunspec", url=url, settings={**QUICK, **(settings or {})})
        yield await open_device(asset, spec, doors)


def command(lo_w: int, hi_w: int | None = None, seconds: int = 600) -> Command:
    band = Band(lo_w=lo_w, hi_w=lo_w if hi_w is None else hi_w)
    expires = instant(NOW_S) + timedelta(seconds=seconds)
    return Command(id="c1", asset=BATTERY.id, band=band, expires=expires, reason="test")


@pytest.mark.row("W9", "X4")
@pytest.mark.parametrize(("unit_id", "base"), [(1, 40_000), (1, 50_000), (126, 0)])
def test_a_map_is_found_wherever_it_may_begin(unit_id: int, base: int) -> None:
    async def story() -> None:
        async with simulated((1, 701, 713), unit_id=unit_id, base=base) as (device, _, _):
            state = await device.read()
            assert (state.import_wh, state.export_wh, state.level_wh) == (1_111, 2_222, 5_000)
            assert state.frequency_mhz == 50_000
            assert not device.caps.takes_commands

    asyncio.run(story())


def test_a_map_elsewhere_is_found_where_the_owner_says() -> None:
    async def story() -> None:
        there = {"unit": 7, "base": 39_999}
        async with simulated((1, 103), unit_id=7, base=39_999, settings=there) as (device, _, _):
            assert (await device.read()).export_wh == 2_222

    asyncio.run(story())


def test_what_is_no_sunspec_device_is_said_to_be_none() -> None:
    class Other:
        def read(self, table: str, address: int, count: int) -> list[int]:
            return [0] * count

        def write(self, address: int, words: object) -> None:
            raise ModbusError(2)

    async def story() -> None:
        async with serve({1: Other()}) as port, opened(port) as device:
            with pytest.raises((InvalidValue, Unreachable)):
                await device.read()
            assert not device.caps.takes_commands
        async with serve({1: Other(), 126: Other()}) as port, opened(port) as device:
            with pytest.raises(InvalidValue, match="no SunSpec map at 40000, 50000, 0 of unit 1, 126"):
                await device.read()

    asyncio.run(story())


def test_a_map_without_an_end_is_taken_as_far_as_it_answers() -> None:
    """Some scans run into refused registers behind the last model: pysunspec2#36."""

    async def story() -> None:
        async with simulated((1, 701, 713)) as (_, plant, unit):
            del unit.words[-2:]
            async with serve({1: unit}) as port, opened(port) as device:
                plant.import_wh = 4_242
                assert (await device.read()).import_wh == 4_242

    asyncio.run(story())


def test_a_scale_factor_that_changes_while_the_device_runs_changes_what_is_read_and_told() -> None:
    """Fronius does: openbridgeserver#1255."""

    async def story() -> None:
        async with simulated((1, 701, 702, 704)) as (device, plant, unit):
            plant.own_w = lambda: -3_000
            for scale in (0, 1, 2, -1):
                unit.w_scale = scale
                assert (await device.read()).power_w == -3_000
            for scale in (0, 1, 2):
                unit.put(704, "WSet_SF", scale)
                await device.apply(command(2_400))
                assert plant.power_w == 2_400

    asyncio.run(story())


@pytest.mark.row("W9")
@pytest.mark.parametrize(
    ("numbers", "asset", "last", "timer"),
    [
        ((1, 701, 702, 704), BATTERY, "WSetEna", "WSetRvrtTms"),
        ((1, 103, 120, 124), BATTERY, "StorCtl_Mod", "InOutWRte_RvrtTms"),
        ((1, 701, 702, 704), ROOF, "WMaxLimPctEna", "WMaxLimPctRvrtTms"),
        ((1, 103, 121, 123), ROOF, "WMaxLim_Ena", "WMaxLimPct_RvrtTms"),
    ],
    ids=["704", "124", "704 roof", "123 roof"],
)
def test_what_makes_a_power_count_is_written_last_after_its_timer(
    numbers: tuple[int, ...], asset: Asset, last: str, timer: str
) -> None:
    async def story() -> None:
        async with simulated(numbers, asset) as (device, plant, unit):
            plant.own_w = lambda: -4_000
            ack = await device.apply(command(-1_500, seconds=600))
            assert unit.writes[-1] == last
            assert timer in unit.writes[:-1]
            assert unit.get(numbers[-1], timer) == 60, "the lease, not the whole command"
            assert plant.power_w == -1_500
            assert ack.taken is not None
            assert bool(ack.why) == (asset is ROOF)
            plant.pass_time(60)
            assert plant.held is None
            await device.apply(command(-1_500, seconds=600))
            await device.release()
            assert plant.held is None

    asyncio.run(story())


def test_a_battery_of_model_124_is_charged_by_a_negative_discharge_rate() -> None:
    async def story() -> None:
        async with simulated((1, 103, 120, 124)) as (device, plant, unit):
            await device.apply(command(2_000))
            assert (unit.get(124, "InWRte"), unit.get(124, "OutWRte")) == (4_000, -4_000)
            assert plant.power_w == 2_000

    asyncio.run(story())


def test_a_roof_is_capped_and_cannot_be_made_to_draw() -> None:
    async def story() -> None:
        async with simulated((1, 103, 121, 123), ROOF) as (device, plant, _):
            plant.own_w = lambda: -1_000
            await device.apply(command(-2_500, 0))
            assert plant.power_w == -1_000, "there is less sun than allowed"
            plant.own_w = lambda: -5_000
            assert plant.power_w == -2_500
            assert device.caps.max_import_w == 0

    asyncio.run(story())


def test_a_device_that_can_do_less_than_its_asset_says_so() -> None:
    async def story() -> None:
        async with simulated((1, 701, 702, 704)) as (_, _, unit):
            unit.put(702, "WChaRteMax", 2_600)
            async with serve({1: unit}) as port, opened(port) as device:
                assert (device.caps.max_import_w, device.caps.max_export_w) == (2_600, 5_000)
                ack = await device.apply(command(4_000))
                assert ack.taken == Band(lo_w=2_600, hi_w=2_600)

    asyncio.run(story())


def test_every_command_beats_the_heart_of_model_715_and_local_control_is_respected() -> None:
    async def story() -> None:
        async with simulated((1, 701, 702, 704, 715)) as (device, plant, unit):
            for beats in (1, 2, 3):
                await device.apply(command(1_000))
                assert unit.get(715, "ControllerHb") == beats
            plant.release()
            unit.put(715, "LocRemCtl", 1)
            ack = await device.apply(command(1_000))
            assert ack.taken is None
            assert "local control" in ack.why
            assert plant.held is None

    asyncio.run(story())


@pytest.mark.parametrize("asset", [BATTERY, ROOF], ids=["battery", "roof"])
def test_a_device_that_has_the_model_but_not_its_registers_is_told_nothing(asset: Asset) -> None:
    async def story() -> None:
        async with simulated((1, 701, 702, 704), asset) as (_, plant, unit):
            unit.put(704, "WSet", -0x8000_0000)
            unit.put(704, "WMaxLimPct", 0xFFFF)
            async with serve({1: unit}) as port, opened(port, asset) as device:
                assert not device.caps.takes_commands
                ack = await device.apply(command(-1_000))
                assert ack.taken is None
                assert "no registers" in ack.why
                assert plant.held is None

    asyncio.run(story())


def test_a_704_without_set_point_leaves_its_battery_to_124() -> None:
    async def story() -> None:
        async with simulated((1, 701, 702, 704, 124)) as (_, plant, unit):
            unit.put(704, "WSet", -0x8000_0000)
            async with serve({1: unit}) as port, opened(port) as device:
                await device.apply(command(2_000))
                assert unit.writes[-1] == "StorCtl_Mod"
                assert plant.power_w == 2_000

    asyncio.run(story())


@pytest.mark.parametrize(
    ("numbers", "asset", "scale", "asked_w", "held_w"),
    [
        ((1, 103, 120, 124), BATTERY, (124, "InOutWRte_SF"), 2_049, 2_000),
        ((1, 103, 121, 123), ROOF, (123, "WMaxLimPct_SF"), -2_049, -2_000),
    ],
    ids=["124", "123"],
)
def test_a_device_that_is_told_whole_percents_gives_way_towards_nothing(
    numbers: tuple[int, ...], asset: Asset, scale: tuple[int, str], asked_w: int, held_w: int
) -> None:
    async def story() -> None:
        async with simulated(numbers, asset) as (_, plant, unit):
            unit.put(*scale, 0)
            plant.own_w = lambda: -5_000
            async with serve({1: unit}) as port, opened(port, asset) as device:
                assert device.caps.step_w == 50
                ack = await device.apply(command(asked_w))
                assert ack.taken == Band(lo_w=held_w, hi_w=held_w)
                assert plant.power_w == held_w

    asyncio.run(story())


@given(st.integers(1, 20_000), st.integers(-2, 0), st.integers(0, 20_000))
def test_a_cap_never_lets_more_out_than_may(full_w: int, scale: int, cap_w: int) -> None:
    node = models.decode(models.definition(123), filled(123, WMaxLimPct_SF=scale & 0xFFFF))  # type: ignore[arg-type]
    cap_w = min(cap_w, full_w)
    (_, (told,)), *_ = hold(node, 123, power_w=-cap_w, seconds=9, full_w=full_w, curtail=True)
    assert told * Fraction(10) ** scale * full_w / 100 <= cap_w


def test_a_heartbeat_that_a_device_does_not_want_is_not_written() -> None:
    async def story() -> None:
        async with simulated((1, 701, 702, 704, 715)) as (device, plant, unit):
            unit.put(715, "ControllerHb", 0xFFFF_FFFF)
            await device.apply(command(1_000))
            assert "ControllerHb" not in unit.writes
            assert plant.power_w == 1_000

    asyncio.run(story())


def test_a_704_that_is_told_percent_is_told_percent() -> None:
    async def story() -> None:
        async with simulated((1, 701, 702, 704)) as (_, plant, unit):
            unit.put(704, "WSet", -0x8000_0000)
            unit.put(704, "WSetPct", 0)
            unit.put(704, "WSetPct_SF", -2)
            async with serve({1: unit}) as port, opened(port) as device:
                await device.apply(command(-1_250))
                assert unit.get(704, "WSetPct") == 2_500
                assert plant.power_w == -1_250

    asyncio.run(story())


def test_a_device_without_a_timer_is_told_only_if_its_owner_accepts_that_it_never_lets_go() -> None:
    async def story() -> None:
        async with simulated((1, 701, 702, 704)) as (_, plant, unit):
            unit.put(704, "WSetRvrtTms", 0xFFFF_FFFF)
            async with serve({1: unit}) as port:
                async with opened(port) as device:
                    ack = await device.apply(command(1_000))
                    assert ack.taken is None
                    assert "for ever" in ack.why
                    assert plant.held is None
                async with opened(port, settings={"holds_for_ever": True}) as device:
                    assert device.caps.lease_s is None
                    await device.apply(command(1_000))
                    assert plant.power_w == 1_000

    asyncio.run(story())


def test_a_map_that_moved_is_scanned_anew() -> None:
    async def story() -> None:
        async with simulated((1, 701, 713)) as (device, plant, unit):
            await device.read()
            moved = SunSpecUnit(FOLDER, (1, 120, 701, 713), plant)
            unit.words[:], unit.places = moved.words, moved.places
            with pytest.raises(InvalidValue, match=r"model 701 .* stands at 40070 no more, found 120"):
                await device.read()
            assert (await device.read()).import_wh == 1_111

    asyncio.run(story())


def test_a_state_takes_one_read_a_model() -> None:
    async def story() -> None:
        async with simulated((1, 701, 702, 704, 713)) as (device, _, unit):
            unit.reads.clear()
            await device.read()
            assert len(unit.reads) == 2
            assert all(count <= 125 for _, count in unit.reads)

    asyncio.run(story())


def test_a_device_that_is_not_there_yet_is_opened_and_found_at_its_first_answer() -> None:
    async def story() -> None:
        async with opened(1) as device:
            assert not device.caps.takes_commands
            with pytest.raises(Unreachable):
                await device.read()
            with pytest.raises(Unreachable):
                await device.release()

    asyncio.run(story())

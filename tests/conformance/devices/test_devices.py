"""Every adapter alike: an instruction goes over its wire, the device does it, and a reading comes back.

Each module ``setups_*.py`` beside this one brings ``SETUPS``.
"""

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path

import pytest
from device_bench import Bench, Setup

from commonwatt.flexibility.dispatch import lower
from commonwatt.flexibility.fitting import fitted
from commonwatt.flows.keeper import Keeper
from commonwatt.model import (
    CommonwattError,
    DeviceState,
    Instruction,
    InvalidValue,
    Unreachable,
    Verb,
    slot_from,
)

SETUPS: list[Setup] = [
    setup for path in sorted(Path(__file__).parent.glob("setups_*.py")) for setup in import_module(path.stem).SETUPS
]
Story = Callable[[Bench], Awaitable[None]]
each_adapter = pytest.mark.parametrize("setup", SETUPS, ids=str)


def play(setup: Setup, story: Story) -> None:
    """Run a story on a bench of its own; one that hangs is a failure."""

    async def whole() -> None:
        async with asyncio.timeout(60), setup.open() as bench:
            await story(bench)

    asyncio.run(whole())


def commanded(setup: Setup, story: Story) -> None:
    """Run a story where the device takes commands."""

    async def only_those(bench: Bench) -> None:
        if bench.device.caps.takes_commands:
            await story(bench)

    play(setup, only_those)


def near(bench: Bench, state: DeviceState) -> None:
    """Check that what a device shows is what its physics did, as exactly as its wire tells it."""
    plant = bench.plant
    for shown, true in ((state.import_wh, plant.import_wh), (state.export_wh, plant.export_wh)):
        assert shown is None or 0 <= true - shown <= bench.resolution_wh
    assert state.power_w is None or abs(state.power_w - plant.power_w) <= bench.resolution_w
    if bench.levels:
        assert state.level_wh is not None
        assert abs(state.level_wh - plant.level_wh) <= max(1, plant.asset.capacity_wh // 100)


def instruction(verb: Verb, power_w: int) -> Instruction:
    start_s = 1_767_268_800
    return Instruction(verb=verb, interval=slot_from(start_s), power_w=power_w, expected_wh=0, reason="conformance")


@pytest.mark.row("W9", "X4", "E12")
@pytest.mark.parametrize(
    ("verb", "share"),
    [
        (Verb.START_CHARGE, 1.0),
        (Verb.REDUCE_RATE, 0.5),
        (Verb.INCREASE_RATE, 0.75),
        (Verb.STOP_CHARGE, 0.0),
        (Verb.SUPPLY, -0.5),
        (Verb.STOP_SUPPLY, 0.0),
    ],
    ids=lambda value: str(value).lower() if isinstance(value, Verb) else "",
)
@each_adapter
def test_an_instruction_goes_over_the_wire_and_comes_back_as_a_reading(setup: Setup, verb: Verb, share: float) -> None:
    async def story(bench: Bench) -> None:
        asset, caps = bench.plant.asset, bench.device.caps
        most_w = asset.max_import_w if share > 0 else max(asset.max_export_w, 1_000)
        asked = instruction(verb, int(most_w * share))
        band = lower(asset, asked)
        if verb is Verb.SUPPLY and asset.max_export_w == 0:
            band = bench.command(int(most_w * share)).band
        before = await bench.device.read()
        command = bench.command(band.lo_w, band.hi_w)
        ack = await bench.device.apply(command)
        assert (ack.command, ack.asset) == (command.id, asset.id)
        taken, _ = fitted(caps, band)
        if taken is None:
            assert ack.taken is None
            assert ack.why
            assert bench.plant.held is None
            return
        assert ack.taken is not None
        assert ack.taken.hi_w <= max(band.hi_w, caps.min_import_w)
        assert bench.plant.held is not None or (bench.rests_free and ack.taken.hi_w > 0), "the device was told"
        power_w = bench.plant.power_w
        assert ack.taken.lo_w - bench.resolution_w <= power_w <= ack.taken.hi_w + bench.resolution_w
        if caps.setpoint:
            assert abs(power_w - band.lo_w) <= max(caps.step_w, caps.min_import_w, bench.resolution_w)
        await bench.pass_time(6)
        near(bench, await bench.device.read())
        assert before.import_wh is None or (await bench.device.read()).import_wh >= before.import_wh  # type: ignore[operator]

    commanded(setup, story)


@each_adapter
def test_what_it_measures_is_what_flowed(setup: Setup) -> None:
    async def story(bench: Bench) -> None:
        bench.plant.own_w = lambda: bench.plant.asset.max_import_w or -bench.plant.asset.max_export_w
        for _ in range(4):
            await bench.pass_time(900)
            near(bench, await bench.device.read())
        assert bench.plant.import_wh + bench.plant.export_wh > 0

    play(setup, story)


@each_adapter
def test_a_command_that_ran_out_is_not_obeyed(setup: Setup) -> None:
    async def story(bench: Bench) -> None:
        power_w = bench.plant.asset.max_import_w // 2
        await bench.device.apply(bench.command(0, power_w, seconds=15))
        await bench.pass_time(16)
        assert bench.plant.held is None
        ack = await bench.device.apply(bench.command(0, power_w, seconds=0, name="old"))
        assert ack.taken is None
        assert ack.why
        assert bench.plant.held is None

    commanded(setup, story)


@each_adapter
def test_losing_us_is_safe_within_one_lease(setup: Setup) -> None:
    async def story(bench: Bench) -> None:
        lease_s = bench.device.caps.lease_s
        assert lease_s is not None, "what takes commands lets go of them by itself"
        keeper = Keeper({bench.plant.asset.id: (bench.plant.asset, bench.device)})
        keeper.tell(bench.command(0, bench.plant.asset.max_import_w // 2, seconds=100_000))
        await keeper.tick(bench.clock())
        assert bench.plant.held is not None
        bench.wire.refuse = True
        bench.wire.cut()
        for _ in range(4):
            await bench.pass_time(-(-lease_s // 3))
            await keeper.tick(bench.clock())
        assert bench.plant.held is None
        bench.wire.heal()
        await bench.back()
        await bench.pass_time(1)
        await keeper.tick(bench.clock())
        assert bench.plant.held is not None, "recovered within one lease"

    commanded(setup, story)


@each_adapter
def test_a_kept_command_is_held_as_long_as_it_stands_and_no_longer(setup: Setup) -> None:
    async def story(bench: Bench) -> None:
        lease_s = bench.device.caps.lease_s
        assert lease_s is not None
        step_s = max(1, lease_s // 4)
        keeper = Keeper({bench.plant.asset.id: (bench.plant.asset, bench.device)})
        keeper.tell(bench.command(0, bench.plant.asset.max_import_w // 2, seconds=step_s * 8))
        for _ in range(8):
            await keeper.tick(bench.clock())
            assert bench.plant.held is not None
            await bench.pass_time(step_s)
        await keeper.tick(bench.clock())
        await bench.pass_time(1)
        assert bench.plant.held is None

    commanded(setup, story)


@each_adapter
def test_a_device_that_restarted_is_told_again_within_one_lease(setup: Setup) -> None:
    async def story(bench: Bench) -> None:
        if bench.restart is None:
            return
        lease_s = bench.device.caps.lease_s
        assert lease_s is not None
        keeper = Keeper({bench.plant.asset.id: (bench.plant.asset, bench.device)})
        keeper.tell(bench.command(0, bench.plant.asset.max_import_w // 2, seconds=100_000))
        await keeper.tick(bench.clock())
        await bench.restart()
        await bench.back()
        for _ in range(3):
            await bench.pass_time(-(-lease_s // 3))
            await keeper.tick(bench.clock())
        assert bench.plant.held is not None

    commanded(setup, story)


@each_adapter
def test_what_it_says_while_it_lies_is_not_believed(setup: Setup) -> None:
    async def story(bench: Bench) -> None:
        if bench.lie is None:
            return
        bench.lie(True)
        await bench.pass_time(60)
        with pytest.raises((InvalidValue, Unreachable)):
            await bench.device.read()
        bench.lie(False)
        await bench.pass_time(60)
        near(bench, await bench.device.read())

    play(setup, story)


@each_adapter
def test_errors_are_ours_whatever_the_wire_does(setup: Setup) -> None:
    async def story(bench: Bench) -> None:
        bench.wire.refuse = True
        bench.wire.cut()
        for call in (bench.device.read(), bench.device.apply(bench.command(0, 0)), bench.device.release()):
            try:
                await call
            except CommonwattError as error:
                assert str(error)

    play(setup, story)

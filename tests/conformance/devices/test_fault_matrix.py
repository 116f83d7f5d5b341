"""Every fault on every adapter: no reading lost, none counted twice, no stale command obeyed, back within one lease."""

import asyncio
from pathlib import Path

import pytest
from device_bench import Bench, Setup
from test_devices import SETUPS, near, play

from commonwatt.flows.keeper import Keeper
from commonwatt.model import DeviceState, InvalidValue, Unreachable

TABLE = Path(__file__).parents[3] / "docs/reference/faults.md"
FAULTS = ["delay", "cut", "half-open", "spoil", "twice", "late", "ahead", "behind", "restart", "lie", "repeat"]
QUIET_S = 60
"""How long a device that takes no commands is watched at a time."""


@pytest.mark.row("W9", "X4")
@pytest.mark.parametrize(
    ("setup", "fault"), [(setup, fault) for setup in SETUPS for fault in FAULTS if fault not in setup.without], ids=str
)
def test_whatever_goes_wrong(setup: Setup, fault: str) -> None:
    async def story(bench: Bench) -> None:
        asset = bench.plant.asset
        assert bench.device.caps.takes_commands == setup.told
        bench.plant.own_w = lambda: asset.max_import_w or -asset.max_export_w
        watch = Watch(bench)
        await watch.look(1)
        watch.tell("first", 0.5, watch.lease_s)
        await watch.tick()
        if watch.keeper is not None:
            assert bench.plant.held is not None
        await go_wrong(bench, fault)
        watch.tell("second", 0.25, watch.lease_s // 2 + 1)
        for _ in range(2):
            await watch.look(watch.lease_s // 2 + 1)
        if watch.keeper is not None:
            assert bench.plant.held is None, "no stale command is obeyed: both ran out"
        await heal(bench, fault)
        await bench.pass_time(1)
        if watch.keeper is not None:
            assert bench.plant.held is None, "nor what arrives late"
        watch.tell("third", 0.75, 10 * watch.lease_s)
        for _ in range(3):
            await watch.look(watch.lease_s // 3)
        if watch.keeper is not None:
            power_w = abs(bench.plant.power_w)
            most_w = max(asset.max_import_w, asset.max_export_w)
            assert bench.plant.held is not None or bench.rests_free, "it is told again within one lease"
            assert power_w <= 0.75 * most_w + bench.resolution_w
            assert power_w > 0.5 * most_w or asset.min_import_w > 0.75 * most_w
        near(bench, watch.seen[-1])
        assert watch.failed == 0, "it is read again"
        for counters in ([s.import_wh for s in watch.seen], [s.export_wh for s in watch.seen]):
            told = [value for value in counters if value is not None]
            assert told == sorted(told), "a counter never turns back"

    play(setup, story)


@pytest.mark.parametrize("setup", SETUPS, ids=str)
def test_a_fault_that_there_cannot_be_is_named_and_no_other(setup: Setup) -> None:
    async def story(bench: Bench) -> None:
        cannot = {name for name in ("restart", "lie", "repeat") if getattr(bench, name) is None}
        assert cannot == set(setup.without) & {"restart", "lie", "repeat"}
        assert set(setup.without) <= set(FAULTS)

    play(setup, story)


def test_the_table_of_faults_is_what_is_tested() -> None:
    written = [line for line in TABLE.read_text().splitlines() if line.startswith("|")]
    assert written == table()


def table() -> list[str]:
    """Return the table: how many of the four properties are asserted in each cell, or why there is none."""
    reasons = sorted({why for setup in SETUPS for why in setup.without.values()})
    lines = ["| device | " + " | ".join(FAULTS) + " |", "|---" * (len(FAULTS) + 1) + "|"]
    for setup in SETUPS:
        cells = []
        for fault in FAULTS:
            why = setup.without.get(fault)
            cells.append(("4" if setup.told else "2") if why is None else f"({'abcdefgh'[reasons.index(why)]})")
        lines.append(f"| {setup.name} | " + " | ".join(cells) + " |")
    return lines + [f"| ({'abcdefgh'[i]}) | {why} |" for i, why in enumerate(reasons)]


class Watch:
    """Whoever keeps the device: reads it, and tells it what stands where it takes commands."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        caps = bench.device.caps
        self.keeper = None
        if caps.takes_commands:
            self.keeper = Keeper({bench.plant.asset.id: (bench.plant.asset, bench.device)})
        self.lease_s = caps.lease_s or 3 * QUIET_S
        self.seen: list[DeviceState] = []
        self.failed = 0

    def tell(self, name: str, share: float, seconds: int) -> None:
        """Give it a command that stands for some seconds: no more than a share of what it can draw, or supply."""
        if self.keeper is None:
            return
        asset, caps = self.bench.plant.asset, self.bench.device.caps
        edge_w = int(asset.max_import_w * share) or -int(asset.max_export_w * share)
        other_w = edge_w if caps.setpoint else 0
        lo_w, hi_w = min(edge_w, other_w), max(edge_w, other_w)
        self.keeper.tell(self.bench.command(lo_w, hi_w, seconds=seconds, name=name))

    async def tick(self) -> None:
        if self.keeper is not None:
            await asyncio.wait_for(self.keeper.tick(self.bench.clock()), 30)

    async def look(self, seconds: int) -> None:
        await self.bench.pass_time(seconds)
        await self.tick()
        try:
            self.seen.append(await asyncio.wait_for(self.bench.device.read(), 20))
        except (Unreachable, InvalidValue):
            self.failed += 1
        else:
            self.failed = 0


async def go_wrong(bench: Bench, fault: str) -> None:
    wire = bench.wire
    if fault == "delay":
        wire.delay_s = 0.2
    elif fault == "cut":
        wire.cut()
    elif fault == "half-open":
        wire.swallow = True
    elif fault == "spoil":
        wire.spoil = True
    elif fault == "twice":
        wire.repeat = True
    elif fault == "late":
        wire.hold = True
    elif fault == "ahead":
        bench.plant.now_s += 7_200
    elif fault == "behind":
        bench.plant.now_s -= 7_200
    elif fault == "restart":
        assert bench.restart is not None
        await bench.restart()
    elif fault == "lie":
        assert bench.lie is not None
        bench.lie(True)
    elif fault == "repeat":
        assert bench.repeat is not None
        await bench.repeat()
    else:
        pytest.fail(f"no such fault, was {fault}")


async def heal(bench: Bench, fault: str) -> None:
    bench.wire.heal()
    if fault in ("half-open", "spoil", "twice"):
        bench.wire.cut()
    if fault in ("ahead", "behind"):
        bench.plant.now_s += 7_200 if fault == "behind" else -7_200
    if fault == "lie" and bench.lie is not None:
        bench.lie(False)
    await bench.back()

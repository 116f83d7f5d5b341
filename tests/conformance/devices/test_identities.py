"""Every adapter alike: a device says who it is and what time it has, where its driver's quality file says so."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from device_bench import Bench
from test_devices import SETUPS, Setup, each_adapter, play

from commonwatt.adapters.devices.driver import Quality, drivers
from commonwatt.adapters.stores.inventory import InventoryFile
from commonwatt.flows.device_ports import Clocked, Identified
from commonwatt.flows.inventory import Health, Mark
from commonwatt.flows.watching import IDENTITY_EVERY_S, Inventory, Watched
from commonwatt.model import NO_NAMEPLATE, InvalidValue, Nameplate, Unreachable

pytestmark = pytest.mark.row("W11")
ONE = Nameplate(make="Acme", model="B10", serial="A0000001", firmware="2.4.1")
QUALITIES: dict[str, Quality] = {
    name: driver.quality() for name, driver in drivers().items() if any(one.driver == name for one in SETUPS)
}


async def says(bench: Bench, label: Nameplate) -> None:
    """Label the simulated device, let it tell, and check that this is what our adapter says it is."""
    assert bench.label is not None
    assert isinstance(bench.device, Identified)
    bench.label(label)
    told = NO_NAMEPLATE
    for _ in range(20):  # what is pushed may need a moment, on a busy machine more than one
        await bench.pass_time(bench.labels_every_s)
        try:
            await bench.device.read()
            told = await bench.device.identity()
        except Unreachable:
            await asyncio.sleep(0.1)
            continue
        if told == bench.label_of(label):
            return
        await asyncio.sleep(0.05)
    assert told == bench.label_of(label)


@each_adapter
def test_a_device_says_who_it_is_and_a_new_firmware_or_another_device_shows(setup: Setup) -> None:
    async def story(bench: Bench) -> None:
        if bench.label is None:
            assert setup.driver == "" or "identity" not in QUALITIES[setup.driver].done, "its quality file says so"
            return
        await says(bench, ONE)
        await says(bench, replace(ONE, firmware="2.5.0"))
        await says(bench, replace(ONE, firmware="2.5.0", serial="B0000002"))

    play(setup, story)


@each_adapter
def test_a_new_firmware_stands_in_history_and_another_device_is_told_of_and_not_believed(
    setup: Setup, tmp_path: Path
) -> None:
    async def story(bench: Bench) -> None:
        updated = replace(ONE, firmware="2.5.0")
        other = replace(updated, serial="B0000002")
        if bench.label is None or bench.label_of(ONE).serial == "":
            return
        await says(bench, ONE)
        with InventoryFile(tmp_path / "inventory.sqlite") as shelf:
            inventory = Inventory(shelf, bench.clock)
            watched = inventory.watch(bench.plant.asset, bench.device, setup.driver, "at home")
            await until_known(bench, watched, lambda: watched.record.nameplate == bench.label_of(ONE))
            bench.label(updated)
            await until_known(bench, watched, lambda: watched.record.nameplate == bench.label_of(updated))
            assert watched.record.health is Health.HEALTHY
            bench.label(other)
            await until_known(bench, watched, lambda: watched.record.health is Health.QUARANTINED)
            assert f"another device answers: serial number {bench.label_of(other).serial}" in watched.record.trouble
            assert "announce it by replace" in watched.record.trouble
            inventory.keep()
            named = [note.words for note in shelf.history() if note.mark is Mark.NAMED]
        if bench.label_of(ONE).firmware:
            assert bench.label_of(other).firmware in named[-1]
            assert bench.label_of(ONE).firmware in named[-1], "from which one to which"

    play(setup, story)


async def until_known(bench: Bench, watched: Watched, known: Callable[[], bool]) -> None:
    for _ in range(20):
        await bench.pass_time(max(IDENTITY_EVERY_S, bench.labels_every_s))
        with suppress(Unreachable, InvalidValue):
            await watched.read()
            if known():
                return
        if known():
            return
        await asyncio.sleep(0.1)
    assert known(), watched.record


@each_adapter
def test_a_device_tells_by_how_much_its_clock_is_ahead(setup: Setup) -> None:
    async def story(bench: Bench) -> None:
        if not setup.clock:
            assert not isinstance(bench.device, Clocked) or bench.device.clock_ahead_s is None
            return
        for ahead_s in (0, 3_600, -600):
            bench.plant.now_s = bench.now_s + ahead_s
            await until_ahead(bench, ahead_s)

    play(setup, story)


async def until_ahead(bench: Bench, ahead_s: int) -> None:
    assert isinstance(bench.device, Clocked)
    for _ in range(20):
        await bench.pass_time(301)  # what is behind may have been long on its way, and is believed after a while
        if isinstance(bench.device, Identified):
            await bench.device.identity()
        await bench.device.read()
        if bench.device.clock_ahead_s is not None and abs(bench.device.clock_ahead_s - ahead_s) <= 1:
            return
        await asyncio.sleep(0.05)
    assert bench.device.clock_ahead_s == ahead_s


@pytest.mark.parametrize("driver", sorted(QUALITIES))
def test_every_quality_file_says_whether_a_device_tells_who_it_is_and_what_time_it_has(driver: str) -> None:
    admitted = QUALITIES[driver]
    for name in ("identity", "clock"):
        said = [name in part for part in (admitted.done, admitted.exempt, admitted.missing)]
        assert said.count(True) == 1, f"{driver} says once whether {name} is told"
    assert ("clock" in admitted.done) == any(setup.clock for setup in SETUPS if setup.driver == driver)


def test_all_drivers_of_ours_are_in_the_suite() -> None:
    assert sorted(QUALITIES) == [
        "foxbms",
        "foxess_cloud",
        "modbus",
        "mqtt",
        "ocpp",
        "p1",
        "solax_cloud",
        "sunspec",
    ]

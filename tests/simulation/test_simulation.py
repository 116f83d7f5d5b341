"""Whatever a seed does to clock, network, disk, writer, witnesses and requests: nothing answered is lost or changed."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from parts import Disk
from world import World

from commonwatt.model import Corrupt, Refused

NIGHTLY = bool(os.environ.get("COMMONWATT_NIGHTLY"))
SEEDS = 5_000 if NIGHTLY else 30
PARTS = 50 if NIGHTLY else 5
PROGRAM = Path(__file__).with_name("tell.py")


@pytest.mark.row("M5")
@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_that_was_answered_is_ever_lost_or_answered_otherwise(part: int) -> None:
    for seed in range(part, SEEDS, PARTS):
        try:
            World(seed).run()
        except Exception as error:
            pytest.fail(f"seed {seed}: {error!r}; again with: python tests/simulation/tell.py {seed}")


@pytest.mark.row("E14")
def test_an_operator_with_two_histories_is_always_caught() -> None:
    worlds = [world for seed in range(SEEDS) if (world := World(seed)).forks]
    assert len(worlds) > 3
    for world in worlds[:3]:
        world.run()
        assert world.fraud


def test_a_seed_tells_one_story_in_every_process() -> None:
    stories = [World(seed).run() for seed in (3, 4)]
    assert stories[0] != stories[1]
    assert [World(seed).run() for seed in (3, 4)] == stories
    told = subprocess.run(
        [sys.executable, str(PROGRAM), "3", "4"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    assert told.stdout.split() == stories


@pytest.mark.parametrize("seed", range(3))
def test_a_disk_that_lies_is_noticed(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    world, write = World(seed), Disk.write

    def lying(disk: Disk, epoch: int, change: Callable[[], None]) -> None:
        disk.armed = "lies" if len(world.answers) >= 10 else disk.armed
        write(disk, epoch, change)

    monkeypatch.setattr(Disk, "write", lying)
    with pytest.raises((AssertionError, Refused, Corrupt)):
        world.run()
    assert len(world.answers) >= 10

"""A run that is killed goes on where it was, and nobody who reads its log could tell."""

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest
from paper_street import live, stage

from commonwatt.adapters.devices.gateway.client import GatewayProcess
from commonwatt.adapters.devices.gateway.translate import Slot
from commonwatt.apps.wiring import durable_day, open_log
from commonwatt.flows.sequence import Replayed, replay
from commonwatt.model import SLOT_SECONDS, AssetId, AssetKind, Refused, epoch

NIGHTLY = bool(os.environ.get("COMMONWATT_NIGHTLY"))
KILLS, SLOTS = (20, 60) if NIGHTLY else (2, 8)
KILLED = [(when, phase) for when in ("between two slots", "while it is asked") for phase in ("tell", "read")]
HOMES, STARTS = 2, "12:00"
CHILD = Path(__file__).with_name("durable_child.py")


def started(folder: Path, slots: int = SLOTS) -> subprocess.Popen[str]:
    words = [sys.executable, str(CHILD), str(folder), str(slots), str(HOMES), STARTS]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def processes(folder: Path) -> list[int]:
    """Return the processes that were told a folder of ours, zombies apart."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes()
        except OSError:
            continue
        if os.fsencode(folder) in words:
            found.append(int(place.name))
    return found


def nobody_is_left(folder: Path) -> None:
    deadline = time.monotonic() + 5
    while left := processes(folder):
        assert time.monotonic() < deadline, f"processes {left} outlived the run"
        time.sleep(0.02)


def replayed(folder: Path) -> Replayed:
    with open_log(folder) as log:
        return replay(log.rows(), "street")


def test_a_run_killed_at_random_moments_ends_with_the_roots_of_one_that_never_was(tmp_path: Path) -> None:
    chance = Random(20181114)
    moments: list[dict[str, str]] = []
    for _ in range(KILLS):
        closed = closed_slots(moments[-1]) if moments else 0
        with started(tmp_path) as run:
            assert run.stdout is not None
            # Some kills fall into the start, the others into a slot after some new ones: earlier ones are told at once.
            if chance.random() < 0.3:
                time.sleep(chance.uniform(0, 1.5))
            else:
                for _ in range(min(closed + chance.randint(1, 3), SLOTS - 2)):
                    run.stdout.readline()
                time.sleep(chance.uniform(0, 0.1))
            os.kill(run.pid, signal.SIGKILL)
        assert run.returncode == -signal.SIGKILL, "it was killed, not done"
        moments.append(marks(tmp_path))
        if chance.random() < 0.5:
            nobody_is_left(tmp_path)  # otherwise the next run meets the last one's gateways on their way out
    with started(tmp_path) as run:
        told, _ = run.communicate(timeout=120)
    assert run.returncode == 0
    assert len(told.split()) == SLOTS
    nobody_is_left(tmp_path)
    found, unkilled = replayed(tmp_path), live(stage(HOMES, STARTS), SLOTS)
    assert (found.tree.root(), found.state.root()) == unkilled.roots, f"killed at {moments}"


def marks(folder: Path) -> dict[str, str]:
    """Return how far a log had come; nowhere where there is none yet."""
    try:
        with open_log(folder) as log:
            return log.marks()
    except Refused:
        return {}


def closed_slots(marks: dict[str, str]) -> int:
    """Return how many slots of the day a log holds whole."""
    if not marks:
        return 0
    first_s = epoch(stage(HOMES, STARTS).street.span.start)
    return max(0, (int(marks["slot"]) - first_s) // SLOT_SECONDS + (marks["phase"] == "closed"))


@pytest.mark.parametrize(("when", "phase"), KILLED if NIGHTLY else KILLED[1:3])
def test_the_day_goes_on_and_settles_when_a_gateway_program_is_killed(
    tmp_path: Path, when: str, phase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = set()
    slots, killed_in = 5, 2
    scene = stage(HOMES, STARTS)
    killed_s = epoch(scene.street.span.start) + killed_in * SLOT_SECONDS
    ask = GatewayProcess.ask

    def ask_and_kill(self: GatewayProcess, told: Slot) -> None:
        struck = self.greet().number == "HEPEK-0002" and (told.slot_s, told.phase) == (killed_s, phase)
        if struck and when == "between two slots":
            kill(self.pid)
        ask(self, told)
        if struck and when == "while it is asked":
            kill(self.pid)

    def kill(pid: int) -> None:
        pids.add(pid)
        os.kill(pid, signal.SIGKILL)

    monkeypatch.setattr(GatewayProcess, "ask", ask_and_kill)
    with ExitStack() as doors:
        day = durable_day(scene, tmp_path, doors)
        for _ in zip(range(slots), day.run(), strict=False):
            pass
        assert len(pids) == 1
        alive = processes(tmp_path)
        assert len(alive) == HOMES + 2, "gateways, and the devices"
        assert not pids & {*alive}, "another program took its place"
        state, tree = day.sequencer.state, day.sequencer.tree
    nobody_is_left(tmp_path)
    assert state.set_aside == []
    assert state.settled_to_s == epoch(scene.street.span.start) + slots * SLOT_SECONDS
    assert set(state.losses_wh.values()) == {0}
    metered = {a.id for a in state.assets.values() if a.kind is not AssetKind.VEHICLE}
    for slot in range(slots):
        assert set(state.readings[killed_s + (slot - killed_in) * SLOT_SECONDS]) >= metered
    assert state.schedules[AssetId("battery-02")].issued == state.schedules[AssetId("battery-01")].issued
    found = replayed(tmp_path)
    unkilled = live(scene, slots)
    assert (found.tree.root(), found.state.root()) == (tree.root(), state.root()) == unkilled.roots


def test_a_run_that_ends_leaves_no_program_behind(tmp_path: Path) -> None:
    with started(tmp_path, slots=1) as run:
        run.communicate(timeout=60)
    assert run.returncode == 0
    nobody_is_left(tmp_path)

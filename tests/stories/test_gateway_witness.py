"""A gateway with storage runs the witness beside its devices: it cosigns, comes back after a crash, ends with it."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from noting import asset
from witness_scene import NAMES, Scene, founded, serving, status

from commonwatt.apps import witness_child
from commonwatt.apps.witness_child import WitnessTerms, keep_witness
from commonwatt.apps.witnessing import FRAUD, Looked
from commonwatt.model import AssetKind

STORES = asset("battery")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return founded(tmp_path)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.row("E14")
def test_the_witness_beside_a_gateway_cosigns_comes_back_after_a_crash_and_ends_with_it(scene: Scene) -> None:
    looks, pids = list[Looked](), list[int]()

    async def until(done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 120
        while not done():
            assert time.monotonic() < deadline, looks
            await asyncio.sleep(0.05)

    async def live(url: str) -> None:
        stop = asyncio.Event()
        terms = WitnessTerms(log=url, trust=str(scene.folder / "community.pub"), every_s=0.2, nice=7)
        keeping = asyncio.create_task(
            keep_witness(
                scene.of(NAMES[0]),
                terms,
                [STORES],
                stop,
                on_look=looks.append,
                on_start=pids.append,
                first_wait_s=0.1,
            )
        )
        await until(lambda: any(look.size is not None for look in looks))
        assert os.getpriority(os.PRIO_PROCESS, pids[0]) == os.getpriority(os.PRIO_PROCESS, 0) + 7
        first = max(look.size or 0 for look in looks)
        os.kill(pids[0], signal.SIGKILL)
        await until(lambda: len(pids) == 2)
        assert any("started again" in (look.trouble or "") for look in looks)
        scene.community.slot()
        await until(lambda: any((look.size or 0) > first for look in looks))
        stop.set()
        await keeping

    with serving(scene.folder) as url:
        asyncio.run(live(url))
        told = status(url)
        assert told["witnesses"][0]["last_size"] == told["size"]
    assert not any(map(alive, pids))


@pytest.mark.row("E14")
def test_only_a_gateway_with_storage_runs_one(tmp_path: Path) -> None:
    pids = list[int]()
    nothing = replace(asset("line", AssetKind.CONNECTION), capacity_wh=0)
    terms = WitnessTerms(log="http://127.0.0.1:9")
    asyncio.run(keep_witness(tmp_path / "w", terms, [nothing], asyncio.Event(), on_start=pids.append))
    assert pids == []
    assert not (tmp_path / "w").exists()


def test_a_log_that_is_not_there_is_asked_again_later_and_later_and_nothing_else_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, waits = list[Looked](), list[float]()
    monkeypatch.setattr(witness_child, "_PROGRAM", "raise SystemExit(1) # {nice}")

    async def live() -> None:
        stop = asyncio.Event()

        def look(looked: Looked) -> None:
            looks.append(looked)
            waits.append(float((looked.trouble or "").split(" in ")[1].split()[0]))
            if len(looks) == 3:
                stop.set()

        terms = WitnessTerms(log="http://127.0.0.1:9")
        await keep_witness(tmp_path / "w", terms, [STORES], stop, on_look=look, first_wait_s=0.01)

    asyncio.run(live())
    assert waits == [0.02, 0.04, 0.08]


@pytest.mark.row("E14")
def test_a_witness_that_has_proven_fraud_is_not_started_again(scene: Scene) -> None:
    looks, pids = list[Looked](), list[int]()
    (scene.of(NAMES[0]) / FRAUD).write_bytes(b"{}")
    with serving(scene.folder) as url:
        terms = WitnessTerms(log=url)
        asyncio.run(
            keep_witness(
                scene.of(NAMES[0]), terms, [STORES], asyncio.Event(), on_look=looks.append, on_start=pids.append
            )
        )
    assert len(pids) == 1
    assert "fraud is proven" in (looks[-1].trouble or "")


KILLED = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from noting import asset
from commonwatt.apps.witness_child import WitnessTerms, keep_witness
terms = WitnessTerms(log=sys.argv[1], every_s=0.2)
asyncio.run(keep_witness(Path(sys.argv[2]), terms, [asset("battery")], asyncio.Event(),
    on_start=lambda pid: print(pid, flush=True)))
"""


@pytest.mark.row("E14")
def test_it_does_not_outlive_a_gateway_that_is_killed(scene: Scene) -> None:
    with serving(scene.folder) as url:
        words = [sys.executable, "-c", KILLED, url, scene.of(NAMES[0]), Path(__file__).parents[1] / "flows"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as gateway:
            assert gateway.stdout is not None
            pid = int(gateway.stdout.readline())
            assert alive(pid)
            gateway.kill()
        deadline = time.monotonic() + 20
        while alive(pid):
            assert time.monotonic() < deadline
            time.sleep(0.05)

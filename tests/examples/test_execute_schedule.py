"""A third party carries out a schedule with fifty lines of its own and nothing of ours."""

import json
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from commonwatt.flexibility.instructions import write
from commonwatt.model import AssetId, Instruction, Interval, Schedule, Verb

FOLDER = Path(__file__).parents[2] / "examples" / "execute_schedule"
PROGRAM = FOLDER / "execute.py"


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run it as anyone would, but without a way to any package that is installed here."""
    command = [sys.executable, "-I", "-S", PROGRAM, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=FOLDER)


@pytest.mark.row("X13")
def test_it_has_fifty_lines_and_needs_nothing_of_ours() -> None:
    lines = [line for line in PROGRAM.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert len(lines) <= 50
    assert not re.search("import.*commonwatt", "\n".join(lines))


@pytest.mark.row("X13")
def test_it_does_what_its_page_shows() -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    runs = re.findall(r"\$ python execute\.py (.*)\n((?:[^$].*\n)*)", shown)
    assert len(runs) == 2
    for words, output in runs:
        found = run(*shlex.split(words))
        assert (found.stdout, found.stderr, found.returncode) == (output, "", 0)


@pytest.mark.row("X13")
def test_by_the_clock_it_passes_over_what_is_past_and_does_each_thing_in_its_time(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    edges = [now + timedelta(seconds=s) for s in (-3600, -60, 1, 2, 2.5)]
    told = [(Verb.START_CHARGE, 2000), (Verb.INCREASE_RATE, 10**9), (Verb.REDUCE_RATE, 1), (Verb.SUPPLY, -(10**9))]
    entries = tuple(
        Instruction(verb=verb, interval=Interval(start, end), power_w=power_w, expected_wh=0, reason="")
        for (verb, power_w), start, end in zip(told, edges, edges[1:], strict=False)
    )
    file = tmp_path / "schedule.json"
    file.write_bytes(write(Schedule(asset=AssetId("car-01"), issued=edges[0], instructions=entries)))
    found = run(file)
    assert datetime.now(UTC) >= edges[-1]
    words = [line.split("car-01 ")[1] for line in found.stdout.splitlines()[:-1]]
    assert words == ["INCREASE RATE: 7360 W", "REDUCE RATE: 1380 W", "SUPPLY: -5000 W"]


@pytest.mark.row("X13")
@pytest.mark.parametrize("version", ["commonwatt-schedule/2", "commonwatt-schedule/12", "something-else/1"])
def test_a_version_that_it_does_not_know_is_not_carried_out(tmp_path: Path, version: str) -> None:
    file = tmp_path / "schedule.json"
    file.write_text(json.dumps({"format": version}), encoding="utf-8")
    found = run(file, "--at-once")
    assert found.returncode == 1
    assert found.stderr == f"cannot carry out {version}, only commonwatt-schedule/1\n"


def test_a_later_minor_version_is_carried_out(tmp_path: Path) -> None:
    document = {"format": "commonwatt-schedule/1.3", "asset": "a", "issued": "2026-04-23T08:00:00Z", "instructions": []}
    file = tmp_path / "schedule.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    assert run(file, "--at-once").stdout == "over: the device goes its own way until the next schedule\n"

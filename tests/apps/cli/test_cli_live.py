"""The command that lets a street live on: on real wires, interrupted as a person does it."""

import json
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from paper_street import live
from test_cli import COMMAND, ROOT, STREET
from test_door_kept import command

from commonwatt.apps.scenes import scene
from commonwatt.apps.wiring import open_log
from commonwatt.model import Refused

NIGHTLY = bool(os.environ.get("COMMONWATT_NIGHTLY"))


def small_street(folder: Path) -> Path:
    """Put the example street's first two homes into a folder of their own."""
    folder.mkdir()
    told = (STREET / "street.toml").read_text().split("[[home]]")
    (folder / "street.toml").write_text("[[home]]".join(told[:3]))
    (folder / "data").symlink_to(STREET / "data")
    return folder


@pytest.mark.row("M1")
def test_a_live_street_on_wires_is_the_recorded_one_and_ends_when_interrupted(tmp_path: Path) -> None:
    street, folder = small_street(tmp_path / "two_homes"), tmp_path / "run"
    words = [COMMAND, "run", street, "--live", "--pace", "1", "--port", "0", "--output", folder, "--json"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        told = [json.loads(run.stdout.readline()) for _ in range(2)]
        os.kill(run.pid, signal.SIGINT)
        _, said = run.communicate(timeout=120)
    assert (run.returncode, said) == (0, "")
    assert told[1]["slot_s"] == told[0]["slot_s"] + 900
    alone = live(scene(street), 2).rows
    with open_log(folder) as log:
        rows = [row for row in log.rows() if row.position < len(alone)]
    assert rows == alone, "leaf by leaf, salts and stamps included"
    assert told[1]["leaves"] == len(alone)


@pytest.mark.parametrize("words", [("--pace", "5"), ("--port", "0"), ("--homes", "20")])
def test_what_only_a_live_street_has_is_not_asked_of_another(words: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(Refused, match="are for a street that runs --live"):
        command("run", STREET, "--output", tmp_path / "street", *words)


@pytest.mark.parametrize("pace", ["0", "-1", "901", "nan"])
def test_a_pace_is_one_that_can_be_lived(pace: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="a quarter-hour lasts from"):
        command("run", STREET, "--live", "--output", tmp_path / "street", f"--pace={pace}")


def programs_of(folder: Path) -> list[str]:
    """Return the command lines of programs that run on something in a folder."""
    told = []
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it ended meanwhile
            told.append(one.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [words for words in told if str(folder) in words]


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGHUP] if NIGHTLY else [signal.SIGTERM])
def test_a_demo_that_is_told_to_end_takes_its_street_with_it(told: signal.Signals, tmp_path: Path) -> None:
    words = [COMMAND, "demo", STREET, "--homes", "10", "--pace", "900", "--port", "0", "--output", tmp_path / "demo"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        opened = next(line for line in demo.stdout if "its app is open at" in line)
        assert httpx.get(f"http://localhost:{opened.rpartition(':')[2].strip()}/market", timeout=60).status_code == 200
        assert any("--live" in line for line in programs_of(tmp_path)), "the street is alive"
        demo.send_signal(told)
        demo.communicate(timeout=120)
    assert (demo.returncode, programs_of(tmp_path)) == (-signal.SIGTERM, [])


@pytest.mark.parametrize(("ci", "asks"), [("true", "run --chain"), ("", "demo")])
def test_the_demo_ends_by_itself_where_it_is_checked_and_lives_on_elsewhere(ci: str, asks: str) -> None:
    # Under `make test` a make within would speak as its part, of folders it enters and leaves.
    alone = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    told = subprocess.run(
        ["make", "-n", "demo"], cwd=ROOT, env={**alone, "CI": ci}, capture_output=True, text=True, check=True
    )
    assert told.stdout.splitlines()[-1].rstrip() == f".venv/bin/commonwatt {asks} examples/street"

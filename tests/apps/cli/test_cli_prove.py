"""`commonwatt prove`: a chain of evidence from a folder's log, told and checked by the real commands."""

import json
from pathlib import Path

import pytest
from community import Community
from test_chain import lived, trust
from typer.testing import CliRunner

from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.apps.cli.main import app
from commonwatt.apps.wiring import MASTER_KEY
from commonwatt.model import InvalidValue, Refused


def folder_of(community: Community, folder: Path) -> Path:
    """Put a community's log into a folder as a run leaves it."""
    (folder / "keys").mkdir(parents=True)
    with SqliteLog(folder / "log.sqlite", MasterKey.in_file(folder / MASTER_KEY)) as log:
        log.append(community.rows(), {})
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folder_of(lived(), tmp_path / "run")


def command(*words: object, code: int = 0) -> str:
    """Return what the command prints; an error of ours is raised, since only `main` puts it into words."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.row("X6")
def test_prove_tells_the_story_and_verify_believes_the_file(folder: Path, tmp_path: Path) -> None:
    file, pub = tmp_path / "chain.json", tmp_path / "community.pub"
    pub.write_text(trust())
    told = command("prove", folder, "--asset", "anna-battery", "--slot", "13:00", "-o", file).splitlines()
    assert [line.split()[0] for line in told[:6]] == ["asset", "asked", "planned", "agreed", "took", "flowed"]
    assert "480 Wh measured, 500 Wh expected" in told[5]
    assert "all of it holds" in command("verify", file, "--trust", pub)
    bent = file.read_text().replace('"measured_wh": 480', '"measured_wh": 500')
    file.write_text(bent)
    assert "not to be believed" in command("verify", file, "--trust", pub, code=1)
    assert json.loads(command("verify", file, "--trust", pub, "--json", code=1))["lines"][-1]["name"] == "flowed"


@pytest.mark.parametrize("slot", ["2026-06-01T13:00", "2026-06-01T12:00:00+00:00", "2026-06-01T12:00Z", "13:00:00"])
def test_a_slot_is_named_in_the_communitys_clock_or_with_an_offset(slot: str, folder: Path) -> None:
    assert "from 2026-06-01 13:00" in command("prove", folder, "--asset", "anna-battery", "--slot", slot)


def test_what_is_no_slot_or_has_no_chain_is_refused(folder: Path, tmp_path: Path) -> None:
    for slot in ("13:07", "noon", "2026-06-31T13:00", ""):
        with pytest.raises(InvalidValue):
            command("prove", folder, "--asset", "anna-battery", "--slot", slot)
    for asset, slot in (("anna-battery", "13:15"), ("ben-battery", "13:00"), ("x", "13:00"), ("anna-battery", "12:45")):
        with pytest.raises(Refused):
            command("prove", folder, "--asset", asset, "--slot", slot, "-o", tmp_path / "none.json")
    assert not (tmp_path / "none.json").exists()
    (tmp_path / "empty").mkdir()
    with pytest.raises(Refused, match="no log"):
        command("prove", tmp_path / "empty", "--asset", "anna-battery", "--slot", "13:00")

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from community import Community, Flow
from door_client import found_folder
from typer.testing import CliRunner

from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.apps.cli.main import app
from commonwatt.apps.wiring import MASTER_KEY
from commonwatt.model import Refused, epoch

MIDNIGHT = epoch(datetime(2026, 6, 2, tzinfo=UTC))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A community's folder with a day that is over, and one that is not."""
    found_folder(tmp_path / "town")
    (tmp_path / "town" / "log.sqlite").unlink()
    with SqliteLog(tmp_path / "town" / "log.sqlite", MasterKey.in_file(tmp_path / "town" / MASTER_KEY)) as log:
        town = Community(store=log)
        while town.now_s < MIDNIGHT + 900:
            town.live(anna=Flow(load_wh=100, solar_wh=300, charge_wh=200), ben=Flow(load_wh=250))
    return tmp_path / "town"


@pytest.fixture
def run() -> Callable[..., str]:
    def ran(*words: object, code: int = 0) -> str:
        result = CliRunner().invoke(app, [str(word) for word in words])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.output

    return ran


@pytest.mark.row("X8")
@pytest.mark.row("W6")
def test_a_day_goes_to_the_archive_and_questions_are_answered_there(folder: Path, run: Callable[..., str]) -> None:
    place = folder.parent / "archive"
    done = json.loads(run("archive", folder, "2026-06-01", "--to", place, "--json"))
    assert done["leaves"] > 100
    assert done["digest"] in [path.name for path in (place / "manifest" / "2026-06-01").iterdir()]
    asked = "SELECT sum(import_wh) AS wh FROM reading WHERE asset = 'ben-home'"
    assert json.loads(run("query", folder, asked, "--at", place, "--json")) == [{"wh": 250 * 47}]
    assert "250" in run("query", folder, "SELECT max(import_wh) FROM reading WHERE asset = 'ben-home'", "--at", place)
    # Once more is no second day, and the log was told once.
    again = json.loads(run("archive", folder, "2026-06-01", "--to", place, "--json"))
    assert again == done
    for path in place.rglob("*"):
        assert not path.is_file() or b"ben-home" not in path.read_bytes()


def test_a_pruned_log_goes_on_from_its_snapshot(folder: Path, run: Callable[..., str]) -> None:
    place = folder.parent / "archive"
    done = json.loads(run("archive", folder, "2026-06-01", "--to", place, "--prune", "--json"))
    assert done["pruned"]
    with SqliteLog.open_readonly(folder / "log.sqlite", MasterKey.in_file(folder / MASTER_KEY)) as log:
        assert log.pruned_to == done["leaves"]
    asked = "SELECT count(*) AS n FROM leaf"
    assert json.loads(run("query", folder, asked, "--at", place, "--json")) == [{"n": done["leaves"]}]


def test_an_archive_that_was_changed_does_not_answer(folder: Path, run: Callable[..., str]) -> None:
    place = folder.parent / "archive"
    run("archive", folder, "2026-06-01", "--to", place)
    blob = max((place / "blob").iterdir(), key=lambda path: path.stat().st_size)
    damaged = bytearray(blob.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    blob.chmod(0o600)
    blob.write_bytes(damaged)
    with pytest.raises(Exception, match=blob.name):
        run("query", folder, "SELECT count(*) FROM leaf, reading, entry", "--at", place)


def test_what_cannot_be_archived_is_said_in_words(folder: Path, run: Callable[..., str]) -> None:
    with pytest.raises(Refused, match="over in the log"):
        run("archive", folder, "2026-06-02", "--to", folder.parent / "archive")
    with pytest.raises(Exception, match="a day looks like"):
        run("archive", folder, "yesterday", "--to", folder.parent / "archive")
    with pytest.raises(Exception, match="s3://bucket@host"):
        run("archive", folder, "2026-06-01", "--to", "ftp://somewhere")

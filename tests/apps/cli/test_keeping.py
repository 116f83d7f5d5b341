import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from community import Flow
from door_client import found_folder
from typer.testing import CliRunner
from watched import ANNE, BOB, CARDS, Watched, trust

from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.apps.cli.main import app
from commonwatt.apps.publishing import open_publisher
from commonwatt.apps.wiring import MASTER_KEY
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.witness import WitnessKeys
from commonwatt.identity.eip712 import sign_checkpoint
from commonwatt.ledger.checkpoint import read_note, split_note
from commonwatt.ledger.cosign import cosignature_line
from commonwatt.model import SLOT_SECONDS, Corrupt, Refused, epoch

MIDNIGHT = epoch(datetime(2026, 6, 2, tzinfo=UTC))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A community's folder with a day that is over, and one that is not."""
    found_folder(tmp_path / "town")
    return lived(tmp_path / "town")


def lived(folder: Path, cards: Sequence[bodies.Witness] = (), *, signed: bool = True) -> Path:
    """Let the community of a folder live past midnight, with a checkpoint once it is over."""
    (folder / "log.sqlite").unlink()
    (folder / "community.pub").write_text(trust(cards))
    with SqliteLog(folder / "log.sqlite", MasterKey.in_file(folder / MASTER_KEY)) as log:
        town = Watched(cards, log)
        while town.now_s < MIDNIGHT + 900:
            town.live(anna=Flow(load_wh=100, solar_wh=300, charge_wh=200), ben=Flow(load_wh=250))
        if signed:
            town.close(town.slot_s)
    return folder


def cosign(folder: Path, *who: WitnessKeys) -> int:
    """Hand in the witnesses' word on the latest checkpoint, and return its size."""
    with ExitStack() as doors:
        publisher = open_publisher(folder, doors)
        note = publisher.checkpoint() or ""
        point = read_note(note)
        for one in who:
            line = cosignature_line(split_note(note)[0], one.name, one.note.private, 1_800_000_000)
            typed = sign_checkpoint(
                one.signing,
                origin=point.origin,
                epoch=point.slot_s // SLOT_SECONDS,
                size=point.size,
                log_root=point.log_root,
                state_root=point.state_root,
            )
            assert publisher.take(point.size, line, typed)
    return point.size


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
    assert json.loads(run("replay", folder, "--json"))["from_leaf"] >= done["leaves"], "it can be run again at once"
    asked = "SELECT count(*) AS n FROM leaf"
    assert json.loads(run("query", folder, asked, "--at", place, "--json")) == [{"n": done["leaves"]}]


def test_a_day_that_no_checkpoint_covers_is_not_archived(folder: Path, run: Callable[..., str]) -> None:
    lived(folder, signed=False)
    place = folder.parent / "archive"
    for more in ((), ("--prune",)):
        with pytest.raises(Refused, match="a checkpoint in the log covers first what is final: leaves"):
            run("archive", folder, "2026-06-01", "--to", place, *more)
    assert not place.exists(), "nothing was written"


@pytest.mark.row("M5")
def test_a_day_is_archived_once_two_thirds_of_the_witnesses_stand_behind_it(
    folder: Path, run: Callable[..., str]
) -> None:
    lived(folder, CARDS)
    place = folder.parent / "archive"
    asked = ("archive", folder, "2026-06-01", "--to", place, "--prune", "--json")
    for who in ((), (ANNE,)):
        cosign(folder, *who)
        with pytest.raises(Refused, match=r"two thirds of the witnesses' weight cosign first.*final 0"):
            run(*asked)
    assert not place.exists()
    size = cosign(folder, BOB)
    done = json.loads(run(*asked))
    assert done["pruned"]
    assert done["leaves"] < size


def test_cosignatures_that_were_made_up_make_nothing_final(folder: Path, run: Callable[..., str]) -> None:
    lived(folder, CARDS)
    cosign(folder, ANNE)
    with sqlite3.connect(folder / "notes.sqlite") as db:
        db.execute("UPDATE cosignature SET weight = 3")
    db.close()
    with pytest.raises(Corrupt, match="1 of 3 stand behind"):
        run("archive", folder, "2026-06-01", "--to", folder.parent / "archive")
    assert not (folder.parent / "archive").exists()


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

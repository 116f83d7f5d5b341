"""Every stored leaf is hashed again, by a command that names what is wrong."""

import json
import sqlite3
from pathlib import Path

import pytest
from test_cli_erase import command, erase, found

from commonwatt.apps.wiring import open_log
from commonwatt.ledger.merkle import leaf_hash

pytestmark = pytest.mark.row("M5")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return found(tmp_path / "town")


def check(folder: Path) -> dict[str, object]:
    found = json.loads(command("check", folder, "--json").output)
    assert isinstance(found, dict)
    return found


def spoil(folder: Path, statement: str, *values: object) -> None:
    with sqlite3.connect(folder / "log.sqlite") as db:
        db.execute(statement, values)
    db.close()


def test_a_whole_log_is_hashed_again_leaf_by_leaf(folder: Path) -> None:
    with open_log(folder) as log:
        size = log.size
    found = check(folder)
    assert (found["leaves"], found["hashed"], found["erased"], found["checkpoints"]) == (size, size, 0, 6)
    assert f"{size} of {size} leaves; 6 checkpoints agree" in command("check", folder).output


@pytest.mark.parametrize("position", [0, 12, 40])
def test_a_leaf_that_was_changed_is_named(position: int, folder: Path) -> None:
    spoil(folder, "UPDATE leaf SET stamped_s = stamped_s + 1 WHERE position = ?", position)
    said = command("check", folder)
    assert (said.exit_code, f"leaf {position} has another hash" in said.output) == (1, True)


def test_a_leaf_and_its_hash_that_were_changed_together_contradict_the_next_checkpoint(folder: Path) -> None:
    spoil(folder, "UPDATE leaf SET stamped_s = stamped_s + 1 WHERE position = 12")
    with open_log(folder) as log:
        row, hashes = next(log.rows(12)), bytearray(log.tile(0, 0))
    hashes[12 * 32 : 13 * 32] = leaf_hash(row.data())
    spoil(folder, "UPDATE tile SET hashes = ? WHERE level = 0 AND place = 0", bytes(hashes))
    said = command("check", folder)
    assert (said.exit_code, "is a checkpoint over other leaves" in said.output) == (1, True)


def test_what_was_erased_or_pruned_is_no_damage(folder: Path) -> None:
    gone = erase(folder)["leaves"]
    found = check(folder)
    assert (found["erased"], found["hashed"]) == (gone, int(str(found["leaves"])) - int(str(gone)))
    with open_log(folder) as log:
        assert next(log.snapshots())[0] > 20
    spoil(folder, "DELETE FROM leaf WHERE position < 20")
    spoil(folder, "UPDATE writer SET pruned_to = 20")
    assert check(folder)["pruned"] == 20
    assert "hashes alone  20 pruned" in command("check", folder).output
    spoil(folder, "DELETE FROM leaf WHERE position = 33")
    assert "leaf 33 is missing" in command("check", folder).output

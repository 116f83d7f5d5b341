import os
import sqlite3
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import Corrupt, InvalidValue, Outcome, Refused

ROUNDS = 300 if os.environ.get("COMMONWATT_NIGHTLY") else 15
ROUNDS_PER_LOG = 15


def leaf(position: int, body: bytes = b"{}", outcome: Outcome = Outcome.BOOKED) -> LeafRow:
    return LeafRow(position=position, stamped_s=1_700_000_100, salt=b"s" * 32, body=body, outcome=outcome)


def leaves(start: int, end: int) -> list[LeafRow]:
    return [leaf(position, b"%d" % position) for position in range(start, end)]


def spoil(path: Path, statement: str) -> None:
    db = sqlite3.connect(path)
    db.execute(statement)
    db.commit()
    db.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.sqlite"


def test_what_was_appended_is_there_when_opened_again(path: Path) -> None:
    rows = [leaf(0, bytes(range(256))), leaf(1, b"", Outcome.NOT_BACKED), leaf(2)]
    with SqliteLog(path) as log:
        log.append(rows[:2], {"batch": "1", "slot": "7"})
        log.append(rows[2:], {"batch": "2"})
    with SqliteLog(path) as log:
        assert list(log.rows()) == rows
        assert list(log.rows(2)) == rows[2:]
        assert list(log.rows(3)) == []
        assert log.marks() == {"batch": "2", "slot": "7"}
        assert log.size == 3


@given(st.lists(st.integers(0, 5), max_size=8))
def test_any_batches_make_one_log_without_gaps(tmp_path_factory: pytest.TempPathFactory, counts: list[int]) -> None:
    with SqliteLog(tmp_path_factory.mktemp("log") / "log.sqlite") as log:
        for count in counts:
            log.append(leaves(log.size, log.size + count), {"size": str(log.size + count)})
        assert list(log.rows()) == leaves(0, sum(counts))
        assert log.marks().get("size", "0") == str(log.size) == str(sum(counts))


def test_a_long_log_is_read_in_pages_and_to_its_end_as_it_grows(path: Path) -> None:
    with SqliteLog(path) as log:
        log.append(leaves(0, 2_500), {})
        reading = log.rows()
        first = next(reading)
        log.append(leaves(2_500, 2_600), {})
        assert [first, *reading] == leaves(0, 2_600)


@pytest.mark.parametrize("positions", [[1], [0, 2], [0, 0], [0, 1, 3], [1, 0]])
def test_leaves_that_leave_a_gap_are_refused_all_or_nothing(path: Path, positions: list[int]) -> None:
    with SqliteLog(path) as log:
        with pytest.raises(Refused, match="leaves continue without gap"):
            log.append([leaf(position) for position in positions], {"batch": "1"})
        assert (log.size, log.marks()) == (0, {})
        log.append(leaves(0, 1), {"batch": "1"})
        assert (log.size, log.marks()) == (1, {"batch": "1"})


def test_an_old_writer_that_wakes_up_cannot_write(path: Path) -> None:
    with SqliteLog(path) as old:
        old.append(leaves(0, 1), {"by": "old"})
        with SqliteLog(path) as new:
            with pytest.raises(Refused, match="another writer has taken over") as refusal:
                old.append(leaves(1, 2), {"by": "old"})
            assert (refusal.value.found["own_epoch"], refusal.value.found["found_epoch"]) == (1, 2)
            new.append(leaves(1, 3), {"by": "new"})
            with pytest.raises(Refused, match="another writer has taken over"):
                old.append(leaves(3, 4), {})
        assert list(old.rows()) == leaves(0, 3)
        assert old.marks() == {"by": "new"}


def test_every_opening_for_writing_takes_the_next_epoch_and_readers_take_none(path: Path) -> None:
    for epoch in (1, 2, 3):
        with SqliteLog(path) as log:
            assert log.epoch == epoch
        with SqliteLog.open_readonly(path) as log:
            assert log.epoch == 0


def test_a_reader_follows_the_writer_and_cannot_write(path: Path) -> None:
    with SqliteLog(path) as writer, SqliteLog.open_readonly(path) as reader:
        writer.append(leaves(0, 3), {"batch": "1"})
        assert list(reader.rows()) == leaves(0, 3)
        assert reader.marks() == {"batch": "1"}
        with pytest.raises(Refused, match="opened for reading"):
            reader.append(leaves(3, 4), {})
        writer.append(leaves(3, 4), {})
        assert reader.size == 4


def test_a_log_that_is_not_there_is_not_made_by_reading(path: Path) -> None:
    with pytest.raises(Refused, match="there is no log"):
        SqliteLog.open_readonly(path)
    assert not path.exists()


@pytest.mark.parametrize("missing", [0, 1, 1_000, 1_400])
def test_a_missing_leaf_is_named(path: Path, missing: int) -> None:
    with SqliteLog(path) as log:
        log.append(leaves(0, 1_500), {})
    spoil(path, f"DELETE FROM leaf WHERE position = {missing}")
    with SqliteLog.open_readonly(path) as log, pytest.raises(Corrupt, match=f"leaf {missing} is missing"):
        list(log.rows())


@pytest.mark.parametrize(
    "change", ["outcome = 'PERHAPS'", "outcome = 'BAD_SIGNATURE'", "salt = x'00'", "position = -3"]
)
def test_an_impossible_leaf_is_named(path: Path, change: str) -> None:
    with SqliteLog(path) as log:
        log.append(leaves(0, 3), {})
    spoil(path, f"UPDATE leaf SET {change} WHERE position = 1")
    with SqliteLog.open_readonly(path) as log, pytest.raises(Corrupt, match="leaf 1 "):
        list(log.rows())


def test_what_is_no_log_is_refused(path: Path) -> None:
    path.write_bytes(b"no database, only a letter to my aunt; " * 100)
    for opening in (SqliteLog, SqliteLog.open_readonly):
        with pytest.raises(Corrupt, match="no whole SQLite file"):
            opening(path)


def test_a_log_of_another_format_is_refused(path: Path) -> None:
    SqliteLog(path).close()
    spoil(path, "PRAGMA user_version = 2")
    for opening in (SqliteLog, SqliteLog.open_readonly):
        with pytest.raises(Refused, match="known 1, found 2"):
            opening(path)


def test_damaged_pages_are_corrupt_and_never_wrong_leaves(path: Path) -> None:
    with SqliteLog(path) as log:
        log.append([leaf(position, b"x" * 2_000) for position in range(50)], {})
    content = bytearray(path.read_bytes())
    content[4 * 4096 :] = bytes(len(content) - 4 * 4096)
    path.write_bytes(content)
    with SqliteLog.open_readonly(path) as log, pytest.raises(Corrupt):
        list(log.rows())


def test_the_files_of_a_log_are_for_their_owner_alone(path: Path) -> None:
    path.touch(0o644)
    with SqliteLog(path) as log:
        log.append(leaves(0, 1), {})
        files = list(path.parent.iterdir())
        assert len(files) == 3
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_every_commit_reaches_the_disk_before_it_returns(path: Path) -> None:
    with SqliteLog(path) as log:
        assert log._db.execute("PRAGMA synchronous").fetchone() == (3,)
        assert log._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_path_with_odd_letters_is_a_path(tmp_path: Path) -> None:
    path = tmp_path / "Straße? 100% #1.sqlite"
    with SqliteLog(path) as log:
        log.append(leaves(0, 1), {})
    assert list(tmp_path.iterdir()) == [path]
    with SqliteLog.open_readonly(path) as log:
        assert log.size == 1


@pytest.mark.parametrize("wrong", [{"position": -1}, {"salt": b"s"}, {"outcome": Outcome.SEEN_BEFORE}])
def test_a_wrong_leaf_is_never_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        replace(leaf(0), **wrong)


def test_a_disk_that_fails_closes_the_log_and_keeps_what_was_answered(path: Path) -> None:
    log = SqliteLog(path)
    log.append(leaves(0, 5), {"batch": "1"})
    pages = log._db.execute("PRAGMA page_count").fetchone()[0]
    log._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        log.append([leaf(5, bytes(100_000))], {"batch": "2"})
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        log.append(leaves(5, 6), {"batch": "2"})
    with SqliteLog(path) as log:
        assert list(log.rows()) == leaves(0, 5)
        assert log.marks() == {"batch": "1"}


def test_a_kill_at_any_moment_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    # A kill leaves the page cache alone: this shows atomic batches and recovery, not what a power cut does.
    chance = Random(20_260_423)
    answered = 0
    for number in range(ROUNDS):
        path = tmp_path / f"{number // ROUNDS_PER_LOG}.sqlite"
        answered = answered if path.exists() else 0
        after, pause_s = chance.randint(0, 60), chance.uniform(0, 0.004)
        answered = run_and_kill(path, number, after=after, pause_s=pause_s, so_far=answered)
        check_whole(path, answered)


def test_a_kill_while_a_log_is_first_opened_leaves_one_that_opens(tmp_path: Path) -> None:
    chance = Random(7)
    for number in range(ROUNDS // 3):
        path = tmp_path / f"{number}.sqlite"
        answered = run_and_kill(path, number, after=0, pause_s=chance.uniform(0, 0.012), so_far=0)
        SqliteLog(path).close()
        check_whole(path, answered)


def run_and_kill(path: Path, seed: int, *, after: int, pause_s: float, so_far: int) -> int:
    """Let a child append, kill it some answers and a moment later, and return the last batch that it answered for."""
    child = Path(__file__).with_name("appender.py")
    with subprocess.Popen([sys.executable, child, path, str(seed)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "opening\n"
        heard = [process.stdout.readline() for _ in range(after)]
        time.sleep(pause_s)
        process.kill()
        heard += process.stdout.readlines()
    assert process.returncode == -9
    batches = [int(line) for line in heard]
    return batches[-1] if batches else so_far


def check_whole(path: Path, answered: int) -> None:
    """Check that every batch stands there whole and in order, the answered ones among them, and the marks with them."""
    with SqliteLog.open_readonly(path) as log:
        told = [tuple(map(int, row.body.split(b":")[:3])) for row in log.rows()]
        marks = log.marks()
    batches = sorted({batch: count for batch, _, count in told}.items())
    assert told == [(batch, place, count) for batch, count in batches for place in range(count)]
    assert [batch for batch, _ in batches] == list(range(1, len(batches) + 1))
    assert len(batches) >= answered
    assert marks == ({"batch": str(len(batches)), "size": str(len(told))} if told else {})

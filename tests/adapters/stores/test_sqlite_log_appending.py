"""What is appended to a log in SQLite, by one writer at a time, is there whole for whoever opens it."""

import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlite_leaves import MASTER, leaf, leaves

from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.model import InvalidValue, Outcome, Refused


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.sqlite"


def test_what_was_appended_is_there_when_opened_again(path: Path) -> None:
    rows = [
        leaf(0, bytes(range(256)), items=bytes(range(48)), personal=b"warm"),
        leaf(1, b"", Outcome.NOT_BACKED, owner="ben"),
        leaf(2),
    ]
    with SqliteLog(path, MASTER) as log:
        log.append(rows[:2], {"batch": "1", "slot": "7"})
        log.append(rows[2:], {"batch": "2"})
    with SqliteLog(path, MASTER) as log:
        assert list(log.rows()) == rows
        assert list(log.rows(2)) == rows[2:]
        assert list(log.rows(3)) == []
        assert log.marks() == {"batch": "2", "slot": "7"}
        assert log.size == 3


@given(st.lists(st.integers(0, 5), max_size=8))
def test_any_batches_make_one_log_without_gaps(tmp_path_factory: pytest.TempPathFactory, counts: list[int]) -> None:
    with SqliteLog(tmp_path_factory.mktemp("log") / "log.sqlite", MASTER) as log:
        for count in counts:
            log.append(leaves(log.size, log.size + count), {"size": str(log.size + count)})
        assert list(log.rows()) == leaves(0, sum(counts))
        assert log.marks().get("size", "0") == str(log.size) == str(sum(counts))


def test_a_long_log_is_read_in_pages_and_to_its_end_as_it_grows(path: Path) -> None:
    with SqliteLog(path, MASTER) as log:
        log.append(leaves(0, 2_500), {})
        reading = log.rows()
        first = next(reading)
        log.append(leaves(2_500, 2_600), {})
        assert [first, *reading] == leaves(0, 2_600)


@pytest.mark.parametrize("positions", [[1], [0, 2], [0, 0], [0, 1, 3], [1, 0]])
def test_leaves_that_leave_a_gap_are_refused_all_or_nothing(path: Path, positions: list[int]) -> None:
    with SqliteLog(path, MASTER) as log:
        with pytest.raises(Refused, match="leaves continue without gap"):
            log.append([leaf(position) for position in positions], {"batch": "1"})
        assert (log.size, log.marks()) == (0, {})
        log.append(leaves(0, 1), {"batch": "1"})
        assert (log.size, log.marks()) == (1, {"batch": "1"})


def test_an_old_writer_that_wakes_up_cannot_write(path: Path) -> None:
    with SqliteLog(path, MASTER) as old:
        old.append(leaves(0, 1), {"by": "old"})
        with SqliteLog(path, MASTER) as new:
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
        with SqliteLog(path, MASTER) as log:
            assert log.epoch == epoch
        with SqliteLog.open_readonly(path, MASTER) as log:
            assert log.epoch == 0


def test_a_reader_follows_the_writer_and_cannot_write(path: Path) -> None:
    with SqliteLog(path, MASTER) as writer, SqliteLog.open_readonly(path, MASTER) as reader:
        writer.append(leaves(0, 3), {"batch": "1"})
        assert list(reader.rows()) == leaves(0, 3)
        assert reader.marks() == {"batch": "1"}
        with pytest.raises(Refused, match="opened for reading"):
            reader.append(leaves(3, 4), {})
        writer.append(leaves(3, 4), {})
        assert reader.size == 4


def test_a_log_that_is_not_there_is_not_made_by_reading(path: Path) -> None:
    with pytest.raises(Refused, match="there is no log"):
        SqliteLog.open_readonly(path, MASTER)
    assert not path.exists()


def test_the_files_of_a_log_are_for_their_owner_alone(path: Path) -> None:
    path.touch(0o644)
    with SqliteLog(path, MASTER) as log:
        log.append(leaves(0, 1), {})
        files = list(path.parent.iterdir())
        assert len(files) == 3
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_every_commit_reaches_the_disk_before_it_returns(path: Path) -> None:
    with SqliteLog(path, MASTER) as log:
        assert log._db.execute("PRAGMA synchronous").fetchone() == (3,)
        assert log._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_path_with_odd_letters_is_a_path(tmp_path: Path) -> None:
    path = tmp_path / "Straße? 100% #1.sqlite"
    with SqliteLog(path, MASTER) as log:
        log.append(leaves(0, 1), {})
    assert list(tmp_path.iterdir()) == [path]
    with SqliteLog.open_readonly(path, MASTER) as log:
        assert log.size == 1


@pytest.mark.parametrize("wrong", [{"position": -1}, {"salt": b"s"}, {"outcome": Outcome.SEEN_BEFORE}])
def test_a_wrong_leaf_is_never_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        replace(leaf(0), **wrong)

import os
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import Corrupt, InvalidValue, Outcome, Refused

MASTER = MasterKey(bytes(32))
ROUNDS = 300 if os.environ.get("COMMONWATT_NIGHTLY") else 15
ROUNDS_PER_LOG = 15


def leaf(
    position: int, body: bytes = b"{}", outcome: Outcome = Outcome.BOOKED, owner: str = "anna", **more: bytes
) -> LeafRow:
    return LeafRow(
        position=position,
        stamped_s=1_700_000_100,
        salt=b"s" * 32,
        body=body,
        outcome=outcome,
        author="0xa",
        seq=position + 1,
        owner=owner,
        closes=position % 2 == 0,
        **more,
    )


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


@pytest.mark.parametrize("missing", [0, 1, 1_000, 1_400])
def test_a_missing_leaf_is_named(path: Path, missing: int) -> None:
    with SqliteLog(path, MASTER) as log:
        log.append(leaves(0, 1_500), {})
    spoil(path, f"DELETE FROM leaf WHERE position = {missing}")
    with SqliteLog.open_readonly(path, MASTER) as log, pytest.raises(Corrupt, match=f"leaf {missing} is missing"):
        list(log.rows())


@pytest.mark.parametrize(
    "change",
    [
        "outcome = 'PERHAPS'",
        "outcome = 'BAD_SIGNATURE'",
        "sealed = x'00'",
        "sealed = x''",
        "sealed = (SELECT sealed FROM leaf WHERE position = 2)",
        "sealed = substr(sealed, 1, 60)",
        "position = -3",
    ],
)
def test_an_impossible_leaf_is_named(path: Path, change: str) -> None:
    with SqliteLog(path, MASTER) as log:
        log.append(leaves(0, 3), {})
    spoil(path, f"UPDATE leaf SET {change} WHERE position = 1")
    with SqliteLog.open_readonly(path, MASTER) as log, pytest.raises(Corrupt, match="leaf 1 "):
        list(log.rows())


def test_what_is_no_log_is_refused(path: Path) -> None:
    path.write_bytes(b"no database, only a letter to my aunt; " * 100)
    for opening in (SqliteLog, SqliteLog.open_readonly):
        with pytest.raises(Corrupt, match="no whole SQLite file"):
            opening(path, MASTER)


def test_a_log_of_another_format_is_refused(path: Path) -> None:
    SqliteLog(path, MASTER).close()
    spoil(path, "PRAGMA user_version = 1")
    for opening in (SqliteLog, SqliteLog.open_readonly):
        with pytest.raises(Refused, match="known 2, found 1"):
            opening(path, MASTER)


def test_damaged_pages_are_corrupt_and_never_wrong_leaves(path: Path) -> None:
    with SqliteLog(path, MASTER) as log:
        log.append([leaf(position, b"x" * 2_000) for position in range(50)], {})
    content = bytearray(path.read_bytes())
    content[4 * 4096 :] = bytes(len(content) - 4 * 4096)
    path.write_bytes(content)
    with SqliteLog.open_readonly(path, MASTER) as log, pytest.raises(Corrupt):
        list(log.rows())


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


def test_a_disk_that_fails_closes_the_log_and_keeps_what_was_answered(path: Path) -> None:
    log = SqliteLog(path, MASTER)
    log.append(leaves(0, 5), {"batch": "1"})
    pages = log._db.execute("PRAGMA page_count").fetchone()[0]
    log._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        log.append([leaf(5, bytes(100_000))], {"batch": "2"})
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        log.append(leaves(5, 6), {"batch": "2"})
    with SqliteLog(path, MASTER) as log:
        assert list(log.rows()) == leaves(0, 5)
        assert log.marks() == {"batch": "1"}


def test_what_fails_half_way_closes_the_log_and_the_next_one_goes_on(path: Path) -> None:
    log = SqliteLog(path, MASTER)
    log.append(leaves(0, 1), {})
    # Its author and owner are new: were they remembered though nothing was stored, the next leaf would be lost.
    with pytest.raises(OverflowError):
        log.append([replace(leaf(1, owner="cleo"), author="0xb", stamped_s=2**70)], {})
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        log.append(leaves(1, 2), {})
    again = replace(leaf(1, owner="cleo"), author="0xb")
    with SqliteLog(path, MASTER) as log:
        log.append([again], {})
    with SqliteLog(path, MASTER) as log:
        assert list(log.rows()) == [*leaves(0, 1), again]


def test_nothing_of_a_leaf_but_who_and_when_rests_in_the_open(path: Path) -> None:
    secret = b"nobody reads this without the master key"
    with SqliteLog(path, MASTER) as log:
        log.append([leaf(0, secret, items=secret, personal=secret)], {})
        log.save_snapshot(1, secret)
    assert all(secret[:8] not in file.read_bytes() for file in path.parent.iterdir())
    with pytest.raises(Corrupt, match="master key"):
        SqliteLog.open_readonly(path, MasterKey(bytes(31) + b"1"))


def test_an_erased_owner_is_gone_and_everybody_else_stays(path: Path) -> None:
    rows = [leaf(0), leaf(1, owner="ben", personal=b"warm"), leaf(2)]
    with SqliteLog(path, MASTER) as log:
        log.append(rows, {}, {(0, 0): b"t" * 96})
        with pytest.raises(Refused, match="a snapshot covers what is erased"):
            log.erase("ben")
        log.save_snapshot(3, b"state")
        log.erase("ben")
    for opening in (SqliteLog, SqliteLog.open_readonly):
        with opening(path, MASTER) as log:
            with pytest.raises(Corrupt, match="leaf 1 cannot be read, its owner's key was erased"):
                list(log.rows())
            assert list(log.rows(2)) == rows[2:]
            assert log.answered("0xa", 2) is None, "a repeat of what was erased must not stop the log"
            assert log.answered("0xa", 3) == rows[2]
            assert log.tile(0, 0) == b"t" * 96
            assert list(log.snapshots()) == [(3, b"state")]
            assert log.size == 3


def test_an_erased_owner_who_comes_back_gets_another_key(path: Path) -> None:
    with SqliteLog(path, MASTER) as log:
        log.append([leaf(0, owner="ben")], {})
        (old,) = log._db.execute("SELECT wrapped FROM party WHERE name = 'ben'").fetchone()
        log.save_snapshot(1, b"")
        log.erase("ben")
        log.append([leaf(1, owner="ben")], {})
    with SqliteLog(path, MASTER) as log:
        assert list(log.rows(1)) == [leaf(1, owner="ben")]
        assert log._db.execute("SELECT wrapped FROM party WHERE name = 'ben'").fetchone() != (old,)
        with pytest.raises(Corrupt, match="leaf 0"):
            list(log.rows())


def test_what_was_erased_is_in_no_file_any_more(path: Path) -> None:
    with SqliteLog(path, MASTER) as log:
        log.append([leaf(0, b"x" * 500, owner="ben")], {})
        (sealed,) = log._db.execute("SELECT sealed FROM leaf").fetchone()
        (wrapped,) = log._db.execute("SELECT wrapped FROM party WHERE name = 'ben'").fetchone()
        log.save_snapshot(1, b"")
        log.erase("ben")
        # While the log is open still: a write-ahead log that was left would show both.
        files = [file.read_bytes() for file in path.parent.iterdir()]
    assert all(sealed[12:60] not in content and wrapped not in content for content in files)


def test_a_pruned_log_goes_on_where_it_was(path: Path) -> None:
    with SqliteLog(path, MASTER) as log:
        log.append(leaves(0, 10), {}, {(0, 0): b"t" * 320})
        with pytest.raises(Refused, match="a snapshot covers what is pruned"):
            log.prune(5)
        log.save_snapshot(10, b"state")
        with pytest.raises(Refused, match="a snapshot covers what is pruned"):
            log.prune(11)
        log.prune(5)
        log.prune(3)
        assert (log.size, log.pruned_to) == (10, 5)
        with pytest.raises(Refused, match="pruned, the archive has them"):
            list(log.rows(4))
        assert list(log.rows(5)) == leaves(5, 10)
        assert log.answered("0xa", 5) is None
        log.prune(10)
    with SqliteLog(path, MASTER) as log:
        assert (log.size, list(log.rows(10)), log.tile(0, 0)) == (10, [], b"t" * 320)
        log.append(leaves(10, 12), {})
        assert list(log.rows(10)) == leaves(10, 12)


def test_the_last_two_snapshots_are_kept_and_the_latest_comes_first(path: Path) -> None:
    with SqliteLog(path, MASTER) as log:
        log.append(leaves(0, 9), {})
        for size in (0, 4, 9, 7):
            log.save_snapshot(size, b"after %d" % size)
        assert list(log.snapshots()) == [(9, b"after 9"), (7, b"after 7")]
        log.save_snapshot(9, b"again")
        with pytest.raises(Refused, match="of leaves that are there"):
            log.save_snapshot(10, b"")
    with SqliteLog.open_readonly(path, MASTER) as log:
        assert list(log.snapshots()) == [(9, b"again"), (7, b"after 7")]
        with pytest.raises(Refused, match="opened for reading"):
            log.save_snapshot(9, b"")
    spoil(path, "UPDATE snapshot SET size = 8 WHERE size = 7")
    with SqliteLog.open_readonly(path, MASTER) as log, pytest.raises(Corrupt):
        list(log.snapshots())


def test_an_old_writer_neither_erases_nor_prunes_nor_saves(path: Path) -> None:
    with SqliteLog(path, MASTER) as old:
        old.append(leaves(0, 2), {})
        with SqliteLog(path, MASTER) as new:
            new.save_snapshot(2, b"new")
            for act in (lambda: old.erase("anna"), lambda: old.prune(1), lambda: old.save_snapshot(1, b"old")):
                with pytest.raises(Refused, match="another writer has taken over"):
                    act()
            assert list(new.rows()) == leaves(0, 2)
            assert list(new.snapshots()) == [(2, b"new")]


def test_any_damaged_byte_is_told_or_changes_nothing_that_is_read(path: Path) -> None:
    rows = [leaf(n, b"%d" % n * 40, owner=f"member-{n % 3}") for n in range(30)]
    with SqliteLog(path, MASTER) as log:
        log.append(rows, {})
    content, chance = path.read_bytes(), Random(5)
    told = 0
    for _ in range(400):
        at = chance.randrange(100, len(content))
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << chance.randrange(8)]) + content[at + 1 :])
        try:
            with SqliteLog.open_readonly(path, MASTER) as log:
                found = list(log.rows())
        except (Corrupt, Refused, sqlite3.DatabaseError):
            told += 1
            continue
        # Names, times and numbers rest in the open: a replay holds them against what was signed.
        plain = [(row.position, row.body, row.salt, row.items) for row in rows]
        assert [(row.position, row.body, row.salt, row.items) for row in found] == plain[: len(found)]
    assert told > 20


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
        SqliteLog(path, MASTER).close()
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
    with SqliteLog.open_readonly(path, MASTER) as log:
        told = [tuple(map(int, row.body.split(b":")[:3])) for row in log.rows()]
        marks = log.marks()
    batches = sorted({batch: count for batch, _, count in told}.items())
    assert told == [(batch, place, count) for batch, count in batches for place in range(count)]
    assert [batch for batch, _ in batches] == list(range(1, len(batches) + 1))
    assert len(batches) >= answered
    assert marks == ({"batch": str(len(batches)), "size": str(len(told))} if told else {})

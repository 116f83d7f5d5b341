"""What a log in SQLite says when it is damaged, its disk fails or its writer is killed."""

import os
import sqlite3
from pathlib import Path
from random import Random

import pytest
from killing import appending, check_whole, run_and_kill
from msgspec.structs import replace
from sqlite_leaves import MASTER, leaf, leaves, spoil

from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.model import Corrupt, Refused

ROUNDS, MOST_ANSWERS = (300, 60) if os.environ.get("COMMONWATT_NIGHTLY") else (15, 15)
ROUNDS_PER_LOG = 15


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.sqlite"


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
    with appending() as process:
        for number in range(ROUNDS):
            path = tmp_path / f"{number // ROUNDS_PER_LOG}.sqlite"
            answered = answered if path.exists() else 0
            after, pause_s = chance.randint(0, MOST_ANSWERS), chance.uniform(0, 0.004)
            found = run_and_kill(process, path, "", number, after, pause_s)
            answered = answered if found is None else found
            with SqliteLog.open_readonly(path, MASTER) as log:
                check_whole(log, answered)


def test_a_kill_while_a_log_is_first_opened_leaves_one_that_opens(tmp_path: Path) -> None:
    chance = Random(7)
    with appending() as process:
        for number in range(ROUNDS // 3):
            path = tmp_path / f"{number}.sqlite"
            answered = run_and_kill(process, path, "", number, 0, chance.uniform(0, 0.012))
            with SqliteLog(path, MASTER) as log:
                check_whole(log, answered or 0)

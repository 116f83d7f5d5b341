"""What a log in SQLite seals, erases and prunes, and the snapshots that cover what is gone."""

from pathlib import Path

import pytest
from sqlite_leaves import MASTER, leaf, leaves, spoil

from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.model import Corrupt, Refused


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.sqlite"


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

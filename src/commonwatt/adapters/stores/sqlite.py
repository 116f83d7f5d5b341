"""Keep a community's log in one SQLite file: one writer at a time, and answered means durable."""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Self

from commonwatt.adapters.stores.keyfile import sync_folder
from commonwatt.adapters.stores.sealed import SNAPSHOT, Columns, Sealer, Stored, in_order, refuse_gap
from commonwatt.adapters.stores.vault import Wrapping
from commonwatt.flows.ports import NO_TILES
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import Corrupt, Refused

_FORMAT = 2
_PAGE = 1_000
_ROWS = 256
CHECKPOINT_PAGES = 16_384
"""Pages of the write-ahead log, 64 MiB, after which it goes back into the file."""
_SCHEMA = (
    # Whoever signs or owns: the key under which an owner's leaves rest, wrapped, until it is erased.
    "CREATE TABLE party (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, wrapped BLOB) STRICT",
    "CREATE TABLE leaf (position INTEGER PRIMARY KEY, stamped_s INTEGER NOT NULL, outcome TEXT NOT NULL,"
    " closes INTEGER NOT NULL, author INTEGER NOT NULL, seq INTEGER NOT NULL, owner INTEGER NOT NULL,"
    " sealed BLOB NOT NULL) STRICT",
    "CREATE TABLE personal (position INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT",
    "CREATE UNIQUE INDEX leaf_by_author ON leaf (author, seq)",
    "CREATE TABLE tile (level INTEGER NOT NULL, place INTEGER NOT NULL, hashes BLOB NOT NULL,"
    " PRIMARY KEY (level, place)) STRICT, WITHOUT ROWID",
    "CREATE TABLE snapshot (size INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT",
    "CREATE TABLE mark (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
    "CREATE TABLE writer (epoch INTEGER NOT NULL, pruned_to INTEGER NOT NULL) STRICT",
    "INSERT INTO writer VALUES (0, 0)",
    f"PRAGMA user_version = {_FORMAT}",
)
_LEAF = (
    "SELECT leaf.position, stamped_s, outcome, closes, author, seq, owner, leaf.sealed, personal.sealed"
    " FROM leaf LEFT JOIN personal ON personal.position = leaf.position "
)
_PARTY = "(SELECT id FROM party WHERE name = ?)"


class SqliteLog:
    """A log that is open for writing, or by `open_readonly` for reading beside its writer.

    Opening for writing takes the next fencing epoch, and every append checks that this epoch still stands:
    an old writer that wakes up cannot write. What `append` has returned from survives a kill, and a power cut as
    far as the disk keeps what it says it has written: WAL with ``synchronous=EXTRA``, one fsync per batch.
    Requests rest encrypted under the key of the account that they are for; the tree's hashes rest in the open.

    Args:
        path: The file; made with mode 0600 where it is missing. Its folder must be on a local disk.
        wrapping: The master key, which opens the owners' keys; it does not lie in this file.

    Raises:
        Refused: The file is of another format, or the disk cannot hold a write-ahead log.
        Corrupt: The file is no SQLite database or is damaged.
        sqlite3.OperationalError: Another writer held the file for more than 5 s.
        OSError: The file cannot be made, or is not ours to keep.
    """

    def __init__(self, path: Path, wrapping: Wrapping) -> None:
        self.path = path
        self._sealer = Sealer(path, wrapping, self._parties)
        self.epoch = 0
        """The fencing epoch, from 1; 0 for a reader."""
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        # Files of SQLite's own beside it, -wal and -shm, take its mode.
        path.chmod(0o600)
        # On every opening: a crash may have come between the making of the file and the fsync of its folder.
        sync_folder(path)
        self._db = self._connect("rw")
        with self._closing_on_error(), self._judging():
            # Before the journal mode: under FULL, the default, a power cut can bring back the journal
            # of this very switch, and undo the whole log with it.
            self._db.execute("PRAGMA synchronous = EXTRA")
            (mode,) = self._db.execute("PRAGMA journal_mode = WAL").fetchone()
            if mode != "wal":
                raise Refused("a log needs a disk that can hold a write-ahead log", path=path, found=mode)
            with self._transaction():
                if self._format() == 0:
                    for statement in _SCHEMA:
                        self._db.execute(statement)
                self._check_format()
                self._db.execute("UPDATE writer SET epoch = epoch + 1")
                self.epoch = self._number("SELECT epoch FROM writer")
            self._sealer.load()

    @classmethod
    def open_readonly(cls, path: Path, wrapping: Wrapping) -> Self:
        """Return a log that can be read, also while its writer appends, and refuses appends.

        Raises:
            Refused: There is no such file, or it is of another format.
            Corrupt: The file is no SQLite database or is damaged.
        """
        if not path.exists():
            raise Refused("there is no log", path=path)
        self = cls.__new__(cls)
        self.path, self.epoch, self._sealer = path, 0, Sealer(path, wrapping, self._parties)
        self._db = self._connect("ro")
        with self._closing_on_error(), self._judging():
            self._check_format()
            self._sealer.load()
        return self

    def append(
        self, rows: Sequence[LeafRow], marks: Mapping[str, str], tiles: Mapping[tuple[int, int], bytes] = NO_TILES
    ) -> None:
        """Add leaves at the end, set marks and put tiles, all or nothing, and return once they are durable.

        After an error of the disk the log is closed: open it again to learn what was kept.

        Args:
            rows: Leaves whose positions continue from `size` without gap; may be none.
            marks: Progress marks to set by name; others stay.
            tiles: Hashes of the log's tree by level and index, in place of shorter ones.

        Raises:
            Refused: Another writer has taken over, the positions do not continue, or this is a reader.
            Corrupt: The file is damaged.
            sqlite3.Error: The disk is full or failed, or another writer held the file for more than 5 s.
        """
        sealed = self._sealer.seal(rows)
        with self._writing():
            if rows:
                refuse_gap(self.path, self.size, rows)
                self._insert(self._sealer.columns(rows, sealed))
            self._db.executemany("INSERT OR REPLACE INTO mark VALUES (?, ?)", marks.items())
            self._db.executemany(
                "INSERT OR REPLACE INTO tile VALUES (?, ?, ?)",
                ((level, index, hashes) for (level, index), hashes in tiles.items()),
            )

    def rows(self, from_position: int = 0) -> Iterator[LeafRow]:
        """Yield the leaves in order, also those that are appended meanwhile.

        Raises:
            InvalidValue, Refused, Corrupt: See `commonwatt.adapters.stores.sealed.in_order`.
        """
        yield from in_order(self.path, from_position, self.pruned_to, self._page, self._sealer.leaves)

    def answered(self, author: str, seq: int) -> LeafRow | None:
        """Return the leaf of a key's request by its number, or None where there is none, or it was erased."""
        with self._judging():
            found = self._db.execute(
                _LEAF + "WHERE author = " + _PARTY + " AND seq = ? AND leaf.sealed <> x''", (author, seq)
            ).fetchone()
        return self._sealer.leaf(found) if found else None

    def tile(self, level: int, index: int) -> bytes:
        """Return the hashes of a tile as far as they were stored; empty where there is none."""
        with self._judging():
            found = self._db.execute("SELECT hashes FROM tile WHERE level = ? AND place = ?", (level, index)).fetchone()
        return bytes(found[0]) if found else b""

    def save_snapshot(self, size: int, content: bytes) -> None:
        """Keep the state after so many leaves, encrypted, beside the one before it; older ones go.

        Raises:
            Refused: The log has not come that far, another writer has taken over, or this is a reader.
        """
        with self._writing():
            if not 0 <= size <= self.size:
                raise Refused("a snapshot is of leaves that are there", path=self.path, size=self.size, found=size)
            columns, sealed = self._sealer.snapshot_columns(size, content)
            self._insert(columns)
            self._db.execute("INSERT OR REPLACE INTO snapshot VALUES (?, ?)", (size, sealed))
            self._db.execute(
                "DELETE FROM snapshot WHERE size NOT IN (SELECT size FROM snapshot ORDER BY size DESC LIMIT 2)"
            )

    def snapshots(self) -> Iterator[tuple[int, bytes]]:
        """Yield the snapshots that are kept, the latest first: after how many leaves, and the state."""
        with self._judging():
            found = self._db.execute("SELECT size, sealed FROM snapshot ORDER BY size DESC").fetchall()
        for size, sealed in found:
            yield size, self._sealer.open_snapshot(size, sealed)

    def erase(self, owner: str) -> int:
        """Delete an owner's key and all that rests under it; hashes stay, so every other proof still holds.

        What was written over is cleared on disk. Copies that others made are beyond reach.

        Returns:
            How many leaves were there until now.

        Raises:
            Refused: Another writer has taken over, this is a reader, nobody of that name owns anything, or no snapshot
                covers the owner's leaves.
        """
        with self._writing():
            party = self._sealer.number(owner)
            if party is None or owner == SNAPSHOT:
                raise Refused("an owner is one who has leaves", log=self.path, found=owner)
            last = self._number("SELECT coalesce(max(position), -1) FROM leaf WHERE owner = ?", party)
            covered = self._number("SELECT coalesce(max(size), 0) FROM snapshot")
            if last >= covered:
                raise Refused("a snapshot covers what is erased", owner=owner, last=last, covered=covered)
            self._db.execute(
                "DELETE FROM personal WHERE position IN (SELECT position FROM leaf WHERE owner = ?)", (party,)
            )
            gone = self._db.execute("UPDATE leaf SET sealed = x'' WHERE owner = ? AND sealed <> x''", (party,)).rowcount
            self._db.execute("UPDATE party SET wrapped = NULL WHERE id = ?", (party,))
            # From a state before the last of these leaves nobody can go on any more.
            self._db.execute("DELETE FROM snapshot WHERE size <= ?", (last,))
        self._sealer.forget(owner)
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone

    def prune(self, position: int) -> None:
        """Let go of the leaves before a position; tiles and snapshots stay.

        Raises:
            Refused: Another writer has taken over, this is a reader, or no snapshot covers what would go.
        """
        with self._writing():
            covered = self._number("SELECT coalesce(max(size), 0) FROM snapshot")
            if position > covered:
                raise Refused("a snapshot covers what is pruned", found=position, covered=covered)
            for table in ("leaf", "personal"):
                self._db.execute(f"DELETE FROM {table} WHERE position < ?", (position,))  # noqa: S608  fixed names
            self._db.execute("UPDATE writer SET pruned_to = max(pruned_to, ?)", (position,))

    @property
    def pruned_to(self) -> int:
        """The first position that was never pruned."""
        with self._judging():
            return self._number("SELECT pruned_to FROM writer")

    @property
    def whole_from(self) -> int:
        """The first position from which on every leaf can be read: before it some were pruned or erased."""
        with self._judging():
            return self._number(
                "SELECT max(pruned_to, (SELECT coalesce(max(position) + 1, 0) FROM leaf WHERE sealed = x''))"
                " FROM writer"
            )

    def marks(self) -> dict[str, str]:
        """Return all progress marks by name; they always belong to the last leaf that was appended."""
        with self._judging():
            return dict(self._db.execute("SELECT name, value FROM mark ORDER BY name").fetchall())

    @property
    def size(self) -> int:
        """Number of leaves, and so the position of the next one."""
        with self._judging():
            return self._number("SELECT max(coalesce((SELECT max(position) + 1 FROM leaf), 0), pruned_to) FROM writer")

    def close(self) -> None:
        """Close the file; closing twice is no error."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _connect(self, mode: str) -> sqlite3.Connection:
        # A sequencer appends from a thread of its own, and nobody else looks in meanwhile.
        db = sqlite3.connect(
            f"{self.path.resolve().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            timeout=5,
            check_same_thread=False,
        )
        # Text that is none any more comes as another text, which its leaf's own check finds and locates.
        db.text_factory = partial(str, encoding="utf-8", errors="replace")
        # The last two: room for the index by author, and fewer, longer returns of the write-ahead log into the file.
        settings = ("trusted_schema = OFF", "foreign_keys = ON", "secure_delete = ON", "cache_size = -65536")
        try:
            with self._judging():
                for setting in (*settings, f"wal_autocheckpoint = {CHECKPOINT_PAGES}"):
                    db.execute(f"PRAGMA {setting}")
        except BaseException:
            db.close()
            raise
        return db

    def _insert(self, columns: Columns) -> None:
        self._db.executemany("INSERT INTO party VALUES (?, ?, NULL)", columns.parties)
        self._db.executemany("UPDATE party SET wrapped = ?2 WHERE id = ?1", columns.keys)
        # Many at once: between two statements the interpreter is let go of and waited for.
        for at in range(0, len(columns.leaves), _ROWS):
            some = columns.leaves[at : at + _ROWS]
            places = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?)"] * len(some))
            self._db.execute(f"INSERT INTO leaf VALUES {places}", [*chain.from_iterable(some)])  # noqa: S608  only ?
        self._db.executemany("INSERT INTO personal VALUES (?, ?)", columns.personal)

    def _parties(self) -> Iterator[tuple[int, str, bytes | None]]:
        with self._judging():
            yield from self._db.execute("SELECT id, name, wrapped FROM party").fetchall()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Open a transaction in which this writer, and no later one, may write."""
        if self.epoch == 0:
            raise Refused("a log opened for reading takes no leaves", path=self.path)
        with self._judging(), self._transaction():
            epoch = self._number("SELECT epoch FROM writer")
            if epoch != self.epoch:
                raise Refused("another writer has taken over", path=self.path, own_epoch=self.epoch, found_epoch=epoch)
            yield

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException as error:
            # SQLite has rolled back by itself after some errors of the disk.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            # A failed fsync leaves open what the disk holds, and asking again would not tell: only recovery does.
            # Nor does memory know then which parties and keys are stored; a refusal comes before all that.
            if not isinstance(error, Refused):
                self.close()
            raise

    @contextmanager
    def _closing_on_error(self) -> Iterator[None]:
        try:
            yield
        except Exception:
            self.close()
            raise

    @contextmanager
    def _judging(self) -> Iterator[None]:
        """Turn SQLite's verdict on damaged bytes into ours; a busy, full or failing disk stays what it is."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            # Errors that Python's own module raises, of a closed file for one, carry no code.
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise Corrupt(f"{self.path} is no whole SQLite file: {error}") from error
            raise

    def _page(self, from_position: int) -> list[Stored]:
        with self._judging():
            return self._db.execute(
                _LEAF + "WHERE leaf.position >= ? ORDER BY leaf.position LIMIT ?", (from_position, _PAGE)
            ).fetchall()

    def _format(self) -> int:
        return self._number("PRAGMA user_version")

    def _check_format(self) -> None:
        if self._format() != _FORMAT:
            raise Refused("a log is of another format", path=self.path, known=_FORMAT, found=self._format())

    def _number(self, query: str, *values: object) -> int:
        found = self._db.execute(query, values).fetchone()
        if found is None or not isinstance(found[0], int):
            raise Corrupt(f"{self.path} tells no number where one stands: {query}")
        return found[0]


def in_use(path: Path) -> bool:
    """Tell whether anybody else has a log's file open, to read or to write."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=0)) as db:
        try:
            # Whoever has a write-ahead log open holds a lock that leaves no room for this one.
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                return True
            raise
    return False

"""Keep a community's log in one SQLite file: one writer at a time, and answered means durable."""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from commonwatt.adapters.stores.keyfile import sync_folder
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import Corrupt, InvalidValue, Outcome, Refused

_FORMAT = 1
_PAGE = 1_000
_SCHEMA = (
    "CREATE TABLE leaf (position INTEGER PRIMARY KEY, stamped_s INTEGER NOT NULL, salt BLOB NOT NULL,"
    " body BLOB NOT NULL, outcome TEXT NOT NULL) STRICT",
    "CREATE TABLE mark (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
    "CREATE TABLE writer (epoch INTEGER NOT NULL) STRICT",
    "INSERT INTO writer VALUES (0)",
    f"PRAGMA user_version = {_FORMAT}",
)


class SqliteLog:
    """A log that is open for writing, or by `open_readonly` for reading beside its writer.

    Opening for writing takes the next fencing epoch, and every append checks that this epoch still stands:
    an old writer that wakes up cannot write. What `append` has returned from survives a kill, and a power cut as
    far as the disk keeps what it says it has written: WAL with ``synchronous=EXTRA``, one fsync per batch.

    Args:
        path: The file; made with mode 0600 where it is missing. Its folder must be on a local disk.

    Raises:
        Refused: The file is of another format, or the disk cannot hold a write-ahead log.
        Corrupt: The file is no SQLite database or is damaged.
        sqlite3.OperationalError: Another writer held the file for more than 5 s.
        OSError: The file cannot be made, or is not ours to keep.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
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

    @classmethod
    def open_readonly(cls, path: Path) -> Self:
        """Return a log that can be read, also while its writer appends, and refuses appends.

        Raises:
            Refused: There is no such file, or it is of another format.
            Corrupt: The file is no SQLite database or is damaged.
        """
        if not path.exists():
            raise Refused("there is no log", path=path)
        self = cls.__new__(cls)
        self.path, self.epoch = path, 0
        self._db = self._connect("ro")
        with self._closing_on_error(), self._judging():
            self._check_format()
        return self

    def append(self, rows: Sequence[LeafRow], marks: Mapping[str, str]) -> None:
        """Add leaves at the end and set marks, all or nothing, and return once they are durable.

        After an error of the disk the log is closed: open it again to learn what was kept.

        Args:
            rows: Leaves whose positions continue from `size` without gap; may be none.
            marks: Progress marks to set by name; others stay.

        Raises:
            Refused: Another writer has taken over, the positions do not continue, or this is a reader.
            Corrupt: The file is damaged.
            sqlite3.Error: The disk is full or failed, or another writer held the file for more than 5 s.
        """
        if self.epoch == 0:
            raise Refused("a log opened for reading takes no leaves", path=self.path)
        with self._judging(), self._transaction():
            epoch = self._number("SELECT epoch FROM writer")
            if epoch != self.epoch:
                raise Refused("another writer has taken over", path=self.path, own_epoch=self.epoch, found_epoch=epoch)
            for position, row in enumerate(rows, start=self.size):
                if row.position != position:
                    raise Refused("leaves continue without gap", path=self.path, next=position, found=row.position)
            self._db.executemany(
                "INSERT INTO leaf VALUES (?, ?, ?, ?, ?)",
                [(row.position, row.stamped_s, row.salt, row.body, row.outcome.value) for row in rows],
            )
            self._db.executemany("INSERT OR REPLACE INTO mark VALUES (?, ?)", marks.items())

    def rows(self, from_position: int = 0) -> Iterator[LeafRow]:
        """Yield the leaves in order, also those that are appended meanwhile.

        Raises:
            InvalidValue: The first position is below zero.
            Corrupt: A position is missing or its leaf is impossible; the message names it. Leaves that are
                missing from the end only a checkpoint can tell.
        """
        if from_position < 0:
            raise InvalidValue(f"a position is zero or more, was {from_position}")
        expected = from_position
        # In pages, so that a slow reader holds no snapshot that the write-ahead log must be kept for.
        while page := self._page(expected):
            for position, stamped_s, salt, body, outcome in page:
                if position != expected:
                    raise Corrupt(f"leaf {expected} is missing in {self.path}, found {position} in its place")
                yield self._leaf(position, stamped_s, salt, body, outcome)
                expected += 1

    def marks(self) -> dict[str, str]:
        """Return all progress marks by name; they always belong to the last leaf that was appended."""
        with self._judging():
            return dict(self._db.execute("SELECT name, value FROM mark ORDER BY name").fetchall())

    @property
    def size(self) -> int:
        """Number of leaves, and so the position of the next one."""
        with self._judging():
            return self._number("SELECT coalesce(max(position) + 1, 0) FROM leaf")

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
        db = sqlite3.connect(f"{self.path.resolve().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=5)
        db.execute("PRAGMA trusted_schema = OFF")
        db.execute("PRAGMA foreign_keys = ON")
        return db

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
            if isinstance(error, sqlite3.Error):
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

    def _page(self, from_position: int) -> list[tuple[int, int, bytes, bytes, str]]:
        with self._judging():
            return self._db.execute(
                "SELECT position, stamped_s, salt, body, outcome FROM leaf WHERE position >= ?"
                " ORDER BY position LIMIT ?",
                (from_position, _PAGE),
            ).fetchall()

    def _leaf(self, position: int, stamped_s: int, salt: bytes, body: bytes, outcome: str) -> LeafRow:
        try:
            return LeafRow(position=position, stamped_s=stamped_s, salt=salt, body=body, outcome=Outcome(outcome))
        except ValueError as error:
            raise Corrupt(f"leaf {position} in {self.path} is impossible: {error}") from error

    def _format(self) -> int:
        return self._number("PRAGMA user_version")

    def _check_format(self) -> None:
        if self._format() != _FORMAT:
            raise Refused("a log is of another format", path=self.path, known=_FORMAT, found=self._format())

    def _number(self, query: str) -> int:
        (number,) = self._db.execute(query).fetchone()
        return int(number)

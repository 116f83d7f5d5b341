"""What a witness must never forget: what it has cosigned, and what it has been shown."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from commonwatt.adapters.stores.ledger_file import open_file
from commonwatt.flows.witness import Promise, Seen
from commonwatt.model import Refused

_SCHEMA = (
    "CREATE TABLE seen (size INTEGER PRIMARY KEY, slot_s INTEGER NOT NULL UNIQUE, note TEXT NOT NULL) STRICT",
    "CREATE TABLE promise (size INTEGER PRIMARY KEY, slot_s INTEGER NOT NULL UNIQUE, note TEXT NOT NULL,"
    " time_s INTEGER NOT NULL, line TEXT NOT NULL, typed TEXT NOT NULL) STRICT",
)


class MemoryFile:
    """Implements `commonwatt.flows.witness.Memory` in one SQLite file; what a call wrote survives a power cut.

    Two processes with one file are as safe as one: the file itself takes one checkpoint a size and slot, ever larger.

    Args:
        path: The file; made with mode 0600 where it is missing.

    Raises:
        Refused: The file is of another format.
        Corrupt: The file is no SQLite database or is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = open_file(path, _SCHEMA)

    def last(self) -> Promise | None:
        """Return the promise of the largest size, or None."""
        found = self._db.execute("SELECT * FROM promise ORDER BY size DESC LIMIT 1").fetchone()
        return None if found is None else Promise(*found)

    def promise(self, promise: Promise) -> None:
        """Remember what is about to be given out.

        Raises:
            Refused: Something was promised for that size or slot, or a larger one, already.
        """
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            last = self.last()
            if last is not None and (promise.size <= last.size or promise.slot_s <= last.slot_s):
                raise Refused(
                    "a witness goes on from what it cosigned last",
                    last=f"{last.size} leaves at {last.slot_s} s",
                    found=f"{promise.size} leaves at {promise.slot_s} s",
                )
            self._db.execute(
                "INSERT INTO promise VALUES (?, ?, ?, ?, ?, ?)",
                (promise.size, promise.slot_s, promise.note, promise.time_s, promise.line, promise.typed),
            )

    def seen(self, size: int, slot_s: int) -> list[Seen]:
        """Return the log's notes that were remembered for a size or a slot: none, one, or one each."""
        found = self._db.execute("SELECT * FROM seen WHERE size = ? OR slot_s = ?", (size, slot_s)).fetchall()
        return [Seen(*row) for row in found]

    def last_seen(self) -> Seen | None:
        """Return the note of the largest size that was remembered, or None."""
        found = self._db.execute("SELECT * FROM seen ORDER BY size DESC LIMIT 1").fetchone()
        return None if found is None else Seen(*found)

    def remember(self, notes: Sequence[Seen]) -> None:
        """Remember notes of the log; for a size or slot that has one already, the first stays."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", [(seen.size, seen.slot_s, seen.note) for seen in notes]
            )

    def close(self) -> None:
        """Close the file; closing twice is no error."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

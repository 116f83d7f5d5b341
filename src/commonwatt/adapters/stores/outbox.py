"""A gateway's memory and what it has signed, in one SQLite file: kept together or not at all."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from commonwatt.adapters.stores.ledger_file import open_file

MOST_BYTES = 1 << 30
"""Years of a home's readings without network; a small box's disk has other uses too."""
_SCHEMA = (
    "CREATE TABLE memory (only INTEGER PRIMARY KEY CHECK (only = 1), content BLOB NOT NULL) STRICT",
    "CREATE TABLE waiting (place INTEGER PRIMARY KEY AUTOINCREMENT, wire BLOB NOT NULL) STRICT",
    "CREATE TABLE aside (place INTEGER PRIMARY KEY, why TEXT NOT NULL, wire BLOB NOT NULL) STRICT",
)


class OutboxFile:
    """Implements `commonwatt.flows.gateway.ports.Outbox`; each call is one durable transaction.

    Args:
        path: The file; made with mode 0600 where it is missing.
        most_bytes: It grows no larger; from then on it is like a full disk, until something was answered.

    Raises:
        Refused: The file is of another format.
        Corrupt: The file is no SQLite database or is damaged.
    """

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        self._db = open_file(path, _SCHEMA)
        (page,) = self._db.execute("PRAGMA page_size").fetchone()
        self._db.execute(f"PRAGMA max_page_count = {most_bytes // page}")

    def memory(self) -> bytes | None:
        """Return what was kept last."""
        found = self._db.execute("SELECT content FROM memory").fetchone()
        return bytes(found[0]) if found else None

    def keep(self, memory: bytes, wires: Sequence[bytes]) -> None:
        """Put a memory in place of the one before, and signed requests behind those that wait.

        Raises:
            OSError: The disk is full or broken; nothing is kept.
        """
        with self._all_or_nothing():
            self._remember(memory)
            self._db.executemany("INSERT INTO waiting (wire) VALUES (?)", ((wire,) for wire in wires))

    def renew(self, memory: bytes, wires: Sequence[tuple[int, bytes]]) -> None:
        """Put a memory in place of the one before, and requests in place of those that wait under a place.

        Raises:
            OSError: The disk is full or broken; nothing is changed.
        """
        with self._all_or_nothing():
            self._remember(memory)
            self._db.executemany(
                "UPDATE waiting SET wire = ? WHERE place = ?", ((wire, place) for place, wire in wires)
            )

    def waiting(self, most: int) -> list[tuple[int, bytes]]:
        """Return what waits, oldest first, each under its place."""
        rows = self._db.execute("SELECT place, wire FROM waiting ORDER BY place LIMIT ?", (most,)).fetchall()
        return [(int(place), bytes(wire)) for place, wire in rows]

    def done(self, places: Sequence[int]) -> None:
        """Forget requests that were answered.

        Raises:
            OSError: The disk is full or broken; they wait on.
        """
        with self._all_or_nothing():
            self._db.executemany("DELETE FROM waiting WHERE place = ?", ((place,) for place in places))

    def put_aside(self, places: Sequence[tuple[int, str]]) -> None:
        """Keep requests apart that nobody will ever take, each with the reason.

        Raises:
            OSError: The disk is full or broken; they wait on.
        """
        with self._all_or_nothing():
            for place, why in places:
                self._db.execute(
                    "INSERT OR REPLACE INTO aside SELECT place, ?, wire FROM waiting WHERE place = ?", (why, place)
                )
                self._db.execute("DELETE FROM waiting WHERE place = ?", (place,))

    def aside(self) -> list[tuple[str, bytes]]:
        """Return what was put aside, and why, oldest first."""
        rows = self._db.execute("SELECT why, wire FROM aside ORDER BY place").fetchall()
        return [(str(why), bytes(wire)) for why, wire in rows]

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                yield
        except sqlite3.Error as error:
            raise OSError(f"a gateway's memory cannot be kept: {error}") from error

    def _remember(self, memory: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO memory VALUES (1, ?)", (memory,))

    def __len__(self) -> int:
        (found,) = self._db.execute("SELECT count(*) FROM waiting").fetchone()
        return int(found)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

"""A gateway's memory and what it has signed, in one SQLite file: kept together or not at all."""

import itertools
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from commonwatt.adapters.stores.ledger_file import open_file
from commonwatt.model import Corrupt

MOST_BYTES = 1 << 30
"""Years of a home's readings without network; a small box's disk has other uses too."""
LOCKED_MS = 250
"""So long a lock of somebody else's is waited for: devices are not to wait with us."""
_NO_MEMORY = b"{}"
"""Of a gateway that has done nothing yet."""
_SCHEMA = (
    "CREATE TABLE memory (only INTEGER PRIMARY KEY CHECK (only = 1), content BLOB NOT NULL) STRICT",
    "CREATE TABLE waiting (place INTEGER PRIMARY KEY AUTOINCREMENT, wire BLOB NOT NULL) STRICT",
    "CREATE TABLE aside (place INTEGER PRIMARY KEY, why TEXT NOT NULL, wire BLOB NOT NULL) STRICT",
)


def open_outbox(path: Path, word: Callable[[str], None]) -> "OutboxFile":
    """Open a gateway's outbox; a damaged one is laid aside whole, and what can still be read of it is taken over.

    Args:
        path: The file.
        word: Told in words where that had to be.

    Raises:
        Refused: The file is of another format.
        OSError: The disk is full or broken, or somebody holds the file locked.
    """
    try:
        outbox = OutboxFile(path)
        try:
            outbox.check()
        except BaseException:
            outbox.close()
            raise
    except Corrupt as error:
        memory, wires = _salvaged(path)
        aside = next(
            one for n in itertools.count(1) if not (one := path.with_name(f"{path.name}.damaged-{n}")).exists()
        )
        for end in ("-wal", "-shm", ""):
            with suppress(FileNotFoundError):
                path.with_name(path.name + end).rename(aside.with_name(aside.name + end))
        outbox = OutboxFile(path)
        if memory is not None or wires:
            outbox.keep(memory or _NO_MEMORY, wires)
        kept = "its memory" if memory is not None else "not its memory"
        word(f"{error}; it lies in {aside.name} now, {kept} and {len(wires)} requests that wait were taken over")
    return outbox


class OutboxFile:
    """Implements `commonwatt.flows.gateway.ports.Outbox`; each call is one durable transaction.

    Args:
        path: The file; made with mode 0600 where it is missing.
        most_bytes: It grows no larger; from then on it is like a full disk, until something was answered.

    Raises:
        Refused: The file is of another format.
        Corrupt: The file is no SQLite database or is damaged.
        OSError: The disk is full or broken, or somebody holds the file locked.
    """

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        with _disk("opened"):
            self._db = open_file(path, _SCHEMA)
            (page,) = self._db.execute("PRAGMA page_size").fetchone()
            self._db.execute(f"PRAGMA max_page_count = {most_bytes // page}")
            self._db.execute(f"PRAGMA busy_timeout = {LOCKED_MS}")

    def check(self) -> None:
        """Look through the whole file.

        Raises:
            Corrupt: It is damaged.
            OSError: It cannot be read.
        """
        with _disk("read"):
            try:
                found = [str(row[0]) for row in self._db.execute("PRAGMA quick_check(1)")]
            except sqlite3.DatabaseError as error:
                if not _damaged(error):
                    raise
                found = [str(error)]
        if found == ["ok"] and not _readable(self.memory()):
            found = ["it is no JSON"]
        if found != ["ok"]:
            raise Corrupt(f"a gateway's memory is damaged: {found[0]}")

    def memory(self) -> bytes | None:
        """Return what was kept last.

        Raises:
            OSError: The disk is broken, or somebody holds the file locked.
        """
        with _disk("read"):
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
        """Return what waits, oldest first, each under its place.

        Raises:
            OSError: The disk is broken, or somebody holds the file locked.
        """
        with _disk("read"):
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
        """Return what was put aside, and why, oldest first.

        Raises:
            OSError: The disk is broken, or somebody holds the file locked.
        """
        with _disk("read"):
            rows = self._db.execute("SELECT why, wire FROM aside ORDER BY place").fetchall()
        return [(str(why), bytes(wire)) for why, wire in rows]

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        with _disk("kept"), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            yield

    def _remember(self, memory: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO memory VALUES (1, ?)", (memory,))

    def __len__(self) -> int:
        with _disk("read"):
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


@contextmanager
def _disk(what: str) -> Iterator[None]:
    """Say of whatever SQLite refuses that the disk did: those who keep devices go on, and try again.

    Raises:
        OSError: It refused.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise OSError(f"a gateway's memory cannot be {what}: {error}") from error


def _salvaged(path: Path) -> tuple[bytes | None, list[bytes]]:
    """Return what a damaged file still gives: the memory, and the requests that wait up to the first damage."""
    memory: bytes | None = None
    wires: list[bytes] = []
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as db:
        with suppress(sqlite3.Error):
            memory = next((bytes(row[0]) for row in db.execute("SELECT content FROM memory")), None)
        with suppress(sqlite3.Error):
            for (wire,) in db.execute("SELECT wire FROM waiting ORDER BY place"):
                wires.append(bytes(wire))
    return memory if _readable(memory) else None, wires


def _readable(memory: bytes | None) -> bool:
    try:
        return memory is None or isinstance(msgspec.json.decode(memory), dict)
    except (msgspec.MsgspecError, ValueError):
        return False


def _damaged(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

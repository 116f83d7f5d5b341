"""Keeps every issue of every feed with the time when it was heard: the last months in SQLite, older ones in files."""

import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from commonwatt.adapters.stores.keyfile import sync_folder
from commonwatt.adapters.stores.ledger_file import open_file
from commonwatt.flows.feeds.ports import FeedState
from commonwatt.flows.feeds.series import Issue, Topic
from commonwatt.model import Corrupt, Interval, epoch, instant

_SCHEMA = (
    "CREATE TABLE issue (id INTEGER PRIMARY KEY, topic TEXT NOT NULL, source TEXT NOT NULL, heard_s INTEGER NOT NULL,"
    " start_s INTEGER NOT NULL, end_s INTEGER NOT NULL, content BLOB NOT NULL) STRICT",
    "CREATE INDEX issue_of ON issue (topic, heard_s)",
    "CREATE TABLE feed (name TEXT NOT NULL PRIMARY KEY, state BLOB NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE month (name TEXT NOT NULL PRIMARY KEY, first_s INTEGER NOT NULL, last_s INTEGER NOT NULL)"
    " STRICT, WITHOUT ROWID",
)
_COLUMNS = "topic, source, heard_s, start_s, end_s, content"
_EVER_S = 2**53 - 1
_SAME = 400
"""How many of the latest issues of a source are looked at for whether a new one says anything new."""
MOST_MONTH_BYTES = 400_000_000
_Row = tuple[str, str, int, int, int, bytes]


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    licence: str
    issued_s: int | None
    step_s: int
    values: tuple[int | None, ...]


class FeedArchive:
    """Implements `IssueStore` in a folder: ``issues.sqlite`` of what was heard of late, a file a month before that.

    What a source says again is not kept again; what it says anew is, beside what it said before.

    Args:
        folder: Made where it is missing.

    Raises:
        Refused: The file is of another format.
        Corrupt: It is damaged.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._db = open_file(folder / "issues.sqlite", _SCHEMA)

    def keep(self, state: FeedState, issues: Sequence[Issue]) -> int:
        """Keep issues and how their feed stands, in one transaction; returns how many said something new.

        Raises:
            OSError: The disk is full or broken; nothing is changed.
        """
        fresh = [one for one in issues if not self._said(one)]
        with _on_disk(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(f"INSERT INTO issue ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", map(_row, fresh))  # noqa: S608  our own columns
            content = msgspec.msgpack.encode(state)
            self._db.execute("INSERT OR REPLACE INTO feed (name, state) VALUES (?, ?)", (state.name, content))
        return len(fresh)

    def state(self, name: str) -> FeedState:
        """Return how a feed stands; as one that was never asked where nothing is known."""
        with _on_disk():
            found = self._db.execute("SELECT state FROM feed WHERE name = ?", (name,)).fetchone()
        if found is None:
            return FeedState(name=name)
        try:
            return msgspec.msgpack.decode(found[0], type=FeedState)
        except msgspec.MsgspecError as error:
            raise Corrupt(f"{self._folder} does not tell how feed {name} stands: {error}") from error

    def issues(self, topic: Topic, window: Interval, heard_by_s: int) -> Iterator[Issue]:
        """Yield the issues of a topic that say something of a window and were heard by then, the latest first."""
        start_s, end_s = epoch(window.start), epoch(window.end)
        rows = self._rows(
            "topic = ? AND heard_s <= ? AND start_s < ? AND end_s > ? ORDER BY heard_s DESC, id DESC",
            (str(topic), heard_by_s, end_s, start_s),
        )
        yield from (_issue(row, topic) for row in rows)
        with _on_disk():
            months = self._db.execute(
                "SELECT name FROM month WHERE first_s < ? AND last_s > ? ORDER BY name DESC", (end_s, start_s)
            ).fetchall()
        for (month,) in months:
            told = [row for row in _read(self._path(month)) if row[0] == str(topic) and row[2] <= heard_by_s]
            yield from (_issue(row, topic) for row in reversed(told) if row[3] < end_s and row[4] > start_s)

    def last(self, topic: Topic, source: str) -> Issue | None:
        """Return the issue of a topic that was heard last from a source, of those that are not in files yet."""
        return next(self._latest(topic, source, _EVER_S, 1), None)

    def archive(self, before_s: int) -> list[Path]:
        """Move what was heard in whole months that ended by then into files, one a month, and return those made.

        A file is durable under its name before its rows go; cut off between, the rows go the next time.
        """
        made = []
        while (first_s := self._first_s()) is not None:
            month = instant(first_s).replace(day=1, hour=0, minute=0, second=0)
            after = month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)
            if epoch(after) > before_s:
                break
            made.append(self._move(f"{month:%Y-%m}", epoch(after)))
        return made

    def _first_s(self) -> int | None:
        with _on_disk():
            found: int | None = self._db.execute("SELECT min(heard_s) FROM issue").fetchone()[0]
        return found

    def _move(self, month: str, until_s: int) -> Path:
        rows = self._rows("heard_s < ? ORDER BY heard_s, id", (until_s,))
        path = self._path(month)
        before = _read(path) if path.exists() else []
        known = set(before)
        whole = [*before, *(row for row in rows if row not in known)]
        _write(path, whole)
        with _on_disk(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            told = month, min(row[3] for row in whole), max(row[4] for row in whole)
            self._db.execute("INSERT OR REPLACE INTO month (name, first_s, last_s) VALUES (?, ?, ?)", told)
            self._db.execute("DELETE FROM issue WHERE heard_s < ?", (until_s,))
        return path

    def _path(self, month: str) -> Path:
        return self._folder / f"{month}.issues"

    def _latest(self, topic: Topic, source: str, heard_by_s: int, most: int) -> Iterator[Issue]:
        rows = self._rows(
            "topic = ? AND source = ? AND heard_s <= ? ORDER BY heard_s DESC, id DESC LIMIT ?",
            (str(topic), source, heard_by_s, most),
        )
        yield from (_issue(row, topic) for row in rows)

    def _rows(self, where: str, values: tuple[str | int, ...]) -> list[_Row]:
        with _on_disk():
            return self._db.execute(f"SELECT {_COLUMNS} FROM issue WHERE {where}", values).fetchall()  # noqa: S608  our own words

    def _said(self, issue: Issue) -> bool:
        """Tell whether an issue says of each slot what its source had said last by then, of the same issue time."""
        left = dict(issue.slots())
        for known in self._latest(issue.topic, issue.source, issue.heard_s, _SAME):
            if known.issued_s != issue.issued_s:
                return False
            for slot_s, value in known.slots():
                if left.pop(slot_s, value) != value:
                    return False
            if not left:
                return True
        return False

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


@contextmanager
def _on_disk() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise OSError(f"what feeds said cannot be kept or read: {error}") from error


def _row(issue: Issue) -> _Row:
    packed = _Packed(issue.licence, issue.issued_s, issue.step_s, issue.values)
    content = zlib.compress(msgspec.msgpack.encode(packed))
    return str(issue.topic), issue.source, issue.heard_s, issue.start_s, issue.end_s, content


def _issue(row: _Row, topic: Topic) -> Issue:
    try:
        packed = msgspec.msgpack.decode(zlib.decompress(row[5]), type=_Packed)
        return Issue(
            topic=topic,
            source=row[1],
            licence=packed.licence,
            issued_s=packed.issued_s,
            heard_s=row[2],
            start_s=row[3],
            step_s=packed.step_s,
            values=packed.values,
        )
    except (zlib.error, msgspec.MsgspecError, ValueError) as error:
        raise Corrupt(f"an issue of {topic} heard at {row[2]} s cannot be read: {error}") from error


def _write(path: Path, rows: Iterable[_Row]) -> None:
    """Write a month with its digest before it; whoever looks sees the old file or the new one, whole."""
    content = zlib.compress(msgspec.msgpack.encode(list(rows)), 9)
    fresh = path.with_name(f".{path.name}.new")
    with suppress(FileNotFoundError):
        fresh.unlink()
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(sha256(content).digest() + content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path)


def _read(path: Path) -> list[_Row]:
    told = path.read_bytes()
    digest, content = told[:32], told[32:]
    try:
        if sha256(content).digest() != digest:
            raise Corrupt(f"{path} is not what was written")
        unpacked = zlib.decompressobj().decompress(content, MOST_MONTH_BYTES)
        return msgspec.msgpack.decode(unpacked, type=list[_Row])
    except (zlib.error, msgspec.MsgspecError) as error:
        raise Corrupt(f"{path} holds no issues: {error}") from error

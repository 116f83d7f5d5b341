"""What of a station must outlive us: counters and transactions, in one SQLite file, many changes per commit."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

MOST_EVENTS = 20_000
"""Of the security log; older ones are forgotten, or whoever knocks long enough fills the disk."""
COMMIT_EVERY_S = 0.02
"""Changes of so many seconds are written by one commit; whoever needs his written waits so long at most."""


class Memory:
    """Keeps one text per station.

    Args:
        folder: Where the file lies; None: nothing is kept.
    """

    def __init__(self, folder: Path | None) -> None:
        self._base: sqlite3.Connection | None = None
        self._dirty: dict[str, Callable[[], bytes]] = {}
        self._written: asyncio.Future[None] | None = None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / "ocpp.sqlite"
            path.touch(mode=0o600)  # who charged when, and tokens, are nobody else's business
            self._base = sqlite3.connect(path, isolation_level=None)
            self._base.execute("PRAGMA synchronous=EXTRA")
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("CREATE TABLE IF NOT EXISTS station (id TEXT PRIMARY KEY, body BLOB NOT NULL)")

            self._base.execute(
                "CREATE TABLE IF NOT EXISTS event "
                "(id INTEGER PRIMARY KEY, station TEXT, at_s INTEGER, kind TEXT, words TEXT)"
            )
        self._events: list[tuple[str, int, str, str]] = []

    def note(self, station: str, at_s: int, kind: str, words: str) -> None:
        """Keep an event of the security log; it is written with the next commit, and never holds a secret."""
        self._events.append((station[:48], at_s, kind[:50], words[:255]))
        del self._events[:-MOST_EVENTS]
        self._wake()

    def events(self, station: str | None = None, last: int = 100) -> list[tuple[str, int, str, str]]:
        """Return the last security events, of one station or of all, oldest first: station, time, kind and words."""
        fitting = [one for one in self._events if station in (None, one[0])]
        if self._base is not None:
            found = self._base.execute(
                "SELECT station, at_s, kind, words FROM event WHERE ? IS NULL OR station = ? ORDER BY id DESC LIMIT ?",
                (station, station, last),
            ).fetchall()
            fitting = [*reversed(found), *fitting]
        return fitting[-last:]

    def load(self, station: str) -> bytes | None:
        """Return what was kept of a station."""
        if self._base is None:
            return None
        row = self._base.execute("SELECT body FROM station WHERE id = ?", (station,)).fetchone()
        return None if row is None else bytes(row[0])

    def change(self, station: str, body: Callable[[], bytes]) -> None:
        """Note that a station changed; it is written with the next commit."""
        if self._base is not None:
            self._dirty[station] = body

    async def written(self) -> None:
        """Return when all that was changed so far is on the disk.

        Raises:
            sqlite3.Error: It could not be written.
        """
        if not self._dirty:
            return
        await asyncio.shield(self._soon())

    def commit(self) -> None:
        """Write what has changed."""
        if self._base is None or not (self._dirty or self._events):
            return
        rows = [(station, body()) for station, body in self._dirty.items()]
        self._base.execute("BEGIN")
        try:
            self._base.executemany("INSERT OR REPLACE INTO station VALUES (?, ?)", rows)
            if self._events:
                self._base.executemany(
                    "INSERT INTO event (station, at_s, kind, words) VALUES (?, ?, ?, ?)", self._events
                )
                self._base.execute("DELETE FROM event WHERE id <= (SELECT max(id) FROM event) - ?", (MOST_EVENTS,))
            self._base.execute("COMMIT")
        except sqlite3.Error:
            self._base.execute("ROLLBACK")
            raise
        self._dirty.clear()
        self._events.clear()

    def close(self) -> None:
        """Write the rest and close the file."""
        self.commit()
        if self._base is not None:
            self._base.close()
            self._base = None

    def _soon(self) -> "asyncio.Future[None]":
        if self._written is None:
            loop = asyncio.get_running_loop()
            self._written = loop.create_future()
            self._written.add_done_callback(lambda done: done.cancelled() or done.exception())
            loop.call_later(COMMIT_EVERY_S, self._commit_for, self._written)
        return self._written

    def _wake(self) -> None:
        """Have events written though nobody waits for it; without a loop they wait for the next commit."""
        with suppress(RuntimeError):
            self._soon()

    def _commit_for(self, waiting: "asyncio.Future[None]") -> None:
        self._written = None
        try:
            self.commit()
        except sqlite3.Error as error:
            waiting.set_exception(error)
        else:
            waiting.set_result(None)

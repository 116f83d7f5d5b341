"""What of a station must outlive us: counters and transactions, in one SQLite file, many changes per commit."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

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
            self._base = sqlite3.connect(folder / "ocpp.sqlite", isolation_level=None)
            self._base.execute("PRAGMA synchronous=EXTRA")
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("CREATE TABLE IF NOT EXISTS station (id TEXT PRIMARY KEY, body BLOB NOT NULL)")

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
        if self._written is None:
            loop = asyncio.get_running_loop()
            self._written = loop.create_future()
            loop.call_later(COMMIT_EVERY_S, self._commit_for, self._written)
        await asyncio.shield(self._written)

    def commit(self) -> None:
        """Write what has changed."""
        if self._base is None or not self._dirty:
            return
        rows = [(station, body()) for station, body in self._dirty.items()]
        self._base.execute("BEGIN")
        try:
            self._base.executemany("INSERT OR REPLACE INTO station VALUES (?, ?)", rows)
            self._base.execute("COMMIT")
        except sqlite3.Error:
            self._base.execute("ROLLBACK")
            raise
        self._dirty.clear()

    def close(self) -> None:
        """Write the rest and close the file."""
        self.commit()
        if self._base is not None:
            self._base.close()
            self._base = None

    def _commit_for(self, waiting: "asyncio.Future[None]") -> None:
        self._written = None
        try:
            self.commit()
        except sqlite3.Error as error:
            waiting.set_exception(error)
        else:
            waiting.set_result(None)

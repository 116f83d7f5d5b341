"""Keep a gateway's inventory in an SQLite file: each device's record, its history, and what was ordered of it."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from commonwatt.adapters.stores.ledger_file import open_file
from commonwatt.flows.inventory import Mark, Note, Record
from commonwatt.flows.inventory_ports import Order
from commonwatt.model import AssetId, Corrupt

Kept = TypeVar("Kept")

_SCHEMA = (
    "CREATE TABLE device (number INTEGER PRIMARY KEY, asset TEXT NOT NULL, record BLOB NOT NULL) STRICT",
    "CREATE TABLE history (place INTEGER PRIMARY KEY AUTOINCREMENT, at_s INTEGER NOT NULL, number INTEGER NOT NULL"
    " REFERENCES device, asset TEXT NOT NULL, mark TEXT NOT NULL, words TEXT NOT NULL) STRICT",
    "CREATE INDEX history_by_asset ON history (asset, place)",
    "CREATE TABLE waiting (place INTEGER PRIMARY KEY AUTOINCREMENT, deed BLOB NOT NULL) STRICT",
)


class InventoryFile:
    """Implements `commonwatt.flows.inventory_ports.Shelf`; each call is one durable transaction.

    Args:
        path: The file; made with mode 0600 where it is missing.

    Raises:
        Refused: The file is of another format.
        Corrupt: The file is no SQLite database or is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._db = path, open_file(path, _SCHEMA)

    def records(self) -> list[Record]:
        """Return every device that ever was here, by number."""
        rows = self._db.execute("SELECT record FROM device ORDER BY number").fetchall()
        return [self._decoded(row[0], Record) for row in rows]

    def history(self, asset: AssetId | None = None) -> list[Note]:
        """Return what was written down, of one asset or of all, oldest first."""
        rows = self._db.execute(
            "SELECT at_s, number, asset, mark, words FROM history WHERE ?1 IS NULL OR asset = ?1 ORDER BY place",
            (asset,),
        ).fetchall()
        return [
            Note(at_s=at_s, number=number, asset=AssetId(name), mark=Mark(mark), words=words)
            for at_s, number, name, mark, words in rows
        ]

    def keep(self, records: Sequence[Record], notes: Sequence[Note] = (), done: Sequence[int] = ()) -> None:
        """Keep records as they are now, write notes down, and forget orders that were carried out, all or nothing.

        Raises:
            OSError: The disk is full or broken; nothing is kept.
        """
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.executemany(
                    "INSERT INTO device VALUES (?, ?, ?) ON CONFLICT (number) DO UPDATE SET record = excluded.record",
                    [(record.number, record.asset, msgspec.json.encode(record)) for record in records],
                )
                self._db.executemany(
                    "INSERT INTO history (at_s, number, asset, mark, words) VALUES (?, ?, ?, ?, ?)",
                    [(note.at_s, note.number, note.asset, note.mark.value, note.words) for note in notes],
                )
                self._db.executemany("DELETE FROM waiting WHERE place = ?", [(place,) for place in done])
        except sqlite3.IntegrityError:
            raise  # a mistake of ours, which no disk cures
        except sqlite3.Error as error:
            raise OSError(f"an inventory cannot be kept: {error}") from error

    def order(self, order: Order) -> None:
        """Put an order behind those that wait.

        Raises:
            OSError: The disk is full or broken.
        """
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.execute("INSERT INTO waiting (deed) VALUES (?)", (msgspec.json.encode(order),))
        except sqlite3.Error as error:
            raise OSError(f"an order cannot be kept: {error}") from error

    def orders(self) -> list[tuple[int, Order]]:
        """Return the orders that wait, each under its place.

        Raises:
            OSError: The disk is broken.
            Corrupt: One of them makes no sense.
        """
        try:
            rows = self._db.execute("SELECT place, deed FROM waiting ORDER BY place").fetchall()
        except sqlite3.Error as error:
            raise OSError(f"an inventory cannot be read: {error}") from error
        return [(int(place), self._decoded(deed, Order)) for place, deed in rows]

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _decoded(self, text: bytes, kind: type[Kept]) -> Kept:
        try:
            return msgspec.json.decode(text, type=kind)
        except (msgspec.MsgspecError, ValueError) as error:
            raise Corrupt(f"{self._path} holds no {kind.__name__} where one is kept: {error}") from error

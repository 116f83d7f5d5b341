"""Where a log can be kept, each behind the same few handles, so that one suite tells the same of all."""

import sqlite3
from pathlib import Path
from typing import Protocol

from commonwatt.adapters.stores.postgres import PostgresLog
from commonwatt.adapters.stores.postgres_schema import schema_name
from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey, Wrapping
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import Outcome
from servers.postgres import Cluster

MASTER = MasterKey(bytes(range(32)))
Log = SqliteLog | PostgresLog


class Place(Protocol):
    """A durable log's place: it can be opened, read, and spoiled behind everybody's back."""

    def open(self, key: Wrapping = MASTER) -> Log: ...
    def read(self, key: Wrapping = MASTER) -> Log: ...
    def fresh(self) -> "Place": ...
    def spoil(self, statement: str) -> None: ...


class SqlitePlace:
    def __init__(self, folder: Path, number: int = 0) -> None:
        self._folder, self._number = folder, number
        self._path = folder / f"log-{number}.sqlite"

    def open(self, key: Wrapping = MASTER) -> SqliteLog:
        return SqliteLog(self._path, key)

    def read(self, key: Wrapping = MASTER) -> SqliteLog:
        return SqliteLog.open_readonly(self._path, key)

    def fresh(self) -> "SqlitePlace":
        numbers = [int(path.stem.split("-")[1]) for path in self._folder.glob("log-*.sqlite")]
        return SqlitePlace(self._folder, max(numbers, default=0) + 1)

    def spoil(self, statement: str) -> None:
        with sqlite3.connect(self._path) as db:
            db.execute(statement)
        db.close()


class PostgresPlace:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._community = cluster, cluster.name()

    def open(self, key: Wrapping = MASTER) -> PostgresLog:
        return PostgresLog(self._cluster.dsn, self._community, key)

    def read(self, key: Wrapping = MASTER) -> PostgresLog:
        return PostgresLog.open_readonly(self._cluster.dsn, self._community, key)

    def fresh(self) -> "PostgresPlace":
        return PostgresPlace(self._cluster)

    def spoil(self, statement: str) -> None:
        # SQLite writes bytes as x'00', PostgreSQL as '\x00'.
        told = statement.replace("x'", "'\\x")
        self._cluster.do(f'SET search_path = "{schema_name(self._community)}"; {told}')


def row(position: int, **changed: object) -> LeafRow:
    told = {
        "position": position,
        "stamped_s": 900 * position,
        "salt": position.to_bytes(32),
        "body": b'{"n":%d}' % position,
        "outcome": Outcome.BOOKED,
        "author": f"key-{position % 2}",
        "seq": position // 2 + 1,
        "owner": f"member-{position % 3}",
        "closes": position % 2 == 1,
        "items": bytes([position % 256]) * 48,
        "personal": b"warm" * (position % 2),
    }
    return LeafRow(**{**told, **changed})  # type: ignore[arg-type]  # names and types are those of the row


def rows(start: int, end: int) -> list[LeafRow]:
    return [row(position) for position in range(start, end)]

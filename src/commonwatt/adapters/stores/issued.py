"""Keep every forecast that a community issued, in one file of its folder, each home's under a key of its own."""

import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import numpy as np

from commonwatt.adapters.stores.ledger_file import open_file
from commonwatt.adapters.stores.vault import Vault, Wrapping
from commonwatt.flows.issued import Issued
from commonwatt.model import LEVELS_PERMILLE, AccountId, Corrupt, InvalidValue

ISSUED = "forecasts.sqlite"
MOST_BYTES = 4_000_000
"""Of one series when it is unpacked: a week of quarter-hours takes 70 kB."""
_SCHEMA = (
    "CREATE TABLE owner (name TEXT NOT NULL PRIMARY KEY, key BLOB NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE issue (id INTEGER PRIMARY KEY, issued_s INTEGER NOT NULL, homes TEXT NOT NULL, kind TEXT NOT NULL,"
    " series TEXT NOT NULL, owner TEXT NOT NULL, sealed BLOB NOT NULL, UNIQUE (issued_s, homes, kind, series)) STRICT",
)


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    of: str
    series: str
    homes: str
    model: str
    used: bool
    slots_s: bytes
    quantiles: bytes
    baselines: bytes


class IssuedFile:
    """What was issued in one community's folder; nothing in it is ever overwritten.

    Args:
        folder: The community's; the file is made at the first issue.
        wrapping: Its master key.
    """

    def __init__(self, folder: Path, wrapping: Wrapping) -> None:
        self._path, self._wrapping = folder / ISSUED, wrapping

    def keep(self, issues: Sequence[Issued]) -> int:
        """Keep what was issued, all of it or nothing; what was issued before of the same homes stands.

        Returns:
            How many were new.

        Raises:
            Corrupt: The file is damaged, or another master key's.
            OSError: The disk is full or broken.
        """
        with self._open() as db:
            vault = self._vault(db)
            sealed = vault.seal([(one.owner, one.issued_s, _packed(one)) for one in issues])
            rows = [
                (one.issued_s, one.homes, one.of, one.series, one.owner, text)
                for one, text in zip(issues, sealed, strict=True)
            ]
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT INTO owner (name, key) VALUES (?, ?)", vault.fresh().items())
            columns = "issued_s, homes, kind, series, owner, sealed"
            found = db.executemany(f"INSERT OR IGNORE INTO issue ({columns}) VALUES (?, ?, ?, ?, ?, ?)", rows)  # noqa: S608  our own columns
            new = found.rowcount
            db.execute("COMMIT")
        return new

    def since(self, issued_s: int) -> list[Issued]:
        """Return what was issued from an instant on, in order; nothing of whose owner was erased.

        Raises:
            Corrupt: The file is damaged, or another master key's.
            OSError: It cannot be read.
        """
        if not self._path.exists():
            return []
        with self._open() as db:
            vault = self._vault(db)
            rows = db.execute(
                "SELECT owner, issued_s, sealed FROM issue WHERE issued_s >= ? ORDER BY issued_s, id", (issued_s,)
            ).fetchall()
        return [_issued(owner, at_s, vault.open(owner, at_s, text)) for owner, at_s, text in rows]

    def forget(self, account: AccountId) -> int:
        """Delete what was issued about a member, with its key; return how much that was.

        Raises:
            Corrupt: The file is damaged.
            OSError: The disk is broken.
        """
        if not self._path.exists():
            return 0
        with self._open() as db:
            db.execute("PRAGMA secure_delete = ON")
            db.execute("BEGIN IMMEDIATE")
            gone = db.execute("DELETE FROM issue WHERE owner = ?", (account,)).rowcount
            db.execute("DELETE FROM owner WHERE name = ?", (account,))
            db.execute("COMMIT")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one step: it is asked once a day, and by other processes as well."""
        try:
            with closing(open_file(self._path, _SCHEMA)) as db:
                yield db
        except sqlite3.Error as error:
            raise OSError(f"forecasts cannot be kept or read: {error}") from error

    def _vault(self, db: sqlite3.Connection) -> Vault:
        vault = Vault(self._wrapping)
        vault.load(dict(db.execute("SELECT name, key FROM owner").fetchall()))
        return vault


def _packed(one: Issued) -> bytes:
    arrays = (
        np.diff(values, prepend=0).astype("<i8").tobytes() for values in (one.slots_s, one.quantiles, one.baselines)
    )
    packed = _Packed(one.of, one.series, one.homes, one.model, one.used, *arrays)
    return zlib.compress(msgspec.msgpack.encode(packed))


def _issued(owner: str, issued_s: int, content: bytes) -> Issued:
    try:
        told = msgspec.msgpack.decode(zlib.decompressobj().decompress(content, MOST_BYTES), type=_Packed)
        slots_s, quantiles, baselines = (
            np.frombuffer(values, "<i8").reshape(rows, -1).cumsum(1)
            for values, rows in ((told.slots_s, 1), (told.quantiles, len(LEVELS_PERMILLE)), (told.baselines, 2))
        )
        return Issued(
            of=told.of,
            series=told.series,
            owner=owner,
            issued_s=issued_s,
            homes=told.homes,
            model=told.model,
            used=told.used,
            slots_s=slots_s[0],
            quantiles=quantiles,
            baselines=baselines,
        )
    except (zlib.error, msgspec.MsgspecError, ValueError, InvalidValue) as error:
        raise Corrupt(f"a forecast issued at {issued_s} s cannot be read: {error}") from error

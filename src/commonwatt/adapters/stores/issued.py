"""Keep every forecast that a community issued, in one file of its folder, each home's under a key of its own."""

import logging
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

_log = logging.getLogger(__name__)
ISSUED = "forecasts.sqlite"
_EVER_S = 2**53 - 1
MOST_BYTES = 4_000_000
"""Of one series when it is unpacked: a week of quarter-hours takes 70 kB."""
_SCHEMA = (
    "CREATE TABLE owner (name TEXT NOT NULL PRIMARY KEY, key BLOB NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE gone (name TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID",
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

        Of who was erased nothing is kept any more, also where a book was being made meanwhile.

        Returns:
            How many were new.

        Raises:
            Corrupt: The file is damaged, or another master key's.
            OSError: The disk is full or broken.
        """
        with self._open() as db:
            # Before the keys are looked at: whoever erases or meets somebody new at this moment comes before or after.
            db.execute("BEGIN IMMEDIATE")
            vault = self._vault(db)
            gone = {name for (name,) in db.execute("SELECT name FROM gone")}
            kept = [one for one in issues if one.owner not in gone]
            sealed = vault.seal([(one.owner, one.issued_s, _packed(one)) for one in kept])
            rows = [
                (one.issued_s, one.homes, one.of, one.series, one.owner, text)
                for one, text in zip(kept, sealed, strict=True)
            ]
            db.executemany("INSERT INTO owner (name, key) VALUES (?, ?)", vault.fresh().items())
            columns = "issued_s, homes, kind, series, owner, sealed"
            found = db.executemany(f"INSERT OR IGNORE INTO issue ({columns}) VALUES (?, ?, ?, ?, ?, ?)", rows)  # noqa: S608  our own columns
            new = found.rowcount
            db.execute("COMMIT")
        return max(new, 0)

    def between(self, from_s: int, to_s: int = _EVER_S, whole_from_s: int = 0) -> list[Issued]:
        """Return what was issued in [from_s, to_s), in order; nothing of whose owner was erased.

        What cannot be read is left out, and said in the program's log: one damaged row hides no other.

        Args:
            from_s: Seconds since 1970.
            to_s: Likewise.
            whole_from_s: Of what was issued before, the first day is returned alone: the others are not scored.

        Raises:
            Corrupt: The file is damaged, or another master key's.
            OSError: It cannot be read.
        """
        if not self._path.exists():
            return []
        found = []
        with self._open() as db:
            vault = self._vault(db)
            rows = db.execute(
                "SELECT issue.owner, issued_s, sealed FROM issue JOIN owner ON owner.name = issue.owner"
                " WHERE issued_s >= ? AND issued_s < ? ORDER BY issued_s, id",
                (from_s, to_s),
            )
            for owner, at_s, text in rows:
                try:
                    one = _issued(owner, at_s, vault.open(owner, at_s, text))
                except Corrupt as error:
                    _log.warning("a forecast that was kept cannot be read: %s", error)
                    continue
                found.append(one if at_s >= whole_from_s else one.first_day())
        return found

    def forget(self, account: AccountId) -> int:
        """Delete what was issued about a member, with its key, for good; return how much that was.

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
            db.execute("INSERT OR IGNORE INTO gone (name) VALUES (?)", (account,))
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

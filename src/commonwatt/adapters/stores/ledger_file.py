"""Open a small SQLite file whose every transaction is durable before it is answered."""

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from commonwatt.adapters.stores.keyfile import sync_folder
from commonwatt.model import Corrupt, Refused

_FORMAT = 1


def open_file(path: Path, schema: Sequence[str], *, any_thread: bool = False) -> sqlite3.Connection:
    """Return a connection that commits each statement, or each ``BEGIN`` block, with an fsync.

    Args:
        path: The file; made with mode 0600 and the schema where it is missing. Its folder must be on a local disk.
        schema: The statements that make it.
        any_thread: Whether threads may take turns with it; it is for the caller to see that they do.

    Raises:
        Refused: The file is of another format, or its disk cannot hold a write-ahead log.
        Corrupt: The file is no SQLite database or is damaged.
        OSError: The file cannot be made, or is not ours to keep.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)
    sync_folder(path)
    db = sqlite3.connect(path, isolation_level=None, timeout=5, check_same_thread=not any_thread)
    try:
        _prepare(db, path, schema)
    except sqlite3.DatabaseError as error:
        db.close()
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise Corrupt(f"{path} is no whole SQLite file: {error}") from error
        raise
    except Refused:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: Path, schema: Sequence[str]) -> None:
    db.execute("PRAGMA trusted_schema = OFF")
    db.execute("PRAGMA foreign_keys = ON")
    # Before the journal mode, as in the log's own store: under FULL a power cut can undo the whole file.
    db.execute("PRAGMA synchronous = EXTRA")
    (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise Refused("what is promised needs a disk that can hold a write-ahead log", path=path, found=mode)
    with db:
        db.execute("BEGIN IMMEDIATE")
        (found,) = db.execute("PRAGMA user_version").fetchone()
        if found == 0:
            for statement in schema:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {_FORMAT}")
        elif found != _FORMAT:
            raise Refused("the file is of another format", path=path, known=_FORMAT, found=found)

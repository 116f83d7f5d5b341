"""Keep a chain's blocks, and the state that they make, in one SQLite file: a block is there whole or not at all."""

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commonwatt.adapters.stores.ledger_file import open_file
from commonwatt.model import Corrupt, Refused

FILE = "chain.sqlite"
LOCK = "chain.lock"
_SCHEMA = (
    "CREATE TABLE block (number INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, header BLOB NOT NULL) STRICT",
    "CREATE TABLE tx (number INTEGER NOT NULL, place INTEGER NOT NULL, hash BLOB NOT NULL, raw BLOB NOT NULL,"
    " receipt BLOB NOT NULL, PRIMARY KEY (number, place)) STRICT, WITHOUT ROWID",
    "CREATE UNIQUE INDEX tx_by_hash ON tx (hash)",
    # Which blocks speak of an address or a topic.
    "CREATE TABLE mention (what BLOB NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (what, number)) STRICT,"
    " WITHOUT ROWID",
    # The state's tries and the contracts' code, each value by its hash.
    "CREATE TABLE node (hash BLOB PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE chain (genesis BLOB NOT NULL, epoch INTEGER NOT NULL) STRICT",
    "INSERT INTO chain VALUES (x'', 0)",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTx:
    """A transaction as it was signed, and its receipt as the receipts' trie holds it."""

    hash: bytes
    raw: bytes
    receipt: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBlock:
    """A block: its header in RLP, its transactions in order, and the addresses and topics that its events name."""

    number: int
    hash: bytes
    header: bytes
    txs: Sequence[StoredTx]
    mentions: frozenset[bytes] = frozenset()


class BlockLog:
    """A chain's file, open for writing; one process has it at a time.

    Opening takes a lock on the folder and the next fencing epoch, which every append checks: an old writer that wakes
    up cannot write. What `append` has returned from survives a kill, and a power cut as far as the disk keeps what it
    says it has written: WAL with ``synchronous=EXTRA``, set before.

    Args:
        folder: Where the chain lies, on a local disk; none keeps it in memory.

    Raises:
        Refused: Another process has it open, or the file is of another format.
        Corrupt: The file is no SQLite database or is damaged.
        OSError: The file cannot be made, or is not ours to keep.
    """

    def __init__(self, folder: Path | None) -> None:
        self._lock: int | None = None
        if folder is None:
            self._path = Path("a chain in memory")
            # A temporary database of its own, which goes to a file of the system's when it becomes large.
            self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            for statement in _SCHEMA:
                self._db.execute(statement)
        else:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._path = folder / FILE
            self._lock = _locked(folder / LOCK)
            try:
                self._db = open_file(self._path, _SCHEMA, any_thread=True)
            except BaseException:
                self._unlock()
                raise
        try:
            with self._judging():
                self._db.execute("BEGIN IMMEDIATE")
                self._db.execute("UPDATE chain SET epoch = epoch + 1")
                self.genesis, self.epoch = self._row("SELECT genesis, epoch FROM chain")
                """What the chain was founded with, as `append` was first told; and the fencing epoch, from 1."""
                self._db.execute("COMMIT")
        except BaseException:
            self.close()
            raise

    def append(self, block: StoredBlock, nodes: Mapping[bytes, bytes], *, genesis: bytes = b"") -> None:
        """Add a block and the nodes of the state that it makes, all or nothing; return once they are durable.

        After any error of the disk but a full one the log is closed: open it again to learn what was kept.

        Args:
            block: The one after the last.
            nodes: By hash; some may be there already.
            genesis: With the first block: what the chain is founded with.

        Raises:
            Refused: Another writer has taken over, or the block is not the next.
            OSError: The disk is full; nothing was kept, and the log goes on.
            Corrupt: The file is damaged.
            sqlite3.Error: The disk failed.
        """
        with self._writing():
            if block.number != self.size:
                raise Refused("blocks have no gap", expected=self.size, found=block.number)
            if genesis:
                self._db.execute("UPDATE chain SET genesis = ?", (genesis,))
            self._db.executemany("INSERT OR IGNORE INTO node VALUES (?, ?)", nodes.items())
            self._db.execute("INSERT INTO block VALUES (?, ?, ?)", (block.number, block.hash, block.header))
            self._db.executemany(
                "INSERT INTO tx VALUES (?, ?, ?, ?, ?)",
                ((block.number, place, tx.hash, tx.raw, tx.receipt) for place, tx in enumerate(block.txs)),
            )
            self._db.executemany("INSERT INTO mention VALUES (?, ?)", ((what, block.number) for what in block.mentions))
        if genesis:
            self.genesis = genesis

    @property
    def size(self) -> int:
        """The number of blocks."""
        with self._judging():
            (size,) = self._row("SELECT coalesce(max(number) + 1, 0) FROM block")
        return int(size)

    def block(self, number: int) -> StoredBlock | None:
        """Return a block, unchecked; without its mentions. None where there is no such."""
        with self._judging():
            found = self._db.execute("SELECT hash, header FROM block WHERE number = ?", (number,)).fetchone()
            txs = self._db.execute("SELECT hash, raw, receipt FROM tx WHERE number = ? ORDER BY place", (number,))
            if found is None:
                return None
            told = [StoredTx(hash=bytes(h), raw=bytes(raw), receipt=bytes(receipt)) for h, raw, receipt in txs]
        return StoredBlock(number=number, hash=bytes(found[0]), header=bytes(found[1]), txs=told)

    def blocks(self) -> Iterator[tuple[int, bytes, bytes, list[bytes]]]:
        """Yield number, hash, header and signed transactions of every block, in order and unchecked."""
        with self._judging():
            headers = self._db.execute("SELECT number, hash, header FROM block ORDER BY number")
            txs = self._db.execute("SELECT number, raw FROM tx ORDER BY number, place")
            waiting = txs.fetchone()
            for number, block_hash, header in headers:
                raws = []
                while waiting is not None and waiting[0] <= number:
                    raws.append(bytes(waiting[1]))
                    waiting = txs.fetchone()
                yield int(number), bytes(block_hash), bytes(header), raws

    def number_of(self, block_hash: bytes) -> int | None:
        """Return the number of the block with a hash."""
        with self._judging():
            found = self._db.execute("SELECT number FROM block WHERE hash = ?", (block_hash,)).fetchone()
        return int(found[0]) if found else None

    def place_of(self, tx_hash: bytes) -> tuple[int, int] | None:
        """Return the block of a transaction, and its place in there."""
        with self._judging():
            found = self._db.execute("SELECT number, place FROM tx WHERE hash = ?", (tx_hash,)).fetchone()
        return (int(found[0]), int(found[1])) if found else None

    def mentioning(self, first: int, last: int, sets: Iterable[Sequence[bytes]]) -> list[int]:
        """Return the blocks from first to last that mention at least one address or topic of each set."""
        query = "SELECT number FROM block WHERE number BETWEEN ? AND ?"
        values: list[object] = [first, last]
        for some in sets:
            places = ", ".join("?" * len(some))
            query += f" INTERSECT SELECT number FROM mention WHERE what IN ({places}) AND number BETWEEN ? AND ?"  # noqa: S608  only ?
            values += [*some, first, last]
        with self._judging():
            return [int(number) for (number,) in self._db.execute(query + " ORDER BY number", values)]

    def node(self, node_hash: bytes) -> bytes | None:
        """Return a node of the state or a contract's code by its hash, unchecked."""
        with self._judging():
            found = self._db.execute("SELECT value FROM node WHERE hash = ?", (node_hash,)).fetchone()
        return bytes(found[0]) if found else None

    def close(self) -> None:
        """Close the file and let others open it; closing twice is no error."""
        self._db.close()
        self._unlock()

    def _row(self, query: str) -> tuple[Any, ...]:
        found = self._db.execute(query).fetchone()
        if found is None:
            raise Corrupt(f"{self._path} lacks a row: {query}")
        return tuple(found)

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._judging():
            try:
                self._db.execute("BEGIN IMMEDIATE")
                (epoch,) = self._row("SELECT epoch FROM chain")
                if epoch != self.epoch:
                    raise Refused("another writer has taken over", own_epoch=self.epoch, found_epoch=epoch)
                yield
                self._db.execute("COMMIT")
            except BaseException as error:
                with suppress(sqlite3.Error):
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path)) from error
                # A failed fsync leaves open what the disk holds, and asking again would not tell: only recovery does.
                if not isinstance(error, Refused):
                    self.close()
                raise

    @contextmanager
    def _judging(self) -> Iterator[None]:
        """Turn SQLite's verdict on damaged bytes into ours; a busy or failing disk stays what it is."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise Corrupt(f"{self._path} is no whole SQLite file: {error}") from error
            raise


def _locked(path: Path) -> int:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(file)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise Refused("one process has a chain open", folder=path.parent) from error
        raise
    return file

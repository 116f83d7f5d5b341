"""Keep communities' logs in one PostgreSQL database: one writer a log, and answered means durable."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, LiteralString, Self

from psycopg import errors

from commonwatt.adapters.stores.postgres_schema import (
    FORMAT,
    Connection,
    insert,
    is_there,
    make,
    make_durable,
    open_schema,
    refuse_losing_server,
)
from commonwatt.adapters.stores.sealed import SNAPSHOT, Sealer, in_order, refuse_gap
from commonwatt.adapters.stores.vault import Wrapping
from commonwatt.flows.ports import NO_TILES
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import Corrupt, Refused

_PAGE = 1_000
_LEAF: LiteralString = (
    "SELECT leaf.position, stamped_s, outcome, closes, author, seq, owner, leaf.sealed, personal.sealed"
    " FROM leaf LEFT JOIN personal ON personal.position = leaf.position "
)


class PostgresLog:
    """A log that is open for writing, or by `open_readonly` for reading beside its writer.

    Each community's log is a schema of its own in the database, so one server and its one write-ahead log serve many.
    Opening for writing takes the next fencing epoch. Every append locks the log's one writer row and compares the epoch
    in the same transaction, so an old writer that wakes up cannot write, and all writers of a log stand in one line:
    that is why READ COMMITTED is enough, and SERIALIZABLE would only add refusals. Readers ask in single statements,
    each of which sees whole batches.

    What `append` has returned from survives a kill of either side, and a power cut as far as the server's disk keeps
    what it says it has written: ``synchronous_commit`` is on, whatever the server's default.

    The role that makes a log owns it, and alone may erase and prune. `grant` lets others append or read. The
    connection is direct: a pooler that hands it on between transactions would lose its settings.

    Args:
        dsn: How to connect, as libpq reads it.
        community: Whose log it is; made where it is missing.
        wrapping: The master key, which opens the owners' keys; it does not lie in this database.
        durable: Whether to refuse a server that does not sync. Only a test that needs no durability says no.

    Raises:
        InvalidValue: The name is no name for a schema.
        Refused: The log is of another format, or the server is set up to lose data.
        Corrupt: The keys are those of another master key.
        psycopg.Error: The server cannot be reached or refuses the role, or another writer held the log for more than
            5 s.
    """

    place: str
    epoch: int
    """The fencing epoch, from 1; 0 for a reader."""
    _db: Connection
    _sealer: Sealer

    def __init__(self, dsn: str, community: str, wrapping: Wrapping, *, durable: bool = True) -> None:
        self._open(dsn, community, wrapping)
        with self._closing_on_error(), self._judging():
            if durable:
                refuse_losing_server(self._db)
            make_durable(self._db)
            # An old writer that hangs within a transaction must not hold up the new one for ever.
            self._db.execute("SET idle_in_transaction_session_timeout = '10s'")
            if not is_there(self._db, community):
                make(self._db, community)
            with self._db.transaction():
                self._check_format()
                self.epoch = self._number("UPDATE writer SET epoch = epoch + 1 RETURNING epoch")
            self._sealer.load()

    @classmethod
    def open_readonly(cls, dsn: str, community: str, wrapping: Wrapping) -> Self:
        """Return a log that can be read, also while its writer appends, and refuses appends.

        Raises:
            InvalidValue: The name is no name for a schema.
            Refused: There is no such log, or it is of another format.
            Corrupt: The keys are those of another master key.
            psycopg.Error: The server cannot be reached or refuses the role.
        """
        self = cls.__new__(cls)
        self._open(dsn, community, wrapping)
        with self._closing_on_error(), self._judging():
            self._db.execute("SET default_transaction_read_only = on")
            if not is_there(self._db, community):
                raise Refused("there is no log", log=self.place)
            self._check_format()
            self._sealer.load()
        return self

    def append(
        self, rows: Sequence[LeafRow], marks: Mapping[str, str], tiles: Mapping[tuple[int, int], bytes] = NO_TILES
    ) -> None:
        """Add leaves at the end, set marks and put tiles, all or nothing, and return once they are durable.

        After any error but a refusal the log is closed, and what was to be appended may stand in it or not: open it
        again to learn which.

        Args:
            rows: Leaves whose positions continue from `size` without gap; may be none.
            marks: Progress marks to set by name; others stay.
            tiles: Hashes of the log's tree by level and index, in place of shorter ones.

        Raises:
            Refused: Another writer has taken over, the positions do not continue, or this is a reader.
            Corrupt: The database is damaged.
            psycopg.Error: The connection broke, the disk is full, or another writer held the log for more than 5 s.
        """
        sealed = self._sealer.seal(rows)
        with self._writing():
            if rows:
                refuse_gap(self.place, self.size, rows)
                insert(self._db, self._sealer.columns(rows, sealed))
            if marks:
                self._db.execute(
                    "INSERT INTO mark SELECT * FROM unnest(%s::text[], %s::text[])"
                    " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                    ([*marks], [*marks.values()]),
                )
            if tiles:
                self._db.execute(
                    "INSERT INTO tile SELECT * FROM unnest(%b::integer[], %b::bigint[], %b::bytea[])"
                    " ON CONFLICT (level, place) DO UPDATE SET hashes = excluded.hashes",
                    ([level for level, _ in tiles], [index for _, index in tiles], [*tiles.values()]),
                )

    def rows(self, from_position: int = 0) -> Iterator[LeafRow]:
        """Yield the leaves in order, also those that are appended meanwhile.

        Raises:
            InvalidValue, Refused, Corrupt: See `commonwatt.adapters.stores.sealed.in_order`.
        """
        yield from in_order(self.place, from_position, self.pruned_to, self._page, self._sealer.leaves)

    def answered(self, author: str, seq: int) -> LeafRow | None:
        """Return the leaf of a key's request by its number, or None where there is none, or it was erased."""
        asked: LiteralString = _LEAF + "WHERE author = %b AND seq = %b AND leaf.sealed <> ''"
        named = self._all("SELECT id FROM party WHERE sha256(name) = sha256(%b::bytea)", author.encode())
        found = self._all(asked, named[0][0], seq) if named else []
        return self._sealer.leaf(found[0]) if found else None

    def tile(self, level: int, index: int) -> bytes:
        """Return the hashes of a tile as far as they were stored; empty where there is none."""
        found = self._all("SELECT hashes FROM tile WHERE level = %b AND place = %b", level, index)
        return bytes(found[0][0]) if found else b""

    def save_snapshot(self, size: int, content: bytes) -> None:
        """Keep the state after so many leaves, encrypted, beside the one before it; older ones go.

        Raises:
            Refused: The log has not come that far, another writer has taken over, or this is a reader.
        """
        with self._writing():
            if not 0 <= size <= self.size:
                raise Refused("a snapshot is of leaves that are there", log=self.place, size=self.size, found=size)
            columns, sealed = self._sealer.snapshot_columns(size, content)
            insert(self._db, columns)
            self._db.execute(
                "INSERT INTO snapshot VALUES (%b, %b) ON CONFLICT (size) DO UPDATE SET sealed = excluded.sealed",
                (size, sealed),
            )
            self._db.execute(
                "DELETE FROM snapshot WHERE size NOT IN (SELECT size FROM snapshot ORDER BY size DESC LIMIT 2)"
            )

    def snapshots(self) -> Iterator[tuple[int, bytes]]:
        """Yield the snapshots that are kept, the latest first: after how many leaves, and the state."""
        for size, sealed in self._all("SELECT size, sealed FROM snapshot ORDER BY size DESC"):
            yield size, self._sealer.open_snapshot(size, sealed)

    def erase(self, owner: str) -> int:
        """Delete an owner's key and all that rests under it; hashes stay, so every other proof still holds.

        The table of keys is written anew, so that the wrapped key is in none of the server's tables any more. Its
        write-ahead log, its standbys and its backups may hold it until they are recycled, and copies that others made
        are beyond reach. Should that fail after the deletion, erase again.

        Returns:
            How many leaves were there until now.

        Raises:
            Refused: Another writer has taken over, this is a reader, this role does not own the log, nobody of that
                name owns anything, or no snapshot covers the owner's leaves.
        """
        with self._writing():
            self._refuse_stranger()
            party = self._sealer.number(owner)
            if party is None or owner == SNAPSHOT:
                raise Refused("an owner is one who has leaves", log=self.place, found=owner)
            last = self._number("SELECT coalesce(max(position), -1) FROM leaf WHERE owner = %b", party)
            covered = self._number("SELECT coalesce(max(size), 0) FROM snapshot")
            if last >= covered:
                raise Refused("a snapshot covers what is erased", owner=owner, last=last, covered=covered)
            self._db.execute(
                "DELETE FROM personal USING leaf WHERE personal.position = leaf.position AND leaf.owner = %b", (party,)
            )
            gone = self._db.execute("UPDATE leaf SET sealed = '' WHERE owner = %b AND sealed <> ''", (party,)).rowcount
            self._db.execute("DELETE FROM key WHERE party = %b", (party,))
            # From a state before the last of these leaves nobody can go on any more.
            self._db.execute("DELETE FROM snapshot WHERE size <= %b", (last,))
        self._sealer.forget(owner)
        self._db.execute("VACUUM (FULL) key")
        self._db.execute("VACUUM leaf, personal")
        return gone

    def prune(self, position: int) -> None:
        """Let go of the leaves before a position; tiles and snapshots stay.

        Raises:
            Refused: Another writer has taken over, this is a reader, this role does not own the log, or no snapshot
                covers what would go.
        """
        with self._writing():
            self._refuse_stranger()
            covered = self._number("SELECT coalesce(max(size), 0) FROM snapshot")
            if position > covered:
                raise Refused("a snapshot covers what is pruned", found=position, covered=covered)
            self._db.execute("DELETE FROM leaf WHERE position < %b", (position,))
            self._db.execute("DELETE FROM personal WHERE position < %b", (position,))
            self._db.execute("UPDATE writer SET pruned_to = greatest(pruned_to, %b::bigint)", (position,))

    @property
    def pruned_to(self) -> int:
        """The first position that was never pruned."""
        return self._number("SELECT pruned_to FROM writer")

    @property
    def whole_from(self) -> int:
        """The first position from which on every leaf can be read: before it some were pruned or erased."""
        return self._number(
            "SELECT greatest(pruned_to, (SELECT coalesce(max(position) + 1, 0) FROM leaf WHERE sealed = ''))"
            " FROM writer"
        )

    def marks(self) -> dict[str, str]:
        """Return all progress marks by name; they always belong to the last leaf that was appended."""
        return dict(self._all('SELECT name, value FROM mark ORDER BY name COLLATE "C"'))

    @property
    def size(self) -> int:
        """Number of leaves, and so the position of the next one."""
        return self._number("SELECT greatest((SELECT coalesce(max(position) + 1, 0) FROM leaf), pruned_to) FROM writer")

    def close(self) -> None:
        """Close the connection; closing twice is no error."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self, dsn: str, community: str, wrapping: Wrapping) -> None:
        self.place, self.epoch = f"the log of {community}", 0
        self._sealer = Sealer(self.place, wrapping, self._parties)
        self._db = open_schema(dsn, community)

    def _check_format(self) -> None:
        found = self._number("SELECT format FROM writer")
        if found != FORMAT:
            raise Refused("a log is of another format", log=self.place, known=FORMAT, found=found)

    def _refuse_stranger(self) -> None:
        ((owns, role),) = self._all("SELECT has_table_privilege('leaf', 'UPDATE, DELETE'), current_user::text")
        if not owns:
            raise Refused("only the role that owns a log erases and prunes", log=self.place, role=role)

    def _parties(self) -> Iterator[tuple[int, str, bytes | None]]:
        for number, name, wrapped in self._all("SELECT id, name, wrapped FROM party LEFT JOIN key ON party = id"):
            yield number, name.decode(), wrapped

    def _page(self, from_position: int) -> list[tuple[Any, ...]]:
        return self._all(_LEAF + "WHERE leaf.position >= %b ORDER BY leaf.position LIMIT %b", from_position, _PAGE)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Open a transaction in which this writer, and no later one, may write."""
        if self.epoch == 0:
            raise Refused("a log opened for reading takes no leaves", log=self.place)
        with self._judging(), self._transaction():
            epoch = self._number("SELECT epoch FROM writer FOR UPDATE")
            if epoch != self.epoch:
                raise Refused("another writer has taken over", log=self.place, own_epoch=self.epoch, found_epoch=epoch)
            yield

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with self._db.transaction():
                yield
        except Refused:
            raise
        except BaseException:
            # Nobody knows now what the server holds, nor does memory know which parties and keys are stored.
            self.close()
            raise

    @contextmanager
    def _closing_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.close()
            raise

    @contextmanager
    def _judging(self) -> Iterator[None]:
        """Turn the server's verdict on damaged pages into ours; everything else stays what it is."""
        try:
            yield
        except (errors.DataCorrupted, errors.IndexCorrupted) as error:
            raise Corrupt(f"{self.place} is damaged: {error}") from error

    def _all(self, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        with self._judging():
            return self._db.execute(query, values, binary=True).fetchall()

    def _number(self, query: LiteralString, *values: object) -> int:
        found = self._all(query, *values)
        if not found:
            raise Corrupt(f"{self.place} tells no number where one stands: {query}")
        return int(found[0][0])

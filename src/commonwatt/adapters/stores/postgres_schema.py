"""A log's tables in PostgreSQL, which roles may do what with them, and what a server must be set to."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from commonwatt.adapters.stores.sealed import Columns
from commonwatt.model import InvalidValue, Refused

Connection = psycopg.Connection[tuple[Any, ...]]

FORMAT = 1
_PREFIX = "commonwatt_"
_NAME_BYTES = 63
"""PostgreSQL cuts longer names off, and two communities would share one log."""
_SCHEMA: tuple[LiteralString, ...] = (
    # Names are bytes and found by their hash: whoever has a key may act for any text, and neither PostgreSQL's text
    # nor its index holds all of them.
    "CREATE TABLE party (id integer PRIMARY KEY, name bytea NOT NULL)",
    "CREATE UNIQUE INDEX party_by_name ON party (sha256(name))",
    "CREATE TABLE key (party integer PRIMARY KEY, wrapped bytea NOT NULL)",
    "CREATE TABLE leaf (position bigint PRIMARY KEY, stamped_s bigint NOT NULL, outcome text NOT NULL,"
    " closes boolean NOT NULL, author integer NOT NULL, seq bigint NOT NULL, owner integer NOT NULL,"
    " sealed bytea NOT NULL, UNIQUE (author, seq))",
    "CREATE TABLE personal (position bigint PRIMARY KEY, sealed bytea NOT NULL)",
    "CREATE TABLE tile (level integer, place bigint, hashes bytea NOT NULL, PRIMARY KEY (level, place))",
    "CREATE TABLE snapshot (size bigint PRIMARY KEY, sealed bytea NOT NULL)",
    "CREATE TABLE mark (name text PRIMARY KEY, value text NOT NULL)",
    "CREATE TABLE writer (epoch bigint NOT NULL, pruned_to bigint NOT NULL, format integer NOT NULL)",
    # What is encrypted or hashed cannot be made smaller, so nothing tries.
    "ALTER TABLE leaf ALTER sealed SET STORAGE EXTERNAL",
    "ALTER TABLE personal ALTER sealed SET STORAGE EXTERNAL",
    "ALTER TABLE tile ALTER hashes SET STORAGE EXTERNAL",
    "ALTER TABLE snapshot ALTER sealed SET STORAGE EXTERNAL",
)
_MUST_BE = (("fsync", "on"), ("full_page_writes", "on"), ("data_sync_retry", "off"))
_WRITES: tuple[LiteralString, ...] = (
    "GRANT INSERT ON party, key, leaf, personal, tile, snapshot, mark TO {}",
    "GRANT UPDATE (hashes) ON tile TO {}",
    "GRANT UPDATE (value) ON mark TO {}",
    "GRANT UPDATE (sealed), DELETE ON snapshot TO {}",
    "GRANT UPDATE (epoch) ON writer TO {}",
)
_TYPES = {
    "party": ("int4", "bytea"),
    "key": ("int4", "bytea"),
    "leaf": ("int8", "int8", "text", "bool", "int4", "int8", "int4", "bytea"),
    "personal": ("int8", "bytea"),
}


def open_schema(dsn: str, community: str) -> Connection:
    """Return a connection that sees one log's tables, whether they are there or not; each statement commits itself.

    Raises:
        InvalidValue: The community's name is no name for a schema.
        psycopg.Error: The server cannot be reached or refuses the role.
    """
    schema = sql.Identifier(schema_name(community))
    # A server that has gone is noticed within half a minute, not after TCP's two hours.
    db = psycopg.connect(
        dsn,
        autocommit=True,
        connect_timeout=10,
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
        tcp_user_timeout=25_000,
    )
    try:
        db.execute("SET lock_timeout = '5s'")
        # Temporary tables last, so that none is taken for one of the log's.
        db.execute(sql.SQL("SET search_path = {}, pg_temp").format(schema))
    except BaseException:
        db.close()
        raise
    return db


def is_there(db: Connection, community: str) -> bool:
    """Tell whether a log was made."""
    asked = "SELECT FROM pg_catalog.pg_tables WHERE schemaname = %s AND tablename = 'writer'"
    return db.execute(asked, (schema_name(community),)).fetchone() is not None


def make(db: Connection, community: str) -> None:
    """Make a log's tables where they are missing, all or nothing; of several that try at once one does.

    Raises:
        psycopg.Error: The role may not.
    """
    schema = schema_name(community)
    with db.transaction():
        db.execute("SELECT pg_advisory_xact_lock(%s)", (_lock(schema),))
        if not is_there(db, community):
            db.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
            for statement in _SCHEMA:
                db.execute(statement)
            db.execute("INSERT INTO writer VALUES (0, 0, %s)", (FORMAT,))


def make_durable(db: Connection) -> None:
    """Let commits of this connection wait for the disk, whatever the server's default.

    A standby that must have applied them is stronger still, and stays.
    """
    db.execute(
        "SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit')"
        " WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false)"
    )


def refuse_losing_server(db: Connection) -> None:
    """Refuse a server that a power cut robs of what it answered, or of all it has.

    Raises:
        Refused: Names the setting.
    """
    for setting, needed in _MUST_BE:
        (found,) = db.execute("SELECT current_setting(%s)", (setting,)).fetchone() or ("unknown",)
        if found != needed:
            raise Refused("a log needs a server that keeps what it answers", setting=setting, found=found)


def insert(db: Connection, columns: Columns) -> None:
    """Put a batch's columns into their tables by binary COPY."""
    parties = [(number, name.encode()) for number, name in columns.parties]
    with db.cursor() as cursor:
        for table, rows in (
            ("party", parties),
            ("key", columns.keys),
            ("leaf", columns.leaves),
            ("personal", columns.personal),
        ):
            _copy(cursor, table, rows)


def grant(dsn: str, community: str, *, writer: str | None = None, reader: str | None = None) -> None:
    """Let roles append to a log, or read it, and no more; called by the role that owns it.

    A writer adds leaves, personal fields, parties and keys, and replaces tiles, marks and snapshots; it changes or
    deletes no leaf and no key. Erasing and pruning stay with the owner.

    Args:
        dsn: How to connect, as the owner.
        community: Whose log it is.
        writer: A role that exists, may connect and appends.
        reader: Likewise, and reads. Without the master key it sees hashes, names and times.

    Raises:
        InvalidValue: The community's name is no name for a schema.
        psycopg.Error: There is no such log or role, or this role does not own the log.
    """
    schema = sql.Identifier(schema_name(community))
    with open_schema(dsn, community) as db, db.transaction():
        for role in filter(None, (writer, reader)):
            name = sql.Identifier(role)
            db.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, name))
            db.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}").format(schema, name))
        if writer:
            for right in _WRITES:
                db.execute(sql.SQL(right).format(sql.Identifier(writer)))


def schema_name(community: str) -> str:
    """Return the name of a community's schema.

    Raises:
        InvalidValue: It would be none, or be cut off.
    """
    name = _PREFIX + community
    if not community or not community.isprintable() or len(name.encode()) > _NAME_BYTES:
        most = _NAME_BYTES - len(_PREFIX)
        raise InvalidValue(f"a log in PostgreSQL is of a community with a name of 1 to {most} bytes, was {community!r}")
    return name


def _lock(schema: str) -> int:
    return int.from_bytes(sha256(schema.encode()).digest()[:8], signed=True)


def _copy(cursor: psycopg.Cursor[tuple[Any, ...]], table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    if rows:
        with cursor.copy(sql.SQL("COPY {} FROM STDIN WITH (FORMAT binary)").format(sql.Identifier(table))) as copy:
            copy.set_types(_TYPES[table])
            for row in rows:
                copy.write_row(row)

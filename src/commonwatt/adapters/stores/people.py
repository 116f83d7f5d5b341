"""Keep people and their ways in, in one SQLite file: encrypted, each person under a key of their own."""

import hmac
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

import msgspec

from commonwatt.adapters.stores.ledger_file import open_file
from commonwatt.adapters.stores.vault import Vault, Wrapping
from commonwatt.flows.entrance.records import (
    NOBODY,
    Credential,
    Invited,
    KeptRecovery,
    Notice,
    Person,
    Session,
    Token,
)
from commonwatt.flows.notices.records import Channel, Mark, Parcel, Told, Watch, Wishes
from commonwatt.identity.signing_in import trail
from commonwatt.identity.signing_in.slowing import Tries
from commonwatt.identity.signing_in.trail import Event, Happened
from commonwatt.kernels.gcm import KEY_BYTES
from commonwatt.model import Corrupt, Erased, Refused

_SCHEMA = (
    # Whose: the key under which somebody's records rest, wrapped, until it is erased.
    "CREATE TABLE owner (name TEXT PRIMARY KEY, wrapped BLOB NOT NULL) STRICT",
    "CREATE TABLE record (place INTEGER PRIMARY KEY AUTOINCREMENT, shelf TEXT NOT NULL, key TEXT NOT NULL,"
    " owner TEXT NOT NULL, lookup TEXT, sealed BLOB NOT NULL, UNIQUE (shelf, key), UNIQUE (shelf, lookup)) STRICT",
    "CREATE INDEX record_by_owner ON record (shelf, owner)",
    "CREATE TABLE event (number INTEGER PRIMARY KEY, at_s INTEGER NOT NULL, what TEXT NOT NULL, told TEXT NOT NULL,"
    " hash TEXT NOT NULL, owner TEXT NOT NULL, sealed BLOB NOT NULL) STRICT",
    "CREATE TABLE tries (whose TEXT PRIMARY KEY, count INTEGER NOT NULL, last_s INTEGER NOT NULL) STRICT",
    "CREATE TABLE lookup_key (only INTEGER PRIMARY KEY CHECK (only = 1), wrapped BLOB NOT NULL) STRICT",
)
_EVENTS = 1 << 48
"""Added to an event's number, so that nothing sealed for an event opens as a record."""
_MOST_REMEMBERED = 20_000
_PAGE = 500
_MOST_TRIES = 100_000


class _Record(Protocol):
    @property
    def key(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def lookup(self) -> str | None: ...


T = TypeVar("T", bound=_Record)


class PeopleFile:
    """Implements `commonwatt.flows.entrance.ports.People`; of one thread.

    Nothing of a person rests in the open: records are encrypted under the person's key, what they are found by is a
    keyed hash. Erasing that key erases them; the trail's chain still holds.

    Args:
        path: The file; made with mode 0600 where it is missing.
        wrapping: The master key, which opens the others; it does not lie in this file.

    Raises:
        Refused: The file is of another format.
        Corrupt: The file is no SQLite database, is damaged, or another master key's.
    """

    def __init__(self, path: Path, wrapping: Wrapping) -> None:
        self._db = open_file(path, _SCHEMA)
        self._db.execute("PRAGMA secure_delete = ON")
        self._vault = Vault(wrapping)
        self._wrapping = wrapping
        self._depth = 0
        self._version = -1
        self._remembered: dict[tuple[str, str], object] = {}
        self._load_owners()
        self._lookup_key = self._open_lookup_key()
        self.persons = _Kept[Person](self, "person", Person)
        self.credentials = _Kept[Credential](self, "credential", Credential)
        self.sessions = _Kept[Session](self, "session", Session)
        self.tokens = _Kept[Token](self, "token", Token)
        self.invitations = _Kept[Invited](self, "invitation", Invited)
        self.recoveries = _Kept[KeptRecovery](self, "recovery", KeptRecovery)
        self.notices = _Kept[Notice](self, "notice", Notice)
        self.channels = _Kept[Channel](self, "channel", Channel)
        self.wishes = _Kept[Wishes](self, "wishes", Wishes)
        self.watches = _Kept[Watch](self, "watch", Watch)
        self.told = _Kept[Told](self, "told", Told)
        self.parcels = _Kept[Parcel](self, "parcel", Parcel)
        self.marks = _Kept[Mark](self, "mark", Mark)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Let all that is changed meanwhile be kept together or not at all; may be nested.

        Raises:
            OSError: The disk is full or broken, or another process holds the file for long; nothing is changed.
        """
        if self._depth:
            yield
            return
        try:
            with self._whole():
                yield
        except sqlite3.OperationalError as error:
            raise OSError(f"what is known of people cannot be kept: {error}") from error

    @contextmanager
    def _whole(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        self._depth = 1
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.OperationalError):  # a full disk ended the transaction by itself
                self._db.execute("ROLLBACK")
            self._remembered.clear()
            self._load_owners()
            raise
        finally:
            self._depth = 0

    def note(self, at_s: int, what: Happened, person: str, details: Mapping[str, str]) -> Event:
        """Put an event behind the trail."""
        with self.together():
            salt, told = trail.tell(details)
            event = trail.next_event(self.head(), at_s, what, told)
            sealed = self.seal(person, _EVENTS + event.number, salt + msgspec.json.encode(details, order="sorted"))
            self._db.execute(
                "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?)",
                (event.number, event.at_s, event.what.value, event.told, event.hash, person, sealed),
            )
        return event

    def head(self) -> Event | None:
        """Return the last event."""
        row = self._db.execute(
            "SELECT number, at_s, what, told, hash FROM event ORDER BY number DESC LIMIT 1"
        ).fetchone()
        return _event(row) if row else None

    def trail(self, after: int = 0) -> Iterator[tuple[Event, Mapping[str, str] | None]]:
        """Yield events behind a number with what they tell; None where that was erased.

        Raises:
            Corrupt: What an event tells is not what was hashed, or it is impossible.
        """
        while rows := self._db.execute(
            "SELECT number, at_s, what, told, hash, owner, sealed FROM event WHERE number > ? ORDER BY number LIMIT ?",
            (after, _PAGE),
        ).fetchall():
            for *columns, owner, sealed in rows:
                event = _event(columns)
                yield event, self._told(event, owner, sealed)
                after = event.number

    def whose(self, number: int) -> str:
        """Return to whom an event of the trail happened: an id; `records.NOBODY` for nobody who is known."""
        row = self._db.execute("SELECT owner FROM event WHERE number = ?", (number,)).fetchone()
        return str(row[0]) if row else NOBODY

    def tries(self, whose: str) -> Tries:
        """Return how often something was tried in a row without success."""
        row = self._db.execute("SELECT count, last_s FROM tries WHERE whose = ?", (self.hidden("tries", whose),))
        found = row.fetchone()
        return Tries(*found) if found else Tries()

    def set_tries(self, whose: str, tries: Tries) -> None:
        """Keep how often; nothing is kept of none. The oldest are forgotten where there are very many."""
        name = self.hidden("tries", whose)
        with self.together():
            if not tries.count:
                self._db.execute("DELETE FROM tries WHERE whose = ?", (name,))
                return
            self._db.execute("INSERT OR REPLACE INTO tries VALUES (?, ?, ?)", (name, tries.count, tries.last_s))
            (many,) = self._db.execute("SELECT count(*) FROM tries").fetchone()
            if many > _MOST_TRIES:
                self._db.execute(
                    "DELETE FROM tries WHERE whose IN (SELECT whose FROM tries ORDER BY last_s LIMIT 1000)"
                )

    def erase(self, person: str) -> None:
        """Erase a person: their key and records. What the trail tells of them can be read no more, its chain holds."""
        with self.together():
            self._db.execute("DELETE FROM record WHERE owner = ?", (person,))
            self._db.execute("DELETE FROM owner WHERE name = ?", (person,))
            self._vault.forget(person)
            self._remembered.clear()
        # Else the key could be read from pages that are free, or from the write-ahead log.
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the file; closing twice is no error."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # What shelves need of it.

    @property
    def db(self) -> sqlite3.Connection:
        """The open file."""
        return self._db

    def remembered(self) -> dict[tuple[str, str], object]:
        """Return records that were read before; none where another process changed the file since."""
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        if version != self._version or len(self._remembered) > _MOST_REMEMBERED:
            self._version = version
            self._remembered.clear()
            self._load_owners()
        return self._remembered

    def seal(self, owner: str, place: int, content: bytes) -> bytes:
        """Encrypt something for its owner and place; an owner without key gets one. In a transaction."""
        if not self._vault.knows(owner):
            self._load_owners()
        (sealed,) = self._vault.seal([(owner, place, content)])
        self._db.executemany("INSERT INTO owner VALUES (?, ?)", self._vault.fresh().items())
        return sealed

    def open(self, owner: str, place: int, sealed: bytes) -> bytes:
        """Decrypt it.

        Raises:
            Corrupt: It is damaged, of another place, or its owner's key is gone.
        """
        return self._vault.open(owner, place, sealed)

    def hidden(self, shelf: str, lookup: str) -> str:
        """Return what stands in the file in a name's stead."""
        return hmac.new(self._lookup_key, f"{shelf} {lookup}".encode(), "sha256").hexdigest()

    def _told(self, event: Event, owner: str, sealed: bytes) -> Mapping[str, str] | None:
        try:
            opened = self.open(owner, _EVENTS + event.number, sealed)
        except Erased:
            return None
        details = msgspec.json.decode(opened[16:], type=dict[str, str])
        if trail.told_hash(opened[:16], details) != event.told:
            raise Corrupt(f"event {event.number} of the trail tells other things than were hashed")
        return details

    def _load_owners(self) -> None:
        self._vault.load(dict(self._db.execute("SELECT name, wrapped FROM owner").fetchall()))

    def _open_lookup_key(self) -> bytes:
        with self.together():
            fresh = self._wrapping.wrap(secrets.token_bytes(KEY_BYTES))
            self._db.execute("INSERT OR IGNORE INTO lookup_key VALUES (1, ?)", (fresh,))
            (wrapped,) = self._db.execute("SELECT wrapped FROM lookup_key").fetchone()
        return self._wrapping.unwrap(wrapped)


class _Kept(Generic[T]):
    """Implements `commonwatt.flows.entrance.ports.Shelf` on a file's records."""

    def __init__(self, file: PeopleFile, shelf: str, kind: type[T]) -> None:
        self._file, self._shelf = file, shelf
        self._decoder = msgspec.json.Decoder(kind)
        self._encoder = msgspec.json.Encoder()

    def get(self, key: str) -> T | None:
        known = self._file.remembered().get((self._shelf, key))
        if known is None:
            found = self._where("key = ?", key)
            return found[0] if found else None
        return known  # type: ignore[return-value]  # put there by this shelf, see _where

    def find(self, lookup: str) -> T | None:
        found = self._where("lookup = ?", self._file.hidden(self._shelf, lookup))
        return found[0] if found else None

    def of(self, owner: str) -> list[T]:
        return self._where("owner = ?", owner)

    def all(self) -> list[T]:
        return self._where("? = ''", "")

    def put(self, record: T) -> None:
        lookup = None if record.lookup is None else self._file.hidden(self._shelf, record.lookup)
        with self._file.together():
            db = self._file.db
            row = db.execute(
                "SELECT place FROM record WHERE shelf = ? AND key = ?", (self._shelf, record.key)
            ).fetchone()
            try:
                if row is None:
                    row = db.execute(
                        "INSERT INTO record (shelf, key, owner, lookup, sealed) VALUES (?, ?, ?, ?, x'')"
                        " RETURNING place",
                        (self._shelf, record.key, record.owner, lookup),
                    ).fetchone()
                (place,) = row
                sealed = self._file.seal(record.owner, place, self._encoder.encode(record))
                db.execute("UPDATE record SET lookup = ?, sealed = ? WHERE place = ?", (lookup, sealed, place))
            except sqlite3.IntegrityError as error:
                raise Refused("this belongs to somebody already", kind=self._shelf) from error
            self._file.remembered()[self._shelf, record.key] = record

    def drop(self, key: str) -> None:
        with self._file.together():
            self._file.db.execute("DELETE FROM record WHERE shelf = ? AND key = ?", (self._shelf, key))
            self._file.remembered().pop((self._shelf, key), None)

    def _where(self, which: str, value: str) -> list[T]:
        remembered = self._file.remembered()
        rows = self._file.db.execute(
            f"SELECT place, owner, sealed FROM record WHERE shelf = ? AND {which} ORDER BY place",  # noqa: S608  fixed words
            (self._shelf, value),
        ).fetchall()
        found = []
        for place, owner, sealed in rows:
            try:
                record = self._decoder.decode(self._file.open(owner, place, sealed))
            except msgspec.MsgspecError as error:
                raise Corrupt(f"a record of {self._shelf} cannot be read: {error}") from error
            remembered[self._shelf, record.key] = record
            found.append(record)
        return found


def _event(columns: list[object] | tuple[object, ...]) -> Event:
    number, at_s, what, told, head = columns
    assert isinstance(number, int) and isinstance(at_s, int)
    try:
        return Event(number=number, at_s=at_s, what=Happened(str(what)), told=str(told), hash=str(head))
    except ValueError as error:
        raise Corrupt(f"event {number} of the trail is impossible: {error}") from error

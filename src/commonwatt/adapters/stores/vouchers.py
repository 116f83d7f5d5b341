"""Vouchers on disk: what a payee holds of its channels, and a payer's book; each change durable before it counts."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from commonwatt.adapters.stores.ledger_file import open_file
from commonwatt.model import Corrupt, InvalidValue
from commonwatt.tokens.channel import Config, Payee, Payer, Voucher

_HELD = (
    "CREATE TABLE held (channel TEXT PRIMARY KEY, account TEXT NOT NULL, payer TEXT NOT NULL, signer TEXT NOT NULL,"
    " payee TEXT NOT NULL, token TEXT NOT NULL, delay_s INTEGER NOT NULL, salt TEXT NOT NULL, total INTEGER NOT NULL,"
    " signature TEXT NOT NULL, credited INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE watched (only INTEGER PRIMARY KEY CHECK (only = 1), block INTEGER NOT NULL) STRICT",
)
_POCKET = ("CREATE TABLE book (only INTEGER PRIMARY KEY CHECK (only = 1), content BLOB NOT NULL) STRICT",)


class _File:
    """A small file that is closed at the end."""

    _db: sqlite3.Connection

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class HeldFile(_File):
    """Implements `commonwatt.flows.channels.ports.Held` in one SQLite file.

    Args:
        path: The file; made where it is missing. Till and watchtower take turns with it.

    Raises:
        Refused: The file is of another format.
        Corrupt: The file is no SQLite database or is damaged.
        OSError: The file cannot be made, or is not ours to keep.
    """

    def __init__(self, path: Path) -> None:
        self._db = open_file(path, _HELD, any_thread=True)

    def of(self, channel: str) -> Payee | None:
        """Return what is held of a channel; None where nothing is."""
        found = self._db.execute("SELECT * FROM held WHERE channel = ?", (channel,)).fetchone()
        return _payee(found) if found else None

    def keep(self, payee: Payee) -> None:
        """Put what is held of a channel in place of what was, durably.

        Raises:
            OSError: The disk is full or broken; it is as before.
        """
        self.keep_all([payee])

    def keep_all(self, payees: Iterable[Payee]) -> None:
        """Do the same for many, all or nothing. Raises OSError as in `keep`."""
        with _disk(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "INSERT OR REPLACE INTO held VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", map(_row, payees)
            )

    def after(self, channel: str, most: int) -> list[Payee]:
        """Return what is held of channels after one, by name, so many at most."""
        rows = self._db.execute("SELECT * FROM held WHERE channel > ? ORDER BY channel LIMIT ?", (channel, most))
        return [_payee(row) for row in rows.fetchall()]

    def watched_to(self) -> int:
        """Return the block from which withdrawals are looked for."""
        found = self._db.execute("SELECT block FROM watched").fetchone()
        return int(found[0]) if found else 0

    def watch_from(self, block: int) -> None:
        """Let them be looked for from a block on, durably. Raises OSError as in `keep`."""
        with _disk():
            self._db.execute("INSERT OR REPLACE INTO watched VALUES (1, ?)", (block,))


class PocketFile(_File):
    """Implements `commonwatt.flows.channels.ports.Pocket` in one SQLite file; errors as in `HeldFile`."""

    def __init__(self, path: Path) -> None:
        self._db = open_file(path, _POCKET, any_thread=True)

    def book(self) -> Payer | None:
        """Return what was kept last; None before."""
        found = self._db.execute("SELECT content FROM book").fetchone()
        try:
            return msgspec.json.decode(found[0], type=Payer) if found else None
        except msgspec.MsgspecError as error:
            raise Corrupt(f"a payer's book is damaged: {error}") from error

    def keep(self, payer: Payer) -> None:
        """Put a book in place of the one before, durably.

        Raises:
            OSError: The disk is full or broken; it is as before.
        """
        with _disk():
            self._db.execute("INSERT OR REPLACE INTO book VALUES (1, ?)", (msgspec.json.encode(payer),))


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise OSError(f"vouchers cannot be kept: {error}") from error


def _row(payee: Payee) -> tuple[Any, ...]:
    config, voucher = payee.config, payee.voucher
    return (
        payee.channel,
        payee.account,
        config.payer,
        config.signer,
        config.payee,
        config.token,
        config.delay_s,
        f"{config.salt:064x}",
        payee.total,
        voucher.signature if voucher else "",
        payee.credited,
    )


def _payee(row: tuple[Any, ...]) -> Payee:
    channel, account, payer, signer, payee, token, delay_s, salt, total, signature, credited = row
    try:
        return Payee(
            config=Config(payer=payer, signer=signer, payee=payee, token=token, delay_s=delay_s, salt=int(salt, 16)),
            channel=channel,
            account=account,
            voucher=Voucher(channel=channel, total=total, signature=signature) if signature else None,
            credited=credited,
        )
    except (InvalidValue, ValueError) as error:
        raise Corrupt(f"what is held of channel {channel} is damaged: {error}") from error

"""Remember whose calendar stands at which secret address: the secret itself is kept nowhere."""

import secrets
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

from commonwatt.adapters.stores.ledger_file import open_file
from commonwatt.model import AccountId

SECRET_BYTES = 32
_SCHEMA = (
    "CREATE TABLE feed (account TEXT NOT NULL PRIMARY KEY, digest BLOB NOT NULL UNIQUE, made_s INTEGER NOT NULL)"
    " STRICT, WITHOUT ROWID",
)


class FeedFile:
    """One address an account at most; a new one ends the one before.

    Args:
        path: The file; made with mode 0600 where it is missing.
        now_s: The system's clock, seconds since 1970.

    Raises:
        Refused: The file is of another format.
        Corrupt: The file is no SQLite database or is damaged.
    """

    def __init__(self, path: Path, now_s: Callable[[], int]) -> None:
        self._db, self._now_s = open_file(path, _SCHEMA), now_s

    def make(self, account: AccountId) -> str:
        """Return a new secret for an account: 256 bits that nobody guesses, so that a plain digest keeps it."""
        secret = secrets.token_urlsafe(SECRET_BYTES)
        self._db.execute(
            "INSERT OR REPLACE INTO feed (account, digest, made_s) VALUES (?, ?, ?)",
            (account, _digest(secret), self._now_s()),
        )
        return secret

    def revoke(self, account: AccountId) -> bool:
        """End an account's address; tells whether there was one."""
        return self._db.execute("DELETE FROM feed WHERE account = ?", (account,)).rowcount > 0

    def made_s(self, account: AccountId) -> int | None:
        """Return when an account's address was made, seconds since 1970; None where there is none."""
        found = self._db.execute("SELECT made_s FROM feed WHERE account = ?", (account,)).fetchone()
        return None if found is None else int(found[0])

    def account(self, secret: str) -> AccountId | None:
        """Return whose calendar stands at a secret; None where none does."""
        found = self._db.execute("SELECT account FROM feed WHERE digest = ?", (_digest(secret),)).fetchone()
        return None if found is None else AccountId(found[0])

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()

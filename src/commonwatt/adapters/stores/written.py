"""Remember for a day what was signed under which idempotency key, so that asking twice is asking once."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

from commonwatt.adapters.stores.ledger_file import open_file
from commonwatt.model import Outcome, Refused

KEPT_S = 86_400
_SCHEMA = (
    "CREATE TABLE written (caller BLOB NOT NULL, digest BLOB NOT NULL, wire BLOB, outcome TEXT, position INTEGER,"
    " at_s INTEGER NOT NULL, PRIMARY KEY (caller)) STRICT, WITHOUT ROWID",
    "CREATE INDEX written_by_time ON written (at_s)",
)


@dataclass(frozen=True, slots=True)
class Written:
    """What became of what was asked under a key: the request as it was signed, and its outcome once it is known."""

    wire: bytes | None
    outcome: Outcome | None
    position: int | None


class WrittenFile:
    """Keys by who used them, hashed, since neither is anybody else's business.

    Args:
        path: The file; made with mode 0600 where it is missing.
        now_s: The system's clock, seconds since 1970.

    Raises:
        Refused: The file is of another format.
        Corrupt: The file is no SQLite database or is damaged.
    """

    def __init__(self, path: Path, now_s: Callable[[], int]) -> None:
        self._db, self._now_s = open_file(path, _SCHEMA), now_s

    def begin(self, caller: str, key: str, asked: bytes) -> Written:
        """Return what was written under a key before; nothing where this is the first time.

        Raises:
            Refused: Something else was asked under this key.
        """
        who, digest = _hashed(caller.encode(), key.encode()), sha256(asked).digest()
        self._db.execute("DELETE FROM written WHERE at_s < ?", (self._now_s() - KEPT_S,))
        self._db.execute(
            "INSERT INTO written (caller, digest, at_s) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (who, digest, self._now_s()),
        )
        found, wire, outcome, position = self._db.execute(
            "SELECT digest, wire, outcome, position FROM written WHERE caller = ?", (who,)
        ).fetchone()
        if found != digest:
            raise Refused("one idempotency key is for one request", key=key[:80])
        return Written(wire, None if outcome is None else Outcome(outcome), position)

    def signed(self, caller: str, key: str, wire: bytes) -> None:
        """Keep a request before it is sent: should nobody hear its outcome, it is this one that is sent again."""
        self._db.execute("UPDATE written SET wire = ? WHERE caller = ?", (wire, _hashed(caller.encode(), key.encode())))

    def done(self, caller: str, key: str, outcome: Outcome, position: int | None) -> None:
        """Keep what became of it."""
        self._db.execute(
            "UPDATE written SET outcome = ?, position = ? WHERE caller = ?",
            (outcome.value, position, _hashed(caller.encode(), key.encode())),
        )

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _hashed(*parts: bytes) -> bytes:
    return sha256(b"".join(len(part).to_bytes(4) + part for part in parts)).digest()

"""Who may charge: a table of tokens, everybody, or whoever else decides; and one-time tokens for what we start."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from commonwatt.adapters.stores.keyfile import load_secret, save_secret

ACCEPTED, BLOCKED, EXPIRED, INVALID, CONCURRENT = "Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"


class Verdict(NamedTuple):
    """What is said of a token: OCPP's status, until when it holds, and the group of tokens that may stop each other."""

    status: str
    expires_s: int | None = None
    group: str = ""


class Authoriser(Protocol):
    """Decides who may charge. ``exclusive`` tells that a token charges in one place at a time."""

    exclusive: bool

    def judge(self, station: str, token: str, now_s: int) -> Verdict:
        """Return what is said of a token at a station."""


class Everybody:
    """Lets everybody charge: who pays is settled elsewhere, by whoever sells the energy."""

    exclusive = False

    def judge(self, station: str, token: str, now_s: int) -> Verdict:
        """Accept."""
        return Verdict(ACCEPTED)


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """One token.

    Args:
        id: As the station reads it; great and small letters are alike. An eMAID may have its hyphens or not.
        status: ``Accepted`` or ``Blocked``.
        expires_s: After that it is refused.
        group: Tokens of one group may stop each other's charging.
        kind: What it is in OCPP 2.x.
        stations: Where it may charge; empty: everywhere.
    """

    id: str
    status: str = ACCEPTED
    expires_s: int | None = None
    group: str = ""
    kind: str = "ISO14443"
    stations: tuple[str, ...] = ()


class Tokens:
    """A table of tokens, in a file for its owner alone: whoever knows a token can charge on it.

    Args:
        folder: Where the file lies; None: it lives as long as the process.
    """

    exclusive = True

    def __init__(self, folder: Path | None = None) -> None:
        self._path = None if folder is None else folder / "ocpp-tokens.json"
        self._known: dict[str, Token] = {}
        if self._path is not None and self._path.exists():
            self._known = {_key(one.id): one for one in msgspec.json.decode(load_secret(self._path), type=list[Token])}

    def put(self, tokens: Iterable[Token]) -> None:
        """Add tokens, or change them."""
        self._known |= {_key(one.id): one for one in tokens}
        self._save()

    def remove(self, id: str) -> None:
        """Forget a token."""
        self._known.pop(_key(id), None)
        self._save()

    def all(self) -> list[Token]:
        """Return all tokens."""
        return list(self._known.values())

    def judge(self, station: str, token: str, now_s: int) -> Verdict:
        """Return what the table says; what it does not have is invalid."""
        known = self._known.get(_key(token))
        if known is None or (known.stations and station not in known.stations):
            return Verdict(INVALID)
        if known.expires_s is not None and known.expires_s <= now_s:
            return Verdict(EXPIRED, known.expires_s, known.group)
        return Verdict(known.status, known.expires_s, known.group)

    def _save(self) -> None:
        if self._path is not None:
            save_secret(self._path, msgspec.json.encode(self.all()))


def same_token(one: str, other: str) -> bool:
    """Tell whether two tokens are the same to OCPP, where case never matters."""
    return _key(one) == _key(other)


def _key(token: str) -> str:
    return token.casefold().replace("-", "")

"""Passwords of stations, kept as scrypt hashes in a file for its owner alone, and the security profile each reached."""

import asyncio
import hashlib
import hmac
import secrets
from pathlib import Path

import msgspec

from commonwatt.adapters.stores.keyfile import load_secret, save_secret
from commonwatt.model import InvalidValue

COST, BLOCK = 1 << 14, 8
"""Of scrypt: 16 MB and some hundredths of a second a guess."""
SHORTEST, LONGEST = 16, 64
AT_ONCE = 2
"""So many guesses are computed side by side; more wait, so that guessing cannot take the machine."""


class Credential(msgspec.Struct):
    """What is known of one station.

    Args:
        hash: Of its password, empty where it has none.
        next: Of the password that it was told to take, until it comes with it.
        profile: The highest security profile that it ever came with.
    """

    hash: str = ""
    next: str = ""
    profile: int = 0


class Credentials:
    """The credentials of all stations of a server.

    Args:
        folder: Where the file lies; None: they live as long as the process.

    Raises:
        Refused: Others may read the file.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else folder / "ocpp-credentials.json"
        self._known: dict[str, Credential] = {}
        self._gate = asyncio.Semaphore(AT_ONCE)
        if self._path is not None and self._path.exists():
            self._known = msgspec.json.decode(load_secret(self._path), type=dict[str, Credential])

    def set(self, station: str, password: str) -> None:
        """Give a station a password that holds at once.

        Raises:
            InvalidValue: It is too short or too long.
        """
        self._known[station] = Credential(hash=hashed(password), profile=self.reached(station))
        self._save()

    def offer(self, station: str, password: str) -> None:
        """Note the password that a station is told to take; the old one holds until it comes with this one."""
        self._of(station).next = hashed(password)
        self._save()

    def withdraw(self, station: str) -> None:
        """Forget a password that the station did not take."""
        self._of(station).next = ""
        self._save()

    def has_password(self, station: str) -> bool:
        """Tell whether a station has a password, or is about to get its first."""
        known = self._known.get(station)
        return known is not None and bool(known.hash or known.next)

    def waits(self, station: str) -> bool:
        """Tell whether a station was told a new password and has not come with it yet."""
        known = self._known.get(station)
        return known is not None and bool(known.next)

    async def holds(self, station: str, password: bytes) -> bool:
        """Tell whether a password is the station's; a new one takes the old one's place when it first comes.

        Passwords of OCPP 1.6 are written in hexadecimal where they are configured; some stations then send the
        bytes and some the digits, so either is taken.
        """
        known = self._known.get(station)
        if known is None or not SHORTEST <= len(password) <= LONGEST:
            return False
        forms = [password] if len(password) == LONGEST else [password, password.hex().encode()]
        async with self._gate:
            for form in forms:
                if known.next and await _fits(known.next, form):
                    known.hash, known.next = known.next, ""
                    self._save()
                    return True
                if known.hash and await _fits(known.hash, form):
                    return True
        return False

    def reached(self, station: str) -> int:
        """Return the highest security profile that a station ever came with."""
        known = self._known.get(station)
        return 0 if known is None else known.profile

    def reach(self, station: str, profile: int) -> None:
        """Note that a station came with a profile; a lower one is not taken from it any more."""
        if profile > self.reached(station):
            self._of(station).profile = profile
            self._save()

    def forgive(self, station: str) -> None:
        """Let a station begin anew with whatever profile is asked of it: its owner exchanged it."""
        self._known.pop(station, None)
        self._save()

    def _of(self, station: str) -> Credential:
        return self._known.setdefault(station, Credential())

    def _save(self) -> None:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            save_secret(self._path, msgspec.json.encode(self._known))


def fresh_password() -> str:
    """Return a random password of 160 bits in forty hexadecimal digits, which every version can be told."""
    return secrets.token_hex(20)


def hashed(password: str) -> str:
    """Return salt and hash of a password.

    Raises:
        InvalidValue: It is too short or too long for OCPP.

    Source: RFC 7914; OCPP 2.0.1 part 2, A00.FR.205 (16 to 40 signs; 2.1 takes 64).
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidValue(f"a password has {SHORTEST} to {LONGEST} signs, had {len(password)}")
    salt = secrets.token_bytes(16)
    return f"{salt.hex()}${_scrypt(password.encode(), salt).hex()}"


async def _fits(kept: str, password: bytes) -> bool:
    salt, _, hash = kept.partition("$")
    found = await asyncio.to_thread(_scrypt, password, bytes.fromhex(salt))  # long enough to keep others waiting
    return hmac.compare_digest(found.hex(), hash)


def _scrypt(password: bytes, salt: bytes) -> bytes:
    return hashlib.scrypt(password, salt=salt, n=COST, r=BLOCK, p=1)

"""Passwords: which are taken, how they rest, and how one is compared without telling whether there is any."""

import secrets
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from commonwatt.model import Refused

SHORTEST, LONGEST = 12, 256
_FEWEST_CHARACTERS = 5
"""Different ones: `aaaaaaaaaaaa` is long, and the first that anybody tries."""


class Passwords:
    """Hashes passwords and compares them.

    Args:
        passes: How often the memory is gone through.
        memory_kib: How much memory one hash takes, KiB.
        lanes: Into how many parts it is split.

    Source: Argon2id, RFC 9106, the second recommended choice of section 4.
    """

    def __init__(self, passes: int = 3, memory_kib: int = 65_536, lanes: int = 4) -> None:
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=lanes)
        # Compared with where a name has no password, so that the answer takes as long.
        self._nobodys = self._hasher.hash(secrets.token_urlsafe(24))

    def hash(self, password: str) -> str:
        """Return what may rest of a password; takes tens of milliseconds, on purpose."""
        return self._hasher.hash(_form(password))

    def holds(self, stored: str | None, password: str) -> bool:
        """Tell whether a password is the one that was hashed; False, after as much work, where there is none."""
        try:
            self._hasher.verify(stored or self._nobodys, _form(password)[: 4 * LONGEST])
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None

    def outdated(self, stored: str) -> bool:
        """Tell whether a hash was made with other numbers than these, so that it is to be made anew."""
        return self._hasher.check_needs_rehash(stored)


def check_new(password: str, name: str) -> None:
    """Refuse a password that is easily guessed; the rest is a matter of length, not of special characters.

    Raises:
        Refused: It is too short or too long, holds the name, or few different characters.

    Source: NIST SP 800-63B section 3.1.1.2.
    """
    form = _form(password)
    if not SHORTEST <= len(form) <= LONGEST:
        raise Refused(f"a password has {SHORTEST} to {LONGEST} characters", found=len(form))
    if len(set(form)) < _FEWEST_CHARACTERS:
        raise Refused("a password has different characters", found=len(set(form)), least=_FEWEST_CHARACTERS)
    if name.casefold() in form.casefold():
        raise Refused("a password does not hold the name of its owner")


def _form(password: str) -> str:
    """Return one form of what looks alike, since keyboards write the same letter in several ways."""
    return unicodedata.normalize("NFKC", password)

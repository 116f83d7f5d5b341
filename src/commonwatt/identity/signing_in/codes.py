"""Codes that people type: of an authenticator app, and printed ones for the day when everything else is lost."""

import hmac
import secrets
from hashlib import sha256

import pyotp

STEP_S = 30
_DRIFT = 1
"""Steps by which a phone's clock may differ."""
PRINTED_CODES = 10
_GROUPS, _LETTERS = 4, 5
_LONGEST = 100
"""Characters that are looked at of what somebody typed."""
_ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Without what is mistaken for something else on paper: I, L, O, 0 and 1."""


def new_totp_secret() -> str:
    """Return a secret for an authenticator app: 160 random bits in base32."""
    return pyotp.random_base32()


def totp_uri(secret: str, name: str, issuer: str) -> str:
    """Return what an authenticator app reads from a picture: an ``otpauth:`` URI."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=issuer)


def totp_step(secret: str, code: str, now_s: int, used_step: int) -> int | None:
    """Return the step of a code that is good now, or None.

    A step that was used, and any before it, is good no more: who looked over a shoulder comes too late.

    Args:
        secret: Of the authenticator.
        code: As it was typed; blanks do not count.
        now_s: Seconds since 1970.
        used_step: The last step whose code was taken; -1 where none was.

    Source: RFC 6238, section 5.2.
    """
    typed = "".join(code[:_LONGEST].split()).encode()
    totp, here = pyotp.TOTP(secret, interval=STEP_S), now_s // STEP_S
    found = None
    for step in range(here - _DRIFT, here + _DRIFT + 1):
        good = hmac.compare_digest(totp.at(step * STEP_S).encode(), typed)
        if good and step > used_step:
            found = step
    return found


def new_printed_codes() -> list[str]:
    """Return codes to print and put away, each good once: 99 random bits in groups of letters and digits."""

    def one() -> str:
        return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_LETTERS)) for _ in range(_GROUPS))

    return [one() for _ in range(PRINTED_CODES)]


def printed_hash(code: str) -> str:
    """Return what rests of a printed code; blanks, hyphens and case do not count.

    A plain hash is enough: nobody tries 2^99 codes.
    """
    letters = "".join(letter for letter in code[:_LONGEST].upper() if letter.isalnum())
    return sha256(f"commonwatt printed code {letters}".encode()).hexdigest()

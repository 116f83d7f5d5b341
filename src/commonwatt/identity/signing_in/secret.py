"""Secrets that a browser or program keeps for somebody: sessions and tokens; here rests their hash alone."""

import secrets
from dataclasses import dataclass
from hashlib import sha256

from commonwatt.identity.seat import Role

TOKEN_PREFIX = "cw_"  # noqa: S105  the part that is no secret
"""So that a token that leaked into a file is found by whoever searches for such."""
_HOUR_S, _DAY_S = 3600, 86_400


def new_secret() -> str:
    """Return 256 random bits as text for a cookie."""
    return secrets.token_urlsafe(32)


def new_token() -> str:
    """Return 256 random bits as text for a program."""
    return TOKEN_PREFIX + new_secret()


def secret_hash(secret: str) -> str:
    """Return what rests of a secret, 64 hex digits; nobody tries 2^256, so a plain hash is enough."""
    return sha256(secret.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Lasting:
    """How long a session lasts: unused, and at all; seconds."""

    idle_s: int
    whole_s: int


AT_HOME = Lasting(idle_s=14 * _DAY_S, whole_s=90 * _DAY_S)
AT_WORK = Lasting(idle_s=_HOUR_S, whole_s=12 * _HOUR_S)
FRESH_S = 15 * 60
"""How long after signing in somebody may change how they sign in: a session that was left open is not enough."""


def lasting(role: Role) -> Lasting:
    """Return how long a session in a role lasts: a household's phone stays signed in, who decides for others does not.

    Source: NIST SP 800-63B section 2.2.3 for those who work here.
    """
    return AT_HOME if role is Role.MEMBER else AT_WORK

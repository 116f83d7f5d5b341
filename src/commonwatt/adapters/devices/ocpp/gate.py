"""Who may come in: the security profile that a connection has, against the one that its station must have."""

import asyncio
import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus

from cryptography import x509
from websockets.asyncio.server import ServerConnection

from commonwatt.adapters.devices.ocpp.certificates import Authority, common_name
from commonwatt.adapters.devices.ocpp.credentials import Credentials

PAUSE_S, LONGEST_PAUSE_S = 1.0, 300.0
"""After a wrong password the next is looked at after so long, twice as long after each further one."""
MOST_REMEMBERED = 10_000
OPEN, BASIC, TLS, MUTUAL = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class Rule:
    """What a station must come with.

    Args:
        profile: 0 nothing at all, 1 a password, 2 TLS and a password, 3 TLS and a certificate of its own.
        name: The common name in its certificate; without, its id.
    """

    profile: int = OPEN
    name: str = ""


@dataclass(frozen=True, slots=True)
class Turned:
    """Why a connection is turned away; the words are for us, the other side gets the status only."""

    status: HTTPStatus
    words: str


@dataclass(slots=True)
class Gate:
    """Looks at every connection before it becomes a WebSocket.

    Args:
        credentials: Passwords, and the profile that each station reached.
        authority: Who signs client certificates; None: none counts.
        clock: Our time.
        rules: Per station; one without a rule may come with nothing.
    """

    credentials: Credentials
    authority: Authority | None
    clock: Callable[[], datetime]
    rules: dict[str, Rule] = field(default_factory=dict)
    _failed: dict[tuple[str, str], tuple[int, float]] = field(default_factory=dict)

    def needed(self, station: str) -> int:
        """Return the profile that a station must have: what is asked of it, never less than it came with before."""
        return max(self.rules.get(station, Rule()).profile, self.credentials.reached(station))

    async def admit(self, link: ServerConnection, station: str, authorization: str) -> Turned | None:
        """Return why a station may not come in, or None where it may.

        Source: OCPP 2.0.1 part 2, A00 (profiles) and A05 (upgrade, never a downgrade); for 1.6 the white paper
        "Improved security for OCPP 1.6-J", edition 3.
        """
        needed = self.needed(station)
        tls = link.transport.get_extra_info("ssl_object")
        if tls is not None and station not in self.rules:
            return Turned(HTTPStatus.NOT_FOUND, "a stranger at a secure door")
        certificate = None if tls is None else tls.getpeercert(binary_form=True)
        if certificate is not None and self.authority is not None:
            wrong = self._wrong(x509.load_der_x509_certificate(certificate), station)
            if wrong:
                return Turned(HTTPStatus.FORBIDDEN, wrong)
            self.credentials.reach(station, MUTUAL)
            return None
        if needed == MUTUAL:
            return Turned(HTTPStatus.FORBIDDEN, "no client certificate, and its profile is 3")
        if needed == TLS and tls is None:
            return Turned(HTTPStatus.FORBIDDEN, "no TLS, and its profile is 2")
        if needed == OPEN:
            return None
        turned = await self._password(link, station, authorization)
        if turned is None:
            self.credentials.reach(station, BASIC if tls is None else TLS)
        return turned

    def _wrong(self, certificate: x509.Certificate, station: str) -> str:
        """Return what is wrong with a client certificate that TLS let through, which checked chain and dates."""
        assert self.authority is not None
        wanted = self.rules.get(station, Rule()).name or station
        found = common_name(certificate)
        if found != wanted:
            return f"a certificate of {found[:60]!r} and not of {wanted!r}"
        if all(certificate.issuer != root.subject for root in self.authority.roots):
            return f"certificate {certificate.serial_number:x} is of a root that is trusted no more"
        if self.authority.is_revoked(certificate):
            return f"certificate {certificate.serial_number:x} was revoked"
        if not certificate.not_valid_before_utc <= self.clock() <= certificate.not_valid_after_utc:
            return f"certificate {certificate.serial_number:x} has expired or is not valid yet"
        return ""

    async def _password(self, link: ServerConnection, station: str, authorization: str) -> Turned | None:
        peer = link.remote_address
        key = (station, str(peer[0]) if peer else "")
        times, until = self._failed.get(key, (0, 0.0))
        now = asyncio.get_running_loop().time()
        if now < until:
            return Turned(HTTPStatus.TOO_MANY_REQUESTS, f"{times} wrong passwords: not looked at")
        given = _basic(authorization)
        if given is None:
            return Turned(HTTPStatus.UNAUTHORIZED, "no password")
        if len(self._failed) >= MOST_REMEMBERED:
            del self._failed[next(iter(self._failed))]
        pause_s = min(PAUSE_S * 2.0 ** min(times, 30), LONGEST_PAUSE_S)
        self._failed[key] = times + 1, now + LONGEST_PAUSE_S  # no second guess beside this one
        try:
            holds = given[0] == station and await self.credentials.holds(station, given[1])
        finally:
            # Also where the connection went away in the midst: it counts as a guess, and locks nobody out for long.
            self._failed[key] = times + 1, asyncio.get_running_loop().time() + pause_s
        if holds:
            self._failed.pop(key, None)
            return None
        return Turned(HTTPStatus.UNAUTHORIZED, "a wrong name or password")


def _basic(authorization: str) -> tuple[str, bytes] | None:
    """Return name and password of an HTTP Basic header; the password may be any bytes (RFC 7617)."""
    scheme, _, coded = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(coded.strip(), validate=True).partition(b":")
        return (name.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None

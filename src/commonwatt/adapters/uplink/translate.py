"""Where a line goes, and what is said on it beside bursts and letters."""

import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from commonwatt.model import InvalidValue

PORTS = {"ws": 80, "wss": 443, "mqtt": 1883, "mqtts": 8883}
LAST_PARTS = ("requests", "answers", "commands")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
LONGEST_HELLO = 1_000


class Challenge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a community says first to whoever connects: sign this."""

    community: str
    challenge: str


class Greeting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who a gateway is, with its signature over `flows.gateway.letters.greeting`."""

    gateway: str
    signature: str


class Welcome(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether it is let in, and why not."""

    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One end of a line: ``ws``, ``wss``, ``mqtt`` or ``mqtts``, and where."""

    scheme: str
    host: str
    port: int

    @property
    def encrypted(self) -> bool:
        """Tell whether the line is under TLS."""
        return self.scheme in ("wss", "mqtts")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def place(url: str, *schemes: str) -> Place:
    """Read where a line goes.

    Args:
        url: Such as ``wss://power.example:7421``.
        schemes: Those that are allowed here.

    Raises:
        InvalidValue: It says no such thing, or more than scheme, host and port.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidValue(f"a line goes to scheme://host:port, was {url!r}: {error}") from error
    if parts.scheme not in schemes or not parts.hostname:
        raise InvalidValue(f"a line goes to {' or '.join(f'{one}://host:port' for one in schemes)}, was {url!r}")
    if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
        raise InvalidValue(f"a line has scheme, host and port and nothing else, was {url!r}")
    return Place(scheme=parts.scheme, host=parts.hostname, port=PORTS[parts.scheme] if port is None else port)


class Tls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What encryption needs beside the system's own: an authority to believe, and a certificate to show."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


def client_tls(where: Place, tls: Tls) -> ssl.SSLContext | None:
    """Return how whoever connects encrypts; None for a line without.

    Raises:
        InvalidValue: A file is missing or makes no sense.
    """
    if not where.encrypted:
        if tls != Tls():
            raise InvalidValue(f"certificates are for lines under TLS, was {where}")
        return None
    try:
        context = ssl.create_default_context(cafile=tls.ca)
        _show(context, tls)
    except (OSError, ssl.SSLError) as error:
        raise InvalidValue(f"certificates for {where} cannot be used: {error}") from error
    return context


def server_tls(where: Place, tls: Tls) -> ssl.SSLContext | None:
    """Return how whoever listens encrypts; with an authority, clients show certificates of it.

    Raises:
        InvalidValue: A file is missing or makes no sense.
    """
    if not where.encrypted:
        return client_tls(where, tls)
    if tls.cert is None:
        raise InvalidValue(f"who listens under TLS shows a certificate, was none for {where}")
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tls.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        _show(context, tls)
        if tls.ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise InvalidValue(f"certificates for {where} cannot be used: {error}") from error
    return context


def _show(context: ssl.SSLContext, tls: Tls) -> None:
    if tls.cert is not None:
        context.load_cert_chain(tls.cert, tls.key)


def topic(community: str, number: str, last: str) -> str:
    """Return a topic of a gateway: ``requests``, ``answers`` or ``commands``; ``+`` for all gateways."""
    return f"commonwatt/{community}/gateways/{number}/{last}"


def number_of(found: str, community: str) -> str:
    """Return whose requests a topic carries.

    Raises:
        InvalidValue: It is none of this community's.
    """
    head, tail = f"commonwatt/{community}/gateways/", "/requests"
    number = found[len(head) : -len(tail)]
    if not (found.startswith(head) and found.endswith(tail) and _NAME.match(number)):
        raise InvalidValue(f"requests come under {topic(community, '+', 'requests')}, was {found[:200]!r}")
    return number


def read_hello(text: str | bytes, kind: type[msgspec.Struct]) -> msgspec.Struct:
    """Read what is said while connecting.

    Raises:
        InvalidValue: It is something else.
    """
    if len(text) > LONGEST_HELLO:
        raise InvalidValue(f"who connects says {LONGEST_HELLO} bytes at most, was {len(text)}")
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InvalidValue(f"not what is said while connecting: {error}") from error

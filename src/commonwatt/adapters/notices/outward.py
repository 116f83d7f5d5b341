"""Post to an address that somebody else chose: over HTTPS, to public places alone, to the very one that was looked at.

Whoever may name an address could otherwise have this machine ask its own neighbours (SSRF). A name is resolved once,
all that it stands for is looked at, and the connection goes to what was looked at; so a name that stands for another
place a moment later leads nowhere else. Redirects are not followed.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

import httpcore

from commonwatt.flows.notices.ports import Undelivered
from commonwatt.model import InvalidValue

WITHIN_S = 10.0
MOST_ANSWER_BYTES = 65_536
LONGEST_URL = 2_048
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_MOST_AT_ONCE = 64

Resolve = Callable[[str, int], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was answered; ``after_s`` is how long it asks us to wait, zero for nothing."""

    status: int
    after_s: int


class Outward:
    """The one door by which notices go to addresses that people name.

    Args:
        allowed: Host names at which the operator lets them reach private places, too.
        trust: Which authorities are believed beside the machine's; the machine's alone where it is left out.
        resolve: Looks up a host's addresses; the system does where it is left out.
    """

    def __init__(
        self, allowed: Iterable[str] = (), trust: ssl.SSLContext | None = None, resolve: Resolve | None = None
    ) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=trust or ssl.create_default_context(),
            max_connections=_MOST_AT_ONCE,
            max_keepalive_connections=0,
            retries=0,
            network_backend=_Checked(frozenset(one.lower() for one in allowed), resolve or _system),
        )

    async def post(self, url: str, content: bytes, headers: Mapping[str, str]) -> Answer:
        """Post something, and return what was answered.

        Args:
            url: Where; see `check_url`.
            content: What.
            headers: Beside the host and the length.

        Raises:
            InvalidValue: It is no address for this.
            Undelivered: It is no public place, or gave no answer in time; says which, and nothing of what it found.
        """
        check_url(url)
        parts = urlsplit(url)
        told = {"Host": parts.netloc, "Content-Length": str(len(content)), "Connection": "close", **headers}
        try:
            async with (
                asyncio.timeout(WITHIN_S),
                self._pool.stream("POST", url, headers=list(told.items()), content=content) as answer,
            ):
                came = 0
                async for chunk in answer.aiter_stream():
                    came += len(chunk)
                    if came > MOST_ANSWER_BYTES:
                        break
                found = {name.lower(): value for name, value in answer.headers}
                return Answer(status=answer.status, after_s=_seconds(found.get(b"retry-after", b"")))
        except TimeoutError as error:
            raise Undelivered("it gave no answer in time") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            raise Undelivered("it gave no answer over HTTPS") from error

    async def close(self) -> None:
        """Let go of all lines."""
        await self._pool.aclose()


def check_url(url: str) -> None:
    """Refuse what is no plain HTTPS address; where it leads is looked at when it is used.

    Raises:
        InvalidValue: Says why.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidValue(f"an address to send to looks like https://example.org/path, was {url[:80]!r}") from error
    plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url and len(url) <= LONGEST_URL
    if not plain or parts.scheme != "https" or not parts.hostname or port == 0:
        raise InvalidValue(f"an address to send to looks like https://example.org/path, was {url[:80]!r}")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise InvalidValue("an address to send to holds no name, password or fragment")


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the public Internet's, however it is written.

    Those that carry another one inside (IPv4-mapped, 6to4, Teredo, NAT64) are what is inside.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address):
        inside = [found.ipv4_mapped, found.sixtofour, *(found.teredo or ())]
        if any(found in network for network in _NAT64):
            inside.append(IPv4Address(int(found) & 0xFFFF_FFFF))
        if found in IPv6Network("::/96") or any(one is not None and not _alone(one) for one in inside):
            return False
        if found.ipv4_mapped is not None:
            return True
    return _alone(found)


def _alone(address: IPv4Address | IPv6Address) -> bool:
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


class _Checked(httpcore.AsyncNetworkBackend):
    """Connects to what it looked at, and to nothing else; TLS still asks for the name."""

    def __init__(self, allowed: frozenset[str], resolve: Resolve) -> None:
        self._allowed, self._resolve, self._inner = allowed, resolve, httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve a host, look at all that it stands for, and connect to the first of them."""
        addresses = await self._resolve(host, port)
        if not addresses:
            raise Undelivered("there is no such place")
        # A name that stands for a public place and a private one is a trick, or at least nothing to choose from.
        if host.lower() not in self._allowed and not all(map(is_public, addresses)):
            raise Undelivered("it leads to no public place")
        return await self._inner.connect_tcp(addresses[0], port, WITHIN_S, local_address, socket_options)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: nobody outside is behind a file."""
        raise Undelivered("it leads to no public place")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._inner.sleep(seconds)


async def _system(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Undelivered("there is no such place") from error
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def _seconds(told: bytes) -> int:
    return int(told) if told.isdigit() and len(told) < 8 else 0

"""Where a device is, as its URL says: read in one way for all drivers that call their devices."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from commonwatt.model import InvalidValue

NAMED = None
"""No port is usual with a scheme: it has to be named."""
NO_PORT = 0
"""A scheme knows no ports."""


@dataclass(frozen=True, slots=True)
class Address:
    """What a URL names; ``port`` is `NO_PORT` for a scheme that knows none, ``path`` has no slashes around it."""

    scheme: str
    host: str
    port: int
    path: str = ""


def address_of(url: str, like: str, ports: Mapping[str, int | None]) -> Address:
    """Read a device's address.

    Args:
        url: As the devices file has it.
        like: What such an address looks like, for whoever wrote another.
        ports: The schemes that may stand there, each with its usual port, `NAMED` or `NO_PORT`.

    Raises:
        InvalidValue: It looks otherwise.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidValue(f"an address is like {like}, was {url!r}") from error
    usual = ports.get(parts.scheme, NAMED)
    if parts.scheme not in ports or not host or (usual is NAMED and not port) or (usual == NO_PORT and port):
        raise InvalidValue(f"an address is like {like}, was {url!r}")
    return Address(parts.scheme, host, port or usual or NO_PORT, parts.path.strip("/"))

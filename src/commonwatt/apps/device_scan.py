"""Look for devices at the addresses that an owner names, and at no other: never by default, never all at once."""

import asyncio
import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from commonwatt.adapters.devices.driver import Found, Probe, drivers
from commonwatt.model import InvalidValue

MOST_ADDRESSES = 256
AT_ONCE = 16
EVERY_S = 0.05
"""A new address is begun twenty times a second at most: a home's router is no server."""

WITHIN_S = 3.0
LISTENS_S = 12.0
"""A meter of DSMR 4 speaks every ten seconds, and a broker's devices when they like."""

LISTENERS = ("p1", "mqtt")


@dataclass(frozen=True, slots=True)
class Target:
    """One address, and the port that was named."""

    host: str
    port: int | None = None


async def scan(
    targets: Sequence[Target],
    probes: Mapping[str, Probe] | None = None,
    *,
    within_s: float = WITHIN_S,
    listens_s: float = LISTENS_S,
    every_s: float = EVERY_S,
) -> list[Found]:
    """Return what the drivers' probes find at some addresses, in their order.

    Args:
        targets: See `targets_of`.
        probes: By driver; without, those of the drivers that are installed.
        within_s: How long a probe that asks may take.
        listens_s: How long one that only listens may.
        every_s: How long to wait before the next address is begun.
    """
    asked = probes if probes is not None else probes_of_drivers()
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(target: Target) -> list[Found]:
        found = list[Found]()
        async with gate:
            for name, probe in asked.items():  # one by one: many devices bear a single connection
                most_s = listens_s if name in LISTENERS else within_s
                try:
                    async with asyncio.timeout(most_s + 1):
                        found += await probe(target.host, target.port, most_s)
                except (OSError, TimeoutError, ValueError):
                    continue
        return found

    looking = []
    for target in targets:
        looking.append(asyncio.ensure_future(one(target)))
        await asyncio.sleep(every_s)
    return [found for here in await asyncio.gather(*looking) for found in here]


def probes_of_drivers() -> dict[str, Probe]:
    """Return the probes of the drivers that are installed, by driver."""
    return {name: probe for name, driver in drivers().items() if (probe := driver.probe()) is not None}


def targets_of(words: Sequence[str]) -> list[Target]:
    """Read addresses: ``192.0.2.7``, ``meter.lan:23``, ``[2001:db8::7]:502``, ``192.0.2.0/28``.

    Raises:
        InvalidValue: One is no address, or they are more than a /24 in all.
    """
    targets = list[Target]()
    for word in words:
        for target in _targets(word):
            if len(targets) == MOST_ADDRESSES:
                raise InvalidValue(f"at most {MOST_ADDRESSES} addresses (a /24) are looked at, was more with {word}")
            if target not in targets:
                targets.append(target)
    return targets


def _targets(word: str) -> Iterator[Target]:
    if "/" in word:
        try:
            network = ipaddress.ip_network(word, strict=False)
        except ValueError as error:
            raise InvalidValue(f"a network looks like 192.0.2.0/28, was {word!r}") from error
        if network.num_addresses > MOST_ADDRESSES:
            raise InvalidValue(f"at most {MOST_ADDRESSES} addresses (a /24) are looked at, was {word}")
        yield from (Target(str(address)) for address in network.hosts())
        return
    try:
        yield Target(str(ipaddress.ip_address(word)))
    except ValueError:
        try:
            parts = urlsplit(f"//{word}")
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise InvalidValue(f"an address looks like host or host:port, was {word!r}") from error
        if not host or parts.netloc != word or "@" in word:
            raise InvalidValue(f"an address looks like host or host:port, was {word!r}") from None
        yield Target(host, port)

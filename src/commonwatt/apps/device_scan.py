"""Look for devices at the addresses that an owner names, and at no other: never by default, never all at once.

What is called by its devices, as a charging station's server is, cannot be asked: an address of ours is listened at.
"""

import asyncio
import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from commonwatt.adapters.devices.driver import Found, Probe, drivers
from commonwatt.model import InvalidValue, Refused

MOST_ADDRESSES = 256
AT_ONCE = 16
EVERY_S = 0.05
"""A new address is begun twenty times a second at most: a home's router is no server."""

WITHIN_S = 3.0
LISTENS_S = 12.0
"""A meter of DSMR 4 speaks every ten seconds, and a broker's devices when they like."""

LISTENERS = ("p1", "mqtt", "ocpp")
CALLED = {"ocpp": "ws"}
"""Drivers whose devices call us, and how an address of ours for them is written."""


@dataclass(frozen=True, slots=True)
class Target:
    """One address, and the port that was named; with a scheme it is ours, and devices call there."""

    host: str
    port: int | None = None
    scheme: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (f"{self.scheme}://" if self.scheme else "") + host + (f":{self.port}" if self.port else "")


Told = Callable[[Target, int, int], None]
"""Called when a target is done: with it, with how many are, and with how many devices were found so far."""


async def scan(
    targets: Sequence[Target],
    probes: Mapping[str, Probe] | None = None,
    *,
    within_s: float = WITHIN_S,
    listens_s: float = LISTENS_S,
    every_s: float = EVERY_S,
    told: Told = lambda target, done, found: None,
) -> list[Found]:
    """Return what the drivers' probes find at some addresses, in their order.

    Args:
        targets: See `targets_of`.
        probes: By driver; without, those of the drivers that are installed.
        within_s: How long a probe that asks may take.
        listens_s: How long one that only listens may.
        every_s: How long to wait before the next address is begun.
        told: Told of each target that is done.

    Raises:
        Refused: Somebody else listens already at an address of ours.
    """
    asked = probes if probes is not None else probes_of_drivers()
    gate, done, count = asyncio.Semaphore(AT_ONCE), 0, 0

    async def one(target: Target) -> list[Found]:
        nonlocal done, count
        async with gate:
            found = await _at(target, asked, within_s, listens_s)
        done, count = done + 1, count + len(found)
        told(target, done, count)
        return found

    looking = []
    try:
        for target in targets:
            looking.append(asyncio.ensure_future(one(target)))
            await asyncio.sleep(every_s)
        return [found for here in await asyncio.gather(*looking) for found in here]
    finally:
        for task in looking:
            task.cancel()


async def _at(target: Target, probes: Mapping[str, Probe], within_s: float, listens_s: float) -> list[Found]:
    found = list[Found]()
    for name, probe in probes.items():  # one by one: many devices bear a single connection
        if CALLED.get(name, "") != target.scheme:
            continue
        most_s = listens_s if name in LISTENERS else within_s
        try:
            async with asyncio.timeout(most_s + 1):
                found += await probe(target.host, target.port, most_s)
        except (OSError, TimeoutError, ValueError) as error:
            if target.scheme:  # of nobody's silence, but of our own door: its owner has to know
                raise Refused("devices call where nobody else listens", at=target, found=str(error)) from error
    return found


def probes_of_drivers() -> dict[str, Probe]:
    """Return the probes of the drivers that are installed, by driver."""
    return {name: probe for name, driver in drivers().items() if (probe := driver.probe()) is not None}


def targets_of(words: Sequence[str]) -> list[Target]:
    """Read addresses: ``192.0.2.7``, ``meter.lan:23``, ``[2001:db8::7]:502``, ``192.0.2.0/28``, ``ws://0.0.0.0:9100``.

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
    scheme, between, rest = word.partition("://")
    if between:
        if scheme not in CALLED.values() or "/" in rest:
            raise InvalidValue(f"an address where devices call looks like ws://0.0.0.0:9100, was {word!r}")
        yield from (replace(target, scheme=scheme) for target in _targets(rest))
        return
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

"""Listen at an address for the telegram of a smart meter's P1 port, and read who sends it."""

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress

from commonwatt.adapters.devices.driver import Found
from commonwatt.adapters.devices.p1.nameplate import nameplate_of
from commonwatt.adapters.devices.probing.modbus import url
from commonwatt.model import Nameplate

PORTS = (23, 2001, 8088)
"""Where readers and ser2net offer the port: no standard says."""

LONGEST = 16_384
_VERSION = re.compile(rb"1-3:0\.2\.8\((\d)\d\)")
_BELGIAN = re.compile(rb"0-0:96\.1\.4\(")


async def probe(host: str, port: int | None, within_s: float) -> Sequence[Found]:
    """Return the meter whose telegrams arrive at an address; nothing is sent there.

    Source: Dutch Smart Meter Requirements, P1 companion standard 5.0.2, 5.12 and 6.12.
    """
    for at in PORTS if port is None else (port,):
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(within_s if port is not None else within_s / len(PORTS)):
                said = await _telegram(host, at)
            if said is not None:
                nameplate, version = said
                settings = {"version": version} if version else {}
                still = "" if version else "version: whose telegrams it sends, see docs/guide/devices/p1.md"
                return [
                    Found(driver="p1", url=url(host, at), nameplate=nameplate, settings=settings, still=still)
                ]  # fmt: skip
    return []


async def _telegram(host: str, port: int) -> tuple[Nameplate, str] | None:
    reader, writer = await asyncio.open_connection(host, port, limit=LONGEST)
    try:
        for _ in range(2):  # the first one may have begun before we came
            found = telegram(await reader.readuntil(b"\n!"))
            if found is not None:
                return found
    finally:
        writer.transport.abort()
    return None


def telegram(said: bytes) -> tuple[Nameplate, str] | None:
    """Return who sends a telegram, and which version it is; None where none begins in these bytes."""
    nameplate = nameplate_of(said)
    if nameplate is None:
        return None
    version = _VERSION.search(said)
    which = "belgium" if _BELGIAN.search(said) else version[1].decode() if version else ""
    return nameplate, which if which in ("4", "5", "belgium") else ""

"""Listen at an address for the telegram of a smart meter's P1 port, and read who sends it."""

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress

from commonwatt.adapters.devices.driver import Found
from commonwatt.adapters.devices.probing.modbus import url
from commonwatt.model import Nameplate

PORTS = (23, 2001, 8088)
"""Where readers and ser2net offer the port: no standard says."""

LONGEST = 16_384
_FIRST_LINE = re.compile(rb"/([A-Za-z]{3})\d(?:\\.)?([^\r\n]{1,60})\r?\n")
_VERSION = re.compile(rb"1-3:0\.2\.8\((\d)\d\)")
_BELGIAN = re.compile(rb"0-0:96\.1\.4\(")
_SERIAL = re.compile(rb"0-0:96\.1\.1\(([0-9A-F]{2,64})\)")


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
    first = _FIRST_LINE.search(said)
    if first is None:
        return None
    version, serial = _VERSION.search(said), _SERIAL.search(said)
    which = "belgium" if _BELGIAN.search(said) else version[1].decode() if version else ""
    return Nameplate(
        make=first[1].decode(), model=first[2].decode("ascii", "replace").strip(), serial=_unhexed(serial)
    ), which if which in ("4", "5", "belgium") else ""  # fmt: skip


def _unhexed(serial: re.Match[bytes] | None) -> str:
    """Return an equipment identifier: two hex digits a letter."""
    if serial is None or len(serial[1]) % 2:
        return ""
    return bytes.fromhex(serial[1].decode()).decode("ascii", "replace")

"""Ask an address whether a SunSpec device is there, and read its common model (1)."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from commonwatt.adapters.devices.driver import Found
from commonwatt.adapters.devices.probing.modbus import PORT, SUNS, Line, asked, url
from commonwatt.adapters.devices.sunspec.models import decode, definition
from commonwatt.adapters.devices.sunspec.translate import COMMON, nameplate_of
from commonwatt.model import InvalidValue, Nameplate

UNITS = (1, 126)
BASES = (40_000, 50_000, 0)
COMMON_WORDS = 64
"""Maker and model, 16 registers each, options and version, 8 each, serial number, 16."""


async def probe(host: str, port: int | None, within_s: float) -> Sequence[Found]:
    """Return the SunSpec devices at an address, by the units and bases at which they usually are.

    Source: SunSpec Device Information Model Specification 1.1, 3 and 5.
    """
    port, found = port or PORT, []
    deadline_s = asyncio.get_running_loop().time() + within_s
    for unit in UNITS:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, InvalidValue):
            # A unit that is not there may be silent: the others get their part of the time, on a connection of theirs.
            left_s = deadline_s - asyncio.get_running_loop().time()
            async with asyncio.timeout(left_s if unit == UNITS[-1] else left_s / 2), asked(host, port) as line:
                if (here := await _at(line, unit)) is not None:
                    base, nameplate = here
                    settings = {"unit": unit} if base == BASES[0] else {"unit": unit, "base": base}
                    found.append(Found(driver="sunspec", url=url(host, port), nameplate=nameplate, settings=settings))
    return found


async def _at(line: Line, unit: int) -> tuple[int, Nameplate] | None:
    for base in BASES:
        if await line.registers(unit, base, 2) != SUNS:
            continue
        header = await line.registers(unit, base + 2, 2)
        if not header or header[0] != COMMON or header[1] < COMMON_WORDS:
            return base, Nameplate()
        words = await line.registers(unit, base + 4, COMMON_WORDS)
        return base, _common((*header, *words)) if words else Nameplate()
    return None


def _common(words: Sequence[int]) -> Nameplate:
    """Return what a common model says, nothing where its texts are none: the device is there nevertheless."""
    group = definition(COMMON)
    assert group is not None
    with suppress(InvalidValue):
        return nameplate_of(decode(group, words))
    return Nameplate()

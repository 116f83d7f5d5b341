"""Tell whether an app can do its work: each thing that it needs is tried, at most once a second, however many ask."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from commonwatt.adapters.door.client import knock
from commonwatt.model import Corrupt, Outcome, Refused

Need = Callable[[], Awaitable[None]]
"""Tries something that is needed; raises what stands against it."""
NO_NEEDS: Mapping[str, Need] = MappingProxyType({})
LOOK_EVERY_S = 1.0
WITHIN_S = 3.0
LEAST_FREE_BYTES = 64 << 20
"""A log grows by some megabytes a day; whoever looks at less than this has a day to make room."""
_PROBE = ".ready"
_NO_REQUEST = b"{}"

_log = logging.getLogger(__name__)


class Readiness:
    """What is needed, by name.

    Args:
        needs: Each tried by itself.
        now_s: A steady clock.
    """

    def __init__(self, needs: Mapping[str, Need], now_s: Callable[[], float]) -> None:
        self._needs, self._now_s = needs, now_s
        self._looked_s, self._lacking = float("-inf"), list[str]()
        self._looking = asyncio.Lock()

    async def lacking(self) -> list[str]:
        """Return the names of what is not there; nothing where all is well."""
        async with self._looking:
            if self._now_s() >= self._looked_s + LOOK_EVERY_S:
                tried = await asyncio.gather(*(self._try(name, need) for name, need in self._needs.items()))
                self._lacking = [name for name in tried if name]
                self._looked_s = self._now_s()
        return self._lacking

    async def _try(self, name: str, need: Need) -> str:
        try:
            async with asyncio.timeout(WITHIN_S):
                await need()
        except Exception as error:
            if name not in self._lacking:
                _log.warning("not ready: %s, found %s", name, error)
            return name
        if name in self._lacking:
            _log.warning("ready again: %s", name)
        return ""


async def door_answers(where: Callable[[], tuple[str, int] | None]) -> None:
    """Have the log's one writer decide what is no request: it answers so, and nothing comes into the log.

    Raises:
        Refused: No door is open, or it takes nothing any more.
        Corrupt: It said something else.
        OSError: It gave no answer.
    """
    door = where()
    if door is None:
        raise Refused("requests go through the community's open door, and there is none")
    outcomes, _ = await asyncio.to_thread(knock, *door, [_NO_REQUEST], WITHIN_S)
    if outcomes != [Outcome.MALFORMED]:
        raise Corrupt("what is no request is answered as such")


async def disk_takes(folder: Path) -> None:
    """Write a file into a folder, durably, and remove it.

    Raises:
        Refused: Hardly anything is free.
        OSError: Nothing can be written there.
    """

    def write() -> None:
        probe = folder / _PROBE
        try:
            with probe.open("wb") as file:
                file.write(b"ready\n")
                file.flush()
                os.fsync(file.fileno())
        finally:
            with suppress(OSError):
                probe.unlink(missing_ok=True)
        told = os.statvfs(folder)
        free_bytes = told.f_bavail * told.f_frsize
        if free_bytes < LEAST_FREE_BYTES:
            raise Refused("there is room for the log to grow", free_bytes=free_bytes, least_bytes=LEAST_FREE_BYTES)

    await asyncio.to_thread(write)

"""Asks Fox ESS Cloud, a second at least between two questions of one key, however many inverters it has."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from commonwatt.adapters.devices.clouds import Cloud
from commonwatt.adapters.devices.foxess_cloud.translate import PATH, headers, readings_of


class Account:
    """One key of the Open API, shared by the inverters that it may read.

    Args:
        cloud: Where it is asked.
        key: Of the Open API.
        clock: Ours, which signs.
        pause_s: Least time between two questions.
    """

    def __init__(self, cloud: Cloud, key: str, clock: Callable[[], datetime], pause_s: float) -> None:
        self._cloud, self._key, self._clock, self._pause_s = cloud, key, clock, pause_s
        self._turn = asyncio.Lock()
        self._asked_at = -pause_s

    async def readings(self, serial: str, names: list[str]) -> dict[str, Mapping[str, Any]]:
        """Return an inverter's readings by name.

        Raises:
            Unreachable: The cloud has no answer.
            InvalidValue: The answer makes no sense.
        """
        async with self._turn:
            loop = asyncio.get_running_loop()
            await asyncio.sleep(max(0.0, self._asked_at + self._pause_s - loop.time()))
            self._asked_at = loop.time()
            signed = headers(PATH, self._key, self._clock())
            answer = await self._cloud.post(PATH, signed, {"sn": serial, "variables": names})
        return readings_of(answer, self._cloud.without_secret(str(answer.get("msg") or "")))

    async def close(self) -> None:
        """Do nothing: others may still ask; the connection goes with the process's doors."""


@asynccontextmanager
async def account(
    url: str, key: str, clock: Callable[[], datetime], within_s: float, pause_s: float
) -> AsyncIterator[Account]:
    """Hold an account's connection."""
    cloud = Cloud(url, key, within_s)
    try:
        yield Account(cloud, key, clock, pause_s)
    finally:
        await cloud.close()

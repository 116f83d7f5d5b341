"""Asks SolaX Cloud for one dongle's readings, and notices when the dongle has fallen silent."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from commonwatt.adapters.devices.clouds import Cloud
from commonwatt.adapters.devices.solax_cloud.translate import PATH, result_of, told_at
from commonwatt.model import Unreachable


class Dongle:
    """One dongle, as its cloud knows it.

    Args:
        cloud: Where it reports.
        token: Of the user.
        serial: Of the dongle (its registration number).
        clock: Ours.
        stale: When what it told last is so old, it is silent.
    """

    def __init__(self, cloud: Cloud, token: str, serial: str, clock: Callable[[], datetime], stale: timedelta) -> None:
        self._cloud, self._token, self._serial = cloud, token, serial
        self._clock, self._stale = clock, stale
        self._stamp: object = None
        self._since: datetime | None = None

    async def readings(self) -> Mapping[str, Any]:
        """Return its latest readings.

        Raises:
            Unreachable: The cloud has no answer, or the dongle has told it nothing new for too long.
            InvalidValue: The answer makes no sense.
        """
        answer = await self._cloud.post(PATH, {"tokenId": self._token}, {"wifiSn": self._serial})
        words = self._cloud.without_secret(str(answer.get("exception") or answer.get("message") or ""))
        result = result_of(answer, words)
        now, told = self._clock(), told_at(result)
        # uploadTime is in the owner's wall clock, so its age is told by when it last changed; UTC where it is there.
        if self._since is None or result.get("uploadTime") != self._stamp:
            self._stamp, self._since = result.get("uploadTime"), now
        self._since = min(self._since, now)  # our clock was put back
        if now - self._since >= self._stale or (told is not None and now - told >= self._stale):
            since = self._cloud.without_secret(str(result.get("uploadTime")))
            raise Unreachable(f"the dongle has told its cloud nothing since {since}")
        return result

"""Asks SolaX Cloud for one dongle's readings, and notices when the dongle has fallen silent."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from commonwatt.adapters.devices.clouds import Cloud, CloudSettings
from commonwatt.adapters.devices.solax_cloud.translate import PATH, nameplate_of, result_of, state_of, told_at
from commonwatt.model import DeviceState, Nameplate, Unreachable


class Dongle:
    """Implements `Behind` for one dongle, as its cloud knows it.

    Args:
        cloud: Where it reports.
        token: Of the user.
        settings: Of the device; its serial is the dongle's registration number.
        capacity_wh: Of its battery.
        clock: Ours.
        stale: When what it told last is so old, it is silent.
    """

    nameplate_is_asked = False

    def __init__(
        self,
        cloud: Cloud,
        token: str,
        settings: CloudSettings,
        capacity_wh: int,
        clock: Callable[[], datetime],
        stale: timedelta,
    ) -> None:
        self._cloud, self._token, self._settings, self._capacity_wh = cloud, token, settings, capacity_wh
        self._clock, self._stale = clock, stale
        self._stamp: object = None
        self._since: datetime | None = None
        self._said: Mapping[str, Any] = {}

    async def read(self) -> DeviceState:
        """Return what it shows; see `readings`."""
        self._said = await self.readings()
        return state_of(self._said, self._clock(), self._settings.measures, self._capacity_wh)

    async def nameplate(self) -> Nameplate:
        """Return what its latest readings say that it is: that costs no question of its own."""
        return nameplate_of(self._said)

    async def readings(self) -> Mapping[str, Any]:
        """Return its latest readings.

        Raises:
            Unreachable: The cloud has no answer, or the dongle has told it nothing new for too long.
            InvalidValue: The answer makes no sense.
        """
        answer = await self._cloud.post(PATH, lambda: {"tokenId": self._token}, {"wifiSn": self._settings.serial})
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

"""Asks Fox ESS Cloud for one inverter's readings, and who it is."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from commonwatt.adapters.devices.clouds import Cloud, CloudSettings
from commonwatt.adapters.devices.foxess_cloud.translate import (
    DETAIL,
    PATH,
    headers,
    nameplate_of,
    readings_of,
    result_of,
    state_of,
    variables,
)
from commonwatt.model import DeviceState, Nameplate


class Inverter:
    """Implements `Behind` for one inverter.

    Args:
        cloud: Where it is asked.
        key: Of the Open API.
        settings: Of the device.
        capacity_wh: Of its battery.
        clock: Ours, which signs.
    """

    nameplate_is_asked = True

    def __init__(
        self, cloud: Cloud, key: str, settings: CloudSettings, capacity_wh: int, clock: Callable[[], datetime]
    ) -> None:
        self._cloud, self._key, self._settings, self._clock = cloud, key, settings, clock
        self._capacity_wh = capacity_wh

    async def read(self) -> DeviceState:
        """Return its readings.

        Raises:
            Unreachable: The cloud has no answer.
            InvalidValue: The answer makes no sense.
        """
        measures = self._settings.measures
        asked = {"sn": self._settings.serial, "variables": variables(measures)}
        answer = await self._cloud.post(PATH, partial(self._signed, PATH), asked)
        readings = readings_of(result_of(answer, self._cloud.without_secret(str(answer.get("msg") or ""))))
        return state_of(readings, self._clock(), measures, self._capacity_wh)

    async def nameplate(self) -> Nameplate:
        """Return what its cloud says of it.

        Raises:
            Unreachable: The cloud has no answer.
            InvalidValue: The answer makes no sense.
        """
        answer = await self._cloud.get(DETAIL, partial(self._signed, DETAIL), {"sn": self._settings.serial})
        return nameplate_of(result_of(answer, self._cloud.without_secret(str(answer.get("msg") or ""))))

    def _signed(self, path: str) -> dict[str, str]:
        return headers(path, self._key, self._clock())

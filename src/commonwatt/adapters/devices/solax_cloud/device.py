"""A SolaX inverter behind its maker's cloud as a device that measures."""

from datetime import timedelta

import msgspec

from commonwatt.adapters.devices.clouds import Cloud, Measures, PacedReader, secret_from
from commonwatt.adapters.devices.driver import DeviceSpec, Doors, settings_of
from commonwatt.adapters.devices.solax_cloud.client import Dongle
from commonwatt.adapters.devices.solax_cloud.translate import state_of
from commonwatt.model import Asset, DeviceState, InvalidValue

LEAST_S = 9
"""Ten questions a minute and ten thousand a day, says the maker (user API V2, 1.2); the latter is the stricter."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must and may be said of an inverter at SolaX Cloud.

    Args:
        serial: The dongle's registration number.
        token_file: Where the token lies, readable by its owner alone.
        measures: Which of the three things behind it the asset is.
        every_s: Least time between two questions; the cloud has new values every 300 s.
        stale_s: When the last reading counts as none.
        within_s: How long the cloud may take.
    """

    serial: str
    token_file: str
    measures: Measures = "connection"
    every_s: int = 300
    stale_s: int = 900
    within_s: float = 5.0


async def open_device(asset: Asset, spec: DeviceSpec, doors: Doors) -> PacedReader:
    """Open an inverter at a cloud such as ``https://global.solaxcloud.com``.

    Raises:
        InvalidValue: A setting makes no sense, or the token cannot be read.
    """
    settings = settings_of(spec, Settings)
    if settings.every_s < LEAST_S or settings.stale_s <= settings.every_s or settings.within_s <= 0:
        raise InvalidValue(
            f"every_s is {LEAST_S} or more and stale_s above it, was {settings.every_s} and {settings.stale_s}"
        )
    token = secret_from(settings.token_file)
    cloud = Cloud(spec.url, token, settings.within_s)
    dongle = Dongle(cloud, token, settings.serial, doors.clock, timedelta(seconds=settings.stale_s))

    async def ask() -> DeviceState:
        return state_of(await dongle.readings(), doors.clock(), settings.measures, asset.capacity_wh)

    return PacedReader(ask, cloud.close, doors.clock, every_s=settings.every_s, stale_s=settings.stale_s, rest_s=3_600)

"""A SolaX inverter behind its maker's cloud as a device that measures."""

from datetime import timedelta

from commonwatt.adapters.devices.clouds import CloudSettings, Limits, open_paced
from commonwatt.adapters.devices.driver import DeviceSpec, Doors, settings_of
from commonwatt.adapters.devices.paced import PacedReader
from commonwatt.adapters.devices.solax_cloud.client import Dongle
from commonwatt.model import Asset

LIMITS = Limits(least_s=9, windows=((10, 60.0), (10_000, 86_400.0)))
"""Ten questions a minute and ten thousand a day, says the maker (user API V2, 1.2); a day of 9 s each is 9,600."""


class Settings(CloudSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must and may be said of an inverter at SolaX Cloud, which has new values every 300 s.

    Args:
        token_file: Where the token lies, readable by its owner alone.
    """

    token_file: str


async def open_device(asset: Asset, spec: DeviceSpec, doors: Doors) -> PacedReader:
    """Open an inverter at a cloud such as ``https://global.solaxcloud.com``; ``serial`` is its dongle's.

    Raises:
        InvalidValue: A setting makes no sense, or the token cannot be read.
    """
    settings = settings_of(spec, Settings)
    stale = timedelta(seconds=settings.stale_s)
    return await open_paced(
        spec,
        doors,
        settings,
        settings.token_file,
        LIMITS,
        lambda cloud, token: Dongle(cloud, token, settings, asset.capacity_wh, doors.clock, stale),
    )

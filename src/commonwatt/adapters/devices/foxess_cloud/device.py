"""A Fox ESS inverter behind its maker's cloud as a device that measures."""

from commonwatt.adapters.devices.clouds import CloudSettings, Limits, Measures, open_paced
from commonwatt.adapters.devices.driver import DeviceSpec, Doors, settings_of
from commonwatt.adapters.devices.foxess_cloud.client import Inverter
from commonwatt.adapters.devices.paced import PacedReader
from commonwatt.model import Asset

LIMITS = Limits(least_s=60)
"""1,440 questions a day and inverter, says the maker's Open API: one a minute."""


class Settings(CloudSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must and may be said of an inverter at Fox ESS Cloud, which has new values every few minutes.

    Args:
        key_file: Where the Open API's key lies, readable by its owner alone.
    """

    key_file: str
    measures: Measures = "battery"
    every_s: int = 120
    stale_s: int = 600
    pause_s: float = 1.0


async def open_device(asset: Asset, spec: DeviceSpec, doors: Doors) -> PacedReader:
    """Open an inverter at ``https://www.foxesscloud.com``.

    Raises:
        InvalidValue: A setting makes no sense, or the key cannot be read.
    """
    settings = settings_of(spec, Settings)
    return await open_paced(
        spec,
        doors,
        settings,
        settings.key_file,
        LIMITS,
        lambda cloud, key: Inverter(cloud, key, settings, asset.capacity_wh, doors.clock),
    )

"""A Fox ESS inverter behind its maker's cloud as a device that measures."""

import hashlib

import msgspec

from commonwatt.adapters.devices.clouds import Measures, PacedReader, secret_from
from commonwatt.adapters.devices.driver import DeviceSpec, Doors, settings_of
from commonwatt.adapters.devices.foxess_cloud.client import account
from commonwatt.adapters.devices.foxess_cloud.translate import state_of, variables
from commonwatt.model import Asset, DeviceState, InvalidValue

LEAST_S = 60
"""1,440 questions a day and inverter, says the maker's Open API: one a minute."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must and may be said of an inverter at Fox ESS Cloud.

    Args:
        serial: The inverter's.
        key_file: Where the Open API's key lies, readable by its owner alone.
        measures: Which of the three things at it the asset is.
        every_s: Least time between two questions; the cloud has new values every few minutes.
        stale_s: When the last reading counts as none.
        within_s: How long the cloud may take.
        pause_s: Least time between two questions of one key.
    """

    serial: str
    key_file: str
    measures: Measures = "battery"
    every_s: int = 120
    stale_s: int = 600
    within_s: float = 5.0
    pause_s: float = 1.0


async def open_device(asset: Asset, spec: DeviceSpec, doors: Doors) -> PacedReader:
    """Open an inverter at ``https://www.foxesscloud.com``.

    Raises:
        InvalidValue: A setting makes no sense, or the key cannot be read.
    """
    settings = settings_of(spec, Settings)
    if settings.every_s < LEAST_S or settings.stale_s <= settings.every_s or settings.within_s <= 0:
        raise InvalidValue(
            f"every_s is {LEAST_S} or more and stale_s above it, was {settings.every_s} and {settings.stale_s}"
        )
    key = secret_from(settings.key_file)
    shared = ("foxess_cloud", spec.url, hashlib.sha256(key.encode()).digest())
    held = await doors.shared(shared, lambda: account(spec.url, key, doors.clock, settings.within_s, settings.pause_s))

    async def ask() -> DeviceState:
        readings = await held.readings(settings.serial, variables(settings.measures))
        return state_of(readings, doors.clock(), settings.measures, asset.capacity_wh)

    return PacedReader(ask, held.close, doors.clock, every_s=settings.every_s, stale_s=settings.stale_s, rest_s=3_600)

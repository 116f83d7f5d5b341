"""Where the sun stands, and how dark it is: what astronomy says of a day long before it comes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

import numpy as np
from numpy.typing import NDArray

from commonwatt.model import InvalidValue

Floats = NDArray[np.float64]
_REGION = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")
DUSK_DEGREES = 3.0
"""How many degrees around the horizon it takes for day to become night."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the sun is looked at from, in degrees; a whole one is exact enough.

    Args:
        latitude: North of the equator.
        longitude: East of Greenwich.
        region: Whose holidays people keep there, a country or its part as ISO 3166 names it, for example ``AU-NSW``;
            empty where nobody told, and then all holidays are days like others.

    Raises:
        InvalidValue: It is nowhere on earth, or the region is no such name.
    """

    latitude: float
    longitude: float
    region: str = ""

    def __post_init__(self) -> None:
        if not (-90 <= self.latitude <= 90 and -180 <= self.longitude <= 180):
            raise InvalidValue(
                f"a place is within 90 degrees north and 180 east, was {self.latitude}, {self.longitude}"
            )
        if self.region and not _REGION.fullmatch(self.region):
            raise InvalidValue(f"a region is named as in AU or AU-NSW (ISO 3166), was {self.region!r}")


def darkness(days: Sequence[date], slots: int, latitude: float, longitude: float, clock: tzinfo) -> NDArray[np.float32]:
    """Return how dark it is in the middle of each slot of the local clock, from 0 at day to 1 at night.

    Lamps follow the sun and people the clock: on the days around a change of clocks only this tells them apart.

    Args:
        days: Local days.
        slots: Slots of a day.
        latitude: Degrees north.
        longitude: Degrees east.
        clock: The clock that people live by.

    Returns:
        (days, slots).
    """
    heights = np.degrees(np.arcsin(np.clip(towards(days, slots, latitude, longitude, clock)[..., 2], -1, 1)))
    return (1 / (1 + np.exp(heights / DUSK_DEGREES))).astype(np.float32)


def towards(days: Sequence[date], slots: int, latitude: float, longitude: float, clock: tzinfo) -> Floats:
    """Return unit vectors to the sun in the middle of each slot: (days, slots, 3), east, north and up.

    Source: Spencer, Fourier series representation of the position of the sun, Search 2 (5), 1971.
    """
    starts = [datetime(day.year, day.month, day.day, tzinfo=clock) for day in days]
    step = timedelta(days=1) / slots
    seconds = np.array([[(start + step * (slot + 0.5)).timestamp() for slot in range(slots)] for start in starts])
    year = np.array([datetime(start.year, 1, 1, tzinfo=clock).timestamp() for start in starts])[:, None]
    angle = 2 * np.pi * (seconds - year) / (365 * 86400)
    declination = (
        0.006918 - 0.399912 * np.cos(angle) + 0.070257 * np.sin(angle)
        - 0.006758 * np.cos(2 * angle) + 0.000907 * np.sin(2 * angle)
    )  # fmt: skip
    late = 229.18 * (
        0.000075 + 0.001868 * np.cos(angle) - 0.032077 * np.sin(angle)
        - 0.014615 * np.cos(2 * angle) - 0.040849 * np.sin(2 * angle)
    )  # fmt: skip
    hour = np.radians((seconds % 86400 / 60 + late + 4 * longitude) / 4 - 180)
    north = np.radians(latitude)
    return np.stack(
        [
            -np.cos(declination) * np.sin(hour),
            np.cos(north) * np.sin(declination) - np.sin(north) * np.cos(declination) * np.cos(hour),
            np.sin(north) * np.sin(declination) + np.cos(north) * np.cos(declination) * np.cos(hour),
        ],
        -1,
    )

"""Where something stands on earth, in whole millionths of a degree: a step is a hand's breadth."""

from dataclasses import dataclass
from typing import Self

from commonwatt.model.errors import InvalidValue

_UDEG = 1_000_000
COARSE_UDEG = 10_000
"""A hundredth of a degree, about a kilometre: within it nobody tells a house from its neighbours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A point.

    Args:
        latitude_udeg: North of the equator, millionths of a degree.
        longitude_udeg: East of Greenwich, likewise.

    Raises:
        InvalidValue: It is nowhere on earth.
    """

    latitude_udeg: int
    longitude_udeg: int

    def __post_init__(self) -> None:
        if not (abs(self.latitude_udeg) <= 90 * _UDEG and abs(self.longitude_udeg) <= 180 * _UDEG):
            raise InvalidValue(f"a latitude is within 90 degrees and a longitude within 180, was {self}")

    def coarse(self) -> Self:
        """Return the middle of the square of `COARSE_UDEG` that it is in."""
        half = COARSE_UDEG // 2
        return type(self)(
            latitude_udeg=min(90 * _UDEG - half, self.latitude_udeg // COARSE_UDEG * COARSE_UDEG + half),
            longitude_udeg=min(180 * _UDEG - half, self.longitude_udeg // COARSE_UDEG * COARSE_UDEG + half),
        )

    def __str__(self) -> str:
        """Write it as people do, in degrees: 48.208200, 16.373800."""
        return f"{self.latitude_udeg / _UDEG:.6f}, {self.longitude_udeg / _UDEG:.6f}"

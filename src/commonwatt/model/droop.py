"""Droop: how a device answers the grid's frequency by itself, within a second and without asking (row M4)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from commonwatt.model.errors import InvalidValue

MOST_W = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Droop:
    """A frequency-response curve: by how much power moves, import positive, at how far from the nominal frequency.

    Straight lines run from 0 at the deadband's edge through the points; beyond the last one nothing more moves. Points
    on one side only make a one-sided curve.

    Args:
        deadband_mhz: So far from nominal nothing moves.
        points: ``(deviation in mHz, change in W)`` each, by rising deviation. Below nominal the grid lacks power, so
            the change is zero or below; above nominal it is zero or above.
        nominal_mhz: 50,000 or 60,000.
        most_up_w: At most so much is taken off the grid or supplied to it; None: as far as the points go.
        most_down_w: At most so much more is drawn; None likewise.

    Raises:
        InvalidValue: The curve would make a frequency worse, or is none.
    """

    deadband_mhz: int
    points: tuple[tuple[int, int], ...]
    nominal_mhz: int = 50_000
    most_up_w: int | None = None
    most_down_w: int | None = None

    def __post_init__(self) -> None:
        if not self.points or self.deadband_mhz < 0 or self.nominal_mhz <= 0:
            raise InvalidValue(f"a droop curve has points, and a deadband of zero or more, was {self}")
        for (left, before_w), (right, after_w) in pairwise(self.points):
            if not (left < right and before_w <= after_w):
                raise InvalidValue(f"a droop curve rises from point to point, was {left} and then {right} mHz")
        for deviation_mhz, change_w in self.points:
            if not self.deadband_mhz < abs(deviation_mhz) <= self.nominal_mhz:
                raise InvalidValue(f"a point lies outside the deadband of {self.deadband_mhz}, was {deviation_mhz} mHz")
            if change_w * deviation_mhz < 0 or abs(change_w) > MOST_W:
                raise InvalidValue(f"a droop helps the frequency, was {change_w} W at {deviation_mhz} mHz")
        for most_w in (self.most_up_w, self.most_down_w):
            if most_w is not None and not 0 <= most_w <= MOST_W:
                raise InvalidValue(f"a reserve limit is zero or more, was {most_w} W")


@dataclass(frozen=True, slots=True, kw_only=True)
class Armed:
    """A curve by which a device may move its power by itself until an instant, UTC."""

    curve: Droop
    until: datetime

    def __post_init__(self) -> None:
        if self.until.utcoffset() != timedelta(0):
            raise InvalidValue(f"a curve is armed until an instant in UTC, was {self.until.isoformat()}")

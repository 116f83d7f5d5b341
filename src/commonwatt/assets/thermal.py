"""What a warm or cold body does over a stretch of time: the arithmetic that buildings, tanks and cold stores share.

One capacity behind one resistance, exact between instants while power and surroundings stand still. Levels are Wh of
heat above a reference temperature, or of cold below it.
"""

import math
from dataclasses import dataclass

from commonwatt.model import SLOT_SECONDS, InvalidValue, Warmth
from commonwatt.model.envelope import MILLION


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A capacity and its loss to the surroundings.

    Args:
        wh_per_k: Heat that one degree takes, Wh per kelvin.
        loss_mw_per_k: What flows out per kelvin of difference, thousandths of a watt per kelvin.
    """

    wh_per_k: int
    loss_mw_per_k: int

    def __post_init__(self) -> None:
        if self.wh_per_k <= 0 or self.loss_mw_per_k <= 0:
            raise InvalidValue(f"a body takes heat and loses some, was {self}")

    @property
    def hours(self) -> float:
        """Return the time constant in hours."""
        return self.wh_per_k * 1000 / self.loss_mw_per_k

    def kept(self, seconds: int = SLOT_SECONDS) -> float:
        """Return the share of a difference in temperature that is left after a while."""
        return math.exp(-seconds / 3600 / self.hours)

    def held(self, seconds: int = SLOT_SECONDS) -> float:
        """Return the share of evenly added heat that is still there at the end of a while."""
        return (1 - self.kept(seconds)) * self.hours * 3600 / seconds


def keep_ppm(body: Body) -> int:
    """Return `Store.keep_ppm` of a body."""
    return min(MILLION, max(1, round(body.kept() * MILLION)))


def stored_wh(warmth: Warmth, temperature_mc: int) -> int:
    """Return the level of a temperature."""
    return round((temperature_mc - warmth.zero_mc) * warmth.wh_per_k / 1000)


def temperature_mc(warmth: Warmth, level_wh: float) -> int:
    """Return the temperature of a level, thousandths of a degree Celsius."""
    return round(warmth.zero_mc + level_wh * 1000 / warmth.wh_per_k)


def inflow_wh(body: Body, warmth: Warmth, outside_mc: int, free_wh: float, seconds: int = SLOT_SECONDS) -> float:
    """Return what enters a level by itself: from outside, and from free heat that is evenly added.

    Args:
        body: The body.
        warmth: Its reference; below zero Wh per kelvin where the level is one of cold.
        outside_mc: Temperature around it.
        free_wh: Heat from sun, people, goods, over the stretch.
        seconds: How long.
    """
    sign = 1 if warmth.wh_per_k > 0 else -1
    from_outside = (outside_mc - warmth.zero_mc) / 1000 * body.wh_per_k * (1 - body.kept(seconds))
    return sign * (from_outside + free_wh * body.held(seconds))


def after(
    body: Body, warmth: Warmth, level_wh: float, added_wh: float, outside_mc: int, free_wh: float, seconds: int
) -> float:
    """Return the level after a stretch in which a machine evenly adds heat, or cold to a level of cold."""
    moved = added_wh * body.held(seconds) + inflow_wh(body, warmth, outside_mc, free_wh, seconds)
    return level_wh * body.kept(seconds) + moved

"""Forecast when a car that came will leave, what it will take, and when one that left comes back: from its own past
stays and all others'.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from commonwatt.model import LEVELS_PERMILLE, InvalidValue

Floats = NDArray[np.float64]
OWN, OTHERS = 60, 400
"""How many past stays are looked at: of the same driver, and of everybody."""
OTHERS_WEIGHT = 3.0
"""What all others' stays count together, in stays of one's own like the one asked about."""
HOURS = 1.5
"""By how many hours of arrival stays are alike: at twice as many a stay counts a seventh."""
OTHER_KIND = 0.3
HALF_LIFE = 40.0
UNSEEN = 0.07
"""What a stay beyond all before counts at either end, in stays of one's own like the one asked about; of 0 to 0.1 what
brought the 90 % bands of both places nearest to 90 over the quarter of stays before the scored half."""
STATED_SHARE = 0.25
"""Stays are alike whose stated hours differ by less than such a share; a driver's word is worth that much."""


@dataclass(frozen=True, slots=True, eq=False)
class Stays:
    """Stays in order of their end, as columns.

    Args:
        driver: A number for each driver, or for each place where drivers are not known.
        hour: Of arrival, local, 0 to 24.
        off: Whether it began on a day off.
        hours: From arrival to departure.
        energy_wh: Taken.
        stated_hours: What the driver said on arrival; not a number where nobody asked.

    Raises:
        InvalidValue: Columns differ in length, or a stay lasts or takes less than nothing.
    """

    driver: NDArray[np.int64]
    hour: Floats
    off: NDArray[np.bool_]
    hours: Floats
    energy_wh: Floats
    stated_hours: Floats

    def __post_init__(self) -> None:
        columns = (self.driver, self.hour, self.off, self.hours, self.energy_wh, self.stated_hours)
        if len({len(column) for column in columns}) != 1 or (self.hours < 0).any() or (self.energy_wh < 0).any():
            raise InvalidValue(f"stays are equal columns of zero or more, was {[len(column) for column in columns]}")


def stay(
    past: Stays, driver: int, hour: float, off: bool, stated_hours: float = np.nan, lasted_hours: float = 0.0
) -> tuple[Floats, Floats]:
    """Return quantiles of how long a stay lasts and of what it takes, at each of `LEVELS_PERMILLE`.

    What a car does away from its plug is told alike: from when it left, how long it is away.

    Args:
        past: Stays that had ended when this one began, at least one.
        driver: Who came; somebody new is forecast from all others.
        hour: Local, 0 to 24.
        off: Whether today is a day off.
        stated_hours: What the driver says, where anybody asked.
        lasted_hours: How long it has lasted by now: shorter ones tell nothing any more, as long as there are longer.

    Returns:
        Hours and Wh, rising; hours no fewer than it has lasted.

    Raises:
        InvalidValue: There is no past.

    Source: kernel-weighted empirical quantiles; Nadaraya & Watson, 1964, for the weights; that what comes may lie
    beyond them as in Tibshirani et al., Conformal Prediction under Covariate Shift, NeurIPS 2019, by less.
    """
    if not len(past.driver):
        raise InvalidValue("a stay is forecast from past stays, and there are none")
    own = np.flatnonzero(past.driver == driver)[-OWN:]
    everybody = np.arange(max(0, len(past.driver) - OTHERS), len(past.driver))
    alike = _alike(past, everybody, hour, off, stated_hours)
    own_alike = _alike(past, own, hour, off, stated_hours)
    share = OTHERS_WEIGHT / max(float(alike.sum()), 1e-12)
    rows = np.concatenate([own, everybody])
    weight = np.concatenate([own_alike, alike * share])
    longer = past.hours[rows] > lasted_hours
    if longer.any():
        rows, weight = rows[longer], weight[longer]
    hours = np.maximum(_quantiles(past.hours[rows], weight), lasted_hours)
    return hours, _quantiles(past.energy_wh[rows], weight)


def _alike(past: Stays, rows: NDArray[np.intp], hour: float, off: bool, stated_hours: float) -> Floats:
    apart = np.abs(past.hour[rows] - hour)
    apart = np.minimum(apart, 24 - apart)
    weight: Floats = np.exp(-0.5 * (apart / HOURS) ** 2) + 1e-3
    weight *= np.where(past.off[rows] == off, 1.0, OTHER_KIND)
    weight *= 0.5 ** (np.arange(len(rows))[::-1] / HALF_LIFE)
    if not np.isnan(stated_hours):
        reach = STATED_SHARE * stated_hours + 0.5
        differ = np.nan_to_num(past.stated_hours[rows] - stated_hours, nan=reach)
        weight *= np.exp(-0.5 * (differ / reach) ** 2) + 1e-3
    return weight


def _quantiles(values: Floats, weight: Floats) -> Floats:
    order = np.argsort(values, kind="stable")
    rising, mass = values[order], weight[order]
    middle, total = mass.cumsum() - mass / 2, mass.sum()
    levels = np.array(LEVELS_PERMILLE) / 1000
    beyond = np.sign(levels - 0.5)
    rows = [np.interp(levels, (middle + before) / (total + more), rising) for before, more in _ENDS]
    found: Floats = np.select([beyond < 0, beyond == 0], rows[:2], rows[2])
    return found


_ENDS = ((UNSEEN, UNSEEN), (0.0, 0.0), (0.0, UNSEEN))
"""For levels below the middle, at it and above it: the mass before the first stay, and how much more there is."""

"""What recurs in how a car is used: by when it leaves, and what it takes, as a statement that can be proposed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LEAST_DAYS = 5
"""Days of a kind on which it left, before anything is said of them."""
LEAST_SHARE_PERMILLE = 600
"""On so many of the days of a kind it must have left, or there is no habit."""
NEEDS_PERMILLE = 900
EARLY_PERMILLE = 100
"""Departures earlier than one in ten are not waited for."""
STEP_MINUTES = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """A car's first departure of a local day: on which, at which minute, and what it had taken since the last."""

    day: int
    off: bool
    minute: int
    energy_wh: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """What recurs on days of one kind.

    Args:
        off: Whether of days off; else of workdays.
        minute: The usual time of day, the median.
        spread_minutes: Half of the departures lie within so many minutes of it, before and after.
        ready_minute: By when it is to be ready so that nine departures of ten find it so; on a quarter-hour.
        needs_wh: What nine of ten needed at most.
        days: On how many days it left.
        of_days: Of how many.
        kept_permille: How often both would have held, on days that were not learnt from: each left out in its turn.
    """

    off: bool
    minute: int
    spread_minutes: int
    ready_minute: int
    needs_wh: int
    days: int
    of_days: int
    kept_permille: int


def habits(departures: Sequence[Departure], workdays: int, days_off: int) -> list[Habit]:
    """Return what recurs, of workdays and of days off; none where a car leaves now and then.

    Args:
        departures: The first of each day on which it left.
        workdays: How many there were in all.
        days_off: Likewise.
    """
    found = []
    for off, count in ((False, workdays), (True, days_off)):
        own = [one for one in departures if one.off is off]
        if len(own) < LEAST_DAYS or 1000 * len(own) < LEAST_SHARE_PERMILLE * count:
            continue
        found.append(_habit(own, off, count))
    return found


def _habit(own: Sequence[Departure], off: bool, count: int) -> Habit:
    minutes = np.array([one.minute for one in own], np.float64)
    needs = np.array([one.energy_wh for one in own], np.float64)
    middle = float(np.median(minutes))
    kept = [
        minutes[at] >= _ready(np.delete(minutes, at)) and needs[at] <= _needs(np.delete(needs, at))
        for at in range(len(own))
    ]
    return Habit(
        off=off,
        minute=round(middle),
        spread_minutes=round(float(np.median(np.abs(minutes - middle)))),
        ready_minute=_ready(minutes),
        needs_wh=_needs(needs),
        days=len(own),
        of_days=max(count, len(own)),
        kept_permille=round(1000 * float(np.mean(kept))),
    )


def _ready(minutes: Floats) -> int:
    early = float(np.quantile(minutes, EARLY_PERMILLE / 1000, method="lower"))
    return int(early // STEP_MINUTES * STEP_MINUTES)


def _needs(needs: Floats) -> int:
    return int(np.quantile(needs, NEEDS_PERMILLE / 1000, method="higher"))

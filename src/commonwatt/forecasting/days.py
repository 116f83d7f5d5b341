"""Which days are alike: what the calendar says of how people live them."""

from collections.abc import Collection, Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

WORKDAY, SATURDAY, SUNDAY = 0, 1, 2
"""Kinds of days; a holiday is lived like a Sunday."""


def kinds(days: Sequence[date], holidays: Collection[date] = ()) -> NDArray[np.int8]:
    """Return the kind of each day: `WORKDAY`, `SATURDAY`, or `SUNDAY`, as which holidays count, too."""
    return np.array([_kind(day, holidays) for day in days], np.int8)


def _kind(day: date, holidays: Collection[date]) -> int:
    if day in holidays or day.weekday() == 6:
        return SUNDAY
    return SATURDAY if day.weekday() == 5 else WORKDAY

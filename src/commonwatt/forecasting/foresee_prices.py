"""Foresee prices and what somebody publishes: the last days as they would have been told, today, and the next six."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from commonwatt.forecasting import price
from commonwatt.forecasting import published as published_by
from commonwatt.forecasting.choice import WEEK, choose
from commonwatt.forecasting.daily_bands import around
from commonwatt.forecasting.foresee import AHEAD, LEARN_EVERY, Foretold, baseline_days, by_baseline, days_ahead, judged

Floats = NDArray[np.float64]
REGRESSION, CORRECTED, PUBLISHED = "regression over windows", "published, corrected", "as published"
LEAST_PRICED = price.LEAST_DAYS + LEARN_EVERY + 1
"""Days of prices before they are told by regression: what that needs, a week that it was off on, and one to score."""
LATE_WINDOWS = price.WINDOWS[:2]
"""What prices after tomorrow's are learnt from: they err by the week's weather, whatever a year says."""


def prices(
    told: Floats, weekdays: Sequence[int], name: str, first: int, windows: Sequence[int] = price.WINDOWS
) -> Foretold:
    """Foresee prices by regression on those of the past; later days from a past of which today's forecast is a part.

    Args:
        told: (days, slots), any unit, oldest first; not a number where none was published.
        weekdays: Of each day and the next `AHEAD`, 0 to 6.
        name: Of the series.
        first: As for `loads`; the regression needs `price.LEAST_DAYS` and a week that it was off on before it.
        windows: Days that the regression learns from, as for `price.day_ahead`.
    """
    if len(told) < LEAST_PRICED or np.isnan(told).any():
        reason = f"the {WEEK} is used: {len(told)} days of prices are too few to learn from, {LEAST_PRICED} are needed"
        return by_baseline(name, told, first, -np.inf, reason)
    first = min(max(first, LEAST_PRICED - 1), len(told) - 1)
    begin = first - LEARN_EVERY

    def expect(known: Floats, late: int) -> Floats:
        return price.day_ahead(known, weekdays[: len(known) + 1], windows if late < 2 else LATE_WINDOWS)

    expected = days_ahead([told[:day] for day in range(begin, len(told) + 1)], expect)
    rows = around(expected[0], told, begin, first, -np.inf, expected[1:], AHEAD)
    return judged(name, REGRESSION, rows, told, first, -np.inf)


def published(told: Floats, next_told: Floats, came: Floats, name: str, first: int, unit: float = 1.0) -> Foretold:
    """Foresee what somebody publishes by their word, corrected by its own errors where that was better of late.

    Days after tomorrow are told by the mean of seven days.

    Args:
        told: What had been published of each day as it began, and of today: (days + 1, slots); not a number where
            nothing had.
        next_told: Likewise of the day after each.
        came: What it came to: (days, slots).
        name: Of the series.
        first: As for `loads`.
        unit: How many of the series' units are one of those that `published.corrected` was set for, g of carbon a kWh.
    """
    days, least = len(came), published_by.LEAST_DAYS + LEARN_EVERY
    if days <= least or np.isnan(told[-1]).all():
        reason = f"the {WEEK} is used: {days} days of what was published are too few to tell how far it is off"
        return by_baseline(name, came, first, -np.inf, reason)
    first, begin = min(max(first, least), days - 1), published_by.LEAST_DAYS
    usual = baseline_days(came, begin, WEEK)
    ours = np.array(
        [unit * published_by.corrected(told[: day + 1] / unit, came[:day] / unit) for day in range(begin, days + 1)]
    )
    scored = slice(first - begin, days - begin)
    by = choose(CORRECTED, ours[scored].ravel(), {PUBLISHED: told[first:days].ravel()}, came[first:].ravel())
    today = ours if by.used else told[begin:]
    later = [next_told[begin:], *[usual[: len(today)]] * (AHEAD - 2)]
    filled = [np.where(np.isnan(row), usual[: len(today)], row) for row in (today, *later)]
    banded = around(filled[0], came, begin, first, 0.0, filled[1:], AHEAD)
    return judged(name, CORRECTED if by.used else PUBLISHED, banded, came, first, 0.0)

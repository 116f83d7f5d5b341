"""D9: what 101 roofs yield the next day, without a weather forecast."""

from datetime import timedelta, timezone
from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.figure import Figure, figure
from benchmarks.forecasts import recorded
from benchmarks.forecasts.scoring import median_error
from commonwatt.forecasting import solar
from commonwatt.forecasting.sun import towards

Floats = NDArray[np.float64]
GOAL = 0.31
FIRST_DAY = 7
SYDNEY = (-33.9, 151.2)
"""Where the roofs are is not told; the recording's clock is that of the east coast."""


def d9() -> Figure:
    """D9: median nMAE of 101 roofs, hours of the next day, 85 days; and what it were, were each day's total known."""
    told, came = yields()
    wh, _ = recorded.roofs()
    week = np.stack([wh[:, day - 7 : day].mean(1) for day in range(FIRST_DAY, wh.shape[1])], 1)
    own = told * (came.sum(2) / (told.sum(2) + 1e-9))[:, :, None]
    shared = told * (came.sum((0, 2)) / told.sum((0, 2)))[None, :, None]
    return figure(
        "D9",
        median_error(told, came),
        "nMAE",
        GOAL,
        mean_of_7_days=round(median_error(week, came), 4),
        yesterday=round(median_error(wh[:, FIRST_DAY - 1 : -1], came), 4),
        were_each_roofs_day_known=round(median_error(own, came), 4),
        were_only_the_mean_day_of_all_known=round(median_error(shared, came), 4),
        from_the_29th_day=round(median_error(told[:, 21:], came[:, 21:]), 4),
        mean_of_7_days_from_then=round(median_error(week[:, 21:], came[:, 21:]), 4),
    )


@cache
def yields() -> tuple[Floats, Floats]:
    """Return what was expected and what came: (roofs, days, hours) each, Wh."""
    wh, days = recorded.roofs()
    sun = towards(days, 24, *SYDNEY, timezone(timedelta(hours=10)))
    before: list[solar.Yield] = []
    told = []
    for day in range(solar.LEAST_DAYS, wh.shape[1]):
        expected, said = solar.day_ahead_wh(wh[:, :day], sun, before)
        before.append(said)
        told.append(expected)
    return np.stack(told[FIRST_DAY - solar.LEAST_DAYS :], 1), wh[:, FIRST_DAY:]

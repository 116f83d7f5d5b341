"""Forecast tomorrow's prices from those of the past alone, and blend whatever forecasts there are."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from commonwatt.forecasting.sturdy import slopes
from commonwatt.kernels.lasso import lasso
from commonwatt.model import InvalidValue

Floats = NDArray[np.float64]
WINDOWS = (56, 84, 182, 364, 728, 1092)
"""Days to learn from: short ones know this winter, long ones every season; their mean beats most of them."""
RIDGE = 10.0
HELD_BACK, LEAST_CHOSEN = 0.01, 182
"""What a column must tell for the lasso to keep it, and the days from which on columns are chosen at all."""
WEEKDAY = 3.0
"""How large a weekday is written: more, and the ridge holds back how weekdays differ less."""
LAGS = (1, 2, 3, 7)
LEAST_SIZE = 1e-6
"""What varies less is taken for constant."""
FIRST = 28
LEAST_DAYS = FIRST + 28
WEEKDAYS = 7


def day_ahead(prices: Floats, weekdays: Sequence[int], windows: Sequence[int] = WINDOWS) -> Floats:
    """Expect the prices of the day after the last.

    Args:
        prices: (days, hours), oldest first, complete, `LEAST_DAYS` or more; any unit.
        weekdays: Of each day and the next, 0 to 6; a holiday may be called a Sunday.
        windows: How many days to learn from; the mean of all is what is expected.

    Returns:
        hours values in the same unit.

    Raises:
        InvalidValue: The past is too short or has holes, or weekdays end before the next day.

    Source: LEAR of Lago et al., Applied Energy 293, 2021, on prices alone and with a ridge beside the lasso; the
    transform and averaging over windows: Uniejewski, Weron & Ziel, IEEE Trans. Power Systems 33, 2018; Hubicka et al.,
    2019.
    """
    days = len(prices)
    if days < LEAST_DAYS or np.isnan(prices).any() or len(weekdays) <= days:
        raise InvalidValue(f"a price forecast needs {LEAST_DAYS} whole days and the next one's weekday, was {days}")
    seen = np.array([_seen(prices, day) for day in range(FIRST, days + 1)])
    which = np.eye(WEEKDAYS)[np.array(weekdays[FIRST : days + 1])]
    spans = {min(window, days - FIRST) for window in windows}
    told = [row for span in sorted(spans) for row in _told(seen[-span - 1 :], which[-span - 1 :], prices[-span:])]
    found: Floats = np.mean(told, 0)
    return found


def blended(forecasts: Floats, measured: Floats) -> Floats:
    """Return the weights, zero or more and summing to one, with which forecasts were together least off.

    Args:
        forecasts: (forecasts, n), each made before.
        measured: n values; not a number where nobody measured.

    Raises:
        InvalidValue: Nothing was measured, or shapes differ.

    Source: exponentiated gradient, Kivinen & Warmuth, Inf. and Comp. 132, 1997, on the absolute error.
    """
    known = ~np.isnan(measured)
    if forecasts.shape[1:] != measured.shape or not known.any():
        raise InvalidValue(f"a blend is learnt from equal lists, was {forecasts.shape} and {measured.shape}")
    rows, truth = forecasts[:, known], measured[known]
    size = float(np.abs(rows - truth).mean()) or 1.0
    share = np.full(len(rows), 1 / len(rows))
    best, least = share, np.inf
    for step in range(400):
        missed = share @ rows - truth
        error = float(np.abs(missed).mean())
        if error < least:
            best, least = share, error
        slope = rows @ np.sign(missed) / len(truth) / size
        share = share * np.exp(-(slope - slope.mean()) * 4 / (1 + step) ** 0.5)
        share = share / share.sum()
    found: Floats = best
    return found


def _seen(prices: Floats, day: int) -> Floats:
    """Return what a day's prices are learnt from, nothing of it later than the day before."""
    last = prices[day - 1]
    means = [prices[day - back : day].mean() for back in (7, 14, 28)]
    evening = last[-len(last) // 4 :].mean()
    tail = [*means, last.min(), last.max(), evening, last.mean() + last.std()]
    found: Floats = np.concatenate([*(prices[day - lag] for lag in LAGS), prices[day - 7 : day].mean(0), tail])
    return found


def _told(seen: Floats, which: Floats, prices: Floats) -> list[Floats]:
    """Learn from all rows but the last, and return what the last expects; extremes are drawn in by asinh.

    A ridge uses a little of all columns, by absolute errors, a lasso some columns: they err on other days.
    """
    middle = np.median(prices)
    width = 1.4826 * np.median(np.abs(prices - middle)) + 1e-6
    rows = np.concatenate([np.arcsinh((seen - middle) / width), WEEKDAY * which], 1)
    past, target = rows[:-1], np.arcsinh((prices - middle) / width)
    centre, usual = past.mean(0), target.mean(0)
    past, last, target = past - centre, rows[-1] - centre, target - usual
    told = [last @ slopes(past, target, np.ones(len(past)), RIDGE)]
    if len(past) >= LEAST_CHOSEN:
        size = past.std(0)
        size[size < LEAST_SIZE] = np.inf
        told.append((last / size) @ lasso(past / size, target, HELD_BACK))
    return [np.sinh(row + usual) * width + middle for row in told]

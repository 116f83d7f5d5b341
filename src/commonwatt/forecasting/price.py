"""Forecast tomorrow's prices from those of the past alone, and blend whatever forecasts there are."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from commonwatt.model import InvalidValue

Floats = NDArray[np.float64]
WINDOWS = (56, 84, 182, 364, 728)
"""Days to learn from: short ones know this winter, long ones every season; their mean beats the best of them."""
RIDGE = 10.0
LAGS = (1, 2, 3, 7)
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

    Source: LEAR of Lago et al., Applied Energy 293, 2021, on prices alone and with ridge for lasso; the transform and
    averaging over windows: Uniejewski, Weron & Ziel, IEEE Trans. Power Systems 33, 2018; Hubicka et al., 2019.
    """
    days = len(prices)
    if days < LEAST_DAYS or np.isnan(prices).any() or len(weekdays) <= days:
        raise InvalidValue(f"a price forecast needs {LEAST_DAYS} whole days and the next one's weekday, was {days}")
    seen = np.array([_seen(prices, day) for day in range(FIRST, days + 1)])
    which = np.eye(WEEKDAYS)[np.array(weekdays[FIRST : days + 1])]
    spans = {min(window, days - FIRST) for window in windows}
    told = [_ridge(seen[-span - 1 :], which[-span - 1 :], prices[-span:]) for span in sorted(spans)]
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


def _ridge(seen: Floats, which: Floats, prices: Floats) -> Floats:
    """Learn from all rows but the last, and return what the last expects; extremes are drawn in by asinh."""
    middle = np.median(prices)
    width = 1.4826 * np.median(np.abs(prices - middle)) + 1e-6
    rows = np.concatenate([np.arcsinh((seen - middle) / width), which], 1)
    past, target = rows[:-1], np.arcsinh((prices - middle) / width)
    centre, usual = past.mean(0), target.mean(0)
    past = past - centre
    slopes = np.linalg.solve(past.T @ past + RIDGE * np.eye(past.shape[1]), past.T @ (target - usual))
    found: Floats = np.sinh((rows[-1] - centre) @ slopes + usual) * width + middle
    return found

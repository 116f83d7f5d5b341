"""What the yardsticks share: errors of single homes, and rolling bands whose coverage is counted."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.forecasts import recorded
from commonwatt.forecasting import community, load
from commonwatt.forecasting.bands import adapted, conformal

Floats = NDArray[np.float64]
FIRST_DAY = 28
"""From here on homes and their sum are scored: what the table's four-week baselines need."""
LEARN_EVERY = 7
BAND_DAYS, LEAST_BAND_DAYS = 45, 10


def median_error(expected: Floats, measured: Floats) -> float:
    """Return the median over homes of nMAE; those that drew nothing have none."""
    total = measured.sum((1, 2))
    drew = total > 0
    return float(np.median(np.abs(expected - measured).sum((1, 2))[drew] / total[drew]))


def error(expected: Floats, measured: Floats) -> float:
    """Return nMAE of one series."""
    return float(np.abs(expected - measured).sum() / np.abs(measured).sum())


@cache
def homes() -> tuple[Floats, Floats]:
    """Return quantiles of all homes, learnt anew every week, (levels, homes, days, slots), and what came."""
    panel, told = recorded.households(), []
    model = None
    for day in range(FIRST_DAY, panel.days):
        known = panel.until(day)
        if model is None or (day - FIRST_DAY) % LEARN_EVERY == 0:
            model = load.fit(known)
        told.append(model.quantiles_wh(known).astype(np.float32))
    return np.stack(told, 2), panel.wh[:, FIRST_DAY:].astype(np.float64)


@cache
def together(first: int) -> tuple[Floats, Floats]:
    """Return what the sum of homes was expected to draw from a day on, and drew: (days, slots) each."""
    panel = recorded.households()
    total = panel.wh.sum(0, dtype=np.float64)
    told = [community.day_ahead_wh(total[:day], panel.kinds, panel.dark) for day in range(first, len(total))]
    return np.array(told), total[first:]


def covered(expected: Floats, measured: Floats, scale: Floats) -> float:
    """Return how much a 90 % band holds that is learnt every day from the errors of up to `BAND_DAYS` days before.

    Args:
        expected: (days, n), each made before its day.
        measured: (days, n); not a number where nobody measured.
        scale: (days, n), above zero, known before the day; errors are compared in it.
    """
    inside, width = [], 1.0
    slots = expected.shape[1]
    group = np.tile(np.arange(slots) * 4 // slots, (len(expected), 1))
    for day in range(LEAST_BAND_DAYS, len(expected)):
        past = slice(max(0, day - BAND_DAYS), day)
        bands = conformal(
            expected[past].ravel(), measured[past].ravel(), scale[past].ravel(), group[past].ravel(), groups=4
        )
        low, *_, high = bands.around(expected[day], scale[day], group[day], width=width)
        known = ~np.isnan(measured[day])
        held = (low <= measured[day])[known] & (high >= measured[day])[known]
        inside.append(held)
        width = adapted(width, 1 - float(held.mean())) if len(held) else width
    return float(np.concatenate(inside).mean())

"""Bands of forecasts that are made day by day: each from what days before it missed, and tomorrow's from its own."""

import numpy as np
from numpy.typing import NDArray

from commonwatt.forecasting.bands import adapted, conformal
from commonwatt.model import LEVELS_PERMILLE

Floats = NDArray[np.float64]
_NEAR = 2
LEAST_SCALE, RELATIVE_LEAST = 0.02, 0.1
"""Least that a slot is taken to be off, as a share of the series' mean: what never erred still may."""
_GROUPS = 8
"""Of the day's slots, by time, for bands: the sun misses at noon, not at night."""


def around(
    today: Floats, measured: Floats, begin: int, first: int, floor: float, tomorrow: Floats | None = None
) -> Floats:
    """Return quantiles around what was expected from day ``begin`` on, for days from ``first`` on and one more.

    What it missed on the days before is all that a day's bands are learnt from; tomorrow's from what was told of days
    to come as early as that.

    Args:
        today: What was expected of each day at its start: (days, slots), the first ``begin``, the last today.
        measured: (days, slots), up to yesterday.
        begin: See there.
        first: The first day that is told.
        floor: What no value falls below.
        tomorrow: What was expected at the same instants of the day after each; where none is told, the same.
    """
    usual = max(float(np.nanmean(np.abs(measured[:first]))), 1.0)
    rows = _rolled(today, measured[begin:], 0, first - begin, floor, usual)
    later = _rolled(today if tomorrow is None else tomorrow, measured[begin + 1 :], 1, first - begin, floor, usual)
    return np.stack([*rows, later[-1]], 1)


def _rolled(expected: Floats, came: Floats, late: int, first: int, floor: float, usual: float) -> list[Floats]:
    """Return the quantiles of each row from one on, learnt from all rows before it but the last ``late`` ones.

    How wide they are follows what the days before missed, since seasons err differently; see `bands.adapted`.
    """
    slots = expected.shape[1]
    group = np.broadcast_to(np.arange(slots) * _GROUPS // slots, expected.shape)
    rows: list[Floats] = []
    width = 1.0
    for at in range(first, len(expected)):
        known = slice(0, max(at - late, 0))
        missed = came[known] - expected[known]
        if np.isnan(missed).all():
            rows.append(np.broadcast_to(expected[at], (len(LEVELS_PERMILLE), slots)))
            continue
        seen = len(rows) - 1 - late
        if seen >= 0:
            width = _widened(width, rows[seen], came[first + seen])
        # What cannot be negative errs in proportion to what is expected; what goes through zero by the time of day.
        off = np.broadcast_to(_usually_off(missed, LEAST_SCALE * usual), expected.shape)
        scale = np.maximum(np.abs(expected), RELATIVE_LEAST * usual) if floor == 0 else off
        bands = conformal(
            expected[known].ravel(), came[known].ravel(), scale[known].ravel(), group[known].ravel(), _GROUPS
        )
        rows.append(bands.around(expected[at], scale[at], group[at], floor, width))
    return rows


def _widened(width: float, told: Floats, came: Floats) -> float:
    known = ~np.isnan(came)
    if not known.any():
        return width
    return adapted(width, float(((came < told[0]) | (came > told[-1]))[known].mean()))


def _usually_off(errors: Floats, least: float) -> Floats:
    """Return how far each slot of the day was off on average, with those around it; noon is, midnight is not."""
    seen = ~np.isnan(errors)
    mean = np.where(seen, np.abs(errors), 0).sum(0) / np.maximum(seen.sum(0), 1)
    around = np.pad(mean, _NEAR, mode="wrap")
    found: Floats = np.maximum(np.convolve(around, np.full(2 * _NEAR + 1, 1 / (2 * _NEAR + 1)), "valid"), least)
    return found

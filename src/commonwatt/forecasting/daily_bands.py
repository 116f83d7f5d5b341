"""Bands of forecasts that are made day by day: each from what days before it missed, and tomorrow's from its own."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from commonwatt.forecasting.bands import adapted, conformal
from commonwatt.model import LEVELS_PERMILLE

Floats = NDArray[np.float64]
_NEAR = 2
LEAST_SCALE, RELATIVE_LEAST = 0.02, 0.1
"""Least that a slot is taken to be off, as a share of the series' mean: what never erred still may."""
_FOLLOWED = 5
MOST, HOURS = 1.25, 24
_GROUPS = 8
"""Of the day's slots, by time, for bands: the sun misses at noon, not at night."""


@dataclass(frozen=True, slots=True, eq=False)
class Rolled:
    """Quantiles of a forecast that is made day by day, each from what days before it missed.

    Args:
        told: Of each day from the first on at its start, and of the days after the last, told with it: (levels, days,
            slots).
        last: Of the last of those, as it would have been told on each day from the first on: (levels, days, slots).
    """

    told: Floats
    last: Floats


def around(
    today: Floats, measured: Floats, begin: int, first: int, floor: float, later: Sequence[Floats] = (), ahead: int = 2
) -> Rolled:
    """Return quantiles around what was expected from day ``begin`` on, for days from ``first`` on and some more.

    What it missed on the days before is all that a day's bands are learnt from; those of days to come from what was
    told of days as early as that. Where none was that is over yet, they are as wide as the day before's.

    Args:
        today: What was expected of each day at its start: (days, slots), the first ``begin``, the last today.
        measured: (days, slots), up to yesterday.
        begin: See there.
        first: The first day that is told.
        floor: What no value falls below.
        later: What was expected at the same instants of the day after each, of the day after that and so on; not a
            number where it was not asked then, but today. Where none is told, the same as of today.
        ahead: How many days are told today.
    """
    usual = max(float(np.nanmean(np.abs(measured[:first]))), 1.0)
    expected = [today, *later, *[today] * (ahead - 1 - len(later))]
    count = len(today) - (first - begin)
    rows = _rolled(today, measured[begin:], 0, first - begin, floor, usual)
    told, last = [_known(row, today[-count + at]) for at, row in enumerate(rows)], rows
    for late in range(1, ahead):
        # How wide it is follows the days before; of days in between a few are enough, the last is scored.
        since = first - begin if late == ahead - 1 else max(first - begin, len(today) - _FOLLOWED)
        last = _rolled(expected[late], measured[begin + late :], late, since, floor, usual)
        told.append(_as_wide(last[-1], expected[late][-1], told[-1], expected[late - 1][-1], floor))
    levels = [_known(row, expected[-1][-len(last) + at]) for at, row in enumerate(last)]
    return Rolled(np.stack(told, 1), np.stack(levels, 1))


def _known(row: Floats | None, expected: Floats) -> Floats:
    """Return a day's quantiles; all of them what is expected where nothing was known of how far that is off."""
    return np.broadcast_to(expected, (len(LEVELS_PERMILLE), len(expected))) if row is None else row


def _as_wide(row: Floats | None, expected: Floats, before: Floats, expected_before: Floats, floor: float) -> Floats:
    """Return a day's quantiles, or those of the day before it moved to what is expected of it."""
    return np.maximum(before - expected_before + expected, floor) if row is None else row


def _rolled(expected: Floats, came: Floats, late: int, first: int, floor: float, usual: float) -> list[Floats | None]:
    """Return the quantiles of each row from one on, learnt from all rows before it but the last ``late`` ones.

    None where none of those was told or came. How wide they are follows what the days before missed, since seasons err
    differently; see `bands.adapted`.
    """
    slots = expected.shape[1]
    group = np.broadcast_to(np.arange(slots) * _GROUPS // slots, expected.shape)
    rows: list[Floats | None] = []
    width = 1.0
    for at in range(first, len(expected)):
        known = slice(0, max(at - late, 0))
        missed = came[known] - expected[known]
        if np.isnan(missed).all() or np.isnan(expected[at]).any():
            rows.append(None)
            continue
        seen = len(rows) - 1 - late
        if seen >= 0 and (before := rows[seen]) is not None:
            width = _widened(width, before, came[first + seen])
        # What cannot be negative errs in proportion to what is expected; what goes through zero by the time of day.
        off = np.broadcast_to(_usually_off(missed, LEAST_SCALE * usual), expected.shape)
        scale = np.maximum(np.abs(expected), RELATIVE_LEAST * usual) if floor == 0 else off
        told = ~np.isnan(expected[known]).any(1)
        seen_wh, came_wh, size = (one[known][told].ravel() for one in (expected, came, scale))
        bands = conformal(seen_wh, came_wh, size, group[known][told].ravel(), _GROUPS)
        told_now = bands.around(expected[at], scale[at], group[at], floor, width)
        # What is relative to little, at dawn, says much of noon: no more is told than a quarter above all that came.
        rows.append(np.minimum(told_now, np.maximum(_most(came[known]), expected[at])) if floor == 0 else told_now)
    return rows


def _widened(width: float, told: Floats, came: Floats) -> float:
    known = ~np.isnan(came)
    if not known.any():
        return width
    return adapted(width, float(((came < told[0]) | (came > told[-1]))[known].mean()))


def _most(came: Floats) -> Floats:
    """Return a quarter more than the most that came in each slot and within an hour of it."""
    day = np.where(np.isnan(came), 0, came).max(0)
    reach = max(1, len(day) // HOURS)
    around_it = np.lib.stride_tricks.sliding_window_view(np.pad(day, reach, mode="wrap"), 2 * reach + 1)
    found: Floats = MOST * around_it.max(1)
    return found


def _usually_off(errors: Floats, least: float) -> Floats:
    """Return how far each slot of the day was off on average, with those around it; noon is, midnight is not."""
    seen = ~np.isnan(errors)
    mean = np.where(seen, np.abs(errors), 0).sum(0) / np.maximum(seen.sum(0), 1)
    around = np.pad(mean, _NEAR, mode="wrap")
    found: Floats = np.maximum(np.convolve(around, np.full(2 * _NEAR + 1, 1 / (2 * _NEAR + 1)), "valid"), least)
    return found

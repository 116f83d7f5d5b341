"""What a home's past says about a day to come, in numbers a model can learn from; compiled, for very many homes."""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from commonwatt.kernels.cores import beside, shares

Floats = NDArray[np.float32]
Whole = NDArray[np.int32]
FEATURES = (
    "low", "lower", "median", "upper", "high", "median_week", "median_near", "median_week_near", "median_alike",
    "mean_week", "mean", "mean_alike", "last", "week_ago", "mean_weekday", "last_most", "last_least", "level_last",
    "level_three", "level_week", "level_night", "level_alike", "base", "middle", "peak", "noise", "size",
    "all_week", "all_alike", "all_last", "hour", "kind", "kind_last", "days", "lead", "dark", "darker",
)  # fmt: skip
"""Columns of what `profiles` returns. All but the size are relative to the home's mean, so that homes are alike."""
MOST_DAYS = 28
"""How far back is looked: four of each weekday, and not yet another season."""
LEAST_LEVEL = 1e-3
_MANY = 200


def profiles(
    wh: Floats,
    everyone: Floats,
    kinds: NDArray[np.int8],
    dark: Floats,
    home: Whole,
    day: Whole,
    lead: Whole,
    span: Whole,
) -> tuple[Floats, Floats]:
    """Describe days of homes by what was measured before them; nothing from the day itself is looked at, nor later.

    Args:
        wh: (homes, days, slots) Wh, not a number where nobody measured.
        everyone: (days, slots), the mean of all homes.
        kinds: Of each day, up to the last that is described.
        dark: (days, slots), up to the last that is described.
        home: Which home, n values.
        day: Which day is described, n values.
        lead: How many days before it the last known day is, one or more; n values.
        span: How many days before that are known at most; n values.

    Returns:
        (n, slots, `FEATURES`) and each home's mean, by which Wh are divided; n values, above zero.
    """
    count, slots = len(home), wh.shape[2]
    found = np.empty((count, slots, len(FEATURES)), np.float32)
    level = np.empty(count, np.float32)
    work = [
        beside(
            _profiles,
            wh,
            everyone,
            kinds,
            dark,
            home[at:to],
            day[at:to],
            lead[at:to],
            span[at:to],
            found[at:to],
            level[at:to],
        )
        for at, to in shares(count, _MANY)
    ]
    for one in work:
        one.result()
    return found, level


@njit(nogil=True, cache=True)
def _profiles(
    wh: Any, everyone: Any, kinds: Any, dark: Any, home: Any, day: Any, lead: Any, span: Any, found: Any, level: Any
) -> None:
    slots = wh.shape[2]
    for row in range(len(home)):
        end = day[row] - lead[row] + 1
        first = max(0, end - min(span[row], MOST_DAYS))
        past = wh[home[row], first:end]
        mean = _mean(past.ravel())
        level[row] = LEAST_LEVEL if math.isnan(mean) else max(mean, LEAST_LEVEL)
        past = past / level[row]
        alike = _alike(kinds, first, end, day[row])
        out = found[row]
        _own(past, alike, end - first, day[row] - first, out)
        _home(past, alike, out)
        _others(everyone[first:end], alike, out)
        for slot in range(slots):
            out[slot, 26] = math.log(level[row])
            out[slot, 30] = 24.0 * (slot + 0.5) / slots
            out[slot, 31] = kinds[day[row]]
            out[slot, 32] = kinds[end - 1] if end > 0 else -1
            out[slot, 33] = end - first
            out[slot, 34] = lead[row]
            out[slot, 35] = dark[day[row], slot]
            out[slot, 36] = dark[day[row], slot] - _mean(dark[first:end, slot])


@njit(nogil=True, cache=True)
def _alike(kinds: Any, first: int, end: int, day: int) -> Any:
    """Mark the days of the same kind; where there is none, a day off for a day off, and else every day."""
    same = kinds[first:end] == kinds[day]
    if not same.any():
        same = (kinds[first:end] > 0) == (kinds[day] > 0)
    if not same.any():
        same[:] = True
    return same


@njit(nogil=True, cache=True)
def _own(past: Any, alike: Any, count: int, ahead: int, out: Any) -> None:
    """Fill what this time of day was like in this home."""
    slots, week = past.shape[1], max(0, count - 7)
    step = max(1, slots // 48)
    for slot in range(slots):
        low, high = max(0, slot - step), min(slots, slot + step + 1)
        column = _sorted(past[:, slot])
        for at, share in enumerate((0.1, 0.25, 0.5, 0.75, 0.9)):
            out[slot, at] = _quantile(column, share)
        out[slot, 5] = _quantile(_sorted(past[week:, slot]), 0.5)
        out[slot, 6] = _quantile(_sorted(past[:, low:high].copy().ravel()), 0.5)
        out[slot, 7] = _quantile(_sorted(past[week:, low:high].copy().ravel()), 0.5)
        same = past[alike]
        out[slot, 8] = _quantile(_sorted(same[:, low:high].copy().ravel()), 0.5)
        out[slot, 9] = _mean(past[week:, slot])
        out[slot, 10] = _mean(past[:, slot])
        out[slot, 11] = _mean(same[:, slot])
        out[slot, 12] = past[count - 1, slot] if count else np.nan
        at = ahead - 7 * max(1, -(-(ahead - count + 1) // 7))
        out[slot, 13] = past[at, slot] if at >= 0 else np.nan
        out[slot, 14] = _weekday(past, at, low, high)
        near = _sorted(past[count - 1, max(0, slot - 2 * step) : slot + 2 * step + 1]) if count else column
        out[slot, 15] = near[-1] if len(near) else np.nan
        out[slot, 16] = near[0] if len(near) else np.nan


@njit(nogil=True, cache=True)
def _weekday(past: Any, at: int, low: int, high: int) -> float:
    total, seen = 0.0, 0
    while at >= 0:
        for slot in range(low, high):
            if not math.isnan(past[at, slot]):
                total += past[at, slot]
                seen += 1
        at -= 7
    return total / seen if seen else math.nan


@njit(nogil=True, cache=True)
def _home(past: Any, alike: Any, out: Any) -> None:
    """Fill what the home was like as a whole."""
    count, slots = past.shape
    everything = _sorted(past.copy().ravel())
    told = (
        _mean(past[count - 1]) if count else math.nan,
        _mean(past[max(0, count - 3) :].copy().ravel()),
        _mean(past[max(0, count - 7) :].copy().ravel()),
        _mean(past[count - 1, slots - max(1, slots // 12) :]) if count else math.nan,
        _mean(past[alike].copy().ravel()),
        _quantile(everything, 0.1),
        _quantile(everything, 0.5),
        _quantile(everything, 0.95),
    )
    noise = 0.0
    for slot in range(slots):
        noise += out[slot, 3] - out[slot, 1]
    for slot in range(slots):
        for at in range(len(told)):
            out[slot, 17 + at] = told[at]
        out[slot, 25] = noise / slots


@njit(nogil=True, cache=True)
def _others(everyone: Any, alike: Any, out: Any) -> None:
    """Fill what this time of day was like in all homes together, relative to their mean."""
    count = len(everyone)
    mean = max(_mean(everyone.copy().ravel()), LEAST_LEVEL)
    same = everyone[alike]
    for slot in range(len(out)):
        out[slot, 27] = _mean(everyone[max(0, count - 7) :, slot]) / mean
        out[slot, 28] = _mean(same[:, slot]) / mean
        out[slot, 29] = everyone[count - 1, slot] / mean if count else math.nan


@njit(nogil=True, cache=True)
def _sorted(values: Any) -> Any:
    return np.sort(values[~np.isnan(values)])


@njit(nogil=True, cache=True)
def _quantile(rising: Any, share: float) -> float:
    if not len(rising):
        return math.nan
    at = share * (len(rising) - 1)
    low = int(at)
    high = min(low + 1, len(rising) - 1)
    found: float = rising[low] + (rising[high] - rising[low]) * (at - low)
    return found


@njit(nogil=True, cache=True)
def _mean(values: Any) -> float:
    total, seen = 0.0, 0
    for value in values:
        if not math.isnan(value):
            total += value
            seen += 1
    return total / seen if seen else math.nan

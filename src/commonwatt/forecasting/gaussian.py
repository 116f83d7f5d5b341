"""Forecast a day from those before it as a Gaussian process: what it is like, its kind, and moods that fade."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from commonwatt.forecasting.days import WORKDAY
from commonwatt.model import InvalidValue

Floats = NDArray[np.float64]
DAYS = 42
"""How far back is looked; a month or two were worse on two of three communities."""
LEAST_DAYS = 3
TURNS = 8
"""Waves of the day, the finest of three hours; what is finer is the mean of days of the same kind."""
PROFILE, PROFILE_H = 8.0, 1.0
KIND, KIND_H = 4.0, 1.5
SEASON, SEASON_DAYS, SEASON_H = 0.3, 30.0, 1.0
LEVEL, LEVEL_DAYS = 1.3, 12.0
MOOD, MOOD_DAYS, MOOD_H = 0.5, 2.0, 2.0
DRIFT, DRIFT_H = 2.0, 40.0
DARK = 33.0
"""Variances beside that of a slot's own noise, which is 1: of what every day is like, of what one kind of day is, of
a season, a level and a mood that days share the less the further they are apart, of what drifts from slot to slot
through midnight, and of what darkness brings in the evening and in the morning. ``_H`` is how far hours are alike."""
OTHER_KIND, HALF_LIFE_DAYS = 0.03, 28.0
"""Of the mean that tells what is finer than waves, as in `community`."""
KEPT = 256
"""Calendars whose shares are kept: sums of the same days ask alike."""


def next_day(values: Floats, kinds: NDArray[np.int8], dark: NDArray[np.float32]) -> Floats:
    """Return what the next day's slots are expected to be: the mean of a Gaussian process, given the days before.

    Its covariances are settings, so that shares of past days hang on the calendar alone. They are solved for in waves
    of the day: 17 numbers a day stand for its slots, and their noise stays independent.

    Args:
        values: (days, slots) in any unit, oldest first, complete, `LEAST_DAYS` or more; of a load such a power
            that its noise is alike in all slots. The last `DAYS` of them count.
        kinds: Of each day and the next; as `days.kinds` tells.
        dark: (days + 1, slots) or more; as `sun.darkness` tells.

    Returns:
        slots values.

    Raises:
        InvalidValue: The past is too short, has holes, or the calendar ends before the next day.

    Source: Rasmussen & Williams, Gaussian Processes for Machine Learning, 2006, chapters 2 and 5.4.3.
    """
    days, slots = values.shape
    if days < LEAST_DAYS or not np.isfinite(values).all():
        raise InvalidValue(f"a day is told from {LEAST_DAYS} whole days or more, was {days}, some of them with holes")
    if len(kinds) <= days or len(dark) <= days:
        raise InvalidValue(f"the calendar holds the day after {days} days, was {len(kinds)} and {len(dark)}")
    since = max(0, days - DAYS)
    calendar = np.ascontiguousarray(kinds[since : days + 1], np.int8)
    sky = np.ascontiguousarray(dark[since : days + 1], np.float32)
    shares, alike = _shares(calendar.tobytes(), sky.tobytes(), slots)
    mean = float(values[since:].mean())
    off, waves = values[since:] - mean, _waves(slots)
    coarse = off @ waves
    found: Floats = mean + waves @ (shares @ coarse.ravel()) + alike @ (off - coarse @ waves.T)
    return found


@lru_cache(KEPT)
def _shares(calendar: bytes, sky: bytes, slots: int) -> tuple[Floats, Floats]:
    """Return what each number of each past day adds to each of the next day, and what the mean of days alike is of."""
    kinds = np.frombuffer(calendar, np.int8)
    dark = np.frombuffer(sky, np.float32).reshape(-1, slots).astype(np.float64)
    days, count = len(kinds) - 1, _waves(slots).shape[1]
    known = days * count
    both = _covariance(kinds, dark).reshape(known + count, known + count)
    shares = np.linalg.solve(both[:known, :known] + np.eye(known), both[:known, known:]).T
    before, ahead = kinds[:-1], kinds[-1]
    both_off = (before > WORKDAY) == (ahead > WORKDAY)
    alike = np.where(before == ahead, 1.0, np.where(both_off, OTHER_KIND**0.5, OTHER_KIND))
    alike = alike * 0.5 ** ((days - 1 - np.arange(days)) / HALF_LIFE_DAYS)
    return np.ascontiguousarray(shares), alike / alike.sum()


def _covariance(kinds: NDArray[np.int8], dark: Floats) -> Floats:
    """Return how the numbers of all days go together, without noise: (days, numbers, days, numbers)."""
    days, slots = dark.shape
    waves, hour = _waves(slots), _hours(slots)
    count = waves.shape[1]
    apart = np.abs(np.subtract.outer(np.arange(days), np.arange(days))).astype(np.float64)
    level = np.zeros(count)
    level[0] = slots
    parts = [
        (np.ones_like(apart), PROFILE * (_smooth(PROFILE_H, slots) + level)),
        ((kinds[:, None] == kinds).astype(np.float64), KIND * _smooth(KIND_H, slots)),
        (np.exp(-apart / SEASON_DAYS), SEASON * _smooth(SEASON_H, slots)),
        (np.exp(-apart / LEVEL_DAYS), LEVEL * level),
        (np.exp(-apart / MOOD_DAYS), MOOD * _smooth(MOOD_H, slots)),
    ]
    found, each = np.zeros((days, count, days, count)), np.arange(count)
    for over_days, sizes in parts:
        found[:, each, :, each] += sizes[:, None, None] * over_days
    within = waves.T @ np.exp(-np.abs(hour[:, None] - hour) / DRIFT_H) @ waves
    # Between days the drift comes apart into what is left of it at midnight, the days between, and the hours after.
    after, until = waves.T @ np.exp(-hour / DRIFT_H), waves.T @ np.exp((hour - 24) / DRIFT_H)
    later = np.tril(np.exp(-24 * (apart - 1) / DRIFT_H), -1)
    through = later[:, None, :, None] * np.outer(after, until)[:, None]
    found += DRIFT * (np.eye(days)[:, None, :, None] * within[:, None] + through + through.transpose(2, 3, 0, 1))
    for lit in (hour >= 14, (hour >= 6) & (hour < 14)):
        lamps = (dark * lit) @ waves
        found += DARK * lamps[:, :, None, None] * lamps
    return found


@lru_cache(8)
def _waves(slots: int) -> Floats:
    """Return a level, cosines and sines over the day, each of length 1: (slots, numbers)."""
    at = 2 * np.pi * _hours(slots) / 24
    turns = range(1, 1 + min(TURNS, (slots - 1) // 2))
    waves = [wave(turn * at) * (2 / slots) ** 0.5 for turn in turns for wave in (np.cos, np.sin)]
    return np.stack([np.full(slots, slots**-0.5), *waves], 1)


def _smooth(hours: float, slots: int) -> Floats:
    """Return the variance of each wave of something that has 1 in each slot and is alike over so many hours."""
    turns = (np.arange(_waves(slots).shape[1]) + 1) // 2
    sizes = np.exp(-0.5 * (2 * np.pi * turns * hours / 24) ** 2)
    found: Floats = sizes * slots / sizes.sum()
    return found


def _hours(slots: int) -> Floats:
    return (np.arange(slots) + 0.5) * 24 / slots

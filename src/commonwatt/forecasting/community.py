"""Forecast the load of a community a day ahead: days alike, what yesterday was beyond them, and the sun's hours."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from commonwatt.forecasting import gaussian
from commonwatt.forecasting.sturdy import slopes
from commonwatt.model import InvalidValue

Floats = NDArray[np.float64]
HALF_LIFE_DAYS = 28.0
"""After how many days a past day counts half for what days alike bring; of 3.5 to 28 the best on other communities."""
OTHER_KIND = 0.03
"""What a day of another kind counts of one of the same; a Saturday for a Sunday its square root."""
RIDGE = 1.0
"""How strongly corrections are held back; from 1 to 3 nothing changed before the days that are scored."""
LEARN_DAYS = 40
LEARN_HALF_LIFE_DAYS = 30.0
ABOVE, SIZE, LEAST_SHARE, MOST_GROWTH = 5.0, 3.0, 0.01, 2.0
"""Logarithms of a load over its mean are told beside it, lifted by the first so that they stay above zero;
no slot told by them is more than so many times the highest there was."""
POWER = -0.3
"""Of a load over its mean, as the process takes it: a slot's noise grows faster than its load."""
FIRST_BASE, FIRST_CORRECTED = 3, 5
LEAST_DAYS = FIRST_CORRECTED + 1
_EVENING = 14 / 24
_MORNING = 6 / 24


@dataclass(frozen=True, slots=True, eq=False)
class Alike:
    """What days alike brought, for every day from `FIRST_BASE` on, each from the days before it."""

    load: Floats
    beside: Floats


def day_ahead_wh(load_wh: Floats, kinds: NDArray[np.int8], dark: NDArray[np.float32]) -> Floats:
    """Expect the next day of a sum of homes.

    The base is a mean of past days, recent ones and those of the same kind before others. A regression, learnt anew
    from the past at each call, adds what follows from yesterday's surprises at the same time of day, in the evening and
    over the day, and from how much darker or brighter the slot is than it was on the days of the base. This is done
    twice, for what adds up and, in logarithms, for what multiplies. What is returned is the mean of both, averaged with
    what a Gaussian process tells: they miss other days.

    Args:
        load_wh: (days, slots) Wh, oldest first, complete; `LEAST_DAYS` or more.
        kinds: Of each day and the next; as `days.kinds` tells.
        dark: (days + 1, slots) or more; as `sun.darkness` tells.

    Returns:
        slots values.

    Raises:
        InvalidValue: The past is too short, has holes, or the calendar ends before the next day.

    Source: after the LEAR model, Lago et al., Applied Energy 293, 2021, with ridge for lasso, absolute errors and one
    set of coefficients for all slots.
    """
    days = len(load_wh)
    if days < LEAST_DAYS or np.isnan(load_wh).any():
        raise InvalidValue(f"a community's forecast needs {LEAST_DAYS} whole days, was {days}, some of them with holes")
    if len(kinds) <= days or len(dark) <= days:
        raise InvalidValue(f"the calendar holds the day after {days} days, was {len(kinds)} and {len(dark)}")
    mean = float(load_wh.mean()) or 1.0
    logs = np.log(np.maximum(load_wh / mean, LEAST_SHARE)) + ABOVE
    added, times = _told(load_wh / mean, 1.0, kinds, dark), _told(logs, SIZE, kinds, dark)
    ratio = np.exp(np.minimum(times, logs.max() + np.log(MOST_GROWTH)) - ABOVE)
    process = _by_process(load_wh / mean, kinds, dark)
    found: Floats = np.maximum(((added + ratio) / 2 + process) * mean / 2, 0)
    return found


def _by_process(load: Floats, kinds: NDArray[np.int8], dark: NDArray[np.float32]) -> Floats:
    told = gaussian.next_day(np.maximum(load, LEAST_SHARE) ** POWER, kinds, dark)
    most = max(float(load.max()), LEAST_SHARE) * MOST_GROWTH
    found: Floats = np.maximum(told, most**POWER) ** (1 / POWER)
    return found


def _told(load: Floats, size: float, kinds: NDArray[np.int8], dark: NDArray[np.float32]) -> Floats:
    """Return what the next day's slots are expected to be, of a load in any unit that is above zero."""
    days, slots = load.shape
    base = bases(load, kinds, dark)
    learnt = range(max(FIRST_CORRECTED, days - LEARN_DAYS), days)
    seen = np.concatenate([_seen(load, base, dark, day) / size for day in learnt])
    missed = np.concatenate([load[day] - base.load[day] for day in learnt]) / size
    recent = np.repeat(0.5 ** ((days - 1 - np.array(learnt)) / LEARN_HALF_LIFE_DAYS), slots)
    told = slopes(seen, missed[:, None], recent, RIDGE)[:, 0]
    found: Floats = base.load[days] + _seen(load, base, dark, days) @ told
    return found


def bases(
    load: Floats, kinds: NDArray[np.int8], beside: NDArray[np.floating], half_life: float = HALF_LIFE_DAYS
) -> Alike:
    """Return what days alike brought, and what was beside it then, for each day and the next.

    Args:
        load: (days, slots), complete.
        kinds: Of each day and the next.
        beside: (days, slots) or more: of darkness or whatever else tells days apart.
        half_life: After how many days a past day counts half.
    """
    days = len(load)
    weights = np.zeros((days + 1, days))
    for day in range(FIRST_BASE, days + 1):
        same, both_off = kinds[:day] == kinds[day], (kinds[:day] > 0) == (kinds[day] > 0)
        counts = np.where(same, 1.0, np.where(both_off, OTHER_KIND**0.5, OTHER_KIND))
        counts *= 0.5 ** ((day - 1 - np.arange(day)) / half_life)
        weights[day, :day] = counts / counts.sum()
    return Alike(weights @ load, weights @ beside[:days])


def _seen(load: Floats, base: Alike, dark: NDArray[np.float32], day: int) -> Floats:
    """Return what the correction of a day's slots is learnt from, nothing of it later than the day before."""
    slots = load.shape[1]
    quarter = slots // 8
    at = np.arange(slots) / slots
    last, before = (load[day - back] - base.load[day - back] for back in (1, 2))
    week = load[day - 7] - base.load[day - 7] if day - 7 >= FIRST_BASE else np.zeros(slots)
    mean = float(load[:day].mean())
    waves = [wave(2 * np.pi * turns * at) for turns in (1, 2) for wave in (np.cos, np.sin)]
    darker = dark[day] - base.beside[day]
    evening, daytime = at >= _EVENING, at >= _MORNING
    columns = [
        _smooth(last, slots // 24),
        _smooth(last, slots // 8),
        np.full(slots, last.mean()),
        np.full(slots, before.mean()),
        (last.mean() / (load[day - 1].mean() - last.mean() or 1.0)) * base.load[day],
        last[-quarter:].mean() * 0.5 ** (8 * at),
        np.full(slots, last[-2 * quarter :].mean()),
        _smooth(before, slots // 24),
        _smooth(week, slots // 24),
        0.1 * base.load[day],
        np.full(slots, 0.1 * base.load[day].mean()),
        *(0.05 * mean * wave for wave in (np.ones(slots), *waves)),
        3 * mean * darker * evening,
        3 * mean * darker * (daytime & ~evening),
    ]
    return np.stack(columns, 1)


def _smooth(values: Floats, reach: int) -> Floats:
    padded = np.pad(values, reach, mode="edge")
    found: Floats = np.convolve(padded, np.full(2 * reach + 1, 1 / (2 * reach + 1)), "valid")
    return found

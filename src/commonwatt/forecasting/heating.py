"""Forecast what a heat pump draws: days alike, what yesterday was beyond them, and how cold it is forecast to be."""

import numpy as np
from numpy.typing import NDArray

from commonwatt.forecasting.choice import WEEK
from commonwatt.forecasting.community import FIRST_BASE, FIRST_CORRECTED, bases
from commonwatt.forecasting.daily_bands import around
from commonwatt.forecasting.foresee import AHEAD, LEAST_DAYS, Foretold, by_baseline, days_ahead, filled, judged
from commonwatt.forecasting.sturdy import slopes
from commonwatt.model import InvalidValue

Floats = NDArray[np.float64]
ALIKE, DEGREES = "days alike", "days alike and degrees"
HALF_LIFE_DAYS = 5.0
"""Houses are heated by the weather, which lasts some days, and not by the calendar."""
RIDGE, LEARN_DAYS = 1.0, 40
BASES_C = np.arange(8.0, 20.5, 0.5)
"""Outdoor temperatures below which a house may begin to be heated; which one it is, is learnt."""
LEAST_WARM_DAYS = 7
"""Days of which both is known, energy and how cold it was forecast to be, before anything is learnt from that."""


def pump(wh: Floats, kinds: NDArray[np.int8], outdoor_c: Floats | None, name: str, first: int) -> Foretold:
    """Foresee a heat pump's own electric energy, by the degrees that are forecast where somebody forecasts them.

    Args:
        wh: (days, slots) Wh, oldest first; not a number where its meter was silent.
        kinds: Of each day and the next `AHEAD`, as `days.kinds` tells.
        outdoor_c: (days + 1, `AHEAD`, slots) degrees Celsius: of each day and of today, what was forecast at its start
            of that day and of those after it; not a number where nothing was. None where there is no such feed.
        name: Of the series.
        first: The first day that is scored; `LEAST_DAYS` or more, or nothing is used but the baseline.

    Raises:
        InvalidValue: Shapes differ.
    """
    days, slots = wh.shape
    if outdoor_c is not None and outdoor_c.shape != (days + 1, AHEAD, slots):
        raise InvalidValue(f"{days} days and today are told {AHEAD} days each, was {outdoor_c.shape}")
    whole = filled(wh[None])[0]
    holes = np.flatnonzero(np.isnan(whole).any(1))
    since = int(holes[-1]) + 1 if len(holes) else 0
    begin = since + FIRST_CORRECTED + 1
    learnt = min(max(first, since + LEAST_DAYS), days)
    if days - since < LEAST_DAYS or not np.isfinite(wh[begin:learnt]).any():
        reason = f"the {WEEK} is used: {days - since} whole days are too few to learn from, {LEAST_DAYS} are needed"
        return by_baseline(name, wh, first, 0.0, reason)

    def expect(known: Floats, late: int) -> Floats:
        told = None if outdoor_c is None else _forecast(outdoor_c, since, since + len(known), late)
        return day_ahead_wh(known, kinds[since:], told)

    expected = days_ahead([whole[since:day] for day in range(begin, days + 1)], expect)
    rows = around(expected[0], wh, begin, learnt, 0.0, expected[1:], AHEAD)
    warm = outdoor_c is not None and _warm(_forecast(outdoor_c, since, days, 0))
    return judged(name, DEGREES if warm else ALIKE, rows, wh, learnt, 0.0)


def day_ahead_wh(wh: Floats, kinds: NDArray[np.int8], outdoor_c: Floats | None = None) -> Floats:
    """Expect what a heat pump draws on the next day.

    The base is a mean of past days, recent ones and those of the same kind before others. A regression by absolute
    errors, learnt anew at each call, adds what follows from yesterday's surprises and from how many more degrees the
    day lacks than those of the base did. Below which temperature a house is heated is the one by which its daily energy
    was told best.

    Args:
        wh: (days, slots) Wh, oldest first, complete; `FIRST_CORRECTED` + 1 days or more.
        kinds: Of each day and the next.
        outdoor_c: (days + 1, slots) degrees Celsius of each day and the next, as it was forecast; days up to the last
            one with a hole teach nothing. Without the next day, or `LEAST_WARM_DAYS` before it, none is looked at.

    Returns:
        slots values, zero or more.

    Raises:
        InvalidValue: The past is too short or has holes.

    Source: degree days, as in VDI 3807 and EN ISO 15927-6; the base temperature fitted as in PRISM, Fels, Energy and
    Buildings 9, 1986.
    """
    days, slots = wh.shape
    if days <= FIRST_CORRECTED or np.isnan(wh).any() or len(kinds) <= days:
        raise InvalidValue(
            f"a heat pump's forecast needs {FIRST_CORRECTED + 1} whole days, was {days} or some with holes"
        )
    warm = outdoor_c is not None and _warm(outdoor_c)
    lacking = np.zeros((days + 1, slots))
    if outdoor_c is not None and warm:
        cut = _told_since(outdoor_c)
        wh, kinds, outdoor_c = wh[cut:], kinds[cut:], outdoor_c[cut:]
        days -= cut
        lacking = np.maximum(_base_c(wh, outdoor_c) - outdoor_c, 0)
    mean = float(wh.mean()) or 1.0
    load = wh / mean
    base = bases(load, kinds, lacking, HALF_LIFE_DAYS)
    learnt = range(max(FIRST_CORRECTED, days - LEARN_DAYS), days)
    seen = np.concatenate([_seen(load, base.load, lacking - _padded(base.beside), day, warm=warm) for day in learnt])
    missed = np.concatenate([load[day] - base.load[day] for day in learnt])
    recent = np.repeat(0.5 ** ((days - 1 - np.array(learnt)) / LEARN_DAYS), slots)
    told = slopes(seen, missed[:, None], recent, RIDGE)[:, 0]
    ahead = base.load[days] + _seen(load, base.load, lacking - _padded(base.beside), days, warm=warm) @ told
    found: Floats = np.clip(ahead, 0, load.max()) * mean
    return found


def _padded(beside: Floats) -> Floats:
    """Return the degrees of the base: none of the first days, which have no base."""
    found = beside.copy()
    found[:FIRST_BASE] = 0
    return found


def _seen(load: Floats, base: Floats, colder: Floats, day: int, *, warm: bool) -> Floats:
    """Return what a day's surprise is learnt from, nothing of it later than the day before but the forecast degrees."""
    slots = load.shape[1]
    last = load[day - 1] - base[day - 1]
    evening = float(last[-slots // 4 :].mean())
    columns = [np.full(slots, last.mean()), np.full(slots, evening), _smooth(last, slots // 12)]
    if warm:
        shape = base[day] / max(float(base[day].mean()), 1e-9)
        mean, before = float(colder[day].mean()), float(colder[day - 1].mean())
        columns += [0.1 * colder[day], 0.1 * mean * shape, np.full(slots, 0.1 * mean), np.full(slots, 0.1 * before)]
    return np.stack(columns, 1)


def _smooth(values: Floats, reach: int) -> Floats:
    padded = np.pad(values, reach, mode="edge")
    found: Floats = np.convolve(padded, np.full(2 * reach + 1, 1 / (2 * reach + 1)), "valid")
    return found


def _base_c(wh: Floats, outdoor_c: Floats) -> float:
    """Return the temperature below which a house is heated, as days tell that are over."""
    daily = wh.sum(1)
    off = []
    for base_c in BASES_C:
        lacking = np.maximum(base_c - outdoor_c[:-1], 0).mean(1)
        columns = np.stack([np.ones(len(daily)), lacking], 1)
        told = columns @ np.linalg.lstsq(columns, daily, rcond=None)[0]
        off.append(float(np.abs(daily - told).sum()))
    return float(BASES_C[int(np.argmin(off))])


def _told_since(outdoor_c: Floats) -> int:
    """Return the first day from which on all that was forecast is known, the next one's aside."""
    holes = np.flatnonzero(np.isnan(outdoor_c[:-1]).any(1))
    return int(holes[-1]) + 1 if len(holes) else 0


def _warm(outdoor_c: Floats) -> bool:
    """Tell whether enough days of forecast degrees are known to learn from, and the day that is asked about."""
    known = len(outdoor_c) - 1 - _told_since(outdoor_c)
    return known >= max(LEAST_WARM_DAYS, FIRST_CORRECTED + 1) and not np.isnan(outdoor_c[-1]).any()


def _forecast(outdoor_c: Floats, since: int, day: int, late: int) -> Floats:
    """Return what was forecast of days at their starts; of those to come and the one that is asked about, at once.

    Args:
        outdoor_c: As for `pump`.
        since: The first day.
        day: The day that is asked about.
        late: How many of the days before it are still to come.
    """
    origin = day - late
    return np.concatenate([outdoor_c[since:origin, 0], outdoor_c[origin, : late + 1]])

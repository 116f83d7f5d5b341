"""A day told from those before it: what repeats is found, what fades is followed, and no future is seen."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.forecasting import gaussian
from commonwatt.forecasting.days import kinds
from commonwatt.forecasting.gaussian import next_day
from commonwatt.model import InvalidValue
from forecasting.streets import sky

KIND = kinds([date(2026, 3, 2) + timedelta(day) for day in range(60)])
HOURS = np.arange(24) + 0.5
SKY = sky(60, 24)
PLAIN = 1 + np.sin(HOURS / 24 * 6.28) - 0.5 * (KIND[:, None] > 0)


def at_random(seed: int, days: int, slots: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(days, slots))


def by_slots(values: np.ndarray, kind: np.ndarray, dark: np.ndarray) -> np.ndarray:
    """Tell the same as `next_day` where waves tell all there is, slot by slot, as textbooks write it."""
    days, slots = values.shape
    day, hour = (
        one.ravel() for one in np.meshgrid(np.arange(days + 1), (np.arange(slots) + 0.5) * 24 / slots, indexing="ij")
    )
    apart = abs(np.subtract.outer(day, day)).astype(float)
    turns = np.arange(1, 1 + gaussian.TURNS)

    def alike(hours: float) -> np.ndarray:
        sizes = np.exp(-0.5 * (2 * np.pi * turns * hours / 24) ** 2)
        waves = np.cos(2 * np.pi / 24 * np.multiply.outer(np.subtract.outer(hour, hour), turns))
        return (1 + 2 * waves @ sizes) / (1 + 2 * sizes.sum())

    ours = kind[day]
    covariance = (
        gaussian.PROFILE * (1 + alike(gaussian.PROFILE_H))
        + gaussian.KIND * (ours[:, None] == ours) * alike(gaussian.KIND_H)
        + gaussian.SEASON * np.exp(-apart / gaussian.SEASON_DAYS) * alike(gaussian.SEASON_H)
        + gaussian.LEVEL * np.exp(-apart / gaussian.LEVEL_DAYS)
        + gaussian.MOOD * np.exp(-apart / gaussian.MOOD_DAYS) * alike(gaussian.MOOD_H)
        + gaussian.DRIFT * np.exp(-abs(np.subtract.outer(24 * day + hour, 24 * day + hour)) / gaussian.DRIFT_H)
    )
    for lit in (hour >= 14, (hour >= 6) & (hour < 14)):
        lamps = dark[: days + 1].ravel().astype(float) * lit
        covariance += gaussian.DARK * np.outer(lamps, lamps)
    known, mean = day < days, values.mean()
    shares = np.linalg.solve(covariance[np.ix_(known, known)] + np.eye(days * slots), covariance[known][:, ~known]).T
    return mean + shares @ (values.ravel() - mean)


@given(st.integers(0, 10**6), st.integers(3, 12))
@settings(max_examples=20, deadline=None)
def test_in_waves_it_is_the_same_as_slot_by_slot(seed: int, days: int) -> None:
    slots = 2 * gaussian.TURNS + 1  # as many slots as numbers: nothing is finer than waves
    dark = sky(days + 1, slots)
    values = at_random(seed, days, slots)
    np.testing.assert_allclose(next_day(values, KIND, dark), by_slots(values, KIND, dark), atol=1e-6)


def test_a_weekend_is_told_from_weekends_and_monday_from_workdays() -> None:
    friday_to_monday = range(32, 36)
    for day in friday_to_monday:
        told = next_day(PLAIN[:day], KIND, SKY)
        assert np.abs(told - PLAIN[day]).max() < 0.12, "a fourth of what a weekend is less"


def test_a_day_that_ends_high_is_followed_by_one_that_begins_high() -> None:
    ended = PLAIN[:30].copy()
    ended[-1, -4:] += 0.5
    more = next_day(ended, KIND, SKY) - next_day(PLAIN[:30], KIND, SKY)
    assert more[0] > 0.2
    assert more[0] > 1.5 * more[12]


@given(st.integers(0, 10**6), st.floats(0.01, 100), st.floats(-100, 100))
@settings(max_examples=40, deadline=None)
def test_another_unit_and_zero_change_nothing_else(seed: int, unit: float, zero: float) -> None:
    values = at_random(seed, 20, 24)
    np.testing.assert_allclose(
        next_day(unit * values + zero, KIND, SKY), unit * next_day(values, KIND, SKY) + zero, rtol=1e-6, atol=1e-6
    )


@given(st.integers(0, 10**6), st.integers(3, 50))
@settings(max_examples=20, deadline=None)
def test_what_comes_later_moves_nothing_and_the_same_is_told_twice(seed: int, days: int) -> None:
    values = at_random(seed, 60, 24)
    told = next_day(values[:days], KIND, SKY)
    other = KIND.copy()
    other[days + 1 :] = 2 - other[days + 1 :]
    dark = SKY.copy()
    dark[days + 1 :] += 1
    np.testing.assert_array_equal(told, next_day(values[:days], other, dark))
    gaussian._shares.cache_clear()
    np.testing.assert_array_equal(told, next_day(values[:days], KIND, SKY))


def test_what_no_day_can_be_told_from_is_refused() -> None:
    with pytest.raises(InvalidValue, match="3 whole days or more, was 2"):
        next_day(PLAIN[:2], KIND, SKY)
    holes = PLAIN.copy()
    holes[4, 3] = np.nan
    with pytest.raises(InvalidValue, match="holes"):
        next_day(holes[:20], KIND, SKY)
    with pytest.raises(InvalidValue, match="calendar"):
        next_day(PLAIN, KIND, SKY)

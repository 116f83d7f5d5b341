"""Bands from past errors hold what comes as often as they say, whatever the errors look like."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.forecasting.bands import adapted, conformal
from commonwatt.forecasting.score import coverage
from commonwatt.model import InvalidValue


def errors(seed: int, count: int, group: np.ndarray) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.exponential(1 + 3 * group, count) - random.exponential(0.5, count)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6))
def test_nine_in_ten_fall_between_the_outermost_levels_in_every_group(seed: int) -> None:
    group = np.arange(6000) % 3
    plain, one = np.full(6000, 10.0), np.ones(6000)
    bands = conformal(plain, plain + errors(seed, 6000, group), one, group, 3)
    rows, came = bands.around(plain, one, group), plain + errors(seed + 1, 6000, group)
    assert (np.diff(rows, axis=0) >= 0).all()
    for at in range(3):
        assert coverage(rows[0, group == at], rows[-1, group == at], came[group == at]) == pytest.approx(0.9, abs=0.04)


def test_a_group_of_few_goes_by_all_and_so_does_one_never_seen() -> None:
    group = np.array([0] * 500 + [1] * 5)
    measured = errors(3, 505, group)
    bands = conformal(np.zeros(505), measured, np.ones(505), group, 2)
    rows = bands.around(np.zeros(3), np.ones(3), np.array([1, 7, -1]))
    assert (rows[:, 0] == rows[:, 1]).all() and (rows[:, 1] == rows[:, 2]).all()
    assert (rows[:, 0] != bands.around(np.zeros(1), np.ones(1), np.array([0]))[:, 0]).any()


def test_bands_widen_with_the_scale_and_stop_at_the_floor() -> None:
    bands = conformal(np.zeros(99), np.linspace(-1, 1, 99), np.ones(99), np.zeros(99, np.int64), 1)
    rows = bands.around(np.array([5.0, 5.0]), np.array([1.0, 10.0]), np.array([0, 0]), floor=0.0)
    assert rows[-1, 1] - 5 == pytest.approx(10 * (rows[-1, 0] - 5))
    assert rows[0, 1] == 0


def test_a_season_that_errs_more_is_held_once_width_follows_what_was_missed() -> None:
    random = np.random.default_rng(6)
    came = random.normal(0, 1, (200, 24)) * np.where(np.arange(200) < 60, 1, 2)[:, None]
    plain, one, group = np.zeros(24), np.ones(24), np.zeros(24, np.int64)
    bands = conformal(np.zeros(480), came[:20].ravel(), np.ones(480), np.zeros(480, np.int64), 1)
    held: dict[bool, list[float]] = {True: [], False: []}
    for follows, shares in held.items():
        width = 1.0
        for day in range(20, 200):
            rows = bands.around(plain, one, group, width=width if follows else 1.0)
            shares.append(coverage(rows[0], rows[-1], came[day]))
            width = adapted(width, 1 - shares[-1])
    assert np.mean(held[True][50:]) == pytest.approx(0.9, abs=0.02)
    assert np.mean(held[False][50:]) < 0.75
    with pytest.raises(InvalidValue, match="between 0 and 1"):
        adapted(1.0, 1.2)


def test_nothing_is_learnt_from_nothing() -> None:
    with pytest.raises(InvalidValue, match="nothing was"):
        conformal(np.zeros(4), np.full(4, np.nan), np.ones(4), np.zeros(4, np.int64), 1)
    with pytest.raises(InvalidValue, match="above zero"):
        conformal(np.zeros(4), np.zeros(4), np.zeros(4), np.zeros(4, np.int64), 1)

"""A baseline sees the past only, repeats a steady world exactly, and is scored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.forecasting.score import normalised_error
from commonwatt.forecasting.seasonal import corrected_naive, seasonal_naive
from commonwatt.model import SLOTS_PER_DAY, InvalidValue

DAY = [slot % 7 * 100 for slot in range(SLOTS_PER_DAY)]


def test_a_world_that_repeats_is_forecast_exactly() -> None:
    assert seasonal_naive(DAY * 3, 2 * SLOTS_PER_DAY) == DAY * 2
    assert corrected_naive(DAY * 3, SLOTS_PER_DAY) == DAY


def test_the_mean_of_the_last_days_is_expected() -> None:
    assert seasonal_naive([100] * SLOTS_PER_DAY + [300] * SLOTS_PER_DAY, 1) == [200]
    assert seasonal_naive([100] * SLOTS_PER_DAY + [300] * SLOTS_PER_DAY, 1, days=1) == [300]


def test_the_latest_surprise_is_carried_on_and_fades() -> None:
    expected = corrected_naive([100] * (2 * SLOTS_PER_DAY) + [180], 9)
    # The slot just seen is 80 above what was expected of it; half of that is left an hour later.
    assert expected[0] > expected[4] > expected[8] > 100
    assert expected[4] - 100 == pytest.approx((expected[0] - 100) / 2, abs=1)


@given(st.lists(st.integers(0, 5000), min_size=SLOTS_PER_DAY, max_size=3 * SLOTS_PER_DAY), st.integers(1, 200))
def test_no_forecast_is_below_zero_and_each_has_its_length(history: list[int], slots: int) -> None:
    expected = corrected_naive(history, slots)
    assert len(expected) == slots
    assert min(expected) >= 0


def test_less_than_a_day_of_history_is_refused() -> None:
    with pytest.raises(InvalidValue, match="a day of history"):
        seasonal_naive([1] * (SLOTS_PER_DAY - 1), 1)


def test_scores_are_zero_when_perfect_and_refuse_nothing_measured() -> None:
    assert normalised_error([1, 2], [1, 2]) == 0
    assert normalised_error([0, 0], [1, 3]) == 1
    with pytest.raises(InvalidValue):
        normalised_error([1], [0])

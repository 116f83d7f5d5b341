"""A model that loses to any baseline on its own past is not used, and says so."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.forecasting.choice import LEAST_SLOTS, MONTH, WEEK, choose, month_median, week_mean, weights
from commonwatt.model import InvalidValue

CAME = np.linspace(0, 100, LEAST_SLOTS)


@pytest.mark.row("X9")
def test_the_better_one_is_used_and_the_worse_one_says_why_not() -> None:
    assert choose("boost", CAME + 1, {WEEK: CAME + 2}, CAME).used
    lost = choose("boost", CAME + 3, {WEEK: CAME + 2}, CAME)
    assert not lost.used and lost.reason == "boost is not used: off by 3 where the 7-day mean was off by 2"


@pytest.mark.row("X9")
@given(st.tuples(*[st.floats(0, 50)] * 3))
def test_a_model_is_used_only_where_it_loses_to_no_baseline_and_the_best_one_takes_its_place(
    off: tuple[float, float, float],
) -> None:
    ours, week, month = off
    even = np.zeros(LEAST_SLOTS)
    choice = choose("boost", even + ours, {WEEK: even + week, MONTH: even + month}, even)
    assert choice.used == (ours <= week and ours <= month)
    assert choice.baseline == (MONTH if month < week else WEEK) and choice.baseline in choice.reason


def test_baselines_look_at_their_own_days_alone_and_leave_out_what_nobody_measured() -> None:
    days = np.arange(40.0)[:, None] * [1, 1, np.nan]
    days[-1, 1] = np.nan
    assert week_mean(days).tolist() == [36, 35.5, 0]
    assert month_median(days).tolist() == [25.5, 25, 0]


def test_a_short_past_trusts_nobody() -> None:
    holes = CAME.copy()
    holes[0] = np.nan
    assert not choose("boost", CAME, {WEEK: CAME + 2}, holes).used
    assert "95 scored slots are too few" in choose("boost", CAME, {WEEK: CAME + 2}, holes).reason
    with pytest.raises(InvalidValue, match="equal lists"):
        choose("boost", CAME[:3], {WEEK: CAME}, CAME)
    with pytest.raises(InvalidValue, match="one baseline at least"):
        choose("boost", CAME, {}, CAME)


def test_weights_follow_who_was_right_and_forget() -> None:
    came = np.full((10, 4), 10.0)
    experts = np.array([came + 1, came + 2, came + 1])
    share = weights(experts, came)
    assert share.sum() == pytest.approx(1) and share[0] == share[2] > 100 * share[1]
    experts[0, -3:] += 5
    assert weights(experts, came, forget=0.5)[0] < weights(experts, came)[2]
    assert weights(experts, np.full((10, 4), np.nan)).tolist() == [1 / 3] * 3


@pytest.mark.row("X9")
def test_means_are_judged_as_means_and_not_by_how_well_they_do_as_medians() -> None:
    skewed = np.where(np.arange(LEAST_SLOTS) % 5 == 0, 100.0, 0.0)
    mean, median = np.full(LEAST_SLOTS, 21.0), np.zeros(LEAST_SLOTS)
    assert choose("mean", mean, {MONTH: median}, skewed, means=True).used
    assert not choose("mean", mean, {MONTH: median}, skewed).used, "as medians the other is better"

"""A model that loses to its baseline on its own past is not used, and says so."""

import numpy as np
import pytest

from commonwatt.forecasting.choice import LEAST_SLOTS, choose, weights
from commonwatt.model import InvalidValue

CAME = np.linspace(0, 100, LEAST_SLOTS)


@pytest.mark.row("X9")
def test_the_better_one_is_used_and_the_worse_one_says_why_not() -> None:
    assert choose("boost", CAME + 1, CAME + 2, CAME).used
    lost = choose("boost", CAME + 3, CAME + 2, CAME)
    assert not lost.used and lost.reason == "boost is not used: off by 3 where the baseline was off by 2"


def test_a_short_past_trusts_nobody() -> None:
    holes = CAME.copy()
    holes[0] = np.nan
    assert not choose("boost", CAME, CAME + 2, holes).used
    assert "95 scored slots are too few" in choose("boost", CAME, CAME + 2, holes).reason
    with pytest.raises(InvalidValue, match="equal lists"):
        choose("boost", CAME[:3], CAME, CAME)


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
    assert choose("mean", mean, median, skewed, means=True).used
    assert not choose("mean", mean, median, skewed).used, "as medians the other is better"

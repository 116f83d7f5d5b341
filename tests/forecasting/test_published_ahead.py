"""What somebody publishes is told by their word, corrected where that was better, by its mean where nobody spoke."""

import numpy as np
import pytest
from numpy.typing import NDArray

from commonwatt.forecasting.choice import WEEK
from commonwatt.forecasting.foresee import AHEAD
from commonwatt.forecasting.foresee_prices import CORRECTED, PUBLISHED, published

pytestmark = pytest.mark.row("X9")
Floats = NDArray[np.float64]
DAYS, SLOTS = 40, 48
HOUR = np.arange(SLOTS) / 2


def recorded(bias: float, seed: int = 1) -> tuple[Floats, Floats, Floats]:
    """Return what was told of each day and the next, and what came: grams, off by a bias at noon and by chance."""
    random = np.random.default_rng(seed)
    level = 200_000 + np.cumsum(random.normal(0, 9_000, DAYS + 2))[:, None]
    truth = level + 40_000 * np.sin((HOUR - 8) / 12 * np.pi)
    told = truth + bias * np.exp(-0.5 * ((HOUR - 12) / 3) ** 2) + random.normal(0, 4_000, truth.shape)
    after = np.roll(told, -1, 0) + random.normal(0, 6_000, truth.shape)
    came = truth + random.normal(0, 2_000, truth.shape)
    return told[: DAYS + 1], after[: DAYS + 1], came[:DAYS]


def test_a_publisher_s_own_errors_are_taken_off_and_one_without_any_is_left_alone() -> None:
    off = published(*recorded(30_000), "carbon", DAYS - 14)
    assert off.model == CORRECTED and off.card is not None and off.choice.used
    told, _, came = recorded(30_000)
    raw = np.abs(told[DAYS - 14 : DAYS] - came[-14:]).sum() / came[-14:].sum()
    assert off.card.nmae < 0.7 * raw and 820 <= off.card.coverage_permille <= 980
    right = published(*recorded(0), "carbon", DAYS - 14)
    assert right.model in (PUBLISHED, CORRECTED) and right.choice.used
    assert off.ahead_wh().shape == (AHEAD, SLOTS) and np.isfinite(off.quantiles_wh).all()


def test_where_nothing_is_published_it_is_told_by_its_mean() -> None:
    told, after, came = recorded(0)
    silent = told.copy()
    silent[-1] = np.nan
    assert published(silent, after, came, "carbon", DAYS - 14).model == WEEK
    young = published(told[:11], after[:11], came[:10], "carbon", 3)
    assert young.model == WEEK and "too few" in young.choice.reason
    holes = told.copy()
    holes[-1, 10:] = np.nan
    assert np.isfinite(published(holes, after, came, "carbon", DAYS - 14).quantiles_wh).all()


def test_no_day_is_told_by_what_came_or_was_said_later() -> None:
    known = DAYS - 3
    told, after, came = recorded(30_000)
    others = [rows.copy() for rows in (told, after, came)]
    others[0][known + 1 :] *= 1.1
    others[1][known + 1 :] *= 1.1
    others[2][known:] *= 1.1
    one, moved = published(told, after, came, "carbon", known - 10), published(*others, "carbon", known - 10)
    upto = known - one.first + 1
    assert one.model == moved.model, "else nothing is left to compare"
    np.testing.assert_array_equal(one.quantiles_wh[:, :upto], moved.quantiles_wh[:, :upto])

"""Scores say what they are defined to say, and the card shows them beside the baseline."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.forecasting.score import coverage, pinball, scaled_error, score_card
from commonwatt.model import LEVELS_PERMILLE, InvalidValue

SHARES = np.array(LEVELS_PERMILLE) / 1000


@given(st.integers(-1000, 1000), st.integers(-1000, 1000))
def test_a_sure_forecast_pays_half_its_error(expected: int, came: int) -> None:
    assert pinball(np.full((len(SHARES), 1), expected), [came]) == pytest.approx(abs(expected - came) / 2)


def test_the_true_quantiles_pay_least() -> None:
    came = np.arange(1000.0)
    true = np.tile(1000 * SHARES[:, None], 1000)
    assert pinball(true, came) < min(pinball(true * 0.8, came), pinball(true + 100, came))


def test_coverage_counts_edges_and_leaves_out_what_was_not_measured() -> None:
    assert coverage([0, 0, 0, 0], [2, 2, 2, 2], [0, 2, 3, np.nan]) == pytest.approx(2 / 3)
    with pytest.raises(InvalidValue, match="2 rows"):
        coverage([0], [1], [np.nan])


def test_a_scaled_error_of_one_is_as_good_as_repeating_yesterday() -> None:
    assert scaled_error([13.0], [10.0], [1, 2, 4, 5], season=2) == 1
    with pytest.raises(InvalidValue, match="differs over 2 slots"):
        scaled_error([1.0], [1.0], [1, 2, 1, 2], season=2)


def test_the_card_shows_skill_against_the_baseline() -> None:
    came = np.array([10.0, 20.0, 30.0, 40.0])
    rows = came + 10 * (SHARES - 0.5)[:, None] + 1
    card = score_card("load", "boost", True, rows, came, came + 4, came + 5, np.array([0.0, 5, 9, 1, 7]), season=2)
    assert card.median_nmae == pytest.approx(card.baseline_nmae * 5 / 4)
    assert (card.slots, card.coverage_permille, card.used) == (4, 1000, True)
    assert card.nmae == pytest.approx(0.04) and card.skill == pytest.approx(0.75)
    with pytest.raises(InvalidValue, match="load had none"):
        score_card("load", "boost", True, rows, came * 0, came, came, came, season=2)

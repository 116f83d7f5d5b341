"""Bands of tomorrow come from what was missed of tomorrows, and follow a season that errs otherwise."""

import numpy as np
import pytest

from commonwatt.forecasting.daily_bands import around

DAYS, SLOTS = 60, 24
RANDOM = np.random.default_rng(2)
CAME = 1_000 + RANDOM.normal(0, 50, (DAYS, SLOTS))
EXPECTED = np.full((DAYS + 1, SLOTS), 1_000.0)


@pytest.mark.row("X9")
def test_who_is_off_further_ahead_is_less_sure_of_tomorrow_than_of_today() -> None:
    further = EXPECTED + RANDOM.normal(0, 200, EXPECTED.shape)
    rows = around(EXPECTED, CAME, 0, 40, -np.inf, [further]).told
    today, tomorrow = (float((rows[-1, at] - rows[0, at]).mean()) for at in (-2, -1))
    assert 130 < today < 260 and tomorrow > 2.5 * today
    assert rows.shape[1] == DAYS - 40 + 2


@pytest.mark.row("X9")
def test_bands_widen_in_a_season_that_errs_more_and_know_nothing_of_it_before() -> None:
    wild = CAME.copy()
    wild[50:] = 1_000 + 4 * (CAME[50:] - 1_000)
    rows, calm = (around(EXPECTED, wh, 0, 40, -np.inf).told for wh in (wild, CAME))
    assert np.array_equal(rows[:, : 50 - 40 + 1], calm[:, : 50 - 40 + 1])
    wide = rows[-1] - rows[0]
    assert wide[-2].mean() > 2 * wide[50 - 40].mean()
    inside = (wild[55:] >= rows[0, 15:-2]) & (wild[55:] <= rows[-1, 15:-2])
    assert inside.mean() > 0.6

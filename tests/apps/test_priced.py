"""Prices are told from whole days; what neighbours pay by its mean, and nothing is told as free for want of trades."""

from dataclasses import replace

import numpy as np
import pytest
from test_book_made import gathered

from commonwatt.apps.gathering import Gathered
from commonwatt.apps.priced import among_neighbours, bought, sold
from commonwatt.forecasting.choice import WEEK
from commonwatt.forecasting.foresee import AHEAD

pytestmark = pytest.mark.row("X9")
DAYS = 20


def lived(holes: float) -> Gathered:
    """Return twenty days of prices of which such a share of the slots had no trades."""
    random = np.random.default_rng(4)
    price = 150_000 + 50_000 * np.sin(np.arange(96) / 96 * 6.28) + random.normal(0, 5_000, (DAYS, 96))
    local = np.where(random.random(price.shape) < holes, np.nan, price * 0.8)
    return replace(gathered(DAYS), priced=price, exported=price / 2, local=local)


def test_neighbours_prices_are_told_by_their_mean_where_not_every_slot_had_trades() -> None:
    told = among_neighbours(lived(0.5))
    assert told is not None and told.model == WEEK
    assert np.isfinite(told.quantiles_wh[:, -AHEAD:]).all() and (told.expected_wh[-AHEAD:] > 70_000).all()
    assert told.card is not None and told.card.coverage_permille > 800


def test_a_time_of_day_at_which_nobody_trades_is_told_as_nothing_and_not_as_free() -> None:
    quiet = lived(0.3)
    local = quiet.local.copy()
    local[:, :20] = np.nan
    told = among_neighbours(replace(quiet, local=local))
    assert told is not None and not told.expected_wh.any() and not np.isfinite(told.measured_wh).any()
    assert among_neighbours(replace(quiet, local=quiet.local[:0])) is None


def test_days_before_a_hole_of_the_grid_s_price_are_left_out() -> None:
    told = lived(0)
    priced = told.priced.copy()
    priced[-3, 5] = np.nan
    assert bought(replace(told, priced=priced)).first <= 2 < bought(told).first
    export = sold(told)
    assert export is not None and (export.expected_wh[-1] < bought(told).expected_wh[-1]).all()
    assert sold(replace(told, exported=told.exported[:0])) is None

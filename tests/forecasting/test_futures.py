"""Futures keep each slot's distribution and move together as past days did; what comes later moves none of them."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from numpy.typing import NDArray

from commonwatt.forecasting.days import from_day, kinds
from commonwatt.forecasting.foresee import AHEAD, SOON, Foretold, Past, together
from commonwatt.forecasting.futures import LEAST_ERRORS, futures
from commonwatt.forecasting.outlooks import peak_risks
from commonwatt.model import LEVELS_PERMILLE

pytestmark = pytest.mark.row("X9")
Floats = NDArray[np.float64]
DAYS, SLOTS, HOMES = 40, 24, 6
ALL = from_day(date(2026, 3, 2), DAYS + AHEAD)
HOUR = np.arange(SLOTS)
MIDDLE, HIGH = LEVELS_PERMILLE.index(500), LEVELS_PERMILLE.index(900)


def lived(seed: int = 3) -> Floats:
    """Return homes whose evenings are high or low together, the whole evening long."""
    random = np.random.default_rng(seed)
    mood = np.exp(0.35 * random.normal(size=(1, DAYS, 1)))
    evening = 400 * np.exp(-0.5 * ((HOUR - 19) / 2.0) ** 2) * mood
    found: Floats = (100 + evening) * random.lognormal(0, 0.1, (HOMES, DAYS, SLOTS))
    return found


def foretold(load: Floats, homes: range, name: str) -> Foretold:
    days = ALL[: load.shape[1] + AHEAD]
    dark, way = np.zeros((len(days), SLOTS), np.float32), np.zeros((len(days), SLOTS, 3))
    told = Past(load, np.full_like(load, np.nan), kinds(days), dark, way)
    return together(told, homes, name, load.shape[1] - 14)


@pytest.fixture(scope="module")
def zones() -> list[Foretold]:
    return [foretold(lived(), homes, name) for homes, name in ((range(3), "north"), (range(3, 6), "south"))]


def test_each_slot_keeps_its_quantiles_and_zones_are_high_together(zones: list[Foretold]) -> None:
    drawn = futures(zones, seed=1, count=400)
    assert drawn is not None and drawn.shape == (400, 2, SOON * SLOTS)
    for at, zone in enumerate(zones):
        rows = zone.quantiles_wh[:, -AHEAD : -AHEAD + SOON].reshape(len(LEVELS_PERMILLE), -1)
        for level in (MIDDLE, HIGH):
            np.testing.assert_allclose(
                np.quantile(drawn[:, at], LEVELS_PERMILLE[level] / 1000, 0), rows[level], rtol=0.06, atol=8
            )
    evening = drawn[:, :, 17:22].sum(2)
    assert np.corrcoef(evening[:, 0], evening[:, 1])[0, 1] > 0.6
    assert np.corrcoef(drawn[:, 0, 18], drawn[:, 0, 20])[0, 1] > 0.5, "and so are the hours of one evening"


def test_the_same_day_draws_the_same_and_nothing_that_comes_later_moves_it(zones: list[Foretold]) -> None:
    known = DAYS - 3
    shuffled = lived()
    shuffled[:, known:] = shuffled[::-1, known:, ::-1] * 2
    one, other = (futures([foretold(wh[:, :known], range(3), "north")], seed=7) for wh in (lived(), shuffled))
    assert one is not None and other is not None and np.array_equal(one, other)
    again = futures(zones, seed=1)
    assert again is not None and np.array_equal(again, futures(zones, seed=1))
    assert not np.array_equal(again, futures(zones, seed=2))


def test_where_too_few_days_told_anything_nothing_is_drawn(zones: list[Foretold]) -> None:
    silent = zones[1].measured_wh.copy()
    silent[: -AHEAD - LEAST_ERRORS] = np.nan
    assert futures([zones[0], replace(zones[1], measured_wh=silent)], seed=1) is None


def test_a_bound_that_is_to_hold_all_evening_is_lower_than_one_that_holds_in_each_hour(zones: list[Foretold]) -> None:
    rows = zones[0].quantiles_wh[:, -AHEAD]
    drawn = futures(zones[:1], seed=1, count=400)
    assert drawn is not None
    today = drawn[:, 0, :SLOTS]
    limit = round(float(rows[HIGH].max()) * 4 * 0.9)
    (each,), (whole,) = peak_risks(rows, [limit] * SLOTS), peak_risks(rows, [limit] * SLOTS, today)
    here = slice(whole.start, whole.end)
    over = today[:, here] * 4
    assert whole.asked_w <= each.asked_w + 1 and whole.permille >= each.permille - 60
    assert whole.permille == round(1000 * (over > limit).any(1).mean())
    margin = limit - whole.asked_w
    held = ((over - rows[MIDDLE, here] * 4) <= margin + 1).all(1).mean()
    assert 0.88 <= held <= 0.92 and whole.over_wh > 0 == each.over_wh

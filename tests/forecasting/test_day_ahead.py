"""Communities, roofs, prices and published forecasts, a day ahead: patterns are found, and the future is not seen."""

from collections.abc import Callable
from datetime import UTC, date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.forecasting import community, price, published, solar
from commonwatt.forecasting.days import kinds
from commonwatt.forecasting.roof import clear_sky
from commonwatt.forecasting.sun import towards
from commonwatt.model import InvalidValue
from forecasting.streets import sky

FIRST = date(2026, 3, 2)
DAYS = [FIRST + timedelta(day) for day in range(130)]
KIND = kinds(DAYS)
RANDOM = np.random.default_rng(7)
HOURS = np.arange(24)
MOOD = np.zeros(130)
for at in range(1, 130):
    MOOD[at] = 0.75 * MOOD[at - 1] + RANDOM.normal(0, 0.6)
LOAD = (1000 + 500 * (abs(HOURS - 19) < 3) - 300 * (KIND[:, None] > 0)) * (1 + 0.1 * np.tanh(MOOD[:, None]))
PRICES = (
    50 + 20 * np.sin(HOURS / 24 * 6.28) - 15 * (KIND[:, None] > 0) + 10 * MOOD[:, None] + RANDOM.normal(0, 2, (130, 24))
)
SKY = sky(131, 24)
WEEKDAYS = [day.weekday() for day in DAYS]
SUN = towards(DAYS, 24, 48.0, 11.0, UTC)
CLOUDS = np.clip(0.7 + 0.3 * np.tanh(MOOD), 0.1, 1)
ROOFS = np.stack(
    [size * clear_sky(SUN, 30, way) * CLOUDS[:, None] for size, way in ((900, 180), (700, 90), (500, 240))]
)
OFF_BY = PRICES + 6 * np.sin(HOURS / 24 * 12) + RANDOM.normal(0, 1, (130, 24))


def off(expected: np.ndarray, came: np.ndarray) -> float:
    return float(np.abs(expected - came).mean())


def test_a_community_has_weekends_and_moods() -> None:
    days = range(30, 120)
    told = np.array([community.day_ahead_wh(LOAD[:day], KIND, SKY) for day in days])
    assert off(told, LOAD[30:120]) < 0.8 * min(off(LOAD[29:119], LOAD[30:120]), off(LOAD[23:113], LOAD[30:120]))


@given(st.integers(0, 10**6), st.integers(community.LEAST_DAYS, 30), st.floats(0, 3), st.floats(0, 0.5))
@settings(max_examples=30, deadline=None)
def test_whatever_a_community_drew_it_is_told_finite_and_not_below_zero(
    seed: int, days: int, wild: float, silent: float
) -> None:
    random = np.random.default_rng(seed)
    load = LOAD[:days] * random.lognormal(0, wild, (days, 24)) * (random.random((days, 1)) >= silent)
    told = community.day_ahead_wh(load, KIND, SKY)
    assert np.isfinite(told).all()
    assert (told >= 0).all()


def test_prices_know_weekdays_and_where_yesterday_ended() -> None:
    days = range(100, 128)
    told = np.array([price.day_ahead(PRICES[:day], WEEKDAYS, (56, 84)) for day in days])
    assert off(told, PRICES[100:128]) < 0.9 * min(
        off(PRICES[99:127], PRICES[100:128]), off(PRICES[93:121], PRICES[100:128])
    )


def test_from_half_a_year_on_prices_choose_columns_and_still_see_no_future() -> None:
    known, random = price.FIRST + price.LEAST_CHOSEN, np.random.default_rng(4)
    weekdays = [day % 7 for day in range(known + 21)]
    moods = np.cumsum(random.normal(0, 2, known + 20))
    weekend = np.array([15 * (day >= 5) for day in weekdays[:-1]])
    long = (50 + moods - weekend)[:, None] + 20 * np.sin(HOURS / 24 * 6.28) + random.normal(0, 2, (known + 20, 24))
    told = np.array([price.day_ahead(long[:day], weekdays) for day in range(known, known + 20)])
    assert off(told, long[known:]) < 0.9 * min(
        off(long[known - 1 : -1], long[known:]), off(long[known - 7 : -7], long[known:])
    )
    assert (told[0] != price.day_ahead(long[:known], weekdays, [price.LEAST_CHOSEN - 1])).any()
    shuffled = long.copy()
    shuffled[known:] = shuffled[known:][::-1, ::-1]
    again = [price.day_ahead(shuffled[:day], weekdays) for day in (known, known + 1)]
    np.testing.assert_array_equal(told[0], again[0])
    assert (told[1] != again[1]).any(), "the test can fail: yesterday does move it"


def test_prices_that_never_changed_are_expected_to_stay() -> None:
    flat = np.full((250, 24), 42.0)
    np.testing.assert_allclose(price.day_ahead(flat, [day % 7 for day in range(251)]), 42.0)


def test_a_blend_is_never_worse_than_its_best_part_over_what_it_learnt_from() -> None:
    came = PRICES.ravel()
    parts = np.array([came + RANDOM.normal(0, 3, came.shape), came + RANDOM.normal(0, 4, came.shape), came + 30])
    share = price.blended(parts, came)
    assert share.sum() == pytest.approx(1) and (share >= 0).all() and share[2] < 0.05
    assert off(share @ parts, came) < 0.9 * off(parts[0], came)
    with pytest.raises(InvalidValue, match="equal lists"):
        price.blended(parts, came[:5])


def test_an_error_that_comes_every_day_is_taken_out_of_a_published_forecast() -> None:
    told = np.array([published.corrected(OFF_BY[: day + 1], PRICES[:day]) for day in range(40, 60)])
    assert off(told, PRICES[40:60]) < 0.5 * off(OFF_BY[40:60], PRICES[40:60])
    early = published.corrected(OFF_BY[:6], PRICES[:5])
    assert (early == OFF_BY[5]).all(), "too short a past to correct from"


def test_holes_in_what_was_published_or_measured_are_borne() -> None:
    told, came = OFF_BY[:41].copy(), PRICES[:40].copy()
    told[10], came[20, 3:9], told[40, 2] = np.nan, np.nan, np.nan
    found = published.corrected(told, came)
    assert np.isnan(found[2]) and np.isfinite(np.delete(found, 2)).all()


def test_a_roof_grows_with_the_season_and_goes_by_yesterdays_clouds() -> None:
    before: list[solar.Yield] = []
    told = []
    for day in range(10, 40):
        wh, said = solar.day_ahead_wh(ROOFS[:, :day], SUN, before)
        before.append(said)
        told.append(wh)
    came = ROOFS[:, 10:40].transpose(1, 0, 2)
    week = np.array([ROOFS[:, day - 7 : day].mean(1) for day in range(10, 40)])
    assert off(np.array(told), came) < 0.97 * off(week, came)
    assert min(wh.min() for wh in told) >= 0


def test_a_roof_that_was_not_read_for_a_day_is_not_taken_for_dark() -> None:
    holes, dark = ROOFS[:, :40].copy(), ROOFS[:, :40].copy()
    holes[0, 39], dark[0, 39] = np.nan, 0
    whole, unread, black = (solar.experts(past, SUN).wh.mean(0)[0].sum() for past in (ROOFS[:, :40], holes, dark))
    assert abs(unread - whole) < 0.5 * abs(black - whole)
    holes[1] = np.nan
    told, _ = solar.day_ahead_wh(holes, SUN, [solar.experts(holes[:, :-1], SUN)])
    assert np.isfinite(told).all() and told[1].max() == 0


def price_of(values: np.ndarray) -> np.ndarray:
    return price.day_ahead(values[:90], WEEKDAYS, (56,))


@pytest.mark.parametrize(
    ("values", "forecast"),
    [
        (LOAD, lambda values: community.day_ahead_wh(values[:90], KIND, SKY)),
        (PRICES, price_of),
        (PRICES, lambda values: published.corrected(OFF_BY[:91], values[:90])),
        (ROOFS.transpose(1, 2, 0), lambda values: solar.experts(values[:90].transpose(2, 0, 1), SUN).wh),
    ],
    ids=["community", "price", "published", "solar"],
)
def test_shuffling_the_future_moves_no_forecast(
    values: np.ndarray, forecast: Callable[[np.ndarray], np.ndarray]
) -> None:
    before = forecast(values)
    shuffled = values.copy()
    shuffled[90:] = np.random.default_rng(1).permutation(shuffled[90:].ravel()).reshape(shuffled[90:].shape)
    assert (shuffled[90:] != values[90:]).any()
    np.testing.assert_array_equal(before, forecast(shuffled))
    moved = values.copy()
    moved[89] *= 1.3
    assert (forecast(moved) != before).any(), "the test can fail: yesterday does move it"


def test_too_short_a_past_is_refused() -> None:
    with pytest.raises(InvalidValue, match="6 whole days, was 5"):
        community.day_ahead_wh(LOAD[:5], KIND, SKY)
    with pytest.raises(InvalidValue, match="calendar"):
        community.day_ahead_wh(LOAD[:90], KIND[:90], SKY)
    with pytest.raises(InvalidValue, match="56 whole days"):
        price.day_ahead(PRICES[:55], WEEKDAYS)
    with pytest.raises(InvalidValue, match="3 days"):
        solar.experts(ROOFS[:, :2], SUN)
    with pytest.raises(InvalidValue, match="one more day"):
        published.corrected(OFF_BY[:9], PRICES[:9])

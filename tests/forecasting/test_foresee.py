"""Days as they would have been forecast: no forecast moves with what comes after it, and who loses is not used."""

from collections.abc import Callable
from datetime import UTC, date
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from numpy.typing import NDArray

from commonwatt.forecasting.days import from_day, kinds, starts_s
from commonwatt.forecasting.foresee import (
    AHEAD,
    ALIKE,
    LEAST_DAYS,
    WEEK,
    Foretold,
    Past,
    loads,
    means,
    roofs,
    together,
)
from commonwatt.forecasting.foresee_prices import LEAST_PRICED, REGRESSION, prices
from commonwatt.forecasting.sun import darkness, towards
from commonwatt.model import LEVELS_PERMILLE, InvalidValue

Floats = NDArray[np.float64]
DAYS, KNOWN, SLOTS, HOMES = 14, 12, 24, 3
ALL = from_day(date(2026, 3, 2), DAYS + AHEAD)
NAMES = ("anna", "ben", "cleo")
_DRAW = np.random.default_rng(3)
HOUR = np.arange(SLOTS)
USUAL = 100 + 400 * np.exp(-0.5 * ((HOUR - 19) / 2.0) ** 2)
LOAD = USUAL * _DRAW.lognormal(0, 0.3, (HOMES, DAYS, SLOTS))
SUN = np.clip(np.sin((HOUR - 6) / 12 * np.pi), 0, None) * 800 * _DRAW.uniform(0.4, 1, (HOMES, DAYS, 1))
SUN = np.where(np.arange(HOMES)[:, None, None] == 2, np.nan, SUN + np.zeros((HOMES, DAYS, SLOTS)))


def past(load: Floats, sun: Floats) -> Past:
    """Return so many days of the three homes, of which cleo has no roof."""
    days = ALL[: load.shape[1] + AHEAD]
    place = 48.0, 11.0, UTC
    return Past(load, sun, kinds(days), darkness(days, SLOTS, *place), towards(days, SLOTS, *place))


WAYS: dict[str, Callable[[Floats, Floats], list[Foretold]]] = {
    "loads": lambda load, sun: loads(past(load, sun), NAMES, LEAST_DAYS),
    "roofs": lambda load, sun: roofs(past(load, sun), NAMES, LEAST_DAYS),
    "together": lambda load, sun: [together(past(load, sun), range(HOMES), "all", LEAST_DAYS)],
    "prices": lambda load, sun: [prices(load[0], [day.weekday() for day in ALL], "price", LEAST_DAYS)],
}


@pytest.mark.row("X9")
@pytest.mark.parametrize("way", WAYS)
def test_no_forecast_moves_when_the_future_is_shuffled(way: str) -> None:
    shuffled = [rows.copy() for rows in (LOAD, SUN)]
    for rows in shuffled:
        # By little, or the model loses to the mean of seven days in one future alone, and nothing is left to compare.
        rows[:, KNOWN:] = 1.1 * rows[:, KNOWN:][:, ::-1] + 7
    seen, other = WAYS[way](LOAD, SUN), WAYS[way](*shuffled)
    for one, moved in zip(seen, other, strict=True):
        upto = KNOWN - one.first + 1
        assert not np.array_equal(one.measured_wh, moved.measured_wh, equal_nan=True), "the future is another one"
        # Of a day that is told by what was chosen afterwards, bands of the same choice are compared.
        if one.model == moved.model:
            assert np.array_equal(one.quantiles_wh[:, :upto], moved.quantiles_wh[:, :upto])
            assert np.array_equal(one.expected_wh[:upto], moved.expected_wh[:upto])
    assert any(one.choice.used == moved.choice.used for one, moved in zip(seen, other, strict=True))


@pytest.mark.row("X9")
def test_what_lost_to_the_mean_of_seven_days_is_told_by_it_and_says_so() -> None:
    wild = LOAD.copy()
    wild[:, :LEAST_DAYS] *= _DRAW.choice([0.05, 4.0], (HOMES, LEAST_DAYS, 1))
    for one in loads(past(wild, SUN), NAMES, LEAST_DAYS):
        assert one.card is not None and one.choice.used == one.card.used
        week = wild[NAMES.index(one.series), DAYS - 7 :].mean(0)
        assert np.allclose(one.expected_wh[-1], week) is not one.choice.used
        assert (one.model == WEEK) is not one.choice.used
        assert ("is not used: off by" in one.choice.reason) is not one.choice.used


def test_few_days_are_told_by_their_mean_and_nobody_claims_to_be_sure_of_it() -> None:
    for days in (0, 1, 5):
        told = loads(past(LOAD[:, :days], SUN[:, :days]), NAMES, 0)
        assert [one.choice.used for one in told] == [False] * HOMES and f"{days} whole days" in told[0].choice.reason
        expected = LOAD[0, :days].mean(0) if days else np.zeros(SLOTS)
        assert np.allclose(told[0].ahead_wh(), expected)
        sure = bool(np.ptp(told[0].quantiles_wh[:, -1], 0).max() == 0)
        assert sure is (days < 3), "without errors to look back on there is no band"


def test_bands_do_not_cross_and_a_mean_lies_within_them() -> None:
    for way in ("roofs", "together"):
        for one in WAYS[way](LOAD, SUN):
            assert (np.diff(one.quantiles_wh, axis=0) >= 0).all() and np.isfinite(one.quantiles_wh).all()
    level = np.array(LEVELS_PERMILLE, np.float64)[:, None] * np.ones((1, 2))
    assert np.allclose(means(level), 500), "of what is as likely above as below"


def test_a_past_without_the_days_to_come_is_none() -> None:
    days = ALL[:DAYS]
    with pytest.raises(InvalidValue, match=f"{AHEAD} more days"):
        Past(LOAD, SUN, kinds(days), np.zeros((DAYS, SLOTS), np.float32), np.zeros((DAYS, SLOTS, 3)))


def test_a_local_day_has_its_quarter_hours_by_the_clock_also_when_clocks_change() -> None:
    rows = starts_s(from_day(date(2026, 10, 24), 3), ZoneInfo("Europe/Berlin"))
    assert rows.shape == (3, 96)
    assert rows[1, 0] - rows[0, 0] == 24 * 3600 and rows[2, 0] - rows[1, 0] == 25 * 3600, "clocks went back"


@pytest.mark.row("H8")
def test_a_new_roof_is_told_by_its_mean_and_takes_nobody_else_s_forecast_away() -> None:
    sun = SUN.copy()
    sun[1, : DAYS - 2, :] = np.nan
    sun[1, DAYS - 2, : SLOTS // 2] = np.nan
    anna, ben = roofs(past(LOAD, sun), NAMES, LEAST_DAYS)
    assert (ben.series, ben.model) == ("ben", WEEK) and "0 days of this roof are too few" in ben.choice.reason
    assert anna.card is not None and anna.card.slots == (DAYS - LEAST_DAYS) * SLOTS
    assert all(np.isfinite(one.quantiles_wh).all() and np.isfinite(one.expected_wh).all() for one in (anna, ben))


@pytest.mark.row("H8")
@pytest.mark.parametrize("silent", [slice(DAYS - 8, DAYS), slice(0, DAYS - 1), slice(0, DAYS)])
def test_a_street_that_was_silent_is_forecast_by_what_is_left_and_nothing_fails(silent: slice) -> None:
    load, sun = LOAD.copy(), SUN.copy()
    load[:, silent], sun[:, silent] = np.nan, np.nan
    told = past(load, sun)
    found = [*loads(told, NAMES, LEAST_DAYS), *roofs(told, NAMES, LEAST_DAYS)]
    found.append(together(told, range(HOMES), "all", LEAST_DAYS))
    assert [one.series for one in found[:HOMES]] == list(NAMES)
    assert all(np.isfinite(one.quantiles_wh).all() for one in found)
    assert all("too few" in one.choice.reason for one in found[:HOMES])


@pytest.mark.row("H8")
def test_one_missing_reading_of_one_home_takes_no_sum_its_forecast() -> None:
    load, sun = LOAD.copy(), SUN.copy()
    load[2, 8, 3], sun[0, 9, 12] = np.nan, np.nan
    told = together(past(load, sun), range(HOMES), "all", LEAST_DAYS)
    assert told.model == ALIKE or f"{ALIKE} is not used: off by" in told.choice.reason
    assert told.card is not None and told.card.slots == (DAYS - LEAST_DAYS) * SLOTS, "what was filled is not scored"
    whole = together(past(LOAD, SUN), range(HOMES), "all", LEAST_DAYS)
    assert np.allclose(told.expected_wh[-1], whole.expected_wh[-1], rtol=0.2, atol=200)
    load[2, :6] = np.nan
    young = together(past(load, sun), range(HOMES), "all", LEAST_DAYS)
    assert young.model == WEEK and "8 days since all told anything are too few" in young.choice.reason


@pytest.mark.row("H8")
def test_on_a_friday_a_sum_expects_a_saturday_and_on_a_sunday_a_monday() -> None:
    days = from_day(date(2026, 3, 2), 34 + AHEAD)
    weekend = np.array([3.0 if day.weekday() > 4 else 1.0 for day in days])
    load = USUAL * weekend[:, None] * np.random.default_rng(4).lognormal(0, 0.05, (HOMES, len(days), SLOTS))
    dark, way = np.zeros((len(days), SLOTS), np.float32), np.zeros((len(days), SLOTS, 3))
    grows = {}
    for until in (32, 34):
        upto, roofless = until + AHEAD, np.full_like(load[:, :until], np.nan)
        seen = Past(load[:, :until], roofless, kinds(days[:upto]), dark[:upto], way[:upto])
        told = together(seen, range(HOMES), "all", until - 7)
        assert told.model == ALIKE, told.choice.reason
        today, tomorrow = told.ahead_wh()[:2].sum(1)
        grows[days[until].weekday()] = tomorrow / today
    assert grows[4] > 2 and grows[6] < 0.5, "at weekends three times as much is drawn"


@pytest.mark.row("X9")
def test_prices_are_told_by_regression_once_there_are_enough_of_them_and_never_by_what_comes_later() -> None:
    days = from_day(date(2026, 1, 1), 76 + AHEAD)
    shape = 60 + 20 * np.sin(HOUR / 24 * 2 * np.pi)
    level = 30 * np.sin(np.arange(76) / 9) + np.where([day.weekday() > 4 for day in days[:76]], -20, 0)
    told = shape + level[:, None] + np.random.default_rng(8).normal(0, 2, (76, SLOTS))
    weekdays = [day.weekday() for day in days]
    found = prices(told, weekdays, "price", 70)
    assert found.model == REGRESSION and found.choice.used and found.first == 70
    other = told.copy()
    other[74:] = 500
    moved = prices(other, weekdays, "price", 70)
    upto = 74 - 70 + 1
    assert found.choice.used == moved.choice.used or moved.model == WEEK
    if moved.choice.used:
        assert np.array_equal(found.quantiles_wh[:, :upto], moved.quantiles_wh[:, :upto])
    for count in (LEAST_PRICED - 1, LEAST_PRICED):
        few = prices(told[:count], weekdays, "price", count - 1)
        assert ("are too few to learn from" in few.choice.reason) is (count < LEAST_PRICED)


@pytest.mark.row("X9")
def test_what_a_day_would_have_been_planned_with_is_what_was_chosen_before_it_came() -> None:
    shuffled = LOAD.copy()
    shuffled[:, KNOWN:] = 3 * shuffled[:, KNOWN:][:, ::-1, ::-1] + 7
    seen, other = (loads(past(wh, SUN), NAMES, LEAST_DAYS) for wh in (LOAD, shuffled))
    for one, moved in zip(seen, other, strict=True):
        upto = KNOWN - one.first + 1
        assert np.array_equal(one.chosen_wh[:upto], moved.chosen_wh[:upto])
        assert np.array_equal(one.chosen_wh[-AHEAD:], one.expected_wh[-AHEAD:])

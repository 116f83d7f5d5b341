"""What heat pumps draw is foreseen by days alike, and by degrees where somebody forecasts them."""

import csv
import gzip
import json
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pumps import DATA, Circuit, drawn_wh, english_weather, needs_weather, turned_down

from commonwatt.forecasting import heating
from commonwatt.forecasting.days import from_day, kinds
from commonwatt.forecasting.foresee import AHEAD, LEAST_DAYS
from commonwatt.forecasting.heating import ALIKE, DEGREES, day_ahead_wh, pump
from commonwatt.model import SLOTS_PER_DAY, InvalidValue

Floats = NDArray[np.float64]
DAYS, FIRST = 42, 28
GRID = DATA / "grid"
NAME = "simbench_1-LV-semiurb4--1-sw"
CALENDAR = kinds(from_day(date(2021, 1, 2), DAYS + AHEAD))


def told(weather: Floats, days: int = DAYS) -> Floats:
    """Return forecasts of a recorded weather: off by seven tenths of a degree a day ahead, by more after that."""
    random, found = np.random.default_rng(5), np.full((days + 1, AHEAD, SLOTS_PER_DAY), np.nan)
    for day in range(days + 1):
        for late in range(AHEAD):
            found[day, late] = weather[day + late] + random.normal(0, 0.7 + 0.3 * late)
    return found


@needs_weather
@pytest.mark.row("H8")
def test_who_hears_of_the_frost_foresees_a_pump_better_than_who_does_not() -> None:
    weather = english_weather("2021-01-02", DAYS + AHEAD)
    wh = drawn_wh(Circuit(pump=turned_down()), weather[:DAYS])
    blind, warned = (pump(wh, CALENDAR, forecast, "warmth", FIRST) for forecast in (None, told(weather)))
    assert warned.model == DEGREES and warned.choice.used and blind.model != DEGREES
    assert blind.card is not None and warned.card is not None and blind.card.model == ALIKE
    assert warned.card.nmae < 0.95 * blind.card.nmae and warned.card.nmae < 0.95 * warned.card.median_nmae
    assert (np.diff(warned.quantiles_wh, axis=0) >= 0).all() and (warned.quantiles_wh >= 0).all()


@needs_weather
def test_no_forecast_of_heat_moves_when_the_future_is_another() -> None:
    weather = english_weather("2021-01-02", DAYS + AHEAD)
    wh, forecast = drawn_wh(Circuit(pump=turned_down()), weather[:DAYS]), told(weather)
    other, known = wh.copy(), 38
    other[known:] *= 1.2
    later = forecast.copy()
    later[known + 1 :] -= 2
    first, again = (pump(rows, CALENDAR, cold, "warmth", FIRST) for rows, cold in ((wh, forecast), (other, later)))
    assert first.choice.used and again.choice.used
    upto = known - FIRST + 1
    assert np.array_equal(first.quantiles_wh[:, :upto], again.quantiles_wh[:, :upto])
    assert not np.array_equal(first.quantiles_wh[:, upto:], again.quantiles_wh[:, upto:])


@pytest.mark.skipif(not GRID.exists(), reason="needs the recorded grids")
@pytest.mark.row("H8")
def test_bands_hold_nine_tenths_of_what_recorded_pumps_drew_without_any_weather() -> None:
    cards = []
    for year in _recorded():
        for start in (0, 30, 280, 308):
            days = kinds(from_day(date(2016, 1, 1), start + 56 + AHEAD)[start:])
            cards.append(pump(year[start : start + 56], days, None, "pump", 42))
    inside = [one.card.coverage_permille for one in cards if one.card is not None]
    assert len(inside) == 8 and 880 <= np.mean(inside) <= 920
    assert all("is used" in one.choice.reason or "is not used" in one.choice.reason for one in cards)


def _recorded() -> list[Floats]:
    """Return a year of the two heat pumps of a recorded grid, (days, slots) Wh: from the air and from the soil."""
    with gzip.open(GRID / f"{NAME}.json.gz", "rt") as file:
        table = json.loads(json.load(file)["_object"]["load"]["_object"])
    profile = table["columns"].index("profile")
    loads = zip(table["index"], table["data"], strict=True)
    names = [f"load.p_mw[{n}]" for n, row in loads if row[profile].startswith(("Air", "Soil"))]
    with gzip.open(GRID / f"{NAME}_load.p_mw.csv.gz", "rt") as file:
        rows = csv.reader(file)
        heads = next(rows)
        at = [heads.index(name) for name in names]
        values = np.array([[float(row[column]) for column in at] for row in rows])
    return [column.reshape(-1, SLOTS_PER_DAY) * 250_000 for column in values.T]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 20), st.floats(0, 0.3), st.booleans())
def test_a_pump_is_foreseen_whatever_its_meter_and_the_weather_forgot_to_tell(
    seed: int, days: int, missing: float, silent: bool
) -> None:
    random = np.random.default_rng(seed)
    wh = random.gamma(1, 200, (days, 96)) * (random.random((days, 96)) > 0.5)
    wh[random.random((days, 96)) < missing] = np.nan
    cold = random.normal(5, 5, (days + 1, AHEAD, 96))
    cold[random.random(days + 1) < missing] = np.nan
    wh[-3:] = np.nan if silent else wh[-3:]
    found = pump(wh, kinds(from_day(date(2026, 1, 1), days + AHEAD)), cold, "warmth", days - 5)
    assert np.isfinite(found.quantiles_wh).all() and (found.quantiles_wh >= 0).all()
    assert np.isfinite(found.expected_wh).all() and found.expected_wh[-AHEAD:].shape == (AHEAD, 96)


def test_a_pump_of_a_few_days_is_told_by_its_mean_and_says_why() -> None:
    wh = np.full((LEAST_DAYS - 1, 96), 100.0)
    found = pump(wh, CALENDAR, None, "warmth", 3)
    assert not found.choice.used and "too few to learn from" in found.choice.reason
    assert found.expected_wh[-1, 0] == 100


def test_shapes_that_do_not_fit_are_refused() -> None:
    wh = np.full((20, 96), 100.0)
    with pytest.raises(InvalidValue, match="days each"):
        pump(wh, CALENDAR, np.zeros((20, AHEAD, 96)), "warmth", 10)
    with pytest.raises(InvalidValue, match="whole days"):
        day_ahead_wh(wh[: heating.FIRST_CORRECTED], CALENDAR)

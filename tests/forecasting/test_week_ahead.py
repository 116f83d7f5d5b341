"""A week is told day by day: each by its kind, as sure as a forecast of that lead was, and scored at that lead."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from numpy.typing import NDArray

from commonwatt.forecasting.choice import MONTH, WEEK
from commonwatt.forecasting.daily_bands import Rolled, around
from commonwatt.forecasting.days import from_day, kinds
from commonwatt.forecasting.foresee import AHEAD, ALIKE, SOON, Past, judged, loads, roofs, together
from commonwatt.forecasting.leads import LAST_DAY, NEXT_SLOT, next_slot
from commonwatt.forecasting.score import normalised_error
from commonwatt.model import LEVELS_PERMILLE

Floats = NDArray[np.float64]
DAYS, SLOTS, HOMES = 36, 24, 3
MONDAY = date(2026, 3, 2)
DAYS_OF = from_day(MONDAY, DAYS + AHEAD)
HOUR = np.arange(SLOTS)
USUAL = 100 + 400 * np.exp(-0.5 * ((HOUR - 19) / 2.0) ** 2)
NAMES = ("anna", "ben", "cleo")


def past(load: Floats) -> Past:
    told = load.shape[1] + AHEAD
    days = DAYS_OF[:told]
    dark, way = np.zeros((told, SLOTS), np.float32), np.zeros((told, SLOTS, 3))
    return Past(load, np.full_like(load, np.nan), kinds(days), dark, way)


def lived(days: int, spread: float = 0.05) -> Floats:
    weekend = np.array([3.0 if day.weekday() > 4 else 1.0 for day in DAYS_OF[:days]])
    found: Floats = USUAL * weekend[:, None] * np.random.default_rng(4).lognormal(0, spread, (HOMES, days, SLOTS))
    return found


@pytest.mark.row("H8")
@pytest.mark.row("X9")
def test_each_day_of_a_week_is_told_by_its_kind() -> None:
    told = together(past(lived(DAYS)), range(HOMES), "all", DAYS - 7)
    assert told.model == ALIKE and len(told.ahead_wh()) == AHEAD
    daily = told.ahead_wh().sum(1)
    off = np.array([day.weekday() > 4 for day in DAYS_OF[DAYS : DAYS + AHEAD]])
    assert off.sum() == 2 and (daily[off] > 2 * daily[~off].max()).all()


@pytest.mark.row("X9")
def test_no_day_of_the_week_is_told_by_what_comes_after_it_was() -> None:
    """Each future is another; what was told before it is the same, at every lead and level."""
    known = DAYS - 2
    shuffled = lived(DAYS)
    shuffled[:, known:] = 1.1 * shuffled[::-1, known:] + 7  # by little, or another forecast is chosen for all days
    for way in (loads, lambda told, names, first: [together(told, range(HOMES), "all", first)]):
        seen, other = (way(past(wh), NAMES, known - 4) for wh in (lived(DAYS), shuffled))
        cut = way(past(shuffled[:, :known]), NAMES, known - 4)
        for one, moved, before in zip(seen, other, cut, strict=True):
            upto = known - one.first + 1
            assert one.choice.used == moved.choice.used == before.choice.used, "else nothing is left to compare"
            np.testing.assert_array_equal(one.quantiles_wh[:, :upto], moved.quantiles_wh[:, :upto])
            np.testing.assert_array_equal(before.quantiles_wh[:, :upto], moved.quantiles_wh[:, :upto])
            assert before.quantiles_wh.shape[1] == upto - 1 + AHEAD


@pytest.mark.row("X9")
def test_who_knows_less_of_a_later_day_says_so_in_its_band() -> None:
    """A level that wanders: the further ahead, the further off."""
    random = np.random.default_rng(5)
    level = 1_000 + np.cumsum(random.normal(0, 60, 60))
    came = level[:, None] + random.normal(0, 10, (60, SLOTS))
    today = np.concatenate([[came[0]], came])  # what yesterday brought
    rows = around(today, came, 0, 30, -np.inf, ahead=AHEAD)
    width = (rows.told[-1] - rows.told[0])[-AHEAD:].mean(1)
    assert width[1] > 1.15 * width[0] and width[-1] > 1.8 * width[0]
    last, ended = rows.last[:, : 60 - 30 - AHEAD + 1], came[30 + AHEAD - 1 :]
    held = float(((ended >= last[0]) & (ended <= last[-1])).mean())
    assert 0.8 < held < 0.99


def test_of_a_young_series_a_later_day_is_no_surer_than_the_day_before_it() -> None:
    few = lived(4, 0.3)
    for one in loads(past(few), NAMES, 0):
        width = (one.quantiles_wh[-1] - one.quantiles_wh[0])[-AHEAD:].mean(1)
        assert width[0] > 0 and (width > 0.5 * width[0]).all()


@pytest.mark.row("X9")
def test_cards_tell_of_the_next_slot_and_of_the_seventh_day() -> None:
    for one in loads(past(lived(DAYS, 0.3)), NAMES, DAYS - 14):
        soon, late = one.leads[NEXT_SLOT], one.leads[LAST_DAY]
        assert soon.slots == 7 * SLOTS and late.slots == (14 - AHEAD + 1) * SLOTS
        assert 850 < late.coverage_permille <= 1000 and late.nmae < late.baseline_nmae
    young = loads(past(lived(12)), NAMES, 10)
    assert all(LAST_DAY not in one.leads for one in young), "no seventh day is over yet"


@pytest.mark.row("X9")
def test_a_surprise_is_carried_into_the_next_slot_alone_and_never_over_midnight() -> None:
    expected = np.array([[10.0, 10, 10], [20, 20, 20]])
    came = np.array([[13.0, np.nan, 10], [25, 20, 20]])
    np.testing.assert_array_equal(next_slot(expected, came), [[10, 13, 10], [20, 25, 20]])


@pytest.mark.row("X9")
def test_who_moves_slowly_is_told_better_a_slot_ahead_than_a_day() -> None:
    random = np.random.default_rng(6)
    slow = np.repeat(random.lognormal(0, 0.6, (HOMES, DAYS, 4)), SLOTS // 4, axis=2)
    one = loads(past(USUAL * slow), NAMES, DAYS - 14)[0]
    assert one.card is not None and one.leads[NEXT_SLOT].nmae < 0.7 * one.card.nmae


def test_roofs_are_told_for_a_week_too() -> None:
    sun = np.clip(np.sin((HOUR - 6) / 12 * np.pi), 0, None) * 800
    made = sun * np.random.default_rng(7).uniform(0.4, 1, (HOMES, 20, 1))
    told = replace(past(lived(20)), solar_wh=made)
    for one in roofs(told, NAMES, 12):
        assert one.ahead_wh().shape == (AHEAD, SLOTS) and np.isfinite(one.quantiles_wh).all()
        middle = [list(one.expected_wh[-AHEAD + day]) for day in range(AHEAD)]
        assert normalised_error([round(x) for x in middle[0]], [round(x) for x in sun * 0.7]) < 0.5


@pytest.mark.row("X9")
@pytest.mark.parametrize("late", [1.0, 3.0])
def test_who_loses_at_a_lead_is_not_used_there_and_its_card_says_so(late: float) -> None:
    """A model that knows tomorrow well and, at times, nothing of the seventh day."""
    wh, first = lived(DAYS, 0.4)[0], DAYS - 14
    spread = np.linspace(0.9, 1.1, len(LEVELS_PERMILLE))[:, None, None]
    ahead = np.tile(USUAL, (AHEAD, 1))
    told = spread * np.concatenate([wh[first:], ahead])
    seventh = np.concatenate([wh[first + AHEAD - 1 :], np.tile(USUAL, (AHEAD, 1))])
    one = judged("anna", "knows", Rolled(told, spread * late * seventh), wh, first, 0.0)
    card = one.leads[LAST_DAY]
    assert one.choice.used and card.used is (late == 1.0)
    better = WEEK if card.baseline_nmae <= card.median_nmae else MONTH
    by_mean = np.array_equal(one.expected_wh[-1], one.plain_wh[better][-1])
    assert by_mean is (late > 1.0)
    np.testing.assert_array_equal(one.quantiles_wh[:, -AHEAD : -AHEAD + SOON], told[:, -AHEAD : -AHEAD + SOON])


@pytest.mark.row("X9")
def test_a_band_tells_no_more_than_a_quarter_above_what_ever_came() -> None:
    """At dawn little was expected and much came: what that is relative to says nothing of noon."""
    random = np.random.default_rng(3)
    sun = np.clip(np.sin((HOUR - 6) / 12 * np.pi), 0, None) * 1_000
    came = sun * random.uniform(0.02, 1, (30, 1)) * random.lognormal(0, 0.2, (30, SLOTS))
    expected = np.array([came[max(0, day - 7) : day].mean(0) if day else sun for day in range(31)])
    rows = around(expected, came, 0, 14, 0.0, ahead=AHEAD).told
    assert rows.max() <= 1.25 * came.max() and (np.diff(rows, axis=0) >= 0).all()
    assert rows[-1, -1, 3] <= 1e-9, "nor anything at night"

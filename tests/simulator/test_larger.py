"""A street of more homes than were recorded: nothing in it that was not recorded, and its limits grow with it."""

from pathlib import Path

import pytest

from commonwatt.apps.scenes import live_scene, scene
from commonwatt.model import InvalidValue, epoch
from commonwatt.simulator.larger import larger

FOLDER = Path(__file__).parents[2] / "examples" / "street"


def test_every_recorded_household_comes_under_every_recorded_roof() -> None:
    told = scene(FOLDER)
    street, recorded = larger(told.street, told.recorded, 100)
    assert len(street.home) == len(recorded.load_wh) == len(recorded.solar_wh) == 100
    assert street.home[:10] == told.street.home
    assert recorded.load_wh[:10] == told.recorded.load_wh
    assert recorded.solar_wh[:10] == told.recorded.solar_wh
    pairs = {(load.values, sun.values) for load, sun in zip(recorded.load_wh, recorded.solar_wh, strict=True)}
    assert len(pairs) == 100, "no two homes are alike"
    households = dict(zip(told.recorded.load_wh, told.street.home, strict=True))
    roofs = dict(zip(told.recorded.solar_wh, told.street.home, strict=True))
    for home, load, sun in zip(street.home, recorded.load_wh, recorded.solar_wh, strict=True):
        assert home.car == households[load].car
        assert home.solar_kw == roofs[sun].solar_kw


def test_cars_come_and_go_as_they_did_and_the_feeder_carries_as_much_a_home() -> None:
    told = scene(FOLDER)
    street, recorded = larger(told.street, told.recorded, 20)
    first = told.recorded.sessions[0].home
    stays = {
        home: [(s.start_s, s.end_s, s.need_wh) for s in recorded.sessions if s.home == home]
        for home in (first, first + 10)
    }
    assert stays[first] == stays[first + 10] != []
    assert [line.split(" from ")[0] for line in street.dso] == ["power of zone street <= 50 kW"] * 2


def test_a_street_is_not_made_smaller() -> None:
    told = scene(FOLDER)
    with pytest.raises(InvalidValue, match="has 10 homes, asked were 9"):
        larger(told.street, told.recorded, 9)


def test_all_recorded_days_are_lived_through_each_as_if_it_was_alone() -> None:
    told = live_scene(FOLDER, "2018-11-28")
    days = told.street.each_day()
    assert [f"{one.day}" for one in days] == ["2018-11-28", "2018-11-29", "2018-11-30"]
    assert days[0].span.start == told.street.span.start
    assert days[-1].span.end == told.street.span.end
    for one in days:
        alone = scene(FOLDER, f"{one.day}")
        start_s, end_s = epoch(one.span.start), epoch(one.span.end)
        of_day = tuple(session for session in told.recorded.sessions if start_s <= session.start_s < end_s)
        assert of_day == alone.recorded.sessions
        assert one.dso == alone.street.dso

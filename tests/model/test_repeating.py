"""What repeats keeps its local time, through every change of the clocks."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.model import (
    Constraint,
    Interval,
    InvalidValue,
    Quantity,
    Relation,
    Repeating,
    moment,
    moments,
    zone_of,
)

LONDON = ZoneInfo("Europe/London")


def level(**fields: Any) -> Repeating:
    told = {"quantity": Quantity.CHARGE, "value": 80, "start_minute": 450} | fields
    return _made(told)


def limit(start_minute: int, end_minute: int, **fields: Any) -> Repeating:
    times = {"start_minute": start_minute, "end_minute": end_minute}
    return _made({"quantity": Quantity.POWER, "value": 5_000} | times | fields)


def _made(told: dict[str, Any]) -> Repeating:
    common = {"scope": ("a",), "relation": Relation.AT_LEAST, "first": date(2018, 1, 1), "zone": "Europe/London"}
    return Repeating(**common | told)


def span(first: date, days: int) -> Interval:
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    return Interval(start, start + timedelta(days=days))


def local(found: list[Constraint]) -> list[str]:
    return [f"{one.at.astimezone(LONDON):%a %d %H:%M}" for one in found if one.at]


@pytest.mark.row("X1")
def test_every_weekday_is_the_same_local_time_before_and_after_a_clock_change() -> None:
    found = level(weekdays=(0, 1, 2, 3, 4)).occurrences(span(date(2018, 3, 23), 5))
    assert local(found) == ["Fri 23 07:30", "Mon 26 07:30", "Tue 27 07:30"]
    assert [one.at and one.at.hour for one in found] == [7, 6, 6]


def test_it_begins_with_its_first_day_and_ends_with_its_last() -> None:
    ten_days = level(first=date(2018, 5, 2), last=date(2018, 5, 4))
    assert local(ten_days.occurrences(span(date(2018, 4, 1), 90))) == ["Wed 02 07:30", "Thu 03 07:30", "Fri 04 07:30"]
    assert ten_days.ends() == datetime(2018, 5, 4, 6, 30, tzinfo=UTC)
    assert level().ends() is None
    sundays = limit(1320, 1800, weekdays=(6,), last=date(2018, 5, 4))
    assert sundays.ends() == datetime(2018, 4, 30, 5, tzinfo=UTC)


def test_an_instant_at_a_spans_end_counts_and_one_at_its_start_is_over() -> None:
    half_past_six = datetime(2018, 5, 2, 6, 30, tzinfo=UTC)
    day = timedelta(days=1)
    assert len(level().occurrences(Interval(half_past_six - day, half_past_six))) == 1
    assert level().occurrences(Interval(half_past_six, half_past_six + day))[0].at == half_past_six + day


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    night = limit(1320, 1800, weekdays=(4,))
    (one,) = night.occurrences(Interval(*(datetime(2018, 5, 5, hour, tzinfo=UTC) for hour in (2, 3))))
    assert one.window == Interval(datetime(2018, 5, 4, 21, tzinfo=UTC), datetime(2018, 5, 5, 5, tzinfo=UTC))


@pytest.mark.parametrize(
    ("day", "start", "end", "window"),
    [
        (date(2018, 3, 25), 30, 150, ((0, 30), (1, 30))),  # 00:30 to 02:30, an hour of which is missing
        (date(2018, 3, 25), 90, 150, ((1, 0), (1, 30))),  # from within the gap
        (date(2018, 3, 25), 65, 115, None),  # all of it in the gap
        (date(2018, 10, 28), 90, 180, ((0, 30), (3, 0))),  # from the first 01:30
        (date(2018, 10, 28), 70, 100, ((0, 10), (0, 40))),
    ],
)
def test_a_window_in_a_clock_change_is_what_there_is_of_it(
    day: date, start: int, end: int, window: tuple[tuple[int, int], tuple[int, int]] | None
) -> None:
    found = limit(start, end, first=day, last=day).occurrences(span(day, 1))
    wanted = (
        []
        if window is None
        else [Interval(*(datetime(day.year, day.month, day.day, *at, tzinfo=UTC) for at in window))]
    )
    assert [one.window for one in found] == wanted


@pytest.mark.parametrize(
    "wrong",
    [
        {"weekdays": ()},
        {"weekdays": (1, 0)},
        {"weekdays": (7,)},
        {"zone": "Mars/North"},
        {"zone": "../etc/passwd"},
        {"start_minute": 1441},
        {"start_minute": -1},
        {"end_minute": 500},
        {"value": 101},
        {"scope": ()},
        {"last": date(2017, 12, 31)},
        {"weekdays": (6,), "last": date(2018, 1, 6)},
        {"last": date(9999, 12, 31)},
    ],
)
def test_what_could_come_on_no_day_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        level(**wrong)


@pytest.mark.parametrize(("start", "end"), [(0, 0), (600, 500), (0, 1441), (1440, 1500)])
def test_a_window_lasts_up_to_a_day(start: int, end: int) -> None:
    with pytest.raises(InvalidValue):
        limit(start, end)


SHOWN = st.datetimes(datetime.fromisoformat("1980-01-01"), datetime.fromisoformat("2037-01-01"))
NAMED = st.sampled_from(
    ["Europe/London", "Australia/Lord_Howe", "Asia/Beirut", "America/Havana", "Pacific/Apia", "UTC"]
)


@given(SHOWN, st.integers(0, 200_000), NAMED)
def test_a_later_reading_of_a_clock_never_comes_earlier(shown: datetime, seconds: int, name: str) -> None:
    zone = zone_of(name)
    assert moment(shown, zone) <= moment(shown + timedelta(seconds=seconds), zone)
    for one in moments(shown, zone):
        assert one.astimezone(zone).replace(tzinfo=None, fold=0) == shown


@given(SHOWN.map(lambda shown: shown.replace(tzinfo=UTC)), NAMED)
def test_whatever_a_clock_shows_is_one_of_the_moments_at_which_it_does(at: datetime, name: str) -> None:
    zone = zone_of(name)
    assert at in moments(at.astimezone(zone).replace(tzinfo=None, fold=0), zone)

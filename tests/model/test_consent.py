"""What an owner may agree to, and when their hours are open."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.model import ALWAYS, OFF, Consent, ConsentMode, Interval, InvalidValue, zone_of

LONDON = zone_of("Europe/London")
NIGHT = Consent(mode=ConsentMode.WITHIN, hours=(22 * 60, 6 * 60))


def span(text: str, minutes: int = 15) -> Interval:
    start = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return Interval(start, start + timedelta(minutes=minutes))


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": ConsentMode.WITHIN},
        {"mode": ConsentMode.ASK},
        {"mode": ConsentMode.ALWAYS, "least_percent": 20},
        {"mode": ConsentMode.OFF, "decide_s": 60},
        {"mode": ConsentMode.ASK, "decide_s": 60, "hours": (0, 60)},
        {"mode": ConsentMode.ASK, "decide_s": 86_401},
        {"mode": ConsentMode.ASK, "decide_s": -1},
        {"mode": ConsentMode.WITHIN, "least_percent": 101},
        {"mode": ConsentMode.WITHIN, "most_supply_w": -1},
        {"mode": ConsentMode.WITHIN, "hours": (60, 60)},
        {"mode": ConsentMode.WITHIN, "hours": (0, 1440)},
        {"mode": ConsentMode.WITHIN, "hours": (1440, 60)},
        {"mode": ConsentMode.WITHIN, "hours": (0, 1441)},
    ],
)
def test_a_consent_that_contradicts_itself_is_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        Consent(**wrong)


@pytest.mark.row("X13")
def test_only_who_need_not_be_asked_is_controlled_directly() -> None:
    ask = Consent(mode=ConsentMode.ASK, decide_s=600)
    assert [one.direct for one in (ALWAYS, NIGHT, ask, OFF)] == [True, True, False, False]


def test_a_level_is_rounded_up() -> None:
    consent = Consent(mode=ConsentMode.WITHIN, least_percent=33)
    assert (consent.floor_wh(100), consent.floor_wh(101), ALWAYS.floor_wh(100)) == (33, 34, 0)


@pytest.mark.parametrize(
    ("when", "minutes", "is_open"),
    [
        ("2018-11-14T22:00", 15, True),
        ("2018-11-14T21:59", 15, False),
        ("2018-11-15T05:45", 15, True),
        ("2018-11-15T05:46", 15, False),
        ("2018-11-14T22:00", 480, True),
        ("2018-11-14T22:00", 481, False),
        ("2018-07-14T21:00", 15, True),  # summer time is an hour ahead
        ("2018-07-15T05:00", 15, False),
        ("2018-10-27T21:00", 540, True),  # the night in which clocks go back has an hour more
        ("2018-10-27T21:00", 541, False),
        ("2019-03-30T22:00", 420, True),  # and one in spring an hour less
        ("2019-03-30T22:00", 421, False),
    ],
)
def test_hours_run_through_midnight_by_the_clock_on_the_wall(when: str, minutes: int, is_open: bool) -> None:
    assert NIGHT.open_during(span(when, minutes), LONDON) is is_open


@given(st.integers(0, 1439), st.integers(0, 1440), st.integers(0, 10_000), st.integers(1, 1440))
def test_a_stretch_is_open_where_every_minute_of_it_is(first: int, last: int, start: int, minutes: int) -> None:
    lasts = last - first if last > first else last + 1440 - first
    if not 0 < lasts < 1440:
        return
    consent = Consent(mode=ConsentMode.WITHIN, hours=(first, last))
    begin = datetime(2026, 1, 5, tzinfo=UTC) + timedelta(minutes=start)

    def shown(minute: int) -> bool:
        return (start + minute - first) % 1440 < lasts

    expected = all(shown(minute) for minute in range(minutes))
    assert consent.open_during(Interval(begin, begin + timedelta(minutes=minutes)), zone_of("UTC")) is expected

"""Habits are what recurs lately, not what recurred once."""

from datetime import date, timedelta

import pytest

from commonwatt.apps.foresight import _habits
from commonwatt.apps.gathering import MOST_DAYS
from commonwatt.forecasting.habits import Departure

TODAY = date(2026, 11, 27)


def _left(days_ago: int, minute: int) -> Departure:
    day = TODAY - timedelta(days=days_ago)
    return Departure(day=day.toordinal(), off=day.weekday() > 4, minute=minute, energy_wh=8_000)


@pytest.mark.row("X9")
def test_a_driver_who_left_at_nine_for_two_years_and_leaves_at_six_now_has_the_habit_of_now() -> None:
    once = [_left(days, 9 * 60) for days in range(MOST_DAYS + 1, 700)]
    now = [_left(days, 6 * 60) for days in range(1, MOST_DAYS + 1)]
    assert [one.ready_minute for one in _habits(TODAY, [*once, *now])] == [6 * 60, 6 * 60]
    assert all(one.of_days <= MOST_DAYS for one in _habits(TODAY, [*once, *now]))
    assert _habits(TODAY, once) == [], "of a car that is gone nothing is proposed"

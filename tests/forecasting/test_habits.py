"""What recurs in how a car is used is told with how often it held; what does not recur is not told."""

import numpy as np
import pytest

from commonwatt.forecasting.habits import LEAST_DAYS, Departure, habits


def _days(minutes: list[int], energy_wh: int = 9_000, *, off: bool = False) -> list[Departure]:
    return [
        Departure(day=number, off=off, minute=minute, energy_wh=energy_wh + 10 * number)
        for number, minute in enumerate(minutes)
    ]


@pytest.mark.row("X9")
def test_a_car_that_leaves_around_half_past_seven_is_to_be_ready_for_nine_in_ten() -> None:
    draw = np.random.default_rng(1)
    minutes = [int(450 + one) for one in draw.normal(0, 20, 20)]
    (found,) = habits(_days(minutes), workdays=20, days_off=8)
    assert not found.off and abs(found.minute - 450) <= 10 and 5 <= found.spread_minutes <= 25
    assert found.ready_minute % 15 == 0 and sum(one >= found.ready_minute for one in minutes) >= 18
    assert found.needs_wh >= 9_000 and (found.days, found.of_days) == (20, 20)
    assert 700 <= found.kept_permille <= 1000, "told from days that were left out"


@pytest.mark.row("X9")
def test_now_and_then_is_no_habit_and_days_off_are_told_by_themselves() -> None:
    assert habits(_days([450] * (LEAST_DAYS - 1)), workdays=5, days_off=0) == []
    assert habits(_days([450] * 10), workdays=20, days_off=0) == [], "every other day"
    both = habits([*_days([450] * 10), *_days([600] * 6, off=True)], workdays=10, days_off=6)
    assert [(one.off, one.minute) for one in both] == [(False, 450), (True, 600)]

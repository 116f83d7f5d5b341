"""What nobody registered shows behind a connection; homes without it are left alone."""

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from test_health import _recorded

from commonwatt.forecasting import health
from commonwatt.forecasting.health import Ailment
from commonwatt.forecasting.newcomers import LEAST_DAYS, RECENT_DAYS, unregistered_car, unregistered_roof

pytestmark = pytest.mark.row("H8")
Floats = NDArray[np.float64]
SLOTS = 96


@cache
def _homes() -> Floats:
    """Recorded homes, their hours as quarter-hours that scatter as homes do."""
    load = _recorded()[0]
    random = np.random.default_rng(2)
    quarters = np.repeat(load / 4, 4, axis=2)
    return quarters * random.lognormal(0, 0.25, quarters.shape)


def _charged(home: Floats, since: int, watts: float, every: int = 2) -> Floats:
    found, random = home.copy(), np.random.default_rng(int(watts))
    for day in range(since, len(home), every):
        start = int(random.integers(70, 80))
        slots = int(random.integers(10, 16)) if watts > 5_000 else 24
        found[day].put(range(start, min(start + slots, SLOTS)), found[day][start : start + slots] + watts / 4)
    return found


def test_healthy_homes_are_told_of_more_seldom_than_is_said() -> None:
    looks = [(home, day) for home in range(10) for day in range(LEAST_DAYS, _homes().shape[1] + 1)]
    cars = sum(unregistered_car(_homes()[home, :day]) is not None for home, day in looks)
    roofs = sum(unregistered_roof(_homes()[home, :day]) is not None for home, day in looks)
    assert 1000 * cars <= health.FALSE_ALARMS_PERMILLE[Ailment.NEW_CAR] * len(looks)
    assert roofs == 0


@pytest.mark.parametrize("watts", [3_680, 7_360, 11_000])
def test_a_car_that_is_charged_every_other_night_is_noticed_within_a_fortnight(watts: float) -> None:
    for home in range(10):
        told = _charged(_homes()[home], 30, watts)
        days = [day for day in range(31, 30 + RECENT_DAYS) if unregistered_car(told[:day]) is not None]
        assert days, f"home {home}"
        found = unregistered_car(told[: days[0]])
        assert found is not None and found.ailment is Ailment.NEW_CAR and 30 <= found.since < days[0]
        assert 0 < found.off_permille < 1000 and found.lost_wh == 0


def test_what_was_charged_all_along_and_what_nobody_knows_about_is_no_news() -> None:
    always = _charged(_homes()[1], 0, 7_360)
    assert all(unregistered_car(always[:day]) is None for day in range(LEAST_DAYS, len(always) + 1))
    silent = _charged(_homes()[1], 30, 7_360)
    silent[: len(silent) - RECENT_DAYS] = np.nan
    assert unregistered_car(silent) is None
    assert unregistered_car(always[: LEAST_DAYS - 1]) is None


def test_a_roof_that_nobody_registered_is_noticed_by_what_it_gives() -> None:
    sun = np.repeat(_recorded()[1][0] / 4, 4, axis=1)
    own = _homes()[0] - np.where(np.arange(len(sun))[:, None] >= 30, sun, 0)
    assert unregistered_roof(own[:30]) is None
    days = [day for day in range(31, len(own) + 1) if unregistered_roof(own[:day]) is not None]
    found = unregistered_roof(own[: days[0]])
    assert days[0] <= 40 and found is not None and found.ailment is Ailment.NEW_ROOF and found.since >= 30
    holes = own.copy()
    holes[:, 40:60] = np.nan
    assert unregistered_roof(holes[:30]) is None, "a silent meter gives nothing"

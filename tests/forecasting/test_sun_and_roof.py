"""The sun stands where almanacs say, and a roof is found from its readings alone."""

from datetime import UTC, date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from commonwatt.forecasting.days import SATURDAY, SUNDAY, WORKDAY, kinds
from commonwatt.forecasting.roof import clear_sky, fit_roofs
from commonwatt.forecasting.sun import darkness, towards
from commonwatt.model import InvalidValue

JUNE = [date(2026, 6, 1) + timedelta(day) for day in range(20)]


def height(day: date, latitude: float, slot: int) -> float:
    return float(np.degrees(np.arcsin(towards([day], 24, latitude, 0.0, UTC)[0, slot, 2])))


def test_the_sun_stands_as_high_as_latitude_and_season_say() -> None:
    assert max(height(date(2026, 6, 21), 50, slot) for slot in range(24)) == pytest.approx(90 - 50 + 23.44, abs=0.8)
    assert max(height(date(2026, 12, 21), 50, slot) for slot in range(24)) == pytest.approx(90 - 50 - 23.44, abs=0.8)
    assert height(date(2026, 3, 20), 0, 5) == pytest.approx(-10, abs=2.5), "half an hour before sunrise"


def test_the_sun_goes_from_east_to_west_through_the_south() -> None:
    way = towards(JUNE[:1], 24, 50.0, 0.0, UTC)[0]
    assert way[7, 0] > 0.8 and way[17, 0] < -0.8 and way[12, 1] < -0.4
    np.testing.assert_allclose(np.linalg.norm(way, axis=1), 1, rtol=1e-6)


def test_lamps_go_on_an_hour_later_by_the_clock_once_it_is_summer_time() -> None:
    before, after = darkness([date(2026, 3, 28), date(2026, 3, 30)], 24, 55.9, -3.8, ZoneInfo("Europe/London"))
    assert before[18] > 0.4 and after[18] < 0.2 and after[19] > 0.3


def test_holidays_are_lived_like_sundays() -> None:
    days = [date(2026, 5, day) for day in range(1, 5)]
    assert kinds(days, {days[0]}).tolist() == [SUNDAY, SATURDAY, SUNDAY, WORKDAY]


@pytest.mark.parametrize(("slope", "direction"), [(30, 180), (40, 100), (20, 260)])
def test_a_roof_is_found_again_under_clouds_and_with_holes(slope: int, direction: int) -> None:
    sun = towards(JUNE, 48, 48.0, 11.0, ZoneInfo("Europe/Berlin"))
    random = np.random.default_rng(slope)
    clouds = np.minimum(1, random.uniform(0.2, 1.3, (1, 20, 48)))
    wh = 2000 * clear_sky(sun, slope, direction)[None] * clouds
    wh[0, 3, 20:30] = np.nan
    (roof,), curve = fit_roofs(wh, sun)
    assert abs(roof.slope_degrees - slope) <= 10 and abs(roof.direction_degrees - direction) <= 20
    assert roof.size_wh == pytest.approx(2000, rel=0.1) and roof.fit > 0.99
    assert curve.shape == (1, 20, 48)


def test_a_roof_that_is_dead_has_no_size_and_a_wrong_sky_is_refused() -> None:
    sun = towards(JUNE, 24, 48.0, 11.0, UTC)
    (roof,), _ = fit_roofs(np.zeros((1, 20, 24)), sun)
    assert roof.size_wh == 0 and roof.fit == 0
    with pytest.raises(InvalidValue, match="under"):
        fit_roofs(np.zeros((1, 20, 48)), sun)

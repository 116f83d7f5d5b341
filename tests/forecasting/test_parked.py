"""A car's next departure, need and return are told from what had ended by then, and scored beside its own median."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from commonwatt.forecasting.parked import LEAST_OWN, Fleet, Parked, card, what_next
from commonwatt.model import LEVELS_PERMILLE, AssetId, InvalidValue, epoch

pytestmark = pytest.mark.row("X9")
BERLIN, CAR, OTHER = ZoneInfo("Europe/Berlin"), AssetId("car-01"), AssetId("car-02")
MONDAY = datetime(2026, 3, 2, tzinfo=BERLIN)
MIDDLE, HOUR_S = LEVELS_PERMILLE.index(500), 3_600


def nights(days: int, leaves: float = 7.5, spread_minutes: float = 15, seed: int = 1) -> tuple[Parked, ...]:
    """Return nights from six in the evening to about half past seven, and to nine on days off."""
    random = np.random.default_rng(seed)
    found = []
    for day in range(days):
        evening = MONDAY + timedelta(days=day, hours=18)
        morning = evening + timedelta(hours=6)
        hour = leaves + (1.5 if morning.weekday() > 4 else 0)
        end_s = epoch(morning) + round(hour * HOUR_S + 60 * random.normal(0, spread_minutes))
        found.append(Parked(start_s=epoch(evening), end_s=end_s, energy_wh=round(random.normal(9_000, 800))))
    return tuple(found)


def fleet(days: int = 40, **stays: tuple[Parked, ...]) -> Fleet:
    others = {AssetId(name): own for name, own in stays.items()}
    return Fleet(clock=BERLIN, region="", stays={CAR: nights(days), **others})


def test_a_car_that_stands_there_leaves_as_it_usually_does_on_such_a_day_and_needs_what_it_usually_needs() -> None:
    for day, hour in ((40, 7.5), (46, 7.5), (45, 9.0)):
        evening = MONDAY + timedelta(days=day - 1, hours=18)
        told = what_next(fleet(day - 1), CAR, here=True, since_s=epoch(evening), now_s=epoch(evening) + 60)
        assert told is not None and told.here and told.used and told.stays == day - 1
        midnight_s = epoch(MONDAY + timedelta(days=day))
        if hour == 7.5:
            assert abs(told.until_s[MIDDLE] - midnight_s - hour * HOUR_S) < 1_800
        assert list(told.until_s) == sorted(told.until_s) and abs(told.needs_wh[MIDDLE] - 9_000) < 800


def test_a_car_that_is_away_is_back_when_it_usually_is() -> None:
    lived = fleet(40)
    left_s = lived.stays[CAR][-1].end_s
    told = what_next(lived, CAR, here=False, since_s=left_s, now_s=left_s + HOUR_S)
    assert told is not None and not told.here and told.needs_wh == ()
    evening_s = epoch(MONDAY + timedelta(days=40, hours=18))
    assert abs(told.until_s[MIDDLE] - evening_s) < HOUR_S


def test_what_is_over_is_not_expected_any_more() -> None:
    evening = epoch(MONDAY + timedelta(days=39, hours=18))
    late_s = evening + 13 * HOUR_S  # at seven in the morning
    told = what_next(fleet(39), CAR, here=True, since_s=evening, now_s=late_s)
    assert told is not None and min(told.until_s) >= late_s
    for_ever = what_next(fleet(39), CAR, here=True, since_s=evening, now_s=evening + 80 * HOUR_S)
    assert for_ever is not None and min(for_ever.until_s) >= evening + 80 * HOUR_S


def test_no_stay_is_told_by_one_that_ends_later() -> None:
    now = MONDAY + timedelta(days=30, hours=17)
    lived = fleet(60)
    shuffled = [
        one if one.end_s <= epoch(now) else Parked(start_s=one.start_s, end_s=one.end_s + 9_999, energy_wh=1)
        for one in lived.stays[CAR]
    ]
    for here in (True, False):
        told = [
            what_next(replace(lived, stays={CAR: own}), CAR, here=here, since_s=epoch(now), now_s=epoch(now))
            for own in (lived.stays[CAR], tuple(shuffled), lived.stays[CAR][:30])
        ]
        assert told[0] is not None and told[0] == told[1] == told[2]


def test_a_car_with_few_stays_is_told_nothing_of_and_one_beside_it_changes_little() -> None:
    young = fleet(LEAST_OWN - 1, **{"car-02": nights(40, 12.0)})
    evening_s = epoch(MONDAY + timedelta(days=40, hours=18))
    assert what_next(young, CAR, here=True, since_s=evening_s, now_s=evening_s) is None
    assert what_next(young, AssetId("nobody's"), here=True, since_s=evening_s, now_s=evening_s) is None
    both = fleet(40, **{"car-02": nights(40, 12.0)})
    told = what_next(both, CAR, here=True, since_s=evening_s, now_s=evening_s)
    assert told is not None and abs((told.until_s[MIDDLE] - evening_s) / HOUR_S - 13.5) < 0.75


def test_a_card_compares_with_the_car_s_own_median_and_a_forecast_that_loses_is_not_used() -> None:
    good = card(fleet(50, **{"car-02": nights(50, 9.0, seed=2)}), CAR)
    assert good is not None and good.used and good.departure_skill > 0.15 and 800 <= good.coverage_permille <= 1000
    assert card(fleet(LEAST_OWN), CAR) is None
    evening_s = epoch(MONDAY + timedelta(days=40, hours=18))
    plain = what_next(fleet(40), CAR, here=True, since_s=evening_s, now_s=evening_s, used=False)
    assert plain is not None and not plain.used and len(set(plain.until_s)) == 1 == len(set(plain.needs_wh))


def test_a_stay_that_ends_before_it_begins_is_none() -> None:
    with pytest.raises(InvalidValue, match="ends after it begins"):
        Parked(start_s=10, end_s=10, energy_wh=0)

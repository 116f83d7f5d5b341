"""When a car leaves and what it takes: from its own stays, from all others', and from what the driver says."""

import numpy as np
import pytest

from commonwatt.forecasting.cars import Stays, stay
from commonwatt.model import LEVELS_PERMILLE, InvalidValue

RANDOM = np.random.default_rng(3)
COUNT = 300
DRIVER = np.arange(COUNT) % 3
HOURS = np.array([4.0, 10.0, 13.0])[DRIVER] + RANDOM.normal(0, 0.5, COUNT)
PAST = Stays(
    DRIVER,
    np.full(COUNT, 18.0),
    np.zeros(COUNT, np.bool_),
    HOURS,
    1000 * HOURS,
    np.round(HOURS + RANDOM.normal(0, 0.2, COUNT)),
)
MIDDLE = LEVELS_PERMILLE.index(500)


@pytest.mark.row("X9")
def test_each_driver_is_known_by_their_own_stays() -> None:
    for driver, usual in enumerate((4.0, 10.0, 13.0)):
        hours, energy_wh = stay(PAST, driver, 18.0, off=False)
        assert hours[MIDDLE] == pytest.approx(usual, abs=0.5)
        assert energy_wh[MIDDLE] == pytest.approx(1000 * usual, abs=500)
        assert (np.diff(hours) >= 0).all() and (np.diff(energy_wh) >= 0).all()


def test_somebody_new_is_as_uncertain_as_all_are_until_they_say_something() -> None:
    hours, _ = stay(PAST, 99, 18.0, off=False)
    assert hours[0] < 5 and hours[-1] > 12
    said, _ = stay(PAST, 99, 18.0, off=False, stated_hours=4.0)
    assert said[-1] < 6


def test_a_stay_needs_a_past_and_whole_columns() -> None:
    none = np.zeros(0)
    with pytest.raises(InvalidValue, match="there are none"):
        stay(Stays(none.astype(np.int64), none, none.astype(np.bool_), none, none, none), 1, 8.0, off=False)
    with pytest.raises(InvalidValue, match="equal columns"):
        Stays(DRIVER, PAST.hour[:5], PAST.off, PAST.hours, PAST.energy_wh, PAST.stated_hours)


def test_a_band_holds_what_came_nearly_as_often_as_it_says_though_few_stays_are_alike() -> None:
    random, inside = np.random.default_rng(8), []
    for _ in range(1500):
        count = 200
        hours = random.gamma(4.0, 2.0, count + 1)
        hour = random.uniform(0, 24, count + 1)
        past = Stays(
            random.integers(0, 8, count),
            hour[:-1],
            random.random(count) < 0.3,
            hours[:-1],
            1000 * hours[:-1],
            np.full(count, np.nan),
        )
        told, _ = stay(past, 1, hour[-1], off=False)
        assert (np.diff(told) >= 0).all() and told[0] >= hours[:-1].min() and told[-1] <= hours[:-1].max()
        inside.append(told[0] <= hours[-1] <= told[-1])
    assert 0.86 < np.mean(inside) < 0.92, "0.847 were nothing reserved for what never came"

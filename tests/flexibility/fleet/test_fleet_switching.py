"""An on/off store that loses some of what it holds is switched in a way that it can do, and nearly always the best."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.flexibility.fleet.stores import look_back, value
from commonwatt.flexibility.fleet.switching import CELLS, STATES, switch
from flexibility.fleet.fleet_oracles import H, keeps_times, room
from flexibility.fleet.test_fleet_counting import Tank, tank


def switch_it(asked: Tank) -> tuple[float, tuple[int, ...]]:
    slots = len(asked.price)
    power = np.zeros(slots, np.int32)
    cost = switch(
        np.array(asked.price), np.array(asked.into), asked.keep, np.array(asked.drift),
        np.array(asked.allowed, np.int8), asked.watts, np.array(asked.low), np.array(asked.high), asked.level,
        asked.final, asked.run, asked.rest, asked.running, np.array(asked.soft_low), np.array(asked.soft_high),
        np.array(asked.low_cost), np.array(asked.high_cost), np.zeros((2, STATES, CELLS)),
        np.zeros((2, STATES, CELLS)), np.zeros((slots, STATES, CELLS), np.int16), power,
    )  # fmt: skip
    return cost, tuple(int(watts) for watts in power)


def relaxed(asked: Tank) -> float | None:
    """Return what it would cost with any power between off and on; None where even so no level can be kept."""
    slots = len(asked.price)
    wishes = [(t, asked.soft_low[t], asked.low_cost[t]) for t in range(slots)]
    wishes += [(t, asked.soft_high[t], -asked.high_cost[t]) for t in range(slots)]
    wishes = [wish for wish in wishes if wish[2]]
    at = np.array([wish[0] for wish in wishes], np.int64)
    wanted, slope = (np.array([wish[n] for wish in wishes], np.float64) for n in (1, 2))
    slopes, widths, up_to, down_to, floor = room(slots, len(wishes))
    price, into, drift = np.array(asked.price), np.array(asked.into), np.array(asked.drift)
    draw, give = np.array([float(a * asked.watts) for a in asked.allowed]), np.zeros(slots)
    sound = look_back(
        price, into, 1.0, asked.keep, drift, draw, give, np.array(asked.low), np.array(asked.high), 0.0, asked.final,
        at, wanted, slope, slopes, widths, up_to, down_to, floor,
    )  # fmt: skip
    bound = value(
        price, into, 1.0, asked.keep, drift, draw, give, asked.level, 0.0, asked.final, at, wanted, slope, up_to,
        down_to,
    )  # fmt: skip
    return bound if sound else None


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 9), st.booleans())
def test_what_it_is_told_it_can_do_and_it_costs_no_less_than_the_best(seed: int, slots: int, loses: bool) -> None:
    asked = tank(seed, slots, loses=loses)
    best = asked.best()
    if best is None:
        return
    cost, power = switch_it(asked)
    on = tuple(watts > 0 for watts in power)
    assert set(power) <= {0, asked.watts}
    assert keeps_times(on, asked.run, asked.rest, asked.running)
    assert all(a or not o for a, o in zip(asked.allowed, on, strict=True))
    assert cost == pytest.approx(asked.cost(on), rel=1e-9, abs=1e-3)
    assert cost >= best[0] - 1e-6 * abs(best[0]) - 1e-3


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 9))
def test_it_never_costs_less_than_with_any_power_between_off_and_on(seed: int, slots: int) -> None:
    asked = tank(seed, slots, loses=True)
    best, bound = asked.best(), relaxed(asked)
    if best is None or bound is None:
        return
    cost, power = switch_it(asked)
    if asked.outside(tuple(watts > 0 for watts in power)) <= 1e-6:
        assert cost >= bound - 1e-6 * abs(bound) - 1e-2


def test_of_hundreds_of_tanks_nearly_all_are_switched_as_well_as_can_be() -> None:
    right, all_of_them = 0, 0
    for seed in range(300):
        asked = tank(seed, 9, loses=True)
        best = asked.best()
        if best is not None:
            all_of_them += 1
            right += switch_it(asked)[0] <= best[0] + 1e-6 * abs(best[0]) + 1e-3
    assert right >= 0.95 * all_of_them


def test_a_band_that_cannot_be_held_is_missed_by_no_more_than_it_must() -> None:
    slots = 8
    cold = Tank(
        (100.0,) * slots, (3.0,) * slots, 0.99, (-2_000.0,) * slots, (1,) * slots, 1_500, (1_000.0,) * slots,
        (5_000.0,) * slots, 1_000.0, 0.0, 1, 1, 0, *((0.0,) * slots,) * 4,
    )  # fmt: skip
    cost, power = switch_it(cold)
    assert power == (1_500,) * slots
    assert cost == pytest.approx(cold.cost((True,) * slots))
    assert H * 1_500 * 3.0 < 2_000


def test_a_band_is_held_where_energy_costs_nothing() -> None:
    slots = 5
    house = Tank(
        (0.0,) * slots, (3.0,) * slots, 0.995, (197.0, -549.0, -866.0, 99.0, -838.0), (1,) * slots, 1_500,
        (-701.0, -369.0, 912.0, -2_765.0, 2_925.0), (4_305.0, 137.0, 5_918.0, 7_236.0, 3_431.0), -897.0, 0.0, 3, 2,
        -3, *((0.0,) * slots,) * 4,
    )  # fmt: skip
    free = switch_it(house)[1]
    dear = switch_it(replace(house, price=(1.0,) * slots))[1]
    least = min(house.outside(on) for on in product((False, True), repeat=slots))
    assert house.outside(tuple(watts > 0 for watts in dear)) == least
    assert house.outside(tuple(watts > 0 for watts in free)) == least

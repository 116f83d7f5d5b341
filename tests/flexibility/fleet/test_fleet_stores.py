"""A store's answer to prices is the best there is: the same cost as a linear program, in whole watts that it can do."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexibility.fleet.fleet_oracles import Stored, answered, least_cost, random_store

SEEDS = st.integers(0, 2**32)


@pytest.mark.row("W2")
@settings(max_examples=150, deadline=None)
@given(SEEDS, st.integers(2, 24))
def test_its_value_is_the_optimum_of_the_linear_program(seed: int, slots: int) -> None:
    store = random_store(seed, slots, dear_only=True)
    best = least_cost(store)
    assert best is not None
    found = answered(store)
    assert found.sound
    assert found.bound == pytest.approx(best, rel=1e-7, abs=1e-2)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(2, 10))
def test_its_value_is_no_more_than_any_schedule_costs_where_prices_fall_below_zero(seed: int, slots: int) -> None:
    store = random_store(seed, slots)
    best = least_cost(store, one_way=True)
    assert best is not None
    assert answered(store).bound <= best + 1e-7 * abs(best) + 1.0  # a wish may weigh what the solver tolerates


@settings(max_examples=100, deadline=None)
@given(SEEDS, st.integers(2, 16))
def test_its_value_below_zero_is_that_of_the_hull_of_what_a_slot_can_do(seed: int, slots: int) -> None:
    store = random_store(seed, slots)
    best = least_cost(store)
    assert best is not None
    assert answered(store).bound == pytest.approx(best, rel=1e-7, abs=1e-2)


@settings(max_examples=150, deadline=None)
@given(SEEDS, st.integers(2, 24), st.booleans())
def test_what_it_is_told_is_within_all_bounds_and_costs_what_is_said(seed: int, slots: int, least: bool) -> None:
    store = random_store(seed, slots, least=least)
    found = answered(store)
    assert (found.cost, found.own) == pytest.approx(store.cost(found.power), rel=1e-9, abs=1e-3)
    for watts, draw, give in zip(found.power, store.draw, store.give, strict=True):
        assert -give <= watts <= draw
        assert not 0 < watts < store.least_in
        assert not 0 < -watts < store.least_out
    if not least:
        assert store.outside(found.power) <= store.rounding_wh


@settings(max_examples=150, deadline=None)
@given(SEEDS, st.integers(2, 24), st.booleans())
def test_what_it_is_told_never_costs_less_than_its_value(seed: int, slots: int, least: bool) -> None:
    store = random_store(seed, slots, dear_only=True, least=least)
    found = answered(store)
    if store.outside(found.power) <= store.rounding_wh:
        assert found.cost >= found.bound - store.rounding_micro


@settings(max_examples=150, deadline=None)
@given(SEEDS, st.integers(2, 24))
def test_without_least_powers_whole_watts_cost_next_to_nothing(seed: int, slots: int) -> None:
    store = random_store(seed, slots, dear_only=True)
    found = answered(store)
    assert found.cost <= found.bound + store.rounding_micro


BATTERY = Stored(
    price=(100.0, 100.0, 300.0, 300.0), into=(1.0,) * 4, out=1.0, keep=1.0, drift=(0.0,) * 4, draw=(4_000,) * 4,
    give=(4_000,) * 4, low=(0.0,) * 4, high=(1_500.0,) * 4, level=0.0, wear=0.0, final=0.0,
)  # fmt: skip


@pytest.mark.row("W2")
def test_a_battery_fills_while_it_is_cheap_and_empties_at_the_peak() -> None:
    found = answered(BATTERY)
    assert sum(found.power[:2]) == 6_000
    assert sum(found.power[2:]) == -6_000
    assert found.cost == pytest.approx(-1_500 * 200)


def test_wear_above_the_spread_leaves_it_at_rest() -> None:
    assert answered(replace(BATTERY, wear=201.0)).power == (0, 0, 0, 0)


def test_a_wish_is_met_where_it_is_dearer_than_energy_and_left_where_it_is_not() -> None:
    wish = (3, 1_000.0, 500.0)
    assert sum(answered(replace(BATTERY, wishes=(wish,))).power) == 4_000
    assert sum(answered(replace(BATTERY, wishes=((3, 1_000.0, 50.0),))).power) == 0


def test_a_wish_for_less_holds_a_level_down() -> None:
    wanted_below = (2, 400.0, -1_000.0)
    found = answered(replace(BATTERY, final=500.0, wishes=(wanted_below,)))
    assert replace(BATTERY, final=500.0).levels(found.power)[2] == pytest.approx(400.0, abs=0.2)


def test_who_cannot_keep_its_bounds_is_told_so() -> None:
    late = replace(BATTERY, draw=(1_000,) * 4, low=(0.0, 0.0, 0.0, 1_400.0))
    assert answered(late).sound  # not from here, but from a fuller start
    assert not answered(replace(late, high=(300.0, 300.0, 300.0, 1_500.0))).sound

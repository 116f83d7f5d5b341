"""What places cost, what they ask for it, and what no loads can cost less than."""

from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.flexibility.fleet.nodes import Nodes, asked, asked_so_far, fixed_above, owed, spent, spent_in_all
from flexibility.fleet.fleet_oracles import H

SEEDS = st.integers(0, 2**32)


def bends(seed: int, most: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Return ascending kinks, infinite ones last, and ascending slopes that do not change at infinite kinks."""
    random = Random(seed)
    count = random.randint(0, most)
    values = [random.choice([0.0, random.uniform(-5_000, 5_000)]) for _ in range(count)]
    kink = np.array(sorted(values) + [np.inf] * (most - count))
    slope = np.sort([random.uniform(-300, 300) for _ in range(most + 1)])
    slope[count:] = slope[count]
    return kink, slope


def slope_at(kink: np.ndarray, slope: np.ndarray, load: float) -> float:
    return float(slope[np.searchsorted(kink, load)])


@given(SEEDS, st.floats(-9_000, 9_000))
def test_what_a_load_costs_is_its_slopes_summed_up_from_zero(seed: int, load: float) -> None:
    kink, slope = bends(seed)
    ends = sorted([0.0, load, *(k for k in kink if min(0.0, load) < k < max(0.0, load))])
    total = sum((b - a) * slope_at(kink, slope, (a + b) / 2) for a, b in pairwise(ends))
    assert spent(kink, slope, load) == pytest.approx(H * total * (1 if load >= 0 else -1), abs=1e-6)


@given(SEEDS, st.floats(-9_000, 9_000), st.floats(0.0, 500.0), st.floats(-400, 400))
def test_a_price_lies_between_the_slopes_and_rises_with_the_load(
    seed: int, load: float, more: float, multiplier: float
) -> None:
    kink, slope = bends(seed)
    first, then = (asked(kink, slope, multiplier, 0.05, load + step) for step in (0.0, more))
    assert slope[0] <= first <= then <= slope[-1]


@given(SEEDS, st.floats(-9_000, 9_000), st.floats(-400, 400))
def test_a_price_is_the_slope_itself_where_that_is_what_its_multiplier_says(seed: int, load: float, off: float) -> None:
    """The condition of the method of multipliers: what is asked at a load that minimises is a slope at that load."""
    kink, slope = bends(seed)
    here = slope_at(kink, slope, load)
    assert asked(kink, slope, here, 0.05, load) == pytest.approx(here)
    assert min(here, here + off) - 1e-9 <= asked(kink, slope, here + off, 0.05, load) <= max(here, here + off) + 1e-9


@given(SEEDS, st.floats(-9_000, 9_000), st.floats(-2_000, 2_000), st.floats(-400, 400))
def test_what_is_asked_of_a_part_comes_to_what_is_asked_of_all(
    seed: int, load: float, base: float, multiplier: float
) -> None:
    kink, slope = bends(seed)
    whole = asked(kink, slope, multiplier, 0.05, load)
    assert asked_so_far(kink, slope, multiplier, 0.05, load, base, 1.0) == pytest.approx(whole)


def web(seed: int, places: int = 3, slots: int = 2) -> Nodes:
    kinks, slopes = zip(*(bends(seed * 31 + n) for n in range(places * slots)), strict=True)
    random = np.random.default_rng(seed)
    shape = places, slots
    return Nodes(
        parent=np.arange(-1, places - 1, dtype=np.int32),
        kink=np.array(kinks).reshape(*shape, -1), slope=np.array(slopes).reshape(*shape, -1), base=np.zeros(shape),
        load=np.zeros(shape), price=random.uniform(-400, 400, shape), limited=np.ones(places, np.int8),
        stiff=np.ones(places),
    )  # fmt: skip


@settings(max_examples=60)
@given(st.integers(0, 2**20))
def test_what_places_owe_is_the_least_of_cost_less_multiplier_times_load(seed: int) -> None:
    nodes = web(seed)
    told = owed(nodes)
    assert (nodes.slope[:, :, 0] <= nodes.price).all()
    assert (nodes.price <= nodes.slope[:, :, -1]).all()
    total = 0.0
    for m, t in np.ndindex(*nodes.price.shape):
        kink, slope, price = nodes.kink[m, t], nodes.slope[m, t], nodes.price[m, t]
        loads = [*np.linspace(-9_000, 9_000, 201), *kink[np.isfinite(kink)]]
        total += min(spent(kink, slope, load) - price * load * H for load in loads)
    assert told == pytest.approx(total, abs=1e-6)


@settings(max_examples=60)
@given(st.integers(0, 2**20))
def test_no_loads_cost_less_than_what_is_owed_and_paid_at_the_multipliers(seed: int) -> None:
    nodes = web(seed)
    floor = owed(nodes)
    for loads in np.random.default_rng(seed).uniform(-9_000, 9_000, (20, *nodes.price.shape)):
        assert spent_in_all(nodes, loads) - H * (nodes.price * loads).sum() >= floor - 1e-6


def test_a_place_pays_its_own_multiplier_and_those_of_all_above_it() -> None:
    nodes, prices = web(1), np.zeros(2)
    fixed_above(nodes, 2, prices)
    assert prices == pytest.approx(nodes.price.sum(axis=0))
    fixed_above(nodes, 0, prices)
    assert prices == pytest.approx(nodes.price[0])

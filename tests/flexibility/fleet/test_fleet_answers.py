"""Whatever kind an asset is, its answer to prices is one that it can live by, and no schedule undercuts its bound."""

import numpy as np
import pytest
from benchmarks.fleets import SLOTS
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.flexibility.fleet.answers import answer, rank
from commonwatt.flexibility.fleet.columns import Columns, Kind, rooms
from flexibility.fleet.fleet_oracles import H, broken_rules
from flexibility.fleet.made_up import mixed

FLEET = mixed(240, seed=3)


def vector(seed: int, *, least: float = 20.0) -> np.ndarray:
    """Return prices that wander, with ties."""
    rng = np.random.default_rng(seed)
    prices = np.abs(150 + np.cumsum(rng.normal(0, 25, SLOTS)))
    return np.maximum(least, np.where(rng.random(SLOTS) < 0.3, 150.0, prices))


def asked(columns: Columns, i: int, price: np.ndarray) -> tuple[tuple[float, float, float], np.ndarray]:
    order, power = np.arange(SLOTS), np.zeros(SLOTS, np.int32)
    rank(price, order)
    return answer(columns, i, price, order, rooms(SLOTS), power), power


def hair(columns: Columns, i: int) -> float:
    """Return what whole watts may move, micro."""
    wishes = columns.wish_slope[columns.wish[i] : columns.wish[i + 1]].sum()
    return float(SLOTS * 300.0 * H + wishes)


def test_the_fleet_holds_every_kind() -> None:
    assert set(FLEET.kind.tolist()) == {int(kind) for kind in Kind}


@pytest.mark.row("X11")
@pytest.mark.parametrize("seed", [1, 2])
def test_every_answer_keeps_the_limits_of_its_asset(seed: int) -> None:
    price = vector(seed)
    for i in range(len(FLEET.kind)):
        (cost, own, bound), power = asked(FLEET, i, price)
        assert broken_rules(FLEET, i, power) == []
        assert cost == pytest.approx(own + H * price @ power, abs=1e-3)
        assert bound <= cost + hair(FLEET, i)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(FLEET.kind) - 1), st.integers(0, 2**20), st.integers(0, 2**20))
def test_what_is_best_at_other_prices_is_no_better_than_the_bound_at_these(i: int, seed: int, other: int) -> None:
    price = vector(seed)
    (cost, _, bound), _ = asked(FLEET, i, price)
    (_, own, _), power = asked(FLEET, i, vector(other))
    assert own + H * price @ power >= bound - hair(FLEET, i)
    if FLEET.kind[i] not in (Kind.SWITCH, Kind.CHARGE):  # a cell may hide the best; a least power may be a step away
        assert own + H * price @ power >= cost - hair(FLEET, i)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-500, 500), min_size=SLOTS, max_size=SLOTS), st.integers(0, 2**20))
def test_slots_are_ranked_by_price_from_any_order(prices: list[float], seed: int) -> None:
    order = np.random.default_rng(seed).permutation(SLOTS)
    rank(np.array(prices), order)
    assert sorted(order) == list(range(SLOTS))
    assert [prices[t] for t in order] == sorted(prices)

"""Passes over a fleet keep loads true, give the same for the same seed, and their bound is one."""

import numpy as np
import pytest
from benchmarks.fleets import SLOTS, assets, prices
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.flexibility.fleet.nodes import spent_in_all
from commonwatt.flexibility.fleet.solve import STIFFNESS, dual, stiffen
from commonwatt.flexibility.fleet.sweep import Fleet, sweep, threads
from flexibility.fleet.fleet_oracles import broken_rules
from flexibility.fleet.made_up import TREES, mixed, stand, summed, tell

COLUMNS = mixed(140, seed=5)
MEMORY = threads(SLOTS)


def standing(tree: str, import_w: float = 900.0, export_w: float = 900.0) -> Fleet:
    fleet, _, _ = stand(COLUMNS, tree, import_w, export_w)
    stiffen(fleet, STIFFNESS)
    return fleet


@pytest.mark.row("X11")
@pytest.mark.parametrize("tree", TREES)
def test_every_load_is_its_base_and_its_powers_after_any_pass(tree: str) -> None:
    fleet = standing(tree)
    known = np.ones(len(fleet.total), np.int8)
    few = (np.arange(len(fleet.own)) % 3 == 0).astype(np.int8)
    sweep(fleet, MEMORY, 1, first=True)
    assert (fleet.nodes.load == summed(fleet)).all()
    sweep(fleet, MEMORY, 2)
    assert (fleet.nodes.load == summed(fleet)).all()
    sweep(fleet, MEMORY, 3, only=few)
    assert (fleet.nodes.load == summed(fleet)).all()
    again = standing(tree)
    sweep(again, MEMORY, 1, first=True, known=known)
    assert (again.nodes.load == summed(again)).all()


@pytest.mark.parametrize("tree", TREES)
def test_every_asset_is_told_what_it_can_do(tree: str) -> None:
    fleet = standing(tree)
    sweep(fleet, MEMORY, 1, first=True)
    sweep(fleet, MEMORY, 2)
    for i in range(len(fleet.own)):
        assert broken_rules(fleet.assets, i, fleet.power[i]) == []


@pytest.mark.parametrize("tree", ["zones", "three groups in one place", "groups at every height"])
def test_the_same_seed_gives_the_same_whatever_threads_do(tree: str) -> None:
    told = []
    for _ in range(3):
        fleet = standing(tree)
        sweep(fleet, MEMORY, 7, first=True)
        sweep(fleet, MEMORY, 8)
        told.append((fleet.power.copy(), fleet.own.copy(), fleet.nodes.price.copy()))
    for power, own, price in told[1:]:
        assert (power == told[0][0]).all()
        assert (own == told[0][1]).all()
        assert (price == told[0][2]).all()


def test_who_is_not_asked_keeps_what_it_is_told() -> None:
    fleet = standing("zones")
    sweep(fleet, MEMORY, 1, first=True)
    few = np.zeros(len(fleet.own), np.int8)
    few[[20, 70, 110]] = 1
    before = fleet.power.copy()
    fleet.nodes.price[0] += 100 * np.sin(np.arange(SLOTS))
    sweep(fleet, MEMORY, 2, only=few)
    changed = (before != fleet.power).any(axis=1)
    assert not changed[few == 0].any()


def test_a_fleet_under_a_limit_is_brought_near_it_by_passes() -> None:
    fleet, high, _ = stand(COLUMNS, "zones", 1_200.0)
    alone, _, _ = stand(COLUMNS, "zones")
    tell(alone, prices())
    unlimited = np.maximum(0.0, alone.nodes.load[0] - high[0]).sum()
    for turn in range(6):
        stiffen(fleet, STIFFNESS * 0.7**turn)
        sweep(fleet, MEMORY, turn, first=turn == 0)
    assert np.maximum(0.0, fleet.nodes.load[0] - high[0]).sum() < 0.05 * unlimited


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**20), st.sampled_from(sorted(TREES)))
def test_no_feasible_schedules_cost_less_than_the_bound_at_any_multipliers(seed: int, tree: str) -> None:
    rng = np.random.default_rng(seed)
    fleet = standing(tree)
    wander = np.maximum(20.0, 150 + np.cumsum(rng.normal(0, 25, SLOTS)))
    tell(fleet, wander)
    cost = fleet.own.sum() + spent_in_all(fleet.nodes, fleet.nodes.load)
    places = fleet.nodes.limited.astype(bool)
    fleet.nodes.price[places] += rng.normal(0, 60, (int(places.sum()), SLOTS)) * (rng.random() < 0.7)
    assert dual(fleet, MEMORY) <= cost + 1e-6 * abs(cost)


def test_the_bound_is_reached_where_nothing_is_limited() -> None:
    fleet, _, _ = stand(assets(140, "city"), "zones")
    fleet.nodes.slope[0, :, 1] = fleet.nodes.slope[0, :, 2]  # one price for import and export
    fleet.nodes.slope[0, :, 0] = fleet.nodes.slope[0, :, 1]
    tell(fleet, prices())
    cost = fleet.own.sum() + spent_in_all(fleet.nodes, fleet.nodes.load)
    assert dual(fleet, MEMORY) == pytest.approx(cost, rel=1e-4)

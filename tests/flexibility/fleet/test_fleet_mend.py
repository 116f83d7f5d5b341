"""What a fleet is told is brought inside every limit wherever it can be, and left alone where nothing is wrong."""

import numpy as np
import pytest
from benchmarks.fleets import SLOTS, assets, prices
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.flexibility.fleet.columns import Kind
from commonwatt.flexibility.fleet.mend import mend
from commonwatt.flexibility.fleet.solve import STIFFNESS, stiffen
from commonwatt.flexibility.fleet.sweep import Fleet, sweep, threads
from flexibility.fleet.fleet_oracles import broken_rules
from flexibility.fleet.made_up import TREES, Floats, mixed, stand, summed, tell

MEMORY = threads(SLOTS)
CARS = assets(160, "fleet", 4)
"""Cars, some of them two-way, and batteries: all can rest, so any limit above what homes draw can be kept."""


def over(fleet: Fleet, high: Floats, low: Floats) -> float:
    """Return by how many W limits are broken at most."""
    return float(np.maximum(fleet.nodes.load - high, low - fleet.nodes.load).max(initial=0.0))


def keeps_its_word(fleet: Fleet) -> None:
    assert (fleet.nodes.load == summed(fleet)).all()
    for i in range(len(fleet.own)):
        assert broken_rules(fleet.assets, i, fleet.power[i]) == []


@pytest.mark.row("X1")
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**20), st.sampled_from(sorted(TREES)), st.integers(1_300, 2_500), st.integers(0, 1_500))
def test_limits_that_all_can_keep_by_resting_are_kept(seed: int, tree: str, import_w: int, export_w: int) -> None:
    fleet, high, low = stand(CARS, tree, import_w, export_w)
    tell(fleet, wandering(seed))
    for _ in range(4):  # a call has so many rounds and no more
        mend(fleet, high, low, MEMORY)
    assert over(fleet, high, low) <= 0.0
    keeps_its_word(fleet)


def wandering(seed: int) -> Floats:
    return np.maximum(10.0, 150 + np.cumsum(np.random.default_rng(seed).normal(0, 40, SLOTS)))


def test_mending_ends_only_when_nobody_can_help_any_more() -> None:
    fleet, high, low = stand(CARS, "zones", 1_000, 169)
    tell(fleet, wandering(119))
    mend(fleet, high, low, MEMORY)
    assert over(fleet, high, low) <= 0.0


def test_mending_is_not_stuck_where_cars_could_rest() -> None:
    fleet, high, low = stand(CARS, "zones", 1_000, 0)
    tell(fleet, wandering(199))
    while mend(fleet, high, low, MEMORY):
        pass
    assert over(fleet, high, low) <= 0.0


@pytest.mark.row("X1")
def test_limits_hold_where_they_are_no_whole_watts() -> None:
    fleet, high, low = stand(CARS, "zones", 1_200)
    high -= 0.37
    fleet.nodes.kink[:, :, 2] -= 0.37
    tell(fleet, prices())
    for _ in range(4):
        mend(fleet, high, low, MEMORY)
    assert over(fleet, high, low) <= 0.0


@pytest.mark.parametrize("tree", ["zones", "feeders and zones"])
def test_a_fleet_of_all_kinds_that_passes_have_brought_near_is_mended(tree: str) -> None:
    fleet, high, low = stand(mixed(200, 8), tree, 1_800)
    for turn in range(5):
        stiffen(fleet, STIFFNESS * 0.7**turn)
        sweep(fleet, MEMORY, turn, first=turn == 0)
    mend(fleet, high, low, MEMORY)
    assert over(fleet, high, low) <= 0.0
    keeps_its_word(fleet)


def test_nothing_moves_where_nothing_is_broken() -> None:
    fleet, high, low = stand(CARS, "zones")
    tell(fleet, prices())
    before = fleet.power.copy()
    assert mend(fleet, high, low, MEMORY) == 0
    assert mend(fleet, fleet.nodes.load.copy(), fleet.nodes.load.copy(), MEMORY) == 0
    assert (fleet.power == before).all()


def test_only_assets_below_a_broken_limit_move() -> None:
    fleet, high, low = stand(CARS, "zones", [np.inf, 1_000, np.inf, np.inf])
    tell(fleet, prices())
    before = fleet.power.copy()
    moved = mend(fleet, high, low, MEMORY)
    changed = np.flatnonzero((before != fleet.power).any(axis=1))
    assert over(fleet, high, low) <= 0.0
    assert moved >= len(changed) > 0
    assert changed.max() < fleet.begin[1]


def test_what_cannot_be_kept_is_broken_no_more_than_before() -> None:
    """Tanks that need their heat stand under a limit below what homes draw: nobody can help much, and none harms."""
    columns = assets(120, "city", 2)
    fleet, high, low = stand(columns, "zones", 300)
    tell(fleet, prices())
    before = np.maximum(0.0, fleet.nodes.load - high).sum()
    mend(fleet, high, low, MEMORY)
    assert np.maximum(0.0, fleet.nodes.load - high).sum() <= before
    keeps_its_word_but_tanks(fleet)


def keeps_its_word_but_tanks(fleet: Fleet) -> None:
    assert (fleet.nodes.load == summed(fleet)).all()
    for i in np.flatnonzero(fleet.assets.kind != Kind.COUNT):
        assert broken_rules(fleet.assets, int(i), fleet.power[i]) == []

"""Fleets are solved to a proven gap inside all limits, by schedules that each asset can live by."""

from time import process_time

import numpy as np
import pytest
from benchmarks.fleets import NEED, SLOTS, assets, city

from commonwatt.flexibility.fleet.columns import Columns, Kind
from commonwatt.flexibility.fleet.solve import STIFFNESS, pass_over, pick, sample, solve, stiffen
from commonwatt.flexibility.fleet.sweep import Fleet, threads
from flexibility.fleet.fleet_oracles import H, broken_rules
from flexibility.fleet.made_up import TREES, Floats, mixed, stand, summed

MEMORY = threads(SLOTS)
MIXED = mixed(140, 3)


def over(fleet: Fleet, high: Floats, low: Floats) -> float:
    return float(np.maximum(fleet.nodes.load - high, low - fleet.nodes.load).max(initial=0.0))


def missed_wh(columns: Columns, i: int, power: np.ndarray) -> float:
    """Return by how much a car's need is missed, Wh."""
    if columns.wish[i] == columns.wish[i + 1]:
        return 0.0
    own = np.where(power >= 0, power * columns.into[i], power / columns.out[i]) * H
    wanted = columns.wish_level[columns.wish[i] : columns.wish[i + 1]].max()
    return max(0.0, float(wanted - columns.level[i] - own[: columns.wish_at[columns.wish[i]] + 1].sum()))


@pytest.mark.row("W1")
@pytest.mark.row("W2")
@pytest.mark.parametrize("mixture", ["city", "fleet"])
def test_a_city_is_solved_to_its_gap_inside_all_limits_and_everyone_gets_what_they_need(mixture: str) -> None:
    fleet, high, low = city(300, 60, 3, mixture, 1_900, 2_100, 2_500)
    found = solve(fleet, high, low, 0.02, memory=MEMORY)
    assert found.bound <= found.cost
    assert found.gap <= 0.02
    assert over(fleet, high, low) <= 1.0  # homes draw parts of a watt
    assert found.broken < 1e-6
    assert fleet.nodes.load == pytest.approx(summed(fleet), abs=1e-6)
    for i in range(len(fleet.own)):
        assert missed_wh(fleet.assets, i, fleet.power[i]) < 5.0
        if fleet.assets.kind[i] != Kind.COUNT:  # a few of the city's tanks have no room for their least run
            assert broken_rules(fleet.assets, i, fleet.power[i]) == []


@pytest.mark.row("X11")
@pytest.mark.parametrize("tree", TREES)
def test_a_fleet_of_all_kinds_is_solved_in_a_tree_of_any_shape(tree: str) -> None:
    fleet, high, low = stand(MIXED, tree, 4_000)
    found = solve(fleet, high, low, 0.05, memory=MEMORY)
    assert found.bound <= found.cost
    assert found.gap <= 0.05
    assert over(fleet, high, low) <= 0.0
    assert (fleet.nodes.load == summed(fleet)).all()
    for i in range(len(fleet.own)):
        assert broken_rules(fleet.assets, i, fleet.power[i]) == []
        assert missed_wh(fleet.assets, i, fleet.power[i]) < 5.0


@pytest.mark.row("X11")
@pytest.mark.parametrize("kind", [Kind.CHARGE, Kind.STORE, Kind.COUNT, Kind.SWITCH, Kind.ONCE, Kind.FREE])
def test_one_asset_alone_is_a_fleet(kind: Kind) -> None:
    row = int(np.flatnonzero(MIXED.kind == kind)[0])
    fleet, high, low = stand(pick(MIXED, np.array([row])), "one place", 12_000)
    found = solve(fleet, high, low, 0.05, memory=MEMORY)
    assert found.bound <= found.cost + 1e-6 * abs(found.cost)
    assert broken_rules(fleet.assets, 0, fleet.power[0]) == []


def test_the_same_fleet_is_told_the_same_every_time() -> None:
    told = []
    for _ in range(2):
        fleet, high, low = stand(MIXED, "feeders and zones", 2_500)
        found = solve(fleet, high, low, 0.01, memory=MEMORY)
        told.append((found, fleet.power.copy()))
    assert told[0][0] == told[1][0]
    assert (told[0][1] == told[1][1]).all()


def cars(count: int) -> Columns:
    """Return equal cars that stand for two hours and need 8 kWh each, at 3,680 W."""
    many = assets(400, "fleet", 1)
    one = int(np.flatnonzero(many.kind == Kind.CHARGE)[0])
    columns = pick(many, np.full(count, one))
    whole = {"first": 40, "last": 48, "draw": 3_680, "least_in": 0}
    level = {"level": 10_000.0, "low": 0.0, "top": 50_000.0, "into": 1.0, "final": 0.0}
    changed = {name: np.full_like(getattr(columns, name), value) for name, value in (whole | level).items()}
    parts = 4
    return columns._replace(
        **changed, wish=np.arange(0, parts * count + 1, parts, dtype=np.int32),
        wish_at=np.full(parts * count, 47, np.int16),
        wish_level=np.tile(10_000 + 7_000 * np.arange(parts, 0, -1) / parts, count).astype(np.float32),
        wish_slope=np.tile(np.array([1, 1 / 3, 1 / 3, 1 / 3]) * NEED, count).astype(np.float32),
    )  # fmt: skip


@pytest.mark.row("X1")
def test_where_a_limit_leaves_too_little_needs_are_missed_and_the_limit_holds() -> None:
    fleet, high, low = stand(cars(60), "zones", [1_500, np.inf, np.inf, np.inf])
    solve(fleet, high, low, 0.01, memory=MEMORY)
    assert over(fleet, high, low) <= 0.0
    room_wh = (high[0] - fleet.nodes.base[0])[40:48].sum() * H
    given = fleet.power.sum() * H
    assert room_wh < 7_000 * 60
    assert given >= 0.99 * room_wh
    for i in range(60):
        assert broken_rules(fleet.assets, i, fleet.power[i]) == []


@pytest.mark.row("X1")
def test_what_is_missed_is_shared_among_equals() -> None:
    fleet, high, low = stand(cars(60), "zones", [1_500, np.inf, np.inf, np.inf])
    solve(fleet, high, low, 0.01, memory=MEMORY)
    given = fleet.power.sum(axis=1) * H
    assert given.min() >= 0.25 * 7_000 - 1  # the first quarter of a need counts most
    assert given.max() <= 7_000 + 1


def test_who_stops_the_search_gets_what_there_is_inside_the_limits() -> None:
    fleet, high, low = stand(MIXED, "zones", 4_000)
    heard: list[str] = []

    def stop(stage: str, gap: float) -> bool:
        heard.append(stage)
        return len(heard) < 2

    found = solve(fleet, high, low, 1e-6, stop, MEMORY)
    assert len(heard) == 2
    assert found.bound <= found.cost
    assert over(fleet, high, low) <= 0.0
    assert (fleet.nodes.load == summed(fleet)).all()


def test_a_sample_is_whole_groups_with_limits_and_load_to_its_size() -> None:
    fleet, _, _ = city(600, 50, 3, "city", 1_900, 2_100, 2_500)
    part, places = sample(fleet, 200)
    assert 200 <= len(part.own) <= 250
    assert part.total[0] == len(part.own)
    share = part.total / fleet.total[places]
    assert part.nodes.base == pytest.approx(fleet.nodes.base[places] * share[:, None])
    assert part.nodes.kink[:, :, 2] == pytest.approx(fleet.nodes.kink[places][:, :, 2] * share[:, None])
    for node, above in enumerate(part.nodes.parent.tolist()):
        assert above == -1 or places[above] == fleet.nodes.parent[places[node]]
    assert part.begin[-1] == len(part.assets.kind)


def test_picked_assets_are_those_that_they_were() -> None:
    rows = np.array([5, 17, 2, 133])
    picked = pick(MIXED, rows)
    for at, row in enumerate(rows):
        for offsets, inner in (("wish", "wish_level"), ("profile", "profile_w")):
            here, there = getattr(picked, offsets), getattr(MIXED, offsets)
            own = getattr(picked, inner)[here[at] : here[at + 1]]
            assert (own == getattr(MIXED, inner)[there[row] : there[row + 1]]).all()
        assert (picked.kind[at], picked.draw[at], picked.row[at]) == (MIXED.kind[row], MIXED.draw[row], MIXED.row[row])


@pytest.mark.row("X11")
def test_a_pass_over_four_times_as_many_assets_takes_about_four_times_as_long() -> None:
    each = []
    for count in (2_000, 8_000):
        fleet, _, _ = city(count, 500, 2, "fleet", 1_300, 1_600, 2_000)
        stiffen(fleet, STIFFNESS)
        pass_over(fleet, MEMORY, 0, first=True)
        took = []
        for turn in (1, 2, 3):
            began = process_time()
            pass_over(fleet, MEMORY, turn)
            took.append(process_time() - began)
        each.append(min(took) / count)
    assert each[1] <= 2 * each[0]

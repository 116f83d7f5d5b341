"""The fleet engine takes the same problems as the exact one, and its plans bear comparison and inspection."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.flexibility.checking.check import violations
from commonwatt.flexibility.effort import Effort, Progress
from commonwatt.flexibility.exact.solve import solve as solve_exactly
from commonwatt.flexibility.fleet.build import unsupported
from commonwatt.flexibility.fleet.engine import plan
from commonwatt.flexibility.fleet.join import join
from commonwatt.flexibility.problem import Problem
from commonwatt.model import (
    SLOT,
    AssetId,
    Constraint,
    Envelope,
    Interval,
    Priority,
    Quantity,
    Reach,
    Refused,
    Relation,
    Shift,
    Store,
    Warmth,
)
from flexibility.problems import START, honest_plan, random_case

KINDS = ("load", "roof", "curtailable", "appliance", "battery", "aggregate", "car", "heat pump", "hot water")
STEPLESS = ("load", "roof", "curtailable", "battery", "aggregate")
"""Kinds that go up and down freely: what they can do is a linear program."""


def settled(problem: Problem) -> Problem:
    """Return a problem without what only the exact engine takes: depth of wear, change, and some statements."""
    plain = replace(
        problem, before={}, change_micro_per_kwh=0, constraints=(),
        envelopes=tuple(replace(e, store=e.store and replace(e.store, deep_wear=())) for e in problem.envelopes),
    )  # fmt: skip
    for constraint in problem.constraints:
        more = replace(plain, constraints=(*plain.constraints, constraint))
        if not unsupported(more):
            plain = more
    return plain


@pytest.mark.row("X1")
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 7), st.integers(4, 16))
def test_a_plan_can_be_carried_out_and_says_the_truth_about_itself(seed: int, assets: int, slots: int) -> None:
    asked = settled(random_case(seed, assets, slots, STEPLESS).problem)
    found = plan(asked)
    assert violations(asked, found) == []
    assert found.bound_micro <= found.cost_micro
    assert found.engine == "fleet"


@pytest.mark.row("X11")
@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 7), st.integers(4, 16))
def test_no_plan_of_any_kind_of_device_is_at_fault_or_it_is_refused(seed: int, assets: int, slots: int) -> None:
    asked = settled(random_case(seed, assets, slots, KINDS).problem)
    try:
        found = plan(asked)
    except Refused as refusal:
        assert "its own bounds" in str(refusal)
        return
    assert violations(asked, found) == []


@pytest.mark.parametrize("seed", [(2146624321, 1, 6), (1123982505, 1, 9)])
def test_a_mixture_of_answers_keeps_its_levels_in_bounds(seed: tuple[int, int, int]) -> None:
    asked = settled(random_case(*seed, STEPLESS).problem)
    assert violations(asked, plan(asked)) == []


@pytest.mark.row("X1")
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(4, 12))
def test_neither_engine_proves_what_the_other_undercuts(seed: int, assets: int, slots: int) -> None:
    asked = replace(settled(random_case(seed, assets, slots, STEPLESS).problem), own_use=False)
    ours, exact = plan(asked), solve_exactly(asked)
    if ours.unmet or exact.unmet:
        return
    hair = 10 + slots * len(asked.envelopes) * 62.5  # micro: half a watt in each slot, at half a unit per kWh
    assert ours.bound_micro <= exact.cost_micro + hair
    assert exact.bound_micro <= ours.cost_micro + hair


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(4, 12))
def test_no_plan_that_keeps_all_statements_costs_less_than_the_bound(seed: int, assets: int, slots: int) -> None:
    case = random_case(seed, assets, slots, KINDS)
    asked = replace(settled(case.problem), own_use=False)
    found = plan(asked)
    if not found.unmet:
        assert found.bound_micro <= honest_plan(asked, case.power_w).cost_micro + 50


def cap(watts: int, slots: int, **more: Any) -> Constraint:
    about: dict[str, Any] = {"reach": Reach.COMMUNITY, "priority": Priority.DSO, **more}
    return Constraint(
        quantity=Quantity.POWER, relation=Relation.AT_MOST, value=watts,
        window=Interval(START, START + slots * SLOT), **about,
    )  # fmt: skip


def car(name: str, slots: int = 8, most_w: int = 3_680, **more: Any) -> Envelope:
    store = Store(
        level_now_wh=0, level_min_wh=(0,) * slots, level_max_wh=(50_000,) * slots, capacity_wh=50_000,
        charge_permille=1000, discharge_permille=1000,
    )  # fmt: skip
    fields = {"owner": name, "store": store, "lo_w": (0,) * slots, "hi_w": (most_w,) * slots, **more}
    return Envelope(asset=AssetId(name), zone="street", **fields)


def level(name: str, wh: int, slot: int, priority: Priority = Priority.OWNER) -> Constraint:
    return Constraint(
        quantity=Quantity.BATTERY, scope=(name,), relation=Relation.AT_LEAST, value=wh, at=START + slot * SLOT,
        priority=priority,
    )  # fmt: skip


def ask(*envelopes: Envelope, stated: tuple[Constraint, ...] = (), **more: Any) -> Problem:
    slots = len(envelopes[0].lo_w)
    fields = {"import_price": (200_000,) * slots, "export_price": (50_000,) * slots, "own_use": False, **more}
    return Problem(start=START, envelopes=envelopes, constraints=stated, **fields)


@pytest.mark.row("X1")
@pytest.mark.parametrize("count", [4, 40])
def test_needs_are_missed_rather_than_a_limit_above_them(count: int) -> None:
    names = [f"car-{number}" for number in range(count)]
    asked = ask(*map(car, names), stated=(*(level(name, 7_000, 8) for name in names), cap(1_500 * count, 8)))
    found = plan(asked)
    assert violations(asked, found) == []
    assert max(found.exchange_w) <= 1_500 * count
    assert {unmet.constraint.quantity for unmet in found.unmet} == {Quantity.BATTERY}
    given_wh = sum(sum(found.power_w[AssetId(name)]) / 4 for name in names)
    assert given_wh >= 0.8 * 3_000 * count


@pytest.mark.row("X1")
def test_a_limit_that_ranks_below_a_need_gives_way() -> None:
    names = ["car-1", "car-2"]
    low_rank = cap(2_000, 8, priority=Priority.COMFORT)
    found = plan(ask(*map(car, names), stated=(*(level(name, 7_000, 8) for name in names), low_rank)))
    assert [unmet.constraint for unmet in found.unmet] == [low_rank]


@pytest.mark.row("W2")
def test_a_car_fills_where_it_is_cheap() -> None:
    prices = (300_000,) * 4 + (100_000,) * 4
    found = plan(ask(car("car-1"), stated=(level("car-1", 3_000, 8),), import_price=prices))
    assert found.power_w[AssetId("car-1")][:4] == (0, 0, 0, 0)
    assert sum(found.power_w[AssetId("car-1")]) == 12_000
    assert found.ended == "optimal"


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (ask(car("a", store=replace(car("a").store, deep_wear=((300, 1_000),)))), "wear by depth of a"),
        (ask(car("a", least_run=2)), "least times on and off of a"),
        (ask(car("a", store=None, least_import_w=1_000)), "least import of a"),
        (ask(car("a"), before={AssetId("a"): (0,) * 8}, change_micro_per_kwh=5), "a price of change"),
        (
            ask(car("a"), stated=(replace(cap(9, 8), quantity=Quantity.ENERGY),)),
            "a statement about energy",
        ),
        (
            ask(
                car("a", owner="x"), car("b", owner="x"), car("c", owner="y"),
                stated=(
                    cap(9, 8, reach=Reach.ASSET, scope=("a", "b")), cap(9, 8, reach=Reach.ASSET, scope=("b", "c")),
                ),
            ),
            "nested",
        ),
    ],
)  # fmt: skip
def test_what_only_the_exact_engine_takes_is_refused_in_words(problem: Problem, words: str) -> None:
    with pytest.raises(Refused, match=words):
        plan(problem)


def nest(depth: int) -> Problem:
    """Return cars under limits inside each other: the first one's, the first two's, and so on."""
    names = [f"car-{number:02}" for number in range(depth)]
    limits = tuple(cap(9_000, 8, reach=Reach.ASSET, scope=tuple(names[:count])) for count in range(1, depth))
    return ask(*map(car, names), stated=limits)


def test_more_places_above_each_other_than_there_is_room_for_are_refused() -> None:
    assert unsupported(nest(10)) == []
    assert unsupported(nest(20)) != []


def test_longer_least_times_than_there_is_room_for_are_refused() -> None:
    pump = car("pump", slots=40, most_w=2_000, least_import_w=2_000, least_run=12, least_rest=12)
    assert pump.store is not None
    lossy = replace(pump, store=replace(pump.store, keep_ppm=990_000))
    assert unsupported(ask(replace(lossy, least_run=4, least_rest=4))) == []
    assert unsupported(ask(lossy)) != []


@pytest.mark.row("X5")
def test_a_cancelled_plan_says_so_and_can_be_carried_out() -> None:
    heard: list[Progress] = []

    def cancel(progress: Progress) -> bool:
        heard.append(progress)
        return False

    names = [f"car-{number}" for number in range(20)]
    asked = ask(*map(car, names), stated=(*(level(name, 3_000, 8) for name in names), cap(40_000, 8)))
    found = plan(asked, Effort(gap=1e-6, progress=cancel))
    assert len(heard) == 1
    assert found.ended == "stopped"
    assert violations(asked, found) == []


@pytest.mark.row("X11")
def test_a_community_where_nothing_can_be_shifted_has_a_plan_too() -> None:
    load = Envelope(asset=AssetId("load"), zone="street", lo_w=(500,) * 8, hi_w=(500,) * 8)
    found = plan(ask(load))
    assert found.exchange_w == (500,) * 8
    assert found.cost_micro == 8 * 125 * 200
    assert found.bound_micro <= found.cost_micro


def warm(name: str, at_least_mc: int, priority: Priority, slots: int) -> Constraint:
    return Constraint(
        quantity=Quantity.TEMPERATURE, scope=(name,), relation=Relation.AT_LEAST, value=at_least_mc,
        window=Interval(START, START + slots * SLOT), priority=priority,
    )  # fmt: skip


def house(slots: int, **more: Any) -> Envelope:
    store = Store(
        level_now_wh=0, level_min_wh=(0,) * slots, level_max_wh=(50_000,) * slots, capacity_wh=50_000,
        charge_permille=1000, discharge_permille=1000, warmth=Warmth(zero_mc=18_000, wh_per_k=2_000),
    )  # fmt: skip
    powers = {"lo_w": (0,) * slots, "hi_w": (4_000,) * 4 + (0,) * (slots - 4)}
    return Envelope(asset=AssetId("house"), zone="street", owner="house", store=store, **{**powers, **more})


@pytest.mark.row("X1")
def test_comfort_in_every_slot_of_a_day_never_outweighs_a_need_at_one_instant() -> None:
    slots = 96
    short = car("car", slots, hi_w=(4_000,) * 4 + (0,) * (slots - 4))
    stated = (cap(4_000, 4), level("car", 4_000, 4), warm("house", 20_000, Priority.COMFORT, slots))
    found = plan(ask(short, house(slots), stated=stated))
    assert found.level_wh[AssetId("car")][3] == 4_000
    assert [unmet.constraint.priority for unmet in found.unmet] == [Priority.COMFORT]


def test_two_bands_of_one_on_off_store_are_for_the_exact_engine() -> None:
    pump = house(8, hi_w=(2_000,) * 8, least_import_w=2_000)
    bands = (warm("house", 18_500, Priority.OWNER, 8), warm("house", 19_000, Priority.COMFORT, 8))
    assert unsupported(ask(pump, stated=bands[:1])) == []
    assert unsupported(ask(pump, stated=bands)) == ["several bands of house"]


def test_a_device_that_cannot_keep_its_own_bounds_is_refused_and_never_called_optimal() -> None:
    standing = car("car").store
    assert standing is not None
    store = replace(standing, level_now_wh=500, level_min_wh=(1_000,) * 8)
    with pytest.raises(Refused, match="its own bounds"):
        plan(ask(car("car", hi_w=(0,) * 8, store=store)))


def test_what_is_called_optimal_is_within_the_gap_of_its_money() -> None:
    for seed in range(60):
        found = plan(settled(random_case(seed, 1 + seed % 6, 4 + seed % 9, STEPLESS).problem), Effort(gap=0.01))
        assert found.ended == ("optimal" if found.gap <= 0.01 else "stopped")


def test_who_joins_keeps_inside_the_limit_or_is_refused() -> None:
    asked = ask(car("one", most_w=100), stated=(cap(1_000, 8),))
    running = plan(asked)
    washer = Envelope(
        asset=AssetId("washer"), zone="street", lo_w=(0,) * 8, hi_w=(2_000,) * 8,
        shift=Shift(profile_w=(2_000, 2_000), earliest=1, latest=5),
    )  # fmt: skip
    with pytest.raises(Refused, match="no room"):
        join(asked, running, washer)
    power_w = join(asked, running, car("two", most_w=5_000), (level("two", 1_000, 8),))
    assert max(power_w) <= 1_000
    assert sum(power_w) / 4 >= 999

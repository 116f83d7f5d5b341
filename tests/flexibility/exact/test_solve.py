"""The exact engine's plans are the best there are, can be carried out, and say the truth about themselves."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.flexibility.checking.check import violations
from commonwatt.flexibility.effort import Effort, Progress
from commonwatt.flexibility.exact.solve import solve
from commonwatt.flexibility.problem import Problem
from commonwatt.model import (
    SLOT,
    AssetId,
    Constraint,
    Envelope,
    Interval,
    InvalidValue,
    Priority,
    Quantity,
    Reach,
    Refused,
    Relation,
    Shift,
    Store,
)
from flexibility.problems import START, Case, cases, honest_plan, random_problem

QUICK = Effort(seconds=20)


@pytest.mark.row("X1")
@settings(max_examples=60, deadline=None)
@given(cases(assets=7, slots=12))
def test_a_plan_can_be_carried_out_and_keeps_all_that_can_be_kept(case: Case) -> None:
    found = solve(case.problem, QUICK)
    assert violations(case.problem, found) == []
    assert found.unmet == ()
    if not case.problem.own_use:
        assert found.bound_micro <= honest_plan(case.problem, case.power_w).cost_micro + 50


@pytest.mark.row("X1")
@settings(max_examples=60, deadline=None)
@given(cases(assets=6, slots=8, strained=True))
def test_a_plan_that_cannot_keep_everything_can_still_be_carried_out(case: Case) -> None:
    assert violations(case.problem, solve(case.problem, QUICK)) == []


@pytest.mark.row("X1")
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_combination_of_steps_is_cheaper(data: st.DataObject) -> None:
    slots = 5
    pump = Envelope(
        asset=AssetId("pump"), zone="street", lo_w=(0,) * slots, hi_w=(2_000,) * slots, least_import_w=2_000,
        least_run=data.draw(st.integers(1, 3)), least_rest=data.draw(st.integers(1, 3)),
        running=data.draw(st.sampled_from([0, -1, -2, 1, 2, 4])),
        store=Store(
            level_now_wh=4_000, level_min_wh=(data.draw(st.sampled_from([-5_000, 2_500])),) * slots,
            level_max_wh=(9_000,) * slots, capacity_wh=9_000, charge_permille=3_000, discharge_permille=1_000,
            keep_ppm=970_000, inflow_wh=(-600,) * slots,
        ),
    )  # fmt: skip
    profile = tuple(data.draw(st.lists(st.sampled_from([300, 2_000]), min_size=1, max_size=3)))
    shift = Shift(profile_w=profile, earliest=data.draw(st.integers(0, 2)), latest=slots - len(profile))
    washer = Envelope(asset=AssetId("washer"), zone="street", lo_w=(0,) * slots, hi_w=(2_000,) * slots, shift=shift)
    roof = tuple(-data.draw(st.integers(0, 4_000)) for _ in range(slots))
    buy = data.draw(st.lists(st.integers(-50_000, 400_000), min_size=slots, max_size=slots))
    asked = Problem(
        start=START,
        envelopes=(pump, washer, Envelope(asset=AssetId("roof"), zone="street", lo_w=roof, hi_w=roof)),
        import_price=tuple(buy),
        export_price=tuple(price - 60_000 for price in buy),
        own_use=False,
        before={washer.asset: (0,) * slots} if data.draw(st.booleans()) else {},
        change_micro_per_kwh=30_000,
    )
    possible = []
    for on in product([0, 2_000], repeat=slots):
        for start in range(shift.earliest, shift.latest + 1):
            washing = (0,) * start + profile + (0,) * (slots - start - len(profile))
            told = honest_plan(asked, {pump.asset: on, washer.asset: washing})
            if not violations(asked, told):
                possible.append(told.cost_micro)
    if not possible:
        with pytest.raises(Refused, match="pump"):
            solve(asked)
        return
    found = solve(asked, Effort(gap=0.0))
    assert found.cost_micro == pytest.approx(min(possible), abs=5)
    assert found.bound_micro == pytest.approx(min(possible), abs=5)
    assert found.ended == "optimal"


def car(name: str, slots: int, level_wh: int = 0, most_w: int = 4_000, **more: Any) -> Envelope:
    return Envelope(
        asset=AssetId(name), zone="street", owner=name, lo_w=(0,) * slots, hi_w=(most_w,) * slots,
        store=Store(
            level_now_wh=level_wh, level_min_wh=(0,) * slots, level_max_wh=(50_000,) * slots, capacity_wh=50_000,
            charge_permille=1000, discharge_permille=1000,
        ),
        **more,
    )  # fmt: skip


def level(name: str, wh: int, slot: int, priority: Priority = Priority.OWNER) -> Constraint:
    return Constraint(
        quantity=Quantity.BATTERY, scope=(name,), relation=Relation.AT_LEAST, value=wh, at=START + slot * SLOT,
        priority=priority,
    )  # fmt: skip


def cap(watts: int, slots: int, priority: Priority = Priority.DSO) -> Constraint:
    return Constraint(
        quantity=Quantity.POWER, reach=Reach.COMMUNITY, relation=Relation.AT_MOST, value=watts,
        window=Interval(START, START + slots * SLOT), priority=priority,
    )  # fmt: skip


def ask(*envelopes: Envelope, stated: tuple[Constraint, ...] = (), **more: Any) -> Problem:
    slots = len(envelopes[0].lo_w)
    fields: dict[str, Any] = {"import_price": (200_000,) * slots, "export_price": (50_000,) * slots}
    return Problem(start=START, envelopes=envelopes, constraints=stated, **{**fields, **more})


@pytest.mark.row("X1")
@settings(max_examples=40, deadline=None)
@given(
    st.permutations(list(Priority)), st.integers(0, 4_000), st.integers(100, 5_000), st.lists(st.integers(0, 400_000),
    min_size=4, max_size=4),
)  # fmt: skip
def test_nothing_is_traded_for_what_ranks_lower(ranks: list[Priority], watts: int, wh: int, prices: list[int]) -> None:
    stated = (cap(watts, 4, ranks[0]), level("one", wh, 4, ranks[1]))
    found = solve(ask(car("one", 4), stated=stated, import_price=tuple(prices), own_use=False))
    conflict = max(0.0, min(wh, 4_000) - watts)  # four quarter-hours: so many Wh of the car, or so many W of the cap
    by = {unmet.constraint: unmet.by for unmet in found.unmet}
    beyond = max(0, wh - 4_000)  # its charger gives no more, whoever asks
    if ranks[0] < ranks[1]:
        assert by.get(stated[0], 0.0) == pytest.approx(0.0, abs=0.5)
        assert by.get(stated[1], 0.0) == pytest.approx(beyond + conflict, abs=0.5)
    else:
        assert by.get(stated[1], 0.0) == pytest.approx(beyond, abs=0.5)
        assert by.get(stated[0], 0.0) == pytest.approx(conflict, abs=0.5)


def test_a_store_does_not_run_in_circles_where_energy_is_paid_for() -> None:
    battery = replace(
        car("one", 4, 49_500), lo_w=(-4_000,) * 4,
        store=replace(car("one", 4).store, level_now_wh=49_500, charge_permille=900, discharge_permille=900),
    )  # fmt: skip
    asked = ask(battery, import_price=(-300_000,) * 4, export_price=(-400_000,) * 4)
    found = solve(asked)
    assert violations(asked, found) == []
    assert found.level_wh[AssetId("one")][3] <= 50_000


@pytest.mark.row("E1")
def test_nothing_is_burned_in_a_store_to_avoid_an_export() -> None:
    full = car("one", 4, 50_000)
    lossy = replace(full, lo_w=(-4_000,) * 4, store=replace(full.store, charge_permille=900, discharge_permille=900))
    roof = Envelope(asset=AssetId("roof"), zone="street", lo_w=(-3_000,) * 4, hi_w=(-3_000,) * 4)
    found = solve(ask(lossy, roof, final_value_micro_per_kwh=150_000))
    assert found.exchange_w == (-3_000,) * 4


def test_what_a_kilowatt_hour_is_worth_is_the_price_that_it_saves() -> None:
    found = solve(
        ask(car("one", 4), stated=(level("one", 1_000, 4),), import_price=(100_000, 300_000, 300_000, 50_000))
    )
    assert found.worth_micro_per_kwh == (100_000, 300_000, 300_000, 50_000)


@pytest.mark.row("X5")
def test_a_cancelled_search_returns_its_best_with_its_gap_and_is_not_called_optimal() -> None:
    asked = random_problem(5023, 14, 40)
    heard: list[Progress] = []

    def cancel(progress: Progress) -> bool:
        heard.append(progress)
        return False

    found = solve(asked, Effort(progress=cancel))
    assert heard
    assert found.ended == "stopped"
    assert violations(asked, found) == []
    best = solve(asked)
    assert found.bound_micro <= best.cost_micro <= found.cost_micro + 20
    assert found.gap > 0


def test_who_watches_hears_what_is_done_and_how_far_it_is() -> None:
    heard: list[Progress] = []
    solve(random_problem(5023, 14, 40), Effort(progress=lambda progress: heard.append(progress) is None))
    assert {"money"} <= {progress.doing for progress in heard}
    assert [p.seconds for p in heard] == sorted(p.seconds for p in heard)


def test_a_device_that_has_nothing_to_do_at_all_is_named() -> None:
    stuck = replace(car("one", 4), store=replace(car("one", 4).store, level_min_wh=(9_000,) * 4))
    with pytest.raises(Refused, match="one"):
        solve(ask(car("two", 4), stuck))


def test_an_effort_that_means_nothing_is_refused() -> None:
    with pytest.raises(InvalidValue, match="gap"):
        Effort(gap=-0.1)
    with pytest.raises(InvalidValue, match="some time"):
        Effort(seconds=0)

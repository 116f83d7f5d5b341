"""What cannot all be kept is explained by statements and their owners, and what is said to cure it does."""

from dataclasses import replace
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from benchmarks.planning import crowded
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.flexibility.effort import Effort
from commonwatt.flexibility.exact.solve import solve
from commonwatt.flexibility.explanation.conflict import Oracle, minimal_conflict, only
from commonwatt.flexibility.explanation.cures import works
from commonwatt.flexibility.explanation.explain import explain, explain_one
from commonwatt.flexibility.explanation.hall import conflict_of_cars
from commonwatt.flexibility.explanation.why import why
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
    Relation,
    Store,
)
from flexibility.problems import START, Case, cases

BERLIN = ZoneInfo("Europe/Berlin")


def car(name: str, slots: int, leaves: int, most_w: int = 4_000) -> Envelope:
    return Envelope(
        asset=AssetId(name), zone="PL", lo_w=(0,) * slots, hi_w=(most_w,) * leaves + (0,) * (slots - leaves),
        store=Store(
            level_now_wh=0, level_min_wh=(0,) * slots, level_max_wh=(10_000,) * slots, capacity_wh=10_000,
            charge_permille=1000, discharge_permille=1000,
        ),
    )  # fmt: skip


def level(name: str, wh: int, slot: int) -> Constraint:
    return Constraint(
        quantity=Quantity.BATTERY, scope=(name,), relation=Relation.AT_LEAST, value=wh, at=START + slot * SLOT,
        author=f"owner of {name}",
    )  # fmt: skip


def limit(watts: int, first: int, last: int) -> Constraint:
    return Constraint(
        quantity=Quantity.POWER, reach=Reach.ZONE, scope=("PL",), relation=Relation.AT_MOST, value=watts,
        window=Interval(START + first * SLOT, START + last * SLOT), priority=Priority.DSO, author="the grid",
    )  # fmt: skip


def ask(*envelopes: Envelope, stated: tuple[Constraint, ...] = (), **more: Any) -> Problem:
    slots = len(envelopes[0].lo_w)
    fields: dict[str, Any] = {"import_price": (200_000,) * slots, "export_price": (50_000,) * slots, "own_use": False}
    return Problem(start=START, envelopes=envelopes, constraints=stated, **{**fields, **more})


def missed(problem: Problem, statements: tuple[Constraint, ...]) -> bool:
    return any(unmet.by >= 0.5 for unmet in solve(replace(problem, constraints=statements)).unmet)


@pytest.mark.row("X5")
@settings(max_examples=50, deadline=None)
@given(cases(assets=6, slots=9, strained=True))
def test_a_conflict_cannot_be_kept_and_any_one_less_can(case: Case) -> None:
    asked = replace(case.problem, own_use=False)
    found = explain(asked)
    if found is None:
        assert not missed(asked, asked.constraints)
        return
    assert solve(replace(asked, constraints=found.conflict)).unmet
    for one in found.conflict:
        assert not missed(asked, tuple(c for c in found.conflict if c != one))


@pytest.mark.row("X5")
@settings(max_examples=40, deadline=None)
@given(cases(assets=5, slots=8, strained=True))
def test_every_cure_cures(case: Case) -> None:
    asked = replace(case.problem, own_use=False)
    found = explain(asked)
    if found is None:
        return
    kept = {c for c in asked.constraints if c not in {u.constraint for u in solve(asked).unmet}}
    for cure in found.cures:
        if any(change.stays for change in cure.changes):
            continue  # its devices are others then: tried out below
        instead = {change.statement: change.instead for change in cure.changes}
        told = [one for c in {*found.conflict, *kept} for one in instead.get(c, (c,))]
        assert not missed(asked, tuple(told))
    assert [cure.share for cure in found.cures] == sorted(cure.share for cure in found.cures)


@pytest.mark.row("X5")
def test_the_three_cures_of_a_car_under_a_limit_are_told_in_words() -> None:
    asked = ask(car("mine", 16, 8), car("yours", 16, 8), stated=(
        level("mine", 3_000, 8), level("yours", 3_000, 8), limit(2_000, 0, 8), level("mine", 1_000, 4),
    ))  # fmt: skip
    found = explain(asked, asked.constraints[0])
    assert found is not None
    assert set(found.conflict) == set(asked.constraints[:3])
    assert found.conflict[0] == asked.constraints[0]
    told = "\n".join(found.sentences(BERLIN))
    assert "owner of yours (owner): battery of yours >= 3 kWh at 08:00" in told
    assert "the grid (dso): power of zone PL <= 2 kW" in told
    assert "the grid: raise the bound on power of zone PL by 1 kW from 06:00 to 08:00" in told
    assert "owner of mine: accept 1 kWh instead of 3 kWh for mine" in told
    assert "owner of mine: mine leaves at 08:30 instead of 08:00" in told
    assert any(len(cure.changes) > 1 for cure in found.cures)


@pytest.mark.row("X5")
def test_a_limit_is_raised_only_when_it_must_be() -> None:
    asked = ask(car("mine", 8, 4), stated=(level("mine", 2_000, 4), limit(3_000, 0, 8)), final_value_micro_per_kwh=0)
    asked = replace(asked, envelopes=(replace(asked.envelopes[0], hi_w=(0, 0, 4_000, 4_000, 0, 0, 0, 0)),))
    found = explain(asked)
    assert found is not None
    (raised,) = (c for c in found.cures if len(c.changes) == 1 and c.changes[0].statement.priority is Priority.DSO)
    first, *others = raised.changes[0].instead
    assert (first.value, first.window) == (4_000, Interval(START + 2 * SLOT, START + 4 * SLOT))
    assert {piece.value for piece in others} == {3_000}
    assert works(asked, raised.changes)


@pytest.mark.row("X5")
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_the_cut_of_a_flow_agrees_with_the_program(data: st.DataObject) -> None:
    slots, count = 6, data.draw(st.integers(1, 6))
    cars, stated = [], []
    for i in range(count):
        leaves = data.draw(st.integers(1, slots))
        cars.append(car(f"car-{i}", slots, leaves))
        stated.append(level(f"car-{i}", data.draw(st.integers(1, 1_200 * leaves)), leaves))
    stated += [limit(data.draw(st.integers(500, 12_000)), 0, 4), limit(data.draw(st.integers(500, 12_000)), 3, 6)]
    asked = ask(*cars, stated=tuple(stated))
    found = conflict_of_cars(asked, None)
    assert found is not None
    oracle = Oracle(asked)
    assert oracle.keeps(asked.constraints) == (not found)
    if found:
        assert not oracle.keeps(found)
        assert all(oracle.keeps([c for c in found if c != one]) for one in found)


@pytest.mark.row("X5")
def test_a_request_among_three_hundred_cars_is_explained_by_a_minimal_set() -> None:
    asked, request = crowded()
    found = minimal_conflict(asked, request)
    assert request in found
    oracle = Oracle(only(asked, found))
    assert not oracle.keeps(found)
    assert all(oracle.keeps([c for c in found if c != one]) for one in found)


@pytest.mark.row("X5")
def test_one_asset_is_explained_from_its_own_statements_and_the_room_that_is_left() -> None:
    mine, zone = level("mine", 3_000, 8), limit(500_000, 0, 8)
    found = explain_one(car("mine", 8, 8), [mine], [(zone, (499_000,) * 8)], Interval(START, START + SLOT))
    assert found is not None
    assert set(found.conflict) == {mine, zone}
    assert any("by 500 W" in line for line in found.sentences(BERLIN))
    assert explain_one(car("mine", 8, 8), [mine], [(zone, (498_000,) * 8)], Interval(START, START + SLOT)) is None


@pytest.mark.row("X5")
def test_each_slot_has_its_reason_and_what_else_would_cost() -> None:
    prices = (100_000, 300_000, 300_000, 200_000)
    asked = ask(car("mine", 4, 4), stated=(level("mine", 1_000, 4),), import_price=prices)
    found = solve(asked)
    assert why(asked, found, AssetId("mine"), 0) == (
        "mine draws 4 kW at 04:00: a kWh is worth 10.0 p then and 20.0 p at 04:45; otherwise it would cost 10.0 p more"
    )
    assert why(asked, found, AssetId("mine"), 1).endswith("otherwise it would cost 20.0 p more")


@pytest.mark.row("X5")
def test_what_outranks_money_is_the_reason_where_it_is() -> None:
    asked = ask(car("mine", 4, 4), stated=(level("mine", 4_000, 4),), import_price=(900_000,) * 4)
    told = why(asked, solve(asked), AssetId("mine"), 1, BERLIN)
    assert "the statement of owner of mine, battery of mine >= 4 kWh at 07:00" in told
    assert told.endswith("would be missed by 1 kWh")
    away = ask(car("mine", 4, 2), stated=(level("mine", 500, 2),))
    assert why(away, solve(away), AssetId("mine"), 3).endswith("its own limits leave it nothing else")


@settings(max_examples=15, deadline=None)
@given(cases(assets=4, slots=6, kinds=("battery", "car", "load", "roof")))
def test_what_the_other_thing_would_cost_is_what_it_costs(case: Case) -> None:
    asked = replace(case.problem, constraints=(), own_use=False, before={}, change_micro_per_kwh=0)
    found = solve(asked, Effort(gap=0.0))
    for asset, power_w in found.power_w.items():
        told = why(asked, found, asset, 0, again=lambda other: solve(other, Effort(gap=0.0)))
        (envelope,) = (e for e in asked.envelopes if e.asset == asset)
        if power_w[0] and "more" in told and "p more" in told:
            still = replace(envelope, lo_w=(0, *envelope.lo_w[1:]), hi_w=(0, *envelope.hi_w[1:]))
            forced = replace(asked, envelopes=tuple(still if e.asset == asset else e for e in asked.envelopes))
            more = solve(forced, Effort(gap=0.0)).cost_micro - found.cost_micro
            assert f"cost {more / 10_000:.1f} p more" in told


def test_earlier_statements_are_blamed_last() -> None:
    asked = ask(car("mine", 4, 4), stated=(limit(1_000, 0, 4), level("mine", 2_000, 4), level("mine", 3_000, 4)))
    found = minimal_conflict(asked)
    assert len(found) == 2
    assert all(one != two for one, two in pairwise(found))


def test_a_statement_made_twice_conflicts_no_more_than_one_made_once() -> None:
    wish, held = level("car", 8_000, 8), limit(1_000, 0, 8)
    for stated in ([wish, held], [wish, wish, held], [wish, held, held]):
        asked = ask(car("car", 16, 16), stated=tuple(stated))
        assert set(minimal_conflict(asked)) == {wish, held}
        found = explain(asked)
        assert found is not None
        assert found.cures

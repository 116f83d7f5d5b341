"""The checker finds every way in which a plan can be wrong, and finds nothing wrong with a right one."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.flexibility.checking.check import violations
from commonwatt.flexibility.problem import Connection, Plan, Problem, Unmet
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
    Shift,
    Store,
    Warmth,
)
from flexibility.problems import KINDS, START, Case, cases, honest_plan, random_case

THING = AssetId("thing")


def thing(lo_w: int, hi_w: int, slots: int = 4, **more: Any) -> Envelope:
    return Envelope(asset=THING, zone="street", lo_w=(lo_w,) * slots, hi_w=(hi_w,) * slots, **more)


def store(slots: int = 4, **more: Any) -> Store:
    fields: dict[str, Any] = {
        "level_now_wh": 4000,
        "level_min_wh": (1000,) * slots,
        "level_max_wh": (8000,) * slots,
        "capacity_wh": 10_000,
        "charge_permille": 1000,
        "discharge_permille": 1000,
    }
    return Store(**{**fields, **more})


def problem(*envelopes: Envelope, **more: Any) -> Problem:
    slots = len(envelopes[0].lo_w)
    fields: dict[str, Any] = {"import_price": (200_000,) * slots, "export_price": (80_000,) * slots}
    return Problem(start=START, envelopes=envelopes, **{**fields, **more})


def broken(asked: Problem, *power_w: int, **changes: Any) -> set[str]:
    told = honest_plan(asked, {THING: power_w})
    return {v.rule for v in violations(asked, replace(told, **changes))}


def about(quantity: Quantity, relation: Relation, value: int, first: int = 0, last: int = 3, **more: Any) -> Constraint:
    when: dict[str, Any] = {"window": Interval(START + first * SLOT, START + (last + 1) * SLOT)}
    if quantity in {Quantity.CHARGE, Quantity.BATTERY}:
        when = {"at": START + (last + 1) * SLOT}
    fields = {"scope": (THING,), **when, **more}
    return Constraint(quantity=quantity, relation=relation, value=value, **fields)


LEAST, MOST = Relation.AT_LEAST, Relation.AT_MOST


def test_power_stays_within_its_bounds() -> None:
    asked = problem(thing(-2000, 3000))
    assert broken(asked, 3000, -2000, 0, 17) == set()
    assert broken(asked, 3001, 0, 0, 0) == broken(asked, 0, -2001, 0, 0) == {"within power bounds"}


def test_a_car_draws_nothing_or_its_six_amperes() -> None:
    asked = problem(thing(0, 7360, least_import_w=1380))
    assert broken(asked, 0, 1380, 7360, 0) == set()
    assert broken(asked, 1379, 0, 0, 0) == {"draws nothing or its least import"}


def test_a_generator_supplies_nothing_or_its_least() -> None:
    asked = problem(thing(-5000, 0, least_export_w=2000))
    assert broken(asked, 0, -2000, -5000, 0) == set()
    assert broken(asked, 0, -1999, 0, 0) == {"supplies nothing or its least export"}


@pytest.mark.parametrize(
    ("running", "power_w", "rule"),
    [
        (0, (9, 9, 0, 0), None),
        (0, (0, 9, 9, 0), None),
        (0, (9, 0, 0, 0), "keeps its least run"),
        (0, (0, 9, 0, 0), "keeps its least run"),
        (0, (9, 9, 0, 9), "keeps its least rest"),
        (0, (0, 0, 0, 9), None),  # the horizon may cut a run short
        (1, (0, 0, 0, 0), "keeps its least run"),
        (1, (9, 0, 0, 0), None),
        (2, (0, 0, 9, 9), None),
        (2, (0, 9, 9, 9), "keeps its least rest"),
        (-1, (9, 9, 9, 9), "keeps its least rest"),
        (-1, (0, 9, 9, 9), None),
        (-2, (9, 9, 0, 0), None),
    ],
)
def test_runs_and_rests_last_and_count_what_was_before(running: int, power_w: tuple[int, ...], rule: str) -> None:
    asked = problem(thing(0, 9, least_import_w=9, least_run=2, least_rest=2, running=running))
    assert broken(asked, *power_w) == ({rule} if rule else set())


def test_levels_stay_within_bounds_with_losses_gain_and_inflow() -> None:
    plain = problem(thing(-20_000, 20_000, store=store()))
    assert broken(plain, 8000, 8000, 0, -20_000) == set()  # 4000 + 2000 + 2000 = 8000, and 8000 - 5000 = 3000
    assert broken(plain, 8000, 8080, 0, 0) == {"within level bounds", "tells levels within bounds"}
    assert broken(plain, -12_080, 0, 0, 0) == {"within level bounds", "tells levels within bounds"}
    for change in (
        {"keep_ppm": 900_000},  # loses 400 Wh, 360 Wh ...
        {"inflow_wh": (-400, 0, 0, 0)},
        {"gain_permille": (1000, 1000, 900, 1000), "level_now_wh": 800},
    ):
        asked = problem(thing(-20_000, 20_000, store=store(level_min_wh=(0, 0, 3900, 0), **change)))
        assert "within level bounds" in broken(asked, 0, 0, 100, 0)
    drained = problem(thing(-20_000, 0, store=store(level_min_wh=(0,) * 4, discharge_permille=500)))
    assert broken(drained, -8000, 0, 0, 0) == set()
    assert "within level bounds" in broken(drained, -8100, 0, 0, 0)


def test_levels_that_are_told_are_those_that_powers_make() -> None:
    asked = problem(thing(-4000, 4000, store=store(charge_permille=900)))
    assert broken(asked, 4000, 0, 0, 0, level_wh={THING: (4900, 4900, 4900, 4900)}) == set()
    lied = broken(asked, 4000, 0, 0, 0, level_wh={THING: (5000, 5000, 5000, 5000)})
    assert lied == {"tells the levels that its powers make"}


def test_what_has_no_choice_has_no_rounding_to_hide_behind() -> None:
    asked = problem(thing(400, 400, store=store()))
    assert broken(asked, 400, 400, 400, 400) == set()
    lied = broken(asked, 400, 400, 400, 400, level_wh={THING: (4102, 4200, 4300, 4400)})
    assert lied == {"tells the levels that its powers make"}


def test_an_appliance_runs_its_profile_once_within_its_window() -> None:
    asked = problem(thing(0, 2000, shift=Shift(profile_w=(2000, 500), earliest=0, latest=1)))
    assert broken(asked, 2000, 500, 0, 0) == broken(asked, 0, 2000, 500, 0) == set()
    rule = {"runs its profile once within its window"}
    assert broken(asked, 0, 0, 2000, 500) == rule  # too late
    assert broken(asked, 0, 0, 0, 0) == rule  # never
    assert broken(asked, 2000, 500, 2000, 500) == rule  # twice
    assert broken(asked, 2000, 501, 0, 0) == rule  # another profile


def test_the_feeder_carries_the_sum_fixed_things_included() -> None:
    load = Envelope(asset=AssetId("load"), zone="street", lo_w=(700,) * 4, hi_w=(700,) * 4)
    asked = problem(thing(-2000, 3000), load)
    assert broken(asked, 1000, 0, -700, 0, exchange_w=(1700, 700, 0, 701)) == set()
    assert broken(asked, 1000, 0, -700, 0, exchange_w=(1700, 700, 0, 702)) == {"exchanges the sum of its powers"}
    assert broken(asked, 1000, 0, -700, 0, exchange_w=(1000, 0, -700, 0)) == {"exchanges the sum of its powers"}


def cost_of(asked: Problem, *power_w: int) -> int:
    """Return the cost at which the checker is content, and make sure that it is content with no other."""
    cost = honest_plan(asked, {THING: power_w}).cost_micro
    assert broken(asked, *power_w) == set()
    assert (
        broken(asked, *power_w, cost_micro=cost - 9_000)
        == {
            "costs what it says",
        }
        | set()
    )
    assert broken(asked, *power_w, cost_micro=cost + 9_000) == {"costs what it says"}
    return cost


def test_cost_is_energy_at_the_price_of_its_direction() -> None:
    asked = problem(thing(-8000, 8000), import_price=(200_000,) * 4, export_price=(80_000, 80_000, 300_000, 80_000))
    assert cost_of(asked, 4000, -4000, 0, 0) == 200_000 - 80_000
    assert cost_of(asked, 0, 0, -4000, 0) == -200_000  # export never counts above import
    assert cost_of(replace(asked, import_price=(-50_000,) * 4), 4000, 0, 0, 0) == -50_000


def test_cost_has_fees_of_the_meter_that_is_crossed() -> None:
    fees = Connection(name="meter", import_fee=(30_000,) * 4, export_fee=(10_000,) * 4)
    behind = problem(thing(-8000, 8000, connection="meter"), connections=(fees,))
    assert cost_of(behind, 4000, -4000, 0, 0) == 200_000 + 30_000 - 80_000 + 10_000
    elsewhere = problem(thing(-8000, 8000, connection="other"), connections=(fees,))
    assert cost_of(elsewhere, 4000, -4000, 0, 0) == 200_000 - 80_000


def test_cost_has_wear_by_depth_shallow_layers_first() -> None:
    worn = store(wear_micro_per_kwh=10_000, deep_wear=((200, 5_000),))
    asked = problem(thing(-8000, 8000, store=worn), import_price=(0,) * 4, export_price=(0,) * 4)
    # Of the 4 kWh that are stored, 2 lie in the shallow layer, a fifth of 10 kWh wide.
    assert cost_of(asked, -8000, 0, 0, 0) == 2 * 10_000
    assert cost_of(asked, -8000, -4000, 0, 0) == 2 * 10_000 + 15_000
    # What goes back fills the shallow layer again.
    assert cost_of(asked, -8000, 4000, -4000, 0) == 2 * 10_000 + 10_000
    lossy = replace(worn, discharge_permille=500)
    # At the meter 1 kWh is 2 kWh of what is stored: the layer is empty after it.
    assert cost_of(problem(thing(-8000, 8000, store=lossy), import_price=(0,) * 4, export_price=(0,) * 4),
                   -4000, -2000, 0, 0) == 10_000 + 7_500  # fmt: skip


def test_cost_has_fuel_change_and_final_value() -> None:
    free: dict[str, Any] = {"import_price": (0,) * 4, "export_price": (0,) * 4}
    assert cost_of(problem(thing(-8000, 0, supply_micro_per_kwh=90_000), **free), -4000, 0, 0, 0) == 90_000
    before = {THING: (4000, 0, 0, -4000)}
    moved = problem(thing(-8000, 8000), **free, before=before, change_micro_per_kwh=20_000)
    assert cost_of(moved, 0, 0, 0, -2000) == 20_000 + 10_000
    kept = problem(thing(-8000, 8000, store=store(discharge_permille=500)), **free, final_value_micro_per_kwh=100_000)
    assert cost_of(kept, 4000, 0, 0, 0) == -5 * 50_000
    # What cannot come out again is worth nothing to anybody else.
    warm = problem(thing(0, 8000, store=store()), **free, final_value_micro_per_kwh=100_000)
    assert cost_of(warm, 4000, 0, 0, 0) == 0


def test_a_bound_is_not_above_the_cost() -> None:
    asked = problem(thing(-8000, 8000))
    assert broken(asked, 4000, 0, 0, 0, bound_micro=150_000) == set()
    assert broken(asked, 4000, 0, 0, 0, bound_micro=210_000) == {"proves no more than its own cost"}


HEAT = store(warmth=Warmth(zero_mc=20_000, wh_per_k=1000))
COLD = store(warmth=Warmth(zero_mc=27_000, wh_per_k=-1000))
WARM, COOL = thing(0, 8000, store=HEAT), thing(0, 8000, store=COLD)
PLAIN, STORING = thing(-8000, 8000), thing(-8000, 8000, store=store())


@pytest.mark.parametrize(
    ("envelope", "constraint", "kept", "missed", "by"),
    [
        (PLAIN, about(Quantity.POWER, MOST, 3000, 1, 2), (8000, 3000, 3000, 8000), (0, 3000, 3500, 0), 500),
        (PLAIN, about(Quantity.POWER, LEAST, -1000), (-1000, 0, 0, 0), (-1000, -1300, 0, -1100), 300),
        (PLAIN, about(Quantity.ENERGY, MOST, 1500, 1, 2), (8000, 8000, -2000, 0), (0, 4000, 4000, 0), 500),
        (PLAIN, about(Quantity.ENERGY, LEAST, 1500), (6000, 0, 0, 0), (4000, 0, 0, 0), 500),
        (PLAIN, about(Quantity.RAMP, MOST, 1000, 1, 3), (8000, 0, 1000, 0), (0, 0, -1500, -1500), 500),
        (PLAIN, about(Quantity.RUN_TIME, LEAST, 30), (0, 10, 10, 0), (0, 0, -10, 0), 15),
        (PLAIN, about(Quantity.RUN_TIME, MOST, 30), (0, 10, 10, 0), (10, 10, 10, 0), 15),
        (PLAIN, about(Quantity.RESERVE_UP, LEAST, 7000), (-1000, 0, 0, 8000), (0, 0, -2000, 0), 1000),
        (PLAIN, about(Quantity.RESERVE_DOWN, LEAST, 7000), (1000, 0, 0, 0), (0, 2000, 0, 0), 1000),
        (STORING, about(Quantity.BATTERY, LEAST, 5000, last=1), (4000, 0, -4000, 0), (0, 0, 4000, 0), 1000),
        (STORING, about(Quantity.BATTERY, MOST, 3000), (-4000, 0, 0, 0), (0, 0, 0, 0), 1000),
        (STORING, about(Quantity.CHARGE, LEAST, 50), (0, 4000, 0, 0), (0, 0, 0, 0), 10),
        (STORING, about(Quantity.CYCLES, MOST, 100), (-2000, 0, -2000, 0), (-4000, 0, -4000, 0), 100),
        # 1,000 Wh lie above the floor: enough for 4 kW through a quarter-hour.
        (STORING, about(Quantity.RESERVE_UP, LEAST, 4000, 3, 3), (-8000, 0, 0, 0), (-8000, -1000, 0, 0), 1000),
        (STORING, about(Quantity.RESERVE_DOWN, LEAST, 4000, 3, 3), (8000, 4000, 0, 0), (8000, 5000, 0, 0), 1000),
        (WARM, about(Quantity.TEMPERATURE, MOST, 25_000, 2, 3), (0, 0, 4000, 0), (0, 6000, 0, 0), 500),
        (WARM, about(Quantity.TEMPERATURE, LEAST, 25_000, 2, 3), (0, 4000, 0, 0), (0, 2000, 0, 0), 500),
        (COOL, about(Quantity.TEMPERATURE, MOST, 22_000, 2, 3), (0, 4000, 0, 0), (0, 2000, 0, 0), 500),
    ],
)  # fmt: skip
def test_statements_are_kept_or_owned_up_to(
    envelope: Envelope, constraint: Constraint, kept: tuple[int, ...], missed: tuple[int, ...], by: float
) -> None:
    asked = problem(envelope, constraints=(constraint,))
    assert broken(asked, *kept) == set()
    assert broken(asked, *missed) == {"keeps a statement or owns up to it"}
    assert broken(asked, *missed, unmet=(Unmet(constraint=constraint, by=by),)) == set()
    # A quarter of what is missing is more than rounding may hide.
    assert broken(asked, *missed, unmet=(Unmet(constraint=constraint, by=by * 3 / 4),))


@pytest.mark.parametrize("reach", list(Reach))
def test_statements_reach_whom_they_name_and_nobody_else(reach: Reach) -> None:
    names = {"zone": "z", "feeder": "f", "connection": "c", "owner": "o"}
    other = Envelope(asset=AssetId("other"), lo_w=(5000,) * 4, hi_w=(5000,) * 4, zone="-")
    mine = Envelope(asset=THING, lo_w=(-8000,) * 4, hi_w=(8000,) * 4, **names)
    scope = {**names, "asset": THING}
    limit = about(Quantity.POWER, MOST, 1000, reach=reach, scope=(scope[reach],) if reach in scope else ())
    asked = problem(mine, other, constraints=(limit,))
    fits = 1000 if reach is not Reach.COMMUNITY else -4000
    assert broken(asked, fits, fits, fits, fits) == set()
    assert broken(asked, fits, fits + 500, fits, fits) == {"keeps a statement or owns up to it"}


def test_a_statement_holds_in_every_slot_that_it_touches_and_only_there() -> None:
    touching = Interval(START + SLOT - timedelta(minutes=1), START + SLOT + timedelta(minutes=1))
    limit = about(Quantity.POWER, MOST, 1000, window=touching)
    asked = problem(PLAIN, constraints=(limit,))
    assert broken(asked, 1000, 1000, 8000, 8000) == set()
    assert broken(asked, 1500, 0, 0, 0) == broken(asked, 0, 1500, 0, 0) != set()
    gone = about(Quantity.POWER, MOST, 0, window=Interval(START - 9 * SLOT, START))
    assert broken(problem(PLAIN, constraints=(gone,)), 8000, 0, 0, 0) == set()
    early = about(Quantity.BATTERY, LEAST, 5000, at=START + SLOT - timedelta(minutes=5))
    assert broken(problem(STORING, constraints=(early,)), 4000, -4000, 0, 0) == set()


def test_an_appliance_holds_nothing_ready() -> None:
    machine = thing(0, 2000, shift=Shift(profile_w=(2000,), earliest=0, latest=3))
    for asked_for in (about(Quantity.RESERVE_UP, LEAST, 500, 0, 0), about(Quantity.RESERVE_DOWN, LEAST, 500, 1, 3)):
        asked = problem(machine, constraints=(asked_for,))
        assert broken(asked, 2000, 0, 0, 0) == {"keeps a statement or owns up to it"}


@pytest.mark.row("M4")
def test_what_a_store_holds_ready_comes_out_with_its_loss_and_goes_in_with_its_gain() -> None:
    # 1,000 Wh above the floor give 500 at the meter, 2 kW through a quarter-hour; what is not drawn is missed at 4.
    lossy = thing(-8000, 8000, store=store(level_now_wh=2000, discharge_permille=500))
    enough, too_much = about(Quantity.RESERVE_UP, LEAST, 2000), about(Quantity.RESERVE_UP, LEAST, 2100)
    assert broken(problem(lossy, constraints=(enough,)), 0, 0, 0, 0) == set()
    assert broken(problem(lossy, constraints=(too_much,)), 0, 0, 0, 0) == {"keeps a statement or owns up to it"}
    pump = thing(0, 1000, store=store(level_now_wh=1000, charge_permille=4000, level_max_wh=(3500,) * 4))
    undrawn, more = about(Quantity.RESERVE_UP, LEAST, 1000, 0, 0), about(Quantity.RESERVE_DOWN, LEAST, 1000, 0, 0)
    assert broken(problem(pump, constraints=(undrawn, more)), 1000, 0, 0, 0) == {"keeps a statement or owns up to it"}
    assert broken(problem(pump, constraints=(undrawn,)), 1000, 0, 0, 0) == set()
    assert broken(problem(pump, constraints=(more,)), 0, 1000, 0, 0) == set()


def test_only_statements_that_were_made_are_owned_up_to_and_by_rank() -> None:
    first, second = about(Quantity.POWER, MOST, 1000), about(Quantity.POWER, MOST, 900, priority=Priority.COMFORT)
    asked = problem(PLAIN, constraints=(first, second))
    unmet = Unmet(constraint=first, by=500), Unmet(constraint=second, by=600)
    assert broken(asked, 1500, 0, 0, 0, unmet=unmet) == set()
    assert broken(asked, 1500, 0, 0, 0, unmet=unmet[::-1]) == {"names what is unmet by rank"}
    assert broken(problem(PLAIN), 0, 0, 0, 0, unmet=unmet) == {"owns up to statements that were made"}


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"start": START + SLOT}, "a plan starts with its problem"),
        ({"exchange_w": (0,) * 3}, "one exchange per slot"),
        ({"power_w": {}}, "what can be shifted is planned"),
        ({"power_w": {THING: (0,) * 3}}, "one power per slot"),
        ({"power_w": {THING: (0,) * 4, AssetId("ghost"): (0,) * 4}}, "a power belongs to an asset that has one"),
        ({"level_wh": {}}, "what stores has levels"),
        ({"level_wh": {THING: (4000,)}}, "one level per slot"),
        ({"level_wh": {THING: (4000,) * 4, AssetId("ghost"): (0,) * 4}}, "a level belongs to an asset that has one"),
    ],
)  # fmt: skip
def test_a_plan_is_about_its_problem(changes: dict[str, Any], rule: str) -> None:
    assert broken(problem(STORING), 0, 0, 0, 0, **changes) == {rule}


@settings(max_examples=150)
@given(cases())
def test_nothing_is_wrong_with_an_honest_plan_that_keeps_everything(case: Case) -> None:
    assert violations(case.problem, honest_plan(case.problem, case.power_w)) == []


@settings(max_examples=100)
@given(cases(assets=4), st.data())
def test_any_power_that_breaks_a_bound_is_found(case: Case, data: st.DataObject) -> None:
    envelope = data.draw(st.sampled_from(case.problem.envelopes))
    slot = data.draw(st.integers(0, case.problem.slots - 1))
    up = data.draw(st.booleans())
    power = list(case.power_w[envelope.asset])
    power[slot] = envelope.hi_w[slot] + 1 if up else envelope.lo_w[slot] - 1
    lied: Plan = honest_plan(case.problem, {**case.power_w, envelope.asset: power})
    if envelope.fixed:
        lied = replace(lied, power_w={**lied.power_w, envelope.asset: tuple(power)})
    rules = {(v.rule, v.thing) for v in violations(case.problem, lied)}
    assert ("within power bounds", f"{envelope.asset} in slot {slot}") in rules


def test_random_problems_hold_every_kind_and_every_quantity() -> None:
    made = [random_case(seed, 14, 8, strained=True).problem for seed in range(60)]
    assert {e.asset.rsplit("-", 1)[0] for p in made for e in p.envelopes} == {name.replace(" ", "-") for name in KINDS}
    stated = [c for p in made for c in p.constraints]
    assert {c.quantity for c in stated} == set(Quantity)
    assert {c.reach for c in stated} == set(Reach)
    assert {c.priority for c in stated} == set(Priority)
    assert any(price < 0 for p in made for price in p.import_price)
    assert random_case(7, 14, 8) == random_case(7, 14, 8)

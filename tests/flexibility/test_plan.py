"""A plan is the best there is, keeps what outranks money, and says what it could not keep."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.flexibility.diary import in_force, line_w, schedules
from commonwatt.flexibility.plan import plan
from commonwatt.flexibility.problem import Plan, Problem
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
    Relation,
    Store,
    Verb,
)

START = datetime(2018, 11, 14, 12, tzinfo=UTC)
BATTERY, CAR, LOAD = AssetId("battery-01"), AssetId("car-01"), AssetId("home-01")


def load(power_w: list[int]) -> Envelope:
    return Envelope(asset=LOAD, zone="street", lo_w=tuple(power_w), hi_w=tuple(power_w))


def store(asset: AssetId, slots: int, level_wh: int, **changes: Any) -> Envelope:
    power_w = changes.pop("power_w", 4000)
    fields: dict[str, Any] = {
        "level_now_wh": level_wh,
        "level_min_wh": (0,) * slots,
        "level_max_wh": (10_000,) * slots,
        "capacity_wh": 10_000,
        "charge_permille": 1000,
        "discharge_permille": 1000,
        "wear_micro_per_kwh": 0,
    }
    least = changes.pop("least_import_w", 0)
    return Envelope(
        asset=asset,
        zone="street",
        lo_w=(-power_w,) * slots,
        hi_w=(power_w,) * slots,
        least_import_w=least,
        store=Store(**{**fields, **changes}),
    )


def problem(envelopes: list[Envelope], bought: list[int], sold: list[int] | None = None, **more: Any) -> Problem:
    return Problem(
        start=START,
        envelopes=tuple(envelopes),
        import_price=tuple(price * 10_000 for price in bought),
        export_price=tuple(price * 10_000 for price in sold or [1] * len(bought)),
        **more,
    )


def at_least(asset: AssetId, wh: int, slot: int, priority: Priority = Priority.OWNER) -> Constraint:
    return Constraint(
        quantity=Quantity.BATTERY, scope=(asset,), relation=Relation.AT_LEAST, value=wh,
        at=START + slot * SLOT, priority=priority,
    )  # fmt: skip


def at_most_w(watts: int, slots: int, priority: Priority = Priority.DSO) -> Constraint:
    return Constraint(
        quantity=Quantity.POWER, scope=("street",), reach=Reach.ZONE, relation=Relation.AT_MOST, value=watts,
        window=Interval(START, START + slots * SLOT), priority=priority,
    )  # fmt: skip


def cost(found: Plan, asked: Problem) -> float:
    bill = 0.0
    for watts, bought, sold in zip(found.exchange_w, asked.import_price, asked.export_price, strict=True):
        bill += watts / 4000 * (bought if watts > 0 else sold)
    return bill


@pytest.mark.row("W2")
def test_it_charges_when_cheap_and_supplies_at_the_peak() -> None:
    found = plan(problem([load([2000] * 4), store(BATTERY, 4, 0)], [10, 10, 40, 40]))
    assert [power > 0 for power in found.power_w[BATTERY]] == [True, False, False, False] or sum(
        found.power_w[BATTERY][:2]
    ) == 4000
    assert found.power_w[BATTERY][2:] == (-2000, -2000)
    assert found.exchange_w[2:] == (0, 0)


LEVELS = (0, 250, 500, 750, 1000)


def cheapest_by_hand(loads: list[int], bought: list[int], sold: list[int], level: int) -> tuple[int, float]:
    """Try every path of the battery over a grid of levels: least export first, then least money."""
    best: tuple[int, float] | None = None
    for path in product(LEVELS, repeat=len(loads)):
        before, exported, bill = level, 0, 0.0
        for energy, after, price, worth in zip(loads, path, bought, sold, strict=True):
            net = energy + after - before
            exported += max(0, -net)
            bill += net * (price if net > 0 else min(worth, price))
            before = after
        if best is None or (exported, bill) < best:
            best = (exported, bill)
    assert best is not None
    return best


@pytest.mark.row("E1")
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_path_of_the_battery_exports_less_or_as_little_for_less_money(data: st.DataObject) -> None:
    steps = st.sampled_from([-500, -250, 0, 250, 500])
    loads = data.draw(st.lists(steps, min_size=4, max_size=4))
    bought = data.draw(st.lists(st.integers(2, 40), min_size=4, max_size=4))
    sold = data.draw(st.lists(st.integers(0, 20), min_size=4, max_size=4))
    level = data.draw(st.sampled_from(LEVELS))
    asked = problem(
        [load([wh * 4 for wh in loads]), store(BATTERY, 4, level, level_max_wh=(1000,) * 4, capacity_wh=1000)],
        bought,
        sold,
    )
    found = plan(asked)
    exported, bill = cheapest_by_hand(loads, bought, sold, level)
    assert sum(max(0, -watts) for watts in found.exchange_w) / 4 <= exported + 25
    # The plan may export 20 Wh more than the least, so it may also be a little cheaper than the best path by hand.
    assert cost(found, asked) / 10_000 <= bill / 1000 + 0.5


@pytest.mark.row("E1")
def test_clean_energy_is_kept_for_the_street_even_where_exporting_would_pay() -> None:
    found = plan(problem([load([-4000, 0, 4000, 0]), store(BATTERY, 4, 0)], [12, 12, 12, 12], [11, 11, 11, 11]))
    assert found.exchange_w == (0, 0, 0, 0)


@pytest.mark.row("X1")
def test_an_owners_need_is_kept_at_any_price() -> None:
    found = plan(problem([load([0] * 4), store(CAR, 4, 0)], [90, 90, 90, 1], constraints=(at_least(CAR, 2000, 3),)))
    assert found.level_wh[CAR][2] >= 2000
    assert found.unmet == ()


@pytest.mark.row("X1")
def test_a_grid_limit_outranks_an_owner_and_the_shortfall_is_told() -> None:
    wish, limit = at_least(CAR, 3000, 4), at_most_w(2000, 4)
    found = plan(problem([load([0] * 4), store(CAR, 4, 0)], [10] * 4, constraints=(wish, limit)))
    assert max(found.exchange_w) <= 2001
    assert found.level_wh[CAR][3] == pytest.approx(2000, abs=2)
    ((unmet,), by) = ([item.constraint for item in found.unmet], found.unmet[0].by)
    assert unmet == wish
    assert by == pytest.approx(1000, abs=6)


@pytest.mark.row("X1")
def test_where_the_owner_outranks_it_is_the_limit_that_gives_way() -> None:
    wish, limit = at_least(CAR, 3000, 4, Priority.GRID), at_most_w(2000, 4)
    found = plan(problem([load([0] * 4), store(CAR, 4, 0)], [10] * 4, constraints=(wish, limit)))
    assert found.level_wh[CAR][3] >= 3000
    assert [item.constraint for item in found.unmet] == [limit]


def test_money_is_never_saved_at_a_statements_cost() -> None:
    wishes = (at_least(BATTERY, 5000, 4, Priority.COMFORT),)
    found = plan(problem([load([1000] * 4), store(BATTERY, 4, 5000)], [50] * 4, constraints=wishes))
    assert found.level_wh[BATTERY][3] >= 5000


def test_a_car_draws_nothing_or_at_least_its_six_amperes_in_the_next_hour() -> None:
    envelopes = [load([-700] * 4), store(CAR, 4, 0, least_import_w=1380, power_w=7360)]
    found = plan(problem(envelopes, [30] * 4, constraints=(at_least(CAR, 400, 4),)))
    assert all(power <= 0 or power >= 1379 for power in found.power_w[CAR])


def test_energy_over_a_window_is_bounded_as_a_sum() -> None:
    bound = Constraint(
        quantity=Quantity.ENERGY, scope=("street",), reach=Reach.ZONE, relation=Relation.AT_MOST, value=500,
        window=Interval(START, START + 2 * SLOT), priority=Priority.DSO,
    )  # fmt: skip
    found = plan(problem([load([2000] * 4), store(BATTERY, 4, 1000)], [10, 10, 90, 90], constraints=(bound,)))
    assert sum(found.exchange_w[:2]) / 4 <= 501


def test_negative_prices_do_not_make_a_battery_run_in_circles() -> None:
    found = plan(problem([load([0] * 2), store(BATTERY, 2, 9_800, discharge_permille=900)], [-30, -30], [-40, -40]))
    assert found.level_wh[BATTERY][1] <= 10_000
    assert sum(found.power_w[BATTERY]) / 4 <= 201


def test_the_same_problem_gives_the_same_plan() -> None:
    asked = problem([load([500, 900, -300, 4000]), store(BATTERY, 4, 700), store(CAR, 4, 0)], [13, 14, 15, 33])
    assert plan(asked) == plan(asked)


def test_lists_of_different_length_are_refused() -> None:
    with pytest.raises(InvalidValue, match="same slots"):
        problem([load([1, 2])], [1, 2, 3])


@pytest.mark.row("X2")
def test_a_plan_becomes_a_diary_in_which_every_entry_has_its_reason() -> None:
    asked = problem([load([2000] * 8), store(BATTERY, 8, 0)], [10] * 4 + [40] * 4)
    found = plan(asked)
    (schedule,) = schedules(found, asked, {BATTERY: [LOAD, BATTERY]}, {}, UTC)
    assert schedule.instructions[0].interval.start == START
    for one, after in zip(schedule.instructions, schedule.instructions[1:], strict=False):
        assert one.interval.end == after.interval.start
    assert schedule.instructions[-1].interval.end == START + 8 * SLOT
    assert all(entry.reason for entry in schedule.instructions)
    assert sum(entry.expected_wh for entry in schedule.instructions) == pytest.approx(
        sum(found.power_w[BATTERY]) / 4, abs=8
    )
    at_peak = in_force(schedule, START + timedelta(minutes=75))
    assert at_peak is not None
    assert at_peak.verb is Verb.SUPPLY
    assert "40.0 p/kWh" in at_peak.reason
    assert in_force(schedule, START + 8 * SLOT) is None


def test_at_the_kink_a_battery_is_told_to_hold_its_homes_line() -> None:
    asked = problem([load([2000] * 4), store(BATTERY, 4, 8000)], [40] * 4, final_value_micro_per_kwh=200_000)
    found = plan(asked)
    (schedule,) = schedules(found, asked, {BATTERY: [LOAD, BATTERY]}, {}, UTC)
    assert schedule.instructions[0].balance_w == line_w(found, asked, [LOAD, BATTERY], 0) == 0

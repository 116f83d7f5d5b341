"""What the grid calls for is known to be there before it is called, is split at once, and is kept by the plan anew."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.flexibility.checking.check import violations
from commonwatt.flexibility.effort import Effort
from commonwatt.flexibility.events.call import Event, EventKind, answer, at_once, called, held
from commonwatt.flexibility.events.ready import ready
from commonwatt.flexibility.exact.solve import solve
from commonwatt.flexibility.problem import Problem
from commonwatt.model import SLOT, AssetId, Envelope, Interval, InvalidValue, Priority, Quantity, Relation, Store
from flexibility.problems import START, random_case

SLOTS = 8
BATTERY, CAR = AssetId("battery"), AssetId("car")


def battery(**more: Any) -> Envelope:
    store = Store(
        level_now_wh=5_000, level_min_wh=(0,) * SLOTS, level_max_wh=(10_000,) * SLOTS, capacity_wh=10_000,
        charge_permille=1000, discharge_permille=1000,
    )  # fmt: skip
    fields = {"lo_w": (-4_000,) * SLOTS, "hi_w": (4_000,) * SLOTS, "store": store, **more}
    return Envelope(asset=BATTERY, zone="street", **fields)


def home(*more: Envelope, **fields: Any) -> Problem:
    load = Envelope(asset=AssetId("load"), zone="street", lo_w=(2_000,) * SLOTS, hi_w=(2_000,) * SLOTS)
    prices = {"import_price": (200_000,) * SLOTS, "export_price": (50_000,) * SLOTS, **fields}
    return Problem(start=START, envelopes=(load, *more), final_value_micro_per_kwh=150_000, **prices)


def event(kind: EventKind = EventKind.RESPONSE, power_w: int = 1_000, first: int = 2, last: int = 4) -> Event:
    window = Interval(START + first * SLOT, START + last * SLOT)
    return Event(kind=kind, announced=START, window=window, power_w=power_w, author="the grid")


@pytest.mark.row("M4")
def test_what_is_ready_is_read_off_the_plan_and_only_direct_control_counts() -> None:
    asked = home(battery())
    found = solve(asked)
    now = ready(asked, found)
    assert all(
        now.can_give(slot, now.up_w[slot]) and not now.can_give(slot, now.up_w[slot] + 1) for slot in range(SLOTS)
    )
    assert all(now.can_give(slot, -now.down_w[slot]) for slot in range(SLOTS))
    indirect = replace(asked, envelopes=(asked.envelopes[0], battery(direct=False)))
    assert ready(indirect, found).up_w == (0,) * SLOTS


@pytest.mark.row("X5")
@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 5))
def test_a_reserve_that_a_plan_holds_is_ready(seed: int, assets: int) -> None:
    asked = replace(random_case(seed, assets, SLOTS).problem, constraints=())
    call = event(EventKind.FREQUENCY, 500)
    found = solve(replace(asked, constraints=(held(call),)), Effort(gap=1e-3, nodes=200))
    if not found.unmet:
        now = ready(asked, found)
        # Whole watts and watt-hours of each asset, four of the latter in a slot's power.
        assert all(now.up_w[slot] >= 500 - 10 * assets for slot in (2, 3))


@pytest.mark.row("X5")
def test_an_event_is_split_at_once_by_what_each_has_ready() -> None:
    asked = home(battery(), replace(battery(), asset=CAR, lo_w=(-1_000,) * SLOTS))
    now = ready(asked, solve(asked))
    shares = at_once(event(EventKind.FREQUENCY, 900), now, 2)
    assert shares is not None
    assert sum(shares.values()) == 900
    assert all(watts <= now.up_of[asset][2] for asset, watts in shares.items())
    assert at_once(event(EventKind.FREQUENCY, now.up_w[2] + 1), now, 2) is None


@pytest.mark.row("X5")
@pytest.mark.parametrize("kind", EventKind)
def test_the_plan_anew_meets_what_is_called_in_every_slot_and_nothing_else_is_broken(kind: EventKind) -> None:
    asked = home(battery())
    before = solve(asked)
    call = event(kind, 1_000)
    found = answer(asked, before, call, Effort())
    assert found.met
    assert all(given <= bound for given, bound in zip(found.given_w, found.asked_w, strict=True))
    calls = called(call, before.exchange_w, asked)
    assert violations(replace(asked, constraints=calls), found.plan) == []
    assert [c.priority for c in calls] == [Priority.GRID] * 2


@pytest.mark.row("H6")
def test_demand_makes_a_home_export_that_would_else_keep_its_own() -> None:
    asked = home(battery())
    before = solve(asked)
    assert min(before.exchange_w) >= 0
    found = answer(asked, before, event(EventKind.DEMAND, 1_500), Effort())
    assert found.met
    assert all(given <= -1_500 for given in found.given_w)


def test_more_than_there_is_is_met_as_nearly_as_can_be_and_said_not_to_be_met() -> None:
    asked = home(battery())
    found = answer(asked, solve(asked), event(power_w=50_000), Effort())
    assert not found.met
    assert {unmet.constraint.quantity for unmet in found.plan.unmet} == {Quantity.POWER}


def test_a_call_for_more_draw_is_a_least_power() -> None:
    asked = home(battery())
    calls = called(event(power_w=-500), solve(asked).exchange_w, asked)
    assert {c.relation for c in calls} == {Relation.AT_LEAST}
    assert held(event(power_w=-500)).quantity is Quantity.RESERVE_DOWN


@pytest.mark.parametrize(("kind", "power_w"), [(EventKind.RESPONSE, 0), (EventKind.DEMAND, -5)])
def test_an_event_that_asks_for_nothing_is_none(kind: EventKind, power_w: int) -> None:
    with pytest.raises(InvalidValue, match="asks for some power"):
        event(kind, power_w)


def test_an_event_is_announced_before_it_is_due() -> None:
    with pytest.raises(InvalidValue, match="announced before"):
        replace(event(), announced=START + 5 * SLOT)

"""What a window comes to never leaves what was set aside for it, and is what a few lines of fractions say."""

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.market.contracts.payment import (
    Slot,
    availability,
    counted_wh,
    due,
    member_most,
    promised_wh,
    utility_most,
)
from commonwatt.market.contracts.terms import Direction, PaymentRule, Reference, Terms, Volume, Window
from commonwatt.model import AccountId

CHARGE, GIVE_BACK = Direction.CHARGE, Direction.GIVE_BACK
WINDOW = Window(start_s=0, end_s=3_600, direction=GIVE_BACK)
PRICES = st.integers(0, 10**9)


@st.composite
def all_terms(draw: st.DrawFn) -> Terms:
    reference = draw(st.sampled_from(Reference))
    return Terms(
        utility=AccountId("utility"),
        windows=(WINDOW,),
        most_w=10**9,
        volume=draw(st.sampled_from(Volume)),
        sale_micro_per_kwh=draw(st.integers(-(10**9), 10**9)),
        buy_back_micro_per_kwh=draw(PRICES),
        reference=reference,
        cap_micro_per_kwh=draw(PRICES) if reference is Reference.GRID else 0,
        availability_micro_per_kw_h=draw(PRICES),
        penalty_micro_per_kwh=draw(PRICES),
        rule=draw(st.sampled_from(PaymentRule)),
        whole_permille=draw(st.integers(1, 1000)),
        accept_by_s=0,
        dispute_s=0,
        resolve_s=0,
    )


@st.composite
def a_window(draw: st.DrawFn) -> tuple[Window, int, list[Slot]]:
    """Return a window, a promised power, and what its meter saw in the part of it that was called."""
    length = draw(st.integers(1, 8))
    power_w = draw(st.integers(1, 10**9))
    slots = [
        Slot(
            promised_wh=draw(st.sampled_from([promised_wh(power_w), 0])),
            moved_wh=draw(st.none() | st.integers(-(10**9), 10**9)),
            grid_micro_per_kwh=draw(st.integers(-(10**9), 10**9)),
        )
        for _ in range(draw(st.integers(0, length)))
    ]
    window = Window(start_s=0, end_s=900 * length, direction=draw(st.sampled_from(Direction)))
    return window, power_w, slots


@pytest.mark.row("W5")
@given(all_terms(), a_window())
def test_nobody_owes_more_than_was_set_aside(terms: Terms, told: tuple[Window, int, list[Slot]]) -> None:
    window, power_w, slots = told
    available = availability(terms, power_w, window.seconds)
    delivered, owed = due(terms, window.direction, available, slots)
    assert 0 <= delivered <= sum(slot.promised_wh for slot in slots)
    assert -member_most(terms, [(window, power_w)]) <= owed.net_micro <= utility_most(terms, [(window, power_w)])
    assert owed.availability_micro >= 0 <= owed.penalty_micro


@given(all_terms(), st.lists(st.tuples(a_window(), st.integers(1, 10**9)), max_size=5))
def test_what_many_can_be_owed_is_within_what_their_sum_can_be(
    terms: Terms, parts: list[tuple[tuple[Window, int, list[Slot]], int]]
) -> None:
    each = [(told[0], power_w) for told, power_w in parts]
    assert sum(utility_most(terms, [one]) for one in each) <= utility_most(terms, each)
    assert sum(member_most(terms, [one]) for one in each) <= member_most(terms, each)


@given(all_terms(), a_window())
def test_the_payment_is_what_fractions_say(terms: Terms, told: tuple[Window, int, list[Slot]]) -> None:
    window, _, slots = told
    counted = counted_wh(slots, terms.volume)
    delivered, owed = due(terms, window.direction, 0, slots)
    assert delivered == sum(counted)
    promised = sum(slot.promised_wh for slot in slots)
    whole = promised == 0 or Fraction(delivered, promised) >= Fraction(terms.whole_permille, 1000)
    all_or_nothing = terms.rule is PaymentRule.ALL_OR_NOTHING
    penalty = Fraction((promised - delivered) * terms.penalty_micro_per_kwh, 1000)
    assert owed.penalty_micro == (0 if all_or_nothing and whole else floor(penalty))
    worth = sum((_fraction(terms, window, wh, slot) for wh, slot in zip(counted, slots, strict=True)), Fraction(0))
    expected = 0 if all_or_nothing and not whole else abs(worth).__floor__() * (1 if worth >= 0 else -1)
    assert owed.energy_micro == expected


def _fraction(terms: Terms, window: Window, wh: int, slot: Slot) -> Fraction:
    grid = max(0, slot.grid_micro_per_kwh) if terms.reference is Reference.GRID else 0
    if window.direction is CHARGE:
        return Fraction(wh, 1000) * (min(grid, terms.cap_micro_per_kwh) - terms.sale_micro_per_kwh)
    return Fraction(wh, 1000) * max(0, terms.buy_back_micro_per_kwh - grid)


def seen(*moved: int | None, promised: int = 100) -> list[Slot]:
    return [Slot(promised_wh=promised, moved_wh=wh) for wh in moved]


def test_a_power_counts_slot_by_slot_and_an_energy_over_the_window() -> None:
    swing = seen(250, -50, 20, None)
    assert counted_wh(swing, Volume.POWER) == [100, 0, 20, 0]
    assert sum(counted_wh(swing, Volume.ENERGY)) == 220, "what flowed back is taken off"
    assert sum(counted_wh(seen(900, 0, 0, None), Volume.ENERGY)) == 300, "a slot that nobody saw delivers nothing"
    assert counted_wh(seen(-5, 2), Volume.ENERGY) == [0, 0]
    assert counted_wh([], Volume.ENERGY) == []


def test_who_was_not_called_is_paid_for_standing_ready_alone() -> None:
    terms = Terms(
        utility=AccountId("utility"),
        windows=(WINDOW,),
        most_w=1,
        availability_micro_per_kw_h=10_000,
        penalty_micro_per_kwh=5,
        accept_by_s=0,
        dispute_s=0,
        resolve_s=0,
    )
    ready = availability(terms, 2_000, 5_400)
    assert ready == 30_000
    delivered, owed = due(terms, GIVE_BACK, ready, [])
    assert (delivered, owed.net_micro, owed.penalty_micro) == (0, 30_000, 0)

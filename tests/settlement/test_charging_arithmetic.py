"""What a charging session comes to: nothing lost, nothing beyond what was authorised, the oracle in fractions."""

from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.model import InvalidValue
from commonwatt.settlement.charging import Fees, Mix, SlotTerms, bill, slots_between, spread_wh

MIXES = st.builds(
    Mix,
    solar_wh=st.integers(0, 9_000),
    watt_wh=st.integers(0, 9_000),
    other_wh=st.integers(0, 9_000),
    grid_wh=st.integers(0, 9_000),
)
PRICES = st.integers(-(10**6), 10**6)
FLOWS = st.lists(st.tuples(st.integers(0, 20_000), PRICES, MIXES), min_size=1, max_size=8)


@given(st.integers(0, 10**9), st.integers(0, 10**6), st.integers(1, 10**5))
def test_counts_are_spread_over_slots_by_time_and_lose_nothing(energy_wh: int, from_s: int, lasts_s: int) -> None:
    spread = spread_wh(energy_wh, from_s, from_s + lasts_s)
    assert sum(spread.values()) == energy_wh
    for slot_s, wh in spread.items():
        seconds = sum(1 for _ in range(max(from_s, slot_s), min(from_s + lasts_s, slot_s + 900)))
        assert seconds > 0
        assert abs(Fraction(energy_wh * seconds, lasts_s) - wh) < 1


def test_a_slot_belongs_to_a_span_that_touches_it() -> None:
    assert list(slots_between(900, 900)) == [900]
    assert list(slots_between(899, 900)) == [0]
    assert list(slots_between(901, 1_801)) == [900, 1_800]


@given(MIXES, st.integers(0, 10**6))
def test_a_mix_of_another_amount_keeps_each_share_to_the_watt_hour(mix: Mix, energy_wh: int) -> None:
    shares = mix.of(energy_wh)
    assert shares.total_wh == energy_wh
    if mix.total_wh:
        for name in ("solar_wh", "watt_wh", "other_wh", "grid_wh"):
            assert abs(Fraction(energy_wh * getattr(mix, name), mix.total_wh) - getattr(shares, name)) < 1
    else:
        assert shares.grid_wh == energy_wh


@given(FLOWS, st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 10**7), st.booleans())
def test_a_bill_adds_up_and_stays_within_what_was_authorised(
    slots: Sequence[tuple[int, int, Mix]], energy_wh: int, per_kwh: int, per_session: int, most_micro: int, told: bool
) -> None:
    terms = [SlotTerms(slot_s=900 * n, price_micro_per_kwh=price, mix=mix) for n, (_, price, mix) in enumerate(slots)]
    flowed = {900 * n: wh for n, (wh, _, _) in enumerate(slots)} if told else {}
    room = {900 * n: energy_wh for n in range(len(slots))}
    done = bill(energy_wh, flowed, terms, room, Fees(micro_per_kwh=per_kwh, micro_per_session=per_session), most_micro)
    assert done.energy_wh == energy_wh == sum(line.mix.total_wh for line in done.lines)
    weights = [flowed.get(term.slot_s, 0) for term in terms]
    weights = weights if any(weights) else [1] * len(terms)
    exact = sum(
        Fraction(energy_wh * weight * term.price_micro_per_kwh, sum(weights) * 1000)
        for weight, term in zip(weights, terms, strict=True)
    )
    # Each line is less than a Wh and half a micro from the exact one.
    slack = sum(Fraction(abs(term.price_micro_per_kwh), 1000) + 1 for term in terms)
    assert abs(done.energy_micro - exact) <= slack
    service = Fraction(energy_wh * per_kwh, 1000) + per_session if energy_wh else 0
    assert abs(done.service_micro - service) <= Fraction(1, 2)
    assert done.due_micro + done.unpaid_micro == max(0, done.energy_micro + done.service_micro)
    assert 0 <= done.due_micro <= most_micro
    assert done.due_micro == most_micro or not done.unpaid_micro


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(InvalidValue, match="has its terms"):
        bill(1, {900: 1}, [SlotTerms(slot_s=0, price_micro_per_kwh=1, mix=Mix())], {0: 1}, Fees(), 1)
    with pytest.raises(InvalidValue, match="has its terms"):
        bill(1, {}, [], {}, Fees(), 1)
    with pytest.raises(InvalidValue, match="later count is later"):
        spread_wh(1, 5, 5)
    with pytest.raises(InvalidValue, match="later count is later"):
        spread_wh(-1, 5, 6)
    with pytest.raises(InvalidValue, match="zero or more Wh"):
        Mix(solar_wh=-1)
    with pytest.raises(InvalidValue, match="a fee is zero"):
        Fees(micro_per_kwh=-1)


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 900)), min_size=1, max_size=8), st.integers(0, 9_000))
def test_no_slot_is_billed_more_than_it_has_room_for_and_what_fits_elsewhere_is_not_lost(
    slots: Sequence[tuple[int, int]], energy_wh: int
) -> None:
    terms = [SlotTerms(slot_s=900 * n, price_micro_per_kwh=1, mix=Mix()) for n in range(len(slots))]
    flowed = {900 * n: wh for n, (wh, _) in enumerate(slots)}
    room = {900 * n: wh for n, (_, wh) in enumerate(slots)}
    done = bill(energy_wh, flowed, terms, room, Fees(), 10**9)
    assert all(line.energy_wh <= room[line.slot_s] for line in done.lines)
    assert done.energy_wh == min(energy_wh, sum(room.values()))

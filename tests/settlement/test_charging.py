"""A session's arithmetic: whole Wh over slots, a price within its limit, sources that add up."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.model import SLOT_SECONDS, InvalidValue
from commonwatt.settlement.charging import (
    NOTHING,
    Bill,
    Mix,
    bill,
    by_slot,
    cut,
    differences,
    fit,
    joined,
    mix_of,
    receipt_lines,
    sources,
)

NOON = 1_780_315_200
energies = st.integers(0, 10**7)
moments = st.integers(NOON, NOON + 6 * 3600)
stretches = st.tuples(moments, st.integers(0, 3 * 3600), energies).map(lambda s: (s[0], s[0] + s[1], s[2]))
mixes = st.builds(Mix, neighbours_wh=energies, stored_wh=energies, grid_wh=energies)


def total(told: tuple[tuple[int, int], ...]) -> int:
    return sum(wh for _, wh in told)


def test_energy_over_two_slots_is_split_by_their_seconds() -> None:
    assert by_slot(NOON + 600, NOON + 1_500, 900) == ((NOON, 300), (NOON + 900, 600))
    assert by_slot(NOON, NOON + 900, 7) == ((NOON, 7),)
    assert by_slot(NOON + 900, NOON + 900, 1) == ((NOON + 900, 1),)
    assert by_slot(NOON, NOON + 900, 0) == ()
    with pytest.raises(InvalidValue, match="forward in time"):
        by_slot(NOON + 1, NOON, 5)


@given(stretches)
def test_a_split_over_slots_loses_nothing_and_is_within_one_wh_of_even(stretch: tuple[int, int, int]) -> None:
    from_s, to_s, energy_wh = stretch
    told = by_slot(from_s, to_s, energy_wh)
    assert total(told) == energy_wh
    for slot_s, wh in told:
        within_s = min(slot_s + SLOT_SECONDS, to_s) - max(slot_s, from_s)
        even = Fraction(energy_wh * within_s, to_s - from_s) if to_s > from_s else energy_wh
        assert abs(wh - even) < 1


@given(stretches, st.integers(0, 3600), energies)
def test_what_the_register_counted_is_all_laid_over_slots(
    stretch: tuple[int, int, int], more_s: int, counted_wh: int
) -> None:
    from_s, to_s, energy_wh = stretch
    streamed = by_slot(from_s, to_s, energy_wh)
    told = fit(streamed, from_s, to_s, to_s + more_s, counted_wh)
    assert total(told) == counted_wh
    assert [slot_s for slot_s, _ in told] == sorted({slot_s for slot_s, _ in told})
    assert all(from_s // SLOT_SECONDS <= slot_s // SLOT_SECONDS for slot_s, _ in told)
    assert all(slot_s < max(to_s + more_s, from_s + 1) for slot_s, _ in told), "nothing flows after the end"
    if counted_wh >= energy_wh:
        assert all(wh >= dict(streamed).get(slot_s, 0) for slot_s, wh in told)
        if more_s:
            assert joined(streamed, by_slot(to_s, to_s + more_s, counted_wh - energy_wh)) == told
    else:
        assert told == cut(streamed, counted_wh)
        assert all(wh <= dict(streamed)[slot_s] for slot_s, wh in told), "what was told last is cut first"


def test_what_is_too_much_is_cut_from_the_end() -> None:
    assert cut(((NOON, 500), (NOON + 900, 500)), 700) == ((NOON, 500), (NOON + 900, 200))
    assert cut(((NOON, 500), (NOON + 900, 500)), 500) == ((NOON, 500),)


def priced(told: tuple[tuple[int, int], ...], prices: dict[int, int], **more: int) -> Bill:
    terms = {"fee_micro_per_kwh": 50_000, "fee_micro_per_session": 200_000, "most_wh": 10**7, "most_micro": 10**12}
    return bill(told, prices, **(terms | more))


def test_a_bill_is_the_price_of_each_slot_and_the_stations_fee() -> None:
    due = priced(((NOON, 1_000), (NOON + 900, 500)), {NOON: 300_000, NOON + 900: 100_000})
    assert [(line.energy_wh, line.paid_micro) for line in due.lines] == [(1_000, 300_000), (500, 50_000)]
    assert due.fee_paid_micro == 75_000 + 200_000
    assert due.paid_micro == due.owed_micro == 625_000


def test_a_price_below_zero_costs_nothing_and_no_energy_has_no_fee() -> None:
    due = priced(((NOON, 1_000),), {NOON: -300_000})
    assert (due.lines[0].paid_micro, due.paid_micro) == (0, 250_000)
    assert priced((), {}) == NOTHING


@given(
    st.lists(st.tuples(st.integers(1, 50_000), st.integers(-(10**6), 10**6)), max_size=8),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(1, 100_000),
    st.integers(1, 10**8),
)
def test_nobody_pays_more_than_was_authorised_and_no_more_is_sold(
    slots: list[tuple[int, int]], per_kwh: int, per_session: int, most_wh: int, most_micro: int
) -> None:
    told = tuple((NOON + n * SLOT_SECONDS, wh) for n, (wh, _) in enumerate(slots))
    prices = {NOON + n * SLOT_SECONDS: price for n, (_, price) in enumerate(slots)}
    due = bill(
        told,
        prices,
        fee_micro_per_kwh=per_kwh,
        fee_micro_per_session=per_session,
        most_wh=most_wh,
        most_micro=most_micro,
    )
    assert due.energy_wh == min(total(told), most_wh)
    assert due.paid_micro == min(due.owed_micro, most_micro)
    assert all(0 <= line.paid_micro <= line.owed_micro for line in due.lines)
    assert due.fee_paid_micro == 0 or all(line.paid_micro == line.owed_micro for line in due.lines), "energy first"


def test_what_members_give_to_the_grid_while_others_take_came_from_neighbours() -> None:
    assert mix_of(exchanged_wh=100, called_wh=50, imported_wh=400, exported_wh=150) == Mix(
        neighbours_wh=250, stored_wh=50, grid_wh=250
    )
    assert mix_of(exchanged_wh=0, called_wh=0, imported_wh=100, exported_wh=900) == Mix(neighbours_wh=100)


def naive(energy_wh: int, mix: Mix) -> tuple[int, int, int]:
    """Give out one Wh after the other to whoever lacks most of their exact share, once its whole part is theirs."""
    weights = (mix.neighbours_wh, mix.stored_wh, mix.grid_wh)
    if not sum(weights):
        return 0, 0, energy_wh
    exact = [Fraction(energy_wh * weight, sum(weights)) for weight in weights]
    given_wh = [int(share) for share in exact]
    for _ in range(energy_wh - sum(given_wh)):
        lacks = [share - has for share, has in zip(exact, given_wh, strict=True)]
        given_wh[lacks.index(max(lacks))] += 1
    return given_wh[0], given_wh[1], given_wh[2]


@pytest.mark.row("E9")
@given(energies, mixes)
def test_sources_are_what_a_slow_oracle_gives(energy_wh: int, mix: Mix) -> None:
    found = sources(energy_wh, mix)
    assert (found.neighbours_wh, found.stored_wh, found.grid_wh) == naive(energy_wh, mix)
    assert found.neighbours_wh + found.stored_wh + found.grid_wh == energy_wh


def test_a_part_below_zero_is_no_source() -> None:
    with pytest.raises(InvalidValue, match="zero or more"):
        Mix(grid_wh=-1)


def test_a_receipts_lines_are_the_bills_with_sources() -> None:
    due = priced(((NOON, 1_000), (NOON + 900, 300)), {NOON: 300_000, NOON + 900: 1})
    lines = receipt_lines(due, {NOON: Mix(neighbours_wh=1, grid_wh=3), NOON + 900: Mix()})
    assert [(line.energy_wh, line.sources) for line in lines] == [
        (1_000, Mix(neighbours_wh=250, grid_wh=750)),
        (300, Mix(grid_wh=300)),
    ]


def test_a_newer_bill_differs_slot_by_slot() -> None:
    prices = {NOON: 300_000, NOON + 900: 100_000}
    older = priced(((NOON, 1_000), (NOON + 900, 500)), prices)
    newer = priced(((NOON, 900),), prices)
    assert differences(older, newer) == [(NOON, -100, -30_000), (NOON + 900, -500, -50_000)]
    assert differences(NOTHING, older) == [(NOON, 1_000, 300_000), (NOON + 900, 500, 50_000)]

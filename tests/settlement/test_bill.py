"""A bill adds up to what the account's money changed by, and names every entry once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.model import GRID, LOSSES, MINT, PAYMENT_PORT, AccountId, Commodity, Entry, InvalidValue, Memo
from commonwatt.settlement.bill import Bill, LineClass, bill
from commonwatt.settlement.statement import NOT_EARNED

ANA, BEN = AccountId("ana"), AccountId("ben")
NAMES = (ANA, BEN, GRID, PAYMENT_PORT, LOSSES)
MEMOS = (
    *("trade", "grid import", "grid export", "watt delivery", "watt trade", "purchase", "payout", "transfer"),
    *("shared", "shared import", "grid fee", "imbalance", "equalisation", "charging", "something new"),
)


def entry(
    commodity: Commodity, source: AccountId, target: AccountId, amount: int, memo: str, slot_s: int = 0, ref: str = ""
) -> Entry:
    return Entry(commodity=commodity, source=source, target=target, amount=amount, memo=memo, slot_s=slot_s, ref=ref)


ENTRIES = st.lists(
    st.builds(
        lambda commodity, pair, amount, memo, slot, ref: entry(
            commodity, pair[0], pair[1], amount, memo, 900 * slot, ref
        ),
        st.sampled_from(Commodity),
        st.permutations(NAMES),
        st.integers(1, 10**9),
        st.sampled_from(MEMOS),
        st.integers(0, 3),
        st.sampled_from(["", "7/4"]),
    ),
    max_size=20,
)
RATES = st.dictionaries(st.sampled_from(LineClass), st.integers(0, 300))


def numbered(entries: list[Entry]) -> list[tuple[int, Entry]]:
    return list(enumerate(entries))


@pytest.mark.row("M2")
@given(ENTRIES, RATES, st.integers(0, 3), st.integers(1, 3))
def test_a_bill_is_the_change_of_the_account_without_purchases_and_names_each_entry_once(
    entries: list[Entry], rates: dict[LineClass, int], first: int, slots: int
) -> None:
    from_s, to_s = 900 * first, 900 * (first + slots)
    told = bill(ANA, numbered(entries), from_s, to_s, tax_permille=rates)
    own = [
        (n, e)
        for n, e in enumerate(entries)
        if from_s <= e.slot_s < to_s and ANA in (e.source, e.target) and e.commodity is not Commodity.TSL
    ]
    change = sum(e.amount if e.target == ANA else -e.amount for _, e in own if e.commodity is Commodity.ERGON)
    assert -told.total_micro + told.purchases_micro == change
    bought_in = {n for n, e in own if e.commodity is Commodity.ERGON and e.memo in ("purchase", "payout")}
    named = [n for line in told.lines for n in line.entries]
    assert sorted(named) == [n for n, _ in own if n not in bought_in]
    energy = [(e.amount, e.target == ANA) for _, e in own if e.commodity is Commodity.ENERGY]
    assert told.import_wh == sum(wh for wh, inward in energy if inward)
    assert told.export_wh == sum(wh for wh, inward in energy if not inward)
    assert sum(line.energy_wh for line in told.lines) == told.import_wh - told.export_wh
    assert len({line.label for line in told.lines}) == len(told.lines)


def lines(told: Bill) -> list[tuple[str, int, int]]:
    return [(line.label, line.energy_wh, line.amount_micro) for line in told.lines]


def test_money_stands_beside_the_energy_that_it_was_paid_for_even_below_zero() -> None:
    told = bill(
        ANA,
        numbered(
            [
                entry(Commodity.ENERGY, BEN, ANA, 500, "trade", 0, "9/8"),
                entry(Commodity.ERGON, ANA, BEN, 100_000, "trade", 0, "9/8"),
                entry(Commodity.ENERGY, ANA, BEN, 300, "trade", 900, "9/8"),
                entry(Commodity.ERGON, ANA, BEN, 6_000, "trade", 900, "9/8"),  # a price below zero
                entry(Commodity.ENERGY, GRID, ANA, 200, "grid import"),
                entry(Commodity.ERGON, ANA, GRID, 60_000, "grid import"),
                entry(Commodity.ERGON, ANA, AccountId("station"), 5, "a wholly new memo"),
                entry(Commodity.WATT, MINT, ANA, 810, "watt minted"),
            ]
        ),
        0,
        1800,
    )
    assert lines(told) == [
        ("Energy bought from neighbours", 500, 100_000),
        ("Energy sold to neighbours", -300, 6_000),
        ("Energy from the grid", 200, 60_000),
        ("WATT minted for own sun", 0, 0),
        ("a wholly new memo", 0, 5),
    ]
    assert [line.price_micro_per_kwh for line in told.lines] == [200_000, -20_000, 300_000, None, None]
    assert told.lines[0].entries == (0, 1)
    assert (told.import_wh, told.export_wh, told.lines[3].watt_wh) == (700, 300, 810)


def test_tax_is_the_part_of_what_was_paid_and_of_nothing_sold() -> None:
    told = bill(
        ANA,
        numbered(
            [
                entry(Commodity.ENERGY, GRID, ANA, 100, "grid import"),
                entry(Commodity.ERGON, ANA, GRID, 105, "grid import"),
                entry(Commodity.ENERGY, ANA, GRID, 900, "grid export"),
                entry(Commodity.ERGON, GRID, ANA, 90, "grid export"),
                entry(Commodity.ERGON, ANA, GRID, 24, "grid fee"),
            ]
        ),
        0,
        900,
        tax_permille={LineClass.ENERGY: 50, LineClass.FEES: 200},
    )
    assert [(line.amount_micro, line.tax_micro) for line in told.lines] == [(105, 5), (-90, 0), (24, 4)]
    assert (told.total_micro, told.tax_micro) == (39, 9)


RATE = dict.fromkeys(LineClass, 1000)


@pytest.mark.parametrize("memo", sorted(set(Memo) - {Memo.CORRECTED_IMPORT, Memo.INTERCHANGE_RELEASED, *NOT_EARNED}))
@pytest.mark.parametrize("commodity", [Commodity.ENERGY, Commodity.WATT, None])
def test_what_a_member_sells_bears_no_tax_whatever_it_is_called(memo: Memo, commodity: Commodity | None) -> None:
    entries = [entry(Commodity.ERGON, BEN, ANA, 60, memo)]
    if commodity is not None:
        entries.append(entry(commodity, ANA, BEN, 5, memo))
    assert bill(ANA, numbered(entries), 0, 900, tax_permille=RATE).tax_micro == 0


@given(ENTRIES)
def test_a_line_holds_tax_only_where_the_member_paid_under_it(entries: list[Entry]) -> None:
    told = bill(ANA, numbered(entries), 0, 3_600, tax_permille=RATE)
    paid = {e.memo for e in entries if e.commodity is Commodity.ERGON and e.source == ANA}
    for line in told.lines:
        memos = {entries[n].memo for n in line.entries}
        assert line.tax_micro <= 0 or memos & paid


def test_one_line_may_hold_what_was_bought_and_what_was_sold_and_taxes_the_one_alone() -> None:
    memo = Memo.WATT_BOUGHT_BACK
    told = bill(
        ANA,
        numbered(
            [
                entry(Commodity.WATT, ANA, MINT, 400, memo, 0, "ben-battery"),
                entry(Commodity.ERGON, BEN, ANA, 120, memo, 0, "ben-battery"),
                entry(Commodity.ERGON, ANA, BEN, 60, memo, 0, "ana-battery"),
            ]
        ),
        0,
        900,
        tax_permille=RATE,
    )
    assert [(line.amount_micro, line.tax_micro) for line in told.lines] == [(-60, 30)]


def test_energy_that_turns_out_not_to_have_come_gives_its_tax_back() -> None:
    back = [
        entry(Commodity.ENERGY, ANA, GRID, 100, Memo.CORRECTED_IMPORT),
        entry(Commodity.ERGON, GRID, ANA, 30, Memo.CORRECTED_IMPORT),
    ]
    assert bill(ANA, numbered(back), 0, 900, tax_permille=RATE).tax_micro == -15


def test_a_bill_of_no_time_or_with_a_rate_below_zero_is_refused() -> None:
    with pytest.raises(InvalidValue, match="period"):
        bill(ANA, [], 900, 900)
    with pytest.raises(InvalidValue, match="rates"):
        bill(ANA, [], 0, 900, tax_permille={LineClass.ENERGY: -1})


NO_MEMBERS_ERGON = {Memo.LOSSES, Memo.COMMISSION, Memo.COMMISSION_SHARE, Memo.GENESIS, Memo.ENDOWMENT}
NO_MEMBERS_ERGON |= {Memo.INITIAL_DISTRIBUTION, Memo.WELCOME_GRANT}


@pytest.mark.parametrize("memo", sorted(set(Memo) - NO_MEMBERS_ERGON - set(NOT_EARNED)))
@pytest.mark.parametrize("pair", [(ANA, BEN), (BEN, ANA)])
def test_a_bill_has_words_for_whatever_can_be_booked(memo: Memo, pair: tuple[AccountId, AccountId]) -> None:
    told = bill(ANA, numbered([entry(Commodity.ERGON, *pair, 7, memo)]), 0, 900)
    assert [line.label == memo for line in told.lines] == [False]


def test_what_comes_back_from_another_community_stands_where_it_was_given() -> None:
    held = AccountId("neighbour:west:held")
    told = bill(
        ANA,
        numbered(
            [
                entry(Commodity.ERGON, ANA, held, 90, Memo.INTERCHANGE_PREPARED, 0, "1"),
                entry(Commodity.WATT, held, ANA, 400, Memo.INTERCHANGE, 900, "1"),
                entry(Commodity.ERGON, ANA, held, 50, Memo.INTERCHANGE_PREPARED, 0, "2"),
                entry(Commodity.ERGON, held, ANA, 50, Memo.INTERCHANGE_RELEASED, 900, "2"),
                entry(Commodity.WATT, ANA, held, 300, Memo.INTERCHANGE_PREPARED, 0, "3"),
                entry(Commodity.ERGON, held, ANA, 60, Memo.INTERCHANGE, 900, "3"),
                entry(Commodity.WATT, ANA, held, 200, Memo.INTERCHANGE_PREPARED, 0, "4"),
                entry(Commodity.WATT, held, ANA, 200, Memo.INTERCHANGE_RELEASED, 900, "4"),
            ]
        ),
        0,
        1800,
        tax_permille={LineClass.STORAGE: 1000},
    )
    assert [(line.label, line.watt_wh, line.amount_micro, line.tax_micro) for line in told.lines] == [
        ("WATT bought from another community", 400, 90, 45),
        ("WATT sold to another community", -300, -60, 0),
    ]

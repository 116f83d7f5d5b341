"""A statement adds up what the entries say, and statements of all accounts cancel out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.model import GRID, MINT, PAYMENT_PORT, AccountId, Commodity, Entry, OrderId, Trade
from commonwatt.settlement.settle import Delivery, PointReading, settle_slot
from commonwatt.settlement.statement import Statement, statement

ANA, BEN = AccountId("ana"), AccountId("ben")
NAMES = (ANA, BEN, GRID, PAYMENT_PORT)
MEMOS = ("trade", "grid import", "watt delivery", "watt trade", "watt bought back", "purchase", "payout", "losses")


def entry(commodity: Commodity, source: AccountId, target: AccountId, amount: int, memo: str) -> Entry:
    return Entry(commodity=commodity, source=source, target=target, amount=amount, memo=memo, slot_s=0)


ENTRIES = st.lists(
    st.builds(
        lambda commodity, pair, amount, memo: entry(commodity, pair[0], pair[1], amount, memo),
        st.sampled_from(Commodity),
        st.permutations(NAMES),
        st.integers(1, 10**9),
        st.sampled_from(MEMOS),
    ),
    max_size=20,
)


@pytest.mark.row("M2")
def test_a_slots_entries_become_a_bill_and_a_payslip() -> None:
    settlement = settle_slot(
        [
            PointReading(account=ANA, import_wh=0, export_wh=1_000),
            PointReading(account=BEN, import_wh=900, export_wh=0),
        ],
        (0, 100),
        [
            Trade(
                buyer=BEN,
                seller=ANA,
                bid=OrderId("2.0"),
                ask=OrderId("1.0"),
                energy_wh=500,
                price_micro_per_kwh=200_000,
            )
        ],
        [Delivery(seller=ANA, buyer=BEN, energy_wh=300)],
        import_price=300_000,
        export_price=100_000,
        slot_s=0,
    )
    ana, ben = statement(ANA, settlement.entries), statement(BEN, settlement.entries)
    assert ana == Statement(
        account=ANA,
        import_wh=0,
        export_wh=1_000,
        bought_wh=0,
        sold_wh=500,
        called_wh=0,
        supplied_wh=300,
        watt_bought_wh=0,
        watt_sold_wh=0,
        paid_micro=0,
        earned_micro=120_000,
        purchased_micro=0,
    )
    assert (ben.import_wh, ben.export_wh, ben.bought_wh, ben.called_wh) == (900, 0, 500, 300)
    assert (ben.paid_micro, ben.earned_micro, ben.net_micro) == (130_000, 0, -130_000)


def test_watt_is_bought_and_sold_for_money_but_minted_and_burned_without() -> None:
    entries = [
        entry(Commodity.WATT, MINT, ANA, 900, "mint"),
        entry(Commodity.WATT, ANA, BEN, 400, "watt trade"),
        entry(Commodity.ERGON, BEN, ANA, 80_000, "watt trade"),
        entry(Commodity.WATT, BEN, ANA, 50, "watt bought back"),
        entry(Commodity.ERGON, ANA, BEN, 30_000, "watt bought back"),
    ]
    ana, ben = statement(ANA, entries), statement(BEN, entries)
    assert (ana.watt_bought_wh, ana.watt_sold_wh) == (50, 400)
    assert (ben.watt_bought_wh, ben.watt_sold_wh) == (400, 50)
    assert (ana.earned_micro, ana.paid_micro, ana.net_micro) == (80_000, 30_000, 50_000)
    assert (ana.import_wh, ana.export_wh) == (0, 0), "a receipt is no energy"


@pytest.mark.row("H2")
def test_a_top_up_is_neither_earned_nor_paid() -> None:
    entries = [
        entry(Commodity.ERGON, PAYMENT_PORT, ANA, 5_000_000, "purchase"),
        entry(Commodity.ERGON, ANA, PAYMENT_PORT, 2_000_000, "payout"),
        entry(Commodity.ERGON, ANA, GRID, 700_000, "grid import"),
    ]
    ana = statement(ANA, entries)
    assert (ana.purchased_micro, ana.paid_micro, ana.earned_micro) == (3_000_000, 700_000, 0)


@given(ENTRIES)
def test_net_and_purchases_are_the_change_of_the_balance(entries: list[Entry]) -> None:
    for name in NAMES:
        told = statement(name, entries)
        change = sum(
            e.amount * ((e.target == name) - (e.source == name)) for e in entries if e.commodity is Commodity.ERGON
        )
        assert told.net_micro + told.purchased_micro == change
        assert told.net_micro == told.earned_micro - told.paid_micro


@given(ENTRIES)
def test_what_one_account_sends_another_receives(entries: list[Entry]) -> None:
    told = [statement(name, entries) for name in NAMES]
    energy = [e for e in entries if e.commodity is Commodity.ENERGY]
    assert sum(s.import_wh for s in told) == sum(s.export_wh for s in told) == sum(e.amount for e in energy)
    traded = sum(e.amount for e in energy if e.memo == "trade")
    assert sum(s.bought_wh for s in told) == sum(s.sold_wh for s in told) == traded
    called = sum(e.amount for e in energy if e.memo == "watt delivery")
    assert sum(s.called_wh for s in told) == sum(s.supplied_wh for s in told) == called
    assert sum(s.net_micro for s in told) == sum(s.purchased_micro for s in told) == 0


def test_entries_of_others_change_nothing() -> None:
    others = [entry(Commodity.ENERGY, GRID, BEN, 5, "grid import"), entry(Commodity.ERGON, BEN, GRID, 5, "grid import")]
    assert statement(ANA, others) == statement(ANA, [])


def test_what_is_prepared_for_another_community_and_given_back_is_neither_spent_nor_earned() -> None:
    held = AccountId("neighbour:west:held")
    told = statement(
        ANA,
        [
            entry(Commodity.ERGON, ANA, held, 90, "interchange prepared"),
            entry(Commodity.WATT, held, ANA, 400, "interchange"),
            entry(Commodity.ERGON, ANA, held, 50, "interchange prepared"),
            entry(Commodity.ERGON, held, ANA, 50, "interchange released"),
            entry(Commodity.WATT, ANA, held, 300, "interchange prepared"),
            entry(Commodity.ERGON, held, ANA, 60, "interchange"),
            entry(Commodity.WATT, ANA, held, 200, "interchange prepared"),
            entry(Commodity.WATT, held, ANA, 200, "interchange released"),
        ],
    )
    assert (told.watt_bought_wh, told.watt_sold_wh, told.paid_micro, told.earned_micro) == (400, 300, 90, 60)

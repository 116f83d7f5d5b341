"""Firm trades: who keeps their word is whole, who does not pays, and no Wh is counted for two trades."""

from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.model import (
    GRID,
    GRID_FEES,
    IMBALANCE,
    LOSSES,
    MARKET,
    AccountId,
    Commodity,
    OrderId,
    Trade,
    cost_micro,
)
from commonwatt.settlement.settle import NO_SUN, Imbalance, PointReading, Settlement, SoldAsSun, settle_slot
from commonwatt.settlement.sharing import NO_SHARING, Sharing, SharingTerms

ANA, BEN, CEM, DOT = PEOPLE = tuple(AccountId(name) for name in ("ana", "ben", "cem", "dot"))
IMPORT, EXPORT, PRICE = 300_000, 100_000, 200_000
DUAL = Imbalance(short=IMPORT, long=EXPORT)


def point(account: AccountId, import_wh: int, export_wh: int) -> PointReading:
    return PointReading(account=account, import_wh=import_wh, export_wh=export_wh)


def sale(seller: AccountId, buyer: AccountId, energy_wh: int, price: int = PRICE) -> Trade:
    bid, ask = OrderId("7"), OrderId("4")
    return Trade(buyer=buyer, seller=seller, bid=bid, ask=ask, energy_wh=energy_wh, price_micro_per_kwh=price)


def settled(
    points: list[PointReading],
    trades: Iterable[Trade] = (),
    imbalance: Imbalance | None = DUAL,
    sharing: SharingTerms = NO_SHARING,
    prices: tuple[int, int] = (IMPORT, EXPORT),
    as_sun: SoldAsSun = NO_SUN,
) -> Settlement:
    net_wh = sum(p.import_wh - p.export_wh for p in points)
    return settle_slot(
        points,
        (max(0, net_wh), max(0, -net_wh)),
        tuple(trades),
        (),
        import_price=prices[0],
        export_price=prices[1],
        slot_s=900,
        imbalance=imbalance,
        sharing=sharing,
        as_sun=as_sun,
    )


def sums(settlement: Settlement, commodity: Commodity) -> Counter[str]:
    found: Counter[str] = Counter()
    for entry in settlement.entries:
        if entry.commodity is commodity:
            found[entry.source] -= entry.amount
            found[entry.target] += entry.amount
    return found


def money(settlement: Settlement) -> Counter[str]:
    return sums(settlement, Commodity.ERGON)


@pytest.mark.row("M1")
def test_a_buyer_whose_seller_fails_pays_the_trades_price_and_the_seller_the_difference() -> None:
    paid = money(settled([point(ANA, 0, 300), point(BEN, 1_000, 0)], [sale(ANA, BEN, 1_000)]))
    assert paid[BEN] == -200_000, "1,000 Wh as agreed, though 700 of them came from the grid"
    assert paid[ANA] == 200_000 - 210_000, "paid for all she sold, less 700 Wh that were bought for her"
    assert paid[IMBALANCE] == 0


@pytest.mark.row("M1")
def test_a_seller_whose_buyer_fails_gets_the_trades_price_and_the_buyer_pays_the_difference() -> None:
    paid = money(settled([point(ANA, 0, 1_000), point(BEN, 400, 0)], [sale(ANA, BEN, 1_000)]))
    assert paid[ANA] == 200_000
    assert paid[BEN] == -200_000 + 60_000, "600 Wh that he did not take went to the grid for him"
    assert paid[IMBALANCE] == 0


def test_where_both_fail_alike_the_account_keeps_what_dual_prices_leave_and_nothing_of_a_single_price() -> None:
    points, trades = [point(ANA, 0, 0), point(BEN, 0, 0)], [sale(ANA, BEN, 1_000)]
    assert money(settled(points, trades)) == {ANA: -100_000, BEN: -100_000, IMBALANCE: 200_000}
    single = money(settled(points, trades, Imbalance(short=250_000, long=250_000)))
    assert single == {ANA: -50_000, BEN: 50_000, IMBALANCE: 0}


def test_who_keeps_their_word_pays_no_more_than_if_the_other_had_kept_theirs_too() -> None:
    kept = money(settled([point(ANA, 0, 1_000), point(BEN, 1_000, 0)], [sale(ANA, BEN, 1_000)]))
    for sent_wh in (0, 1, 333, 999):
        broken = money(settled([point(ANA, 0, sent_wh), point(BEN, 1_000, 0)], [sale(ANA, BEN, 1_000)]))
        assert broken[BEN] == kept[BEN]
        assert broken[ANA] < kept[ANA]


def test_two_trades_are_never_counted_against_one_metered_quantity() -> None:
    # The known error of a peer: each trade is compared with the whole meter, so 500 Wh serve 900 Wh of sales.
    points = [point(ANA, 0, 500), point(BEN, 450, 0), point(CEM, 450, 0)]
    trades = [sale(ANA, BEN, 450), sale(ANA, CEM, 450)]
    for imbalance, delivered in ((None, (450, 50)), (DUAL, (450, 50))):
        settlement = settled(points, trades, imbalance)
        assert settlement.delivered == delivered
        assert settlement.traded_wh == 500
    assert money(settled(points, trades))[ANA] == 2 * 90_000 - 120_000, "the 400 Wh that she lacked cost her once"
    twice = settled(
        [point(ANA, 0, 900), point(DOT, 0, 900), point(BEN, 500, 0)], [sale(ANA, BEN, 450), sale(DOT, BEN, 450)]
    )
    assert twice.delivered == (450, 50), "nor does what one buyer took"


def test_what_a_seller_sent_for_a_buyer_who_failed_is_not_sold_again_to_the_next() -> None:
    points = [point(ANA, 0, 500), point(BEN, 400, 0), point(CEM, 400, 0)]
    settlement = settled(points, [sale(ANA, BEN, 450), sale(ANA, CEM, 400)])
    assert settlement.delivered == (400, 50)
    energy = [
        (e.source, e.target, e.amount)
        for e in settlement.entries
        if e.memo == "trade kept" and e.commodity is Commodity.ENERGY
    ]
    assert energy == [(ANA, IMBALANCE, 50), (IMBALANCE, CEM, 350)]
    assert sums(settlement, Commodity.ENERGY)[IMBALANCE] == 0


@pytest.mark.row("M1")
@pytest.mark.parametrize("imbalance", [None, DUAL])
def test_what_is_sent_as_sun_is_no_more_than_the_roof_made_and_the_rest_is_the_sellers_lack(
    imbalance: Imbalance | None,
) -> None:
    points = [point(ANA, 0, 1_000), point(BEN, 100, 0), point(CEM, 1_000, 0)]
    trades = [sale(ANA, BEN, 400), sale(ANA, CEM, 1_000), sale(ANA, CEM, 100)]
    sun = SoldAsSun(trades=frozenset({0, 1}), sun_wh={ANA: 600})
    settlement = settled(points, trades, imbalance, as_sun=sun)
    if imbalance is None:
        assert settlement.delivered == (100, 500, 100), "what ben did not take of the sun cem may have"
        return
    assert (settlement.sent_wh, settlement.took_wh) == ((400, 200, 100), (100, 1_000, 0))
    agreed, lack = 1_500 * 200, 800 * 300
    unsold = 300 * 100
    assert money(settlement)[ANA] == agreed - lack + unsold


def test_who_was_not_heard_is_settled_at_the_price_for_the_unheard() -> None:
    prices = Imbalance(short=250_000, long=250_000, short_unheard=300_000, long_unheard=100_000)
    trades = [sale(ANA, BEN, 1_000)]
    assert money(settled([point(ANA, 0, 0), point(BEN, 0, 0)], trades, prices))[ANA] == -50_000
    silent = money(settled([], trades, prices))
    assert (silent[ANA], silent[BEN]) == (200_000 - 300_000, 100_000 - 200_000)


WH = st.integers(0, 3_000)
MONEY = st.integers(-400_000, 400_000)
POINTS = st.lists(st.builds(point, st.sampled_from(PEOPLE), WH, WH), max_size=6)
PAIRS = st.permutations(PEOPLE).map(lambda people: (people[0], people[1]))
TRADES = st.lists(st.builds(lambda pair, wh, price: sale(pair[0], pair[1], wh, price), PAIRS, WH, MONEY), max_size=5)
IMBALANCES = st.none() | st.builds(Imbalance, short=MONEY, long=MONEY)
SHARING = st.builds(
    SharingTerms,
    key=st.sampled_from(Sharing),
    price_micro_per_kwh=MONEY,
    fee_micro_per_kwh=st.integers(0, 90_000),
    permille=st.dictionaries(st.sampled_from(PEOPLE), st.integers(0, 250)),
    redistribute=st.booleans(),
)


@given(POINTS, TRADES, IMBALANCES, SHARING, st.tuples(MONEY, MONEY))
def test_a_slot_sums_to_zero_in_energy_and_money_whatever_was_agreed_and_kept(
    points: list[PointReading],
    trades: list[Trade],
    imbalance: Imbalance | None,
    sharing: SharingTerms,
    prices: tuple[int, int],
) -> None:
    settlement = settled(points, trades, imbalance, sharing, prices)
    energy, paid = sums(settlement, Commodity.ENERGY), money(settlement)
    assert sum(energy.values()) == sum(paid.values()) == 0
    for person in PEOPLE:
        assert energy[person] == sum(p.import_wh - p.export_wh for p in points if p.account == person)
    assert (energy[IMBALANCE], energy[MARKET], paid[MARKET], energy[GRID_FEES], energy[LOSSES]) == (0, 0, 0, 0, 0)
    net_wh = sum(p.import_wh - p.export_wh for p in points)
    assert paid[GRID] == cost_micro(max(0, net_wh), prices[0]) - cost_micro(max(0, -net_wh), prices[1])
    assert imbalance is not None or not paid[IMBALANCE]


def naive_due(
    points: list[PointReading], trades: list[Trade], imbalance: Imbalance, prices: tuple[int, int]
) -> Counter[str]:
    """What firm trades come to, position by position: all is paid as agreed, then each one's own lack or excess."""
    left = {person: [0, 0] for person in PEOPLE}
    for p in points:
        left[p.account][0] += p.import_wh
        left[p.account][1] += p.export_wh
    due: Counter[str] = Counter()
    for trade in trades:
        took = min(trade.energy_wh, left[trade.buyer][0])
        sent = min(trade.energy_wh, left[trade.seller][1])
        left[trade.buyer][0] -= took
        left[trade.seller][1] -= sent
        lack, excess = trade.energy_wh - sent, trade.energy_wh - took
        price = trade.price_micro_per_kwh
        due[trade.buyer] += cost_micro(took, price) + cost_micro(excess, price) - cost_micro(excess, imbalance.long)
        due[trade.seller] -= cost_micro(sent, price) + cost_micro(lack, price) - cost_micro(lack, imbalance.short)
    for person, (import_wh, export_wh) in left.items():
        due[person] += cost_micro(import_wh, prices[0]) - cost_micro(export_wh, prices[1])
    return due


@given(POINTS, TRADES, st.builds(Imbalance, short=MONEY, long=MONEY), st.tuples(MONEY, MONEY))
def test_everybody_pays_what_their_own_meter_and_trades_say_and_nothing_for_others(
    points: list[PointReading], trades: list[Trade], imbalance: Imbalance, prices: tuple[int, int]
) -> None:
    paid, due = money(settled(points, trades, imbalance, prices=prices)), naive_due(points, trades, imbalance, prices)
    assert {person: paid[person] for person in PEOPLE} == {person: -due[person] for person in PEOPLE}


@given(POINTS, TRADES, st.tuples(MONEY, MONEY), st.integers(0, 50_000))
def test_at_the_dearer_and_the_lower_of_the_grids_prices_the_imbalance_account_never_owes(
    points: list[PointReading], trades: list[Trade], grid: tuple[int, int], markup: int
) -> None:
    prices = Imbalance(short=max(grid) + markup, long=min(grid) - markup)
    owed = -money(settled(points, trades, prices, prices=grid))[IMBALANCE]
    assert owed <= 2 * (len(trades) + 1), "but for what rounds"


def test_shared_energy_is_paid_at_the_communitys_price_and_its_way_to_the_grid() -> None:
    terms = SharingTerms(key=Sharing.DYNAMIC, price_micro_per_kwh=150_000, fee_micro_per_kwh=40_000)
    points = [point(ANA, 0, 1_000), point(BEN, 900, 0), point(CEM, 300, 0)]
    settlement = settled(points, [sale(ANA, BEN, 400)], sharing=terms)
    # After the trade 600 Wh are left for 500 + 300 Wh: 375 and 225.
    paid = money(settlement)
    assert settlement.shared_wh == 600
    assert paid[CEM] == -(33_750 + 9_000) - 75 * 300
    assert paid[BEN] == -80_000 - (56_250 + 15_000) - 125 * 300
    assert paid[ANA] == 80_000 + 90_000
    assert paid[GRID_FEES] == 24_000


def test_pairs_say_who_gave_to_whom_and_what_a_home_gave_itself_costs_nobody_anything() -> None:
    terms = SharingTerms(key=Sharing.PAIRS, price_micro_per_kwh=100_000)
    settlement = settled([point(ANA, 100, 300), point(BEN, 500, 0)], sharing=terms)
    lines = [(e.source, e.target, e.amount, e.ref) for e in settlement.entries if e.memo == "shared"]
    assert lines == [
        (ANA, MARKET, 50, "ana/ana"),
        (MARKET, ANA, 50, "ana/ana"),
        (ANA, BEN, 250, "ana/ben"),
        (BEN, ANA, 25_000, "ana/ben"),
    ]

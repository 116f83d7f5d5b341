"""The slot auction against a naive one that matches Wh by Wh."""

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.market.auction import Clearing, clear_slot
from commonwatt.model import AccountId, InvalidValue, OrderId, Side, SlotOrder, round_div

IMPORT, EXPORT = 300_000, 100_000
SIDES = {"bid": Side.BID, "ask": Side.ASK}
PRICES = st.one_of(st.integers(EXPORT - 50_000, IMPORT + 50_000), st.sampled_from([99_999, 200_000, 200_001, 300_001]))
WISHES = st.lists(st.tuples(st.integers(1, 40), PRICES), max_size=8)


def orders(side: str, wishes: list[tuple[int, int]]) -> list[SlotOrder]:
    return [
        SlotOrder(
            id=OrderId(f"{side}.{i}"),
            owner=AccountId(f"{side}er-{i}"),
            side=SIDES[side],
            energy_wh=energy_wh,
            price_micro_per_kwh=price,
        )
        for i, (energy_wh, price) in enumerate(wishes)
    ]


def cleared(bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> Clearing:
    return clear_slot(orders("bid", bids) + orders("ask", asks), import_price=IMPORT, export_price=EXPORT)


def bought(clearing: Clearing) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for trade in clearing.trades:
        sums[trade.bid] += trade.energy_wh
    return dict(sums)


def sold(clearing: Clearing) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for trade in clearing.trades:
        sums[trade.ask] += trade.energy_wh
    return dict(sums)


def naive_auction(bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> tuple[int, int | None]:
    """Lay every Wh of both sides in a row, best first, and count how many face each other at a profit."""
    wanted = sorted((min(price, IMPORT) for wh, price in bids for _ in range(wh)), reverse=True)
    offered = sorted(max(price, EXPORT) for wh, price in asks for _ in range(wh))
    matched = [(b, a) for b, a in zip(wanted, offered, strict=False) if b >= a]
    return len(matched), round_div(sum(matched[-1]), 2) if matched else None


@pytest.mark.row("E5")
def test_all_trade_at_the_midpoint_of_the_last_two_limits_that_met() -> None:
    clearing = cleared([(100, 280_000), (100, 220_000), (100, 150_000)], [(150, 120_000), (100, 180_000)])
    assert clearing.price_micro_per_kwh == 200_000
    assert clearing.energy_wh == 200
    assert [(t.bid, t.ask, t.energy_wh, t.price_micro_per_kwh) for t in clearing.trades] == [
        ("bid.0", "ask.0", 100, 200_000),
        ("bid.1", "ask.0", 50, 200_000),
        ("bid.1", "ask.1", 50, 200_000),
    ]
    assert (clearing.trades[2].buyer, clearing.trades[2].seller) == ("bider-1", "asker-1")


@pytest.mark.row("E5")
@given(WISHES, WISHES)
def test_volume_and_price_are_those_of_matching_watt_hour_by_watt_hour(
    bids: list[tuple[int, int]], asks: list[tuple[int, int]]
) -> None:
    clearing = cleared(bids, asks)
    assert (clearing.energy_wh, clearing.price_micro_per_kwh) == naive_auction(bids, asks)


@given(WISHES, WISHES)
def test_no_single_price_would_have_moved_more(bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> None:
    at_best = 0
    for price in {price for _, price in bids + asks} | {IMPORT, EXPORT}:
        wanted = sum(wh for wh, limit in bids if min(limit, IMPORT) >= price)
        offered = sum(wh for wh, limit in asks if max(limit, EXPORT) <= price)
        at_best = max(at_best, min(wanted, offered))
    assert cleared(bids, asks).energy_wh == at_best


@given(WISHES, WISHES)
def test_the_price_keeps_within_the_grids_prices_and_every_matched_limit(
    bids: list[tuple[int, int]], asks: list[tuple[int, int]]
) -> None:
    clearing = cleared(bids, asks)
    limits = {order.id: order.price_micro_per_kwh for order in orders("bid", bids) + orders("ask", asks)}
    for trade in clearing.trades:
        assert trade.price_micro_per_kwh == clearing.price_micro_per_kwh
        assert max(EXPORT, limits[trade.ask]) <= trade.price_micro_per_kwh <= min(IMPORT, limits[trade.bid])


@given(WISHES, WISHES)
def test_what_is_bought_was_sold_and_nobody_gets_more_than_they_asked_for(
    bids: list[tuple[int, int]], asks: list[tuple[int, int]]
) -> None:
    clearing = cleared(bids, asks)
    assert sum(bought(clearing).values()) == sum(sold(clearing).values()) == clearing.energy_wh
    assert all(trade.energy_wh > 0 for trade in clearing.trades)
    for side, wishes, filled in (("bid", bids, bought(clearing)), ("ask", asks, sold(clearing))):
        assert all(filled.get(f"{side}.{i}", 0) <= wh for i, (wh, _) in enumerate(wishes))


@given(WISHES, WISHES)
def test_better_limits_are_served_in_full_and_equal_ones_in_proportion(
    bids: list[tuple[int, int]], asks: list[tuple[int, int]]
) -> None:
    clearing = cleared(bids, asks)
    demand = [(wh, -min(price, IMPORT), bought(clearing).get(f"bid.{i}", 0)) for i, (wh, price) in enumerate(bids)]
    supply = [(wh, max(price, EXPORT), sold(clearing).get(f"ask.{i}", 0)) for i, (wh, price) in enumerate(asks)]
    for side in (demand, supply):
        for _, rank, got in side:
            if got:
                assert all(full == wh for wh, other, full in side if other < rank)
        for rank in {rank for _, rank, _ in side}:
            level = [(wh, got) for wh, other, got in side if other == rank]
            part = Fraction(sum(got for _, got in level), sum(wh for wh, _ in level))
            assert all(abs(got - wh * part) < 1 for wh, got in level)


@pytest.mark.row("E5")
def test_equal_limits_share_what_is_left_and_the_odd_watt_hour_goes_to_the_earlier() -> None:
    clearing = cleared([(30, 250_000), (30, 200_000), (30, 200_000)], [(61, 150_000)])
    assert bought(clearing) == {"bid.0": 30, "bid.1": 16, "bid.2": 15}


@pytest.mark.row("E5")
def test_sellers_at_one_price_share_too() -> None:
    clearing = cleared([(40, 250_000)], [(10, 120_000), (20, 150_000), (40, 150_000)])
    assert sold(clearing) == {"ask.0": 10, "ask.1": 10, "ask.2": 20}


def test_a_bid_above_the_import_price_gets_no_better_place_than_one_at_it() -> None:
    clearing = cleared([(50, IMPORT), (50, IMPORT + 90_000)], [(50, 200_000)])
    assert bought(clearing) == {"bid.0": 25, "bid.1": 25}
    assert clearing.price_micro_per_kwh == 250_000


def test_an_ask_below_the_export_price_is_priced_as_one_at_it() -> None:
    clearing = cleared([(50, 200_000)], [(25, EXPORT), (50, -70_000)])
    assert sold(clearing) == {"ask.0": 17, "ask.1": 33}
    assert clearing.price_micro_per_kwh == 150_000


def test_limits_that_just_meet_trade_there_and_limits_that_just_miss_do_not() -> None:
    assert cleared([(5, 200_000)], [(5, 200_000)]).price_micro_per_kwh == 200_000
    assert cleared([(5, 200_000)], [(5, 200_001)]) == Clearing(None, 0, ())


@pytest.mark.parametrize("export_price", [IMPORT, IMPORT + 1])
def test_there_is_no_auction_where_the_grid_pays_as_much_as_it_takes(export_price: int) -> None:
    bids, asks = orders("bid", [(5, IMPORT)]), orders("ask", [(5, EXPORT)])
    assert clear_slot(bids + asks, import_price=IMPORT, export_price=export_price) == Clearing(None, 0, ())
    assert clear_slot(bids + asks, import_price=IMPORT, export_price=IMPORT - 1).energy_wh == 5


def test_neighbours_trade_at_prices_below_zero_as_at_any_other() -> None:
    bids, asks = orders("bid", [(5, -20_000)]), orders("ask", [(7, -80_001)])
    clearing = clear_slot(bids + asks, import_price=-10_000, export_price=-90_000)
    assert (clearing.price_micro_per_kwh, clearing.energy_wh) == (-50_000, 5)


@pytest.mark.parametrize("export_price", [EXPORT, IMPORT])
def test_an_owner_who_bids_and_asks_in_one_slot_is_refused(export_price: int) -> None:
    bid, ask = orders("bid", [(5, 250_000)])[0], orders("ask", [(5, 150_000)])[0]
    own = SlotOrder(id=ask.id, owner=bid.owner, side=Side.ASK, energy_wh=5, price_micro_per_kwh=290_000)
    with pytest.raises(InvalidValue, match="bider-0"):
        clear_slot([bid, ask, own], import_price=IMPORT, export_price=export_price)

"""Sub-auctions in columns against the same by hand, and what people may rely on when they prefer something."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.kernels.auctions import call, pairs
from commonwatt.market.auction import Clearing, clear_slot
from commonwatt.market.call.staged import tree
from commonwatt.model import AccountId, InvalidValue, OrderId, Side, SlotOrder, Source, Zone, share_wh
from oracles.call_auction import Market, first_preference

IMPORT, EXPORT = 300_000, 100_000
GRID = (IMPORT, EXPORT)
NAMES = [AccountId(name) for name in ("anna", "ben", "cleo", "dan", "eve", "fred")]
STREETS = (
    Zone(name="town", fee_micro_per_kwh=30_000),
    Zone(name="east", parent="town", fee_micro_per_kwh=5_000, most_out_wh=30, most_in_wh=25),
    Zone(name="west", parent="town", most_in_wh=40),
    Zone(name="lane", parent="east", fee_micro_per_kwh=1_000, most_out_wh=20),
)


def order(owner: str, side: Side, wh: int, price: int, **likes: object) -> SlotOrder:
    return SlotOrder(
        id=OrderId(f"{owner}-{side}-{wh}-{price}"),
        owner=AccountId(owner),
        side=side,
        energy_wh=wh,
        price_micro_per_kwh=price,
        **likes,  # type: ignore[arg-type]  # named as the fields are
    )


@st.composite
def slots(draw: st.DrawFn) -> tuple[list[SlotOrder], dict[AccountId, str], tuple[Zone, ...]]:
    sides = {name: draw(st.sampled_from(Side)) for name in NAMES}
    orders = []
    for n in range(draw(st.integers(0, 12))):
        owner = draw(st.sampled_from(NAMES))
        partner = draw(st.none() | st.sampled_from([name for name in NAMES if name != owner]))
        orders.append(
            SlotOrder(
                id=OrderId(str(n)),
                owner=owner,
                side=sides[owner],
                energy_wh=draw(st.integers(1, 30)),
                price_micro_per_kwh=draw(
                    st.sampled_from([90_000, 120_000, 150_000, 150_001, 200_000, 240_000, 310_000])
                ),
                source=draw(st.sampled_from(Source)),
                near=draw(st.booleans()),
                partner=partner if draw(st.booleans()) else None,
                premium_micro_per_kwh=draw(st.sampled_from([0, 0, 10_000, 60_000])),
                strict=draw(st.booleans()),
            )
        )
    zones = draw(st.sampled_from([(), STREETS, STREETS[:3]]))
    homes = st.sampled_from(["", *(zone.name for zone in zones), "elsewhere"])
    return orders, {name: home for name in NAMES if (home := draw(homes))}, zones


def told(clearing: Clearing) -> Counter[tuple[str, str, int, int, int]]:
    return Counter(
        (trade.bid, trade.ask, trade.energy_wh, trade.price_micro_per_kwh, trade.fee_micro_per_kwh)
        for trade in clearing.trades
    )


@pytest.mark.row("M1")
@pytest.mark.row("E15")
@settings(max_examples=300)
@given(slots())
def test_columns_trade_as_by_hand(slot: tuple[list[SlotOrder], dict[AccountId, str], tuple[Zone, ...]]) -> None:
    orders, zone_of, zones = slot
    clearing = clear_slot(orders, import_price=IMPORT, export_price=EXPORT, zones=zones, zone_of=zone_of)
    assert told(clearing) == Counter(Market(orders, zones, zone_of, GRID).run())


@pytest.mark.row("M1")
@given(slots())
def test_no_preference_breaks_a_limit_or_a_border(
    slot: tuple[list[SlotOrder], dict[AccountId, str], tuple[Zone, ...]],
) -> None:
    orders, zone_of, zones = slot
    clearing = clear_slot(orders, import_price=IMPORT, export_price=EXPORT, zones=zones, zone_of=zone_of)
    by_id = {one.id: one for one in orders}
    filled: Counter[str] = Counter()
    for trade in clearing.trades:
        bid, ask = by_id[trade.bid], by_id[trade.ask]
        paid = trade.price_micro_per_kwh + trade.fee_micro_per_kwh
        assert paid <= min(IMPORT, bid.price_micro_per_kwh + bid.premium_micro_per_kwh)
        assert trade.price_micro_per_kwh >= max(EXPORT, ask.price_micro_per_kwh - ask.premium_micro_per_kwh)
        if bid.strict and bid.source is not Source.ANY and bid.partner is None:
            assert ask.source >= bid.source
        for one, other in ((bid, ask), (ask, bid)):
            if one.strict and first_preference(one) == "partner":
                assert one.partner == other.owner
            if one.strict and first_preference(one) == "near" and zone_of.get(one.owner) == "lane":
                assert zone_of.get(other.owner) == "lane"
        filled[bid.id] += trade.energy_wh
        filled[ask.id] += trade.energy_wh
    assert all(wh <= by_id[OrderId(one)].energy_wh for one, wh in filled.items())


@pytest.mark.row("M1")
def test_who_prefers_sun_gets_it_first_and_pays_the_premium_for_it() -> None:
    orders = [
        order("anna", Side.BID, 10, 200_000),
        order("ben", Side.BID, 10, 200_000, source=Source.SOLAR, premium_micro_per_kwh=40_000),
        order("cleo", Side.ASK, 10, 150_000, source=Source.SOLAR),
        order("dan", Side.ASK, 10, 150_000),
    ]
    sun, other = clear_slot(orders, import_price=IMPORT, export_price=EXPORT).trades
    assert (sun.buyer, sun.seller, sun.price_micro_per_kwh) == ("ben", "cleo", 195_000)
    assert (other.buyer, other.seller, other.price_micro_per_kwh) == ("anna", "dan", 175_000)


@pytest.mark.row("M1")
def test_partners_meet_before_all_others_and_neighbours_before_strangers() -> None:
    zone_of = {AccountId("anna"): "east", AccountId("cleo"): "east", AccountId("ben"): "west", AccountId("dan"): "west"}
    orders = [
        order("anna", Side.BID, 10, 200_000),
        order("ben", Side.BID, 10, 290_000, partner=AccountId("cleo")),
        order("cleo", Side.ASK, 15, 150_000),
        order("dan", Side.ASK, 30, 110_000),
    ]
    clearing = clear_slot(orders, import_price=IMPORT, export_price=EXPORT, zones=STREETS, zone_of=zone_of)
    assert [(t.buyer, t.seller, t.energy_wh, t.fee_micro_per_kwh) for t in clearing.trades] == [
        ("ben", "cleo", 10, 30_000),
        ("anna", "cleo", 5, 5_000),
        ("anna", "dan", 5, 30_000),
    ]


@pytest.mark.row("E15")
def test_a_border_lets_the_best_pass_and_no_more() -> None:
    zone_of = {AccountId(name): "east" for name in ("anna", "ben")} | {AccountId("cleo"): "west"}
    orders = [
        order("anna", Side.ASK, 40, 120_000),
        order("ben", Side.ASK, 20, 110_000),
        order("cleo", Side.BID, 100, 290_000),
    ]
    clearing = clear_slot(orders, import_price=IMPORT, export_price=EXPORT, zones=STREETS, zone_of=zone_of)
    assert [(t.seller, t.energy_wh) for t in clearing.trades] == [("ben", 20), ("anna", 10)]
    assert clearing.energy_wh == 30, "east may send 30 Wh in a slot"


@pytest.mark.parametrize(
    ("zones", "says"),
    [
        ([Zone(name="a", parent="b")], "one that is there"),
        ([Zone(name="a", parent="b"), Zone(name="b", parent="a"), Zone(name="c")], "inside each other"),
        ([Zone(name="0"), *(Zone(name=str(n), parent=str(n - 1)) for n in range(1, 10))], "inside each other"),
    ],
)
def test_zones_that_cannot_be_are_refused(zones: list[Zone], says: str) -> None:
    with pytest.raises(InvalidValue, match=says):
        tree(zones)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([1, 3, 50]), st.sampled_from([0, 10, 30_000]))
def test_many_groups_at_once_are_each_cleared_as_alone(seed: int, groups: int, count: int) -> None:
    chance = np.random.default_rng(seed)
    group = chance.integers(-1, groups, count).astype(np.int32)
    side = chance.integers(0, 2, count).astype(np.uint8)
    limit = (10 * chance.integers(-5, 20, count)).astype(np.int32)
    wh = chance.integers(0, 50, count).astype(np.int32)
    called = call(group, side, limit, wh, groups)
    made = pairs(called)
    assert (np.bincount(made.bid, made.energy_wh, count)[side == 0] == called.filled_wh[side == 0]).all()
    assert (np.bincount(made.ask, made.energy_wh, count)[side == 1] == called.filled_wh[side == 1]).all()
    one = int(chance.integers(0, groups))
    alone = call(np.where(group == one, 0, -1).astype(np.int32), side, limit, wh, 1)
    assert (called.filled_wh[group == one] == alone.filled_wh[group == one]).all()
    assert (called.price[one], called.energy_wh[one]) == (alone.price[0], alone.energy_wh[0])


@given(st.lists(st.integers(1, 10**9), min_size=2, max_size=60), st.data())
def test_large_orders_share_the_margin_exactly(wanted: list[int], data: st.DataObject) -> None:
    given_wh = data.draw(st.integers(1, min(10**9, sum(wanted) - 1)))
    side = np.array([0, *[1] * len(wanted)], np.uint8)
    wh = np.array([given_wh, *wanted], np.int32)
    zeros = np.zeros(len(wh), np.int32)
    assert call(zeros, side, zeros, wh, 1).filled_wh[1:].tolist() == share_wh(given_wh, wanted)

"""The slot market and the WATT book: what is backed trades, at the price that the rules say."""

import pytest
from community import EXPORT, IMPORT, NOON, PREPAID, Community, Flow

from commonwatt.flows.rulebook.market import order_bodies, watt_book
from commonwatt.model import SLOT_SECONDS, AssetKind, Commodity, Kind, Outcome, Side

SUNNY = Flow(solar_wh=1_000, charge_wh=1_000)
"""A clean charge: 900 Wh are stored, 810 WATT are minted."""
NEXT = NOON + SLOT_SECONDS


def close_gate(community: Community) -> None:
    """Let the gate of the current slot close; the next request, whatever it asks, clears its market."""
    community.now_s = community.slot_s + 60
    community.agree("anna", "anna-battery")


def test_a_slots_market_is_open_until_its_gate_and_not_after() -> None:
    community = Community(2)
    community.now_s = NOON + 59
    assert community.order("anna", Side.BID, 100, IMPORT, NOON) is Outcome.BOOKED
    community.now_s = NOON + 60
    assert community.order("ben", Side.ASK, 100, EXPORT, NOON) is Outcome.TOO_LATE
    assert community.order("ben", Side.ASK, 100, EXPORT, NOON - SLOT_SECONDS) is Outcome.TOO_LATE
    assert community.order("ben", Side.ASK, 100, EXPORT, NEXT) is Outcome.BOOKED
    assert community.state.slot_market.clearing(NOON).trades == ()


def test_an_order_is_for_a_slot_whose_price_is_known() -> None:
    community = Community(1)
    assert community.order("anna", Side.ASK, 1, 0, NOON + 96 * SLOT_SECONDS) is Outcome.UNKNOWN_THING
    assert community.order("anna", Side.ASK, 1, 0, NEXT + 1) is Outcome.TOO_LATE
    assert community.state.slot_market.slots() == []


def test_a_member_stands_on_one_side_of_a_slot_with_a_few_price_steps() -> None:
    community = Community(2)
    for step in range(8):
        assert community.order("anna", Side.BID, 100, IMPORT - step, NEXT) is Outcome.BOOKED
    assert community.order("anna", Side.BID, 100, IMPORT, NEXT) is Outcome.ALREADY_THERE
    assert community.order("anna", Side.ASK, 100, EXPORT, NEXT) is Outcome.ALREADY_THERE
    assert community.order("anna", Side.ASK, 100, EXPORT, NEXT + SLOT_SECONDS) is Outcome.BOOKED
    assert community.order("ben", Side.ASK, 100, EXPORT, NEXT) is Outcome.BOOKED


@pytest.mark.row("H11")
def test_a_bid_without_money_is_not_backed_and_money_is_promised_once() -> None:
    community = Community(2, prepaid_micro=300_000)
    assert community.order("anna", Side.BID, 1_001, IMPORT, NOON) is Outcome.NOT_BACKED
    assert community.order("anna", Side.BID, 600, IMPORT, NOON) is Outcome.BOOKED
    assert community.order("anna", Side.BID, 401, IMPORT, NEXT) is Outcome.NOT_BACKED
    assert community.order("anna", Side.BID, 400, IMPORT, NEXT) is Outcome.BOOKED
    assert community.order("ben", Side.ASK, 5_000, EXPORT, NOON) is Outcome.BOOKED, "an ask promises no money"
    assert community.ergon("anna") == 300_000, "nothing is paid before the meters have spoken"


def test_money_promised_to_a_slot_is_free_again_once_the_slot_is_settled() -> None:
    community = Community(2, prepaid_micro=300_000)
    assert community.order("anna", Side.BID, 1_000, IMPORT, NOON) is Outcome.BOOKED
    assert community.order("anna", Side.BID, 1_000, IMPORT, NEXT) is Outcome.NOT_BACKED
    community.live()
    assert community.order("anna", Side.BID, 1_000, IMPORT, NEXT) is Outcome.BOOKED


@pytest.mark.row("M1")
def test_everyone_trades_at_the_midpoint_of_the_crossing() -> None:
    community = Community(3)
    assert community.order("cleo", Side.BID, 1_000, 260_000, NOON) is Outcome.BOOKED
    assert community.order("anna", Side.ASK, 600, 140_000, NOON) is Outcome.BOOKED
    assert community.order("ben", Side.ASK, 600, 180_000, NOON) is Outcome.BOOKED
    close_gate(community)
    # 600 Wh of anna's and 400 Wh of ben's meet the bid; the last two limits that met are 260,000 and 180,000.
    clearing = community.state.slot_market.clearing(NOON)
    assert (clearing.price_micro_per_kwh, clearing.energy_wh) == (220_000, 1_000)
    assert [(t.seller, t.buyer, t.energy_wh, t.price_micro_per_kwh) for t in clearing.trades] == [
        ("anna", "cleo", 600, 220_000),
        ("ben", "cleo", 400, 220_000),
    ]
    community.live(anna=Flow(solar_wh=600), ben=Flow(solar_wh=600), cleo=Flow(load_wh=1_000))
    assert community.ergon("cleo") == PREPAID - 220_000
    assert community.ergon("anna") == PREPAID + 132_000
    assert community.ergon("ben") == PREPAID + 88_000 + 20_000, "what no neighbour bought, the grid takes"
    assert community.ergon("grid") == -20_000
    assert community.ergon("losses") == 0


@pytest.mark.row("M1")
def test_a_trade_moves_no_more_than_the_meters_bear_out() -> None:
    community = Community(2)
    community.order("ben", Side.BID, 1_000, IMPORT, NOON)
    community.order("anna", Side.ASK, 1_000, EXPORT, NOON)
    close_gate(community)
    community.live(anna=Flow(solar_wh=300), ben=Flow(load_wh=800))
    assert community.entries("trade", Commodity.ENERGY) == [("anna", "ben", 300)]
    assert community.entries("trade", Commodity.ERGON) == [("ben", "anna", 60_000)]
    assert community.entries("grid import", Commodity.ERGON) == [("ben", "grid", 150_000)]


@pytest.mark.parametrize(("bought", "sold"), [(100_000, 100_000), (-20_000, 50_000)])
def test_there_is_no_auction_where_the_grid_pays_no_less_than_it_takes(bought: int, sold: int) -> None:
    community = Community(2, priced_slots=0)
    community.tell_prices(NOON, [(bought, sold)])
    community.order("ben", Side.BID, 1_000, 1_000_000, NOON)
    community.order("anna", Side.ASK, 1_000, 0, NOON)
    close_gate(community)
    assert community.state.slot_market.clearing(NOON).trades == ()
    community.live(anna=Flow(solar_wh=1_000), ben=Flow(load_wh=1_000))
    assert community.ergon("ben") == PREPAID - bought
    assert community.ergon("anna") == PREPAID + sold


@pytest.mark.row("E4")
@pytest.mark.row("H11")
def test_a_watt_trade_moves_both_legs_at_the_earlier_orders_price() -> None:
    community = Community(2)
    community.live(anna=SUNNY)
    assert community.watt("anna") == 810
    community.order("anna", Side.ASK, 500, 200_000)
    assert community.order("ben", Side.BID, 400, 250_000) is Outcome.BOOKED
    assert community.entries("watt trade") == [("anna", "ben", 400), ("ben", "anna", 80_000)]
    assert (community.watt("anna"), community.watt("ben")) == (410, 400)
    assert [order.energy_wh for order in community.state.book.orders()] == [100]


@pytest.mark.row("H11")
def test_a_watt_trade_without_money_or_without_watt_moves_nothing() -> None:
    community = Community(2, prepaid_micro=0)
    community.live(anna=SUNNY)
    community.order("anna", Side.ASK, 500, 200_000)
    assert community.order("ben", Side.BID, 400, 250_000) is Outcome.BOOKED, "it may stand until it is backed"
    assert community.entries("watt trade") == []
    community.pay("ben", 20_000, "too little for all")
    community.order("anna", Side.ASK, 1, 300_000)
    assert community.entries("watt trade") == [("anna", "ben", 100), ("ben", "anna", 20_000)]
    assert community.ergon("ben") == 0


@pytest.mark.row("E4")
def test_an_ask_stands_before_its_energy_and_trades_once_the_meter_has_seen_it() -> None:
    community = Community(2)
    community.order("ben", Side.BID, 400, 250_000)
    assert community.order("anna", Side.ASK, 500, 200_000) is Outcome.BOOKED
    assert watt_book.quotes(community.state).buying == 200_000
    assert watt_book.quotes(community.state).selling == 250_000, "the book may overlap"
    assert community.entries("watt trade") == []
    community.live(anna=SUNNY)
    assert community.entries("watt trade") == [("anna", "ben", 400), ("ben", "anna", 100_000)]


@pytest.mark.row("E6")
def test_nobody_buys_watt_beyond_b_max() -> None:
    community = Community(2, b_max_wh=700)
    community.live(anna=SUNNY)
    community.live(ben=Flow(solar_wh=500, charge_wh=500))
    assert (community.watt("anna"), community.watt("ben")) == (700, 405)
    community.order("anna", Side.ASK, 700, 100_000)
    community.order("ben", Side.BID, 700, 100_000)
    assert (community.watt("anna"), community.watt("ben")) == (405, 700)


@pytest.mark.row("E4")
def test_money_that_a_slot_bid_has_promised_buys_no_watt() -> None:
    community = Community(2, prepaid_micro=300_000)
    community.live(anna=SUNNY)
    community.order("ben", Side.BID, 900, IMPORT, NEXT)
    community.order("anna", Side.ASK, 500, 200_000)
    community.order("ben", Side.BID, 500, 200_000)
    assert community.watt("ben") == 150, "30,000 micro were free"


def test_an_order_in_the_book_is_taken_back_by_its_owner_alone() -> None:
    community = Community(2)
    community.order("anna", Side.ASK, 500, 200_000)
    (standing,) = community.state.book.orders()
    cancel = order_bodies.CancelBody(order=standing.id)
    assert community.ask("ben", Kind.CANCEL, cancel) is Outcome.UNKNOWN_THING
    assert community.ask("anna", Kind.CANCEL, cancel) is Outcome.BOOKED
    assert community.ask("anna", Kind.CANCEL, cancel) is Outcome.UNKNOWN_THING
    assert community.state.book.orders() == ()


@pytest.mark.row("E4")
def test_the_grid_operator_deals_in_no_watt() -> None:
    community = Community(2)
    assert community.register_key("utility", "member", "grid") is Outcome.NOT_ALLOWED
    community.live(anna=SUNNY)
    community.order("anna", Side.ASK, 810, EXPORT)
    bid = order_bodies.WattOrder(side=Side.BID, energy_wh=810, price_micro_per_kwh=IMPORT)
    assert community.ask("utility", Kind.ORDER, bid, account="grid") is Outcome.UNKNOWN_KEY
    assert community.ask("dso", Kind.ORDER, bid) is Outcome.NOT_ALLOWED
    assert (community.watt("anna"), community.watt("grid")) == (810, 0)


@pytest.mark.row("M6")
def test_nobody_orders_more_for_a_slot_than_their_fuse_bears() -> None:
    community = Community(1, prepaid_micro=10**10)
    community.register_key("dora", "member", "dora")
    community.register_gateway("gw-dora")
    community.pay("dora", 10**9, "dora's first")
    assert community.order("dora", Side.ASK, 1, EXPORT, NOON) is Outcome.OVER_LIMIT, "no connection bears nothing"
    limits = {"max_import_w": 9_200, "max_export_w": 3_681}
    assert community.claim("dora", "dora-home", AssetKind.CONNECTION, **limits) is Outcome.BOOKED
    # 9,200 W are 2,300 Wh in a quarter-hour, 3,681 W are 920 and a quarter.
    assert community.order("dora", Side.BID, 2_301, IMPORT, NOON) is Outcome.OVER_LIMIT
    assert community.order("dora", Side.ASK, 921, EXPORT, NOON) is Outcome.OVER_LIMIT
    assert community.order("dora", Side.BID, 10**9, 0, NOON) is Outcome.OVER_LIMIT
    assert community.state.slot_market.slots() == []
    assert community.order("dora", Side.BID, 2_300, IMPORT, NOON) is Outcome.BOOKED
    assert community.order("dora", Side.ASK, 920, EXPORT, NEXT) is Outcome.BOOKED
    assert community.order("dora", Side.BID, 10**6, 1) is Outcome.BOOKED, "the WATT book is not bound to a slot"

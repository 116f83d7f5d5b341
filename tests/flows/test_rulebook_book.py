"""Orders for WATT through the log: what takes at once, ends by itself, wants less, waits, and what stands for it."""

from typing import Any

import pytest
from community import EXPORT, IMPORT, NOON, PREPAID, Community, Flow

from commonwatt.flows.rulebook import snapshot
from commonwatt.flows.rulebook.market import order_bodies, watt_book
from commonwatt.flows.rulebook.tokens import wallet_bodies
from commonwatt.flows.sequence import replay
from commonwatt.market.book import Book, Quotes
from commonwatt.model import MICRO, SLOT_SECONDS, Commodity, Kind, Outcome, Side

SUNNY = Flow(solar_wh=1_000, charge_wh=1_000)
"""A clean charge: 900 Wh are stored, 810 WATT are minted."""


def stored(homes: int = 3, **terms: Any) -> Community:
    """Return a community in which anna and ben have 810 WATT each."""
    community = Community(homes, **terms)
    community.live(anna=SUNNY, ben=SUNNY)
    return community


def resting(community: Community) -> list[tuple[str, int, int]]:
    orders = community.state.book.orders()
    return [(order.owner, order.energy_wh, order.price_micro_per_kwh) for order in orders]


def last(community: Community) -> str:
    """Return the name of the order that stands last."""
    return community.state.book.orders()[-1].id


def traded(community: Community) -> list[tuple[str, str, int]]:
    return community.entries("watt trade", Commodity.WATT)


def same_at_rest(community: Community) -> None:
    """See that a snapshot holds all that decides what may happen next, and a replay comes to the same."""
    state = community.state
    kept, _ = snapshot.load(snapshot.dump(state, community.now_s, b""))
    assert kept.root() == state.root() == replay(community.rows(), "tiny").state.root()
    assert watt_book.quotes(kept) == watt_book.quotes(state)
    assert kept.book.orders() == state.book.orders()


@pytest.mark.row("E4")
def test_an_order_without_a_price_takes_what_stands_and_never_rests() -> None:
    community = stored()
    community.order("anna", Side.ASK, 300, 200_000)
    community.order("ben", Side.ASK, 300, 220_000)
    assert community.order("cleo", Side.BID, 500, None) is Outcome.BOOKED
    assert traded(community) == [("anna", "cleo", 300), ("ben", "cleo", 200)]
    assert community.ergon("cleo") == PREPAID - 60_000 - 44_000
    assert community.order("cleo", Side.ASK, 500, None) is Outcome.BOOKED, "nobody bids: it is gone all the same"
    assert resting(community) == [("ben", 100, 220_000)]
    same_at_rest(community)


@pytest.mark.row("E4")
def test_an_order_for_now_keeps_to_its_price_and_leaves_nothing() -> None:
    community = stored()
    community.order("anna", Side.ASK, 300, 200_000)
    community.order("ben", Side.ASK, 300, 220_000)
    assert community.order("cleo", Side.BID, 500, 210_000, now=True) is Outcome.BOOKED
    assert traded(community) == [("anna", "cleo", 300)]
    assert resting(community) == [("ben", 300, 220_000)]
    assert community.order("cleo", Side.BID, 5, None, until_s=NOON + 9_000) is Outcome.NOT_ALLOWED
    assert community.order("cleo", Side.BID, 5, 210_000, now=True, until_s=NOON + 9_000) is Outcome.NOT_ALLOWED


@pytest.mark.row("E4")
def test_an_order_with_an_end_goes_at_that_second() -> None:
    community = stored()
    now_s = community.now_s
    assert community.order("anna", Side.ASK, 300, 200_000, until_s=now_s) is Outcome.TOO_LATE
    assert community.order("anna", Side.ASK, 300, 200_000, until_s=now_s + 10) is Outcome.BOOKED
    assert community.order("ben", Side.ASK, 300, 210_000, until_s=now_s + 11) is Outcome.BOOKED
    same_at_rest(community)
    community.now_s = now_s + 10
    assert community.order("cleo", Side.BID, 100, 250_000) is Outcome.BOOKED
    assert traded(community) == [("ben", "cleo", 100)], "anna's was gone before"
    community.now_s = now_s + 11
    community.agree("anna", "anna-battery")
    assert resting(community) == []
    same_at_rest(community)


@pytest.mark.row("E4")
def test_an_order_that_wants_less_keeps_its_place_and_one_that_wants_more_is_refused() -> None:
    community = stored()
    community.order("anna", Side.ASK, 500, 200_000)
    community.order("ben", Side.ASK, 500, 200_000)
    first = community.state.book.orders()[0].id

    def amend(who: str, energy_wh: int) -> Outcome:
        return community.ask(who, Kind.CANCEL, order_bodies.Amend(order=first, energy_wh=energy_wh))

    assert amend("ben", 100) is Outcome.UNKNOWN_THING
    assert amend("anna", 500) is Outcome.OVER_LIMIT
    assert amend("anna", 501) is Outcome.OVER_LIMIT
    assert amend("anna", 100) is Outcome.BOOKED
    dearer = {"what": "amend", "order": first, "energy_wh": 50, "price_micro_per_kwh": 1}
    assert community.send(community.wire("anna", Kind.CANCEL, dearer)) is Outcome.MALFORMED, "a price stays"
    community.order("cleo", Side.BID, 150, 200_000)
    assert traded(community) == [("anna", "cleo", 100), ("ben", "cleo", 50)]
    assert amend("anna", 1) is Outcome.UNKNOWN_THING


@pytest.mark.row("E6")
def test_who_waits_for_room_trades_when_room_comes_and_holds_nobody_up() -> None:
    community = Community(3, b_max_wh=810)
    community.live(anna=SUNNY, ben=SUNNY)
    community.order("ben", Side.BID, 300, 250_000)
    community.order("cleo", Side.BID, 300, 240_000)
    community.order("anna", Side.ASK, 400, 200_000)
    assert traded(community) == [("anna", "cleo", 300)], "ben is full"
    community.order("cleo", Side.BID, 100, 230_000)
    assert traded(community)[1:] == [("anna", "cleo", 100)]
    community.order("anna", Side.ASK, 100, 245_000)
    assert traded(community)[2:] == []
    assert community.ergon("ben") == PREPAID
    give = wallet_bodies.Give(commodity=Commodity.WATT, target="cleo", amount=60)
    assert community.ask("ben", Kind.TRANSFER, give) is Outcome.BOOKED
    assert traded(community)[2:] == [("anna", "ben", 60)], "there is room for as much of what ben waited for"


@pytest.mark.row("E4")
def test_two_who_would_pass_the_same_watt_to_and_fro_for_ever_cannot() -> None:
    community = Community(3)
    community.live(anna=SUNNY)
    for who in ("anna", "ben"):
        assert community.order(who, Side.BID, 10**9, 250_000) is Outcome.BOOKED
        assert community.order(who, Side.ASK, 10**9, 250_000) is Outcome.NOT_ALLOWED, "it would meet their own"
        assert community.order(who, Side.ASK, 10**9, 250_001) is Outcome.BOOKED
    assert traded(community) == []
    community.order("cleo", Side.ASK, 10, 260_000)
    assert community.order("cleo", Side.BID, 10, 260_000) is Outcome.NOT_ALLOWED
    assert community.order("cleo", Side.BID, 810, 251_000, now=True) is Outcome.BOOKED, "what never rests meets others"
    assert traded(community) == [("anna", "cleo", 810)]


@pytest.mark.row("E4")
def test_money_that_comes_in_is_traded_with_at_once() -> None:
    community = stored(prepaid_micro=0)
    community.order("cleo", Side.BID, 300, 200_000)
    community.order("anna", Side.ASK, 300, 200_000)
    assert traded(community) == []
    assert community.pay("cleo", 20_000, "bank 1") is Outcome.BOOKED
    assert traded(community) == [("anna", "cleo", 100)]
    assert community.ergon("cleo") == 0


@pytest.mark.row("E4")
def test_money_that_a_cancelled_slot_order_frees_is_traded_with_at_once() -> None:
    community = stored(prepaid_micro=40_000)
    slot_s = community.slot_s + SLOT_SECONDS
    community.order("cleo", Side.BID, 100, IMPORT, slot_s)
    (slot_bid,) = community.state.slot_market.orders(slot_s)
    community.order("cleo", Side.BID, 300, 200_000)
    community.order("anna", Side.ASK, 300, 200_000)
    assert traded(community) == [("anna", "cleo", 50)], "30,000 of 40,000 are promised to the slot"
    assert community.ask("cleo", Kind.CANCEL, order_bodies.CancelBody(order=slot_bid.id)) is Outcome.BOOKED
    assert traded(community)[1:] == [("anna", "cleo", 150)]


@pytest.mark.row("E4")
def test_both_prices_are_published_with_and_without_orders_that_could_not_trade() -> None:
    community = stored(prepaid_micro=50_000)
    community.order("cleo", Side.ASK, 500, 150_000)
    community.order("anna", Side.ASK, 500, 220_000)
    community.order("ben", Side.BID, 500, 210_000)
    quotes = watt_book.quotes(community.state)
    assert quotes == Quotes(
        buying=150_000,
        selling=210_000,
        backed_buying=220_000,
        backed_selling=210_000,
        buying_wh=500,
        selling_wh=500,
        backed_buying_wh=500,
        backed_selling_wh=238,
    )
    assert quotes.unbacked_moves == (70_000, 0)
    same_at_rest(community)


RATE = 100_000
"""Micro of ERGON that stand for a kWh without WATT."""


def test_what_is_asked_for_without_watt_stands_on_ergon_and_on_no_more_than_there_is() -> None:
    community = stored(unbacked_micro_per_kwh=RATE, prepaid_micro=100_000)
    before = community.roots()
    assert community.order("cleo", Side.ASK, 1_001, 200_000) is Outcome.NOT_BACKED
    assert [order.id for order in community.state.book.orders()] == []
    assert community.roots().leaves == before.leaves + 1
    assert community.order("cleo", Side.ASK, 600, 200_000) is Outcome.BOOKED
    assert community.order("cleo", Side.ASK, 401, 210_000) is Outcome.NOT_BACKED, "60,000 stand for the first"
    assert community.order("anna", Side.ASK, 810, 200_000) is Outcome.BOOKED, "what is backed needs nothing"
    assert community.order("anna", Side.ASK, 1_001, 200_000) is Outcome.NOT_BACKED
    assert community.ergon("cleo") == 100_000, "nothing is booked"
    same_at_rest(community)


def test_what_stands_for_unbacked_asks_backs_nothing_else_and_is_free_again_with_the_watt() -> None:
    community = stored(unbacked_micro_per_kwh=RATE, prepaid_micro=100_000)
    slot_s = community.slot_s + 2 * SLOT_SECONDS
    assert community.order("cleo", Side.ASK, 810, 290_000) is Outcome.BOOKED
    assert community.order("cleo", Side.BID, 64, IMPORT, slot_s) is Outcome.NOT_BACKED
    assert community.orders("cleo", (slot_s, 64, IMPORT, 0)) is Outcome.NOT_BACKED
    assert community.orders("cleo", (slot_s, 63, IMPORT, 0)) is Outcome.BOOKED
    community.order("anna", Side.ASK, 100, 200_000)
    community.order("cleo", Side.BID, 100, 200_000)
    # 100 micro are free: not one Wh at 200 micro.
    assert traded(community) == []
    community.live(cleo=SUNNY)
    assert traded(community) == [("anna", "cleo", 100)], "81,000 are free, since all 810 Wh that are asked have come"
    assert community.watt("cleo") == 910


@pytest.mark.parametrize("way", ["cancel", "end", "amend"])
def test_what_stood_for_an_unbacked_ask_comes_back_whole_when_it_goes(way: str) -> None:
    community = stored(unbacked_micro_per_kwh=RATE, prepaid_micro=100_000)
    until_s = community.now_s + 10 if way == "end" else None
    assert community.order("cleo", Side.ASK, 1_000, 200_000, until_s=until_s) is Outcome.BOOKED
    assert community.order("cleo", Side.ASK, 100, 200_000) is Outcome.NOT_BACKED
    if way == "cancel":
        community.ask("cleo", Kind.CANCEL, order_bodies.CancelBody(order=last(community)))
    elif way == "amend":
        community.ask("cleo", Kind.CANCEL, order_bodies.Amend(order=last(community), energy_wh=900))
    else:
        community.now_s += 10
    assert community.order("cleo", Side.ASK, 100, 200_000) is Outcome.BOOKED
    assert community.ergon("cleo") == 100_000


def test_asks_whose_watt_was_given_away_go_where_no_ergon_stands_for_them() -> None:
    community = stored(unbacked_micro_per_kwh=RATE, prepaid_micro=30_000)
    community.order("anna", Side.ASK, 500, 200_000)
    community.order("anna", Side.ASK, 310, 210_000)
    away = wallet_bodies.Give(target="cleo", commodity=Commodity.WATT, amount=410)
    assert community.ask("anna", Kind.TRANSFER, away) is Outcome.BOOKED
    # 410 Wh would stand on 41,000 micro; the last ask, none of which is backed any more, goes.
    assert resting(community) == [("anna", 500, 200_000)]
    same_at_rest(community)


def test_an_account_has_a_hundred_orders_and_takes_at_once_beyond_them() -> None:
    community = stored()
    for n in range(watt_book.MOST_STANDING):
        community.order("cleo", Side.BID, 1, n + 1)
    assert community.order("cleo", Side.BID, 1, 1) is Outcome.OVER_LIMIT
    assert community.order("cleo", Side.BID, 1, EXPORT, now=True) is Outcome.BOOKED


def test_the_book_at_work_is_the_book_at_rest() -> None:
    """Whoever's balance has changed, by whatever rule, the book has looked at."""
    community = stored(unbacked_micro_per_kwh=RATE, prepaid_micro=MICRO)
    for price in (150_000, 200_000, 250_000):
        for member in community.members:
            community.order(member, Side.ASK, 700, price + 10)
            community.order(member, Side.BID, 400, price)
    community.live(anna=SUNNY, cleo=Flow(load_wh=3_000))
    state = community.state
    fresh = Book.load(state.book.orders())
    look = watt_book._look(state, 0)
    assert fresh.quotes(look) == state.book.quotes(look)
    assert fresh.follow(look, fresh.owners()) == []

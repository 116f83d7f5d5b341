"""Kinds of order in the WATT book, through the log: for now, for any price, until a second, for less, and hidden."""

from typing import Any

import pytest
from community import EXPORT, IMPORT, NOON
from pit import DEAR, SUNNY, amend, last, reveal, seal, town, traded, wish

from commonwatt.flows.rulebook import bodies, trading
from commonwatt.flows.rulebook.backing import free
from commonwatt.model import (
    SLOT_SECONDS,
    AccountId,
    Commodity,
    Kind,
    Outcome,
    Side,
)


@pytest.mark.row("E4")
def test_an_order_for_now_takes_what_it_meets_and_leaves_nothing() -> None:
    community = town()
    community.live(anna=SUNNY)
    community.order("anna", Side.ASK, 300, 200_000)
    assert community.order("ben", Side.BID, 500, 200_000, now=True) is Outcome.BOOKED
    assert traded(community) == [("anna", "ben", 300)]
    assert community.state.book.orders() == ()
    assert community.order("ben", Side.BID, 500, 200_000, now=True) is Outcome.BOOKED, (
        "it met nobody, which is no fault"
    )
    assert community.state.book.orders() == ()


@pytest.mark.row("E4")
def test_an_order_without_price_takes_one_price_after_the_other_and_never_rests() -> None:
    community = town(3)
    community.live(anna=SUNNY, ben=SUNNY)
    community.order("anna", Side.ASK, 300, 200_000)
    community.order("ben", Side.ASK, 300, 250_000)
    community.order("cleo", Side.ASK, 10, 900_000)
    assert community.ask("cleo", Kind.ORDER, wish(Side.BID, 400, None)) is Outcome.BOOKED
    assert traded(community) == [("anna", "cleo", 300), ("ben", "cleo", 100)]
    assert community.entries("watt trade", Commodity.ERGON) == [("cleo", "anna", 60_000), ("cleo", "ben", 25_000)]
    assert community.ask("cleo", Kind.ORDER, wish(Side.BID, 4_000, None)) is Outcome.BOOKED
    assert [(o.owner, o.energy_wh) for o in community.state.book.orders()] == [("cleo", 10)], "its own ask is not met"


@pytest.mark.row("E4")
def test_an_order_without_price_sells_to_the_best_bids_first() -> None:
    community = town(3)
    community.live(anna=SUNNY)
    community.order("ben", Side.BID, 100, 150_000)
    community.order("cleo", Side.BID, 100, 180_000)
    assert community.ask("anna", Kind.ORDER, wish(Side.ASK, 150, None)) is Outcome.BOOKED
    assert community.entries("watt trade", Commodity.ERGON) == [("cleo", "anna", 18_000), ("ben", "anna", 7_500)]


@pytest.mark.row("E4")
def test_an_order_is_gone_by_itself_at_its_second() -> None:
    community = town()
    until_s = NOON + 100
    assert community.order("anna", Side.ASK, 500, 200_000, until_s=until_s) is Outcome.BOOKED
    community.now_s = until_s - 1
    community.agree("ben", "ben-battery")
    assert len(community.state.book.orders()) == 1
    community.now_s = until_s
    assert community.order("ben", Side.BID, 100, 100_000, until_s=until_s) is Outcome.TOO_LATE
    assert community.state.book.orders() == ()


@pytest.mark.parametrize(
    "more",
    [
        {"price": None, "until_s": NOON + 900},
        {"now": True, "until_s": NOON + 900},
        {"near": True},
        {"partner": "ben"},
        {"source": "solar"},
        {"price": None, "slot_s": NOON + SLOT_SECONDS},
        {"until_s": NOON + 900, "slot_s": NOON + SLOT_SECONDS},
    ],
)
def test_what_would_mean_nothing_is_refused(more: dict[str, Any]) -> None:
    community = town()
    price = more.pop("price", 200_000)
    assert community.ask("anna", Kind.ORDER, wish(Side.BID, 100, price, **more)) is Outcome.NOT_ALLOWED


@pytest.mark.row("E4")
def test_an_order_for_less_keeps_its_place_and_one_for_more_is_refused() -> None:
    community = town(3)
    community.order("anna", Side.ASK, 500, 200_000)
    place = last(community)
    community.order("ben", Side.ASK, 500, 200_000)
    assert amend(community, "ben", place, 400) is Outcome.UNKNOWN_THING
    assert amend(community, "anna", place, 500) is Outcome.NOT_ALLOWED
    assert amend(community, "anna", place, 600) is Outcome.NOT_ALLOWED
    assert amend(community, "anna", place, 400) is Outcome.BOOKED
    community.live(anna=SUNNY, ben=SUNNY)
    community.order("cleo", Side.BID, 450, 200_000)
    assert traded(community) == [("anna", "cleo", 400), ("ben", "cleo", 50)]


@pytest.mark.row("E6")
def test_a_bid_that_waits_for_money_trades_in_the_commit_that_brings_it() -> None:
    community = town(2, prepaid_micro=0)
    community.live(anna=SUNNY)
    community.order("anna", Side.ASK, 500, 200_000)
    community.order("ben", Side.BID, 400, 200_000)
    assert traded(community) == []
    community.pay("ben", 80_000, "now")
    assert traded(community) == [("anna", "ben", 400)]


@pytest.mark.row("E6")
@pytest.mark.parametrize("how", ["cancel", "settle"])
def test_a_bid_trades_as_soon_as_money_promised_to_a_slot_is_free_again(how: str) -> None:
    community = town(2, prepaid_micro=300_000)
    community.live(anna=SUNNY)
    community.order("ben", Side.BID, 1_000, IMPORT, community.slot_s)
    place = last(community)
    community.order("anna", Side.ASK, 400, 200_000)
    community.order("ben", Side.BID, 400, 200_000)
    assert traded(community) == []
    if how == "cancel":
        assert community.ask("ben", Kind.CANCEL, bodies.CancelBody(order=str(place))) is Outcome.BOOKED
    else:
        community.live()
    assert traded(community) == [("anna", "ben", 400)]


@pytest.mark.row("E6")
def test_money_that_a_batch_promises_to_a_slot_makes_a_bid_wait() -> None:
    community = town(2, prepaid_micro=300_000)
    community.order("ben", Side.BID, 400, 200_000)
    assert trading.quote(community.state).backed_selling == 200_000
    assert community.orders("ben", (NOON + SLOT_SECONDS, 1_000, IMPORT, 0)) is Outcome.BOOKED
    assert trading.quote(community.state).backed_selling is None


@pytest.mark.row("E4")
def test_two_prices_are_published_and_unbacked_orders_show_as_the_difference() -> None:
    community = town(3)
    community.live(ben=SUNNY)
    community.order("ben", Side.ASK, 100, 220_000)
    community.order("anna", Side.ASK, 100, 150_000)
    quote = trading.quote(community.state)
    assert (quote.buying, quote.backed_buying, quote.buying_gap) == (150_000, 220_000, 70_000)


@pytest.mark.row("E4")
def test_what_is_asked_beyond_ones_watt_reserves_collateral_until_it_is_backed() -> None:
    community = town(3, terms=DEAR, prepaid_micro=300_000)
    assert community.order("anna", Side.ASK, 751, EXPORT) is Outcome.NOT_BACKED, "300,400 micro would be needed"
    assert community.order("anna", Side.ASK, 750, EXPORT) is Outcome.BOOKED
    assert free(community.state, AccountId("anna"), Commodity.ERGON) == 0
    assert community.order("anna", Side.BID, 1, IMPORT, NOON + SLOT_SECONDS) is Outcome.NOT_BACKED, (
        "it backs nothing else"
    )
    assert community.orders("anna", (NOON + SLOT_SECONDS, 1, IMPORT, 0)) is Outcome.NOT_BACKED
    community.live(anna=SUNNY)
    assert free(community.state, AccountId("anna"), Commodity.ERGON) == 300_000
    assert community.order("anna", Side.ASK, 60, EXPORT) is Outcome.BOOKED, "810 Wh are there"
    assert free(community.state, AccountId("anna"), Commodity.ERGON) == 300_000


@pytest.mark.row("E4")
@pytest.mark.parametrize("how", ["cancel", "amend", "lapse"])
def test_a_part_of_the_collateral_of_what_goes_unbacked_is_given_up(how: str) -> None:
    community = town(2, terms=DEAR, prepaid_micro=300_000)
    community.order("anna", Side.ASK, 500, EXPORT, until_s=NOON + 60)
    place = last(community)
    if how == "cancel":
        assert community.ask("anna", Kind.CANCEL, bodies.CancelBody(order=str(place))) is Outcome.BOOKED
    elif how == "amend":
        assert amend(community, "anna", place, 100) is Outcome.BOOKED
    else:
        community.now_s += 60
        community.agree("ben", "ben-battery")
    lost = 40_000 if how == "amend" else 50_000  # 400 or 500 Wh at 400,000 micro per kWh, a quarter of it
    assert community.ergon("anna") == 300_000 - lost
    assert community.ergon("education-pot") == lost


@pytest.mark.row("E4")
def test_a_backed_order_is_taken_back_for_nothing() -> None:
    community = town(2, terms=DEAR)
    community.live(anna=SUNNY)
    before = community.ergon("anna")
    community.order("anna", Side.ASK, 810, EXPORT)
    community.ask("anna", Kind.CANCEL, bodies.CancelBody(order=str(last(community))))
    assert community.ergon("anna") == before


@pytest.mark.row("E4")
def test_a_revealed_order_stands_where_its_seal_does_and_what_was_traded_stays_traded() -> None:
    community = town(3)
    community.live(anna=SUNNY)
    hidden = wish(Side.BID, 300, 200_000)
    place, outcome = seal(community, "ben", hidden)
    assert outcome is Outcome.BOOKED
    community.order("cleo", Side.BID, 300, 200_000)
    community.order("anna", Side.ASK, 100, 200_000)
    assert traded(community) == [("anna", "cleo", 100)], "what is sealed is not there yet"
    assert reveal(community, "cleo", place, hidden) is Outcome.UNKNOWN_THING
    assert reveal(community, "ben", place, wish(Side.BID, 300, 200_001)) is Outcome.NOT_ALLOWED
    assert reveal(community, "ben", place, hidden, "00" * 32) is Outcome.NOT_ALLOWED
    assert reveal(community, "ben", place, hidden) is Outcome.BOOKED
    assert reveal(community, "ben", place, hidden) is Outcome.UNKNOWN_THING, "once"
    community.order("anna", Side.ASK, 400, 200_000)
    assert traded(community) == [("anna", "cleo", 100), ("anna", "ben", 300), ("anna", "cleo", 100)]


@pytest.mark.row("E4")
def test_a_sealed_slot_order_stands_in_the_slot_at_its_old_place() -> None:
    community = town(3)
    slot_s = NOON + SLOT_SECONDS
    hidden = wish(Side.BID, 100, 250_000, slot_s=slot_s, now=True)
    place, _ = seal(community, "ben", hidden)
    community.order("cleo", Side.BID, 100, 250_000, slot_s, now=True)
    assert reveal(community, "ben", place, hidden) is Outcome.BOOKED
    assert [order.owner for order in community.state.slot_market.orders(slot_s)] == ["ben", "cleo"]
    community.order("anna", Side.ASK, 100, 250_000, slot_s, now=True)
    made = community.state.slot_market.told(slot_s, community.state.slot_market.trades(slot_s))
    assert [trade.buyer for trade in made] == ["ben"]
    community.now_s = slot_s
    after = wish(Side.BID, 1, 250_000, slot_s=slot_s)
    place, _ = seal(community, "ben", after)
    community.now_s = slot_s + 60
    assert reveal(community, "ben", place, after) is Outcome.TOO_LATE, "a seal opens no gate"


@pytest.mark.row("E4")
def test_trades_of_a_slot_stay_between_their_orders_when_one_is_revealed_before_them() -> None:
    community = town(3)
    slot_s = NOON + SLOT_SECONDS
    hidden = wish(Side.BID, 70, 150_000, slot_s=slot_s, now=True)
    place, _ = seal(community, "ben", hidden)
    community.order("anna", Side.ASK, 100, 200_000, slot_s, now=True)
    community.order("cleo", Side.BID, 60, 250_000, slot_s, now=True)
    market = community.state.slot_market
    before = market.told(slot_s, market.trades(slot_s))
    assert [(trade.seller, trade.buyer, trade.energy_wh) for trade in before] == [("anna", "cleo", 60)]
    assert reveal(community, "ben", place, hidden) is Outcome.BOOKED
    assert market.told(slot_s, market.trades(slot_s)) == before


@pytest.mark.row("E4")
def test_a_seal_that_nobody_opens_lapses_and_costs_its_deposit() -> None:
    community = town(2, terms=DEAR, prepaid_micro=50_000)
    hidden = wish(Side.BID, 10, 100_000)
    places = [seal(community, "anna", hidden) for _ in range(3)]
    assert [outcome for _, outcome in places] == [Outcome.BOOKED, Outcome.BOOKED, Outcome.NOT_BACKED]
    assert reveal(community, "anna", places[0][0], hidden) is Outcome.BOOKED
    community.now_s += trading.SEALED_S
    community.agree("ben", "ben-battery")
    assert reveal(community, "anna", places[1][0], hidden) is Outcome.UNKNOWN_THING
    assert (community.ergon("anna"), community.ergon("education-pot")) == (30_000, 20_000)


@pytest.mark.row("E4")
def test_a_seal_stands_on_where_what_it_hides_cannot_stand_yet() -> None:
    community = town(1, prepaid_micro=100_000)
    hidden = wish(Side.BID, 1_000, 200_000, slot_s=NOON + SLOT_SECONDS)
    place, _ = seal(community, "anna", hidden)
    assert reveal(community, "anna", place, hidden) is Outcome.NOT_BACKED
    community.pay("anna", 100_000, "the deposit is part of what the order needs")
    assert reveal(community, "anna", place, hidden) is Outcome.BOOKED


def test_an_account_has_so_many_seals_and_no_more() -> None:
    community = town(2, terms={"seal_micro": 0})
    found = [seal(community, "anna", wish(Side.BID, 1, n))[1] for n in range(trading.MOST_SEALED + 1)]
    assert found == [Outcome.BOOKED] * trading.MOST_SEALED + [Outcome.OVER_LIMIT]

"""Kinds of order in the WATT book, through the log: for now, for any price, until a second, for less, and hidden."""

from collections.abc import Callable
from typing import Any

import pytest
from community import EXPORT, IMPORT, NOON, Flow
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from purse import Purse

from commonwatt.flows.rulebook import bodies, trading
from commonwatt.flows.rulebook.backing import free, room_wh
from commonwatt.flows.rulebook.sealed_bodies import Amend, Sealed
from commonwatt.flows.rulebook.snapshot import dump, load
from commonwatt.flows.rulebook.state import State
from commonwatt.flows.sequence import replay
from commonwatt.model import (
    SLOT_SECONDS,
    AccountId,
    Commodity,
    Kind,
    Outcome,
    Side,
    Trade,
)
from oracles.watt_book import NaiveBook

SUNNY = Flow(solar_wh=1_000, charge_wh=1_000)
"""810 WATT."""
SALT = "5a" * 32
DEAR: dict[str, Any] = {"collateral_micro_per_kwh": 400_000, "forfeit_permille": 250, "seal_micro": 20_000}


def town(homes: int = 2, **more: Any) -> Purse:
    return Purse(homes, terms=more.pop("terms", {}), **more)


def wish(side: Side, energy_wh: int, price: int | None, **more: Any) -> bodies.OrderBody:
    return bodies.OrderBody(side=side, energy_wh=energy_wh, price_micro_per_kwh=price, **more)


def seal(community: Purse, who: str, order: bodies.OrderBody, salt: str = SALT) -> tuple[int, Outcome]:
    """Return where the seal stands, and what became of it."""
    outcome = community.ask(who, Kind.ORDER, Sealed(seal=bodies.seal_of(who, order, salt)))
    return community.roots().leaves - 1, outcome


def reveal(community: Purse, who: str, place: int, order: bodies.OrderBody, salt: str = SALT) -> Outcome:
    return community.ask(who, Kind.ORDER, bodies.Reveal(place=place, order=order, salt=salt))


def amend(community: Purse, who: str, place: int, energy_wh: int) -> Outcome:
    return community.ask(who, Kind.CANCEL, Amend(order=str(place), energy_wh=energy_wh))


def last(community: Purse) -> int:
    return community.roots().leaves - 1


def traded(community: Purse) -> list[tuple[str, str, int]]:
    return community.entries("watt trade", Commodity.WATT)


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


def test_an_account_has_so_many_seals_and_no_more() -> None:
    community = town(2, terms={"seal_micro": 0})
    found = [seal(community, "anna", wish(Side.BID, 1, n))[1] for n in range(trading.MOST_SEALED + 1)]
    assert found == [Outcome.BOOKED] * trading.MOST_SEALED + [Outcome.OVER_LIMIT]


class Balances:
    """The balances of a state for the naive book, which finds no trade that it would have to move."""

    def __init__(self, state: State) -> None:
        self.state = state

    def backing(self, account: AccountId) -> int:
        return free(self.state, account, Commodity.WATT)

    def room(self, account: AccountId) -> int:
        return room_wh(self.state, account)

    def funds(self, account: AccountId) -> int:
        return free(self.state, account, Commodity.ERGON)

    def move(self, trade: Trade) -> None:
        raise AssertionError(f"the book overlooked {trade}")


def check(community: Purse) -> None:
    """See that nothing is left that could trade, and that nothing was made from nothing."""
    naive, state = NaiveBook(), community.state
    naive.standing = list(state.book.orders())
    naive.match(Balances(state))
    quote = trading.quote(state)
    assert (quote.buying, quote.selling, quote.backed_buying, quote.backed_selling) == naive.quote(Balances(state))
    assert {state.accounts.total(commodity) for commodity in Commodity} == {0}


WHO = st.sampled_from(["anna", "ben", "cleo"])
PRICE = st.sampled_from([None, 0, 150_000, 200_000, 250_000])
ENDS = st.sampled_from([None, NOON + 10, NOON + 1_000])
ORDERS = st.builds(
    lambda side, wh, price, now, until_s: wish(
        side, wh, price, now=now, until_s=None if now or price is None else until_s
    ),
    st.sampled_from(Side), st.integers(1, 900), PRICE, st.booleans(), ENDS,
)  # fmt: skip
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("order"), WHO, ORDERS),
        st.tuples(st.just("order"), WHO, ORDERS),
        st.tuples(st.just("seal"), WHO, ORDERS),
        st.tuples(st.just("reveal"), WHO, st.integers(0, 3)),
        st.tuples(st.just("cancel"), WHO, st.integers(0, 3)),
        st.tuples(st.just("amend"), WHO, st.integers(1, 400)),
        st.tuples(st.just("pay"), WHO, st.integers(1, 200_000)),
        st.tuples(st.just("slot"), WHO, st.integers(1, 500)),
        st.tuples(st.just("live"), WHO, st.booleans()),
        st.tuples(st.just("wait"), WHO, st.just(0)),
    ),
    max_size=16,
)


class Walk:
    def __init__(self) -> None:
        self.community = town(3, terms=DEAR, prepaid_micro=200_000, b_max_wh=1_000)
        self.sealed: list[tuple[str, int, bodies.OrderBody]] = []

    def step(self, what: str, who: str, told: Any) -> None:
        community = self.community
        mine = [order for order in community.state.book.orders() if order.owner == who]
        act: dict[str, Callable[[], object]] = {
            "order": lambda: community.ask(who, Kind.ORDER, told),
            "seal": lambda: self.sealed.append((who, seal(community, who, told)[0], told)),
            "reveal": lambda: [reveal(community, *one) for one in self.sealed[told : told + 1]],
            "cancel": lambda: [
                community.ask(who, Kind.CANCEL, bodies.CancelBody(order=order.id)) for order in mine[told : told + 1]
            ],
            "amend": lambda: [amend(community, who, int(order.id), told) for order in mine[:1]],
            "pay": lambda: community.pay(who, told, f"payment {last(community)}"),
            "slot": lambda: community.order(who, Side.BID, told, IMPORT, community.slot_s + SLOT_SECONDS),
            "live": lambda: community.live(**{who: SUNNY if told else Flow(load_wh=500)}),
            "wait": self.wait,
        }
        act[what]()
        check(community)

    def wait(self) -> None:
        self.community.now_s += 40
        self.community.agree("anna", "anna-battery")


@pytest.mark.row("E4")
@pytest.mark.row("E6")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_whatever_happens_nothing_is_overlooked_and_a_replay_agrees(steps: list[tuple[str, str, Any]]) -> None:
    walk = Walk()
    for step in steps:
        walk.step(*step)
    live = walk.community
    found = replay(live.rows(), "tiny")
    assert found.state.root() == live.state.root()
    read, _ = load(dump(live.state, live.now_s, live.roots().log))
    trading.match_book(read, live.now_s)
    assert read.root() == live.state.root(), "a state that was written down has nothing left to do either"

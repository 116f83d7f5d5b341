"""The WATT book against an obvious one, and in small stories."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.market.book import Book, Look, Quotes
from commonwatt.model import AccountId, InvalidValue, Order, OrderId, Side, Trade
from oracles.book import RICH, NaiveBook, World, numbered, prices

ANA, BEN, CEM, DOT = (AccountId(name) for name in ("ana", "ben", "cem", "dot"))
PEOPLE = (ANA, BEN, CEM, DOT)


class Market:
    """A book in a world, with orders that name themselves."""

    def __init__(self, **world: Any) -> None:
        self.world = World(**world)
        self.look = self.world.look()
        self.book = Book()
        self.count = 0

    def order(self, owner: AccountId, side: Side, energy_wh: int, price: int) -> Order:
        self.count += 1
        return numbered(self.count, owner, side, energy_wh, price)

    def bid(self, owner: AccountId, energy_wh: int, price: int) -> list[tuple[str, str, int, int]]:
        return told(self.book.place(self.order(owner, Side.BID, energy_wh, price), self.look))

    def ask(self, owner: AccountId, energy_wh: int, price: int) -> list[tuple[str, str, int, int]]:
        return told(self.book.place(self.order(owner, Side.ASK, energy_wh, price), self.look))

    def take(self, owner: AccountId, side: Side, energy_wh: int, price: int) -> list[tuple[str, str, int, int]]:
        return told(self.book.take(self.order(owner, side, energy_wh, price), self.look))

    def mint(self, owner: AccountId, energy_wh: int) -> list[tuple[str, str, int, int]]:
        self.world.watt[owner] = self.world.backing(owner) + energy_wh
        return self.follow(owner)

    def pay(self, owner: AccountId, micro: int) -> list[tuple[str, str, int, int]]:
        self.world.ergon[owner] = micro
        return self.follow(owner)

    def follow(self, *owners: AccountId) -> list[tuple[str, str, int, int]]:
        return told(self.book.follow(self.look, owners))

    def quotes(self) -> Quotes:
        return self.book.quotes(self.look)


def told(trades: list[Trade]) -> list[tuple[str, str, int, int]]:
    return [(trade.seller, trade.buyer, trade.energy_wh, trade.price_micro_per_kwh) for trade in trades]


PRICES = [0, 90, 250, 400, 1500, 1501]
NOW_S = 1_000
ORDERED = st.tuples(
    st.sampled_from(Side), st.sampled_from(PEOPLE), st.integers(1, 30), st.sampled_from(PRICES), st.integers(0, 9)
)
MINTED = st.tuples(st.just("mint"), st.sampled_from(PEOPLE), st.integers(-10, 20), st.just(0), st.just(0))
PAID = st.tuples(st.just("pay"), st.sampled_from(PEOPLE), st.integers(-5, 10), st.just(0), st.just(0))
CANCELLED = st.tuples(st.just("cancel"), st.sampled_from(PEOPLE), st.integers(0, 30), st.just(0), st.just(0))
AMENDED = st.tuples(st.just("amend"), st.sampled_from(PEOPLE), st.integers(0, 30), st.integers(1, 20), st.just(0))
TRIMMED = st.tuples(st.just("trim"), st.sampled_from(PEOPLE), st.just(0), st.just(0), st.just(0))
PASSED = st.tuples(st.just("wait"), st.just(ANA), st.integers(0, 3), st.just(0), st.just(0))
Step = tuple[str, AccountId, int, int, int]
STEPS = st.lists(st.one_of(ORDERED, ORDERED, ORDERED, MINTED, PAID, CANCELLED, AMENDED, TRIMMED, PASSED), max_size=30)


class Twins:
    """The book and the naive one, to which the same happens; their answers must not differ."""

    def __init__(self) -> None:
        self.ours, self.theirs = (World(ergon=dict.fromkeys(PEOPLE, 9), b_max_wh=25) for _ in range(2))
        self.look, self.book, self.naive = self.ours.look(), Book(), NaiveBook(self.theirs)
        self.now_s, self.count = NOW_S, 1_000

    def step(self, what: str, owner: AccountId, amount: int, price: int, how: int) -> None:
        match what:
            case "mint":
                for world in (self.ours, self.theirs):
                    world.watt[owner] = max(0, world.backing(owner) + amount)
            case "pay":
                for world in (self.ours, self.theirs):
                    world.ergon[owner] = world.funds(owner) + amount
            case "cancel":
                name = OrderId(str(1_000 + amount))
                assert self.book.cancel(name, owner) == self.naive.cancel(name, owner)
            case "amend":
                self.amend(OrderId(str(1_000 + amount)), price)
            case "trim":
                while self.book.trim(owner, self.ours.backing(owner)):
                    pass
                self.naive.trim(owner)
            case "wait":
                self.now_s += amount
                self.book.end(self.now_s)
                self.naive.end(self.now_s)
            case _:
                self.order(owner, Side(what), amount, price, how)
        assert self.book.follow(self.look, [owner]) == self.naive.follow()
        self.compare()

    def order(self, owner: AccountId, side: Side, wh: int, price: int, how: int) -> None:
        """Place one in seven with an end, and one with an older place from a seal; two in ten take at once."""
        self.count += 1
        until_s = self.now_s + 2 if how == 0 else None
        sealed = self.count - 500 if how == 1 else None
        order = numbered(self.count, owner, side, wh, price, until_s, sealed=sealed)
        if how > 7:
            assert self.book.take(order, self.look) == self.naive.take(order)
        else:
            assert self.book.place(order, self.look) == self.naive.place(order)

    def amend(self, name: OrderId, energy_wh: int) -> None:
        standing = self.book.order(name)
        if standing:
            assert self.book.amend(name, standing.owner, energy_wh) == self.naive.amend(name, energy_wh)
        assert self.book.follow(self.look) == self.naive.follow()

    def compare(self) -> None:
        assert self.ours == self.theirs
        rest = sorted(self.naive.standing, key=lambda order: order.arrived)
        assert list(self.book.orders()) == rest
        assert self.book.quotes(self.look) == self.naive.quotes()
        for person in PEOPLE:
            mine = [order for order in rest if order.owner == person]
            assert self.book.standing(person) == len(mine)
            assert (person in self.book) == bool(mine)
            assert self.book.asked_wh(person) == sum(o.energy_wh for o in mine if o.side is Side.ASK)


def walk(steps: list[Step]) -> Twins:
    twins = Twins()
    for step in steps:
        twins.step(*step)
    return twins


@pytest.mark.row("E4")
@pytest.mark.row("E6")
@settings(max_examples=300)
@given(STEPS)
def test_the_book_trades_and_quotes_as_a_naive_list_of_orders_does(steps: list[Step]) -> None:
    walk(steps)


@given(st.lists(ORDERED, max_size=30))
def test_nobody_goes_below_zero_or_above_their_maximum(steps: list[Step]) -> None:
    gifts: list[Step] = [("mint", person, 20, 0, 0) for person in PEOPLE]
    world = walk(gifts + steps).ours
    assert all(0 <= wh <= world.b_max_wh for wh in world.watt.values())
    assert all(micro >= 0 for micro in world.ergon.values())
    assert sum(world.watt.values()) == 80
    assert sum(world.ergon.values()) == 36


@pytest.mark.row("E4")
def test_first_come_first_served_at_one_price() -> None:
    market = Market(watt={ANA: 100, BEN: 100})
    assert market.ask(ANA, 60, 200) == market.ask(BEN, 60, 200) == []
    assert market.bid(CEM, 80, 200) == [("ana", "cem", 60, 200), ("ben", "cem", 20, 200)]


@pytest.mark.row("E4")
def test_a_better_price_goes_before_an_earlier_order() -> None:
    market = Market(watt={ANA: 100, BEN: 100})
    market.ask(ANA, 60, 210)
    market.ask(BEN, 60, 200)
    assert market.bid(CEM, 80, 220) == [("ben", "cem", 60, 200), ("ana", "cem", 20, 210)]


@pytest.mark.row("E4")
def test_the_earlier_order_names_the_price() -> None:
    early_ask, early_bid = Market(watt={ANA: 100}), Market(watt={ANA: 100})
    early_ask.ask(ANA, 50, 180)
    assert early_ask.bid(CEM, 50, 240) == [("ana", "cem", 50, 180)]
    early_bid.bid(CEM, 50, 240)
    assert early_bid.ask(ANA, 50, 180) == [("ana", "cem", 50, 240)]


@pytest.mark.row("E4")
def test_an_order_without_energy_counts_for_the_price_and_a_buyer_meets_the_first_seller_who_has_some() -> None:
    market = Market(watt={BEN: 100})
    market.ask(ANA, 50, 180)
    market.ask(BEN, 50, 220)
    assert market.quotes().buying == 180
    assert market.quotes().backed_buying == 220
    market.mint(ANA, 1)
    assert market.quotes().backed_buying == 180, "partly backed is backed"
    market.mint(ANA, -1)
    assert market.bid(CEM, 50, 220) == [("ben", "cem", 50, 220)]
    assert market.bid(CEM, 50, 200) == []
    assert (market.quotes().buying, market.quotes().selling) == (180, 200), "the spread may be negative"


@pytest.mark.row("E4")
def test_a_mint_backs_a_waiting_ask_at_its_old_place_and_price() -> None:
    market = Market(watt={BEN: 100})
    market.ask(ANA, 50, 180)
    market.bid(CEM, 70, 200)
    market.bid(DOT, 70, 200)
    assert market.mint(ANA, 30) == [("ana", "cem", 30, 180)]
    assert market.mint(ANA, 30) == [("ana", "cem", 20, 180)], "the rest of the mint backs nothing that is asked"
    assert [(o.owner, o.energy_wh) for o in market.book.orders()] == [(CEM, 20), (DOT, 70)]
    assert market.ask(BEN, 50, 190) == [("ben", "cem", 20, 200), ("ben", "dot", 30, 200)]


@pytest.mark.row("E4")
def test_watt_backs_a_sellers_asks_in_book_order_and_partly_if_need_be() -> None:
    market = Market(watt={ANA: 70})
    market.ask(ANA, 50, 200)
    market.ask(ANA, 50, 190)
    assert market.bid(CEM, 100, 210) == [("ana", "cem", 50, 190), ("ana", "cem", 20, 200)]
    assert [(o.side, o.energy_wh) for o in market.book.orders()] == [(Side.ASK, 30), (Side.BID, 30)]


@pytest.mark.row("E4")
def test_a_bid_waits_until_its_buyer_can_pay_one_watt_hour_at_its_limit() -> None:
    market = Market(watt={ANA: 10}, ergon={CEM: 199})
    market.ask(ANA, 10, 190_000)
    assert market.bid(CEM, 50, 200_000) == []
    assert prices(market.quotes()) == (190_000, 200_000, 190_000, None)
    assert market.pay(CEM, 200) == [("ana", "cem", 1, 190_000)]


@pytest.mark.row("E4")
def test_both_prices_are_told_with_and_without_what_could_not_trade() -> None:
    market = Market(watt={BEN: 100}, ergon={CEM: 0})
    market.ask(ANA, 50, 180)
    market.ask(BEN, 50, 220)
    market.bid(CEM, 50, 210)
    market.bid(DOT, 50, 170)
    assert prices(market.quotes()) == (180, 210, 220, 170)
    assert market.quotes().unbacked_moves == (40, 40)
    market.book.cancel(OrderId("2"), BEN)
    assert market.quotes().unbacked_moves == (None, 40), "nothing that is asked is backed"


def test_an_order_that_takes_at_once_leaves_nothing_in_the_book() -> None:
    market = Market(watt={ANA: 50, BEN: 50}, ergon={DOT: 1_000})
    market.ask(ANA, 50, 200_000)
    market.ask(BEN, 50, 250_000)
    assert market.take(CEM, Side.BID, 70, 200_000) == [("ana", "cem", 50, 200_000)]
    assert market.take(DOT, Side.BID, 10, 10**9) == [("ben", "dot", 4, 250_000)], "at what is asked, as far as it pays"
    assert market.take(CEM, Side.ASK, 10, 0) == [], "nobody bids"
    assert [(order.owner, order.energy_wh) for order in market.book.orders()] == [(BEN, 46)]


def test_who_takes_at_once_sells_no_watt_that_backs_an_own_better_ask() -> None:
    market = Market(watt={ANA: 30})
    market.bid(CEM, 50, 200)
    market.book.place(market.order(ANA, Side.ASK, 20, 210), market.look)
    assert market.take(ANA, Side.ASK, 30, 205) == []
    assert market.take(ANA, Side.ASK, 50, 0) == [("ana", "cem", 30, 200)]
    market = Market(watt={ANA: 30})
    market.ask(ANA, 20, 190)
    market.book.place(numbered(90, CEM, Side.BID, 50, 185), market.look)
    assert market.take(ANA, Side.ASK, 30, 188) == []
    assert market.take(ANA, Side.ASK, 30, 185) == [("ana", "cem", 30, 185)], "its own ask is dearer, so it comes after"


def test_an_order_with_an_end_goes_by_itself_and_what_it_held_back_trades() -> None:
    market = Market(watt={ANA: 20}, ergon={CEM: 0})
    market.book.place(numbered(50, ANA, Side.ASK, 20, 190, until_s=100), market.look)
    market.ask(ANA, 20, 195)
    market.bid(CEM, 20, 200)
    market.book.end(99)
    assert market.quotes().buying == 190
    market.book.end(100)
    assert market.follow() == []
    assert market.quotes().buying == 195
    assert market.pay(CEM, RICH) == [("ana", "cem", 20, 195)]


def test_an_order_that_wants_less_keeps_its_place_and_never_wants_more() -> None:
    market = Market(watt={ANA: 50, BEN: 50})
    market.ask(ANA, 50, 200)
    market.ask(BEN, 50, 200)
    assert market.book.amend(OrderId("1"), ANA, 30)
    assert not market.book.amend(OrderId("1"), ANA, 30)
    assert not market.book.amend(OrderId("1"), ANA, 31)
    with pytest.raises(InvalidValue):
        market.book.amend(OrderId("1"), BEN, 10)
    assert market.bid(CEM, 40, 200) == [("ana", "cem", 30, 200), ("ben", "cem", 10, 200)]


def test_a_place_in_time_that_was_fixed_before_is_served_before() -> None:
    market = Market(watt={ANA: 50, BEN: 50})
    market.count = 10
    market.ask(ANA, 50, 200)
    market.book.place(numbered(5, BEN, Side.ASK, 50, 200), market.look)
    assert [order.owner for order in market.book.orders()] == [BEN, ANA]
    assert market.bid(CEM, 60, 200) == [("ben", "cem", 50, 200), ("ana", "cem", 10, 200)]


def test_a_book_that_was_put_away_trades_on_as_if_it_had_not_been() -> None:
    market = Market(watt={ANA: 5})
    market.ask(ANA, 50, 180)
    market.bid(CEM, 50, 170)
    market.book.place(numbered(9, DOT, Side.ASK, 1, 190, until_s=7), market.look)
    market.book = Book.load(market.book.orders())
    assert prices(market.quotes()) == (180, 170, 180, 170)
    assert market.bid(BEN, 9, 180) == [("ana", "ben", 5, 180)]
    market.book.end(7)
    assert market.book.standing(DOT) == 0


@pytest.mark.row("E4")
def test_an_order_costs_a_look_at_whom_it_concerns_and_not_at_all_that_wait() -> None:
    looked: list[AccountId] = []
    market = Market()
    for n in range(1, 1_000):
        market.ask(AccountId(f"poor-{n}"), 10, 100 + n)
        market.world.ergon[AccountId(f"broke-{n}")] = 0
        market.bid(AccountId(f"broke-{n}"), 10, 2_000 + n)

    def watched(find: Callable[[AccountId], int]) -> Callable[[AccountId], int]:
        return lambda account: (looked.append(account), find(account))[1]

    world = market.world
    market.look = Look(watched(world.backing), watched(world.room), watched(world.funds), world.move)
    world.watt[ANA] = 10
    assert market.ask(ANA, 10, 1_500) == []
    assert market.bid(CEM, 10, 1_500) == [("ana", "cem", 10, 1_500)]
    assert set(looked) == {ANA, CEM}
    assert len(looked) < 12
    looked.clear()
    assert market.mint(AccountId("poor-7"), 5) == []
    assert market.pay(AccountId("broke-3"), 10) == [("poor-7", "broke-3", 4, 2_003)]
    assert len(looked) < 15


def test_a_book_in_which_nearly_all_is_cancelled_does_not_grow() -> None:
    market = Market()
    for n in range(1, 2_000):
        market.bid(ANA, 1, n)
        if n % 100:
            market.book.cancel(OrderId(str(n)), ANA)
    assert market.quotes().selling == 1_900
    assert len(market.book.orders()) == 19
    queues = [*market.book._all.values(), *market.book._ready.values()]
    assert all(len(queue._heap) < 400 for queue in queues)


@pytest.mark.row("E6")
def test_a_bid_fills_up_to_the_room_below_the_maximum_and_then_waits() -> None:
    market = Market(watt={ANA: 100, CEM: 60}, b_max_wh=100)
    market.ask(ANA, 80, 200)
    assert market.bid(CEM, 80, 200) == [("ana", "cem", 40, 200)]
    assert market.follow() == []
    assert market.mint(CEM, -10) == [("ana", "cem", 10, 200)]


@pytest.mark.row("E6")
def test_a_balance_above_the_maximum_leaves_no_room() -> None:
    market = Market(watt={ANA: 50, CEM: 120}, b_max_wh=100)
    market.ask(ANA, 50, 200)
    assert market.bid(CEM, 50, 200) == []
    assert market.bid(BEN, 20, 200) == [("ana", "ben", 20, 200)], "who waits for room holds nobody up"


def test_a_bid_fills_up_to_its_funds_and_resumes_after_a_top_up() -> None:
    market = Market(watt={ANA: 10_000}, ergon={CEM: 300_000})
    market.ask(ANA, 5_000, 200_000)
    assert market.bid(CEM, 2_000, 200_000) == [("ana", "cem", 1_500, 200_000)]
    assert market.pay(CEM, 40_000) == [("ana", "cem", 200, 200_000)]


@given(st.integers(-3, 500), st.integers(0, 2_000), st.integers(1, 400))
def test_a_buyer_gets_every_watt_hour_that_their_funds_cover_and_none_for_nothing(
    funds: int, price: int, wanted_wh: int
) -> None:
    market = Market(watt={ANA: 1_000}, ergon={CEM: funds})
    market.ask(ANA, 1_000, price)
    trades = market.bid(CEM, wanted_wh, price)
    payable = [wh for wh in range(1, wanted_wh + 1) if wh * price <= max(0, funds) * 1000]
    assert [wh for _, _, wh, _ in trades[:1]] == payable[-1:]
    assert market.world.funds(CEM) >= min(0, funds)


def test_nobody_trades_with_themselves_and_the_next_in_line_is_served() -> None:
    market = Market(watt={ANA: 100, BEN: 100})
    market.ask(ANA, 50, 180)
    market.ask(BEN, 50, 190)
    assert market.bid(ANA, 50, 200) == [("ben", "ana", 50, 190)]


def test_bought_watt_backs_the_buyers_own_waiting_ask_at_once() -> None:
    market = Market(watt={ANA: 50})
    market.ask(BEN, 50, 180)
    market.bid(CEM, 50, 200)
    market.bid(BEN, 50, 150)
    assert market.ask(ANA, 50, 100) == [("ana", "cem", 50, 200)]
    market.bid(DOT, 50, 190)
    assert market.mint(ANA, 50) == []
    assert market.ask(ANA, 50, 150) == [("ana", "dot", 50, 190)]
    assert market.mint(ANA, 50) == []
    assert market.ask(ANA, 50, 140) == [("ana", "ben", 50, 150)]
    assert market.bid(DOT, 10, 185) == [("ben", "dot", 10, 180)]


def test_one_trade_sets_off_the_next_within_one_call() -> None:
    market = Market(watt={CEM: 50}, ergon={ANA: 0})
    market.ask(BEN, 50, 300)
    market.bid(DOT, 50, 320)
    market.bid(BEN, 50, 250)
    assert market.ask(CEM, 50, 330) == []
    market.book.cancel(OrderId("4"), CEM)
    market.book.cancel(OrderId("2"), DOT)
    market.bid(DOT, 50, 310)
    market.pay(DOT, 0)
    assert market.ask(CEM, 50, 200) == [("cem", "ben", 50, 250)], "dot has no money, so ben is next"
    assert market.pay(DOT, RICH) == [("ben", "dot", 50, 300)]


def test_only_its_owner_cancels_an_order_and_only_once() -> None:
    market = Market(watt={ANA: 100})
    market.ask(ANA, 50, 180)
    assert not market.book.cancel(OrderId("1"), BEN)
    assert not market.book.cancel(OrderId("9"), ANA)
    assert market.book.standing(ANA) == 1
    assert market.book.cancel(OrderId("1"), ANA)
    assert not market.book.cancel(OrderId("1"), ANA)
    assert market.book.standing(ANA) == 0
    assert market.bid(CEM, 50, 180) == []


def test_an_order_is_placed_once_and_at_no_price_below_zero() -> None:
    market = Market()
    order = market.order(ANA, Side.ASK, 5, 0)
    market.book.place(order, market.look)
    with pytest.raises(InvalidValue, match="1 already"):
        market.book.place(order, market.look)
    with pytest.raises(InvalidValue, match="-1"):
        market.bid(BEN, 5, -1)
    assert market.book.orders() == (order,)


def test_an_empty_book_has_no_prices() -> None:
    market = Market(watt={ANA: 5})
    assert market.follow() == []
    assert market.quotes().buying is market.quotes().selling is None
    assert market.quotes().backed_buying is None

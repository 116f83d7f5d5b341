"""The WATT book against an obvious one, and in small stories."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.market.book import Book
from commonwatt.model import AccountId, InvalidValue, Order, OrderId, Side, Trade, cost_micro
from oracles.watt_book import NaiveBook

RICH = 10**12
ANA, BEN, CEM, DOT = (AccountId(name) for name in ("ana", "ben", "cem", "dot"))
PEOPLE = (ANA, BEN, CEM, DOT)


@dataclass
class World:
    """Live balances that each trade moves."""

    watt: dict[AccountId, int] = field(default_factory=dict)
    ergon: dict[AccountId, int] = field(default_factory=dict)
    b_max_wh: int = RICH

    def backing(self, account: AccountId) -> int:
        return self.watt.get(account, 0)

    def room(self, account: AccountId) -> int:
        return self.b_max_wh - self.backing(account)

    def funds(self, account: AccountId) -> int:
        return self.ergon.get(account, RICH)

    def move(self, trade: Trade) -> None:
        paid_micro = cost_micro(trade.energy_wh, trade.price_micro_per_kwh)
        self.watt[trade.seller] = self.backing(trade.seller) - trade.energy_wh
        self.watt[trade.buyer] = self.backing(trade.buyer) + trade.energy_wh
        self.ergon[trade.buyer] = self.funds(trade.buyer) - paid_micro
        self.ergon[trade.seller] = self.funds(trade.seller) + paid_micro

    def ears(self) -> tuple[Callable[[AccountId], int], Callable[[AccountId], int], Callable[[AccountId], int]]:
        return self.backing, self.room, self.funds


class Market:
    """A book in a world, with orders that name themselves."""

    def __init__(self, **world: object) -> None:
        self.world = World(**world)  # type: ignore[arg-type]
        self.book = Book()
        self.count = 0

    def order(self, owner: AccountId, side: Side, energy_wh: int, price: int) -> Order:
        self.count += 1
        return Order(
            id=OrderId(f"{self.count}.0"),
            owner=owner,
            side=side,
            energy_wh=energy_wh,
            price_micro_per_kwh=price,
            arrived=self.count,
        )

    def bid(self, owner: AccountId, energy_wh: int, price: int) -> list[tuple[str, str, int, int]]:
        order = self.order(owner, Side.BID, energy_wh, price)
        return told(self.book.place(order, *self.world.ears(), self.world.move))

    def ask(self, owner: AccountId, energy_wh: int, price: int) -> list[tuple[str, str, int, int]]:
        order = self.order(owner, Side.ASK, energy_wh, price)
        return told(self.book.place(order, *self.world.ears(), self.world.move))

    def mint(self, owner: AccountId, energy_wh: int) -> list[tuple[str, str, int, int]]:
        self.world.watt[owner] = self.world.backing(owner) + energy_wh
        return self.match()

    def match(self) -> list[tuple[str, str, int, int]]:
        self.book.changed_all()
        return told(self.book.match(*self.world.ears(), self.world.move))


def told(trades: list[Trade]) -> list[tuple[str, str, int, int]]:
    return [(trade.seller, trade.buyer, trade.energy_wh, trade.price_micro_per_kwh) for trade in trades]


PRICES = st.sampled_from([0, 90, 250, 400, 1500, 1501])
PLACED = st.tuples(st.sampled_from(["bid", "ask"]), st.sampled_from(PEOPLE), st.integers(1, 30), PRICES)
FOR_NOW = st.tuples(st.sampled_from(["bid now", "ask now"]), st.sampled_from(PEOPLE), st.integers(1, 30), PRICES)
TAKEN = st.tuples(st.sampled_from(["bid any", "ask any"]), st.sampled_from(PEOPLE), st.integers(1, 30), st.just(0))
EARLIER = st.tuples(st.sampled_from(["bid before", "ask before"]), st.sampled_from(PEOPLE), st.integers(1, 30), PRICES)
MINTED = st.tuples(st.just("mint"), st.sampled_from(PEOPLE), st.integers(-10, 20), st.just(0))
PAID = st.tuples(st.just("pay"), st.sampled_from(PEOPLE), st.integers(-5, 10), st.just(0))
CANCELLED = st.tuples(st.just("cancel"), st.sampled_from(PEOPLE), st.integers(0, 30), st.just(0))
REDUCED = st.tuples(st.just("reduce"), st.sampled_from(PEOPLE), st.integers(0, 30), st.integers(1, 20))
LAPSED = st.tuples(st.just("lapse"), st.sampled_from(PEOPLE), st.integers(0, 30), st.just(0))
Step = tuple[str, AccountId, int, int]
STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.one_of(PLACED, PLACED, PLACED, FOR_NOW, TAKEN, EARLIER, MINTED, PAID, CANCELLED, REDUCED, LAPSED), max_size=40
)


class Twins:
    """Both books in equal worlds: what is done to one is done to the other, and their answers must not differ."""

    def __init__(self) -> None:
        self.ours, self.theirs = (World(ergon=dict.fromkeys(PEOPLE, 9), b_max_wh=25) for _ in range(2))
        self.book, self.naive = Book(), NaiveBook()

    def step(self, count: int, what: str, owner: AccountId, amount: int, price: int) -> None:
        if what in ("mint", "pay"):
            self.gain(what, owner, amount)
        elif what == "cancel":
            order_id = OrderId(f"{amount}.0")
            assert self.book.cancel(order_id, owner) == self.naive.cancel(order_id, owner)
        elif what == "reduce":
            order_id = OrderId(f"{amount}.0")
            assert self.book.reduce(order_id, owner, price) == self.naive.reduce(order_id, owner, price)
        elif what == "lapse":
            lapsed = self.book.lapsed(amount)
            assert lapsed == self.naive.lapse(amount)
            assert all(self.book.cancel(order.id, order.owner) for order in lapsed)
        else:
            self.order(count, what, owner, amount, price)
        assert self.book.match(*self.ours.ears(), self.ours.move) == self.naive.match(self.theirs)
        self.agree()

    def gain(self, what: str, owner: AccountId, amount: int) -> None:
        for world in (self.ours, self.theirs):
            if what == "mint":
                world.watt[owner] = max(0, world.backing(owner) + amount)
            else:
                world.ergon[owner] = world.funds(owner) + amount
        self.book.changed({owner})

    def order(self, count: int, what: str, owner: AccountId, amount: int, price: int) -> None:
        side, _, how = what.partition(" ")
        order = Order(
            id=OrderId(f"{count}.0"),
            owner=owner,
            side=Side(side),
            energy_wh=amount,
            price_micro_per_kwh=price,
            arrived=count - 1_000 * (how == "before"),
            until_s=amount if amount % 3 == 0 else None,
        )
        if how == "any":
            assert self.book.take(order, *self.ours.ears(), self.ours.move) == self.naive.take(order, self.theirs)
        else:
            rests = how != "now"
            ours = self.book.place(order, *self.ours.ears(), self.ours.move, rests=rests)
            assert ours == self.naive.place(order, self.theirs, rests=rests)

    def agree(self) -> None:
        standing = sorted(self.naive.standing, key=lambda o: o.arrived)
        assert self.ours == self.theirs
        assert list(self.book.orders()) == standing
        quote = self.book.quote(*self.ours.ears())
        told = (quote.buying, quote.selling, quote.backed_buying, quote.backed_selling)
        assert told == self.naive.quote(self.theirs)
        assert told[:2] == (self.book.buying_price, self.book.selling_price)
        for person in PEOPLE:
            theirs = [o for o in standing if o.owner == person]
            assert self.book.standing(person) == len(theirs)
            assert self.book.asked_wh(person) == sum(o.energy_wh for o in theirs if o.side is Side.ASK)


def walk(steps: list[Step]) -> Twins:
    twins = Twins()
    for count, step in enumerate(steps):
        twins.step(count, *step)
    return twins


@pytest.mark.row("E4")
@pytest.mark.row("E6")
@given(STEPS)
def test_the_book_trades_quotes_and_cancels_as_a_naive_list_of_orders_does(steps: list[Step]) -> None:
    walk(steps)


@given(STEPS, STEPS)
def test_a_book_that_was_written_down_and_read_again_trades_alike(steps: list[Step], later: list[Step]) -> None:
    twins = walk(steps)
    twins.book = Book.load(twins.book.orders())
    for count, step in enumerate(later, start=len(steps)):
        twins.step(count, *step)


@given(st.lists(PLACED, max_size=30))
def test_nobody_goes_below_zero_or_above_their_maximum(steps: list[Step]) -> None:
    gifts: list[Step] = [("mint", person, 20, 0) for person in PEOPLE]
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
    assert market.book.buying_price == 180
    quote = market.book.quote(*market.world.ears())
    assert (quote.backed_buying, quote.buying_gap) == (220, 40)
    market.mint(ANA, 1)
    quote = market.book.quote(*market.world.ears())
    assert (quote.backed_buying, quote.buying_gap) == (180, 0), "partly backed is backed"
    market.mint(ANA, -1)
    assert market.bid(CEM, 50, 220) == [("ben", "cem", 50, 220)]
    assert market.bid(CEM, 50, 200) == []
    assert (market.book.buying_price, market.book.selling_price) == (180, 200), "the spread may be negative"


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
def test_watt_that_backs_an_ask_nobody_can_pay_backs_no_later_one() -> None:
    market = Market()
    market.ask(BEN, 10, 180_000)
    market.ask(ANA, 50, 190_000)
    market.bid(ANA, 50, 185_000)
    market.ask(ANA, 10, 170_000)
    assert market.mint(ANA, 10) == [], "the 10 Wh are for the ask that only ana's own bid would meet"
    assert market.bid(CEM, 50, 200_000) == [("ana", "cem", 10, 170_000)]
    assert market.mint(ANA, 1) == [("ana", "cem", 1, 190_000)]


@pytest.mark.row("E6")
def test_a_bid_waits_until_its_buyer_can_pay_for_a_watt_hour_at_its_limit() -> None:
    market = Market(watt={ANA: 50}, ergon={CEM: 199})
    market.ask(ANA, 50, 190_000)
    assert market.bid(CEM, 50, 200_000) == [], "199 micro pay for a Wh at 190,000, but the limit is 200,000"
    quote = market.book.quote(*market.world.ears())
    assert (quote.selling, quote.backed_selling) == (200_000, None)
    market.world.ergon[CEM] += 1
    assert market.match() == [("ana", "cem", 1, 190_000)]


@pytest.mark.row("E6")
def test_a_bid_fills_up_to_the_room_below_the_maximum_and_then_waits() -> None:
    market = Market(watt={ANA: 100, CEM: 60}, b_max_wh=100)
    market.ask(ANA, 80, 200)
    assert market.bid(CEM, 80, 200) == [("ana", "cem", 40, 200)]
    assert market.match() == []
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
    market.world.ergon[CEM] += 40_000
    assert market.match() == [("ana", "cem", 200, 200_000)]


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
    market.book.cancel(OrderId("4.0"), CEM)
    market.book.cancel(OrderId("2.0"), DOT)
    market.bid(DOT, 50, 310)
    market.world.ergon[DOT] = 0
    assert market.ask(CEM, 50, 200) == [("cem", "ben", 50, 250)], "dot has no money, so ben is next"
    market.world.ergon[DOT] = RICH
    assert market.match() == [("ben", "dot", 50, 300)]


def test_only_its_owner_cancels_an_order_and_only_once() -> None:
    market = Market(watt={ANA: 100})
    market.ask(ANA, 50, 180)
    assert not market.book.cancel(OrderId("1.0"), BEN)
    assert not market.book.cancel(OrderId("9.0"), ANA)
    assert market.book.standing(ANA) == 1
    assert market.book.cancel(OrderId("1.0"), ANA)
    assert not market.book.cancel(OrderId("1.0"), ANA)
    assert market.book.standing(ANA) == 0
    assert market.bid(CEM, 50, 180) == []


def test_an_order_is_placed_once_and_at_no_price_below_zero() -> None:
    market = Market()
    order = market.order(ANA, Side.ASK, 5, 0)
    market.book.place(order, *market.world.ears(), market.world.move)
    with pytest.raises(InvalidValue, match=r"1\.0"):
        market.book.place(order, *market.world.ears(), market.world.move)
    with pytest.raises(InvalidValue, match="-1"):
        market.bid(BEN, 5, -1)
    assert market.book.orders() == (order,)


def test_an_empty_book_has_no_prices() -> None:
    market = Market(watt={ANA: 5})
    assert market.match() == []
    assert market.book.buying_price is market.book.selling_price is None
    quote = market.book.quote(*market.world.ears())
    assert (quote.buying, quote.backed_selling, quote.buying_gap, quote.selling_gap) == (None,) * 4


@pytest.mark.row("E7")
def test_traders_without_any_intelligence_reach_nearly_all_gains_of_trade() -> None:
    # Gode & Sunder, Allocative Efficiency of Markets with Zero-Intelligence Traders, 1993: a double auction with
    # budget-constrained random traders exhausts about 99 % of the surplus.
    random = Random(1993)
    values = {AccountId(f"buyer-{i}"): random.randrange(50, 200) for i in range(40)}
    costs = {AccountId(f"seller-{i}"): random.randrange(50, 200) for i in range(40)}
    market = Market(watt=dict.fromkeys(costs, 1))
    last: dict[AccountId, OrderId] = {}
    gained = 0
    for _ in range(20_000):
        trader = random.choice([*values, *costs])
        if market.world.backing(trader) == (trader in values):
            continue  # They have dealt their one unit.
        if trader in last:
            market.book.cancel(last[trader], trader)
        if trader in values:
            traded = market.bid(trader, 1, random.randint(0, values[trader]))
        else:
            traded = market.ask(trader, 1, random.randint(costs[trader], 200))
        last[trader] = OrderId(f"{market.count}.0")
        gained += sum(values[AccountId(buyer)] - costs[AccountId(seller)] for seller, buyer, _, _ in traded)
    ranked = zip(sorted(values.values(), reverse=True), sorted(costs.values()), strict=True)
    most = sum(max(0, value - cost) for value, cost in ranked)
    assert 0.95 * most <= gained <= most


def test_a_balance_that_changed_unsaid_is_noticed_before_it_can_be_traded() -> None:
    market = Market(watt={ANA: 50, BEN: 50})
    market.ask(ANA, 50, 180)
    market.ask(BEN, 50, 190)
    market.world.watt[ANA] = 0
    assert market.bid(CEM, 60, 200) == [("ben", "cem", 50, 190)]

"""The WATT book against an obvious one, and in small stories."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.market.book import Book
from commonwatt.model import AccountId, InvalidValue, Order, OrderId, Side, Trade, cost_micro

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
            id=OrderId(f"{self.count}.0"), owner=owner, side=side, energy_wh=energy_wh, price_micro_per_kwh=price
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
        return told(self.book.match(*self.world.ears(), self.world.move))


def told(trades: list[Trade]) -> list[tuple[str, str, int, int]]:
    return [(trade.seller, trade.buyer, trade.energy_wh, trade.price_micro_per_kwh) for trade in trades]


class NaiveBook:
    """All orders in one list; looks at every pair, every time."""

    def __init__(self) -> None:
        self.standing: list[Order] = []

    def place(self, order: Order, world: World) -> list[Trade]:
        self.standing.append(order)
        return self.match(world)

    def cancel(self, order_id: str, owner: str) -> bool:
        before = len(self.standing)
        self.standing = [o for o in self.standing if (o.id, o.owner) != (order_id, owner)]
        return len(self.standing) < before

    def match(self, world: World) -> list[Trade]:
        trades: list[Trade] = []
        while possible := [trade for pair in self.pairs() if (trade := self.trade(*pair, world))]:
            trade = possible[0]
            left = [self.less(order, trade) for order in self.standing]
            self.standing = [order for order in left if order]
            world.move(trade)
            trades.append(trade)
        return trades

    def ranked(self, side: Side) -> list[Order]:
        sign = -1 if side is Side.BID else 1
        ours = [order for order in self.standing if order.side is side]
        return sorted(ours, key=lambda o: (sign * o.price_micro_per_kwh, self.standing.index(o)))

    def pairs(self) -> list[tuple[Order, Order]]:
        return [(bid, ask) for bid in self.ranked(Side.BID) for ask in self.ranked(Side.ASK)]

    def trade(self, bid: Order, ask: Order, world: World) -> Trade | None:
        if bid.owner == ask.owner or bid.price_micro_per_kwh < ask.price_micro_per_kwh:
            return None
        before = [o for o in self.ranked(Side.ASK) if o.owner == ask.owner]
        taken = sum(o.energy_wh for o in before[: before.index(ask)])
        price = min(bid, ask, key=self.standing.index).price_micro_per_kwh
        energy_wh = min(bid.energy_wh, ask.energy_wh, world.backing(ask.owner) - taken, world.room(bid.owner))
        while energy_wh > 0 and energy_wh * price > max(0, world.funds(bid.owner)) * 1000:
            energy_wh -= 1
        if energy_wh <= 0:
            return None
        return Trade(
            buyer=bid.owner,
            seller=ask.owner,
            bid=bid.id,
            ask=ask.id,
            energy_wh=energy_wh,
            price_micro_per_kwh=price,
        )

    def less(self, order: Order, trade: Trade) -> Order | None:
        left_wh = order.energy_wh - (trade.energy_wh if order.id in (trade.bid, trade.ask) else 0)
        return replace(order, energy_wh=left_wh) if left_wh else None


PLACED = st.tuples(
    st.sampled_from(Side), st.sampled_from(PEOPLE), st.integers(1, 30), st.sampled_from([0, 90, 250, 400, 1500, 1501])
)
MINTED = st.tuples(st.just("mint"), st.sampled_from(PEOPLE), st.integers(-10, 20), st.just(0))
PAID = st.tuples(st.just("pay"), st.sampled_from(PEOPLE), st.integers(-5, 10), st.just(0))
CANCELLED = st.tuples(st.just("cancel"), st.sampled_from(PEOPLE), st.integers(0, 30), st.just(0))
STEPS = st.lists(st.one_of(PLACED, PLACED, MINTED, PAID, CANCELLED), max_size=30)


def walk(steps: list[tuple[str, AccountId, int, int]]) -> tuple[Book, World, NaiveBook]:
    """Do the same things to both books; their answers must not differ."""
    ours, theirs = (World(ergon=dict.fromkeys(PEOPLE, 9), b_max_wh=25) for _ in range(2))
    book, naive = Book(), NaiveBook()
    for count, (what, owner, amount, price) in enumerate(steps):
        if what == "mint":
            for world in (ours, theirs):
                world.watt[owner] = max(0, world.backing(owner) + amount)
        elif what == "pay":
            for world in (ours, theirs):
                world.ergon[owner] = world.funds(owner) + amount
        elif what == "cancel":
            order_id = OrderId(f"{amount}.0")
            assert book.cancel(order_id, owner) == naive.cancel(order_id, owner)
        else:
            order = Order(
                id=OrderId(f"{count}.0"), owner=owner, side=Side(what), energy_wh=amount, price_micro_per_kwh=price
            )
            assert book.place(order, *ours.ears(), ours.move) == naive.place(order, theirs)
        assert book.match(*ours.ears(), ours.move) == naive.match(theirs)
        assert ours == theirs
        assert list(book.orders()) == naive.standing
        asks = [order.price_micro_per_kwh for order in naive.standing if order.side is Side.ASK]
        bids = [order.price_micro_per_kwh for order in naive.standing if order.side is Side.BID]
        assert book.buying_price == (min(asks) if asks else None)
        assert book.selling_price == (max(bids) if bids else None)
        assert [book.standing(p) > 0 for p in PEOPLE] == [any(o.owner == p for o in naive.standing) for p in PEOPLE]
    return book, ours, naive


@pytest.mark.row("E4")
@given(STEPS)
def test_the_book_trades_as_a_naive_list_of_orders_does(steps: list[tuple[str, AccountId, int, int]]) -> None:
    walk(steps)


@given(STEPS)
def test_the_lowest_backed_ask_is_the_lowest_whose_owner_has_watt(
    steps: list[tuple[str, AccountId, int, int]],
) -> None:
    book, world, naive = walk(steps)
    backed = [o.price_micro_per_kwh for o in naive.standing if o.side is Side.ASK and world.backing(o.owner) > 0]
    assert book.backed_buying_price(world.backing) == (min(backed) if backed else None)


@given(st.lists(PLACED, max_size=30))
def test_nobody_goes_below_zero_or_above_their_maximum(steps: list[tuple[str, AccountId, int, int]]) -> None:
    gifts: list[tuple[str, AccountId, int, int]] = [("mint", person, 20, 0) for person in PEOPLE]
    _, world, _ = walk(gifts + steps)
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
    assert market.book.backed_buying_price(market.world.backing) == 220
    market.world.watt[ANA] = 1
    assert market.book.backed_buying_price(market.world.backing) == 180, "partly backed is backed"
    market.world.watt[ANA] = 0
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
    market = Market(ergon={CEM: 195})
    market.ask(ANA, 50, 190_000)
    market.bid(CEM, 50, 200_000)
    market.ask(ANA, 10, 180_000)
    assert market.mint(ANA, 10) == [], "the first ask costs the earlier bid's 200 micro per Wh"
    assert market.mint(ANA, 1) == [("ana", "cem", 1, 190_000)]


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
    assert market.book.backed_buying_price(market.world.backing) is None


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

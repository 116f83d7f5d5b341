"""BOOK: the WATT book alone, without signatures and disk, with many orders at rest of which half cannot trade."""

from collections.abc import Callable
from random import Random
from time import process_time

from benchmarks.figure import Figure, figure
from commonwatt.market.book import Book, Look
from commonwatt.model import AccountId, Order, OrderId, Side, Trade, cost_micro

RESTING, STEPS, EACH = 100_000, 100_000, 4
"""Orders at rest, steps that are measured of each kind, and how many orders each account has at rest."""
MIDDLE = 200_000
"""Bids stand below this price and asks above, micro per kWh, but for those that cross."""


class _Town:
    """Accounts with live balances: every other one has neither WATT, nor room, nor money."""

    def __init__(self) -> None:
        self.names = [AccountId(f"member-{n}") for n in range(RESTING // EACH)]
        able = self.names[::2]
        self.watt, self.ergon = dict.fromkeys(able, 10**9), dict.fromkeys(able, 10**12)
        self.look = Look(self.backing, self.room, self.funds, self.move)
        self.book, self.count, self.trades, self.chance = Book(), 0, 0, Random(5)

    def backing(self, name: AccountId) -> int:
        return self.watt.get(name, 0)

    def room(self, name: AccountId) -> int:
        return 10**9 if name in self.watt else 0

    def funds(self, name: AccountId) -> int:
        return self.ergon.get(name, 0)

    def move(self, trade: Trade) -> None:
        paid = cost_micro(trade.energy_wh, trade.price_micro_per_kwh)
        self.watt[trade.seller] -= trade.energy_wh
        self.watt[trade.buyer] += trade.energy_wh
        self.ergon[trade.buyer] -= paid
        self.ergon[trade.seller] += paid
        self.trades += 1

    def place(self, *, crossing: bool) -> None:
        self.count += 1
        side, away = self.chance.choice((Side.BID, Side.ASK)), self.chance.randrange(1, 100_000)
        lower = (side is Side.BID) is not crossing
        order = Order(
            id=OrderId(str(self.count)),
            owner=self.chance.choice(self.names),
            side=side,
            energy_wh=self.chance.randrange(1, 2_000),
            price_micro_per_kwh=MIDDLE - away if lower else MIDDLE + away,
            arrived=self.count,
        )
        self.book.place(order, self.look)

    def flip(self) -> None:
        """Let a balance come or go."""
        name = self.chance.choice(self.names)
        if name in self.watt:
            del self.watt[name], self.ergon[name]
        else:
            self.watt[name], self.ergon[name] = 10**9, 10**12
        self.book.follow(self.look, [name])

    def cancel(self) -> None:
        order = self.book.of(self.chance.choice(self.names))[:1]
        if order and self.book.cancel(order[0].id, order[0].owner):
            self.book.follow(self.look)


def book() -> Figure:
    """Orders a second that the WATT book alone places and matches, 100,000 at rest, half of them unable to trade."""
    town = _Town()
    filled = _rate(RESTING, lambda: town.place(crossing=False))
    resting = len(town.book.orders())
    before = town.trades
    placed = _rate(STEPS, lambda: town.place(crossing=town.count % 2 == 0))
    traded = town.trades - before
    flipped, cancelled = _rate(STEPS, town.flip), _rate(STEPS, town.cancel)
    return figure(
        "BOOK",
        placed,
        "orders/s",
        38_000,
        resting=resting,
        accounts=len(town.names),
        placed_without_a_match_per_s=round(filled),
        half_of_them_cross_and_trade=traded,
        balances_changed_per_s=round(flipped),
        cancels_per_s=round(cancelled),
        limit_is="the goal of P5 for whole signed orders; processor time of one core here",
    )


def _rate(times: int, step: Callable[[], None]) -> float:
    began = process_time()
    for _ in range(times):
        step()
    return times / (process_time() - began)

"""GS: random traders in the WATT book reach the efficiency that Gode & Sunder measured; and how fast the book is."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from time import perf_counter

from benchmarks.figure import Figure, figure
from commonwatt.market.book import Book
from commonwatt.model import AccountId, Order, OrderId, Side, Trade

PERIODS = int(os.environ.get("COMMONWATT_GS_PERIODS", "300"))
SHOUTS = 2_000
"""A period: with 500 the first market reaches 98.2 %, with 200 only 82 %."""
HIGHEST = 200
"""Prices are whole numbers from 1 to this; one is a thousand micro per kWh, and one unit a watt-hour."""
ONE = 1_000
RICH = 10**12
ZI_U = (90.0, 90.0, 76.7, 48.8, 86.0)
ZI_C = (99.9, 99.2, 99.0, 98.2, 97.1)
"""Table 2 of Gode & Sunder, Allocative Efficiency of Markets with Zero-Intelligence Traders, 1993: markets 1-5, %."""


@dataclass(frozen=True)
class Schedule:
    """What each buyer's units are worth and what each seller's cost, first unit first, in micro per kWh."""

    values: tuple[tuple[int, ...], ...]
    costs: tuple[tuple[int, ...], ...]

    def most(self) -> int:
        """Return the gain of the best allocation."""
        values = sorted((value for units in self.values for value in units), reverse=True)
        costs = sorted(cost for units in self.costs for cost in units)
        return sum(max(0, value - cost) for value, cost in zip(values, costs, strict=True))


def _alike(values: Sequence[int], costs: Sequence[int]) -> Schedule:
    return Schedule((tuple(ONE * v for v in values),) * 6, (tuple(ONE * c for c in costs),) * 6)


def _fifth() -> Schedule:
    """Return market 5: 18 units a side that should trade, with three traders, and 21 that should not, with three."""
    steps = [round(28 * ONE * n / 17) for n in range(18)]
    values = [tuple(159 * ONE - step for step in steps[first::3]) for first in range(3)]
    costs = [tuple(96 * ONE + step for step in steps[first::3]) for first in range(3)]
    return Schedule((*values, *[(127 * ONE,) * 7] * 3), (*costs, *[(131 * ONE,) * 7] * 3))


MARKETS = (
    _alike((102, 97, 92, 87, 82, 77), (34, 46, 58, 70, 82, 94)),
    _alike((117, 105, 93, 81, 69, 57), (49, 54, 59, 64, 69, 74)),
    _alike((133, 95, 90), (90, 95, 100)),
    _alike((180, 175, 170, 165, 160), (90, 142, 170, 190, 198)),
    _fifth(),
)


class Period:
    """One period of trade in the production book: one quote a side at most, and a trade ends both."""

    def __init__(self, schedule: Schedule, random: Random, *, constrained: bool) -> None:
        self.random, self.constrained = random, constrained
        self.left = {AccountId(f"buyer {n}"): list(units) for n, units in enumerate(schedule.values)}
        self.left |= {AccountId(f"seller {n}"): list(units) for n, units in enumerate(schedule.costs)}
        self.buys = {name: name.startswith("buyer") for name in self.left}
        self.traders = list(self.left)
        self.watt = {name: 0 if self.buys[name] else len(units) for name, units in self.left.items()}
        self.book, self.count, self.gained = Book(), 0, 0
        self.quoted: dict[Side, Order] = {}

    def run(self, shouts: int) -> int:
        """Let traders shout at random; return what was gained, in micro per kWh."""
        for _ in range(shouts):
            self.shout()
        return self.gained

    def shout(self) -> None:
        trader = self.random.choice(self.traders)
        units = self.left[trader]
        if not units:
            return
        lowest, highest = 1, HIGHEST
        if self.constrained and self.buys[trader]:
            highest = units[0] // ONE
        elif self.constrained:
            lowest = -(-units[0] // ONE)
        price = ONE * self.random.randint(lowest, highest)
        side, best = (Side.BID, self.book.selling_price) if self.buys[trader] else (Side.ASK, self.book.buying_price)
        if best is not None and (price <= best if side is Side.BID else price >= best):
            return  # only a quote that is better than the standing one stands
        self.quote(trader, side, price)

    def quote(self, trader: AccountId, side: Side, price: int) -> None:
        if old := self.quoted.pop(side, None):
            self.book.cancel(old.id, old.owner)
        self.count += 1
        order = Order(
            id=OrderId(str(self.count)),
            owner=trader,
            side=side,
            energy_wh=1,
            price_micro_per_kwh=price,
            arrived=self.count,
        )
        self.quoted[side] = order
        if self.book.place(order, self.watt.__getitem__, self.rich, self.rich, self.trade):
            for quote in self.quoted.values():
                self.book.cancel(quote.id, quote.owner)
            self.quoted.clear()

    def rich(self, _: AccountId) -> int:
        return RICH

    def trade(self, trade: Trade) -> None:
        self.watt[trade.seller] -= 1
        self.watt[trade.buyer] += 1
        self.gained += self.left[trade.buyer].pop(0) - self.left[trade.seller].pop(0)


def efficiency(schedule: Schedule, seed: int, periods: int, *, constrained: bool) -> float:
    """Return which part of the possible gain random traders reach, in percent, on average of some periods."""
    random = Random(seed)
    gained = sum(Period(schedule, random, constrained=constrained).run(SHOUTS) for _ in range(periods))
    return 100 * gained / (periods * schedule.most())


def gs() -> Figure:
    """Gode & Sunder's five markets through the WATT book: the worst distance of ZI-C from their table, in points."""
    began = perf_counter()
    free = [efficiency(market, 1993, PERIODS, constrained=False) for market in MARKETS]
    bound = [efficiency(market, 1993, PERIODS, constrained=True) for market in MARKETS]
    took_s = perf_counter() - began
    off = max(abs(found - told) for found, told in zip(bound, ZI_C, strict=True))
    return figure(
        "GS",
        off,
        "points",
        1.5,
        zi_u_percent=[round(found, 2) for found in free],
        zi_u_paper=list(ZI_U),
        zi_c_percent=[round(found, 2) for found in bound],
        zi_c_paper=list(ZI_C),
        zi_u_worst_of_four=round(max(abs(a - b) for a, b in zip(free[:4], ZI_U, strict=False)), 3),
        periods=PERIODS,
        shouts_a_period=SHOUTS,
        shouts_per_s=round(2 * len(MARKETS) * PERIODS * SHOUTS / took_s),
    )

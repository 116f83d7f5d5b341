"""GS: traders without intelligence in the WATT book, against the table of Gode & Sunder 1993."""

from collections.abc import Iterator, Sequence
from random import Random

from benchmarks.figure import Figure, figure
from commonwatt.market.book import Book, Look
from commonwatt.model import AccountId, Order, OrderId, Side, Trade

HIGHEST = 200
"""Prices are drawn from 1 to this."""
SHOUTS = 2_000
PERIODS = 200
Units = tuple[tuple[int, ...], ...]
"""What each trader's units are worth, or cost, in the order in which they are dealt."""


def _six(*units: int) -> Units:
    return (units,) * 6


def _among_three(first: int, last: int) -> Units:
    """Return 18 evenly spaced units of three traders, each of whom has every third."""
    units = [round(first + (last - first) * n / 17) for n in range(18)]
    return tuple(tuple(units[n::3]) for n in range(3))


MARKETS: tuple[tuple[Units, Units], ...] = (
    (_six(102, 97, 92, 87, 82, 77), _six(34, 46, 58, 70, 82, 94)),
    (_six(117, 105, 93, 81, 69, 57), _six(49, 54, 59, 64, 69, 74)),
    (_six(133, 95, 90), _six(90, 95, 100)),
    (_six(180, 175, 170, 165, 160), _six(90, 142, 170, 190, 198)),
    ((*_among_three(159, 131), *((127,) * 7,) * 3), (*_among_three(96, 124), *((131,) * 7,) * 3)),
)
"""Values and costs. The paper prints step curves; these are read off them. Of the fifth the arithmetic is known."""
UNCONSTRAINED = (90.0, 90.0, 76.7, 48.8)
"""Table 2: allocative efficiency of ZI-U in percent, markets 1 to 4."""
CONSTRAINED = (99.9, 99.2, 99.0, 98.2, 97.1)
"""Table 2: of ZI-C, markets 1 to 5."""


def gs() -> Figure:
    """Efficiency of budget-constrained random traders in the production book, mean of five markets, percent."""
    found = [efficiency(number, constrained=True, periods=PERIODS) for number in range(len(MARKETS))]
    free = [efficiency(number, constrained=False, periods=1) for number in range(len(MARKETS))]
    return figure(
        "GS",
        sum(found) / len(found),
        "percent",
        sum(CONSTRAINED) / len(CONSTRAINED),
        zi_c=[round(one, 2) for one in found],
        zi_c_paper=CONSTRAINED,
        zi_u=[round(one, 2) for one in free],
        zi_u_paper=UNCONSTRAINED,
        periods=PERIODS,
        shouts_a_period=SHOUTS,
        source="Gode & Sunder 1993, Table 2, doi 10.1086/261868; limit is the paper's mean",
    )


def efficiency(number: int, *, constrained: bool, periods: int, shouts: int = SHOUTS, seed: int = 1993) -> float:
    """Return which part of all gains of trade random traders reach in one of the `MARKETS`, in percent."""
    chance, (values, costs) = Random(seed * 10 + number), MARKETS[number]
    won = sum(_Period(values, costs, constrained, chance).run(shouts) for _ in range(periods))
    return 100 * won / (periods * most(values, costs))


def most(values: Units, costs: Units) -> int:
    """Return the most that trade could gain: the dearest values against the cheapest costs."""
    ranked = zip(sorted(_all(values), reverse=True), sorted(_all(costs)), strict=True)
    return sum(max(0, value - cost) for value, cost in ranked)


def _all(units: Units) -> Iterator[int]:
    return (unit for owned in units for unit in owned)


class _Period:
    """One period: whoever is drawn shouts, only better quotes stand, and a trade clears them all."""

    def __init__(self, values: Units, costs: Units, constrained: bool, chance: Random) -> None:
        self.units = {
            **{AccountId(f"buyer-{n}"): list(owned) for n, owned in enumerate(values)},
            **{AccountId(f"seller-{n}"): list(owned) for n, owned in enumerate(costs)},
        }
        self.buyers = {name for name in self.units if name.startswith("buyer")}
        self.constrained, self.chance, self.gained = constrained, chance, 0
        self.book, self.look = Book(), Look(self.left, self.left, lambda _: 10**12, self.traded)

    def left(self, trader: AccountId) -> int:
        """Return how many units a trader can still deal in: a buyer has room for them, a seller has them."""
        return len(self.units[trader])

    def traded(self, trade: Trade) -> None:
        self.gained += self.units[trade.buyer].pop(0) - self.units[trade.seller].pop(0)

    def run(self, shouts: int) -> int:
        """Return what was gained."""
        for number in range(1, shouts + 1):
            active = [name for name, units in self.units.items() if units]
            if not self.buyers & {*active} or not {*active} - self.buyers:
                break
            self.shout(self.chance.choice(active), number)
        return self.gained

    def shout(self, trader: AccountId, number: int) -> None:
        buys, unit = trader in self.buyers, self.units[trader][0]
        low, high = 1, HIGHEST
        if self.constrained:
            low, high = (1, unit) if buys else (unit, HIGHEST)
        price, quoted = self.chance.randint(low, high), self.book.quotes(self.look)
        best = quoted.selling if buys else quoted.buying
        if best is not None and (price <= best if buys else price >= best):
            return  # only an improvement stands
        side = Side.BID if buys else Side.ASK
        shout = Order(
            id=OrderId(str(number)), owner=trader, side=side, energy_wh=1, price_micro_per_kwh=price, arrived=number
        )
        stands = [order for order in self.book.orders() if order.side is side]
        self.clear(stands)
        if self.book.place(shout, self.look):
            self.clear(self.book.orders())

    def clear(self, orders: Sequence[Order]) -> None:
        for order in orders:
            self.book.cancel(order.id, order.owner)
        self.book.follow(self.look)

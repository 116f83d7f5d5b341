"""The WATT book written down as its rules read: one list of orders, every pair looked at, every time."""

from dataclasses import dataclass, field, replace

from commonwatt.market.book import Look, Quotes
from commonwatt.model import AccountId, Order, OrderId, Side, Trade, cost_micro

RICH = 10**12


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

    def look(self) -> Look:
        return Look(self.backing, self.room, self.funds, self.move)


class NaiveBook:
    """Asks nobody what has changed: looks at everything again."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.standing: list[Order] = []

    def place(self, order: Order) -> list[Trade]:
        self.standing.append(order)
        return self.follow()

    def take(self, order: Order) -> list[Trade]:
        """Serve one order to its end, pretending that it rests; then let go of it."""
        trades = self.follow()
        self.standing.append(order)
        while found := [trade for pair in self.pairs() if order in pair and (trade := self.trade(*pair, take=order))]:
            order = self.done(found[0], order)
            trades.append(found[0])
        self.standing = [other for other in self.standing if other.id != order.id]
        return trades + self.follow()

    def done(self, trade: Trade, mine: Order) -> Order:
        self.shrink(trade)
        return next((order for order in self.standing if order.id == mine.id), mine)

    def cancel(self, order_id: str, owner: str) -> bool:
        before = len(self.standing)
        self.standing = [o for o in self.standing if (o.id, o.owner) != (order_id, owner)]
        return len(self.standing) < before

    def amend(self, order_id: str, energy_wh: int) -> bool:
        """Let an order that stands want less, at its place."""
        (order,) = [o for o in self.standing if o.id == order_id]
        smaller = energy_wh < order.energy_wh
        if smaller:
            self.standing[self.standing.index(order)] = replace(order, energy_wh=energy_wh)
        return smaller

    def end(self, now_s: int) -> None:
        self.standing = [o for o in self.standing if o.until_s is None or o.until_s > now_s]

    def trim(self, owner: AccountId) -> None:
        """Leave of an owner's asks only what is backed."""
        for ask in self.ranked(Side.ASK):
            if ask.owner == owner:
                self.cancel(ask.id, owner)
                if left_wh := self.backed_wh(ask, [o for o in self.ranked(Side.ASK) if self.rank(o) < self.rank(ask)]):
                    self.standing.append(replace(ask, energy_wh=left_wh))

    def follow(self) -> list[Trade]:
        trades: list[Trade] = []
        while found := [trade for pair in self.pairs() if (trade := self.trade(*pair))]:
            self.shrink(found[0])
            trades.append(found[0])
        return trades

    def shrink(self, trade: Trade) -> None:
        left = [
            (order, order.energy_wh - trade.energy_wh * (order.id in (trade.bid, trade.ask))) for order in self.standing
        ]
        self.standing = [replace(order, energy_wh=wh) for order, wh in left if wh]
        self.world.move(trade)

    def rank(self, order: Order) -> tuple[int, int]:
        sign = -1 if order.side is Side.BID else 1
        return sign * order.price_micro_per_kwh, order.arrived

    def ranked(self, side: Side) -> list[Order]:
        return sorted((order for order in self.standing if order.side is side), key=self.rank)

    def pairs(self) -> list[tuple[Order, Order]]:
        return [(bid, ask) for bid in self.ranked(Side.BID) for ask in self.ranked(Side.ASK)]

    def backed_wh(self, ask: Order, before: list[Order]) -> int:
        taken_wh = sum(other.energy_wh for other in before if other.owner == ask.owner)
        return max(0, min(ask.energy_wh, self.world.backing(ask.owner) - taken_wh))

    def payable_wh(self, bid: Order, price: int) -> int:
        wh = max(0, min(bid.energy_wh, self.world.room(bid.owner)))
        while wh and wh * price > max(0, self.world.funds(bid.owner)) * 1000:
            wh -= 1
        return wh

    def waits(self, bid: Order) -> bool:
        return not self.payable_wh(replace(bid, energy_wh=1), bid.price_micro_per_kwh)

    def trade(self, bid: Order, ask: Order, take: Order | None = None) -> Trade | None:
        """Return what two orders would trade; whoever takes at once may be unable to pay the limit."""
        if bid.owner == ask.owner or bid.price_micro_per_kwh < ask.price_micro_per_kwh:
            return None
        if bid is not take and self.waits(bid):
            return None
        price = min(bid, ask, key=lambda order: order.readable).price_micro_per_kwh
        asks = self.ranked(Side.ASK)
        energy_wh = min(self.backed_wh(ask, asks[: asks.index(ask)]), self.payable_wh(bid, price))
        if not energy_wh:
            return None
        return Trade(
            buyer=bid.owner,
            seller=ask.owner,
            bid=bid.id,
            ask=ask.id,
            energy_wh=energy_wh,
            price_micro_per_kwh=price,
        )

    def quotes(self) -> Quotes:
        asks, bids = self.ranked(Side.ASK), self.ranked(Side.BID)
        backed = [ask for n, ask in enumerate(asks) if self.backed_wh(ask, asks[:n])]
        able = [bid for bid in bids if not self.waits(bid)]
        best = [
            [o for o in side if o.price_micro_per_kwh == side[0].price_micro_per_kwh]
            for side in (asks, bids, backed, able)
        ]
        wanted_wh = [sum(order.energy_wh for order in side) for side in best[:2]]
        backed_wh = sum(self.backed_wh(ask, asks[: asks.index(ask)]) for ask in best[2])
        able_wh = 0
        for owner in {bid.owner for bid in best[3]}:
            mine = [bid for bid in best[3] if bid.owner == owner]
            able_wh += self.payable_wh(
                replace(mine[0], energy_wh=sum(bid.energy_wh for bid in mine)), mine[0].price_micro_per_kwh
            )
        return Quotes(*(side[0].price_micro_per_kwh if side else None for side in best), *wanted_wh, backed_wh, able_wh)


def prices(quotes: Quotes) -> tuple[int | None, ...]:
    """Return the lowest ask and the highest bid of all, and of those that could trade."""
    return quotes.buying, quotes.selling, quotes.backed_buying, quotes.backed_selling


def numbered(
    number: int,
    owner: AccountId,
    side: Side,
    energy_wh: int,
    price: int,
    until_s: int | None = None,
    *,
    sealed: int | None = None,
) -> Order:
    """Return an order that is named after its place in time, which a seal may have fixed before it was told."""
    place = number if sealed is None else sealed
    return Order(
        id=OrderId(str(place)),
        owner=owner,
        side=side,
        energy_wh=energy_wh,
        price_micro_per_kwh=price,
        arrived=place,
        until_s=until_s,
        told=None if sealed is None else number,
    )

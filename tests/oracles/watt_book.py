"""The WATT book as one list in which every pair is looked at, every time: the twin of `commonwatt.market.book`."""

from dataclasses import replace
from typing import Protocol

from commonwatt.model import AccountId, Order, Side, Trade


class World(Protocol):
    """Whose balances are asked for, and moved by each trade."""

    def backing(self, account: AccountId) -> int: ...
    def room(self, account: AccountId) -> int: ...
    def funds(self, account: AccountId) -> int: ...
    def move(self, trade: Trade) -> None: ...


class NaiveBook:
    """All orders in one list; looks at every pair, every time."""

    def __init__(self) -> None:
        self.standing: list[Order] = []

    def place(self, order: Order, world: World, *, rests: bool = True) -> list[Trade]:
        self.standing.append(order)
        trades = self.match(world)
        if not rests:
            self.cancel(order.id, order.owner)
        return trades

    def take(self, order: Order, world: World) -> list[Trade]:
        """Try every price at which others stand, best first, again and again until none brings anything."""
        trades: list[Trade] = []
        left_wh = order.energy_wh
        while left_wh:
            for other in [other for other in self.ranked(order.side.other) if other.owner != order.owner]:
                at = replace(order, energy_wh=left_wh, price_micro_per_kwh=other.price_micro_per_kwh)
                dealt = self.place(at, world, rests=False)
                trades += dealt
                done_wh = sum(trade.energy_wh for trade in dealt if order.id in (trade.bid, trade.ask))
                if done_wh:
                    left_wh -= done_wh
                    break
            else:
                break
        return trades

    def reduce(self, order_id: str, owner: str, energy_wh: int) -> bool:
        for at, order in enumerate(self.standing):
            if (order.id, order.owner) == (order_id, owner) and energy_wh < order.energy_wh:
                self.standing[at] = replace(order, energy_wh=energy_wh)
                return True
        return False

    def lapse(self, now_s: int) -> list[Order]:
        gone = [order for order in self.standing if order.until_s is not None and order.until_s <= now_s]
        self.standing = [order for order in self.standing if order not in gone]
        return sorted(gone, key=lambda o: (o.until_s, o.arrived))

    def quote(self, world: World) -> tuple[int | None, int | None, int | None, int | None]:
        """Return the prices of buying and selling, then both of only what could trade."""
        asks, bids = self.ranked(Side.ASK), self.ranked(Side.BID)
        backed = [o for o in asks if world.backing(o.owner) > 0]
        payable = [
            o for o in bids if world.room(o.owner) > 0 and o.price_micro_per_kwh <= 1000 * max(0, world.funds(o.owner))
        ]
        first = [side[0].price_micro_per_kwh if side else None for side in (asks, bids, backed, payable)]
        return first[0], first[1], first[2], first[3]

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
        return sorted(ours, key=lambda o: (sign * o.price_micro_per_kwh, o.arrived))

    def pairs(self) -> list[tuple[Order, Order]]:
        return [(bid, ask) for bid in self.ranked(Side.BID) for ask in self.ranked(Side.ASK)]

    def trade(self, bid: Order, ask: Order, world: World) -> Trade | None:
        if bid.owner == ask.owner or bid.price_micro_per_kwh < ask.price_micro_per_kwh:
            return None
        before = [o for o in self.ranked(Side.ASK) if o.owner == ask.owner]
        taken = sum(o.energy_wh for o in before[: before.index(ask)])
        price = min(bid, ask, key=lambda o: o.arrived).price_micro_per_kwh
        energy_wh = min(bid.energy_wh, ask.energy_wh, world.backing(ask.owner) - taken, world.room(bid.owner))
        if bid.price_micro_per_kwh > max(0, world.funds(bid.owner)) * 1000:
            return None  # not one Wh at its limit
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

"""The continuous book for WATT: first come, first served, and only what is backed changes hands."""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from commonwatt.model import AccountId, InvalidValue, Order, OrderId, Side, Trade

Balance = Callable[[AccountId], int]
"""Looks up a whole number of one account, as it stands at the moment of asking."""


@dataclass(slots=True)
class _Standing:
    order: Order
    arrived: int

    @property
    def price(self) -> int:
        return self.order.price_micro_per_kwh

    @property
    def rank(self) -> tuple[int, int]:
        return (-self.price if self.order.side is Side.BID else self.price, self.arrived)


class Book:
    """Resting orders of one community, and the trades that follow from them (row E4).

    An order may stand before its energy, money or room exists: it counts for the prices and trades once it can, at
    its old place. So bids may stand above asks. Energy is in base units of WATT (1 = 1 Wh), prices in micro per kWh.

    `place` and `match` ask for balances as they go:
        backing: WATT in Wh that an account can give; it backs that account's asks in book order, partly if need be.
        room: Wh that an account can still take, its B_max minus its balance (row E6).
        funds: ERGON in micro that an account can spend.
        on_trade: Told each trade once both orders have shrunk. It moves the balances before it returns, since they
            decide the next trade: bought WATT may back the buyer's own ask. It leaves the book alone.
    Afterwards no two orders in the book could trade.
    """

    def __init__(self) -> None:
        self._bids: list[_Standing] = []
        self._asks: list[_Standing] = []
        self._by_id: dict[OrderId, _Standing] = {}
        self._open: Counter[AccountId] = Counter()
        self._arrivals = 0

    @classmethod
    def load(cls, orders: Iterable[Order]) -> "Book":
        """Return the book that has these orders, in order of arrival, none of which could trade; see `orders`."""
        book = cls()
        for order in orders:
            book._add(order)
        return book

    def place(
        self, order: Order, backing: Balance, room: Balance, funds: Balance, on_trade: Callable[[Trade], None]
    ) -> list[Trade]:
        """Take an order in and return the trades that follow, in order; what is left of it rests.

        Raises:
            InvalidValue: The order already rests here, or its price is below zero: it is the buyer's funds that are
                looked at, so no seller may come to owe.
        """
        if order.id in self._by_id:
            raise InvalidValue(f"an order is placed once, {order.id} already rests in the book")
        if order.price_micro_per_kwh < 0:
            raise InvalidValue(f"WATT costs zero or more, was {order.price_micro_per_kwh} in order {order.id}")
        self._add(order)
        return self.match(backing, room, funds, on_trade)

    def match(self, backing: Balance, room: Balance, funds: Balance, on_trade: Callable[[Trade], None]) -> list[Trade]:
        """Return the trades that have become possible since balances changed, best bid first, then best ask.

        Two orders of different owners trade where the bid is at or above the ask, at the price of the one that came
        earlier, for as much as both want, the seller has, and the buyer can take and pay.
        """
        trades: list[Trade] = []
        while trade := self._next_trade(backing, room, funds):
            self._shrink(self._by_id[trade.bid], trade.energy_wh)
            self._shrink(self._by_id[trade.ask], trade.energy_wh)
            on_trade(trade)
            trades.append(trade)
        return trades

    def cancel(self, order_id: OrderId, owner: AccountId) -> bool:
        """Take an order out; False where that owner has no such order here."""
        standing = self._by_id.get(order_id)
        if standing is None or standing.order.owner != owner:
            return False
        self._remove(standing)
        return True

    @property
    def buying_price(self) -> int | None:
        """The lowest ask in micro per kWh, backed or not; None without asks."""
        return self._asks[0].price if self._asks else None

    @property
    def selling_price(self) -> int | None:
        """The highest bid in micro per kWh, payable or not; None without bids."""
        return self._bids[0].price if self._bids else None

    def backed_buying_price(self, backing: Balance) -> int | None:
        """Return the lowest ask of which any is backed: what an immediate buy meets first."""
        # An owner's first ask in book order is the first that the owner's WATT backs.
        return next((ask.price for ask in self._asks if backing(ask.order.owner) > 0), None)

    def standing(self, owner: AccountId) -> int:
        """Return how many orders an account has resting here."""
        return self._open[owner]

    def orders(self) -> tuple[Order, ...]:
        """Return what rests, in order of arrival; two books with equal listings trade alike."""
        return tuple(standing.order for standing in self._by_id.values())

    def _add(self, order: Order) -> None:
        standing = _Standing(order, self._arrivals)
        self._arrivals += 1
        insort(self._side(order), standing, key=lambda other: other.rank)
        self._by_id[order.id] = standing
        self._open[order.owner] += 1

    def _side(self, order: Order) -> list[_Standing]:
        return self._bids if order.side is Side.BID else self._asks

    def _next_trade(self, backing: Balance, room: Balance, funds: Balance) -> Trade | None:
        if not self._bids:
            return None
        backed = self._backed_asks(backing, self._bids[0].price)
        limits: dict[AccountId, tuple[int, int]] = {}
        for bid in self._bids:
            if not backed or bid.price < backed[0][0].price:
                break
            buyer = bid.order.owner
            if buyer not in limits:
                limits[buyer] = room(buyer), funds(buyer)
            room_wh, funds_micro = limits[buyer]
            wanted_wh = min(bid.order.energy_wh, room_wh)
            if wanted_wh <= 0:
                continue
            for ask, backed_wh in backed:
                if ask.price > bid.price:
                    break
                if ask.order.owner == buyer:
                    continue
                price = bid.price if bid.arrived < ask.arrived else ask.price
                energy_wh = min(wanted_wh, backed_wh, _affordable_wh(funds_micro, price, wanted_wh))
                if energy_wh:
                    return _trade(bid.order, ask.order, energy_wh, price)
        return None

    def _backed_asks(self, backing: Balance, limit: int) -> list[tuple[_Standing, int]]:
        """Return the asks up to a price of which any is backed, best first, and how much of each."""
        free_wh: dict[AccountId, int] = {}
        backed: list[tuple[_Standing, int]] = []
        for ask in self._asks:
            if ask.price > limit:
                break
            owner = ask.order.owner
            if owner not in free_wh:
                free_wh[owner] = backing(owner)
            backed_wh = min(ask.order.energy_wh, free_wh[owner])
            if backed_wh > 0:
                free_wh[owner] -= backed_wh
                backed.append((ask, backed_wh))
        return backed

    def _shrink(self, standing: _Standing, energy_wh: int) -> None:
        if energy_wh == standing.order.energy_wh:
            self._remove(standing)
        else:
            standing.order = replace(standing.order, energy_wh=standing.order.energy_wh - energy_wh)

    def _remove(self, standing: _Standing) -> None:
        side = self._side(standing.order)
        del side[bisect_left(side, standing.rank, key=lambda other: other.rank)]
        del self._by_id[standing.order.id]
        self._open[standing.order.owner] -= 1
        if not self._open[standing.order.owner]:
            del self._open[standing.order.owner]


def _affordable_wh(funds_micro: int, price_micro_per_kwh: int, wanted_wh: int) -> int:
    """Return the most Wh, up to what is wanted, whose cost the funds cover before it is rounded.

    After rounding, a few Wh could cost nothing, and the next few again: someone without money would empty the book.
    """
    if price_micro_per_kwh == 0:
        return wanted_wh
    return min(wanted_wh, max(0, funds_micro * 1000 // price_micro_per_kwh))


def _trade(bid: Order, ask: Order, energy_wh: int, price_micro_per_kwh: int) -> Trade:
    return Trade(
        buyer=bid.owner,
        seller=ask.owner,
        bid=bid.id,
        ask=ask.id,
        energy_wh=energy_wh,
        price_micro_per_kwh=price_micro_per_kwh,
    )

"""The continuous book for WATT: first come, first served, and only what is backed changes hands."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush

from commonwatt.market.heads import Heads, Rank
from commonwatt.model import AccountId, InvalidValue, Order, OrderId, Side, Trade

Balance = Callable[[AccountId], int]
"""Looks up a whole number of one account, as it stands at the moment of asking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What the book publishes, micro per kWh; None where nobody stands.

    The first two prices count every order, as the document has it; the other two only what could trade now: asks
    whose seller has WATT, bids whose buyer has room and money. Where they differ, orders move the price that nobody
    can deal with.
    """

    buying: int | None
    selling: int | None
    backed_buying: int | None
    backed_selling: int | None

    @property
    def buying_gap(self) -> int | None:
        """How far orders that cannot trade lower the price of buying, zero or more; None where one is missing."""
        return None if self.buying is None or self.backed_buying is None else self.backed_buying - self.buying

    @property
    def selling_gap(self) -> int | None:
        """How far orders that cannot trade raise the price of selling, zero or more; None where one is missing."""
        return None if self.selling is None or self.backed_selling is None else self.selling - self.backed_selling


@dataclass(slots=True)
class _Owner:
    """One account's orders, best first: rank and place in time."""

    bids: list[Rank] = field(default_factory=list)
    asks: list[Rank] = field(default_factory=list)
    asks_wh: int = 0

    def side(self, side: Side) -> list[Rank]:
        return self.bids if side is Side.BID else self.asks


@dataclass(slots=True)
class _Standing:
    order: Order
    left_wh: int

    def told(self) -> Order:
        return self.order if self.left_wh == self.order.energy_wh else replace(self.order, energy_wh=self.left_wh)


class Book:
    """Resting orders of one community, and the trades that follow from them (row E4).

    An order may stand before its energy, money or room exists: it counts for the prices and trades once it can, at
    its old place. So bids may stand above asks. Energy is in base units of WATT (1 = 1 Wh), prices in micro per kWh.
    Nobody trades with themselves: where the best bid and the best ask are of one owner, each meets the best of others.

    `place`, `take` and `match` ask for balances as they go:
        backing: WATT in Wh that an account can give; it backs that account's asks in book order, partly if need be.
        room: Wh that an account can still take, its B_max minus its balance (row E6).
        funds: ERGON in micro that an account can spend. A bid waits until they pay for a Wh at its limit.
        on_trade: Told each trade once both orders have shrunk. It moves the balances before it returns, since they
            decide the next trade: bought WATT may back the buyer's own ask. It leaves the book alone.
    Whoever else changes a balance says so with `changed`; nothing else is looked at again. So placing, cancelling and
    matching cost O(log n) per order and trade. Afterwards no two orders in the book could trade.
    """

    def __init__(self) -> None:
        self._at: dict[int, _Standing] = {}
        self._by_id: dict[OrderId, int] = {}
        self._owners: dict[AccountId, _Owner] = {}
        self._first = {side: Heads() for side in Side}
        self._ready = {side: Heads() for side in Side}
        self._changed: set[AccountId] = set()
        self._ends: list[tuple[int, int]] = []

    @classmethod
    def load(cls, orders: Iterable[Order]) -> "Book":
        """Return the book that has these orders, none of which could trade; see `orders`.

        Raises:
            InvalidValue: Two orders have one name or one place in time.
        """
        book = cls()
        for order in orders:
            book._add(order)
        return book

    def place(
        self,
        order: Order,
        backing: Balance,
        room: Balance,
        funds: Balance,
        on_trade: Callable[[Trade], None],
        *,
        rests: bool = True,
    ) -> list[Trade]:
        """Take an order in and return the trades that follow, in order.

        Args:
            order: What is left of it stands at its ``arrived``, also where that is before others.
            backing: See the class; ``room``, ``funds`` and ``on_trade`` likewise.
            room: Likewise.
            funds: Likewise.
            on_trade: Likewise.
            rests: Whether what is left stays; it goes at once where the order is meant for now alone.

        Raises:
            InvalidValue: The order already rests here, another has its place in time, or its price is below zero: it
                is the buyer's funds that are looked at, so no seller may come to owe.
        """
        self._add(order)
        trades = self.match(backing, room, funds, on_trade)
        if not rests:
            self.cancel(order.id, order.owner)
        return trades

    def take(
        self, order: Order, backing: Balance, room: Balance, funds: Balance, on_trade: Callable[[Trade], None]
    ) -> list[Trade]:
        """Deal at once with what stands, best price first, whatever it costs; return the trades. Nothing rests.

        Args:
            order: Its price is not looked at.
            backing: See the class; ``room``, ``funds`` and ``on_trade`` likewise.
            room: Likewise.
            funds: Likewise.
            on_trade: Likewise.
        """
        trades = self.match(backing, room, funds, on_trade)
        left_wh, side = order.energy_wh, order.side
        while left_wh and (best := self._best(side.other, order.owner)):
            at_best = replace(order, energy_wh=left_wh, price_micro_per_kwh=abs(best[0]))
            dealt = self.place(at_best, backing, room, funds, on_trade, rests=False)
            done_wh = sum(t.energy_wh for t in dealt if order.id in (t.bid, t.ask))
            trades += dealt
            left_wh -= done_wh
            if not done_wh:
                break  # the taker has no WATT, no room or no money left
        return trades

    def match(self, backing: Balance, room: Balance, funds: Balance, on_trade: Callable[[Trade], None]) -> list[Trade]:
        """Return the trades that have become possible since balances changed, best bid first, then best ask.

        Two orders of different owners trade where the bid is at or above the ask, at the price of the one that came
        earlier, for as much as both want, the seller has, and the buyer can take and pay.
        """
        self._look(backing, room, funds)
        trades: list[Trade] = []
        while pair := self._next_pair():
            bid, ask = (self._at[arrived] for arrived in pair)
            price = (bid if pair[0] < pair[1] else ask).order.price_micro_per_kwh
            buyer, seller = bid.order.owner, ask.order.owner
            energy_wh = min(bid.left_wh, ask.left_wh, backing(seller), room(buyer))
            energy_wh = _affordable_wh(funds(buyer), price, energy_wh)
            self._changed |= {buyer, seller}
            if energy_wh <= 0:
                # Nobody said that a balance had changed. What is there counts, not what was remembered.
                self._look(backing, room, funds)
                continue
            trade = _trade(bid.order, ask.order, energy_wh, price)
            for standing in (bid, ask):
                self._shrink(standing, energy_wh)
            on_trade(trade)
            self._look(backing, room, funds)
            trades.append(trade)
        return trades

    def changed(self, accounts: Iterable[AccountId]) -> None:
        """Take note of accounts whose WATT, ERGON or room has changed: the next match looks at them again."""
        self._changed.update(self._owners.keys() & accounts)

    def changed_all(self) -> None:
        """Take note that anybody's balances may have changed."""
        self._changed.update(self._owners)

    def cancel(self, order_id: OrderId, owner: AccountId) -> bool:
        """Take an order out; False where that owner has no such order here."""
        standing = self._of(order_id, owner)
        if standing is None:
            return False
        self._remove(standing)
        return True

    def reduce(self, order_id: OrderId, owner: AccountId, energy_wh: int) -> bool:
        """Let an order be for less from now on, at its old place; False where it is not for more than that now.

        Raises:
            InvalidValue: What would be left is not above zero.
        """
        standing = self._of(order_id, owner)
        if energy_wh <= 0:
            raise InvalidValue(f"an order is for more than zero, was {energy_wh} Wh")
        if standing is None or energy_wh >= standing.left_wh:
            return False
        self._shrink(standing, standing.left_wh - energy_wh)
        self._changed.add(owner)  # what was reserved for it may be free
        return True

    def lapsed(self, now_s: int) -> list[Order]:
        """Return the orders whose time is over by now, first ended first; they stay until they are cancelled."""
        found: list[Order] = []
        ends: list[tuple[int, int]] = []
        while self._ends and self._ends[0][0] <= now_s:
            ends.append(heappop(self._ends))
        for end in ends:
            if (standing := self._at.get(end[1])) is not None:
                heappush(self._ends, end)
                found.append(standing.told())
        return found

    def quote(self, backing: Balance, room: Balance, funds: Balance) -> Quote:
        """Return the prices with and without orders that could not trade now."""
        self._look(backing, room, funds)
        ask, bid = self._ready[Side.ASK].first(), self._ready[Side.BID].first()
        return Quote(
            buying=self.buying_price,
            selling=self.selling_price,
            backed_buying=None if ask is None else ask[0],
            backed_selling=None if bid is None else -bid[0],
        )

    @property
    def buying_price(self) -> int | None:
        """The lowest ask in micro per kWh, backed or not; None without asks."""
        first = self._first[Side.ASK].first()
        return None if first is None else first[0]

    @property
    def selling_price(self) -> int | None:
        """The highest bid in micro per kWh, payable or not; None without bids."""
        first = self._first[Side.BID].first()
        return None if first is None else -first[0]

    def standing(self, owner: AccountId) -> int:
        """Return how many orders an account has resting here."""
        known = self._owners.get(owner)
        return len(known.bids) + len(known.asks) if known else 0

    def asked_wh(self, owner: AccountId) -> int:
        """Return how many Wh an account's asks are for, backed or not."""
        known = self._owners.get(owner)
        return known.asks_wh if known else 0

    def order(self, order_id: OrderId, owner: AccountId) -> Order | None:
        """Return an order as far as it is still open; None where that owner has no such order here."""
        standing = self._of(order_id, owner)
        return None if standing is None else standing.told()

    def orders(self) -> tuple[Order, ...]:
        """Return what rests, in order of arrival; two books with equal listings trade alike."""
        return tuple(self._at[arrived].told() for arrived in sorted(self._at))

    def _of(self, order_id: OrderId, owner: AccountId) -> _Standing | None:
        standing = self._at.get(self._by_id.get(order_id, -1))
        return standing if standing is not None and standing.order.owner == owner else None

    def _add(self, order: Order) -> None:
        if order.price_micro_per_kwh < 0:
            raise InvalidValue(f"WATT costs zero or more, was {order.price_micro_per_kwh} in order {order.id}")
        if order.id in self._by_id or order.arrived in self._at:
            raise InvalidValue(f"an order is placed once, {order.id} of {order.arrived} already rests in the book")
        self._at[order.arrived] = _Standing(order, order.energy_wh)
        self._by_id[order.id] = order.arrived
        known = self._owners.setdefault(order.owner, _Owner())
        insort(known.side(order.side), _rank(order))
        if order.side is Side.ASK:
            known.asks_wh += order.energy_wh
        if order.until_s is not None:
            heappush(self._ends, (order.until_s, order.arrived))
        self._lead(order.owner, known, order.side)
        self._changed.add(order.owner)

    def _lead(self, owner: AccountId, known: _Owner, side: Side) -> None:
        ranks = known.side(side)
        self._first[side].put(owner, ranks[0] if ranks else None)

    def _look(self, backing: Balance, room: Balance, funds: Balance) -> None:
        """Find again the best order with which each account that changed could trade now."""
        asks, bids = self._ready[Side.ASK], self._ready[Side.BID]
        for owner in self._changed:
            known = self._owners.get(owner)
            ask = bid = None
            if known is not None:
                if known.asks and backing(owner) > 0:
                    ask = known.asks[0]  # in book order: what an owner has backs the first ask first
                if known.bids and room(owner) > 0:
                    at = bisect_left(known.bids, (-1000 * max(0, funds(owner)),))
                    bid = known.bids[at] if at < len(known.bids) else None
            asks.put(owner, ask)
            bids.put(owner, bid)
        self._changed.clear()

    def _best(self, side: Side, without: AccountId) -> Rank | None:
        """Return the best order that could trade and is of somebody else."""
        heads = self._ready[side]
        found = heads.first()
        if found is not None and found[2] == without:
            found = heads.second()
        return None if found is None else found[:2]

    def _next_pair(self) -> Rank | None:
        """Return the places in time of the bid and the ask that trade next, or None."""
        bid, ask = self._ready[Side.BID].first(), self._ready[Side.ASK].first()
        if bid is None or ask is None or -bid[0] < ask[0]:
            return None
        if bid[2] != ask[2]:
            return bid[1], ask[1]
        # Both are of one owner: the bid meets the best ask of others, else the ask the best bid of others.
        other = self._ready[Side.ASK].second()
        if other is not None and -bid[0] >= other[0]:
            return bid[1], other[1]
        other = self._ready[Side.BID].second()
        if other is not None and -other[0] >= ask[0]:
            return other[1], ask[1]
        return None

    def _shrink(self, standing: _Standing, energy_wh: int) -> None:
        if energy_wh == standing.left_wh:
            self._remove(standing)
            return
        standing.left_wh -= energy_wh
        if standing.order.side is Side.ASK:
            self._owners[standing.order.owner].asks_wh -= energy_wh

    def _remove(self, standing: _Standing) -> None:
        order = standing.order
        known = self._owners[order.owner]
        ranks = known.side(order.side)
        del ranks[bisect_left(ranks, _rank(order))]
        del self._at[order.arrived], self._by_id[order.id]
        if order.side is Side.ASK:
            known.asks_wh -= standing.left_wh
        self._lead(order.owner, known, order.side)
        # It may not meet anybody any more, whoever asks next.
        self._ready[order.side].drop(order.owner, _rank(order))
        self._changed.add(order.owner)
        if not known.bids and not known.asks:
            del self._owners[order.owner]
        self._sweep()

    def _sweep(self) -> None:
        """Forget the ends of orders that are gone, once they are most of all: amortised, each is looked at twice."""
        if len(self._ends) > 2 * len(self._at) + 64:
            # A sorted list is a heap.
            self._ends = sorted(end for end in self._ends if end[1] in self._at)


def _rank(order: Order) -> Rank:
    price = order.price_micro_per_kwh
    return (-price if order.side is Side.BID else price), order.arrived


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

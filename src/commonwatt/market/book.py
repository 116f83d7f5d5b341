"""The continuous book for WATT: first come, first served, and only what is backed changes hands."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from heapq import heappop, heappush

from commonwatt.market.queue import Own, Queue, Standing
from commonwatt.model import AccountId, InvalidValue, Order, OrderId, Side, Trade

Balance = Callable[[AccountId], int]
"""Looks up a whole number of one account, as it stands at the moment of asking."""
_MANY = 64


@dataclass(frozen=True, slots=True)
class Look:
    """How the book sees balances, and who moves them.

    Args:
        backing: WATT in Wh that an account can give; it backs that account's asks in book order, partly if need be.
        room: Wh that an account can still take, its B_max minus its balance (row E6).
        funds: ERGON in micro that an account can spend.
        on_trade: Told each trade once both orders have shrunk. It moves the balances of buyer and seller, and of nobody
            else, before it returns, since they decide the next trade. It leaves the book alone.
    """

    backing: Balance
    room: Balance
    funds: Balance
    on_trade: Callable[[Trade], None]


@dataclass(frozen=True, slots=True)
class Quotes:
    """The book's two prices in micro per kWh, each over all orders and over those alone that could trade (row E4).

    Beside each stands for how many Wh it is good: a price that could trade may rest on a single one.

    Args:
        buying: The lowest ask; None without asks.
        selling: The highest bid; None without bids.
        backed_buying: The lowest ask of which any is backed: what an immediate buy meets first.
        backed_selling: The highest bid whose buyer has room and could pay.
        buying_wh: What is asked for at that price; 0 without asks.
        selling_wh: What is bid for at that price.
        backed_buying_wh: What of the asks at that price is backed.
        backed_selling_wh: What the bids at that price could take and pay.
    """

    buying: int | None
    selling: int | None
    backed_buying: int | None
    backed_selling: int | None
    buying_wh: int = 0
    selling_wh: int = 0
    backed_buying_wh: int = 0
    backed_selling_wh: int = 0

    @property
    def unbacked_moves(self) -> tuple[int | None, int | None]:
        """By how much orders that could not trade improve each price; None where nothing else stands."""
        return (
            None if self.backed_buying is None or self.buying is None else self.backed_buying - self.buying,
            None if self.backed_selling is None or self.selling is None else self.selling - self.backed_selling,
        )


class Book:
    """Resting orders of one community, and the trades that follow from them (row E4).

    An order may stand before its energy, money or room exists: it counts for the prices and trades once it can, at its
    old place in time. So bids may stand above asks. A bid waits while its buyer has no room, or could not pay 1 Wh at
    its limit. Orders of one owner never meet; each meets what stands behind the other. Energy is in base units of WATT
    (1 = 1 Wh), prices in micro per kWh.

    Two orders trade at the price of the one that could be read earlier, for as much as both want, the seller has, and
    the buyer can take and pay; of all pairs that could, the best bid is served first, and by the best ask for it. An
    order that was sealed has its place in time from the seal, and names a price only to what came after it was told:
    a limit that nobody could read drew nobody in, and who came meanwhile came for their own price. After
    `place`, `take` and `follow` no two orders in the book could trade. Whoever changes a balance says so to `follow`:
    the book looks at nobody else again. So each of these costs what changes, and the logarithm of what rests.
    """

    def __init__(self) -> None:
        self._by_id: dict[OrderId, Standing] = {}
        self._own: dict[AccountId, Own] = {}
        self._all = {Side.BID: Queue(_stands), Side.ASK: Queue(_stands)}
        self._ready = {Side.BID: Queue(_is_ready), Side.ASK: Queue(_is_ready)}
        self._ends: list[tuple[int, OrderId]] = []
        self._changed: set[AccountId] = set()
        self._left = 0

    @classmethod
    def load(cls, orders: Iterable[Order]) -> "Book":
        """Return the book that has these orders, none of which could trade; see `orders`."""
        book = cls()
        for order in orders:
            book._add(order)
        return book

    def place(self, order: Order, look: Look) -> list[Trade]:
        """Take an order in and return the trades that follow, in order; what is left of it rests.

        Raises:
            InvalidValue: The order already rests here, or its price is below zero: it is the buyer's funds that are
                looked at, so no seller may come to owe.
        """
        self._check(order)
        self._add(order)
        return self.follow(look)

    def take(self, order: Order, look: Look) -> list[Trade]:
        """Return the trades that an order finds at once, and those that follow from them; what is left of it is gone.

        It is served to its end before anything else. WATT of its owner that backs asks at its price or a better one is
        not its own to sell.

        Raises:
            InvalidValue: As for `place`.
        """
        self._check(order)
        trades = self.follow(look)
        left_wh, sells = order.energy_wh, order.side is Side.ASK
        others = self._ready[Side.BID if sells else Side.ASK]
        while left_wh and (other := others.first_of_others(order.owner)) is not None:
            if other.price < order.price_micro_per_kwh if sells else other.price > order.price_micro_per_kwh:
                break
            energy_wh = min(left_wh, other.ready_wh)
            if sells:
                energy_wh = min(energy_wh, look.backing(order.owner) - self._claimed_wh(order))
            else:
                energy_wh = min(energy_wh, look.room(order.owner))
            buyer = other.owner if sells else order.owner
            energy_wh = affordable_wh(look.funds(buyer), other.price, energy_wh)
            if energy_wh <= 0:
                break
            left_wh -= energy_wh
            self._shrink(other, energy_wh)
            pair = (other.order, order) if sells else (order, other.order)
            trades.append(self._told(*pair, energy_wh, other.price, look))
        return trades + self._meet(look)

    def follow(self, look: Look, accounts: Iterable[AccountId] = ()) -> list[Trade]:
        """Return the trades that have become possible since these accounts' balances changed."""
        self._changed.update(account for account in accounts if account in self._own)
        if not self._changed:
            return []
        self._look_again(look)
        return self._meet(look)

    def cancel(self, order_id: OrderId, owner: AccountId) -> bool:
        """Take an order out; False where that owner has no such order here. `follow` is due then."""
        standing = self._by_id.get(order_id)
        if standing is None or standing.owner != owner:
            return False
        self._shrink(standing, standing.left_wh)
        return True

    def amend(self, order_id: OrderId, owner: AccountId, energy_wh: int) -> bool:
        """Let an order want less and keep its place; False where it does not want more than that. `follow` is due.

        Raises:
            InvalidValue: Nothing would be left, or that owner has no such order here.
        """
        standing = self._by_id.get(order_id)
        if standing is None or standing.owner != owner or energy_wh <= 0:
            raise InvalidValue(f"an owner lets an own order want less, was {energy_wh} Wh in order {order_id}")
        if energy_wh >= standing.left_wh:
            return False
        self._shrink(standing, standing.left_wh - energy_wh)
        return True

    def end(self, now_s: int) -> list[OrderId]:
        """Take out every order whose time has come, and return their names; `follow` is due then."""
        ended = []
        while self._ends and self._ends[0][0] <= now_s:
            _, order_id = heappop(self._ends)
            if order_id in self._by_id:
                self._shrink(self._by_id[order_id], self._by_id[order_id].left_wh)
                ended.append(order_id)
        return ended

    def trim(self, owner: AccountId, backing_wh: int) -> OrderId | None:
        """Take the unbacked part of an owner's last unbacked ask away, and return its name; `follow` is due.

        None where all are backed.
        """
        own = self._own.get(owner)
        over_wh = own.asked_wh - max(0, backing_wh) if own else 0
        if own is None or over_wh <= 0:
            return None
        last = own.asks[-1]
        self._shrink(last, min(last.left_wh, over_wh))
        return last.order.id

    def quotes(self, look: Look) -> Quotes:
        """Return the prices, with and without what could not trade, and how much stands at each."""
        self._look_again(look)
        asks, bids = self._all[Side.ASK].all_first(), self._all[Side.BID].all_first()
        backed, able = self._ready[Side.ASK].all_first(), self._ready[Side.BID].all_first()
        return Quotes(
            buying=_price(asks),
            selling=_price(bids),
            backed_buying=_price(backed),
            backed_selling=_price(able),
            buying_wh=sum(ask.left_wh for ask in asks),
            selling_wh=sum(bid.left_wh for bid in bids),
            backed_buying_wh=sum(ask.ready_wh for ask in backed),
            backed_selling_wh=sum(_able_wh(owner, mine, look) for owner, mine in _by_owner(able).items()),
        )

    def standing(self, owner: AccountId) -> int:
        """Return how many orders an account has resting here."""
        return len(self._own.get(owner, ()))

    def meets_own(self, owner: AccountId, side: Side, price_micro_per_kwh: int) -> bool:
        """Tell whether an order would meet one of its owner's own that rests on the other side."""
        own = self._own.get(owner)
        if own is None:
            return False
        if side is Side.BID:
            return bool(own.asks) and own.asks[0].price <= price_micro_per_kwh
        return bool(own.bids) and own.bids[0].price >= price_micro_per_kwh

    def asked_wh(self, owner: AccountId) -> int:
        """Return how much an account offers here, backed or not."""
        own = self._own.get(owner)
        return own.asked_wh if own else 0

    def order(self, order_id: OrderId) -> Order | None:
        """Return what is left of an order, or None where none of that name rests here."""
        standing = self._by_id.get(order_id)
        return None if standing is None else standing.told()

    def of(self, owner: AccountId) -> list[Order]:
        """Return what an account has resting here, bids first, each side in book order."""
        own = self._own.get(owner)
        return [standing.told() for standing in (*own.bids, *own.asks)] if own else []

    def orders(self) -> tuple[Order, ...]:
        """Return what rests, in order of arrival; two books with equal listings trade alike."""
        return tuple(sorted((standing.told() for standing in self._by_id.values()), key=lambda order: order.arrived))

    def owners(self) -> list[AccountId]:
        """Return who has orders here."""
        return list(self._own)

    def __contains__(self, owner: AccountId) -> bool:
        return owner in self._own

    def _check(self, order: Order) -> None:
        if order.id in self._by_id:
            raise InvalidValue(f"an order is placed once, {order.id} already rests in the book")
        if order.price_micro_per_kwh < 0:
            raise InvalidValue(f"WATT costs zero or more, was {order.price_micro_per_kwh} in order {order.id}")

    def _add(self, order: Order) -> None:
        standing = Standing(order)
        self._by_id[order.id] = standing
        self._own.setdefault(order.owner, Own()).add(standing)
        self._all[order.side].add(standing)
        if order.until_s is not None:
            heappush(self._ends, (order.until_s, order.id))
        self._changed.add(order.owner)

    def _look_again(self, look: Look) -> None:
        """See what of their orders could trade now whose balances or orders have changed."""
        for account in self._changed:  # in any order: what one could trade does not depend on the others
            own = self._own.get(account)
            if own is not None:
                self._look_at(account, own, look)
        self._changed.clear()

    def _look_at(self, account: AccountId, own: Own, look: Look) -> None:
        if own.asks:
            left_wh = max(0, look.backing(account))
            for ask in own.asks:
                ready_wh = min(ask.left_wh, left_wh)
                left_wh -= ready_wh
                self._set_ready(ask, ready_wh, Side.ASK)
        if own.bids:
            room_wh, funds = max(0, look.room(account)), max(0, look.funds(account)) * 1000
            for bid in own.bids:
                self._set_ready(bid, min(bid.left_wh, room_wh) if bid.price <= funds else 0, Side.BID)

    def _set_ready(self, standing: Standing, ready_wh: int, side: Side) -> None:
        standing.ready_wh = ready_wh
        if ready_wh and not standing.queued:
            standing.queued = True
            self._ready[side].add(standing)

    def _meet(self, look: Look) -> list[Trade]:
        trades: list[Trade] = []
        while pair := self._pair():
            bid, ask = pair
            price = bid.price if bid.order.readable < ask.order.readable else ask.price
            energy_wh = affordable_wh(look.funds(bid.owner), price, min(bid.ready_wh, ask.ready_wh))
            self._shrink(bid, energy_wh)
            self._shrink(ask, energy_wh)
            trades.append(self._told(bid.order, ask.order, energy_wh, price, look))
        return trades

    def _pair(self) -> tuple[Standing, Standing] | None:
        """Return the best bid that could trade, and the best ask for it."""
        bids, asks = self._ready[Side.BID], self._ready[Side.ASK]
        bid, ask = bids.first(), asks.first()
        if bid is None or ask is None or bid.price < ask.price:
            return None
        if bid.owner != ask.owner:
            return bid, ask
        behind = asks.first_of_others(bid.owner)
        if behind is not None and behind.price <= bid.price:
            return bid, behind
        # Nobody else asks as little as the best bid gives, so this owner's other bids find nobody either.
        behind = bids.first_of_others(ask.owner)
        return (behind, ask) if behind is not None and behind.price >= ask.price else None

    def _told(self, bid: Order, ask: Order, energy_wh: int, price: int, look: Look) -> Trade:
        """Have a trade booked, and look again at whose balances it has moved."""
        trade = Trade(
            buyer=bid.owner,
            seller=ask.owner,
            bid=bid.id,
            ask=ask.id,
            energy_wh=energy_wh,
            price_micro_per_kwh=price,
        )
        look.on_trade(trade)
        self._changed |= {bid.owner, ask.owner}
        self._look_again(look)
        return trade

    def _claimed_wh(self, order: Order) -> int:
        """Return how much WATT an owner's asks have a claim to before this one."""
        own = self._own.get(order.owner)
        before = (ask.left_wh for ask in own.asks if ask.price <= order.price_micro_per_kwh) if own else ()
        return sum(before)

    def _shrink(self, standing: Standing, energy_wh: int) -> None:
        owner, own = standing.owner, self._own[standing.owner]
        standing.left_wh -= energy_wh
        self._changed.add(owner)
        if standing.order.side is Side.ASK:
            own.asked_wh -= energy_wh
        if standing.left_wh:
            return
        standing.ready_wh = 0
        own.remove(standing)
        if not len(own):
            del self._own[owner]
        del self._by_id[standing.order.id]
        self._left += 1
        if self._left > len(self._by_id) + _MANY:
            self._sweep()

    def _sweep(self) -> None:
        """Let go of what has left, so that a book in which much is cancelled does not grow."""
        standing = self._by_id.values()
        for side in Side:
            mine = [one for one in standing if one.order.side is side]
            self._all[side].sweep(mine)
            self._ready[side].sweep(one for one in mine if one.queued)
        self._ends = sorted((one.order.until_s, one.order.id) for one in standing if one.order.until_s is not None)
        self._left = 0


def _stands(standing: Standing) -> bool:
    return standing.left_wh > 0


def _is_ready(standing: Standing) -> bool:
    return standing.ready_wh > 0


def _price(best: list[Standing]) -> int | None:
    return best[0].price if best else None


def _by_owner(orders: Iterable[Standing]) -> dict[AccountId, list[Standing]]:
    found: dict[AccountId, list[Standing]] = {}
    for standing in orders:
        found.setdefault(standing.owner, []).append(standing)
    return found


def _able_wh(owner: AccountId, bids: list[Standing], look: Look) -> int:
    """Return what an owner's bids at one price could take and pay together."""
    wanted_wh = min(sum(bid.left_wh for bid in bids), max(0, look.room(owner)))
    return affordable_wh(look.funds(owner), bids[0].price, wanted_wh)


def affordable_wh(funds_micro: int, price_micro_per_kwh: int, wanted_wh: int) -> int:
    """Return the most Wh, up to what is wanted, whose cost the funds cover before it is rounded.

    After rounding, a few Wh could cost nothing, and the next few again: someone without money would empty the book.
    """
    if price_micro_per_kwh == 0:
        return wanted_wh
    return min(wanted_wh, max(0, funds_micro * 1000 // price_micro_per_kwh))

"""Whether the markets were fair to everyone: prices, priority, refusals and waiting of each member, from the log alone.

The log is run again, so that whoever has it comes to the same report; of the WATT book every trade is held against all
orders that stood at that moment, by the plain rule and not by the book's own queues.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median_low

from msgspec import Struct

from commonwatt.flows.intake import read_head
from commonwatt.flows.replay import Replayed, go_on
from commonwatt.flows.rulebook import State, bodies
from commonwatt.flows.rulebook.market import order_bodies, watt_book
from commonwatt.flows.rulebook.tokens.backing import free, room_wh
from commonwatt.ledger.journal import Journal
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.merkle import MerkleTree
from commonwatt.model import SLOT_SECONDS, AccountId, Commodity, Entry, Kind, Memo, Order, Outcome, Side, round_div

_ORDERING = frozenset({Kind.ORDER, Kind.ORDER_BATCH, Kind.CANCEL})
_MEMO = Memo.WATT_TRADE


class Deals(Struct, frozen=True, kw_only=True):
    """What a member traded on one side of a market.

    Args:
        orders: How many were placed.
        wanted_wh: What they asked for.
        filled_wh: What of it was traded.
        price: The mean price of that, micro per kWh; None without trades.
        market_price: The mean price of everybody's trades in the same quarter-hours, weighted by this member's.
    """

    orders: int = 0
    wanted_wh: int = 0
    filled_wh: int = 0
    price: int | None = None
    market_price: int | None = None


class MemberFairness(Struct, frozen=True, kw_only=True):
    """How the markets treated one member.

    Args:
        member: Who.
        watt_bought: In the WATT book; ``watt_sold`` likewise.
        slot_bought: In the slots' markets; ``slot_sold`` likewise.
        waited: Trades before which an own better order stood that could not trade: without WATT, room or money.
        passed_over: Trades before which an own better order stood that could: the rules allow none.
        taken_back: Orders that were cancelled or made smaller.
        refusals: How often orders and cancels were refused, by outcome.
    """

    member: str
    watt_bought: Deals
    watt_sold: Deals
    slot_bought: Deals
    slot_sold: Deals
    waited: int
    passed_over: int
    taken_back: int
    refusals: dict[str, int]


class Waits(Struct, frozen=True, kw_only=True):
    """How long WATT orders waited for their first trade, by the log's time, in seconds."""

    orders: int
    matched: int
    at_once: int
    median_s: int | None
    longest_s: int | None


class Fairness(Struct, frozen=True, kw_only=True):
    """The report.

    Args:
        members: Everybody who ordered, by name.
        agents: Orders that members' agents placed, which the operator runs as a rule.
        others: All other orders.
        passed_over: Sum over all members: zero where first come was first served.
    """

    members: list[MemberFairness]
    agents: Waits
    others: Waits
    passed_over: int


def fairness(rows: Sequence[LeafRow], community: str) -> Fairness:
    """Return how the markets of a log treated everyone.

    Args:
        rows: All leaves.
        community: Whose log it is.

    Raises:
        Corrupt: The log contradicts itself.
    """
    seen = _Seen()
    for row in rows:
        seen.read(row)
    state = State(community, Journal(keep=True), doubted=[])
    watch = _Watch(state, seen)
    state.journal.listener = watch.heard
    go_on(Replayed(state, MerkleTree()), rows)
    watt, slots = watch.tally, _slot_tally(state)
    owners = sorted({*seen.owners, *(owner for owner, _ in slots.orders)})
    members = [
        MemberFairness(
            member=owner,
            watt_bought=watt.deals(owner, Side.BID),
            watt_sold=watt.deals(owner, Side.ASK),
            slot_bought=slots.deals(owner, Side.BID),
            slot_sold=slots.deals(owner, Side.ASK),
            waited=watch.waited[owner],
            passed_over=watch.passed_over[owner],
            taken_back=seen.taken_back[owner],
            refusals=dict(sorted(seen.refusals[owner].items())),
        )
        for owner in owners
    ]
    return Fairness(
        members=members,
        agents=watch.waits(by_agent=True),
        others=watch.waits(by_agent=False),
        passed_over=watch.passed_over.total(),
    )


@dataclass(slots=True)
class _Seen:
    """What was asked of the markets, from the leaves: WATT orders by name, when each came, and what was refused."""

    orders: dict[str, Order] = field(default_factory=dict)
    came_s: dict[str, int] = field(default_factory=dict)
    taken_back: Counter[AccountId] = field(default_factory=Counter)
    refusals: defaultdict[AccountId, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    owners: set[AccountId] = field(default_factory=set)

    def read(self, row: LeafRow) -> None:
        request = read_head(row.body)
        if request.kind not in _ORDERING:
            return
        owner = request.on_behalf_of
        self.owners.add(owner)
        if row.outcome is not Outcome.BOOKED:
            self.refusals[owner][row.outcome.value] += 1
            return
        match bodies.read_body(request.kind, request.body):
            case order_bodies.WattOrder() as wish:
                self._add(watt_book.wish_of(owner, wish, row.position), row.stamped_s)
            case order_bodies.Reveal(order=order_bodies.WattOrder() as wish) as reveal:
                self._add(watt_book.wish_of(owner, wish, int(reveal.sealed), row.position), row.stamped_s)
            case order_bodies.CancelBody() | order_bodies.Amend():
                self.taken_back[owner] += 1

    def _add(self, order: Order, at_s: int) -> None:
        self.orders[order.id] = order
        self.came_s[order.id] = at_s


class _Tally:
    """Orders and trades of one market, by owner and side."""

    def __init__(self) -> None:
        self.orders: Counter[tuple[AccountId, Side]] = Counter()
        self.wanted_wh: Counter[tuple[AccountId, Side]] = Counter()
        self._traded: defaultdict[tuple[AccountId, Side], Counter[tuple[int, int]]] = defaultdict(Counter)
        self._all: defaultdict[int, Counter[str]] = defaultdict(Counter)

    def order(self, owner: AccountId, side: Side, wh: int) -> None:
        self.orders[owner, side] += 1
        self.wanted_wh[owner, side] += wh

    def trade(self, buyer: AccountId, seller: AccountId, slot_s: int, wh: int, price: int) -> None:
        for key in ((buyer, Side.BID), (seller, Side.ASK)):
            self._traded[key][slot_s, price] += wh
        self._all[slot_s].update(wh=wh, product=wh * price)

    def deals(self, owner: AccountId, side: Side) -> Deals:
        traded = self._traded.get((owner, side), Counter[tuple[int, int]]())
        filled_wh = traded.total()
        paid = sum(wh * price for (_, price), wh in traded.items())
        market = sum(wh * self._all[slot_s]["product"] // self._all[slot_s]["wh"] for (slot_s, _), wh in traded.items())
        return Deals(
            orders=self.orders[owner, side],
            wanted_wh=self.wanted_wh[owner, side],
            filled_wh=filled_wh,
            price=round_div(paid, filled_wh) if filled_wh else None,
            market_price=round_div(market, filled_wh) if filled_wh else None,
        )


def _slot_tally(state: State) -> _Tally:
    tally, market = _Tally(), state.slot_market
    for slot_s in market.slots():
        for order in market.orders(slot_s):
            tally.order(order.owner, order.side, order.energy_wh)
        for trade in market.told(slot_s, market.trades(slot_s)):
            tally.trade(trade.buyer, trade.seller, slot_s, trade.energy_wh, trade.price_micro_per_kwh)
    return tally


class _Watch:
    """Looks at every trade of the WATT book in the moment in which it is booked."""

    def __init__(self, state: State, seen: _Seen) -> None:
        self._state, self._seen = state, seen
        self.tally = _Tally()
        self.waited: Counter[AccountId] = Counter()
        self.passed_over: Counter[AccountId] = Counter()
        self._first_s: dict[str, int] = {}
        for order in seen.orders.values():
            self.tally.order(order.owner, order.side, order.energy_wh)

    def heard(self, entry: Entry) -> None:
        """Look at one entry; WATT changes hands before the money for it."""
        bid, ask = (self._seen.orders.get(name) for name in entry.ref.partition("/")[::2])
        if entry.memo != _MEMO or entry.commodity is not Commodity.WATT or bid is None or ask is None:
            return  # not of the book: a sale or a transfer may be called a trade too
        price = min(bid, ask, key=lambda order: order.readable).price_micro_per_kwh
        self.tally.trade(
            bid.owner, ask.owner, self._state.wallets.now_s // SLOT_SECONDS * SLOT_SECONDS, entry.amount, price
        )
        for order in (bid, ask):
            self._first_s.setdefault(order.id, self._state.wallets.now_s)
        for other, able in (*self._better_asks(bid, ask), *self._better_bids(bid, ask)):
            (self.passed_over if able else self.waited)[other.owner] += 1

    def waits(self, *, by_agent: bool) -> Waits:
        names = [name for name, order in self._seen.orders.items() if order.by_agent is by_agent]
        waits = [self._first_s[name] - self._seen.came_s[name] for name in names if name in self._first_s]
        return Waits(
            orders=len(names),
            matched=len(waits),
            at_once=waits.count(0),
            median_s=median_low(waits) if waits else None,
            longest_s=max(waits, default=None),
        )

    def _better_asks(self, bid: Order, ask: Order) -> Iterator[tuple[Order, bool]]:
        """Yield asks that come before one and are not the buyer's own, and whether their seller has WATT for them."""
        left_wh: dict[AccountId, int] = {}
        for other in _ranked(self._state.book.orders(), Side.ASK):
            if _rank(other) >= _rank(ask):
                return
            if other.owner in (bid.owner, ask.owner):
                continue
            if other.owner not in left_wh:
                left_wh[other.owner] = max(0, free(self._state, other.owner, Commodity.WATT))
            able_wh = min(other.energy_wh, left_wh[other.owner])
            left_wh[other.owner] -= able_wh
            yield other, able_wh > 0

    def _better_bids(self, bid: Order, ask: Order) -> Iterator[tuple[Order, bool]]:
        """Yield bids that come before one and are not the seller's own, and whether their buyer has room and money."""
        for other in _ranked(self._state.book.orders(), Side.BID):
            if _rank(other) >= _rank(bid):
                return
            if other.owner in (bid.owner, ask.owner):
                continue
            has_room = room_wh(self._state, other.owner) > 0
            pays = free(self._state, other.owner, Commodity.ERGON) * 1000 >= other.price_micro_per_kwh
            yield other, has_room and pays


def _ranked(orders: Iterable[Order], side: Side) -> list[Order]:
    return sorted((order for order in orders if order.side is side), key=_rank)


def _rank(order: Order) -> tuple[int, int]:
    price = order.price_micro_per_kwh
    return (-price if order.side is Side.BID else price, order.arrived)

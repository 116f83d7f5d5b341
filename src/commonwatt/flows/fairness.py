"""Whether the markets were fair to everyone: prices, priority, refusals and waiting of each member, from the log alone.

The log is run again, so that whoever has it comes to the same report; of the WATT book every trade is held against all
orders that stood at that moment, by the plain rule and not by the book's own queues.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
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
from commonwatt.model import (
    SLOT_SECONDS,
    AccountId,
    Commodity,
    Entry,
    KeyId,
    Kind,
    Memo,
    Order,
    Outcome,
    Side,
    round_div,
)

_DEALING = frozenset({Kind.ORDER, Kind.ORDER_BATCH, Kind.CANCEL, Kind.AUCTION, Kind.TRANSFER})
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
        direct_bought: WATT beside the book: by auction, direct sale, or a transfer against ERGON, each trade counted as
            an order that was filled; ``direct_sold`` likewise.
        waited: Trades before which an own better order stood that could not trade: without WATT, room or money.
        passed_over: Trades before which an own better order stood that could: the rules allow none.
        run_ahead: Trades of an own sealed order with somebody who had dealt on its side after its seal and before its
            telling: what running ahead of it would look like, which chance may look like too.
        taken_back: Orders that were cancelled or made smaller.
        refusals: How often orders, cancels, bids, direct sales and transfers were refused, by outcome.
    """

    member: str
    watt_bought: Deals
    watt_sold: Deals
    slot_bought: Deals
    slot_sold: Deals
    direct_bought: Deals
    direct_sold: Deals
    waited: int
    passed_over: int
    run_ahead: int
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
        members: Everybody who dealt, by name.
        agents: Orders that members' agents placed.
        platform: Orders without that word that were signed with another's key than the member's own, or with one that
            the platform keeps: who signs for others could say anything of what an order is.
        others: All other orders.
        passed_over: Sum over all members: zero where first come was first served.
    """

    members: list[MemberFairness]
    agents: Waits
    platform: Waits
    others: Waits
    passed_over: int


def fairness(rows: Sequence[LeafRow], community: str, kept: Collection[KeyId] = ()) -> Fairness:
    """Return how the markets of a log treated everyone.

    Args:
        rows: All leaves.
        community: Whose log it is.
        kept: Members' keys that the platform is known to keep; no log tells which.

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
    watt, slots, direct = watch.tally, _slot_tally(state), watch.direct
    owners = sorted({*seen.owners, *(owner for tally in (slots, direct) for owner, _ in tally.orders)})
    signed = seen.signed_by_others(state, kept)
    members = [
        MemberFairness(
            member=owner,
            watt_bought=watt.deals(owner, Side.BID),
            watt_sold=watt.deals(owner, Side.ASK),
            slot_bought=slots.deals(owner, Side.BID),
            slot_sold=slots.deals(owner, Side.ASK),
            direct_bought=direct.deals(owner, Side.BID),
            direct_sold=direct.deals(owner, Side.ASK),
            waited=watch.waited[owner],
            passed_over=watch.passed_over[owner],
            run_ahead=watch.run_ahead[owner],
            taken_back=seen.taken_back[owner],
            refusals=dict(sorted(seen.refusals[owner].items())),
        )
        for owner in owners
    ]
    return Fairness(
        members=members,
        agents=watch.waits(lambda order: order.by_agent),
        platform=watch.waits(lambda order: not order.by_agent and order.id in signed),
        others=watch.waits(lambda order: not order.by_agent and order.id not in signed),
        passed_over=watch.passed_over.total(),
    )


@dataclass(slots=True)
class _Seen:
    """What was asked of the markets, from the leaves: WATT orders by name, when each came, and what was refused."""

    orders: dict[str, Order] = field(default_factory=dict)
    came_s: dict[str, int] = field(default_factory=dict)
    signers: dict[str, KeyId] = field(default_factory=dict)
    taken_back: Counter[AccountId] = field(default_factory=Counter)
    refusals: defaultdict[AccountId, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    owners: set[AccountId] = field(default_factory=set)

    def read(self, row: LeafRow) -> None:
        request = read_head(row.body)
        if request.kind not in _DEALING:
            return
        owner = request.on_behalf_of
        self.owners.add(owner)
        if row.outcome is not Outcome.BOOKED:
            self.refusals[owner][row.outcome.value] += 1
            return
        match bodies.read_body(request.kind, request.body):
            case order_bodies.WattOrder() as wish:
                self._add(watt_book.wish_of(owner, wish, row.position), row.stamped_s, request.author)
            case order_bodies.Reveal(order=order_bodies.WattOrder() as wish) as reveal:
                told = watt_book.wish_of(owner, wish, int(reveal.sealed), row.position)
                self._add(told, row.stamped_s, request.author)
            case order_bodies.CancelBody() | order_bodies.Amend():
                self.taken_back[owner] += 1

    def signed_by_others(self, state: State, kept: Collection[KeyId]) -> set[str]:
        """Return the orders that were signed with a key that is not their owner's own, or is not kept by the owner."""
        return {
            name
            for name, signer in self.signers.items()
            if signer in kept or state.keys[signer].account != self.orders[name].owner
        }

    def _add(self, order: Order, at_s: int, signer: KeyId) -> None:
        self.orders[order.id] = order
        self.came_s[order.id] = at_s
        self.signers[order.id] = signer


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
        self.tally, self.direct = _Tally(), _Tally()
        self._delivered: Entry | None = None
        self._dealt: defaultdict[tuple[AccountId, Side], list[int]] = defaultdict(list)
        self.run_ahead: Counter[AccountId] = Counter()
        self.waited: Counter[AccountId] = Counter()
        self.passed_over: Counter[AccountId] = Counter()
        self._first_s: dict[str, int] = {}
        for order in seen.orders.values():
            self.tally.order(order.owner, order.side, order.energy_wh)

    def heard(self, entry: Entry) -> None:
        """Look at one entry; WATT changes hands before the money for it."""
        if entry.memo != _MEMO:
            return
        bid, ask = (self._seen.orders.get(name) for name in entry.ref.partition("/")[::2])
        if bid is None or ask is None:
            self._direct(entry)
            return
        if entry.commodity is not Commodity.WATT:
            return
        price = min(bid, ask, key=lambda order: order.readable).price_micro_per_kwh
        self.tally.trade(
            bid.owner, ask.owner, self._state.wallets.now_s // SLOT_SECONDS * SLOT_SECONDS, entry.amount, price
        )
        for order in (bid, ask):
            self._first_s.setdefault(order.id, self._state.wallets.now_s)
        self._look_ahead(bid, ask)
        for other, able in (*self._better_asks(bid, ask), *self._better_bids(bid, ask)):
            (self.passed_over if able else self.waited)[other.owner] += 1

    def _direct(self, entry: Entry) -> None:
        """Note a trade beside the book once both its legs are booked: WATT one way, and ERGON the other."""
        if entry.commodity is Commodity.WATT:
            self._delivered = entry
        elif (got := self._delivered) is not None and (got.ref, got.source) == (entry.ref, entry.target):
            self._delivered = None
            slot_s = self._state.wallets.now_s // SLOT_SECONDS * SLOT_SECONDS
            self.direct.order(got.target, Side.BID, got.amount)
            self.direct.order(got.source, Side.ASK, got.amount)
            price = round_div(entry.amount * 1000, got.amount)
            self.direct.trade(got.target, got.source, slot_s, got.amount, price)

    def _look_ahead(self, bid: Order, ask: Order) -> None:
        """See whether the other side of a sealed order dealt on its side while it was sealed."""
        for sealed, other in ((bid, ask), (ask, bid)):
            if sealed.told is not None:
                places = self._dealt[other.owner, sealed.side]
                self.run_ahead[sealed.owner] += any(sealed.arrived < place < sealed.told for place in places)
        for order in (bid, ask):
            self._dealt[order.owner, order.side].append(order.readable)

    def waits(self, chosen: Callable[[Order], bool]) -> Waits:
        names = [name for name, order in self._seen.orders.items() if chosen(order)]
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

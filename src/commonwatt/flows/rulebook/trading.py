"""Rules for orders: the slot market closes soon after its slot began, the WATT book never does."""

from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.backing import cost, free, room_wh
from commonwatt.flows.rulebook.state import State
from commonwatt.market.auction import clear
from commonwatt.model import (
    MAX_SAFE_INTEGER,
    SLOT_SECONDS,
    AccountId,
    AssetKind,
    Commodity,
    Order,
    OrderId,
    Outcome,
    Request,
    Side,
    Trade,
    cost_micro,
)

MOST_STANDING = 100
"""Orders that one account may have in the WATT book: each is looked at whenever something may trade."""
MOST_TRADE_MICRO = 10**15
"""What one trade can come to: 10^9 Wh at 10^9 micro per kWh."""


def order(state: State, request: Request, body: bodies.OrderBody, position: int, stamped_s: int) -> Outcome:
    """Take in an order for a slot, or place one in the WATT book."""
    wish = Order(
        id=OrderId(str(position)),
        owner=request.on_behalf_of,
        side=body.side,
        energy_wh=body.energy_wh,
        price_micro_per_kwh=body.price_micro_per_kwh,
    )
    if body.slot_s is None:
        if state.book.standing(wish.owner) >= MOST_STANDING:
            return Outcome.OVER_LIMIT
        match_book(state, stamped_s, wish)
        return Outcome.BOOKED
    return _slot_order(state, wish, body.slot_s, stamped_s)


def _slot_order(state: State, wish: Order, slot_s: int, stamped_s: int) -> Outcome:
    if state.charter.settlement.ex_post:
        return Outcome.NOT_ALLOWED  # sharing after metering alone: there is nothing to agree on before
    if slot_s % SLOT_SECONDS or slot_s + state.charter.gate_s <= stamped_s:
        return Outcome.TOO_LATE
    if slot_s not in state.prices:
        return Outcome.UNKNOWN_THING
    standing = state.slot_orders.get(slot_s, [])
    if any(other.owner == wish.owner for other in standing):
        # One order per member and slot, so that nobody trades with themselves.
        return Outcome.ALREADY_THERE
    if wish.energy_wh > _most_wh(state, wish):
        return Outcome.OVER_LIMIT
    if wish.side is Side.BID and free(state, wish.owner, Commodity.ERGON) < cost(wish):
        return Outcome.NOT_BACKED
    state.slot_orders.setdefault(slot_s, []).append(wish)
    return Outcome.BOOKED


def _most_wh(state: State, wish: Order) -> int:
    """Return what the owner's connection can carry in a slot: nobody trades what no fuse would bear (row M6)."""
    points = [a for a in state.assets.values() if a.owner == wish.owner and a.kind is AssetKind.CONNECTION]
    limits = (point.max_import_w if wish.side is Side.BID else point.max_export_w for point in points)
    return sum(limits) * SLOT_SECONDS // 3600


def close_gates(state: State, stamped_s: int) -> None:
    """Clear every slot market whose gate has closed."""
    last_s = stamped_s - state.charter.gate_s
    for slot_s in sorted(slot_s for slot_s in state.slot_orders if state.cleared_to_s <= slot_s <= last_s):
        orders = state.slot_orders[slot_s]
        bought, sold = state.prices[slot_s]
        state.clearings[slot_s] = clear(
            [bid for bid in orders if bid.side is Side.BID],
            [ask for ask in orders if ask.side is Side.ASK],
            import_price=bought,
            export_price=sold,
        )
        state.cleared_to_s = slot_s + SLOT_SECONDS


def cancel(state: State, request: Request, body: bodies.CancelBody) -> Outcome:
    """Take a WATT order out of the book."""
    gone = state.book.cancel(OrderId(body.order), request.on_behalf_of)
    return Outcome.BOOKED if gone else Outcome.UNKNOWN_THING


def match_book(state: State, stamped_s: int, wish: Order | None = None) -> None:
    """Place an order in the WATT book, or try again what stands there; book what trades (row E4)."""
    slot_s = stamped_s // SLOT_SECONDS * SLOT_SECONDS

    def backing(account: AccountId) -> int:
        # Nobody sells whose books could not hold what is paid: far beyond all ERGON that can be bought.
        full = state.ergon(account) > MAX_SAFE_INTEGER - MOST_TRADE_MICRO
        return 0 if full else free(state, account, Commodity.WATT)

    def room(account: AccountId) -> int:
        return room_wh(state, account)

    def funds(account: AccountId) -> int:
        return free(state, account, Commodity.ERGON)

    def book(trade: Trade) -> None:
        owed, ref = cost_micro(trade.energy_wh, trade.price_micro_per_kwh), f"{trade.bid}/{trade.ask}"
        for commodity, source, target, amount in (
            (Commodity.WATT, trade.seller, trade.buyer, trade.energy_wh),
            (Commodity.ERGON, trade.buyer, trade.seller, owed),
        ):
            state.move(commodity, source, target, amount, slot_s=slot_s, memo="watt trade", ref=ref)

    if wish is None:
        state.book.match(backing, room, funds, book)
    else:
        state.book.place(wish, backing, room, funds, book)

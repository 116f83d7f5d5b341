"""Rules for the WATT book: stored energy changes hands at once, and the market never closes."""

from commonwatt.flows.rulebook import order_bodies as bodies
from commonwatt.flows.rulebook.backing import free, room_wh
from commonwatt.flows.rulebook.state import State
from commonwatt.model import (
    MAX_SAFE_INTEGER,
    SLOT_SECONDS,
    AccountId,
    Commodity,
    Order,
    OrderId,
    Outcome,
    Request,
    Trade,
    cost_micro,
)

MOST_STANDING = 100
"""Orders that one account may have in the WATT book: each is looked at whenever something may trade."""
MOST_TRADE_MICRO = 10**15
"""What one trade can come to: 10^9 Wh at 10^9 micro per kWh."""


def order(state: State, request: Request, body: bodies.WattOrder, position: int, stamped_s: int) -> Outcome:
    """Place an order in the WATT book."""
    wish = Order(
        id=OrderId(str(position)),
        owner=request.on_behalf_of,
        side=body.side,
        energy_wh=body.energy_wh,
        price_micro_per_kwh=body.price_micro_per_kwh,
    )
    if state.book.standing(wish.owner) >= MOST_STANDING:
        return Outcome.OVER_LIMIT
    match_book(state, stamped_s, wish)
    return Outcome.BOOKED


def cancel(state: State, owner: AccountId, name: str) -> bool:
    """Take an order out of the WATT book; False where its owner has none of that name there."""
    return state.book.cancel(OrderId(name), owner)


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

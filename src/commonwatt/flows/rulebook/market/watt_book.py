"""Rules for the WATT book: stored energy changes hands at once, and the market never closes (rows E4, E6).

The book follows every balance: whatever changes what somebody can give, take or pay, the book trades what has become
possible before the next request is looked at. So a seller's order waits for the sun, and a buyer's for money or room,
at the place that each had from the beginning.

An ask without WATT moves the price that is told over all orders, so it costs something where the charter says so:
ERGON stands for it (`backing.collateral_micro`) and backs nothing else meanwhile. Where ERGON does not suffice any
more, the unbacked part of the owner's last asks goes. It comes back whole with the WATT, at a cancel, and at the
order's end: nobody is punished for a cloud. What a promise that was never meant can gain is bounded otherwise: no trade
is made against it, and the prices without such orders are told beside those with them (`quotes`).
"""

from commonwatt.flows.rulebook.market import bonds
from commonwatt.flows.rulebook.market import order_bodies as bodies
from commonwatt.flows.rulebook.market.agency import acts_rightly
from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.tokens.backing import available, collateral_micro, free, room_wh
from commonwatt.market.book import Look, Quotes
from commonwatt.model import (
    MAX_SAFE_INTEGER,
    SLOT_SECONDS,
    AccountId,
    Commodity,
    Memo,
    Order,
    OrderId,
    Outcome,
    Side,
    Trade,
    cost_micro,
)

MOST_STANDING = 100
"""Orders that one account may have in the WATT book: all of its own are looked at whenever its balance changes."""
MOST_TRADE_MICRO = 10**15
"""What one trade can come to: 10^9 Wh at 10^9 micro per kWh."""
_ANY_PRICE = {Side.BID: 10**9, Side.ASK: 0}
"""What a limit may be at the most and at the least: an order without one takes whatever stands."""


def order(
    state: State, owner: AccountId, body: bodies.WattOrder, position: int, stamped_s: int, told: int | None = None
) -> Outcome:
    """Place an order in the WATT book, or let it take at once what it can.

    Args:
        state: Changed in place.
        owner: Whose.
        body: What is wanted.
        position: Its place in time.
        stamped_s: The log's time.
        told: Where it was told, if its place was sealed before.
    """
    if body.by_agent and not acts_rightly(state, owner, body):
        return Outcome.NOT_ALLOWED
    wish = wish_of(owner, body, position, told)
    if body.now or body.price_micro_per_kwh is None:
        if body.until_s is not None:
            return Outcome.NOT_ALLOWED  # what never rests has no end
        state.book.take(wish, _look(state, stamped_s))
        return Outcome.BOOKED
    if body.until_s is not None and body.until_s <= stamped_s:
        return Outcome.TOO_LATE
    if state.book.meets_own(owner, wish.side, wish.price_micro_per_kwh):
        # Two who both bid above what they ask would pass the same WATT to and fro until their orders are used up.
        return Outcome.NOT_ALLOWED
    if state.book.standing(owner) >= MOST_STANDING:
        return Outcome.OVER_LIMIT
    if wish.side is Side.ASK:
        more_micro = collateral_micro(state, owner, wish.energy_wh) - collateral_micro(state, owner)
        if more_micro > max(0, free(state, owner, Commodity.ERGON)):
            return Outcome.NOT_BACKED
    state.book.place(wish, _look(state, stamped_s))
    return Outcome.BOOKED


def wish_of(owner: AccountId, body: bodies.WattOrder, position: int, told: int | None = None) -> Order:
    """Return what an order at a place in time is for the book, told there or later."""
    return Order(
        id=OrderId(str(position)),
        owner=owner,
        side=body.side,
        energy_wh=body.energy_wh,
        price_micro_per_kwh=_ANY_PRICE[body.side] if body.price_micro_per_kwh is None else body.price_micro_per_kwh,
        arrived=position,
        until_s=body.until_s,
        by_agent=body.by_agent,
        told=told,
    )


def cancel(state: State, owner: AccountId, name: str) -> bool:
    """Take an order out of the WATT book; False where its owner has none of that name there."""
    found = state.book.cancel(OrderId(name), owner)
    if found:
        bonds.left(state, name)
    return found


def amend(state: State, owner: AccountId, body: bodies.Amend) -> Outcome:
    """Let an order want less; more would be a new order, at a new place."""
    standing = state.book.order(OrderId(body.order))
    if standing is None or standing.owner != owner:
        return Outcome.UNKNOWN_THING
    if not state.book.amend(standing.id, owner, body.energy_wh):
        return Outcome.OVER_LIMIT
    bonds.left(state, body.order)
    return Outcome.BOOKED


def end(state: State, stamped_s: int) -> None:
    """Let go of the orders whose time has come."""
    for name in state.book.end(stamped_s):
        bonds.left(state, name)


def follow(state: State, stamped_s: int) -> None:
    """Trade what balances that have changed, and orders that have gone, make possible."""
    look = _look(state, stamped_s)
    while True:
        moved = state.wallets.take_moved()
        accounts = state.book.owners() if moved is None else [one for one in sorted(moved) if one in state.book]
        for account in accounts:
            _keep_covered(state, account)
        if not state.book.follow(look, accounts):
            return


def quotes(state: State) -> Quotes:
    """Return the book's prices, with and without orders that could not trade."""
    return state.book.quotes(_look(state, 0))


def _keep_covered(state: State, account: AccountId) -> None:
    """Take unbacked asks away for which an account's ERGON does not stand any more, the last first."""
    if not collateral_micro(state, account):
        return
    backing_wh = available(state, account, Commodity.WATT)
    while free(state, account, Commodity.ERGON) < 0 and (name := state.book.trim(account, backing_wh)) is not None:
        bonds.left(state, name)


def _look(state: State, stamped_s: int) -> Look:
    """Return how the book sees balances: less what is promised elsewhere; and how it moves them."""
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
            state.move(commodity, source, target, amount, slot_s=slot_s, memo=Memo.WATT_TRADE, ref=ref)
        for name in (trade.bid, trade.ask):
            if state.book.order(name) is None:
                bonds.filled(state, name)

    return Look(backing, room, funds, book)

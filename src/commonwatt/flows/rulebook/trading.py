"""Rules for the WATT book, which never closes.

An order is limited by its price; or it is for now, and nothing of it stays; or it has no price, and takes what stands;
or it stands until a second, and is gone by itself. It may be hidden first: a seal takes a place in the log, and what it
hides stands there once it is revealed. What was traded meanwhile stays traded.

Asks may be for more than their seller has (row E4). What is beyond reserves the charter's collateral for as long as it
is beyond: it follows from the book and the balances, so nobody keeps it up to date. Where an order or a part of it goes
that never had any WATT behind it, taken back, amended or over, the charter's part of that is given up to the education
pot: an order that moved the price and that nobody could deal with was not free.
"""

from commonwatt.flows.rulebook import bodies, slot_market
from commonwatt.flows.rulebook.backing import collateral_micro, free, room_wh, unbacked_wh
from commonwatt.flows.rulebook.sealed_bodies import Amend, Sealed
from commonwatt.flows.rulebook.seals import Seal
from commonwatt.flows.rulebook.state import State
from commonwatt.market.book import Quote
from commonwatt.model import (
    EDUCATION_POT,
    MAX_SAFE_INTEGER,
    SLOT_SECONDS,
    AccountId,
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
"""Orders that one account may have in the WATT book, each of which the state holds."""
MOST_SEALED = 16
"""Seals that one account may have standing."""
SEALED_S = 900
"""How long a seal waits to be revealed: as long as most gates are apart."""
MOST_TRADE_MICRO = 10**15
"""What one trade can come to: 10^9 Wh at 10^9 micro per kWh."""

OrderKind = bodies.OrderBody | Sealed | bodies.Reveal


def order(state: State, request: Request, body: OrderKind, position: int, stamped_s: int) -> Outcome:
    """Take in an order for a slot or for the WATT book, seal one, or reveal it."""
    match body:
        case Sealed():
            return _seal(state, request.on_behalf_of, body, position, stamped_s)
        case bodies.Reveal():
            return _reveal(state, request, body, stamped_s)
        case _ if body.slot_s is not None:
            return slot_market.order(state, request, body, position, stamped_s)
        case _:
            return _order(state, request.on_behalf_of, body, position, stamped_s)


def _order(state: State, owner: AccountId, body: bodies.OrderBody, position: int, stamped_s: int) -> Outcome:
    likes = body.source != "any" or body.near or body.partner or body.premium_micro_per_kwh or body.strict
    rests = not body.now and body.price_micro_per_kwh is not None
    if likes or (body.until_s is not None and not rests):
        return Outcome.NOT_ALLOWED  # stored energy has no preferences, and what does not stay has no end
    if body.until_s is not None and body.until_s <= stamped_s:
        return Outcome.TOO_LATE
    if rests and state.book.standing(owner) >= MOST_STANDING:
        return Outcome.OVER_LIMIT
    if rests and body.side is Side.ASK:
        now_micro, then_micro = (
            collateral_micro(state, unbacked_wh(state, owner, more)) for more in (0, body.energy_wh)
        )
        if then_micro > now_micro and free(state, owner, Commodity.ERGON) < then_micro - now_micro:
            return Outcome.NOT_BACKED
    wish = Order(
        id=OrderId(str(position)),
        owner=owner,
        side=body.side,
        energy_wh=body.energy_wh,
        price_micro_per_kwh=body.price_micro_per_kwh or 0,
        arrived=position,
        until_s=body.until_s,
    )
    hands = _Hands(state, stamped_s)
    if body.price_micro_per_kwh is None:
        state.book.take(wish, hands.backing, hands.room, hands.funds, hands.book)
    else:
        state.book.place(wish, hands.backing, hands.room, hands.funds, hands.book, rests=rests)
    return Outcome.BOOKED


def _seal(state: State, owner: AccountId, body: Sealed, position: int, stamped_s: int) -> Outcome:
    if state.seals.count(owner) >= MOST_SEALED:
        return Outcome.OVER_LIMIT
    if free(state, owner, Commodity.ERGON) < state.charter.seal_micro:
        return Outcome.NOT_BACKED
    state.seals.add(position, Seal(owner=owner, seal=body.seal, until_s=stamped_s + SEALED_S))
    state.wallets.moved.add(owner)
    return Outcome.BOOKED


def _reveal(state: State, request: Request, body: bodies.Reveal, stamped_s: int) -> Outcome:
    seal = state.seals.get(body.place)
    if seal is None or seal.owner != request.on_behalf_of:
        return Outcome.UNKNOWN_THING
    if bodies.seal_of(seal.owner, body.order, body.salt) != seal.seal:
        return Outcome.NOT_ALLOWED
    # What it reserved may be what the order needs.
    state.seals.take(body.place)
    state.wallets.moved.add(seal.owner)
    outcome = order(state, request, body.order, body.place, stamped_s)
    if outcome is not Outcome.BOOKED:
        state.seals.put_back(body.place, seal)
    return outcome


def cancel(state: State, request: Request, body: bodies.CancelBody | Amend, stamped_s: int) -> Outcome:
    """Take an order back, out of the WATT book or of a slot whose gate is open; or let it be for less."""
    owner, known = request.on_behalf_of, OrderId(body.order)
    standing = state.book.order(known, owner)
    if standing is None:
        return Outcome.UNKNOWN_THING if isinstance(body, Amend) else slot_market.cancel(state, owner, body.order)
    before_wh = unbacked_wh(state, owner)
    if isinstance(body, Amend):
        if not state.book.reduce(known, owner, body.energy_wh):
            return Outcome.NOT_ALLOWED  # more of it takes a place of its own
    else:
        state.book.cancel(known, owner)
    _forfeit(state, owner, before_wh, body.order, stamped_s)
    return Outcome.BOOKED


def lapse(state: State, stamped_s: int) -> None:
    """Let go of orders and seals whose time is over."""
    for ended in state.book.lapsed(stamped_s):
        before_wh = unbacked_wh(state, ended.owner)
        state.book.cancel(ended.id, ended.owner)
        _forfeit(state, ended.owner, before_wh, ended.id, stamped_s)
    for place in state.seals.due(stamped_s):
        owner = state.seals.take(place).owner
        state.wallets.moved.add(owner)
        _give_up(state, owner, state.charter.seal_micro, "seal lapsed", str(place), stamped_s)


def _forfeit(state: State, owner: AccountId, before_wh: int, ref: str, stamped_s: int) -> None:
    """Give up the charter's part of the collateral of what went without WATT behind it."""
    gone_micro = collateral_micro(state, before_wh) - collateral_micro(state, unbacked_wh(state, owner))
    _give_up(state, owner, gone_micro * state.charter.forfeit_permille // 1000, "collateral given up", ref, stamped_s)


def _give_up(state: State, owner: AccountId, amount_micro: int, memo: str, ref: str, stamped_s: int) -> None:
    """Book what an account gives up to the education pot, as far as it has it and the pot can hold it."""
    room_micro = MAX_SAFE_INTEGER - state.ergon(EDUCATION_POT)
    amount_micro = max(0, min(amount_micro, state.ergon(owner), room_micro))
    slot_s = stamped_s // SLOT_SECONDS * SLOT_SECONDS
    state.move(Commodity.ERGON, owner, EDUCATION_POT, amount_micro, slot_s=slot_s, memo=memo, ref=ref)


def match_book(state: State, stamped_s: int) -> None:
    """Book what has become possible in the WATT book since balances changed (row E4)."""
    hands = _Hands(state, stamped_s)
    state.book.match(hands.backing, hands.room, hands.funds, hands.book)


def quote(state: State) -> Quote:
    """Return the prices of the WATT book with and without orders that could not trade now."""
    hands = _Hands(state, 0)
    return state.book.quote(hands.backing, hands.room, hands.funds)


class _Hands:
    """What the book knows of balances and does to them; it is told at once of all that has changed."""

    def __init__(self, state: State, stamped_s: int) -> None:
        self.state, self.slot_s = state, stamped_s // SLOT_SECONDS * SLOT_SECONDS
        self._pass_on()

    def _pass_on(self) -> None:
        self.state.book.changed(self.state.wallets.moved)
        self.state.wallets.moved.clear()

    def backing(self, account: AccountId) -> int:
        # Nobody sells whose books could not hold what is paid: far beyond all ERGON that can be bought.
        full = self.state.ergon(account) > MAX_SAFE_INTEGER - MOST_TRADE_MICRO
        return 0 if full else free(self.state, account, Commodity.WATT)

    def room(self, account: AccountId) -> int:
        return room_wh(self.state, account)

    def funds(self, account: AccountId) -> int:
        return free(self.state, account, Commodity.ERGON)

    def book(self, trade: Trade) -> None:
        owed, ref = cost_micro(trade.energy_wh, trade.price_micro_per_kwh), f"{trade.bid}/{trade.ask}"
        for commodity, source, target, amount in (
            (Commodity.WATT, trade.seller, trade.buyer, trade.energy_wh),
            (Commodity.ERGON, trade.buyer, trade.seller, owed),
        ):
            self.state.move(commodity, source, target, amount, slot_s=self.slot_s, memo="watt trade", ref=ref)
        self._pass_on()

"""Rules for auctions and reverse auctions (row E5): who may bid, and what becomes of bonds; see `awarding` for results.

An owner puts a lot up and has a bond reserved, and the lot itself where it is WATT. Bidders have theirs reserved with
their first bid. A bond goes to the other side in these cases and no others, and the rules alone decide:

- A bidder who won does not perform when the auction closes: has not the money, the WATT, or the room for it. The bond
  goes to the owner, and the lot to who is next.
- A bidder did not reveal a sealed bid. The bond goes to the owner. A bid that turns out to be of an amount that the
  lot does not allow cannot be revealed.
- The owner did not reveal a sealed reserve price: nothing is sold, and the bond goes in equal parts to those whose
  bids stand open. Where nobody's does, it goes back.
- The owner does not perform when the auction closes: the bond goes in equal parts to the winners.

All others get their bonds back in the same instant. Equal bids are ranked by their place in the log, sealed ones by
that of their commitment. No bid is ever taken back: it may only become better.
"""

from msgspec import structs

from commonwatt.flows.rulebook.market.auctions import auction_bodies as bodies
from commonwatt.flows.rulebook.market.auctions import awarding
from commonwatt.flows.rulebook.market.auctions.awarding import bond_name, hold, lot_name
from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.tokens.backing import free, room_wh
from commonwatt.market.auctions import Auction, Bid, Form, Good, Phase, Sealed, Terms
from commonwatt.market.auctions.auction import Result, Why
from commonwatt.market.auctions.dutch import takes
from commonwatt.market.auctions.sealed import reserve_commitment
from commonwatt.model import ANYONE, SLOT_SECONDS, AccountId, Commodity, InvalidValue, Outcome, Request, Side

MOST_OF_OWNER = 32
"""Auctions that one account may have, results that still matter included."""
MOST_BIDDING = 64
"""Open auctions in which one account may bid."""
MOST_BIDDERS = 1_000
"""In one auction, or so many takes of a Dutch price."""
MOST_SHARING = 100
"""Bidders of a lot that is divisible: each of a second-price auction may pay for what each other would have got."""
FURTHEST_S = 31 * 86_400
"""How far ahead an auction may begin."""


def auction(state: State, request: Request, body: bodies.AuctionBody, position: int, stamped_s: int) -> Outcome:
    """Open an auction, bid, seal, reveal, or take a lot back."""
    account = request.on_behalf_of
    if not state.has_wallet(account):
        return Outcome.NOT_ALLOWED
    if isinstance(body, bodies.Open):
        return _open(state, account, body, position, stamped_s)
    found = state.auctions.get(body.auction)
    if found is None:
        return Outcome.UNKNOWN_THING
    match body:
        case bodies.Offer():
            if found.terms.form is Form.DUTCH:
                return _take(state, found, account, body, position, stamped_s)
            return _bid(state, found, account, body, position, stamped_s)
        case bodies.Seal():
            return _seal(state, found, account, body, position, stamped_s)
        case bodies.Reveal():
            return _reveal(state, found, account, body, stamped_s)
        case bodies.RevealReserve():
            return _reveal_reserve(state, found, account, body, stamped_s)
        case bodies.TakeDown():
            return _withdraw(state, found, account, stamped_s)


def close_due(state: State, stamped_s: int) -> None:
    """Close every auction whose time has come, end what was won and is over, and let go of what matters no more."""
    for found in state.auctions.due(stamped_s):
        if found.result is None:
            awarding.close(state, found, stamped_s)
        elif not found.of_slots or state.settled_to_s >= found.terms.to_s:
            awarding.fulfil(state, found, stamped_s)
    for found in state.auctions.over(state.horizon_s):
        state.auctions.forget(found)


def _open(state: State, owner: AccountId, body: bodies.Open, position: int, stamped_s: int) -> Outcome:
    try:
        terms = Terms(**structs.asdict(body))
    except InvalidValue:
        return Outcome.OVER_LIMIT
    if terms.start_s < stamped_s:
        return Outcome.TOO_LATE
    if state.auctions.of_owner(owner) >= MOST_OF_OWNER or terms.start_s > stamped_s + FURTHEST_S:
        return Outcome.OVER_LIMIT
    if not _bears(state, owner, terms, terms.amount, gives=terms.side is Side.ASK):
        return Outcome.OVER_LIMIT
    sells_watt = terms.good is Good.WATT and terms.side is Side.ASK
    if free(state, owner, Commodity.ERGON) < terms.owner_bond_micro:
        return Outcome.NOT_BACKED
    if sells_watt and free(state, owner, Commodity.WATT) < terms.amount:
        return Outcome.NOT_BACKED
    name = str(position)
    opened = Auction(id=name, owner=owner, terms=terms, ends_s=terms.end_s, reserve=terms.reserve_price)
    hold(state, bond_name(opened, owner), Commodity.ERGON, owner, ANYONE, terms.owner_bond_micro)
    if sells_watt:
        hold(state, lot_name(opened), Commodity.WATT, owner, ANYONE, terms.amount)
    state.auctions.add(opened)
    return Outcome.BOOKED


def _bid(
    state: State, found: Auction, account: AccountId, body: bodies.Offer, position: int, stamped_s: int
) -> Outcome:
    if found.terms.sealed or account == found.owner:
        return Outcome.NOT_ALLOWED
    if found.phase(stamped_s) is not Phase.OPEN:
        return Outcome.TOO_LATE
    amount, price = body.amount, body.price_micro_per_kwh
    if not found.fits(amount) or not _bears(state, account, found.terms, amount, gives=found.terms.side is Side.BID):
        return Outcome.OVER_LIMIT
    if not found.improves(account, amount, price):
        return Outcome.OVER_LIMIT
    bond_micro = 0 if account in found.bids else found.terms.bidder_bond_micro
    if refusal := _no_bidder(state, found, account, known=account in found.bids):
        return refusal
    if not _backed(state, found.terms, account, amount, price, bond_micro):
        return Outcome.NOT_BACKED
    hold(state, bond_name(found, account), Commodity.ERGON, account, found.owner, bond_micro)
    with state.auctions.change(found):
        found.bid(Bid(bidder=account, amount=amount, price=price, position=position), stamped_s)
    return Outcome.BOOKED


def _take(
    state: State, found: Auction, account: AccountId, body: bodies.Offer, position: int, stamped_s: int
) -> Outcome:
    if account == found.owner:
        return Outcome.NOT_ALLOWED
    if found.phase(stamped_s) is not Phase.OPEN:
        return Outcome.TOO_LATE
    price, amount = found.price(stamped_s), body.amount
    if not takes(found.terms, body.price_micro_per_kwh, price) or not found.fits(amount):
        return Outcome.OVER_LIMIT
    if (
        not _bears(state, account, found.terms, amount, gives=found.terms.side is Side.BID)
        or len(found.awards) >= MOST_BIDDERS
    ):
        return Outcome.OVER_LIMIT
    if not _backed(state, found.terms, account, amount, price, 0):
        return Outcome.NOT_BACKED
    if found.terms.good is Good.WATT and found.terms.side is Side.ASK and room_wh(state, account) < amount:
        return Outcome.OVER_LIMIT
    return awarding.take(state, found, account, amount, price, position, stamped_s)


def _seal(
    state: State, found: Auction, account: AccountId, body: bodies.Seal, position: int, stamped_s: int
) -> Outcome:
    if not found.terms.sealed or account == found.owner:
        return Outcome.NOT_ALLOWED
    if found.phase(stamped_s) is not Phase.OPEN:
        return Outcome.TOO_LATE
    if account in found.sealed:
        return Outcome.ALREADY_THERE
    if refusal := _no_bidder(state, found, account, known=False):
        return refusal
    hold(state, bond_name(found, account), Commodity.ERGON, account, found.owner, found.terms.bidder_bond_micro)
    with state.auctions.change(found):
        found.sealed[account] = Sealed(hash=body.hash, position=position)
    return Outcome.BOOKED


def _reveal(state: State, found: Auction, account: AccountId, body: bodies.Reveal, stamped_s: int) -> Outcome:
    if account not in found.sealed:
        return Outcome.UNKNOWN_THING
    if found.phase(stamped_s) is not Phase.REVEALING:
        return Outcome.TOO_LATE if found.result else Outcome.NOT_ALLOWED  # what is shown early was never sealed
    if account in found.bids:
        return Outcome.ALREADY_THERE
    if not found.opens(account, body.amount, body.price_micro_per_kwh, body.salt):
        return Outcome.NOT_ALLOWED
    if not found.fits(body.amount) or not _bears(
        state, account, found.terms, body.amount, gives=found.terms.side is Side.BID
    ):
        return Outcome.OVER_LIMIT
    with state.auctions.change(found):
        found.bids[account] = Bid(
            bidder=account,
            amount=body.amount,
            price=body.price_micro_per_kwh,
            position=found.sealed[account].position,
        )
    return Outcome.BOOKED


def _reveal_reserve(
    state: State, found: Auction, account: AccountId, body: bodies.RevealReserve, stamped_s: int
) -> Outcome:
    if account != found.owner:
        return Outcome.NOT_ALLOWED
    if found.phase(stamped_s) is not Phase.REVEALING:
        return Outcome.TOO_LATE if found.result else Outcome.NOT_ALLOWED
    if found.reserve is not None:
        return Outcome.ALREADY_THERE
    if reserve_commitment(account, body.price_micro_per_kwh, body.salt) != found.terms.reserve_hash:
        return Outcome.NOT_ALLOWED
    with state.auctions.change(found):
        found.reserve = body.price_micro_per_kwh
    return Outcome.BOOKED


def _withdraw(state: State, found: Auction, account: AccountId, stamped_s: int) -> Outcome:
    if account != found.owner:
        return Outcome.NOT_ALLOWED
    if found.bids or found.sealed or found.awards:
        return Outcome.ALREADY_THERE
    if found.phase(stamped_s) not in (Phase.COMING, Phase.OPEN):
        return Outcome.TOO_LATE
    awarding.release(state, found)
    with state.auctions.change(found):
        found.result, found.done = Result(why=Why.WITHDRAWN, closed_s=stamped_s), True
    return Outcome.BOOKED


def _no_bidder(state: State, found: Auction, account: AccountId, *, known: bool) -> Outcome | None:
    """Return why an account cannot begin to bid, or None."""
    if known:
        return None
    most = MOST_SHARING if found.terms.divisible else MOST_BIDDERS
    if max(len(found.bids), len(found.sealed)) >= most:
        return Outcome.OVER_LIMIT
    if state.auctions.bidding(account) >= MOST_BIDDING:
        return Outcome.OVER_LIMIT
    backed = free(state, account, Commodity.ERGON) >= found.terms.bidder_bond_micro
    return None if backed else Outcome.NOT_BACKED


def _backed(state: State, terms: Terms, account: AccountId, amount: int, price: int, bond_micro: int) -> bool:
    """Tell whether a bidder has what an open bid promises, now; whether they still have it shows when it is due."""
    if terms.side is Side.ASK:
        return free(state, account, Commodity.ERGON) >= terms.cost_micro(amount, price) + bond_micro
    return terms.good is not Good.WATT or free(state, account, Commodity.WATT) >= amount


def _bears(state: State, account: AccountId, terms: Terms, amount: int, *, gives: bool) -> bool:
    """Tell whether a party's fuse bears a lot (row M6); who is no member is beyond the feeder, where it is not asked.

    Whoever buys capacity needs no fuse for it.
    """
    if terms.good is Good.WATT or not state.keys.has_role(account, "member"):
        return True
    if account not in state.connections:
        return False
    point = state.assets[state.connections[account]]
    if terms.good is Good.SLOTS:
        limit_w = point.max_export_w if gives else point.max_import_w
        return -(-amount // terms.slots) <= limit_w * SLOT_SECONDS // 3600
    return not gives or amount <= point.max_import_w + point.max_export_w

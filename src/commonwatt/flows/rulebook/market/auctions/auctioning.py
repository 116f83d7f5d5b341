"""Rules for auctions and reverse auctions (row E5): who may bid, and what becomes of bonds; see `awarding` for results.

An owner puts a lot up and has a bond reserved, and the lot itself where it is WATT. Bidders have theirs reserved with
their first bid, and the whole price (or the WATT that they sell) as long as an open bid would win something, or from
the reveal of a sealed one. A bond goes to the other side in these cases and no others, and the rules alone decide:

- A bidder who would have won when bids ended does not perform at the close: has not the money, the WATT, or the room
  for it any more. The bond goes to the owner, and the lot to who is next. Whoever was outbid was free to use elsewhere
  what the bid had reserved: they get the lot if they can, and lose nothing if they cannot.
- A bidder did not reveal a sealed bid. The bond goes to the owner. A bid that turns out not to fit the lot or the
  bidder's fuse, or whose price is not there, cannot be revealed.
- The owner did not reveal a sealed reserve price: nothing is sold, and the bond goes in equal parts to those whose
  bids stand open. Where nobody's does, it goes back.
- The owner does not perform when the auction closes: the bond goes in equal parts to the winners.
- Whoever sold capacity was not heard in some slot of its window: the bond goes to the buyers, in equal parts.

All others get their bonds back in the same instant. Equal bids are ranked by their place in the log, sealed ones by
that of their commitment. No bid is ever taken back: it may only become better.
"""

from commonwatt.flows.rulebook.market.auctions import auction_bodies as bodies
from commonwatt.flows.rulebook.market.auctions import awarding, holding, taking_part
from commonwatt.flows.rulebook.market.auctions.holding import bond_name, hold
from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.tokens.backing import free
from commonwatt.market.auctions import Auction, Bid, Form, Phase, Sealed
from commonwatt.market.auctions.auction import Result, Why
from commonwatt.market.auctions.dutch import takes
from commonwatt.market.auctions.sealed import reserve_commitment
from commonwatt.model import ANYONE, AccountId, Commodity, InvalidValue, Outcome, Request

MOST_OF_OWNER = 32
"""Auctions that one account may have, results that still matter included."""
MOST_BIDDING = 64
"""Open auctions in which one account may bid."""
MOST_BIDDERS = 1_000
"""In one auction."""
MOST_PRICES = 16
"""At which one account may take parts of a Dutch lot."""
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
        elif state.settled_to_s >= found.terms.to_s:
            awarding.fulfil(state, found, stamped_s)
    for found in state.auctions.over(state.horizon_s):
        state.auctions.forget(found)


def _open(state: State, owner: AccountId, body: bodies.Open, position: int, stamped_s: int) -> Outcome:
    try:
        terms = body.terms()
    except InvalidValue:
        return Outcome.OVER_LIMIT
    if terms.start_s < stamped_s:
        return Outcome.TOO_LATE
    if state.auctions.of_owner(owner) >= MOST_OF_OWNER or terms.start_s > stamped_s + FURTHEST_S:
        return Outcome.OVER_LIMIT
    if refusal := taking_part.opens(state, owner, terms):
        return refusal
    opened = Auction(
        id=str(position),
        owner=owner,
        terms=terms,
        ends_s=terms.end_s,
        reserve=terms.reserve_price,
        fee_micro_per_kwh=taking_part.fee(state, owner, terms),
    )
    if not holding.lot_backed(state, opened):
        return Outcome.NOT_BACKED
    hold(state, bond_name(opened, owner), Commodity.ERGON, owner, ANYONE, terms.owner_bond_micro)
    holding.hold_lot(state, opened, terms.amount)
    state.auctions.add(opened)
    return Outcome.BOOKED


def _bid(
    state: State, found: Auction, account: AccountId, body: bodies.Offer, position: int, stamped_s: int
) -> Outcome:
    if found.terms.sealed:
        return Outcome.NOT_ALLOWED
    if refusal := _not_open(state, found, account, stamped_s):
        return refusal
    amount, price, known = body.amount, body.price_micro_per_kwh, account in found.bids
    if not found.fits(amount) or not taking_part.carries(state, found, account, amount):
        return Outcome.OVER_LIMIT
    if not found.improves(account, amount, price) or not taking_part.has_room(state, found, account, amount):
        return Outcome.OVER_LIMIT
    bond_micro = 0 if known else found.terms.bidder_bond_micro
    if refusal := _no_bidder(state, found, account, known=known):
        return refusal
    if not holding.backed(state, found, account, amount, price, bond_micro):
        return Outcome.NOT_BACKED
    hold(state, bond_name(found, account), Commodity.ERGON, account, found.owner, bond_micro)
    with state.auctions.change(found):
        outbid = found.bid(Bid(bidder=account, amount=amount, price=price, position=position), stamped_s)
    for bidder in outbid:
        holding.let_bid_go(state, found, bidder)
    if found.stands(account):
        holding.hold_bid(state, found, account, amount, price)
    return Outcome.BOOKED


def _take(
    state: State, found: Auction, account: AccountId, body: bodies.Offer, position: int, stamped_s: int
) -> Outcome:
    if refusal := _not_open(state, found, account, stamped_s):
        return refusal
    price, amount = found.price(stamped_s), body.amount
    if not takes(found.terms, body.price_micro_per_kwh, price) or not found.fits(amount):
        return Outcome.OVER_LIMIT
    has = [award for award in found.awards if award.bidder == account]
    if not taking_part.carries(state, found, account, sum(award.amount for award in has) + amount):
        return Outcome.OVER_LIMIT
    if not has and len({award.bidder for award in found.awards}) >= MOST_BIDDERS:
        return Outcome.OVER_LIMIT
    if len(has) >= MOST_PRICES and price not in {award.price for award in has}:
        return Outcome.OVER_LIMIT
    if not holding.backed(state, found, account, amount, price):
        return Outcome.NOT_BACKED
    if not taking_part.has_room(state, found, account, amount):
        return Outcome.OVER_LIMIT
    return awarding.take(state, found, account, amount, price, position, stamped_s)


def _seal(
    state: State, found: Auction, account: AccountId, body: bodies.Seal, position: int, stamped_s: int
) -> Outcome:
    if not found.terms.sealed:
        return Outcome.NOT_ALLOWED
    if refusal := _not_open(state, found, account, stamped_s):
        return refusal
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
    amount, price = body.amount, body.price_micro_per_kwh
    if not found.fits(amount) or not taking_part.carries(state, found, account, amount):
        return Outcome.OVER_LIMIT
    if not holding.backed(state, found, account, amount, price):
        return Outcome.NOT_BACKED
    holding.hold_bid(state, found, account, amount, price)
    with state.auctions.change(found):
        found.bids[account] = Bid(
            bidder=account,
            amount=amount,
            price=price,
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
    if found.bids or found.sealed:
        return Outcome.ALREADY_THERE
    if found.phase(stamped_s) not in (Phase.COMING, Phase.OPEN):
        return Outcome.TOO_LATE
    if found.terms.form is Form.DUTCH:
        awarding.end_dutch(state, found, Why.WITHDRAWN, stamped_s)
        return Outcome.BOOKED
    holding.release(state, found)
    with state.auctions.change(found):
        found.result, found.done = Result(why=Why.WITHDRAWN, closed_s=stamped_s), True
    return Outcome.BOOKED


def _not_open(state: State, found: Auction, account: AccountId, stamped_s: int) -> Outcome | None:
    """Return why an account can take no part in an auction now, or None."""
    if refusal := taking_part.bids(state, found, account):
        return refusal
    return None if found.phase(stamped_s) is Phase.OPEN else Outcome.TOO_LATE


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

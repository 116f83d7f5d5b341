"""Rules for contracts between utilities and members (rows W5, E13, M4); the states are `commonwatt.market.contracts`.

- An offer reserves its budget, an acceptance what its member's penalties could come to: nobody owes what they cannot
  pay. What a contract needs no more is free again.
- Only an asset that is controlled directly backs a guarantee: one whose owner lets schedules come into force without
  asking. One contract at a time counts on it, and none on what is behind a connection that another counts on in the
  same hours, or the other way round: so nothing is promised, measured or paid twice.
- An owner's ``off`` wins. What it leaves undelivered costs what the contract says, and no more.
- What is measured is paid when nobody disputed it in time. Corrections until then count; afterwards nothing changes.
"""

from commonwatt.flows.rulebook.market.contracts import contract_bodies as bodies
from commonwatt.flows.rulebook.market.contracts.contract_calling import (
    call_by_known,
    controlled,
    pay,
    secure,
    secure_member,
)
from commonwatt.flows.rulebook.market.contracts.contract_measuring import backfill
from commonwatt.flows.rulebook.market.contracts.offering import OFFERING, close, offer
from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.tokens.backing import free
from commonwatt.flows.rulebook.tokens.transferring import MOST_PENDING
from commonwatt.market.contracts import (
    Call,
    Contract,
    Direction,
    Guarantee,
    Status,
    Terms,
    most_penalty_micro,
)
from commonwatt.metering.baseline import DayRows
from commonwatt.model import (
    AccountId,
    Asset,
    AssetId,
    Commodity,
    InvalidValue,
    Memo,
    Outcome,
    Request,
    zone_of,
)

MOST_CONTRACTS = 32
"""Of one member at a time."""
MOST_CONTRACTS_IN_ALL = 1_000
"""Of one community at a time: each is looked at in every commit."""


def contract(state: State, request: Request, body: bodies.ContractBody, position: int, stamped_s: int) -> Outcome:
    """Offer, close, guarantee, accept, leave, dispute or resolve."""
    account, role = request.on_behalf_of, state.keys[request.author].role
    offers = isinstance(body, bodies.MakeOffer | bodies.CloseOffer)
    owns = isinstance(body, bodies.GiveGuarantee | bodies.Accept | bodies.Leave)
    if (offers and role not in OFFERING) or (owns and role != "member"):
        return Outcome.NOT_ALLOWED
    match body:
        case bodies.MakeOffer():
            return offer(state, account, body, position, stamped_s)
        case bodies.CloseOffer():
            return close(state, account, body)
        case bodies.GiveGuarantee():
            return _guarantee(state, account, body, stamped_s)
        case bodies.Accept():
            return _accept(state, account, body, position, stamped_s)
        case bodies.Leave():
            return _leave(state, account, body, stamped_s)
        case bodies.Dispute():
            return _dispute(state, account, body, stamped_s)
        case bodies.Resolve():
            return _resolve(state, account, body, stamped_s)


def _guarantee(state: State, owner: AccountId, body: bodies.GiveGuarantee, stamped_s: int) -> Outcome:
    """Note what an asset can be counted on for, if it can (rows M4, X13)."""
    asset = state.assets.get(AssetId(body.asset))
    if asset is None:
        return Outcome.UNKNOWN_THING
    if asset.owner != owner or (body.direct and not controlled(state, asset)):
        return Outcome.NOT_ALLOWED
    if body.until_s <= stamped_s:
        return Outcome.TOO_LATE
    if body.charge_w > asset.max_import_w or body.give_back_w > _most_back_w(asset):
        return Outcome.OVER_LIMIT
    book = state.contracted.book
    if book.pledge(asset.id):
        return Outcome.ALREADY_THERE  # somebody counts on what was said before
    book.guarantees[asset.id] = Guarantee(
        asset=asset.id,
        until_s=body.until_s,
        charge_w=body.charge_w,
        give_back_w=body.give_back_w,
        direct=body.direct,
    )
    return Outcome.BOOKED


def _accept(state: State, member: AccountId, body: bodies.Accept, position: int, stamped_s: int) -> Outcome:
    book, asset = state.contracted.book, state.assets.get(AssetId(body.asset))
    offer = book.offers.get(body.offer)
    if offer is None or offer.closed or asset is None:
        return Outcome.UNKNOWN_THING  # closed ones are forgotten sooner or later
    terms = offer.terms
    if asset.owner != member or member in (offer.utility, terms.arbiter) or terms.zone not in (None, asset.zone):
        return Outcome.NOT_ALLOWED
    if not _guaranteed(state, asset, body, terms):
        return Outcome.NOT_ALLOWED
    if book.pledge(asset.id) or _is_counted_on(state, asset, terms):
        return Outcome.ALREADY_THERE
    running = book.running()
    mine = sum(one.member == member for one in running)
    if mine >= MOST_CONTRACTS or len(running) >= MOST_CONTRACTS_IN_ALL or _full(state, member):
        return Outcome.OVER_LIMIT
    most_micro = most_penalty_micro(terms, body.charge_w, body.give_back_w) * terms.most_windows
    if free(state, member, Commodity.ERGON) < most_micro:
        return Outcome.NOT_BACKED
    first = terms.next_window(stamped_s + terms.notice_s, zone_of(state.charter.timezone))
    if first is None:
        return Outcome.TOO_LATE
    made = book.accept(str(position), offer, member, asset.id, body.charge_w, body.give_back_w)
    if made is None:
        return Outcome.OVER_LIMIT
    made.calls.append(Call(window=first[0], start_s=first[1], end_s=first[2]))
    secure(state, offer)
    secure_member(state, made)
    state.contracted.days.setdefault(asset.id, DayRows())
    backfill(state, made)
    call_by_known(state, made, made.calls[0], stamped_s)
    return Outcome.BOOKED


def _leave(state: State, member: AccountId, body: bodies.Leave, stamped_s: int) -> Outcome:
    found = state.contracted.book.contracts.get(body.contract)
    if found is None or found.ended_s is not None:
        return Outcome.UNKNOWN_THING
    if found.member != member:
        return Outcome.NOT_ALLOWED
    ends_s = stamped_s + state.contracted.book.terms(found).leave_s
    if ends_s >= found.ends_s:
        return Outcome.ALREADY_THERE
    found.ends_s = ends_s
    if found.calls and found.calls[-1].start_s >= ends_s and found.calls[-1].status is Status.STANDBY:
        found.calls.pop()
    return Outcome.BOOKED


def _dispute(state: State, account: AccountId, body: bodies.Dispute, stamped_s: int) -> Outcome:
    found = _window(state, body.contract, body.window_s)
    if found is None:
        return Outcome.UNKNOWN_THING
    one, call = found
    book = state.contracted.book
    if account not in (one.member, book.offers[one.offer].utility):
        return Outcome.NOT_ALLOWED
    if call.status is Status.DISPUTED:
        return Outcome.ALREADY_THERE
    return Outcome.BOOKED if book.dispute(one, call, stamped_s, body.reason) else Outcome.TOO_LATE


def _resolve(state: State, account: AccountId, body: bodies.Resolve, stamped_s: int) -> Outcome:
    found = _window(state, body.contract, body.window_s)
    if found is None:
        return Outcome.UNKNOWN_THING
    one, call = found
    book = state.contracted.book
    if account not in (one.member, book.offers[one.offer].utility, book.terms(one).arbiter):
        return Outcome.NOT_ALLOWED
    if call.status is not Status.DISPUTED:
        return Outcome.TOO_LATE
    if not state.accounts.headroom(Commodity.ERGON) > abs(body.net_micro):
        return Outcome.OVER_LIMIT
    try:
        net_micro = book.resolve(one, call, account, body.net_micro)
    except InvalidValue:
        return Outcome.OVER_LIMIT
    if net_micro is not None:
        pay(state, one, call, [(Memo.FLEXIBILITY_SETTLEMENT, net_micro)], stamped_s)
    return Outcome.BOOKED


def _window(state: State, name: str, start_s: int) -> tuple[Contract, Call] | None:
    one = state.contracted.book.contracts.get(name)
    call = one.find(start_s) if one and one.ended_s is None else None
    return (one, call) if one and call else None


def _guaranteed(state: State, asset: Asset, body: bodies.Accept, terms: Terms) -> bool:
    """Tell whether an asset's guarantee covers a promise, its limits and its owner's consent what was guaranteed."""
    told = state.contracted.book.guarantees.get(asset.id)
    if told is None or not told.direct or told.until_s < terms.until_s or not controlled(state, asset):
        return False
    charge_w, give_back_w = min(told.charge_w, asset.max_import_w), min(told.give_back_w, _most_back_w(asset))
    if body.charge_w > charge_w or body.give_back_w > give_back_w:
        return False
    asked = {window.direction for window in terms.windows}
    promised = {Direction.CHARGE: body.charge_w, Direction.GIVE_BACK: body.give_back_w}
    return all((power_w > 0) == (direction in asked) for direction, power_w in promised.items())


def _is_counted_on(state: State, asset: Asset, terms: Terms) -> bool:
    """Tell whether what an asset would deliver is paid already: to whom pledged the connection that it moves.

    Whatever is behind a connection moves it too, and is part of its baseline at all times.
    """
    book, connection = state.contracted.book, state.connections.get(asset.owner)
    if asset.id == connection:
        return any(one.member == asset.owner for one in book.running())
    one = book.pledge(connection) if connection else None
    return one is not None and book.terms(one).meets(terms, zone_of(state.charter.timezone))


def _most_back_w(asset: Asset) -> int:
    """Return what an asset can give back: what it can give, and for what only draws, what it can leave off."""
    return asset.max_export_w or asset.max_import_w


def _full(state: State, account: AccountId) -> bool:
    return state.wallets.asked_of(account) >= MOST_PENDING

"""Rules for tokens that change hands between members: at once, or reserved first and posted later (rows E8, E11, H11).

The source reserves, with a time at which the reservation ends by itself. The target takes what is reserved, all or a
part, or an arbiter whom the reservation names lets it; both may also let it go. The source cannot take it back before
its time: others build on it. What is reserved backs nothing else: no order, no transfer, no pay-out, no right to
store. Two things may still take it: WATT that a discharge calls is burned, reserved or not, for the energy is gone;
ERGON owed for energy is owed whatever is reserved. So a reservation of WATT or TSL posts as far as the balance goes,
and is `NOT_BACKED` beyond; one of ERGON always posts, and its source may come to owe.

Delivery versus payment is a reservation `against` something of the target's: whoever posts it gives that in the same
instant, both legs whole or neither. B reserves ERGON for A against WATT; that A has the WATT is what A's meter proved,
for none is minted without it. Since the second leg is the target's to give, the target alone posts such a one.

Nobody sends WATT to the burn address: see `storage` for what burns it.
"""

from collections.abc import Iterable
from typing import NamedTuple

from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.tokens import wallet_bodies as bodies
from commonwatt.flows.rulebook.tokens.backing import available, free
from commonwatt.flows.rulebook.tokens.wallets import Agreed
from commonwatt.ledger.transfers import Transfer
from commonwatt.model import MAX_SAFE_INTEGER, SLOT_SECONDS, AccountId, Commodity, Memo, Outcome, Request
from commonwatt.tokens.tsl import right_wh, tsl_needed_micro

MOST_PENDING = 100
"""Reservations that one account may have asked for and standing: enough for trade, too few to fill the state with."""
_TOKENS = (Commodity.ERGON, Commodity.WATT, Commodity.TSL)
_SALE = {Commodity.WATT, Commodity.ERGON}


class _Leg(NamedTuple):
    """What is to change hands."""

    commodity: Commodity
    source: AccountId
    target: AccountId
    amount: int


def transfer(state: State, request: Request, body: bodies.TransferBody, position: int, stamped_s: int) -> Outcome:
    """Give, reserve, post or void."""
    match body:
        case bodies.Give():
            return _give(state, request.on_behalf_of, body, position, stamped_s)
        case bodies.Reserve():
            return _reserve(state, request.on_behalf_of, body, position, stamped_s)
        case bodies.Post():
            return _post(state, request.on_behalf_of, body, stamped_s)
        case bodies.Void():
            return _void(state, request.on_behalf_of, body)


def void_due(state: State, stamped_s: int) -> None:
    """Let go of every reservation whose time has come."""
    for name in state.wallets.transfers.due(stamped_s):
        state.wallets.release(name)
        state.listings.pop(name, None)


def exchange(
    state: State,
    legs: Iterable[tuple[Commodity, AccountId, AccountId, int]],
    ref: str,
    stamped_s: int,
    released: Transfer | None = None,
) -> Outcome:
    """Book what goes from whom to whom in one instant, all of it or nothing; a sale where it is WATT against ERGON.

    Args:
        state: Whoever gives has enough: that was looked at.
        legs: Commodity, source, target and amount; legs of zero are left out.
        ref: What it derives from.
        stamped_s: The log's time.
        released: The reservation that ends with it.
    """
    real = [_Leg(*leg) for leg in legs]
    if refusal := _no_right(state, real, released):
        return refusal
    if released:
        state.wallets.release(released.id)
    _book(state, real, ref, stamped_s)
    return Outcome.BOOKED


def _give(state: State, source: AccountId, body: bodies.Give, position: int, stamped_s: int) -> Outcome:
    target = AccountId(body.target)
    if refusal := _strangers(state, source, target, body.commodity):
        return refusal
    legs = [_Leg(body.commodity, source, target, body.amount)]
    if free(state, source, body.commodity) < body.amount:
        return Outcome.NOT_BACKED
    if refusal := _no_right(state, legs):
        return refusal
    _book(state, legs, str(position), stamped_s)
    return Outcome.BOOKED


def _reserve(state: State, source: AccountId, body: bodies.Reserve, position: int, stamped_s: int) -> Outcome:
    target = AccountId(body.target)
    if refusal := _strangers(state, source, target, body.commodity):
        return refusal
    against = body.against
    if against and (body.arbiter or against.commodity is body.commodity or against.commodity not in _TOKENS):
        return Outcome.NOT_ALLOWED
    if body.arbiter in (source, target):
        return Outcome.NOT_ALLOWED  # a source that may let go could take back
    if body.arbiter and not state.has_wallet(AccountId(body.arbiter)):
        return Outcome.UNKNOWN_THING
    if body.until_s <= stamped_s:
        return Outcome.TOO_LATE
    if state.wallets.asked_of(source) >= MOST_PENDING:
        return Outcome.OVER_LIMIT
    if free(state, source, body.commodity) < body.amount:
        return Outcome.NOT_BACKED
    agreed = Agreed(
        arbiter=AccountId(body.arbiter) if body.arbiter else None,
        against=against.commodity if against else None,
        against_amount=against.amount if against else 0,
    )
    reserved = Transfer(
        id=str(position),
        commodity=body.commodity,
        source=source,
        target=target,
        amount=body.amount,
        until_s=body.until_s,
    )
    state.wallets.reserve(reserved, agreed if body.arbiter or against else None)
    return Outcome.BOOKED


def _post(state: State, account: AccountId, body: bodies.Post, stamped_s: int) -> Outcome:
    pending = state.wallets.transfers.pending(body.transfer)
    if pending is None:
        return Outcome.UNKNOWN_THING
    agreed = state.wallets.agreed.get(pending.id, Agreed())
    if account not in (pending.target, agreed.arbiter):
        return Outcome.NOT_ALLOWED
    amount = body.amount or pending.amount
    if amount > pending.amount or (agreed.against and amount < pending.amount):
        return Outcome.OVER_LIMIT
    legs = [_Leg(pending.commodity, pending.source, pending.target, amount)]
    if pending.commodity is not Commodity.ERGON and state.accounts.balance(pending.source, pending.commodity) < amount:
        return Outcome.NOT_BACKED  # called meanwhile
    if agreed.against:
        legs.append(_Leg(agreed.against, pending.target, pending.source, agreed.against_amount))
        # What TSL is still needed for shows below, once both legs are known.
        enough = free if agreed.against is Commodity.ERGON else available
        if enough(state, pending.target, agreed.against) < agreed.against_amount:
            return Outcome.NOT_BACKED
    if refusal := _no_right(state, legs, pending):
        return refusal
    state.wallets.release(pending.id)
    _book(state, legs, pending.id, stamped_s)
    return Outcome.BOOKED


def _void(state: State, account: AccountId, body: bodies.Void) -> Outcome:
    pending = state.wallets.transfers.pending(body.transfer)
    if pending is None:
        return Outcome.UNKNOWN_THING
    agreed = state.wallets.agreed.get(pending.id, Agreed())
    if account not in (pending.target, agreed.arbiter):
        return Outcome.NOT_ALLOWED
    state.wallets.release(pending.id)
    return Outcome.BOOKED


def _strangers(state: State, source: AccountId, target: AccountId, commodity: Commodity) -> Outcome | None:
    """Return why nothing can go from one to the other: members give tokens to other members."""
    if not state.has_wallet(target):
        return Outcome.UNKNOWN_THING
    if source == target or not state.has_wallet(source) or commodity not in _TOKENS:
        return Outcome.NOT_ALLOWED
    return None


def _no_right(state: State, legs: Iterable[_Leg], released: Transfer | None = None) -> Outcome | None:
    """Return why somebody would hold WATT without room or right once all legs are booked, or None.

    Args:
        state: Before any of it.
        legs: What is to be booked.
        released: The reservation that ends with it.
    """
    change: dict[tuple[AccountId, Commodity], int] = {}
    for leg in legs:
        if state.accounts.balance(leg.target, leg.commodity) + leg.amount > MAX_SAFE_INTEGER:
            return Outcome.OVER_LIMIT
        if leg.commodity is Commodity.ERGON:
            continue  # money neither gives nor takes a right
        for account, amount in ((leg.source, -leg.amount), (leg.target, leg.amount)):
            change[account, leg.commodity] = change.get((account, leg.commodity), 0) + amount
    rate = state.charter.tsl_micro_per_kwh
    for account in sorted({account for account, _ in change}):
        more_wh, more_tsl = change.get((account, Commodity.WATT), 0), change.get((account, Commodity.TSL), 0)
        if released and (released.source, released.commodity) == (account, Commodity.TSL):
            more_tsl += released.amount  # it gave no right while it was reserved
        watt_wh = max(0, state.watt(account) + more_wh) + state.neighbours.coming_wh(account)
        tsl_micro = max(0, available(state, account, Commodity.TSL) + more_tsl)
        if more_wh > 0 and watt_wh > min(state.charter.b_max_wh, right_wh(tsl_micro, rate)):
            return Outcome.OVER_LIMIT
        if more_tsl < 0 and tsl_needed_micro(watt_wh, rate) > tsl_micro:
            return Outcome.NOT_BACKED
    return None


def _book(state: State, legs: list[_Leg], ref: str, stamped_s: int) -> None:
    """Book all legs; WATT against ERGON is a trade of WATT like any other."""
    slot_s = stamped_s // SLOT_SECONDS * SLOT_SECONDS
    sold = len(legs) == len(_SALE) and {leg.commodity for leg in legs} == _SALE
    memo = Memo.WATT_TRADE if sold else Memo.TRANSFER
    for leg in legs:
        state.move(leg.commodity, leg.source, leg.target, leg.amount, slot_s=slot_s, memo=memo, ref=ref)

"""Rules for direct sales (row H11): A lists Wh under an address, B checks the address and buys; both legs or neither.

What is listed is reserved, so that it backs nothing else, and the reservation ends at its time like any other. A sale
needs A's meters: WATT is minted by meters alone, what A has must still cover what is bought beside all else that A has
promised, and what A's connection and every battery of A's with WATT outstanding did in the slot before must have been
measured, since what a silent meter would have burned nobody knows, and an estimate burns nothing.
"""

from commonwatt.flows.rulebook.market import sale_bodies as bodies
from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.tokens.backing import free
from commonwatt.flows.rulebook.tokens.transferring import MOST_PENDING, exchange
from commonwatt.ledger.transfers import Transfer
from commonwatt.market.listings import Listed
from commonwatt.metering.batch import Quality
from commonwatt.model import ANYONE, SLOT_SECONDS, AccountId, Commodity, Outcome, Request, cost_micro


def sale(state: State, request: Request, body: bodies.SaleBody, position: int, stamped_s: int) -> Outcome:
    """List, take or take back."""
    match body:
        case bodies.Listing():
            return _list(state, request, body, position, stamped_s)
        case bodies.Take():
            return _take(state, request.on_behalf_of, body, stamped_s)
        case bodies.Unlist():
            return _unlist(state, request.on_behalf_of, body)


def name_of(position: str) -> str:
    """Return under which name a listing is reserved; no transfer that a member asks for can name it."""
    return f"listing {position}"


def _list(state: State, request: Request, body: bodies.Listing, position: int, stamped_s: int) -> Outcome:
    seller = request.on_behalf_of
    if not state.has_wallet(seller):
        return Outcome.NOT_ALLOWED
    if body.until_s <= stamped_s:
        return Outcome.TOO_LATE
    if state.wallets.asked_of(seller) >= MOST_PENDING:
        return Outcome.OVER_LIMIT
    if free(state, seller, Commodity.WATT) < body.energy_wh:
        return Outcome.NOT_BACKED
    name = name_of(str(position))
    state.wallets.reserve(_reservation(name, seller, body.energy_wh, body.until_s))
    state.listings[name] = Listed(
        seller=seller, key=request.author, price_micro_per_kwh=body.price_micro_per_kwh, whole=body.whole
    )
    return Outcome.BOOKED


def _take(state: State, buyer: AccountId, body: bodies.Take, stamped_s: int) -> Outcome:
    name = name_of(body.listing)
    listed, left = state.listings.get(name), state.wallets.transfers.pending(name)
    if listed is None or left is None:
        return Outcome.UNKNOWN_THING
    seller, energy_wh = listed.seller, body.energy_wh
    if not listed.is_at(body.seller) or buyer == seller or not state.has_wallet(buyer):
        return Outcome.NOT_ALLOWED
    owed_micro = cost_micro(energy_wh, listed.price_micro_per_kwh)
    if energy_wh > left.amount or (listed.whole and energy_wh < left.amount) or owed_micro > body.most_micro:
        return Outcome.OVER_LIMIT
    if free(state, buyer, Commodity.ERGON) < owed_micro or not _verified(state, seller, stamped_s):
        return Outcome.NOT_BACKED
    if free(state, seller, Commodity.WATT) + left.amount < energy_wh:
        return Outcome.NOT_BACKED  # called meanwhile
    legs = [(Commodity.WATT, seller, buyer, energy_wh), (Commodity.ERGON, buyer, seller, owed_micro)]
    outcome = exchange(state, legs, name.replace(" ", "/"), stamped_s, left)
    if outcome is Outcome.BOOKED:
        if energy_wh < left.amount:
            state.wallets.reserve(_reservation(name, seller, left.amount - energy_wh, left.until_s))
        else:
            del state.listings[name]
    return outcome


def _unlist(state: State, seller: AccountId, body: bodies.Unlist) -> Outcome:
    name = name_of(body.listing)
    listed = state.listings.get(name)
    if listed is None:
        return Outcome.UNKNOWN_THING
    if listed.seller != seller:
        return Outcome.NOT_ALLOWED
    del state.listings[name]
    state.wallets.release(name)
    return Outcome.BOOKED


def _verified(state: State, seller: AccountId, stamped_s: int) -> bool:
    """Tell whether the slot before was measured where a seller's WATT could have gone."""
    connection = state.connections.get(seller)
    before_s = stamped_s // SLOT_SECONDS * SLOT_SECONDS - SLOT_SECONDS
    if connection is None or before_s not in state.readings:
        return False
    told = state.readings[before_s]
    behind = (asset for asset, _ in state.claims.listing() if state.assets[asset].owner == seller)
    return all(meter in told and told.quality_of(meter) is Quality.MEASURED for meter in (connection, *behind))


def _reservation(name: str, seller: AccountId, energy_wh: int, until_s: int) -> Transfer:
    return Transfer(id=name, commodity=Commodity.WATT, source=seller, target=ANYONE, amount=energy_wh, until_s=until_s)

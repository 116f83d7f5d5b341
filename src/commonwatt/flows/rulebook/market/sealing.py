"""Rules for sealed orders: first their place in time is fixed, then what they are is told.

Who fears the look of whoever writes the log commits to an order by its hash. The commitment takes a place in the log,
and a receipt promises it before. Once it stands there, its owner tells the order, and it stands in its market as if it
had been told at that place; what was traded meanwhile stays. Until then nobody can know it, the operator included: the
salt is 32 bytes that nobody else has.

A place in time that may be used or not is worth something: somebody could seal a bid and an ask at every quarter and
use what turns out well. So every seal has a bond until its time is over, and whoever does not reveal by then loses it
to the network. To tell an order and take it back would be the same choice, one request later: so it is lost as well
when the order is taken back, made smaller or ends by itself before then. An order that is filled has used its place,
and its bond is free. An order that can stand no more when it is revealed, since its gate has closed or nothing stands
behind it, is not revealed in time either.
"""

from hashlib import sha256

from commonwatt.flows.rulebook.bodies import write_body
from commonwatt.flows.rulebook.market import bonds, slot_market, watt_book
from commonwatt.flows.rulebook.market import order_bodies as bodies
from commonwatt.flows.rulebook.market.seals import Seal
from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.tokens.backing import free
from commonwatt.flows.rulebook.tokens.transferring import MOST_PENDING
from commonwatt.model import SLOT_SECONDS, AccountId, Commodity, Outcome, Request, canonical_json

MOST_SEALED = 16
"""Seals that one account may have standing."""
REVEAL_S = SLOT_SECONDS
"""How long after its commitment an order may be revealed."""


def commitment_of(account: AccountId, order: bodies.OrderBody, salt: str) -> str:
    """Return the commitment to an order: SHA-256 over the RFC 8785 JSON of account, order and salt, as hex digits.

    Args:
        account: Whose order it is, so that nobody can commit to somebody else's.
        order: As it will be revealed.
        salt: 64 hex digits from a source of chance, used once: orders are few enough to be guessed.
    """
    return sha256(canonical_json({"account": account, "order": write_body(order), "salt": salt})).hexdigest()


def seal(state: State, owner: AccountId, body: bodies.Sealed, position: int, stamped_s: int) -> Outcome:
    """Fix a place in time for an order that nobody knows."""
    bond_micro = state.charter.sealed_bond_micro
    if state.seals.of(owner) >= MOST_SEALED or state.wallets.asked_of(owner) >= MOST_PENDING:
        return Outcome.OVER_LIMIT
    if free(state, owner, Commodity.ERGON) < bond_micro:
        return Outcome.NOT_BACKED
    made = Seal(
        position=position,
        owner=owner,
        commitment=body.commitment,
        until_s=stamped_s + REVEAL_S,
        bond_micro=bond_micro,
    )
    bonds.hold(state, made)
    return Outcome.BOOKED


def reveal(state: State, request: Request, body: bodies.Reveal, position: int, stamped_s: int) -> Outcome:
    """Let a sealed order stand at its place in time, in its market."""
    owner, found = request.on_behalf_of, state.seals.at(body.sealed)
    if found is None or found.owner != owner or found.told:
        return Outcome.UNKNOWN_THING
    if commitment_of(owner, body.order, body.salt) != found.commitment:
        return Outcome.NOT_ALLOWED
    if body.order.now:
        return Outcome.NOT_ALLOWED  # what takes at once takes what stands now: an earlier place means nothing to it
    state.seals.note(found, told=True)  # it may be filled in the instant in which it is told
    match body.order:
        case bodies.WattOrder(price_micro_per_kwh=None):
            outcome = Outcome.NOT_ALLOWED
        case bodies.WattOrder():
            outcome = watt_book.order(state, owner, body.order, found.position, stamped_s, told=position)
        case bodies.SlotOrder():
            outcome = slot_market.order(state, request, body.order, found.position, stamped_s)
    if outcome is not Outcome.BOOKED:
        state.seals.note(found, told=False)
    return outcome


def lapse(state: State, stamped_s: int) -> None:
    """Let go of every seal whose time is over; the bond of what was not told goes to the network."""
    for found in state.seals.lapsed(stamped_s):
        if found.told:
            bonds.free(state, found)
        else:
            bonds.forfeit(state, found)

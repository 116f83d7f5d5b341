"""The rulebook: one rule per kind of request (`kinds`), integers only, no clock, no chance.

Requests are decided in batches that share one moment: `begin` does what has come due by then, `admit` says whether a
request may stand in the log at all, `apply` and `apply_readings` what it changes, and `end` settles. Anyone who
replays the log through these reaches the same state.
"""

from collections.abc import Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.charging import charging, operating
from commonwatt.flows.rulebook.identity import delegating, registry
from commonwatt.flows.rulebook.identity.witnesses import check_witnesses
from commonwatt.flows.rulebook.kinds import RULES, may
from commonwatt.flows.rulebook.market import sealing, slot_batches, slot_market, watt_book
from commonwatt.flows.rulebook.market.auctions import auctioning
from commonwatt.flows.rulebook.market.contracts import contract_calling, contract_measuring
from commonwatt.flows.rulebook.market.slot_batches import OrderBatch
from commonwatt.flows.rulebook.metering import readings
from commonwatt.flows.rulebook.metering.readings import Batch
from commonwatt.flows.rulebook.settlement import settling
from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.tokens import commission, prepaying, transferring
from commonwatt.identity.directory import KeyRecord
from commonwatt.identity.keys import VerifyingKey
from commonwatt.model import SLOT_SECONDS, AccountId, GatewayId, InvalidValue, Kind, Outcome, Request

__all__ = [
    "Batch",
    "OrderBatch",
    "State",
    "admit",
    "apply",
    "apply_orders",
    "apply_readings",
    "begin",
    "bodies",
    "end",
    "read_batch",
    "read_orders",
]


def begin(state: State, stamped_s: int) -> None:
    """Do what has come due by the moment of a batch of requests, before the first of them is decided."""
    state.wallets.now_s = stamped_s
    commission.close_quarters(state, stamped_s)
    sealing.lapse(state, stamped_s)
    transferring.void_due(state, stamped_s)
    slot_market.close_gates(state, stamped_s)
    auctioning.close_due(state, stamped_s)
    contract_calling.advance(state, stamped_s)
    charging.stop_due(state, stamped_s)
    watt_book.end(state, stamped_s)
    watt_book.follow(state, stamped_s)


def end(state: State, stamped_s: int) -> None:
    """Settle what is complete or overdue, once all requests of a batch are decided; let go of what is long past."""
    first_s = state.settled_to_s
    settling.settle_due(state, stamped_s)
    commission.charge(state, range(first_s, state.settled_to_s, SLOT_SECONDS))
    contract_measuring.settled(state, range(first_s, state.settled_to_s, SLOT_SECONDS))
    contract_measuring.instructed(state, stamped_s)
    operating.charge(state, range(first_s, state.settled_to_s, SLOT_SECONDS))
    charging.settle(state, range(first_s, state.settled_to_s, SLOT_SECONDS), stamped_s)
    watt_book.follow(state, stamped_s)
    prepaying.watch(state, stamped_s)  # last: whose ERGON has changed is forgotten by who sleeps after this commit
    state.forget()


def admit(state: State, request: Request, signed: bool | None = None) -> Outcome | None:
    """Return why a request may not stand in the log, or None where it may.

    Changes nothing. A number that its key has used is `SEEN_BEFORE`: a repeat, or another request in its place.

    Args:
        state: As it stands.
        request: As it was read.
        signed: Whether the signature is the author's, where that was checked already.
    """
    if request.community != state.community:
        return Outcome.WRONG_COMMUNITY
    if state.operator is None:
        return _admit_first(request)
    record = state.keys.get(request.author)
    if record is None:
        return Outcome.UNKNOWN_KEY
    if signed is None:
        signed = record.verifying.verify(request.signed_bytes(), request.signature)
    if not signed:
        return Outcome.BAD_SIGNATURE
    expected = state.keys.next_seq(request.author)
    if request.seq == expected:
        return None
    return Outcome.SEEN_BEFORE if request.seq < expected else Outcome.WRONG_SEQUENCE


def apply(state: State, request: Request, body: object, position: int, stamped_s: int) -> Outcome:
    """Change the state as an admitted request asks, or refuse it and change nothing but its author's number.

    Args:
        state: Changed in place.
        request: Admitted by `admit`; no batch of readings.
        body: What `bodies.read_body` made of its body.
        position: Where it stands in the log.
        stamped_s: The log's time, seconds since 1970.
    """
    if state.operator is None:
        assert isinstance(body, bodies.RegisterCommunity)
        outcome = registry.found(state, body, stamped_s)
    else:
        outcome = _decide(state, request, body, position, stamped_s)
        watt_book.follow(state, stamped_s)
    state.keys.spoke(state.keys[request.author])
    return outcome


def read_batch(state: State, request: Request, body: bodies.ReadingBatch, position: int) -> Batch:
    """Return an admitted batch of readings, to be applied with others; its author's number is used up.

    A batch whose outcome is not `BOOKED` is refused already, and must not be applied.
    """
    record = state.keys[request.author]
    state.keys.spoke(record)
    batch = Batch(GatewayId(body.gateway), position, request.items)
    allowed = _may(record, request) and record.gateway == body.gateway
    if not allowed:
        batch.outcome = Outcome.NOT_ALLOWED
    return batch


def apply_readings(state: State, batches: Sequence[Batch], stamped_s: int) -> None:
    """Believe what can be believed of batches, one after the other, and set their outcomes."""
    readings.apply_batches(state, [batch for batch in batches if batch.outcome is Outcome.BOOKED], stamped_s)
    watt_book.follow(state, stamped_s)


def read_orders(state: State, request: Request, body: bodies.OrderBatch, position: int, stamped_s: int) -> OrderBatch:
    """Return an admitted batch of orders, to be applied with others; its author's number is used up.

    A batch whose outcome is not `BOOKED` is refused already, and must not be applied.
    """
    record = state.keys[request.author]
    state.keys.spoke(record)
    partner = None if body.partner is None else AccountId(body.partner)
    batch = OrderBatch(request.on_behalf_of, position, request.items, partner)
    if not _may(record, request) and not delegating.permits(state, request, body, stamped_s):
        batch.outcome = Outcome.NOT_ALLOWED
    return batch


def apply_orders(state: State, batches: Sequence[OrderBatch], stamped_s: int) -> None:
    """Take batches of orders in, one after the other, and set their outcomes."""
    slot_batches.apply_batches(state, [batch for batch in batches if batch.outcome is Outcome.BOOKED], stamped_s)
    state.wallets.moves(*(batch.owner for batch in batches))
    watt_book.follow(state, stamped_s)


def _decide(state: State, request: Request, body: object, position: int, stamped_s: int) -> Outcome:
    if not _may(state.keys[request.author], request) and not delegating.permits(state, request, body, stamped_s):
        return Outcome.NOT_ALLOWED
    return RULES[request.kind].decide(state, request, body, position, stamped_s)


def _may(record: KeyRecord, request: Request) -> bool:
    return may(record.role, request.kind) and record.account == request.on_behalf_of


def _admit_first(request: Request) -> Outcome | None:
    """Admit only the community's own registration, signed by the key that it names."""
    if request.kind is not Kind.REGISTER or request.seq != 1:
        return Outcome.UNKNOWN_KEY
    try:
        body = bodies.read_body(request.kind, request.body)
        if not isinstance(body, bodies.RegisterCommunity):
            return Outcome.UNKNOWN_KEY
        key = VerifyingKey(bytes.fromhex(body.public))
        ZoneInfo(body.timezone)
        check_witnesses(body.witnesses)
        registry.charter(body)
    except (InvalidValue, ZoneInfoNotFoundError, ValueError, OSError):
        return Outcome.MALFORMED
    signed = key.id == request.author and key.verify(request.signed_bytes(), request.signature)
    return None if signed else Outcome.BAD_SIGNATURE

"""The rulebook: one function per kind of request, integers only, no clock, no chance.

Requests are decided in batches that share one moment: `begin` does what has come due by then, `admit` says whether a
request may stand in the log at all, `apply` and `apply_readings` what it changes, and `end` settles. Anyone who
replays the log through these reaches the same state.
"""

from collections.abc import Sequence
from typing import cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from commonwatt.flexibility.permission import SAYS
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.charging import charging, licence_bodies, operating, session_bodies
from commonwatt.flows.rulebook.flexibility import consenting, stating
from commonwatt.flows.rulebook.identity import attesting, delegating, registry, trust_bodies
from commonwatt.flows.rulebook.identity.witnesses import check_witnesses
from commonwatt.flows.rulebook.market import (
    order_bodies,
    ordering,
    sale_bodies,
    sealing,
    selling,
    slot_batches,
    slot_market,
    watt_book,
)
from commonwatt.flows.rulebook.market.auctions import auction_bodies, auctioning
from commonwatt.flows.rulebook.market.contracts import (
    contract_bodies,
    contract_calling,
    contract_measuring,
    contracting,
)
from commonwatt.flows.rulebook.market.interchange import interchange, interchange_bodies
from commonwatt.flows.rulebook.market.slot_batches import OrderBatch
from commonwatt.flows.rulebook.metering import readings
from commonwatt.flows.rulebook.metering.readings import Batch
from commonwatt.flows.rulebook.settlement import settling
from commonwatt.flows.rulebook.state import WALLET_ROLES, State
from commonwatt.flows.rulebook.tokens import commission, paying, prepaying, transferring, wallet_bodies
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

_MAY = {
    Kind.REGISTER: {"operator", "member", "dso"},
    Kind.CONSTRAINT: set(SAYS),
    Kind.READING_BATCH: {"gateway"},
    Kind.ORDER: {"member"},
    Kind.CANCEL: {"member"},
    Kind.ORDER_BATCH: {"member"},
    Kind.AUCTION: {"member", "utility"},
    Kind.CONTRACT: {*contracting.SPEAKERS},
    Kind.SESSION: {"member", "station", "car", "gateway"},
    Kind.INTERCHANGE: {"operator", "member"},
    Kind.FACT: {"oracle"},
    Kind.SCHEDULE: {"planner"},
    Kind.CONSENT: {"member"},
    Kind.ACK: {"gateway"},
    Kind.PURCHASE: {"payment", *WALLET_ROLES},
    Kind.PAYOUT: {"payment", *WALLET_ROLES},
    Kind.TRANSFER: {"member", "utility", "station", "car"},
    Kind.DELEGATE: {"member"},
    Kind.ATTEST: {"operator", "member", "engineer", "inspector", "installer"},
    Kind.CHECKPOINT: {"operator"},
}


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
    match body:
        case _ if request.kind in (Kind.ORDER, Kind.CANCEL):
            return ordering.order(state, request, cast("order_bodies.Ordering", body), position, stamped_s)
        case bodies.ConstraintBody():
            outcome = stating.constraint(state, request, body, position, stamped_s)
            if outcome is Outcome.BOOKED:
                consenting.heard(state, request.on_behalf_of, stamped_s)
            return outcome
        case bodies.ScheduleBody():
            return consenting.schedule(state, body, position, stamped_s)
        case bodies.ConsentBody() | bodies.DecisionBody():
            return consenting.agreement(state, request, body, stamped_s)
        case wallet_bodies.Give() | wallet_bodies.Reserve() | wallet_bodies.Post() | wallet_bodies.Void():
            return transferring.transfer(state, request, body, position, stamped_s)
        case wallet_bodies.PayoutRequest() | wallet_bodies.PayoutPaid() | wallet_bodies.PayoutFailed():
            return paying.payout(state, request, body, position, stamped_s)
        case trust_bodies.Grant() | trust_bodies.Revoke():
            return delegating.delegate(state, request, body, position, stamped_s)
        case _ if request.kind in (Kind.ATTEST, Kind.PURCHASE, Kind.SESSION):
            return _decide_many(state, request, body, position, stamped_s)
        case _:
            return _decide_standing(state, request, body, position, stamped_s)


def _decide_many(state: State, request: Request, body: object, position: int, stamped_s: int) -> Outcome:
    """Decide what is of a kind with many shapes, which that kind's own rules tell apart."""
    match request.kind:
        case Kind.ATTEST:
            return attesting.attest(state, request, cast("trust_bodies.Attest", body), position, stamped_s)
        case Kind.SESSION:
            return charging.session(state, request, cast("session_bodies.Session", body), position, stamped_s)
        case _:
            return paying.purchase(state, request, cast("wallet_bodies.Purchase", body), position, stamped_s)


def _decide_standing(state: State, request: Request, body: object, position: int, stamped_s: int) -> Outcome:
    match body:
        case sale_bodies.Listing() | sale_bodies.Take() | sale_bodies.Unlist():
            return selling.sale(state, request, body, position, stamped_s)
        case _ if request.kind is Kind.INTERCHANGE:
            asked = cast("interchange_bodies.InterchangeBody", body)
            return interchange.interchange(state, request, asked, position, stamped_s)
        case _ if request.kind is Kind.AUCTION:
            return auctioning.auction(state, request, cast("auction_bodies.AuctionBody", body), position, stamped_s)
        case bodies.FactBody():
            outcome = registry.fact(state, request, body)
            if outcome is Outcome.BOOKED:
                contract_calling.priced(state, stamped_s)
            return outcome
        case contract_bodies.FrequencyFact() | contract_bodies.EventFact():
            return contract_calling.fact(state, request, body, stamped_s)
        case bodies.AckBody():
            return registry.ack(state, request, body)
        case bodies.CheckpointBody():
            return registry.checkpoint(state, body)
        case _ if request.kind is Kind.CONTRACT:
            return contracting.contract(state, request, cast("contract_bodies.ContractBody", body), position, stamped_s)
        case licence_bodies.Licence() | licence_bodies.BuyLicence():
            return operating.licence(state, request, body, stamped_s)
        case _:
            assert isinstance(body, bodies.Register)
            return registry.register(state, request, body, stamped_s)


def _may(record: KeyRecord, request: Request) -> bool:
    return record.role in _MAY[request.kind] and record.account == request.on_behalf_of


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

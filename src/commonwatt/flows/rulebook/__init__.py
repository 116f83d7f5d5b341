"""The rulebook: one function per kind of request, integers only, no clock, no chance.

`admit` says whether a request may stand in the log at all, `apply` what it changes. Anyone who replays the log
through the two reaches the same state.
"""

from hashlib import sha256
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from commonwatt.flows.rulebook import bodies, registry, settling, trading
from commonwatt.flows.rulebook.state import KeyRecord, State
from commonwatt.identity.keys import VerifyingKey
from commonwatt.model import AccountId, InvalidValue, Kind, Outcome, Request

__all__ = ["State", "admit", "apply", "bodies"]

_MAY = {
    Kind.REGISTER: {"operator", "member", "dso"},
    Kind.CONSTRAINT: {"member", "dso"},
    Kind.READING_BATCH: {"gateway"},
    Kind.ORDER: {"member"},
    Kind.CANCEL: {"member"},
    Kind.FACT: {"oracle"},
    Kind.SCHEDULE: {"planner"},
    Kind.CONSENT: {"member"},
    Kind.ACK: {"gateway"},
    Kind.PURCHASE: {"payment"},
    Kind.CHECKPOINT: {"operator"},
}


def admit(state: State, request: Request) -> Outcome | None:
    """Return why a request may not stand in the log, or None where it may.

    Changes nothing. A request that was answered before is `SEEN_BEFORE`; see `first_outcome`.
    """
    if request.community != state.community:
        return Outcome.WRONG_COMMUNITY
    if state.operator is None:
        return _admit_first(request)
    record = state.keys.get(request.author)
    if record is None:
        return Outcome.UNKNOWN_KEY
    if not record.verifying.verify(request.signed_bytes(), request.signature):
        return Outcome.BAD_SIGNATURE
    if request.seq < record.next_seq:
        digest, _ = record.answered[request.seq - 1]
        return Outcome.SEEN_BEFORE if digest == _digest(request) else Outcome.WRONG_SEQUENCE
    if request.seq > record.next_seq:
        return Outcome.WRONG_SEQUENCE
    return None


def first_outcome(state: State, request: Request) -> Outcome:
    """Return how a request that was `SEEN_BEFORE` was answered the first time."""
    return state.keys[request.author].answered[request.seq - 1][1]


def apply(state: State, request: Request, body: object, position: int, stamped_s: int) -> Outcome:
    """Change the state as an admitted request asks, or refuse it and change nothing but its author's number.

    Args:
        state: Changed in place.
        request: Admitted by `admit`.
        body: What `bodies.read_body` made of its body.
        position: Where it stands in the log.
        stamped_s: The log's time, seconds since 1970; what has come due by then is done first.
    """
    trading.close_gates(state, stamped_s)
    if state.operator is None:
        assert isinstance(body, bodies.RegisterCommunity)
        outcome = registry.found(state, body, stamped_s)
    else:
        outcome = _decide(state, request, body, position, stamped_s)
    state.keys[request.author].answered.append((_digest(request), outcome))
    settling.settle_due(state, stamped_s)
    return outcome


def _decide(state: State, request: Request, body: object, position: int, stamped_s: int) -> Outcome:
    record = state.keys[request.author]
    if record.role not in _MAY[request.kind] or not _speaks_for(record, request.on_behalf_of):
        return Outcome.NOT_ALLOWED
    match body:
        case bodies.OrderBody():
            return trading.order(state, request, body, position, stamped_s)
        case bodies.ReadingBatch():
            return settling.reading_batch(state, request, body, position, stamped_s)
        case bodies.ConstraintBody():
            return registry.constraint(state, request, body, position)
        case bodies.PurchaseBody():
            return registry.purchase(state, request, body, position, stamped_s)
        case _:
            return _decide_standing(state, request, body, stamped_s)


def _decide_standing(state: State, request: Request, body: object, stamped_s: int) -> Outcome:
    match body:
        case bodies.CancelBody():
            return trading.cancel(state, request, body)
        case bodies.FactBody():
            return registry.fact(state, request, body)
        case bodies.ScheduleBody():
            return registry.schedule(state, request, body)
        case bodies.ConsentBody():
            return registry.consent(state, request, body)
        case bodies.AckBody():
            return registry.ack(state, request, body)
        case bodies.CheckpointBody():
            return Outcome.BOOKED  # its roots are compared where the log is, by the sequencer and by replay
        case _:
            assert isinstance(body, bodies.Register)
            return registry.register(state, request, body, stamped_s)


def _speaks_for(record: KeyRecord, account: AccountId) -> bool:
    return record.account == account


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
    except (InvalidValue, ZoneInfoNotFoundError, ValueError, OSError):
        return Outcome.MALFORMED
    signed = key.id == request.author and key.verify(request.signed_bytes(), request.signature)
    return None if signed else Outcome.BAD_SIGNATURE


def _digest(request: Request) -> bytes:
    return sha256(request.wire_bytes()).digest()

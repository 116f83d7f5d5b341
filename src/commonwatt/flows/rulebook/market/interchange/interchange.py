"""Rules for trade between communities (row E15): a transfer in two ledgers that never exists in one of them alone.

Both operators sign one document. Each log says one word about its number, and never another: it *prepares* its side
(what its member gives leaves the member's account at once and waits in one that is nobody's), or it *refuses*, and
then nothing is ever prepared there under that number. Time limits preparing alone. A prepared side is decided by the
other log's word, shown by a leaf of it under its signed checkpoint:

- it prepared the same document: the side is booked;
- it refused, or prepared another document under this number: the side goes back to where it came from.

Both logs decide by the same two words, which never change, so both book or both let go, whichever messages are lost,
repeated or late, and in whatever order. Booking cannot fail: what is given has been set aside, and who receives WATT
keeps room and right for it. Nothing ends a prepared side but the other log's word; who fears an operator that never
says it deals in small amounts, for which the registered limits are. A log that says two words to two listeners is a
fraud like any other, which witnesses are for: where a neighbour has some, only a final checkpoint counts.

What a community owes another stands in an account for it here, and mirrored in the other ledger: summed over both
they are zero, in WATT and in ERGON. What WATT is owed for stays stored at the giver's; who uses it up there pays for
it, and then the account here says less WATT and the money waits, see `storage`.
"""

from commonwatt.flows.rulebook.market.interchange import interchange_bodies as bodies
from commonwatt.flows.rulebook.market.interchange.foreign import read_word
from commonwatt.flows.rulebook.market.interchange.neighbours import Neighbour, Trusted
from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.tokens.backing import free, room_wh
from commonwatt.flows.rulebook.tokens.wallets import Agreed
from commonwatt.identity.keys import VerifyingKey
from commonwatt.ledger.checkpoint import parse_vkey
from commonwatt.ledger.cosign import parse_cosigner_vkey
from commonwatt.market.interchange import Interchange, speak, spoken
from commonwatt.model import (
    MAX_SAFE_INTEGER,
    SLOT_SECONDS,
    AccountId,
    Commodity,
    Corrupt,
    InvalidValue,
    Memo,
    Outcome,
    Request,
)

MOST_NEIGHBOURS = 64
MOST_SIDES = 100
"""Prepared and undecided, with one neighbour."""
MOST_GAPS = 1_000
"""Between the numbers that were spoken about: who leaves too many out refuses some of them first."""


def interchange(state: State, request: Request, body: bodies.InterchangeBody, position: int, stamped_s: int) -> Outcome:
    """Register a neighbour, prepare or refuse a document, or decide one that is prepared.

    The other log's word proves itself, so any member may bring it: an operator cannot keep a side waiting that the
    other has booked. All else is the operator's.
    """
    assert state.operator is not None
    if request.author != state.operator and not isinstance(body, bodies.Decide):
        return Outcome.NOT_ALLOWED
    if isinstance(body, bodies.RegisterNeighbour):
        return _register(state, body)
    ours = state.keys[state.operator].account
    match body:
        case bodies.Prepare():
            return _prepare(state, ours, body, position, stamped_s)
        case bodies.Refuse():
            return _refuse(state, body)
        case bodies.Decide():
            return _decide(state, ours, body, stamped_s)


def _register(state: State, body: bodies.RegisterNeighbour) -> Outcome:
    known = state.neighbours.get(body.community)
    if body.community == state.community:
        return Outcome.NOT_ALLOWED
    if known is None and len(state.neighbours.items()) >= MOST_NEIGHBOURS:
        return Outcome.OVER_LIMIT
    if known is not None and known.sides:
        return Outcome.ALREADY_THERE  # what is prepared is decided by whom it was prepared for
    try:
        VerifyingKey(bytes.fromhex(body.operator))
        name, _ = parse_vkey(body.note)
        names = [parse_cosigner_vkey(one.note)[0] for one in body.cosigners]
    except (InvalidValue, Corrupt):
        return Outcome.NOT_ALLOWED
    if name != body.community or len(set(names)) < len(names):
        return Outcome.NOT_ALLOWED
    trusted = Trusted(
        operator=body.operator,
        note=body.note,
        cosigners=tuple((one.note, one.weight) for one in body.cosigners),
        most_wh=body.most_wh,
        most_micro=body.most_micro,
    )
    state.neighbours.trust(body.community, trusted)
    return Outcome.BOOKED


def _prepare(state: State, ours: AccountId, body: bodies.Prepare, position: int, stamped_s: int) -> Outcome:
    try:
        document = body.document.read()
    except InvalidValue:
        return Outcome.NOT_ALLOWED
    known = state.neighbours.get(document.taker if document.giver == state.community else document.giver)
    if known is None or state.community not in (document.giver, document.taker):
        return Outcome.UNKNOWN_THING
    if spoken(known.spoken, document.number):
        return Outcome.ALREADY_THERE
    if document.decide_by_s <= stamped_s:
        return Outcome.TOO_LATE
    if not _signed(state, known, body, document):
        return Outcome.NOT_ALLOWED
    if _too_much(state, known, document):
        return Outcome.OVER_LIMIT
    if refusal := _unbacked(state, ours, known, document, body.reservation):
        return refusal
    account = known.account(document)
    if body.reservation is not None:
        state.wallets.release(body.reservation)
    for commodity, amount in _given(known, document):
        _move(state, known, document, commodity, account, known.held, amount, Memo.INTERCHANGE_PREPARED, stamped_s)
    known.spoken = speak(known.spoken, document.number)
    state.neighbours.prepared(known, document)
    state.wallets.moves(account)  # its room is less, even where it pays nothing
    return Outcome.BOOKED


def _refuse(state: State, body: bodies.Refuse) -> Outcome:
    known = state.neighbours.get(body.community)
    if known is None:
        return Outcome.UNKNOWN_THING
    if spoken(known.spoken, body.number):
        return Outcome.ALREADY_THERE
    more = speak(known.spoken, body.number)
    if len(more) > MOST_GAPS:
        return Outcome.OVER_LIMIT
    known.spoken = more
    return Outcome.BOOKED


def _decide(state: State, ours: AccountId, body: bodies.Decide, stamped_s: int) -> Outcome:
    known = state.neighbours.get(body.community)
    document = known.sides.get(body.number) if known else None
    if known is None or document is None:
        return Outcome.UNKNOWN_THING
    word = read_word(body.proof, known)
    if word is None or not _about(state, known, document, word):
        return Outcome.NOT_ALLOWED
    if isinstance(word, bodies.Prepare) and word.document.read() == document:
        moves, memo = _booking(ours, known, document), Memo.INTERCHANGE
    else:
        account = known.account(document)
        moves = [(commodity, known.held, account, amount) for commodity, amount in _given(known, document)]
        memo = Memo.INTERCHANGE_RELEASED
    if any(
        state.accounts.balance(target, commodity) + amount > MAX_SAFE_INTEGER for commodity, _, target, amount in moves
    ):
        return Outcome.OVER_LIMIT  # far beyond all ERGON that can be bought; the word still holds later
    state.neighbours.decided(known, document)
    state.wallets.moves(known.account(document))
    for commodity, source, target, amount in moves:
        _move(state, known, document, commodity, source, target, amount, memo, stamped_s)
    return Outcome.BOOKED


def _about(state: State, known: Neighbour, document: Interchange, word: bodies.Prepare | bodies.Refuse) -> bool:
    """Tell whether another log's word is about this number between these two communities."""
    if isinstance(word, bodies.Refuse):
        return (word.community, word.number) == (state.community, document.number)
    told = word.document
    return {told.giver, told.taker} == {state.community, known.community} and told.number == document.number


def _signed(state: State, known: Neighbour, body: bodies.Prepare, document: Interchange) -> bool:
    assert state.operator is not None
    mine, theirs = state.keys[state.operator].verifying, VerifyingKey(bytes.fromhex(known.trusted.operator))
    giver, taker = (theirs, mine) if known.gives(document) else (mine, theirs)
    told = document.signed_bytes()
    return giver.verify(told, body.giver_signature) and taker.verify(told, body.taker_signature)


def _too_much(state: State, known: Neighbour, document: Interchange) -> bool:
    """Tell whether more would be owed either way than the limits say, once all that is prepared is booked."""
    more = speak(known.spoken, document.number)
    if len(known.sides) >= MOST_SIDES or len(more) > MOST_GAPS:
        return True
    alike = [other for other in known.sides.values() if known.gives(other) == known.gives(document)]
    wh = sum(other.energy_wh for other in alike) + document.energy_wh
    micro = sum(other.cost_micro for other in alike) + document.cost_micro
    owed_wh, owed_micro = (
        state.accounts.balance(known.owed, commodity) for commodity in (Commodity.WATT, Commodity.ERGON)
    )
    if known.gives(document):
        return wh - owed_wh > known.trusted.most_wh or micro + owed_micro > known.trusted.most_micro
    return wh + owed_wh > known.trusted.most_wh or micro - owed_micro > known.trusted.most_micro


def _unbacked(
    state: State, ours: AccountId, known: Neighbour, document: Interchange, reservation: str | None
) -> Outcome | None:
    """Return why the account on this side does not stand behind a document, or None.

    The operator's own account is asked for its free balance. A member agreed by reserving for the operator, against
    what the member gets: a seller all the WATT against no more than the price, a buyer enough ERGON, against no more
    WATT than comes.
    """
    account, gives = known.account(document), not known.gives(document)
    if not state.has_wallet(account):
        return Outcome.UNKNOWN_THING
    need = dict(_given(known, document))
    if account == ours:
        if reservation is not None:
            return Outcome.NOT_ALLOWED
        backed = all(free(state, account, commodity) >= amount for commodity, amount in need.items())
    else:
        pending = state.wallets.transfers.pending(reservation or "")
        if pending is None:
            return Outcome.NOT_BACKED
        agreed, (commodity, amount) = state.wallets.agreed.get(pending.id, Agreed()), next(iter(need.items()))
        if (pending.source, pending.target, pending.commodity) != (account, ours, commodity):
            return Outcome.NOT_ALLOWED
        asked = Commodity.ERGON if gives else Commodity.WATT
        gets = document.cost_micro if gives else document.energy_wh
        if agreed.against is not asked or agreed.against_amount > gets or (gives and pending.amount != amount):
            return Outcome.NOT_ALLOWED
        backed = pending.amount >= amount and state.accounts.balance(account, commodity) >= amount
    if not backed:
        return Outcome.NOT_BACKED
    return Outcome.OVER_LIMIT if not gives and room_wh(state, account) < document.energy_wh else None


def _given(known: Neighbour, document: Interchange) -> list[tuple[Commodity, int]]:
    """Return what the account on this side gives."""
    if known.gives(document):
        return [(Commodity.ERGON, document.cost_micro + document.fee_micro)]
    return [(Commodity.WATT, document.energy_wh)]


def _booking(
    ours: AccountId, known: Neighbour, document: Interchange
) -> list[tuple[Commodity, AccountId, AccountId, int]]:
    """Return what is booked here once both logs have prepared: in the other ledger the mirror of it."""
    account, theirs, held = known.account(document), known.owed, known.held
    if not known.gives(document):
        return [
            (Commodity.WATT, held, theirs, document.energy_wh),
            (Commodity.ERGON, theirs, account, document.cost_micro),
        ]
    return [
        (Commodity.ERGON, held, theirs, document.cost_micro),
        (Commodity.ERGON, held, ours, document.fee_micro),
        (Commodity.WATT, theirs, account, document.energy_wh),
    ]


def _move(
    state: State,
    known: Neighbour,
    document: Interchange,
    commodity: Commodity,
    source: AccountId,
    target: AccountId,
    amount: int,
    memo: Memo,
    stamped_s: int,
) -> None:
    slot_s = stamped_s // SLOT_SECONDS * SLOT_SECONDS
    ref = f"{document.giver}/{document.taker}/{document.number}"
    state.move(commodity, source, target, amount, slot_s=slot_s, memo=memo, ref=ref)

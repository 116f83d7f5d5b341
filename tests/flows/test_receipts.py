from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import msgspec
import numpy as np
import pytest
from community import NAME, NOON, Community, gateway, key

from commonwatt.flows.evidence import encode
from commonwatt.flows.intake import read_head
from commonwatt.flows.prove import trust_file
from commonwatt.flows.receipts import (
    Receipt,
    Withheld,
    check_receipt,
    check_withheld,
    give_receipt,
    make_withheld,
    receipt_path,
)
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.verify import verify_file
from commonwatt.identity.keys import NoteKey, VerifyingKey, sign_request
from commonwatt.ledger.checkpoint import sign_note, vkey
from commonwatt.market.order_batch import ORDER_DTYPE
from commonwatt.metering.batch import ITEM_BYTES
from commonwatt.model import SLOT_SECONDS, CommunityId, InvalidValue, Kind, Outcome, Refused

NOTE = NoteKey.from_seed(b"tiny", "note")
WORD = vkey(NAME, NOTE.public)
OPERATOR = VerifyingKey(key("operator").public)


def receipt_for(heads: list[bytes], stands_by: int) -> Receipt:
    return give_receipt(key("operator"), CommunityId(NAME), heads, NOON, stands_by)


def due(town: Community) -> None:
    """Let a second pass, so that it is clear which number of anna's is due."""
    town.now_s += 1


def receipt_at(town: Community, wires: list[bytes], arrived_s: int | None = None, stands_by: int = 0) -> Receipt:
    at = town.now_s if arrived_s is None else arrived_s
    return give_receipt(key("operator"), CommunityId(NAME), wires, at, stands_by or len(town.sequencer.tree) + 1)


def claim(town: Community, wires: list[bytes], receipt: Receipt, index: int = 0) -> Withheld:
    """Return what a sender can show against an operator, with the help of somebody who watches the log."""
    note = sign_note(town.sequencer.checkpoint(NOON).note_text(), NAME, NOTE.private)
    content = make_withheld(town.state, town.tree(), town.rows(), note, receipt, wires, index)
    return msgspec.json.decode(content, type=Withheld)


def check(case: Withheld) -> str:
    return check_withheld(case, OPERATOR, WORD)


NO = {"asset": "anna-battery", "mode": "off", "what": "consent"}


def no_word(town: Community, who: str = "anna", **more: Any) -> bytes:
    return town.wire(who, Kind.CONSENT, NO, **more)


def go_on(town: Community) -> None:
    for standing in (False, True):
        town.agree("ben", "ben-battery", standing=standing)


def held_back(wires: Callable[[Community], list[bytes]] = lambda town: [no_word(town)]) -> Withheld:
    """Return the claim about the first of some requests that came a second after everything else."""
    town = Community()
    due(town)
    some = wires(town)
    receipt = receipt_at(town, some)
    go_on(town)
    return claim(town, some, receipt)


def test_each_of_many_requests_can_be_shown_under_one_receipt() -> None:
    heads = [b"request %d" % n for n in range(7)]
    receipt = receipt_for(heads, 99)
    for index, head in enumerate(heads):
        check_receipt(receipt, OPERATOR, head, index, receipt_path(heads, index))
        with pytest.raises(Refused, match="for this request"):
            check_receipt(receipt, OPERATOR, head + b"!", index, receipt_path(heads, index))


def test_a_receipt_that_somebody_changed_or_wrote_himself_is_refused() -> None:
    heads = [b"request"]
    for changed in (
        msgspec.structs.replace(receipt_for(heads, 99), stands_by=100),
        msgspec.structs.replace(receipt_for(heads, 99), arrived_s=NOON + 1),
        give_receipt(key("anna"), CommunityId(NAME), heads, NOON, 99),
    ):
        with pytest.raises(Refused, match="signed by the operator"):
            check_receipt(changed, OPERATOR, heads[0], 0, [])


def test_there_is_no_receipt_for_nothing() -> None:
    with pytest.raises(InvalidValue):
        receipt_for([], 1)


def test_holding_a_promised_request_back_is_proven_by_a_later_checkpoint() -> None:
    assert "has never seen it" in check(held_back())


def test_holding_back_the_very_first_request_of_a_key_is_proven_by_its_registration() -> None:
    town = Community()
    town.register_key("agent", "agent", "agent")
    due(town)
    some = [town.wire("agent", Kind.CONSENT, NO, account="anna")]
    receipt = receipt_at(town, some)
    go_on(town)
    case = claim(town, some, receipt)
    assert "sent request 1," in check(case)
    # It was no request of anybody known before: a receipt of that time binds nobody.
    early = receipt_at(town, some, arrived_s=case.before.stamped_s, stands_by=receipt.stands_by)
    with pytest.raises(Refused, match="due before the request arrived"):
        check(msgspec.structs.replace(case, receipt=early))


def test_holding_back_a_batch_is_proven_with_its_records() -> None:
    case = held_back(lambda town: [town.reading(gateway("anna"), NOON, {"anna-home": (100, 0)})])
    assert "has never seen it" in check(case)


@pytest.mark.parametrize("records", ["", "00" * ITEM_BYTES, "ff" * ITEM_BYTES])
def test_a_batch_that_came_with_other_records_is_no_broken_promise(records: str) -> None:
    """Nobody sends a good head with records that no log takes, and shows better ones afterwards."""

    def wires(town: Community) -> list[bytes]:
        head = town.reading(gateway("anna"), NOON, {"anna-home": (100, 0)}).partition(b"\n")[0]
        return [head + b"\n" + bytes.fromhex(records) if records else head]

    sent = held_back(wires)
    with pytest.raises((Refused, InvalidValue), match=r"records|item 0|root"):
        check(sent)
    good = held_back(lambda town: [town.reading(gateway("anna"), NOON, {"anna-home": (100, 0)})])
    with pytest.raises(Refused, match="for this request"):
        check(msgspec.structs.replace(sent, records=good.records))


def orders(town: Community, limit: int = 150_000) -> bytes:
    """Return a signed batch of one order of anna's, for the next slot."""
    items = np.zeros(1, ORDER_DTYPE)
    items["start_s"], items["wh"], items["limit"] = NOON + SLOT_SECONDS, 100, limit
    packed = items.tobytes()
    return town.wire("anna", Kind.ORDER_BATCH, bodies.orders_head(packed), items=packed)


def test_holding_back_a_batch_of_orders_is_proven_with_its_records() -> None:
    assert "has never seen it" in check(held_back(lambda town: [orders(town)]))


def test_a_batch_of_orders_that_came_with_other_records_is_no_broken_promise() -> None:
    def wires(town: Community) -> list[bytes]:
        return [orders(town).partition(b"\n")[0] + b"\n" + orders(town, limit=1).partition(b"\n")[2]]

    with pytest.raises((Refused, InvalidValue), match="root"):
        check(held_back(wires))


def test_an_operator_who_kept_a_promise_cannot_be_accused() -> None:
    town = Community()
    due(town)
    some = [no_word(town)]
    receipt = receipt_at(town, some)
    with pytest.raises(Refused, match="past the promised place"):
        check(claim(town, some, receipt))
    before = claim(town, some, receipt)
    town.send(some[0])
    go_on(town)
    newer = claim(town, some, receipt)
    with pytest.raises(Refused, match="number is the one that was due"):
        check(newer)
    # Nor with a number from an older state under a newer note.
    with pytest.raises(Refused, match=r"in the log that was signed|sections make up"):
        check(msgspec.structs.replace(before, note=newer.note))
    with pytest.raises(Refused, match="in the signed state"):
        check(msgspec.structs.replace(newer, number=before.number, number_path=before.number_path))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda wire: wire.replace(b'"mode":"off"', b'"mode":"always"'), "signed by its author"),
        (lambda wire: wire[:-20] + b"0" * 18 + b'"}', "signed by its author"),
        (lambda wire: wire.replace(b'"mode":"off"', b'"mode":7'), "cannot be read"),
        (lambda wire: wire.replace(b'"kind":"consent"', b'"kind":"order"'), "cannot be read"),
        (lambda wire: wire + b" ", "canonical"),
        (lambda wire: wire.replace(b'"on_behalf_of":"anna"', b'"on_behalf_of":"' + b"a" * 99 + b'"'), "name|signed by"),
    ],
)
def test_a_request_that_its_author_never_signed_or_no_log_would_take_accuses_nobody(
    change: Callable[[bytes], bytes], says: str
) -> None:
    """Whoever sends rubbish gets a receipt for rubbish."""
    town, fair = Community(), held_back()
    due(town)
    some = [change(no_word(town))]
    assert town.send(some[0]) in (Outcome.MALFORMED, Outcome.BAD_SIGNATURE)
    receipt = receipt_at(town, some)
    go_on(town)
    case = msgspec.structs.replace(claim(town, [no_word(town)], receipt), head=some[0].decode(), path=[])
    assert case.public == fair.public
    with pytest.raises((Refused, InvalidValue), match=says):
        check(case)


def test_a_request_that_somebody_else_invented_accuses_nobody() -> None:
    town = Community()
    due(town)
    request = read_head(no_word(town))
    invented = [sign_request(replace(request, signature=""), key("ben")).wire_bytes()]
    receipt = receipt_at(town, invented)
    go_on(town)
    case = claim(town, invented, receipt)
    with pytest.raises(Refused, match="signed by its author"):
        check(case)
    with pytest.raises(Refused, match="key shown is the author's"):
        check(msgspec.structs.replace(case, public=key("ben").public.hex()))


def test_receipt_request_and_checkpoint_are_of_one_community() -> None:
    with pytest.raises(Refused, match="of one community"):
        check(held_back(lambda town: [no_word(town, community="road")]))
    case = held_back()
    other = give_receipt(key("operator"), CommunityId("road"), [case.wire()], case.receipt.arrived_s, 1)
    with pytest.raises(Refused, match="of one community"):
        check(msgspec.structs.replace(case, receipt=other))


def test_a_checkpoint_that_came_too_late_for_its_moment_is_no_broken_promise() -> None:
    def wires(town: Community) -> list[bytes]:
        note = sign_note(town.sequencer.checkpoint(NOON).note_text(), NAME, NOTE.private)
        return [town.wire("operator", Kind.CHECKPOINT, bodies.CheckpointBody(note=note))]

    with pytest.raises(Refused, match="no ground for a claim"):
        check(held_back(wires))


def test_a_request_with_a_number_that_was_not_due_is_no_broken_promise() -> None:
    town = Community()
    due(town)
    seq = town.state.keys.next_seq(key("anna").id)
    some = [no_word(town, seq=seq + 1)]
    receipt = receipt_at(town, some)
    assert town.send(some[0]) is Outcome.WRONG_SEQUENCE
    go_on(town)
    with pytest.raises(Refused, match="made the number due is there"):
        claim(town, some, receipt)
    # Its number becomes due later on; when it came, it was not.
    town.now_s += 5
    town.agree("anna", "anna-battery")
    go_on(town)
    case = claim(town, some, receipt)
    with pytest.raises(Refused, match="due before the request arrived"):
        check(case)
    # Nor can another leaf be shown for the one that made it due.
    other = claim(town, [no_word(town, "ben")], receipt).before
    with pytest.raises(Refused, match="made the number due"):
        check(msgspec.structs.replace(case, before=other))
    with pytest.raises(Refused, match="in the log that was signed"):
        check(msgspec.structs.replace(case, before=msgspec.structs.replace(case.before, stamped_s=NOON)))


def test_a_promise_to_nobody_known_makes_no_claim() -> None:
    town = Community()
    some = [no_word(town, "stranger")]
    with pytest.raises(Refused, match="somebody unknown"):
        claim(town, some, receipt_at(town, some))


@pytest.mark.row("E14")
def test_whoever_trusts_a_community_can_verify_a_claim_alone() -> None:
    pub = trust_file(OPERATOR.public, WORD, NAME)
    content = encode(held_back())
    report = verify_file(content, pub)
    assert (report.ok, report.fraud, report.lines[-1].name) == (False, True, "broken promise proven")
    for strange in (
        trust_file(key("anna").public, WORD, NAME),
        trust_file(OPERATOR.public, vkey(NAME, NoteKey.from_seed(b"x", "note").public), NAME),
        trust_file(OPERATOR.public, WORD, "road"),
    ):
        forged = verify_file(content, strange)
        assert (forged.ok, forged.fraud, forged.lines[-1].ok) == (False, False, False)


def test_every_changed_digit_of_a_claim_is_noticed() -> None:
    pub, content = trust_file(OPERATOR.public, WORD, NAME), encode(held_back())
    random = Random(3)
    digits = [at for at, byte in enumerate(content) if 48 <= byte <= 57]
    for at in digits:
        changed = bytearray(content)
        changed[at] = random.choice([byte for byte in b"0123456789" if byte != content[at]])
        report = verify_file(bytes(changed), pub)
        assert not (report.ok or report.fraud), content[at - 60 : at + 20]
    assert not verify_file(content + b" ", pub).fraud

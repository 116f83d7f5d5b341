"""Requests that stand in the log too late, by place or by time: the receipt and a checkpoint convict."""

from random import Random

import msgspec
import pytest
from community import NAME, NOON, Community, gateway, key, order_body
from seals_of import SALT, seal
from test_receipts import NOTE, OPERATOR, WORD, check, claim, due, go_on, no_word, receipt_at
from test_rulebook_book import stored

from commonwatt.flows.belated import Belated, check_belated, make_belated
from commonwatt.flows.evidence import encode
from commonwatt.flows.prove import trust_file
from commonwatt.flows.receipts import STAMPED_WITHIN_S, Receipt
from commonwatt.flows.rulebook.market import order_bodies
from commonwatt.flows.rulebook.market.sealing import REVEAL_S
from commonwatt.flows.verify import verify_file
from commonwatt.ledger.checkpoint import sign_note
from commonwatt.model import Kind, Outcome, Refused, Side


def late(town: Community, wires: list[bytes], receipt: Receipt, index: int = 0) -> Belated:
    """Return what a sender can show, with the help of somebody who watches the log."""
    note = sign_note(town.sequencer.checkpoint(NOON).note_text(), NAME, NOTE.private)
    content = make_belated(town.state, town.tree(), town.rows(), note, receipt, wires, index)
    return msgspec.json.decode(content, type=Belated)


def judged(case: Belated) -> str:
    return check_belated(case, OPERATOR, WORD)


def by_the_clock() -> Belated:
    """Return the claim about a request that stands at its place, a second too late."""
    town = Community()
    due(town)
    some = [no_word(town)]
    receipt = receipt_at(town, some)
    town.now_s += STAMPED_WITHIN_S + 1
    assert town.send(some[0]) is Outcome.BOOKED
    return late(town, some, receipt)


@pytest.mark.row("E4")
def test_a_telling_that_is_held_back_until_its_seal_has_lapsed_convicts() -> None:
    town = stored()
    due(town)
    name, _ = seal(town, "anna", Side.ASK, 400, 200_000)
    due(town)
    body = order_bodies.Reveal(sealed=name, salt=SALT, order=order_body(Side.ASK, 400, 200_000))
    some = [town.wire("anna", Kind.ORDER, body)]
    receipt = receipt_at(town, some, stands_by=len(town.sequencer.tree))
    town.now_s += REVEAL_S - 1
    assert town.send(some[0]) is Outcome.UNKNOWN_THING, "its bond is the network's by now"
    (row,) = [row for row in town.rows() if row.body == some[0]]
    assert row.position == receipt.stands_by, "nothing went before it"
    assert f"it stands at position {row.position} and {row.stamped_s} s" in judged(late(town, some, receipt))


@pytest.mark.row("E4")
def test_a_request_that_others_were_put_before_convicts() -> None:
    town = Community()
    due(town)
    some = [no_word(town)]
    receipt = receipt_at(town, some, stands_by=len(town.sequencer.tree))
    town.agree("ben", "ben-battery")
    assert town.send(some[0]) is Outcome.BOOKED
    assert f"by position {receipt.stands_by} and" in judged(late(town, some, receipt))


def test_a_batch_that_stands_too_late_is_shown_with_its_records() -> None:
    town = Community()
    due(town)
    some = [town.reading(gateway("anna"), NOON, {"anna-home": (100, 0)})]
    receipt = receipt_at(town, some)
    town.now_s += STAMPED_WITHIN_S + 1
    town.send(some[0])
    case = late(town, some, receipt)
    assert "it stands at" in judged(case)
    with pytest.raises(Refused):
        judged(msgspec.structs.replace(case, records=""))


def test_an_operator_who_kept_both_promises_cannot_be_accused() -> None:
    town = Community()
    due(town)
    some = [no_word(town)]
    receipt = receipt_at(town, some)
    town.now_s += STAMPED_WITHIN_S
    with pytest.raises(Refused, match="stands in the log"):
        late(town, some, receipt)
    town.send(some[0])
    kept = late(town, some, receipt)
    with pytest.raises(Refused, match="stands behind the promised"):
        judged(kept)
    with pytest.raises(Refused, match="signed by the operator"):
        judged(msgspec.structs.replace(kept, receipt=msgspec.structs.replace(receipt, stamped_by_s=NOON)))
    moved = msgspec.structs.replace(kept.leaf, stamped_s=kept.leaf.stamped_s + 1)
    with pytest.raises(Refused, match="in the log that was signed"):
        judged(msgspec.structs.replace(kept, leaf=moved))
    other = msgspec.structs.replace(kept, leaf=by_the_clock().leaf)
    with pytest.raises(Refused, match="in the log that was signed"):
        judged(other)


def test_a_request_whose_number_was_not_due_when_it_came_is_no_broken_promise() -> None:
    """It was not admitted, and stands where it was sent again."""
    town = Community()
    due(town)
    some = [no_word(town, seq=town.state.keys.next_seq(key("anna").id) + 1)]
    receipt = receipt_at(town, some)
    assert town.send(some[0]) is Outcome.WRONG_SEQUENCE
    town.now_s += STAMPED_WITHIN_S + 1
    town.agree("anna", "anna-battery")
    assert town.send(some[0]) is Outcome.BOOKED
    with pytest.raises(Refused, match="due before the request arrived"):
        judged(late(town, some, receipt))


def test_a_log_that_stands_still_beyond_the_promised_time_withholds_too() -> None:
    town = Community()
    due(town)
    some = [no_word(town)]
    receipt = receipt_at(town, some, stands_by=10**6)
    go_on(town)
    with pytest.raises(Refused, match="past the promised place or time"):
        check(claim(town, some, receipt))
    early = msgspec.structs.replace(receipt, stamped_by_s=NOON - 1, signature="")
    early = msgspec.structs.replace(early, signature=key("operator").sign(early.signed_bytes()))
    assert "has never seen it" in check(claim(town, some, early)), "the note is of noon"


@pytest.mark.row("E14")
def test_whoever_trusts_a_community_can_verify_the_claim_alone_and_every_digit_counts() -> None:
    pub, content = trust_file(OPERATOR.public, WORD, NAME), encode(by_the_clock())
    report = verify_file(content, pub)
    assert (report.ok, report.fraud, report.lines[-1].name) == (False, True, "broken promise proven")
    forged = verify_file(content, trust_file(key("anna").public, WORD, NAME))
    assert (forged.ok, forged.fraud, forged.lines[-1].name) == (False, False, "belated request")
    random = Random(3)
    for at in [at for at, byte in enumerate(content) if 48 <= byte <= 57]:
        changed = bytearray(content)
        changed[at] = random.choice([byte for byte in b"0123456789" if byte != content[at]])
        report = verify_file(bytes(changed), pub)
        assert not (report.ok or report.fraud), content[at - 60 : at + 20]
    assert not verify_file(content + b" ", pub).fraud

import msgspec
import pytest
from community import NAME, NOON, Community, key

from commonwatt.flows.receipts import (
    Receipt,
    Withheld,
    check_receipt,
    check_withheld,
    give_receipt,
    receipt_path,
)
from commonwatt.identity.keys import NoteKey, VerifyingKey
from commonwatt.ledger.checkpoint import sign_note, vkey
from commonwatt.ledger.merkle import MerkleTree
from commonwatt.model import CommunityId, InvalidValue, Kind, Refused

NOTE = NoteKey.from_seed(b"tiny", "note")
OPERATOR = VerifyingKey(key("operator").public)


def receipt_for(heads: list[bytes], stands_by: int) -> Receipt:
    return give_receipt(key("operator"), CommunityId(NAME), heads, NOON, stands_by)


def withheld(town: Community, heads: list[bytes], index: int, receipt: Receipt, note: str = "") -> Withheld:
    """Return what a sender can show against an operator, from what anyone can download."""
    rows = [row.tobytes() for row in town.state.number_rows()]
    author = [record.verifying.id for record in town.state.keys].index(msgspec.json.decode(heads[index])["author"])
    text = town.sequencer.checkpoint(NOON).note_text()
    return Withheld(
        receipt=receipt,
        head=heads[index].decode(),
        index=index,
        path=[step.hex() for step in receipt_path(heads, index)],
        note=note or sign_note(text, NAME, NOTE.private),
        sections=[section.hex() for section in town.state.sections()],
        number=rows[author].hex(),
        number_index=author,
        number_count=len(rows),
        number_path=[step.hex() for step in MerkleTree(rows).inclusion_proof(author, len(rows))],
    )


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
    town = Community()
    heads = [town.wire("anna", Kind.CONSENT, {"asset": "anna-battery", "standing": False})]
    receipt = receipt_for(heads, len(town.sequencer.tree) + 1)
    town.agree("ben", "ben-battery", standing=False)
    town.agree("ben", "ben-battery")
    told = check_withheld(withheld(town, heads, 0, receipt), OPERATOR, vkey(NAME, NOTE.public))
    assert "has never seen it" in told


def test_an_operator_who_kept_a_promise_cannot_be_accused() -> None:
    town = Community()
    heads = [town.wire("anna", Kind.CONSENT, {"asset": "anna-battery", "standing": False})]
    receipt = receipt_for(heads, len(town.sequencer.tree) + 1)
    word = vkey(NAME, NOTE.public)
    with pytest.raises(Refused, match="past the promised place"):
        check_withheld(withheld(town, heads, 0, receipt), OPERATOR, word)
    before = withheld(town, heads, 0, receipt)
    town.send(heads[0])
    town.agree("ben", "ben-battery")
    town.agree("ben", "ben-battery")
    with pytest.raises(Refused, match="number is the one that was due"):
        check_withheld(withheld(town, heads, 0, receipt), OPERATOR, word)
    # Nor with a number from an older state under a newer note.
    newer = withheld(town, heads, 0, receipt)
    with pytest.raises(Refused, match="sections make up"):
        check_withheld(msgspec.structs.replace(before, note=newer.note), OPERATOR, word)
    with pytest.raises(Refused, match="in the signed state"):
        check_withheld(
            msgspec.structs.replace(newer, number=before.number, number_path=before.number_path), OPERATOR, word
        )


def test_a_request_with_a_number_that_was_not_due_is_no_broken_promise() -> None:
    town = Community()
    seq = town.state.keys.next_seq(key("anna").id)
    body = {"asset": "anna-battery", "standing": False}
    heads = [town.wire("anna", Kind.CONSENT, body, seq=seq + 5)]
    receipt = receipt_for(heads, len(town.sequencer.tree))
    town.agree("ben", "ben-battery")
    with pytest.raises(Refused, match="number is the one that was due"):
        check_withheld(withheld(town, heads, 0, receipt), OPERATOR, vkey(NAME, NOTE.public))

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.ledger.checkpoint import Checkpoint, sign_note, signature_line, verify_note, vkey
from commonwatt.ledger.cosign import (
    Fraud,
    FraudProof,
    Weight,
    cosignature_line,
    cosigned_at_s,
    cosigner_vkey,
    make_fraud_proof,
    parse_cosigner_vkey,
    verify_fraud_proof,
    weight,
)
from commonwatt.ledger.merkle import EMPTY_ROOT, MerkleTree
from commonwatt.model import MAX_SAFE_INTEGER, SLOT_SECONDS, Corrupt, InvalidValue, Refused

NAME = "commonwatt.example/street"
OPERATOR = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
KNOWN = {NAME: OPERATOR.public_key().public_bytes_raw()}
OPERATOR_VKEY = vkey(NAME, KNOWN[NAME])
WITNESSES = {f"w{n}.example": Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in range(1, 6)}
VKEYS = [cosigner_vkey(name, key.public_key().public_bytes_raw()) for name, key in WITNESSES.items()]
ANNE, ANNE_VKEY = WITNESSES["w1.example"], VKEYS[0]
NOW_S = 1_700_000_200
HONEST = MerkleTree(bytes([n]) for n in range(40))
FORGED = MerkleTree(bytes([n if n != 3 else 99]) for n in range(40))


def point(size: int = 7, tree: MerkleTree = HONEST, slot: int = 0, state: bytes = b"s" * 32) -> Checkpoint:
    slot_s = 1_700_000_100 + slot * SLOT_SECONDS
    return Checkpoint(origin=NAME, size=size, log_root=tree.root(size), state_root=state, slot_s=slot_s)


def cosigned(text: str, *numbers: int) -> str:
    """A note by the operator with the cosignatures of some witnesses."""
    lines = [cosignature_line(text, f"w{n}.example", WITNESSES[f"w{n}.example"], NOW_S + n) for n in numbers]
    return sign_note(text, NAME, OPERATOR) + "".join(lines)


def by_operator(checkpoint: Checkpoint) -> str:
    return sign_note(checkpoint.note_text(), NAME, OPERATOR)


def by_anne(checkpoint: Checkpoint) -> str:
    return cosigned(checkpoint.note_text(), 1)


def test_a_cosignature_is_what_the_specification_writes_byte_for_byte() -> None:
    text = point().note_text()
    public = ANNE.public_key().public_bytes_raw()
    key_id = sha256(b"w1.example\n\x04" + public).digest()[:4]
    signature = ANNE.sign(f"cosignature/v1\ntime {NOW_S}\n{text}".encode())
    content = base64.b64encode(key_id + NOW_S.to_bytes(8, "big") + signature).decode()
    assert cosignature_line(text, "w1.example", ANNE, NOW_S) == f"— w1.example {content}\n"
    assert f"w1.example+{key_id.hex()}+{base64.b64encode(bytes([4]) + public).decode()}" == ANNE_VKEY
    assert parse_cosigner_vkey(ANNE_VKEY) == ("w1.example", public)


def test_readers_of_the_logs_own_signature_pass_cosignatures_over() -> None:
    text = point().note_text()
    note = cosigned(text, 1, 2, 3)
    assert verify_note(note, KNOWN) == text
    assert cosigned_at_s(note, VKEYS) == {VKEYS[0]: NOW_S + 1, VKEYS[1]: NOW_S + 2, VKEYS[2]: NOW_S + 3}
    # Its plain key is another key: what signs notes does not cosign, and the reverse.
    with pytest.raises(Corrupt, match="no known signer"):
        verify_note(note, {"w1.example": ANNE.public_key().public_bytes_raw()})
    assert cosigned_at_s(note, [cosigner_vkey(NAME, KNOWN[NAME])]) == {}


@given(st.lists(st.integers(1, 2**63 - 1), min_size=1, max_size=5))
def test_a_witness_that_cosigned_often_counts_once_at_its_latest_time(times_s: list[int]) -> None:
    text = point().note_text()
    lines = [cosignature_line(text, "w1.example", ANNE, time_s) for time_s in times_s]
    note = sign_note(text, NAME, OPERATOR) + "".join(lines)
    assert cosigned_at_s(note, VKEYS) == {ANNE_VKEY: max(times_s)}
    assert weight(note, dict.fromkeys(VKEYS, 7)) == Weight(7, 35)


@given(st.lists(st.integers(0, 9), min_size=5, max_size=5), st.sets(st.integers(1, 5)))
def test_final_is_two_thirds_of_the_registered_weight(weights: list[int], signers: set[int]) -> None:
    found = weight(cosigned(point().note_text(), *signers), dict(zip(VKEYS, weights, strict=True)))
    assert found == Weight(sum(weights[n - 1] for n in signers), sum(weights))
    assert found.is_final == (found.total > 0 and Fraction(found.cosigned, found.total) >= Fraction(2, 3))


@pytest.mark.parametrize(
    ("cosigned", "total", "final"),
    [
        (2, 3, True),
        (1, 2, False),
        (66, 100, False),
        (67, 100, True),
        (0, 0, False),
        (6 * 10**15, 9 * 10**15, True),
        (6 * 10**15 - 1, 9 * 10**15, False),
    ],
)
def test_finality_is_exact(cosigned: int, total: int, final: bool) -> None:
    assert Weight(cosigned, total).is_final == final


def test_strangers_weigh_nothing() -> None:
    note = cosigned(point().note_text(), 1, 2, 3, 4)
    assert weight(note, {VKEYS[4]: 1}) == Weight(0, 1)
    assert weight(note, {}) == Weight(0, 0)


def test_one_key_under_two_names_is_refused_since_one_signature_would_count_twice() -> None:
    twin = cosigner_vkey("twin.example", ANNE.public_key().public_bytes_raw())
    with pytest.raises(InvalidValue, match="of its own"):
        weight(cosigned(point().note_text(), 1), {ANNE_VKEY: 1, twin: 1})


@pytest.mark.parametrize("weights", [[-1, 5], [MAX_SAFE_INTEGER, 1]])
def test_weights_out_of_range_are_refused(weights: list[int]) -> None:
    with pytest.raises(InvalidValue, match="weights"):
        weight(cosigned(point().note_text(), 1), dict(zip(VKEYS, weights, strict=False)))


def test_every_flip_of_one_bit_of_a_cosigned_note_is_refused_or_makes_the_line_a_strangers() -> None:
    text = point().note_text()
    line = cosignature_line(text, "w1.example", ANNE, NOW_S)
    note = f"{text}\n{line}".encode()
    assert weight(note.decode(), {ANNE_VKEY: 1}) == Weight(1, 1)
    for bit in range(len(note) * 8):
        flipped = bytearray(note)
        flipped[bit // 8] ^= 1 << bit % 8
        with suppress(Corrupt):
            assert weight(flipped.decode("utf-8", "surrogateescape"), {ANNE_VKEY: 1}) == Weight(0, 1)
            assert bit // 8 > len(text)


def test_a_cosignature_moved_to_another_text_time_or_name_does_not_count() -> None:
    text, other = point().note_text(), point(8).note_text()
    line = cosignature_line(text, "w1.example", ANNE, NOW_S)
    with pytest.raises(Corrupt, match=r"w1\.example does not cover this text"):
        weight(sign_note(other, NAME, OPERATOR) + line, {ANNE_VKEY: 1})
    content = base64.b64decode(line.split(" ")[2])
    for bent in (content[:4] + bytes(8) + content[12:], content[:4] + b"\xff" * 8 + content[12:], content[:30]):
        with pytest.raises(Corrupt, match=r"w1\.example does not cover this text"):
            weight(f"{text}\n— w1.example {base64.b64encode(bent).decode()}\n", {ANNE_VKEY: 1})
    assert weight(f"{text}\n{line.replace('w1', 'w2')}", dict.fromkeys(VKEYS, 1)) == Weight(0, 5)


def test_a_time_beyond_the_specification_is_refused_even_if_signed() -> None:
    text, time_s = point().note_text(), 2**63
    signature = ANNE.sign(f"cosignature/v1\ntime {time_s}\n{text}".encode())
    key_id = bytes.fromhex(ANNE_VKEY.split("+")[1])
    content = base64.b64encode(key_id + time_s.to_bytes(8, "big") + signature).decode()
    with pytest.raises(Corrupt, match="does not cover"):
        cosigned_at_s(f"{text}\n— w1.example {content}\n", [ANNE_VKEY])


@pytest.mark.parametrize("time_s", [0, -1, 2**63])
def test_a_witness_without_a_clock_signs_nothing(time_s: int) -> None:
    with pytest.raises(InvalidValue, match=f"was {time_s}"):
        cosignature_line(point().note_text(), "w1.example", ANNE, time_s)


@pytest.mark.parametrize(("text", "name"), [("no newline", "w"), ("bell\a\n", "w"), ("a\n", "w 1"), ("a\n", "")])
def test_nothing_unlawful_is_cosigned(text: str, name: str) -> None:
    with pytest.raises(InvalidValue):
        cosignature_line(text, name, ANNE, NOW_S)


@pytest.mark.parametrize(
    "note",
    ["", "text\n", "text\n\n", "text\n\n— a AAAAAAAA", "te\txt\n\n— a AAAAAAAA\n", "\ud800\n\n— a AAAAAAAA\n"],
)
def test_what_is_no_note_is_refused(note: str) -> None:
    with pytest.raises(Corrupt, match="a note is"):
        weight(note, {ANNE_VKEY: 1})


def test_a_malformed_line_and_a_flood_of_lines_are_refused() -> None:
    note = cosigned(point().note_text(), 1)
    with pytest.raises(Corrupt, match="malformed line 9"):
        weight(note + "— a AAAA\n", {ANNE_VKEY: 1})
    with pytest.raises(Corrupt, match="at most 100"):
        weight(note + 100 * "— a AAAAAAAA\n", {ANNE_VKEY: 1})


def test_every_flip_of_one_bit_of_a_witness_vkey_is_refused() -> None:
    word = ANNE_VKEY.encode()
    for bit in range(len(word) * 8):
        flipped = bytearray(word)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Corrupt):
            parse_cosigner_vkey(flipped.decode("utf-8", "surrogateescape"))


@pytest.mark.parametrize("word", ["", "a", "a+b", "a++", "+++", OPERATOR_VKEY])
def test_another_word_is_no_witness_vkey(word: str) -> None:
    with pytest.raises(Corrupt):
        parse_cosigner_vkey(word)


OTHER_STATE = point(state=b"t" * 32)
NEXT_SLOT, OLD_ROOT = point(20, FORGED, 1), FORGED.root(7)
GROWTH = FORGED.consistency_proof(7, 20)


@pytest.mark.parametrize(("signed", "word"), [(by_operator, OPERATOR_VKEY), (by_anne, ANNE_VKEY)])
@pytest.mark.parametrize(
    ("other", "rule"),
    [
        (point(tree=FORGED), "one size has one log root"),
        (point(tree=FORGED, slot=1), "one size has one log root"),
        (OTHER_STATE, "one log has one state root"),
        (replace(OTHER_STATE, slot_s=1_700_001_000), "one log has one state root"),
        (point(8), "one slot has one checkpoint"),
        (point(20, FORGED, 1), "the smaller log is the start of the larger one"),
    ],
)
def test_two_histories_by_one_signer_are_proven_in_either_order(
    signed: Callable[[Checkpoint], str], word: str, other: Checkpoint, rule: str
) -> None:
    notes = [signed(point()), signed(other)]
    needed = {"old_root": OLD_ROOT, "proof": GROWTH} if other.size == 20 else {}
    for first, second in (notes, notes[::-1]):
        content = make_fraud_proof(first, second, word, **needed)
        found = verify_fraud_proof(content, word)
        assert (found.signer, found.rule) == (word.partition("+")[0], rule)
        assert {found.first, found.second} == {point(), other}
        assert found.first.size <= found.second.size
        assert len(content) < 1_800


@given(st.integers(4, 39), st.data())
def test_a_fork_after_any_size_is_proven_and_an_honest_growth_never_is(old: int, data: st.DataObject) -> None:
    new = data.draw(st.integers(old + 1, 40))
    first, forked, grown = (by_operator(point(*args)) for args in ((old,), (new, FORGED, 1), (new, HONEST, 1)))
    content = make_fraud_proof(
        first, forked, OPERATOR_VKEY, old_root=FORGED.root(old), proof=FORGED.consistency_proof(old, new)
    )
    assert isinstance(verify_fraud_proof(content, OPERATOR_VKEY), Fraud)
    for tree in (HONEST, FORGED):
        with pytest.raises(Refused):
            make_fraud_proof(
                first, grown, OPERATOR_VKEY, old_root=tree.root(old), proof=tree.consistency_proof(old, new)
            )


def test_an_empty_log_with_a_root_is_a_fraud() -> None:
    lie = by_operator(replace(point(0), log_root=b"x" * 32))
    content = make_fraud_proof(lie, by_operator(point(20, slot=1)), OPERATOR_VKEY, old_root=EMPTY_ROOT)
    assert verify_fraud_proof(content, OPERATOR_VKEY).first.size == 0


def test_a_fraud_proof_is_compact_json_without_the_signatures_of_others() -> None:
    notes = [cosigned(checkpoint.note_text(), 1, 2, 3) for checkpoint in (point(), OTHER_STATE)]
    for word, name in ((OPERATOR_VKEY, NAME), (VKEYS[1], "w2.example")):
        shown = json.loads(make_fraud_proof(*notes, word))
        assert set(shown) == {"format", "notes", "old_root", "proof"}
        for note in shown["notes"]:
            assert note.count("— ") == note.count(f"— {name} ") == 1


NO_PATH = "the proof leads from the old root to the larger log"
NOBODY = "both notes are checkpoints that the accused signed"
ELSEWHERE = by_operator(replace(OTHER_STATE, origin="x"))


@pytest.mark.parametrize(
    ("first", "second", "word", "rule"),
    [
        (by_operator(point()), by_operator(point()), OPERATOR_VKEY, "the notes differ in a root"),
        (by_operator(point()), by_operator(point(slot=1)), OPERATOR_VKEY, "the notes differ in a root"),
        (by_anne(point()), by_operator(OTHER_STATE), ANNE_VKEY, NOBODY),
        (by_operator(point()), by_operator(OTHER_STATE), ANNE_VKEY, NOBODY),
        (by_anne(point()), by_anne(OTHER_STATE), VKEYS[1], NOBODY),
        (by_operator(point()), sign_note(OTHER_STATE.note_text(), NAME, ANNE), OPERATOR_VKEY, NOBODY),
        (by_operator(point()), by_operator(point()).replace("\n7\n", "\n8\n"), OPERATOR_VKEY, NOBODY),
        (by_operator(point()), sign_note("no checkpoint\n", NAME, OPERATOR), OPERATOR_VKEY, NOBODY),
        (by_operator(point()), "", OPERATOR_VKEY, NOBODY),
        (by_operator(point()), ELSEWHERE, OPERATOR_VKEY, "both notes are about one log"),
        (by_operator(point()), by_operator(NEXT_SLOT), OPERATOR_VKEY, NO_PATH),
    ],
)  # fmt: skip
def test_a_forged_accusation_is_refused_by_the_rule_it_breaks(first: str, second: str, word: str, rule: str) -> None:
    for notes in ((first, second), (second, first)):
        with pytest.raises(Refused) as made:
            make_fraud_proof(*notes, word)
        with pytest.raises(Refused) as verified:
            verify_fraud_proof(FraudProof(notes=notes).encode(), word)
        assert made.value.rule == verified.value.rule == rule


@pytest.mark.parametrize(
    ("old_root", "proof"),
    [
        (b"", GROWTH),
        (OLD_ROOT, []),
        (OLD_ROOT, GROWTH[:-1]),
        (OLD_ROOT, [*GROWTH, bytes(32)]),
        (OLD_ROOT, [bytes(32)] * 63),
        (bytes(32), GROWTH),
        (HONEST.root(7), HONEST.consistency_proof(7, 20)),
    ],
)
def test_a_bent_consistency_proof_accuses_nobody(old_root: bytes, proof: list[bytes]) -> None:
    with pytest.raises(Refused, match=NO_PATH):
        make_fraud_proof(by_operator(point()), by_operator(NEXT_SLOT), OPERATOR_VKEY, old_root=old_root, proof=proof)


def test_a_log_that_only_grew_is_named_honest() -> None:
    with pytest.raises(Refused, match="the smaller log is not the start of the larger one"):
        make_fraud_proof(
            by_operator(point()),
            by_operator(point(20, slot=1)),
            OPERATOR_VKEY,
            old_root=HONEST.root(7),
            proof=HONEST.consistency_proof(7, 20),
        )


def test_every_flip_of_one_bit_of_a_fraud_proof_is_refused() -> None:
    content = make_fraud_proof(
        by_operator(point()), by_operator(NEXT_SLOT), OPERATOR_VKEY, old_root=OLD_ROOT, proof=GROWTH
    )
    for bit in range(len(content) * 8):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises((Corrupt, Refused)):
            verify_fraud_proof(bytes(flipped), OPERATOR_VKEY)


@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_garbage_is_no_fraud_proof(content: bytes) -> None:
    with pytest.raises(Corrupt):
        verify_fraud_proof(content, OPERATOR_VKEY)


def test_hostile_json_is_no_fraud_proof() -> None:
    good = FraudProof(notes=(by_operator(point()), by_operator(OTHER_STATE))).encode()
    assert FraudProof.decode(good).encode() == good
    for content in (
        b"[" * 50_000,
        b'{"proof":' * 11_000,
        b" " + good,
        good.replace(b'"proof":[]', b'"proof":[],"more":1'),
        good.replace(b'"old_root":""', b'"old_root":"AB"'),
        good.replace(b'"old_root":""', b'"old_root":"a"'),
        good.replace(b"fraud-1", b"fraud-2"),
        good.replace(b'"proof":[]', b'"proof":[' + b'"",' * 40_000 + b'""]'),
        good.replace(b'"notes":[', b'"notes":["",'),
        good.replace(b'"notes":["', b'"notes":["\\ud800'),
    ):
        assert content != good
        with pytest.raises(Corrupt):
            verify_fraud_proof(content, OPERATOR_VKEY)


def test_an_accusation_under_a_malformed_vkey_is_refused() -> None:
    good = make_fraud_proof(by_operator(point()), by_operator(OTHER_STATE), OPERATOR_VKEY)
    for word in ("", "a+b", OPERATOR_VKEY[:-4], OPERATOR_VKEY.replace("street", "road")):
        with pytest.raises(Corrupt):
            verify_fraud_proof(good, word)


def test_a_signers_other_kind_of_signature_accuses_nobody() -> None:
    """A plain signature and a cosignature of one key are two signers; each answers for its own."""
    plain = [f"{c.note_text()}\n{signature_line(c.note_text(), 'w1.example', ANNE)}" for c in (point(), OTHER_STATE)]
    with pytest.raises(Refused, match=NOBODY):
        make_fraud_proof(plain[0], plain[1], ANNE_VKEY)
    assert make_fraud_proof(plain[0], plain[1], vkey("w1.example", ANNE.public_key().public_bytes_raw()))

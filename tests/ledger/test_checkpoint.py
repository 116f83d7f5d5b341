import base64
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.ledger.checkpoint import Checkpoint, parse_vkey, sign_note, signature_line, verify_note, vkey
from commonwatt.model import SLOT_SECONDS, Corrupt, InvalidValue

OPERATOR = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
WITNESS = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
NAME = "commonwatt.example/street"
KNOWN = {NAME: OPERATOR.public_key().public_bytes_raw()}
POINT = Checkpoint(origin=NAME, size=7, log_root=b"l" * 32, state_root=b"s" * 32, slot_s=1_700_000_100)

# The example of golang.org/x/mod/sumdb/note.
GO_SECRET = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_NOTE = f"""{GO_TEXT}
— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
"""


def test_a_checkpoint_reads_as_the_specification_writes_it() -> None:
    assert POINT.note_text().splitlines() == [
        "commonwatt.example/street",
        "7",
        "bGxsbGxsbGxsbGxsbGxsbGxsbGxsbGxsbGxsbGxsbGw=",
        "state c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M=",
        "slot 1700000100",
    ]


@given(st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32), st.integers(0, 2**40))
def test_a_checkpoint_survives_its_text(size: int, root: bytes, slot: int) -> None:
    point = replace(POINT, size=size, log_root=root, slot_s=slot * SLOT_SECONDS)
    assert Checkpoint.parse(point.note_text()) == point


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (("\n7\n", "\n07\n"), "malformed line 2"),
        (("\n7\n", "\n-7\n"), "malformed line 2"),
        (("\n7\n", "\n\N{ARABIC-INDIC DIGIT SEVEN}\n"), "malformed line 2"),
        (("\n7\n", "\n9999999999999999999\n"), "below 2\\^63"),
        (("bGw=", "bGx="), "malformed line 3, base64 with loose bits"),
        (("bGw=", "bA=="), "a root has 32 bytes, was 31"),
        (("bGw=", "bGw"), "malformed line 3"),
        (("state ", "State "), "malformed line 4"),
        (("c3M=", "c3é="), "malformed line 4"),
        (("slot 1", "slot +1"), "malformed line 5"),
        (("slot 1", "slots 1"), "malformed line 5"),
        (("0100\n", "0101\n"), "quarter of an hour"),
        (("0100\n", "0100"), "5 lines"),
        (("0100\n", "0100\nmore\n"), "5 lines"),
        ((NAME, ""), "key name"),
        ((NAME, "my street"), "key name"),
    ],
)
def test_a_malformed_checkpoint_says_where(change: tuple[str, str], wrong: str) -> None:
    with pytest.raises(Corrupt, match=wrong):
        Checkpoint.parse(POINT.note_text().replace(*change, 1))


def test_a_checkpoint_of_wrong_values_is_never_made() -> None:
    for wrong in ({"size": -1}, {"log_root": b"l"}, {"state_root": b""}, {"slot_s": 1}, {"origin": "a+b"}):
        with pytest.raises(InvalidValue):
            replace(POINT, **wrong)


def test_the_note_of_the_go_library_comes_out_bit_for_bit() -> None:
    name, public = parse_vkey(GO_VKEY)
    assert sign_note(GO_TEXT, name, Ed25519PrivateKey.from_private_bytes(GO_SECRET)) == GO_NOTE
    assert verify_note(GO_NOTE, {name: public}) == GO_TEXT
    assert vkey(name, public) == GO_VKEY


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=9), min_size=1))
def test_any_lines_can_be_signed_even_empty_ones(lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    assert verify_note(sign_note(text, NAME, OPERATOR), KNOWN) == text


def test_every_flip_of_one_bit_of_a_signed_note_is_refused() -> None:
    note = sign_note(POINT.note_text(), NAME, OPERATOR).encode()
    assert verify_note(note.decode(), KNOWN)
    for bit in range(len(note) * 8):
        flipped = bytearray(note)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Corrupt):
            verify_note(flipped.decode("utf-8", "surrogateescape"), KNOWN)


@given(st.integers(0, 400), st.integers(0, 400))
def test_a_note_with_a_piece_cut_out_is_refused(start: int, length: int) -> None:
    note = sign_note(POINT.note_text(), NAME, OPERATOR)
    cut = note[:start] + note[start + length :]
    if cut != note:
        with pytest.raises(Corrupt):
            verify_note(cut, KNOWN)


def test_a_changed_text_says_that_the_signature_does_not_cover_it() -> None:
    note = sign_note(POINT.note_text(), NAME, OPERATOR).replace("\n7\n", "\n8\n")
    with pytest.raises(Corrupt, match=f"signature of {NAME} does not cover this text"):
        verify_note(note, KNOWN)


def test_a_stranger_under_a_known_name_is_still_unknown() -> None:
    with pytest.raises(Corrupt, match=f"no known signer signed this, known are {NAME}"):
        verify_note(sign_note(POINT.note_text(), NAME, WITNESS), KNOWN)


def test_a_witness_adds_a_line_and_each_reader_finds_whom_it_knows() -> None:
    text = POINT.note_text()
    note = sign_note(text, NAME, OPERATOR) + signature_line(text, "witness", WITNESS)
    assert verify_note(note, KNOWN) == text
    assert verify_note(note, {"witness": WITNESS.public_key().public_bytes_raw()}) == text


def test_one_wrong_signature_by_a_known_key_condemns_a_note_that_another_signed() -> None:
    text = POINT.note_text()
    note = sign_note(text, NAME, OPERATOR) + signature_line(text + "more\n", "witness", WITNESS)
    with pytest.raises(Corrupt, match="signature of witness"):
        verify_note(note, KNOWN | {"witness": WITNESS.public_key().public_bytes_raw()})
    assert verify_note(note, KNOWN) == text


@pytest.mark.parametrize(
    "line", ["", "- a AAAAAAAA", "— a", "— a AAAA====", "— a AAAA", "— a+b AAAAAAAA", "— a  AAAAAAAA", "— a AAAAAAAA "]
)
def test_a_malformed_signature_line_is_named_by_its_number(line: str) -> None:
    with pytest.raises(Corrupt, match=r"malformed line 8|blank line"):
        verify_note(sign_note(POINT.note_text(), NAME, OPERATOR) + line + "\n", KNOWN)


@pytest.mark.parametrize("note", ["", "text\n", "text\n\n", "text\n\n— a AAAAAAAA", "te\txt\n\n— a AAAAAAAA\n"])
def test_what_is_no_note_is_refused(note: str) -> None:
    with pytest.raises(Corrupt, match="a note is"):
        verify_note(note, KNOWN)


def test_a_flood_of_signatures_is_refused() -> None:
    note = sign_note("text\n", NAME, OPERATOR)
    with pytest.raises(Corrupt, match="at most 100"):
        verify_note(note + 100 * signature_line("text\n", "a", WITNESS), KNOWN)


@pytest.mark.parametrize(
    ("text", "name"), [("no newline", "a"), ("", "a"), ("bell\a\n", "a"), ("a\n", ""), ("a\n", "a b")]
)
def test_nothing_unlawful_is_signed(text: str, name: str) -> None:
    with pytest.raises(InvalidValue):
        sign_note(text, name, OPERATOR)


def test_every_flip_of_one_bit_of_a_vkey_is_refused_or_names_somebody_else() -> None:
    word = vkey(NAME, KNOWN[NAME]).encode()
    for bit in range(len(word) * 8):
        flipped = bytearray(word)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Corrupt):
            parse_vkey(flipped.decode("utf-8", "surrogateescape"))


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidValue, match="32 bytes, was 31"):
        vkey(NAME, bytes(31))
    with pytest.raises(InvalidValue, match="32 bytes, was 33"):
        verify_note(GO_NOTE, {NAME: bytes(33)})

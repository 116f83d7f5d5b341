import json
import os
import re
from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_prove import STREET, run, slots_of

from commonwatt.flows.evidence import encode
from commonwatt.flows.prove import default_case, read_note, trust_file
from commonwatt.flows.verify import Report, verify_evidence
from commonwatt.identity.keys import NoteKey, SigningKey
from commonwatt.ledger.checkpoint import signature_line, vkey
from commonwatt.ledger.cosign import cosigner_vkey

NIGHTLY = bool(os.environ.get("COMMONWATT_NIGHTLY"))
Json = dict[str, Any]
BEFORE = (
    "trust file",
    "format",
    "checkpoint",
    "log",
    "books",
    "entries",
    "requests",
    "community",
    "keys",
    "signatures",
)
AGAIN = ("readings", "prices", "orders", "auction", "energy", "money")


@cache
def fair() -> bytes:
    return run().evidence(*default_case(run().then.state))


def opened() -> Json:
    bundle: Json = json.loads(fair())
    return bundle


def check(evidence: bytes) -> Report:
    return verify_evidence(evidence, run().trust)


def refused(report: Report, name: str, wrong: str) -> None:
    assert not report.ok
    assert [line.ok for line in report.lines] == [*[True] * (len(report.lines) - 1), False]
    assert report.lines[-1].name == name, report.lines[-1]
    assert re.search(wrong, report.lines[-1].detail), report.lines[-1]


def test_a_fair_bundle_passes_every_check_in_order_and_says_what_it_cannot_show() -> None:
    report = check(fair())
    assert report.ok
    assert [line.name for line in report.lines] == [*BEFORE, *AGAIN, "not shown"]
    assert "no booked order was left out" in report.lines[-1].detail


def test_a_bundle_is_plain_json_as_the_standard_library_writes_it() -> None:
    assert (json.dumps(opened(), indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode() == fair()


def test_every_changed_digit_is_noticed() -> None:
    evidence, random = fair(), Random(1)
    digits = [at for at, byte in enumerate(evidence) if 48 <= byte <= 57]
    assert len(digits) > 10_000
    for at in digits[:: 1 if NIGHTLY else 13]:
        changed = bytearray(evidence)
        changed[at] = random.choice([byte for byte in b"0123456789" if byte != evidence[at]])
        report = check(bytes(changed))
        assert not report.ok, evidence[at - 60 : at + 20]
        assert report.lines[-1].detail


@pytest.mark.parametrize("part", ["leaves", "entries", "trades"])
def test_every_deletion_is_noticed(part: str) -> None:
    for number in range(len(opened()[part])):
        bundle = opened()
        del bundle[part][number]
        assert not check(encode(bundle)).ok, (part, number)


@pytest.mark.parametrize("part", ["leaves", "entries", "trades", "sections"])
def test_doubles_and_swaps_are_noticed(part: str) -> None:
    for number in range(1, len(opened()[part])):
        twice, swapped = opened(), opened()
        twice[part].insert(number, twice[part][number])
        swapped[part][number - 1 : number + 1] = swapped[part][number], swapped[part][number - 1]
        assert not check(encode(twice)).ok
        assert not check(encode(swapped)).ok


def test_whether_a_leaf_closed_what_was_decided_together_cannot_be_changed() -> None:
    for number in range(len(opened()["leaves"])):
        bundle = opened()
        bundle["leaves"][number]["closes"] ^= True
        refused(check(encode(bundle)), "log", ".")


def test_a_shorter_or_longer_proof_is_noticed() -> None:
    for part, proof in (("leaves", "proof"), ("entries", "path")):
        for number in range(len(opened()[part])):
            for change in (lambda p: p[1:], lambda p: p[:-1], lambda p: [*p, p[-1]], lambda p: []):
                bundle = opened()
                bundle[part][number][proof] = change(bundle[part][number][proof])
                assert not check(encode(bundle)).ok


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + b" ",
        lambda text: text[:-1],
        lambda text: text.replace(b"\n ", b"\n", 1),
        lambda text: text.replace(b"{\n", b'{\n "account": "member-01",\n', 1),
        lambda text: text.replace(b'"trades"', b'"extra": 1,\n "trades"'),
        lambda text: text.replace(b'"account": "member', b'"account": "\\u006dember', 1),
        lambda text: text.replace(b'"position": 0', b'"position": 0.0'),
        lambda text: text.replace(b'"position": 0', b'"position": -0'),
        lambda text: text.replace(b"evidence-1", b"evidence-2"),
        lambda text: b"\xef\xbb\xbf" + text,
    ],
)
def test_another_form_of_the_same_evidence_is_refused(change: Callable[[bytes], bytes]) -> None:
    assert change(fair()) != fair()
    refused(check(change(fair())), "format", ".")


@given(st.binary() | st.text().map(lambda text: json.dumps([text]).encode()))
def test_garbage_is_refused_with_a_reason(garbage: bytes) -> None:
    refused(check(garbage), "format", ".")


@given(st.integers(0, 60_000), st.integers(0, 60_000), st.binary(max_size=9))
def test_any_piece_cut_out_or_put_in_is_refused(start: int, length: int, instead: bytes) -> None:
    evidence = fair()
    changed = evidence[:start] + instead + evidence[start + length :]
    assert check(changed).ok == (changed == evidence)


@pytest.mark.parametrize(
    "inner", ["[" * 100_000, "9" * 10_000, "1e999", '{"a":' * 5_000, "NaN", "-1", '"\\ud800"', "1.5"]
)
@pytest.mark.parametrize(
    "name", ["account", "slot_s", "entries", "leaves", "note", "reading", "sections", "trades", "unknown"]
)
def test_monstrous_values_are_refused_without_an_error(name: str, inner: str) -> None:
    text = json.dumps(opened() | {name: "HERE"}, indent=1, sort_keys=True)
    assert not check(text.replace('"HERE"', inner).encode()).ok
    body = opened()
    body["leaves"][0]["body"] = inner
    assert not check(encode(body)).ok


@given(
    st.text()
    | st.recursive(st.none() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)).map(
        json.dumps
    )
)
def test_a_trust_file_of_garbage_trusts_nobody(trust: str) -> None:
    refused(verify_evidence(fair(), trust), "trust file", ".")


def test_a_trust_file_of_others_refuses_this_evidence() -> None:
    one, other = run().cast, SigningKey.from_seed(b"x", "other")
    note, strange = vkey(STREET, one.note.public), vkey(STREET, NoteKey.from_seed(b"x", "other").public)
    public = one.operator.public
    refused(verify_evidence(fair(), trust_file(other.public, note, STREET)), "community", "trusted operator")
    refused(verify_evidence(fair(), trust_file(public, strange, STREET)), "checkpoint", "no known signer")
    refused(verify_evidence(fair(), trust_file(public, note, "road")), "checkpoint", "one community")
    refused(verify_evidence(fair(), trust_file(public, "word", STREET)), "checkpoint", "key")
    refused(verify_evidence(fair(), run().trust.replace("trust-1", "trust-2")), "trust file", "format")


def test_who_re_signs_everything_with_own_keys_is_refused() -> None:
    forged = run(3, "a forger's own seed")
    evidence = forged.evidence(*default_case(forged.then.state))
    assert verify_evidence(evidence, forged.trust).ok
    refused(check(evidence), "checkpoint", "no known signer signed this")


def test_a_stolen_note_key_alone_forges_nothing() -> None:
    forged = run(3, "a forger's own seed", borrowed_note=True)
    evidence = forged.evidence(*default_case(forged.then.state))
    refused(check(evidence), "community", "run by the trusted operator")


def test_evidence_of_one_member_or_slot_does_not_pass_for_another() -> None:
    one = run()
    account, slot_s = default_case(one.then.state)
    for other in set(one.then.state.members()) - {account}:
        theirs = json.loads(one.evidence(other, slot_s))
        assert not check(encode(opened() | {"account": other})).ok
        assert not check(encode(theirs | {"account": account})).ok
        assert not check(
            encode(opened() | {"account": other, "entries": theirs["entries"], "trades": theirs["trades"]})
        ).ok
    for other_s in set(slots_of(one)[:-1]) - {slot_s}:
        assert not check(encode(opened() | {"slot_s": other_s})).ok


def test_who_is_trusted_as_witness_is_named_in_the_log_and_nobody_else_signs_along() -> None:
    witness = NoteKey.from_seed(b"w", "witness")
    card = {"note": cosigner_vkey("witness", witness.public), "public": run().cast.operator.public.hex(), "weight": 1}
    trusting = json.dumps(json.loads(run().trust) | {"witnesses": [card]})
    refused(verify_evidence(fair(), trusting), "community", "witnesses are those who are trusted: named nobody")
    text = read_note(run().note).note_text()
    both = encode(opened() | {"note": run().note + signature_line(text, "witness", witness.private)})
    refused(check(both), "checkpoint", "trusted alone: signatures 2")

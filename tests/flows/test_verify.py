import json
import os
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_prove import STREET, run, slots_of

from commonwatt.flows.evidence import Bundle, ShownEntry, encode, entry_leaf
from commonwatt.flows.prove import default_case, read_note, sided_path, trust_file
from commonwatt.flows.recheck import money
from commonwatt.flows.sequence import read_request
from commonwatt.flows.verify import Report, verify_evidence
from commonwatt.identity.keys import NoteKey, SigningKey, sign_request
from commonwatt.ledger.checkpoint import sign_note, signature_line, vkey
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.merkle import MerkleTree, merkle_root
from commonwatt.model import AccountId, Commodity, Entry, KeyId, OrderId, Outcome, Refused, Trade

Json = dict[str, Any]
EVERY_DIGIT = bool(os.environ.get("COMMONWATT_NIGHTLY"))
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
    hashes = [m.span() for m in re.finditer(rb'^ +"(?:salt": "|left |right )?[0-9a-f]{64}"', evidence, re.MULTILINE)]
    hashed = {at for start, end in hashes for at in range(start, end)}
    chosen = digits if EVERY_DIGIT else [d for d in digits if d not in hashed] + random.sample(sorted(hashed), 400)
    assert len(chosen) > 3000
    for at in chosen:
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
@pytest.mark.parametrize("name", ["account", "slot_s", "entries", "leaves", "note", "sections", "trades", "unknown"])
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


def test_a_witness_that_is_trusted_must_have_signed_and_no_other_may() -> None:
    witness = NoteKey.from_seed(b"w", "witness")
    trusting = json.dumps(json.loads(run().trust) | {"witnesses": [vkey("witness", witness.public)]})
    text = read_note(run().note).note_text()
    both = encode(opened() | {"note": run().note + signature_line(text, "witness", witness.private)})
    assert verify_evidence(both, trusting).ok
    refused(verify_evidence(fair(), trusting), "checkpoint", "known are witness")
    refused(check(both), "checkpoint", "trusted alone: signatures 2")


# What follows is a dishonest operator's doing: everything is sealed again with the true note key, so that hashes and
# notes agree and only the rules are left to say no.


def sealed(bundle: Json) -> bytes:
    """Build a log and books of only what is shown, and sign them."""
    one, bundle = run(), deepcopy(bundle)
    size = read_note(one.note).size
    rows = {leaf["position"]: row(leaf) for leaf in bundle["leaves"]}
    log = MerkleTree(rows[n].data() if n in rows else b"" for n in range(size))
    for leaf in bundle["leaves"]:
        leaf["proof"] = [item.hex() for item in log.inclusion_proof(leaf["position"], size)]
    books = MerkleTree(entry_leaf(entry(shown)) for shown in bundle["entries"])
    for index, shown in enumerate(bundle["entries"]):
        shown["path"] = sided_path(books, index)
    bundle["sections"][0] = books.root().hex()
    root = merkle_root(map(bytes.fromhex, bundle["sections"]))
    point = replace(read_note(one.note), log_root=log.root(), state_root=root)
    bundle["note"] = sign_note(point.note_text(), STREET, one.cast.note.private)
    return encode(bundle)


def row(leaf: Json) -> LeafRow:
    return LeafRow(
        position=leaf["position"],
        stamped_s=leaf["stamped_s"],
        salt=bytes.fromhex(leaf["salt"]),
        body=leaf["body"].encode(),
        outcome=Outcome(leaf["outcome"]),
    )


def entry(shown: Json) -> Entry:
    return Entry(**shown["entry"] | {"commodity": Commodity(shown["entry"]["commodity"])})


def keys() -> dict[KeyId, SigningKey]:
    cast = run().cast
    boxes = [SigningKey.from_seed(b"tests", f"HEPEK-{n:04d}") for n in range(11)]
    known = [cast.operator, cast.oracle, cast.planner, cast.dso, cast.payment, *cast.members.values(), *boxes]
    return {key.id: key for key in known}


def resigned(leaf: Json, change: Callable[[Json], object], key: SigningKey | None = None, **fields: Any) -> None:
    """Change a leaf's body or fields, and have it signed again by its author, or by another key."""
    request = read_request(leaf["body"].encode())
    body = deepcopy(dict(request.body))
    change(body)
    key = key or keys()[request.author]
    leaf["body"] = sign_request(replace(request, body=body, author=key.id, **fields), key).wire_bytes().decode()


def leaves(bundle: Json, word: str) -> list[Json]:
    return [leaf for leaf in bundle["leaves"] if f'"{word}"' in leaf["body"]]


def entries(bundle: Json, commodity: str, memo: str = "trade") -> list[Json]:
    return [s["entry"] for s in bundle["entries"] if (s["entry"]["commodity"], s["entry"]["memo"]) == (commodity, memo)]


def same(body: Json) -> None:
    pass


def key_of(bundle: Json, account: str) -> Json:
    return next(leaf for leaf in leaves(bundle, "register") if f'"account":"{account}"' in leaf["body"])


def own_order(bundle: Json) -> Json:
    return next(leaf for leaf in leaves(bundle, "order") if f'"{bundle["account"]}"' in leaf["body"])


def other_order(bundle: Json) -> Json:
    return next(leaf for leaf in leaves(bundle, "order") if f'"{bundle["account"]}"' not in leaf["body"])


def stranger() -> SigningKey:
    return SigningKey.from_seed(b"x", "stranger")


def other_member(bundle: Json) -> SigningKey:
    return next(key for account, key in run().cast.members.items() if account != bundle["account"])


def leaf_of(kind: str, bundle: Json) -> Json:
    one = run()
    given = {leaf["position"] for leaf in bundle["leaves"]}
    rows = (r for r in one.rows if r.position not in given and f'"kind":"{kind}"'.encode() in r.body)
    found = next(r for r in rows if r.outcome is Outcome.BOOKED)
    shown = {"body": found.body.decode(), "outcome": "BOOKED", "position": found.position, "proof": []}
    return shown | {"salt": found.salt.hex(), "stamped_s": found.stamped_s}


def put(bundle: Json, leaf: Json) -> None:
    bundle["leaves"] = sorted([*bundle["leaves"], leaf], key=lambda one: one["position"])


def leave_out_order(bundle: Json) -> None:
    partner = bundle["trades"][0]["seller"]
    gone = [next(x for x in leaves(bundle, "order") if f'"{partner}"' in x["body"]), key_of(bundle, partner)]
    bundle["leaves"] = [leaf for leaf in bundle["leaves"] if leaf not in gone]


def deliver_too_much(bundle: Json) -> None:
    for commodity in ("energy_wh", "ergon_micro"):
        entries(bundle, commodity)[0]["amount"] += 10_000


def pay_twice(bundle: Json) -> None:
    paid = next(shown for shown in bundle["entries"] if shown["entry"]["commodity"] == "ergon_micro")
    bundle["entries"].append(deepcopy(paid))


def hand_out(memo: str, target: str) -> Callable[[Json], None]:
    def change(bundle: Json) -> None:
        moved = {"amount": 1, "commodity": "energy_wh", "memo": memo, "ref": "", "slot_s": bundle["slot_s"]}
        bundle["entries"].append({"entry": moved | {"source": bundle["account"], "target": target}, "path": []})

    return change


def no_trade(bundle: Json) -> None:
    """Book a trade with the grid instead, at the grid's price."""
    energy = entries(bundle, "energy_wh")[-1]
    ergon = next(e for e in entries(bundle, "ergon_micro") if e["ref"] == energy["ref"])
    ergon["ref"] = "1/2"


LIES: list[tuple[Callable[[Json], object], str, str]] = [
    (lambda b: own_order(b).update(outcome="NOT_BACKED"), "requests", "was booked: position .*, outcome NOT_BACKED"),
    (lambda b: leaves(b, "register")[1].update(outcome="SET_ASIDE"), "requests", "was booked"),
    (lambda b: resigned(own_order(b), same, community="road"), "requests", "for this community"),
    (lambda b: own_order(b).update(body=own_order(b)["body"][:-1] + " }"), "requests", "canonical"),
    (lambda b: b["entries"][0]["entry"].update(slot_s=b["slot_s"] + 900), "entries", "this member and slot"),
    (lambda b: b["entries"][0]["entry"].update(source="a", target="b"), "entries", "this member and slot"),
    (lambda b: b["leaves"].pop(0), "community", "first leaf"),
    (lambda b: resigned(b["leaves"][0], same, stranger()), "community", "operator signed"),
    (lambda b: resigned(b["leaves"][0], lambda x: x.update(public=stranger().public.hex())), "community", "trusted"),
    (lambda b: resigned(key_of(b, b["account"]), same, stranger()), "keys", "operator signed each key"),
    (lambda b: put(b, key_of(b, b["account"]) | {"position": 60}), "keys", "registered once"),
    (lambda b: resigned(key_of(b, b["account"]), lambda x: x.update(role="dso")), "signatures", "for a member to say"),
    (lambda b: resigned(key_of(b, b["account"]), lambda x: x.update(account="a")), "signatures", "speaks for its"),
    (lambda b: resigned(own_order(b), same, stranger()), "signatures", "registered before it speaks"),
    (lambda b: resigned(own_order(b), same, other_member(b)), "signatures", "speaks for its account"),
    (lambda b: resigned(own_order(b), same, on_behalf_of="a"), "signatures", "speaks for its account"),
    (lambda b: resigned(leaves(b, "fact")[0], same, run().cast.operator), "signatures", "registered before"),
    (lambda b: put(b, leaf_of("consent", b)), "signatures", "has a part in the case: .*consent"),
    (lambda b: b["leaves"].remove(leaves(b, "fact")[0]), "signatures", "every shown key speaks"),
    (lambda b: b["leaves"].remove(own_order(b)), "auction", "what the auction gives"),
    (lambda b: put(b, leaf_of("reading_batch", b)), "signatures", "registered before it speaks"),
    (lambda b: leaves(b, "reading_batch")[0].update(stamped_s=b["slot_s"]), "readings", "of this slot"),
    (lambda b: b["leaves"].remove(leaves(b, "asset_kind")[0]), "readings", "what is read is what is registered"),
    (
        lambda b: resigned(leaves(b, "asset_kind")[0], lambda x: x.update(gateway="HEPEK-0001")),
        "readings",
        "behind this gateway",
    ),
    (
        lambda b: resigned(leaves(b, "asset_kind")[0], lambda x: x.update(asset_kind="solar")),
        "readings",
        "one connection is read",
    ),
    (
        lambda b: resigned(leaves(b, "reading_batch")[0], lambda x: x.update(gateway="HEPEK-0001")),
        "readings",
        "reads its own meters",
    ),
    (
        lambda b: resigned(leaves(b, "reading_batch")[0], lambda x: x["readings"][-1].update(import_wh=7)),
        "energy",
        "booked in is what was metered: booked .*, metered 7",
    ),
    (
        lambda b: resigned(leaves(b, "reading_batch")[0], lambda x: x["readings"][-1].update(export_wh=7)),
        "energy",
        "booked out is what was metered: booked 0, metered 7",
    ),
    (lambda b: resigned(leaves(b, "fact")[0], lambda x: x.update(start_s=b["slot_s"] + 900)), "prices", "slot's price"),
    (lambda b: resigned(leaves(b, "fact")[0], lambda x: x.update(start_s=b["slot_s"] - 1)), "prices", "slot's price"),
    (
        lambda b: resigned(leaves(b, "fact")[0], lambda x: x.update(prices=[[90_000, 80_000]] * 400)),
        "auction",
        "what the auction gives",
    ),
    (lambda b: resigned(own_order(b), lambda x: x.update(slot_s=b["slot_s"] + 900)), "orders", "for this slot"),
    (lambda b: own_order(b).update(stamped_s=b["slot_s"] + 60), "orders", "before the gate"),
    (
        lambda b: put(b, own_order(b) | {"position": own_order(b)["position"] + 15}),
        "orders",
        "one order in a slot",
    ),
    (lambda b: resigned(own_order(b), lambda x: x.update(energy_wh=9)), "auction", "what the auction gives"),
    (lambda b: b["trades"][0].update(energy_wh=1), "auction", "what the auction gives"),
    (leave_out_order, "auction", "what the auction gives"),
    (deliver_too_much, "energy", "was traded, and no more"),
    (lambda b: entries(b, "energy_wh")[0].update(ref="1/2"), "energy", "was traded, and no more"),
    (lambda b: entries(b, "energy_wh")[0].update(amount=1), "energy", "booked in is what was metered"),
    (hand_out("grid import", "grid"), "energy", "comes from the grid"),
    (hand_out("grid export", "member-99"), "energy", "goes to the grid"),
    (hand_out("watt delivery", "losses"), "energy", "from member to member"),
    (hand_out("watt delivery", "member-99"), "energy", "booked out is what was metered: booked 1"),
    (hand_out("gift", "member-99"), "energy", "settles energy or money"),
    (lambda b: entries(b, "ergon_micro")[0].update(commodity="watt_wh"), "energy", "settles energy or money"),
    (lambda b: entries(b, "ergon_micro")[0].update(amount=1), "money", "money is the energy's at its price"),
    (pay_twice, "money", "paid once"),
    (no_trade, "money", "money is the energy's at its price"),
]


def test_what_is_sealed_again_unchanged_is_fair() -> None:
    assert check(sealed(opened())).ok


@pytest.mark.parametrize(("lie", "name", "wrong"), LIES)
def test_a_lie_of_the_operator_breaks_the_rule_it_is_about(
    lie: Callable[[Json], object], name: str, wrong: str
) -> None:
    bundle = opened()
    lie(bundle)
    refused(check(sealed(bundle)), name, wrong)


def test_a_note_over_other_books_is_refused() -> None:
    bundle = json.loads(sealed(opened()))
    bundle["sections"] = opened()["sections"]
    refused(check(encode(bundle)), "books", "signed state root")


@pytest.mark.parametrize(
    ("memo", "told", "payer", "owed"),
    [
        ("trade", (500, 100), "me", 600),
        ("grid import", (500, 100), "me", 1000),
        ("grid import", (-500, -600), "grid", 1000),
        ("grid import", (0, -600), "me", 0),
    ],
)
def test_a_price_below_zero_turns_the_money_round(memo: str, told: tuple[int, int], payer: str, owed: int) -> None:
    me, other = AccountId("me"), AccountId("you" if memo == "trade" else "grid")
    trade = Trade(buyer=me, seller=other, bid=OrderId("1"), ask=OrderId("2"), energy_wh=2000, price_micro_per_kwh=300)
    ref = "1/2" if memo == "trade" else ""
    got = Entry(commodity=Commodity.ENERGY, source=other, target=me, amount=2000, memo=memo, slot_s=0, ref=ref)
    payee = other if payer == me else me
    paid = replace(got, commodity=Commodity.ERGON, source=AccountId(payer), target=payee, amount=owed or 1)

    def settled(*booked: Entry) -> Bundle:
        shown = [ShownEntry(entry=one, path=[]) for one in booked]
        return Bundle(
            format="",
            community="",
            account=me,
            slot_s=0,
            note="",
            sections=[],
            leaves=[],
            entries=shown,
            trades=[trade],
        )

    assert money(settled(got, paid) if owed else settled(got), told)
    with pytest.raises(Refused, match="money is the energy's at its price"):
        money(settled(got) if owed else settled(got, paid), told)

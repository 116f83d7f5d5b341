"""The verifier that stands alone agrees with `commonwatt verify`, and says what it does not look at."""

import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest
from community import EXPORT, IMPORT, NAME, NOON, Flow, key
from Crypto.Hash import keccak
from hypothesis import given
from hypothesis import strategies as st
from test_prove import run
from test_rulebook_delegating import let
from watched import ANNE, NOTE, Watched, trust

from commonwatt.flows import evidence
from commonwatt.flows.evidence import encode
from commonwatt.flows.prove import default_case, final_note, make_evidence, read_note, sided_path
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.sequence import replay
from commonwatt.flows.verify import verify_evidence
from commonwatt.identity.keys import CURVE_ORDER, NoteKey, SigningKey
from commonwatt.ledger.checkpoint import sign_note, split_note
from commonwatt.ledger.cosign import cosignature_line
from commonwatt.ledger.merkle import MerkleTree, leaf_hash, merkle_root, salted
from commonwatt.model import Kind, Outcome, Side, canonical_json

Json = dict[str, Any]
Lie = Callable[[Json], None]
FOLDER = Path(__file__).parents[2] / "examples" / "verify_alone"
PROGRAM = FOLDER / "verify.py"
CLASSES = ("form", "auction", "memos", "cosignatures")
"""What the one that stands alone does not check, by the words that its output begins them with."""


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("verify_alone", PROGRAM)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ALONE = loaded()
QUICK = loaded()
"""The same, remembering what it worked out from the same numbers, so that thousands of files take seconds."""
for _slow in ("ed25519_holds", "ecdsa_holds", "keccak256", "secp256k1_point"):
    setattr(QUICK, _slow, cache(getattr(QUICK, _slow)))


@cache
def told(who: str = "ben", *, agent: bool = False) -> bytes:
    """Return the evidence about a slot in which anna sells to ben, and the grid brings and takes the rest."""
    community = Watched()
    if agent:
        assert community.register_key("agent", "agent", "agent") is Outcome.BOOKED
        assert let(community, "agent", "order", until_s=NOON + 60) is Outcome.BOOKED
    ask = bodies.OrderBody(side=Side.ASK, energy_wh=250, price_micro_per_kwh=EXPORT, slot_s=NOON)
    assert community.order("ben", Side.BID, 300, IMPORT, NOON) is Outcome.BOOKED
    assert community.ask("agent" if agent else "anna", Kind.ORDER, ask, account="anna") is Outcome.BOOKED
    slot_s = community.live(anna=Flow(solar_wh=400, load_wh=50), ben=Flow(load_wh=420))
    community.live()
    community.close(slot_s)
    rows = community.rows()
    note, size = final_note(rows)
    then = replay(rows[:size], NAME, keep=True)
    text = read_note(note).note_text()
    cosigned = note + cosignature_line(text, ANNE.name, ANNE.note.private, NOON)
    return make_evidence(then.state, then.whole_tree(), rows, cosigned, who, NOON)


@cache
def street() -> tuple[bytes, str]:
    """Return evidence and trust file of the demo's street."""
    lived = run(3)
    return lived.evidence(*default_case(lived.then.state)), lived.trust


def named(name: str) -> tuple[bytes, str]:
    return street() if name == "street" else (told(name), trust())


def alone(content: bytes, pub: str) -> str:
    """Return why the one that stands alone refuses, or nothing."""
    try:
        QUICK.check(content, pub.encode())
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def ours(content: bytes, pub: str) -> str:
    """Return the check at which `commonwatt verify` refuses, or nothing."""
    report = verify_evidence(content, pub)
    return "" if report.ok else report.lines[-1].name


def program(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run it as anyone would, but without a way to any package that is installed here."""
    command = [sys.executable, "-I", "-S", PROGRAM, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def in_files(folder: Path, content: bytes, pub: str) -> list[str | Path]:
    shown, keys = folder / "evidence.json", folder / "community.pub"
    shown.write_bytes(content)
    keys.write_text(pub)
    return [shown, "--trust", keys]


@pytest.mark.parametrize("name", ["anna", "ben", "street"])
def test_it_believes_what_is_true_and_says_what_it_did_not_check(tmp_path: Path, name: str) -> None:
    case = named(name)
    begun = time.monotonic()
    found = program(*in_files(tmp_path, *case))
    assert time.monotonic() - begun < 10
    assert (found.returncode, found.stderr) == (0, "")
    shown, left_out, last = found.stdout.splitlines()
    assert json.loads(case[0])["account"] in shown
    assert [left_out.index(f" {name} (") for name in CLASSES] == sorted(
        left_out.index(f" {name} (") for name in CLASSES
    )
    assert left_out.count("(") == len(CLASSES)
    assert last == "all that is checked holds"
    assert not ours(*case)


def test_it_tells_a_rehearsal_and_what_the_member_pays() -> None:
    assert ALONE.check(told(), trust().encode()).endswith("420 Wh in, 0 Wh out, 101000 micro to pay")
    rehearsed = trust().replace('"rehearsal": false', '"rehearsal": true')
    assert "a REHEARSAL" in ALONE.check(told(), rehearsed.encode())


def test_it_agrees_about_every_member_and_slot_of_the_street() -> None:
    lived = run(3)
    cases = [(account, slot_s) for slot_s in lived.then.state.clearings for account in lived.then.state.members()]
    for case in Random(1).sample(cases, 8):
        content = lived.evidence(*case)
        assert (alone(content, lived.trust), ours(content, lived.trust)) == ("", "")


def test_what_a_delegate_ordered_is_believed_with_its_grant_alone() -> None:
    content = told("anna", agent=True)
    assert (alone(content, trust()), ours(content, trust())) == ("", "")
    bundle = json.loads(content)
    bundle["leaves"] = [leaf for leaf in bundle["leaves"] if '"what":"grant"' not in leaf["body"]]
    assert "by a key of its account" in alone(encode(bundle), trust())
    assert ours(encode(bundle), trust()) == "signatures"


def test_a_changed_file_a_stranger_s_file_and_misuse_have_their_exit_codes(tmp_path: Path) -> None:
    changed = program(*in_files(tmp_path, told().replace(b'"slot_s": 17', b'"slot_s": 18', 1), trust()))
    assert (changed.returncode, changed.stdout) == (1, "")
    assert changed.stderr.startswith("not to be believed: ")
    assert program(*in_files(tmp_path, *street())[:2], tmp_path / "none").returncode == 1
    assert program(*in_files(tmp_path, told(), street()[1])).returncode == 1
    assert program(tmp_path / "evidence.json").returncode == 2


# Every character, both verdicts


def other(byte: int, random: Random) -> int:
    """Return another character of the same sort."""
    sort = next(sort for sort in (b"0123456789", b"abcdefghijklmnopqrstuvwxyz", bytes(range(32, 127))) if byte in sort)
    return random.choice([one for one in sort if one != byte])


def places(content: bytes, random: Random) -> list[int]:
    """Return a sample of all that is no blank, and all of what no hash or signature binds by itself."""
    everywhere = [at for at, byte in enumerate(content) if 32 < byte < 127]
    trades = content.index(b' "trades"')
    head = [at for at in everywhere if at < content.index(b' "entries"') or at >= trades]
    reading = range(content.index(b' "reading"'), content.index(b' "sections"'))
    return sorted({*random.sample(everywhere, 300), *head, *(at for at in reading if 32 < content[at] < 127)})


@pytest.mark.parametrize("name", ["ben", "street"])
def test_whatever_character_is_changed_both_refuse_but_for_the_auction_and_cosignatures(name: str) -> None:
    content, pub = named(name)
    random, believed = Random(7), list[tuple[str, str]]()
    tried = places(content, random)
    assert len(tried) > 500
    for at in tried:
        changed = bytearray(content)
        changed[at] = other(changed[at], random)
        why, check = alone(bytes(changed), pub), ours(bytes(changed), pub)
        assert check, (at, content[at - 60 : at + 20])
        if not why:
            believed.append((check, content[content.rindex(b"\n", 0, at) + 1 : at].decode().strip()))
    # An amount that was traded and not wholly delivered, and a last digit of a price that rounding hides.
    assert {check for check, _ in believed} <= {"auction", "checkpoint"}
    assert all(line.startswith(('"energy_wh"', '"price_micro', '"note"')) for _, line in believed), believed
    assert sum(check == "auction" for check, _ in believed) > 0


def test_each_digit_of_the_note_that_the_log_signed_counts_and_others_signatures_do_not() -> None:
    content = told()
    start = content.index(b' "note"')
    line, random = content[start : content.index(b"\n", start)], Random(3)
    cosignature = start + line.rindex(ANNE.name.encode()) + len(ANNE.name) + 1
    begun, ended = start + len(b' "note": "'), start + len(line) - len(b'\\n",')
    for at in random.sample([at for at in range(begun, ended) if 32 < content[at] < 127], 150):
        changed = bytearray(content)
        changed[at] = other(changed[at], random)
        assert ours(bytes(changed), trust()) in ("checkpoint", "format"), at
        if at < cosignature - len(ANNE.name) - len(" —  ".encode()):
            assert alone(bytes(changed), trust()), content[at - 60 : at + 20]
    by_another = line.replace(ANNE.name.encode(), b"someone")
    assert not alone(content.replace(line, by_another), trust())


# An operator, or who has stolen its note key, writes books and log anew


def forged(bundle: Json) -> bytes:
    """Return a bundle whose proofs and note fit whatever it says: only the signatures of requests remain."""
    leaves, shown = bundle["leaves"], bundle["entries"]
    datas = [b""] * (max(leaf["position"] for leaf in leaves) + 2)
    for leaf in leaves:
        record = {name: leaf[name] for name in ("closes", "outcome", "stamped_s")} | {
            "request": json.loads(leaf["body"])
        }
        datas[leaf["position"]] = salted(bytes.fromhex(leaf["salt"]), canonical_json(record))
    log, books = MerkleTree(datas), MerkleTree(canonical_json(one["entry"]) for one in shown)
    for leaf in leaves:
        leaf["proof"] = [step.hex() for step in log.inclusion_proof(leaf["position"], len(log))]
    for number, one in enumerate(shown):
        one["path"] = sided_path(books, number)
    bundle["sections"][0] = books.root().hex()
    root = merkle_root(map(bytes.fromhex, bundle["sections"]))
    point = read_note(bundle["note"])
    text = type(point)(
        origin=NAME, size=len(log), log_root=log.root(), state_root=root, slot_s=point.slot_s
    ).note_text()
    return encode(bundle | {"note": sign_note(text, NAME, NOTE.private)})


def leaf_of(bundle: Json, word: str) -> Json:
    found: Json = next(leaf for leaf in bundle["leaves"] if word in leaf["body"])
    return found


def entry_of(bundle: Json, memo: str, commodity: str) -> Json:
    found = (one["entry"] for one in bundle["entries"])
    return next(entry for entry in found if (entry["memo"], entry["commodity"]) == (memo, commodity))


def said(word: str, signer: SigningKey | None = None, **changes: object) -> Lie:
    """Change a request; signed again if somebody is there to do it."""

    def lie(bundle: Json) -> None:
        leaf = leaf_of(bundle, word)
        request = json.loads(leaf["body"])
        request["body"] |= changes.pop("body", {})
        request |= changes
        signature = request.pop("signature")
        if signer:
            signature = signer.sign(canonical_json(request))
        leaf["body"] = canonical_json(request | {"signature": signature}).decode()

    return lie


def twin(word: str) -> Lie:
    """Replace a signature by its high-s twin, which the same curve would take for good."""

    def lie(bundle: Json) -> None:
        leaf = leaf_of(bundle, word)
        request = json.loads(leaf["body"])
        s = CURVE_ORDER - int(request["signature"][64:], 16)
        leaf["body"] = canonical_json(request | {"signature": request["signature"][:64] + f"{s:064x}"}).decode()

    return lie


def booked(which: str, of: str, /, **changes: object) -> Lie:
    return lambda bundle: entry_of(bundle, which, of).update(changes)


def outcome(word: str, found: str) -> Lie:
    return lambda bundle: leaf_of(bundle, word).update(outcome=found)


def without(part: str, number: int) -> Lie:
    return lambda bundle: bundle[part].pop(number)


def unpaid(bundle: Json) -> None:
    """Call what the grid brought a neighbour's gift, for which nobody pays."""
    entry_of(bundle, "grid import", "energy_wh").update(memo="watt delivery")
    bundle["entries"] = [one for one in bundle["entries"] if one["entry"]["memo"] != "grid import"]


def metered_more(bundle: Json) -> None:
    """Let the gateway sign one Wh more than was booked."""
    record = bytearray.fromhex(bundle["reading"]["record"])
    record[16] += 1
    root = leaf_hash(bytes(record)).hex()
    bundle["reading"] = {"index": 0, "path": [], "record": record.hex()}
    said(BATCH, key("gw-ben"), body={"count": 1, "root": root})(bundle)


def one_later(bundle: Json) -> None:
    for leaf in bundle["leaves"]:
        leaf["position"] += 1


def spaced(bundle: Json) -> None:
    leaf = leaf_of(bundle, ORDER)
    leaf["body"] = leaf["body"].replace(",", ", ", 1)


def less_traded(bundle: Json) -> None:
    bundle["trades"][0]["energy_wh"] -= 1


BATCH, ORDER, FACT, ASSET = '"kind":"reading_batch"', '"kind":"order"', '"kind":"fact"', '"what":"asset"'
LIES: list[tuple[Lie, str]] = [
    (said(BATCH, body={"count": 4}), "signatures"),
    (said(BATCH, key("ben"), body={"count": 4}), "signatures"),
    (said(BATCH, key("gw-anna"), author=key("gw-anna").id), "signatures"),
    (said(ORDER, body={"energy_wh": 299}), "signatures"),
    (said(ORDER, on_behalf_of="cleo"), "signatures"),
    (said(FACT, key("ben"), author=key("ben").id), "signatures"),
    (twin(ORDER), "signatures"),
    (twin('"what":"community"'), "community"),
    (said('"what":"community"', key("ben")), "community"),
    (said('"what":"community"', key("operator"), body={"witnesses": []}), "community"),
    (said('"what":"gateway"', key("ben"), author=key("ben").id), "keys"),
    (said(ASSET, key("operator"), author=key("operator").id), "signatures"),
    (said(FACT, key("oracle"), community="other"), "requests"),
    (outcome(ORDER, "TOO_LATE"), "requests"),
    (outcome(ORDER, "SET_ASIDE"), "requests"),
    (said(BATCH, key("gw-ben"), body={"root": "00" * 32}), "readings"),
    (said(BATCH, key("gw-ben"), body={"gateway": "gw-anna"}), "readings"),
    (said(ASSET, key("ben"), body={"register": 1}), "readings"),
    (said(ASSET, key("ben"), body={"gateway": "gw-anna"}), "readings"),
    (said(ASSET, key("ben"), body={"asset_kind": "battery"}), "readings"),
    (lambda bundle: leaf_of(bundle, BATCH).update(stamped_s=NOON + 899), "readings"),
    (said(FACT, key("oracle"), body={"start_s": NOON + 900}), "prices"),
    (said(FACT, key("oracle"), body={"prices": [[IMPORT + 1_000, EXPORT]]}), "money"),
    (booked("trade", "energy_wh", amount=249), "energy"),
    (booked("trade", "energy_wh", source="grid"), "energy"),
    (booked("trade", "ergon_micro", amount=1), "money"),
    (booked("grid import", "energy_wh", amount=171), "energy"),
    (booked("grid import", "energy_wh", memo="watt delivery"), "energy"),
    (booked("grid import", "energy_wh", memo="gift"), "energy"),
    (booked("grid import", "ergon_micro", memo="late import"), "money"),
    (booked("grid import", "ergon_micro", target="losses"), "money"),
    (booked("grid import", "ergon_micro", commodity="watt_wh"), "energy"),
    (booked("grid import", "ergon_micro", slot_s=NOON + 900), "entries"),
    (booked("grid import", "ergon_micro", source="anna"), "entries"),
    (without("entries", 0), "energy"),
    (without("entries", -1), "money"),
    (without("leaves", 0), "community"),
    (said(FACT, key("ben"), author=key("ben").id, on_behalf_of="ben"), "signatures"),
    (unpaid, "energy"),
    (metered_more, "energy"),
    (one_later, "community"),
    (spaced, "log"),
    (less_traded, "auction"),
]


def test_books_that_were_written_anew_and_say_the_same_are_believed() -> None:
    again = forged(json.loads(told()))
    assert (alone(again, trust()), ours(again, trust())) == ("", "")


@pytest.mark.parametrize(("lie", "check"), LIES)
def test_a_lie_is_refused_even_in_books_that_were_written_anew(lie: Lie, check: str) -> None:
    bundle = json.loads(told())
    lie(bundle)
    content = forged(bundle)
    assert alone(content, trust()).startswith(("ValueError", "KeyError"))
    assert ours(content, trust()) == check


def test_an_entry_shown_twice_and_leaves_out_of_order_are_refused() -> None:
    bundle = json.loads(told())
    bundle["entries"].insert(1, bundle["entries"][0])
    assert "order of their tree" in alone(encode(bundle), trust())
    bundle = json.loads(told())
    bundle["leaves"][1:3] = reversed(bundle["leaves"][1:3])
    assert "order of the log" in alone(encode(bundle), trust())


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"evidence-1", b"evidence-2", "formats are known"),
        (b'"community": "tiny"', b'"community": "tony"', "one community"),
        (b'{\n "account"', b'{\n "account": "anna",\n "account"', "one form"),
        (b'\n "account"', b'\n  "account"', "one form"),
    ],
)
def test_another_form_of_the_same_bundle_is_refused(old: bytes, new: bytes, why: str) -> None:
    assert why in alone(told().replace(old, new, 1), trust())
    assert ours(told().replace(old, new, 1), trust())


def test_hex_and_base64_have_one_form() -> None:
    bundle = json.loads(told())
    bundle["leaves"][0]["salt"] = bundle["leaves"][0]["salt"].upper()
    assert "lower-case hex" in alone(encode(bundle), trust())
    bundle = json.loads(told())
    last = bundle["note"].index("=\n— anne")
    loose = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    digit = loose[loose.index(bundle["note"][last - 1]) ^ 1]
    bundle["note"] = bundle["note"][: last - 1] + digit + bundle["note"][last:]
    assert "loose bits" in alone(encode(bundle), trust())


def test_a_trust_file_of_others_trusts_nobody_here() -> None:
    assert "one community" in alone(told(), trust().replace('"community": "tiny"', '"community": "tony"'))
    assert "formats are known" in alone(told(), trust().replace("trust-1", "trust-2"))
    note = json.loads(trust())["note"]
    assert "C2SP vkey" in alone(told(), trust().replace(note, note.replace("+", "+0", 1)))
    stranger = json.loads(trust()) | {"operator": key("ben").public.hex()}
    assert "names those who are trusted" in alone(told(), json.dumps(stranger))
    assert "the trusted key signed the note" in alone(
        told(), json.dumps(stranger | {"note": json.loads(street()[1])["note"]})
    )


def test_a_line_of_the_trusted_key_that_does_not_fit_condemns_the_note() -> None:
    bundle = json.loads(told())
    text, lines = split_note(bundle["note"])
    wrong = sign_note("another text\n", NAME, NOTE.private).split("\n\n")[1]
    bundle["note"] = "\n".join([text, wrong + lines[0], ""])
    assert "signature covers the note" in alone(encode(bundle), trust())
    assert ours(encode(bundle), trust()) == "checkpoint"
    bundle["note"] = "\n".join([text, lines[0].replace("—", "-"), lines[0], ""])
    assert "a signature line is" in alone(encode(bundle), trust())


# The classes in which it checks less, and says so


def more_form(bundle: Json) -> None:
    bundle["extra"] = 1


def more_traded(bundle: Json) -> None:
    bundle["trades"][0]["energy_wh"] += 1


def import_in_two(bundle: Json) -> None:
    at = next(n for n, one in enumerate(bundle["entries"]) if one["entry"]["memo"] == "grid import")
    energy, money = (one["entry"] for one in bundle["entries"][at : at + 2])
    halves = [entry | {"amount": entry["amount"] // 2} for entry in (energy, money) for _ in range(2)]
    bundle["entries"][at : at + 2] = [{"entry": half, "path": []} for half in halves]


def cosigned_by_nobody(bundle: Json) -> None:
    text = read_note(bundle["note"]).note_text()
    bundle["note"] += cosignature_line(text, "nobody", NoteKey.from_seed(b"w", "nobody").private, NOON)


@pytest.mark.parametrize(
    ("difference", "change", "check"),
    [
        ("form", more_form, "format"),
        ("auction", more_traded, "auction"),
        ("memos", lambda bundle: bundle.update(json.loads(forged(bundle))), "energy"),
        ("cosignatures", cosigned_by_nobody, "checkpoint"),
    ],
)
def test_where_it_checks_less_it_says_so(difference: str, change: Lie, check: str) -> None:
    bundle = json.loads(told())
    if difference == "memos":
        import_in_two(bundle)
    change(bundle)
    content = (json.dumps(bundle, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
    assert ours(content, trust()) == check
    assert not alone(content, trust())
    assert f"{difference} (" in ALONE.NOT_CHECKED


@given(
    st.binary() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_garbage_is_refused_by_an_ordinary_error(garbage: bytes) -> None:
    assert alone(garbage, trust())
    assert alone(told(), garbage.decode(errors="replace"))


@pytest.mark.parametrize("inner", ["[" * 100_000, "9" * 10_000, "1e999", "NaN", "-1", '"\\ud800"', "1.5", "{}"])
@pytest.mark.parametrize("name", ["account", "slot_s", "entries", "leaves", "note", "reading", "sections"])
def test_monstrous_values_are_refused(name: str, inner: str) -> None:
    text = json.dumps(json.loads(told()) | {name: "HERE"}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    assert alone(text.replace('"HERE"', inner).encode(), trust())


# Its own arithmetic


@pytest.mark.parametrize(
    ("public", "message", "signature"),
    [
        (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ],
)
def test_ed25519_holds_what_rfc_8032_signed(public: str, message: str, signature: str) -> None:
    key_bytes, signed = bytes.fromhex(public), bytes.fromhex(signature)
    assert ALONE.ed25519_holds(key_bytes, bytes.fromhex(message), signed)
    assert not ALONE.ed25519_holds(key_bytes, bytes.fromhex(message) + b"x", signed)
    assert not ALONE.ed25519_holds(key_bytes, bytes.fromhex(message), signed[:-1])
    s = int.from_bytes(signed[32:], "little") + ALONE.ED_ORDER
    assert not ALONE.ed25519_holds(key_bytes, bytes.fromhex(message), signed[:32] + s.to_bytes(32, "little"))


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
        (b"\xcc", "eead6dbfc7340a56caedc044696a168870549a6a7f6f56961e84a54bd9970b8a"),
    ],
)
def test_keccak_gives_its_own_test_values(data: bytes, digest: str) -> None:
    assert ALONE.keccak256(data).hex() == digest


def test_keccak_is_right_around_each_edge_of_its_blocks() -> None:
    for length in (1, 134, 135, 136, 137, 271, 272, 273, 500):
        data = Random(length).randbytes(length)
        assert ALONE.keccak256(data) == keccak.new(data=data, digest_bits=256).digest()


def test_a_wallet_s_signature_is_read_as_the_wallet_wrote_it() -> None:
    # web3.js, eth.accounts.sign('Some data', ...): https://web3js.readthedocs.io/en/v1.10.0/web3-eth-accounts.html
    secret = bytes.fromhex("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318")
    point = ALONE.secp256k1_point(SigningKey(secret).public)
    assert ALONE.address(point) == "0x2c7536e3605d9c16a7a3d7b1898e529396a65c23"
    digest = ALONE.eip191(b"Some data")
    assert digest.hex() == "1da44b586eb0729ff70a73c326926f6ed5a25f5b056e7f47fbc6e58d86871655"
    signature = bytes.fromhex(
        "b91467e570a6466aa9e9876cbcd013baba02900b8979d43fe208a4a4f339f5fd"
        "6007e74cd82e037b800186422fc2da167c747ef045e5d18a5f5d4300f8e1a029"
    )
    assert ALONE.ecdsa_holds(point, digest, signature)
    assert not ALONE.ecdsa_holds(point, ALONE.eip191(b"some data"), signature)


@given(st.binary(min_size=1, max_size=40), st.binary(max_size=300), st.integers(0, 511))
def test_ecdsa_takes_what_libsecp256k1_signs_and_nothing_one_bit_beside(seed: bytes, message: bytes, bit: int) -> None:
    signer = SigningKey.from_seed(seed, "any")
    point, digest = ALONE.secp256k1_point(signer.public), ALONE.eip191(message)
    signature = bytes.fromhex(signer.sign(message))
    assert ALONE.address(point) == signer.id
    assert ALONE.ecdsa_holds(point, digest, signature)
    flipped = (int.from_bytes(signature) ^ 1 << bit).to_bytes(64)
    assert not ALONE.ecdsa_holds(point, digest, flipped)
    high = CURVE_ORDER - int.from_bytes(signature[32:])
    assert not ALONE.ecdsa_holds(point, digest, signature[:32] + high.to_bytes(32))


@pytest.mark.parametrize("r", [0, CURVE_ORDER, 2**256 - 1])
@pytest.mark.parametrize("s", [0, 1, CURVE_ORDER // 2 + 1, CURVE_ORDER])
def test_ecdsa_refuses_numbers_outside_the_curve_s_order(r: int, s: int) -> None:
    point = ALONE.secp256k1_point(key("ben").public)
    assert not ALONE.ecdsa_holds(point, bytes(32), r.to_bytes(32) + s.to_bytes(32))


@pytest.mark.parametrize("public", ["02" + "00" * 31 + "05", "04" + "79" * 32, "02" + "ff" * 32])
def test_bytes_that_are_no_point_are_no_key(public: str) -> None:
    with pytest.raises(ValueError, match="point of secp256k1"):
        ALONE.secp256k1_point(bytes.fromhex(public))
    with pytest.raises(ValueError, match="point of Ed25519"):
        ALONE.ed25519_point(bytes([2, *bytes(31)]))


@given(st.integers(1, 70))
def test_a_path_leads_to_the_root_from_its_own_place_alone(size: int) -> None:
    tree = MerkleTree(b"%d" % n for n in range(size))
    for index in range(size):
        path = [step.hex() for step in tree.inclusion_proof(index, size)]
        leaf = ALONE.leaf_hash(b"%d" % index)
        assert ALONE.climb(leaf, index, size, path) == tree.root()
        for wrong, steps in (
            (index ^ 1, path),
            (index, [*path, "00" * 32]),
            (index, path[1:] or ["00" * 32]),
            (-1, path),
            (size, path),
        ):
            try:
                found = ALONE.climb(leaf, wrong, size, steps)
            except (ValueError, IndexError):
                continue
            assert found != tree.root()


# Its page


def test_the_page_tells_every_field() -> None:
    page = (FOLDER / "README.md").read_text()
    shapes = (evidence.Bundle, evidence.ShownLeaf, evidence.ShownItem, evidence.ShownEntry, evidence.Trust)
    fields = {field for shape in shapes for field in shape.__struct_fields__}
    entry, trade = json.loads(told())["entries"][0]["entry"], json.loads(told())["trades"][0]
    assert [name for name in sorted({*fields, *entry, *trade}) if f"`{name}`" not in page] == []
    assert [name for name in CLASSES if f"*{name}*" not in page] == []

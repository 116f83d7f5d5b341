"""Lies in books written anew, other forms, others' keys: both verifiers refuse, but where one says it checks less."""

import json
from collections.abc import Callable

import pytest
from community import EXPORT, IMPORT, NAME, NOON, key
from verifiers import ALONE, Json, alone, ours, street, told
from watched import NOTE, trust

from commonwatt.flows.evidence import encode
from commonwatt.flows.prove import read_note, sided_path
from commonwatt.identity.keys import CURVE_ORDER, NoteKey, RequestSigner
from commonwatt.identity.p256 import P256_ORDER
from commonwatt.ledger.checkpoint import sign_note, split_note
from commonwatt.ledger.cosign import cosignature_line
from commonwatt.ledger.merkle import MerkleTree, leaf_hash, merkle_root, salted
from commonwatt.model import canonical_json
from signers import P256Signer, secure_key

Lie = Callable[[Json], None]


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


def said(word: str, signer: RequestSigner | None = None, **changes: object) -> Lie:
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


def twin(word: str, order: int = CURVE_ORDER) -> Lie:
    """Replace a signature by its high-s twin, which the same curve would take for good."""

    def lie(bundle: Json) -> None:
        leaf = leaf_of(bundle, word)
        request = json.loads(leaf["body"])
        s = order - int(request["signature"][64:], 16)
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
BOTH = P256Signer(3).public.hex()
"""A key of P-256 that reads as one of secp256k1 too."""
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
    (said(FACT, key("oracle"), body={"what": "prices", "start_s": NOON + 900}), "prices"),
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


@pytest.mark.parametrize(
    ("lie", "check"),
    [
        (said('"what":"gateway"', key("operator"), body={"alg": "secp256k1"}), "keys"),
        (said('"what":"gateway"', key("operator"), body={"alg": "P-384"}), "requests"),
        (said('"what":"gateway"', key("operator"), body={"public": secure_key("gw-eve").public.hex()}), "signatures"),
        (said('"what":"gateway"', secure_key("gw-ben")), "keys"),
        (
            said('"what":"key"', key("operator"), body={"alg": "P-256", "public": BOTH}),
            "requests",
        ),
        (said(BATCH, key("gw-ben")), "signatures"),
        (said(BATCH, secure_key("gw-anna")), "signatures"),
        (said(BATCH, secure_key("gw-ben"), body={"root": "00" * 32}), "readings"),
        (twin(BATCH, P256_ORDER), "signatures"),
    ],
)
def test_a_lie_about_a_gateways_p_256_key_is_refused(lie: Lie, check: str) -> None:
    bundle = json.loads(told(secure=True))
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

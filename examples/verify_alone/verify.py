"""Check an evidence bundle with Python's standard library alone, in one file that shares no code with commonwatt.

Usage: ``python verify.py evidence.json --trust community.pub``; exit code 0: all that is checked holds, 1: not to be
believed, 2: misuse. README.md beside this file tells the formats. No secret is computed with, so time leaks nothing.
"""

import argparse
import base64
import json
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from hashlib import sha256, sha512
from pathlib import Path
from struct import unpack
from typing import Any, NamedTuple

NOT_CHECKED = (
    "form (types, fields that no check reads, idle keys); auction (that the shown orders give these trades and price);"
    " memos (which way and how often the grid stands in an entry, and whose meter a late one names);"
    " cosignatures (who else signed the note, so whether it is final); and what no bundle can show"
)
ROLES = dict.fromkeys(("register community", "register key", "register gateway"), "operator")
ROLES |= {"register asset": "member", "order slot": "member", "delegate grant": "member"}
ROLES |= {"reading_batch": "gateway", "fact prices": "oracle"}
SYSTEM = {"grid", "losses", "payment-port", "mint", "burn", "vault", "commission-pool", "education-pot", "network"}
Json = dict[str, Any]
Point = tuple[int, ...]


def main() -> None:
    """Check a file and say what came of it."""
    parser = argparse.ArgumentParser(description="Check an evidence bundle alone.")
    parser.add_argument("evidence", type=Path)
    parser.add_argument("--trust", type=Path, required=True, help="community.pub, from a source that you trust")
    told = parser.parse_args()
    try:
        found = check(told.evidence.read_bytes(), told.trust.read_bytes())
    except Exception as error:  # a bundle is a stranger's: whatever breaks on it has not been shown
        sys.exit(f"not to be believed: {ascii(error)[:600]}")
    sys.stdout.write(f"{found}\nnot checked: {NOT_CHECKED}\nall that is checked holds\n")


def check(evidence: bytes, trusted: bytes) -> str:
    """Return in one line what a bundle shows.

    Raises:
        Exception: Something does not hold, or cannot even be read.
    """
    trust: Json = json.loads(trusted)
    bundle: Json = json.loads(evidence)
    need((trust["format"], bundle["format"]) == ("commonwatt-trust-1", "commonwatt-evidence-1"), "formats are known")
    one_form = json.dumps(bundle, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    need(one_form.encode() == evidence, "a bundle has one form")
    need("older" not in bundle, "a slot that was corrected after it was settled is for commonwatt's own verifier")
    origin, size, log_root, state_root = open_note(bundle["note"], trust["note"])
    need(origin == trust["community"] == bundle["community"], "trust file, bundle and note are of one community")
    leaves = [check_leaf(leaf, origin, size, log_root) for leaf in bundle["leaves"]]
    positions = [leaf["position"] for leaf in leaves]
    need(positions == sorted(set(positions)), "leaves stand in the order of the log, each once")
    check_books(bundle, state_root)
    check_signatures(leaves, trust)
    metered_wh = check_reading(bundle, leaves)
    due_micro = check_settlement(bundle, leaves, metered_wh)
    about = f"{bundle['account']} in the slot at {bundle['slot_s']} s: {metered_wh[0]} Wh in, {metered_wh[1]} Wh out"
    return f"{about}, {due_micro} micro to pay" + "; a REHEARSAL: anyone has its keys" * bool(trust["rehearsal"])


def need(holds: object, rule: str) -> None:
    """Refuse where something does not hold."""
    if not holds:
        raise ValueError(rule)


# One form for each content


def canonical(value: object) -> bytes:
    """Write a value as RFC 8785 does: with ASCII names and whole numbers that is JSON without spaces, names sorted."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def unhex(text: str, length: int = 32) -> bytes:
    """Return so many bytes from lower-case hex."""
    content = bytes.fromhex(text)
    need(content.hex() == text and len(content) == length, f"{length} bytes in lower-case hex, was {text}")
    return content


def unbase64(text: str) -> bytes:
    """Return the bytes of a word of base64 without loose bits at its end."""
    content = base64.b64decode(text, validate=True)
    need(base64.b64encode(content).decode() == text, f"base64 has no loose bits, was {text}")
    return content


# What is in the log and in the books


def open_note(note: str, vkey: str) -> tuple[str, int, bytes, bytes]:
    """Return origin, size, log root and state root of a C2SP signed note; lines of unknown signers are passed over."""
    name, key_id, word = vkey.split("+", 2)
    key, signed = unbase64(word), False
    own = sha256(name.encode() + b"\n" + key).digest()[:4]
    need(key[:1] == b"\x01" and own.hex() == key_id, "the key of a note is a C2SP vkey of Ed25519")
    text, _, lines = note.rpartition("\n\n")
    for dash, signer, word in (line.split(" ") for line in lines.removesuffix("\n").split("\n")):
        content = unbase64(word)
        need(dash == "—" and len(content) > 4, "a signature line is a dash, a name, key id and signature")
        if (signer, content[:4]) == (name, own):
            signed = ed25519_holds(key[1:], f"{text}\n".encode(), content[4:])
            need(signed, "the trusted key's signature covers the note")
    need(signed and lines.endswith("\n"), "the trusted key signed the note")
    origin, size, log_root, state, _ = text.split("\n")
    return origin, int(size), unbase64(log_root), unbase64(state.removeprefix("state "))


def check_leaf(leaf: Json, community: str, size: int, log_root: bytes) -> Json:
    """Return a leaf that is in the log together with the fields of its request, and what it is about."""
    request: Json = json.loads(leaf["body"])
    at, outcome = leaf["position"], leaf["outcome"]
    need(canonical(request).decode() == leaf["body"], f"leaf {at} shows a request in canonical form")
    need(request["community"] == community, f"leaf {at} is for this community")
    record = {"closes": leaf["closes"], "outcome": outcome, "request": request, "stamped_s": leaf["stamped_s"]}
    data = sha256(unhex(leaf["salt"]) + canonical(record)).digest()
    need(climb(leaf_hash(data), at, size, leaf["proof"]) == log_root, f"leaf {at} is in the log that was signed")
    what = f"{request['kind']} {request['body'].get('what', '')}".strip()
    need(outcome == "BOOKED" or (what, outcome) == ("reading_batch", "SET_ASIDE"), f"leaf {at} was booked")
    signed = {name: value for name, value in request.items() if name != "signature"}
    return leaf | request | {"what": what, "digest": eip191(canonical(signed))}


def check_books(bundle: Json, state_root: bytes) -> None:
    """Check sections against the state root, and each entry against the first section."""
    sections, ways = [unhex(section) for section in bundle["sections"]], []
    a, b, c, d, e, f, g = map(leaf_hash, sections)
    root = node(node(node(a, b), node(c, d)), node(node(e, f), g))
    need(root == state_root, "the seven sections make up the signed state root")
    for shown in bundle["entries"]:
        entry, climbed = shown["entry"], leaf_hash(canonical(shown["entry"]))
        for side, word in (step.split(" ") for step in shown["path"]):
            sibling = unhex(word)
            climbed = node(*{"left": (sibling, climbed), "right": (climbed, sibling)}[side])
        need(climbed == sections[0], f"an entry is in the signed books: {entry}")
        own = [entry["source"], entry["target"]].count(bundle["account"]) == 1 and entry["slot_s"] == bundle["slot_s"]
        need(own, f"an entry is of this member and slot: {entry}")
        ways.append(tuple(step.startswith("left") for step in reversed(shown["path"])))
    need(ways == sorted(set(ways)), "entries stand in the order of their tree, each once")


def climb(hashed: bytes, index: int, size: int, path: Sequence[str]) -> bytes:
    """Return the root to which a path leads from a leaf hash (RFC 6962 section 2.1.1, read from its end)."""
    if size == 1:
        need(index == 0 and not path, "an index is in its tree, and its path as long as the tree is high there")
        return hashed
    left, sibling = 1 << (size - 1).bit_length() - 1, unhex(path[-1])
    if index < left:
        return node(climb(hashed, index, left, path[:-1]), sibling)
    return node(sibling, climb(hashed, index - left, size - left, path[:-1]))


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of leaf data."""
    return sha256(b"\x00" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


# Who said it, and what follows from it


def check_signatures(leaves: list[Json], trust: Json) -> None:
    """Check that each request is signed by a key that was registered for it."""
    operator, founding = curve_point(SECP256K1, unhex(trust["operator"], 33)), leaves[0]
    need((founding["position"], founding["what"]) == (0, "register community"), "leaf 0 founds the community")
    named = (founding["body"]["public"], founding["body"].get("witnesses", []))
    need(named == (trust["operator"], trust["witnesses"]), "the founding names those who are trusted")
    keys = {address(operator): (SECP256K1, operator, "operator", "")}
    for leaf in leaves:
        body, at, author = leaf["body"], f"leaf {leaf['position']}, {leaf['what']},", leaf["author"]
        need(author in keys, f"{at} is by a key that was registered before")
        curve, point, role, account = keys[author]
        if account != leaf["on_behalf_of"] and role != "operator":
            need(granted(leaf, leaves), f"{at} is by a key of its account")
            role = "member"
        need(ROLES.get(leaf["what"]) == role, f"{at} is said by a {role}")
        need(ecdsa_holds(curve, point, leaf["digest"], unhex(leaf["signature"], 64)), f"{at} is signed by its author")
        if role == "operator" and leaf is not founding:
            own = CURVES[body["alg"]]
            need(
                own is SECP256K1 or leaf["what"] == "register gateway", f"{at} is of a curve that is for gateways alone"
            )
            new = curve_point(own, unhex(body["public"], 33))
            need(address(new) not in keys, f"{at} is of a key that is registered once")
            keys[address(new)] = (own, new, body.get("role", "gateway"), body.get("account", body.get("gateway")))


def granted(leaf: Json, leaves: list[Json]) -> bool:
    """Tell whether the account let this key ask this for it, in an earlier leaf."""
    mine = (one for one in leaves if (one["what"], one["on_behalf_of"]) == ("delegate grant", leaf["on_behalf_of"]))
    grants = [one["body"] for one in mine if one["position"] < leaf["position"]]
    lasting = [grant for grant in grants if leaf["kind"] in grant["kinds"] and leaf["stamped_s"] < grant["until_s"]]
    return any(address(curve_point(SECP256K1, unhex(grant["to"], 33))) == leaf["author"] for grant in lasting)


def only(leaves: list[Json], what: str) -> Json:
    """Return the one leaf that is about this."""
    (found,) = (leaf for leaf in leaves if leaf["what"] == what)
    return found


def check_reading(bundle: Json, leaves: list[Json]) -> tuple[int, int]:
    """Return what the signed record of the member's connection counted in the slot, Wh in and out."""
    batch, claim, shown = only(leaves, "reading_batch"), only(leaves, "register asset"), bundle["reading"]
    head, asset, record = batch["body"], claim["body"], unhex(shown["record"], 48)
    root = climb(leaf_hash(record), shown["index"], head["count"], shown["path"])
    need(root.hex() == head["root"], "the record is in the batch that was signed")
    start_s, seconds, register, _, _, import_wh, export_wh, _, _ = unpack("<qIHBBqqqQ", record)
    over = (start_s, seconds) == (bundle["slot_s"], 900) and start_s + seconds <= batch["stamped_s"]
    need(over, "the record is of this slot, told when it was over")
    behind = head["gateway"] == batch["on_behalf_of"] == asset["gateway"] and register == asset["register"]
    need(behind and claim["position"] < batch["position"], "a gateway reads what was registered behind it")
    need((claim["on_behalf_of"], asset["asset_kind"]) == (bundle["account"], "connection"), "it is the member's own")
    return import_wh, export_wh


def check_settlement(bundle: Json, leaves: list[Json], metered_wh: tuple[int, int]) -> int:
    """Check that energy was booked as metered, and money as energy times price; return what the member has to pay."""
    account, trades = bundle["account"], {f"{one['bid']}/{one['ask']}": one for one in bundle["trades"]}
    told, due, paid, booked_wh = only(leaves, "fact prices")["body"], [], [], [0, 0]
    bought, sold = {told["start_s"] + 900 * n: pair for n, pair in enumerate(told["prices"])}[bundle["slot_s"]]
    prices = {"grid import": bought, "late import": bought, "grid export": sold, "late export": sold}
    prices |= {"watt delivery": 0, "corrected import": 0, "corrected export": 0}
    for entry in (shown["entry"] for shown in bundle["entries"]):
        source, target, amount, memo, ref = (entry[name] for name in ("source", "target", "amount", "memo", "ref"))
        if entry["commodity"] != "energy_wh":
            need(entry["commodity"] == "ergon_micro", f"an entry is of energy or money: {entry}")
            paid.append((source, target, amount, memo, ref))
            continue
        booked_wh[source == account] += amount
        neighbours = memo in ("trade", "watt delivery")
        need(neighbours == (not SYSTEM & {source, target}), f"energy goes between those whom its memo tells: {entry}")
        if memo == "trade":
            trade = trades.pop(ref)
            price, agreed = trade["price_micro_per_kwh"], (trade["seller"], trade["buyer"]) == (source, target)
            need(agreed and amount <= trade["energy_wh"], f"what is delivered was traded: {entry}")
            need(trade["fee_micro_per_kwh"] == 0, f"there is no fee within one zone: {trade}")
        else:
            price = prices[memo]
        micro = round(Fraction(amount * price, 1000))  # halves to even
        if micro:  # a price below zero turns the money round
            due.append((target, source, micro, memo, ref) if micro > 0 else (source, target, -micro, memo, ref))
    need(tuple(booked_wh) == metered_wh, f"{booked_wh} Wh were booked in and out, {metered_wh} Wh were metered")
    need(sorted(due) == sorted(paid), f"money is the energy's at its price: due {due}, paid {paid}")
    return sum(amount if source == account else -amount for source, _, amount, _, _ in paid)


# Hashes and curves


class Curve(NamedTuple):
    """y² = x³ + ax + b over a prime field, with a generator of prime order (SEC 2 sections 2.4.1 and 2.4.2)."""

    field: int
    order: int
    a: int
    b: int
    generator: str


SECP256K1 = Curve(
    field=2**256 - 2**32 - 977,
    order=0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
    a=0,
    b=7,
    generator="0279BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798",
)
P256 = Curve(
    field=2**256 - 2**224 + 2**192 + 2**96 - 1,
    order=0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    a=-3,
    b=0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    generator="036B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296",
)
CURVES = {"secp256k1": SECP256K1, "P-256": P256}
ED_FIELD, ED_ORDER = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
ED_D, ED_BASE = -121665 * pow(121666, -1, ED_FIELD) % ED_FIELD, bytes([0x58, *[0x66] * 31])
ROTATIONS = (0, 1, 62, 28, 27, 36, 44, 6, 55, 20, 3, 10, 43, 25, 39, 41, 45, 15, 21, 8, 18, 2, 61, 56, 14)
SOURCES = [(at % 5 + at // 5 * 3) % 5 + at % 5 * 5 for at in range(25)]


def keccak256(data: bytes) -> bytes:
    """Return Ethereum's hash: Keccak with rate 1088 and its first padding, not SHA-3's (FIPS 202 section 3)."""
    padded = bytearray(data + b"\x01" + bytes(-(len(data) + 1) % 136))
    padded[-1] |= 0x80
    lanes = [0] * 25
    for at in range(0, len(padded), 136):
        block = unpack("<17Q", padded[at : at + 136])
        lanes = keccak_f([lane ^ more for lane, more in zip(lanes, block, strict=False)] + lanes[17:])
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def keccak_f(lanes: list[int]) -> list[int]:
    """Return the permutation of 25 lanes of 64 bits; the one in column x and row y stands at x + 5 y."""
    register = 1
    for _ in range(24):
        sums = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
        mixed = [lane ^ sums[(at + 4) % 5] ^ rotated(sums[(at + 1) % 5], 1) for at, lane in enumerate(lanes)]
        rows = [rotated(mixed[source], ROTATIONS[source]) for source in SOURCES]
        lanes = [rows[n] ^ ~rows[n // 5 * 5 + (n + 1) % 5] & rows[n // 5 * 5 + (n + 2) % 5] for n in range(25)]
        for power in range(7):  # the round's constant, bit by bit from a shift register
            lanes[0] ^= (register & 1) << 2**power - 1
            register = register << 1 ^ (register >> 7) * 0x171
    return lanes


def rotated(lane: int, by: int) -> int:
    """Return 64 bits moved left in a circle."""
    return (lane << by | lane >> 64 - by) & 2**64 - 1


def eip191(message: bytes) -> bytes:
    """Return the hash that a wallet signs for a message."""
    return keccak256(b"\x19Ethereum Signed Message:\n%d%b" % (len(message), message))


def address(point: Point) -> str:
    """Return the name of a key, of whichever curve."""
    return "0x" + keccak256(point[0].to_bytes(32) + point[1].to_bytes(32))[-20:].hex()


def curve_point(curve: Curve, public: bytes) -> Point:
    """Return the point of a compressed public key (SEC 1 section 2.3.4)."""
    x = int.from_bytes(public[1:])
    square = (x**3 + curve.a * x + curve.b) % curve.field
    y = pow(square, (curve.field + 1) // 4, curve.field)
    need(
        public[0] in (2, 3) and x < curve.field and y * y % curve.field == square,
        "a public key is a point of its curve",
    )
    return x, y if y % 2 == public[0] % 2 else curve.field - y, 1


def curve_add(curve: Curve, p: Point, q: Point) -> Point:
    """Add any two points X:Y:Z; no case is special (Renes, Costello & Batina 2016, algorithm 1)."""
    a, b3, field = curve.a, 3 * curve.b, curve.field
    xx, yy, zz = p[0] * q[0], p[1] * q[1], p[2] * q[2]
    xy, yz, xz = p[0] * q[1] + p[1] * q[0], p[1] * q[2] + p[2] * q[1], p[0] * q[2] + p[2] * q[0]
    slope, rest = 3 * xx + a * zz, a * xx + b3 * xz - a * a * zz
    plus, minus = yy + (a * xz + b3 * zz), yy - (a * xz + b3 * zz)
    return (xy * minus - yz * rest) % field, (plus * minus + slope * rest) % field, (yz * plus + xy * slope) % field


def ecdsa_holds(curve: Curve, key: Point, digest: bytes, signature: bytes) -> bool:
    """Tell whether a low-s signature over a digest is the key's (SEC 1 section 4.1.4)."""
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    if not (0 < r < curve.order and 0 < s <= curve.order // 2):
        return False
    m, n = int.from_bytes(digest) * pow(s, -1, curve.order) % curve.order, r * pow(s, -1, curve.order) % curve.order
    base = curve_point(curve, bytes.fromhex(curve.generator))
    x, _, z = combined(partial(curve_add, curve), (0, 1, 0), m, base, n, key)
    return z != 0 and x * pow(z, -1, curve.field) % curve.field % curve.order == r


def combined(add: Callable[[Point, Point], Point], zero: Point, m: int, a: Point, n: int, b: Point) -> Point:
    """Return m times a plus n times b, doubling for both at once (Shamir's trick)."""
    total, choices = zero, (zero, a, b, add(a, b))
    for bit in range(max(m, n).bit_length() - 1, -1, -1):
        total = add(add(total, total), choices[(m >> bit & 1) + 2 * (n >> bit & 1)])
    return total


def ed25519_add(a: Point, b: Point) -> Point:
    """Add any two points X, Y (RFC 8032 section 5.1.4, undivided: one signature needs no speed)."""
    (ax, ay), (bx, by), k = a, b, ED_D * a[0] * a[1] * b[0] * b[1]
    x, y = (ax * by + bx * ay) * pow(1 + k, -1, ED_FIELD), (ay * by + ax * bx) * pow(1 - k, -1, ED_FIELD)
    return x % ED_FIELD, y % ED_FIELD


def ed25519_point(encoded: bytes) -> Point:
    """Return the point of 32 bytes (RFC 8032 section 5.1.3)."""
    odd, y = divmod(int.from_bytes(encoded, "little"), 2**255)
    square = (y * y - 1) * pow(ED_D * y * y + 1, -1, ED_FIELD) % ED_FIELD
    x = pow(square, (ED_FIELD + 3) // 8, ED_FIELD)
    if x * x % ED_FIELD != square:
        x = x * pow(2, (ED_FIELD - 1) // 4, ED_FIELD) % ED_FIELD
    need(x * x % ED_FIELD == square, "a key is a point of Ed25519")
    return x if x % 2 == odd else ED_FIELD - x, y


def ed25519_holds(public: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether a signature over a message is the key's (RFC 8032 section 5.1.7)."""
    s = int.from_bytes(signature[32:], "little")
    hashed = int.from_bytes(sha512(signature[:32] + public + message).digest(), "little") % ED_ORDER
    base, (x, y) = ed25519_point(ED_BASE), ed25519_point(public)
    rx, ry = combined(ed25519_add, (0, 1), s, base, hashed, (ED_FIELD - x, y))
    return len(signature) == 64 and s < ED_ORDER and (ry | (rx & 1) << 255).to_bytes(32, "little") == signature[:32]


if __name__ == "__main__":
    main()

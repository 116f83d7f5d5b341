"""Check offline what one member's slot was settled from, given nothing but the keys that a community trusts.

What a bundle holds is bound: take a leaf, an entry or a trade away or change a digit, and a check fails; only an order
that the member's trades never needed can go (first point below), and the last correction as a whole (the second). The
log's size is in the signed note. Neither the size of the entry tree nor an index in it is signed, and a Merkle proof
alone fits several of both; so entries come with the sides of their path, which the hashes fix, and name no index.

What a bundle cannot show, since nothing signed commits to it; the first four show in a replay of the whole log:

- That no booked order of the slot was left out. Only a leaving out that keeps the member's price and partners, and
  gives the member no less energy than was settled, can pass.
- That the slot was corrected no further: the latest reading, with its leaf and entries, can be left out.
- That a partner could deliver no more, where less was settled than was traded: that is in the partner's readings.
- That WATT stood behind a delivery of stored energy. WATT postings and purchases are not part of a bundle, because a
  missing one would not show.
- That the operator shows everybody one log. Who holds operator's and note key can sign two; witnesses are for that, and
  a note that two thirds of their weight cosigned is said to be final. Cosignatures can be taken away, never added.
- Who holds a member's key. Where it is custodial, a member's signature is one that the community's desk made.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ParamSpec, TypeVar

import msgspec

from commonwatt.flows import recheck, recheck_chain
from commonwatt.flows.belated import BELATED_FORMAT, Belated, check_belated
from commonwatt.flows.evidence import (
    CHAIN_FORMAT,
    EVIDENCE_FORMAT,
    TRUST_FORMAT,
    Bundle,
    Chain,
    Said,
    Trust,
    climbed,
    encode,
    need,
)
from commonwatt.flows.intake import read_head
from commonwatt.flows.receipts import WITHHELD_FORMAT, Withheld, check_withheld
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.identity.witnesses import weights
from commonwatt.flows.speakers import Key, chain_roles, check_signatures, slot_roles
from commonwatt.identity.keys import VerifyingKey
from commonwatt.identity.p256 import verifying_key
from commonwatt.ledger.checkpoint import Checkpoint, parse_vkey, split_note, verify_note
from commonwatt.ledger.cosign import Weight, cosigned_at_s, is_fraud_proof, verify_fraud_proof, weight
from commonwatt.ledger.journal import entry_leaf
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.merkle import merkle_root, verify_inclusion
from commonwatt.model import KeyId, Outcome, Refused

_MOST_TEXT = 600
"""Characters of a failing line's detail: what was found can be as long as the bundle."""
LIMITS = (
    "that no booked order was left out which changes neither the member's price nor partners; that no later correction"
    " was left out with its entries; that a partner could deliver no more than was settled; WATT behind deliveries;"
    " that others see the same log; who holds custodial keys"
)


@dataclass(frozen=True, slots=True)
class Line:
    """One check: what was checked, whether it held, and what was found."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Report:
    """The checks in their order, up to the first that failed.

    ``ok`` tells whether all of a case held, ``fraud`` whether they prove a fraud, or that a promise was broken.
    """

    ok: bool
    lines: tuple[Line, ...]
    fraud: bool = False


def verify_file(content: bytes, trust: str) -> Report:
    """Check whatever a community's members pass on, offline: evidence, a chain of it, or what accuses somebody.

    Args:
        content: An evidence bundle, what `commonwatt.flows.chain.make_chain` wrote, what
            `commonwatt.ledger.cosign.make_fraud_proof`, `commonwatt.flows.receipts.make_withheld` or
            `commonwatt.flows.belated.make_belated` wrote.
        trust: What `commonwatt.flows.prove.trust_file` wrote, from a source that the reader trusts.

    Returns:
        For evidence and chains, the report of `verify_evidence` or `verify_chain`. For what accuses somebody never one
        that is ``ok``: ``fraud`` tells a proven one, of which every line holds, from a forged one, of which the last
        does not.
    """
    if is_fraud_proof(content):
        return _verify_accusation(content, trust, "fraud proof", "fraud proven", _fraud)
    form = _format(content)
    if form == WITHHELD_FORMAT:
        return _verify_accusation(content, trust, "withheld request", "broken promise proven", _withheld)
    if form == BELATED_FORMAT:
        return _verify_accusation(content, trust, "belated request", "broken promise proven", _belated)
    return verify_chain(content, trust) if form == CHAIN_FORMAT else verify_evidence(content, trust)


def verify_evidence(evidence: bytes, trust: str) -> Report:
    """Check a bundle against a trust file, offline; see the module for what can and cannot be shown.

    Args:
        evidence: What `commonwatt.flows.prove.make_evidence` wrote, in any state.
        trust: What `commonwatt.flows.prove.trust_file` wrote, from a source that the reader trusts.

    Returns:
        The report, whatever comes in. The last line of a failing one says which rule, which thing, what was found.
    """
    steps = _Steps()
    try:
        _check(evidence, trust, steps)
    except Exception as error:  # a bundle is a stranger's: whatever breaks on it has not been shown
        detail = (str(error) or type(error).__name__)[:_MOST_TEXT]
        return Report(False, (*steps.lines, Line(steps.name, False, detail)))
    return Report(True, (*steps.lines, Line("not shown", True, LIMITS)))


def verify_chain(content: bytes, trust: str) -> Report:
    """Check a chain of evidence, from constraint to measured Wh, against a trust file, offline.

    Args:
        content: What `commonwatt.flows.chain.make_chain` wrote, in any state.
        trust: As in `verify_evidence`.

    Returns:
        The report, as `verify_evidence`'s.
    """
    steps = _Steps()
    try:
        _check_chain(content, trust, steps)
    except Exception as error:  # as in `verify_evidence`
        detail = (str(error) or type(error).__name__)[:_MOST_TEXT]
        return Report(False, (*steps.lines, Line(steps.name, False, detail)))
    return Report(True, (*steps.lines, Line("not shown", True, recheck_chain.LIMITS)))


def _format(content: bytes) -> str:
    """Return what content says it is; nothing where it does not say."""
    try:
        return msgspec.json.decode(content, type=_AnyFormat).format
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""


class _AnyFormat(msgspec.Struct, frozen=True):
    format: str


def _verify_accusation(
    content: bytes, trust_text: str, name: str, proven: str, check: Callable[[bytes, Trust], tuple[None, str]]
) -> Report:
    steps = _Steps()
    try:
        trust, _ = steps.take("trust file", _trust, trust_text)
        steps.take(proven, check, content, trust)
    except Exception as error:  # as in `verify_evidence`
        detail = (str(error) or type(error).__name__)[:_MOST_TEXT]
        return Report(False, (*steps.lines, Line(name, False, detail)))
    return Report(False, tuple(steps.lines), fraud=True)


def _withheld(content: bytes, trust: Trust) -> tuple[None, str]:
    """Find that the operator promised a place and held the request back."""
    case = msgspec.json.decode(content, type=Withheld)
    need(encode(case) == content, "a claim has one form, no field or space more or less", found=len(content))
    of = case.receipt.community
    need(of == trust.community, "a claim is about the trusted log", found=of)
    return None, check_withheld(case, VerifyingKey(bytes.fromhex(trust.operator)), trust.note)


def _belated(content: bytes, trust: Trust) -> tuple[None, str]:
    """Find that the operator promised a place and a time and let the request stand behind either."""
    case = msgspec.json.decode(content, type=Belated)
    need(encode(case) == content, "a claim has one form, no field or space more or less", found=len(content))
    need(case.receipt.community == trust.community, "a claim is about the trusted log", found=case.receipt.community)
    return None, check_belated(case, VerifyingKey(bytes.fromhex(trust.operator)), trust.note)


def _fraud(content: bytes, trust: Trust) -> tuple[None, str]:
    """Find whom of those who are trusted the proof accuses, and what of."""
    refusals = []
    for word in (trust.note, *(witness.note for witness in trust.witnesses)):
        try:
            found = verify_fraud_proof(content, word)
        except Refused as refused:
            refusals.append(str(refused))
            continue
        need(found.first.origin == trust.community, "a proof is about the trusted log", found=found.first.origin)
        first, second = (
            f"{point.size} leaves at {point.slot_s} s with log root {point.log_root.hex()} and state root"
            f" {point.state_root.hex()}"
            for point in (found.first, found.second)
        )
        return None, f"{found.signer} signed both {first}, and {second}; but {found.rule}"
    raise Refused("a proof shows a fraud of the operator or a witness", found="; ".join(dict.fromkeys(refusals)))


_P = ParamSpec("_P")
_T = TypeVar("_T")


class _Steps:
    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.name = ""

    def begin(self, name: str) -> None:
        self.name = name

    def take(self, name: str, check: Callable[_P, tuple[_T, str]], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        self.begin(name)
        found, detail = check(*args, **kwargs)
        self.lines.append(Line(name, True, detail))
        return found


def _check(evidence: bytes, trust_text: str, steps: _Steps) -> None:
    trust, operator = steps.take("trust file", _trust, trust_text)
    bundle = steps.take("format", _bundle, evidence, Bundle, EVIDENCE_FORMAT)
    point = steps.take("checkpoint", _note, bundle, trust)
    rows = steps.take("log", _leaves, bundle, point)
    steps.take("books", _sections, bundle, point)
    steps.take("entries", _entries, bundle)
    said = steps.take("requests", _requests, rows, point.origin)
    founding = steps.take("community", _community, said, operator, trust)
    keys = steps.take("keys", _keys, said, operator)
    steps.take("signatures", check_signatures, said, keys, slot_roles)
    points = steps.take("readings", recheck.reading, bundle, said)
    prices = steps.take("prices", recheck.prices, bundle, said)
    orders = steps.take("orders", recheck.orders, bundle, said, founding.gate_s)
    steps.take("auction", recheck.auction, bundle, orders, prices)
    corrected = steps.take("energy", recheck.energy, bundle, points)
    steps.take("money", recheck.money, bundle, prices, corrected)


def _check_chain(content: bytes, trust_text: str, steps: _Steps) -> None:
    trust, operator = steps.take("trust file", _trust, trust_text)
    chain = steps.take("format", _bundle, content, Chain, CHAIN_FORMAT)
    point = steps.take("checkpoint", _note, chain, trust)
    rows = steps.take("log", _leaves, chain, point)
    said = steps.take("requests", _requests, rows, point.origin, (bodies.ScheduleBody,))
    founding = steps.take("community", _community, said, operator, trust)
    keys = steps.take("keys", _keys, said, operator)
    steps.take("signatures", check_signatures, said, keys, chain_roles)
    for name, detail in recheck_chain.links(chain, said, founding, steps.begin):
        steps.lines.append(Line(name, True, detail))


def _trust(text: str) -> tuple[tuple[Trust, VerifyingKey], str]:
    trust = msgspec.json.decode(text, type=Trust)
    need(trust.format == TRUST_FORMAT, f"a trust file is of format {TRUST_FORMAT}", found=trust.format)
    word = (
        "; a REHEARSAL: its keys follow from a published seed, so anyone could have signed" if trust.rehearsal else ""
    )
    return (trust, VerifyingKey(bytes.fromhex(trust.operator))), f"of community {trust.community}{word}"


_B = TypeVar("_B", Bundle, Chain)


def _bundle(content: bytes, shape: type[_B], form: str) -> tuple[_B, str]:
    bundle = msgspec.json.decode(content, type=shape)
    need(bundle.format == form, f"evidence is of format {form}", found=bundle.format)
    again = encode(bundle)
    if again != content:
        at = next((n for n, (a, b) in enumerate(zip(again, content, strict=False)) if a != b), len(again))
        raise Refused("evidence has one form, no field or space more or less", differs_at_byte=at)
    about = bundle.account if isinstance(bundle, Bundle) else bundle.asset
    return bundle, f"{len(content)} bytes about {about} in the slot at {bundle.slot_s} s"


def _note(bundle: Bundle | Chain, trust: Trust) -> tuple[Checkpoint, str]:
    text = verify_note(bundle.note, dict([parse_vkey(trust.note)]))
    cosigned = cosigned_at_s(bundle.note, weights(trust.witnesses))
    signers = len(split_note(bundle.note)[1])
    need(signers == 1 + len(cosigned), "a note is signed by those who are trusted alone", signatures=signers)
    point = Checkpoint.parse(text)
    names = {"origin": point.origin, "evidence": bundle.community, "trusted": trust.community}
    need(len(set(names.values())) == 1, "one community from trust file to note", **names)
    signed = f"{point.size} leaves, signed by {parse_vkey(trust.note)[0]} and {len(cosigned)} witnesses"
    return point, f"{signed}; {_finality(weight(bundle.note, weights(trust.witnesses)))}"


def _finality(found: Weight) -> str:
    if found.is_final:
        return f"final: {found.cosigned} of {found.total} of the witnesses' weight cosigned it"
    if not found.total:
        return "not final: the community has no witnesses, only the operator answers for it"
    return f"not final: {found.cosigned} of {found.total} of the witnesses' weight cosigned it, two thirds are needed"


def _leaves(bundle: Bundle | Chain, point: Checkpoint) -> tuple[list[LeafRow], str]:
    positions = [leaf.position for leaf in bundle.leaves]
    need(positions == sorted(set(positions)), "leaves stand in the order of the log", positions=positions)
    rows = [leaf.row() for leaf in bundle.leaves]
    for leaf, row in zip(bundle.leaves, rows, strict=True):
        proof = [bytes.fromhex(item) for item in leaf.proof]
        included = verify_inclusion(row.data(), row.position, point.size, proof, point.log_root)
        need(included, "a leaf is in the log that was signed", position=row.position, size=point.size)
    return rows, f"{len(rows)} leaves are in it"


def _requests(rows: Sequence[LeafRow], community: str, refused: tuple[type, ...] = ()) -> tuple[list[Said], str]:
    said = []
    for row in rows:
        request = read_head(row.body)
        need(request.community == community, "requests are for this community", position=row.position)
        body = bodies.read_body(request.kind, request.body)
        partly = isinstance(body, bodies.ReadingBatch) and row.outcome is Outcome.SET_ASIDE
        booked = row.outcome is Outcome.BOOKED or partly
        booked |= isinstance(body, refused) and row.outcome in (Outcome.NOT_ALLOWED, Outcome.WAITING)
        need(booked, "a case rests on what was booked", position=row.position, outcome=row.outcome)
        said.append(Said(row, request, body))
    return said, "each is a request that was booked"


def _sections(bundle: Bundle, point: Checkpoint) -> tuple[None, str]:
    root = merkle_root(map(bytes.fromhex, bundle.sections))
    need(root == point.state_root, "the sections make up the signed state root", found=root.hex())
    return None, f"its state root is made of these {len(bundle.sections)} sections"


def _entries(bundle: Bundle) -> tuple[None, str]:
    ways = [[step.startswith("left ") for step in reversed(shown.path)] for shown in bundle.entries]
    ascending = all(a < b for a, b in pairwise(ways))
    need(ascending, "entries stand in the order of their tree, each once", entries=len(ways))
    for number, shown in enumerate(bundle.entries):
        root = climbed(entry_leaf(shown.entry), shown.path)
        need(root.hex() == bundle.sections[0], "an entry is in the signed books", number=number, entry=shown.entry)
        entry = shown.entry
        about = (entry.source == bundle.account) != (entry.target == bundle.account) and entry.slot_s == bundle.slot_s
        need(about, "an entry is about this member and slot", number=number, entry=entry)
    return None, f"{len(bundle.entries)} entries are in the first"


def _community(said: Sequence[Said], operator: VerifyingKey, trust: Trust) -> tuple[bodies.RegisterCommunity, str]:
    need(bool(said) and said[0].row.position == 0, "the first leaf is shown", leaves=len(said))
    request, body = said[0].request, said[0].body
    if not isinstance(body, bodies.RegisterCommunity):
        raise Refused("position 0 registers the community", kind=request.kind)
    need(body.public == trust.operator, "the community is run by the trusted operator", operator=body.public)
    named = ", ".join(witness.note for witness in body.witnesses) or "nobody"
    need(body.witnesses == trust.witnesses, "the community's witnesses are those who are trusted", named=named)
    signed = request.author == operator.id and operator.verify(request.signed_bytes(), request.signature)
    need(signed, "the operator signed the community's registration", author=request.author)
    return body, f"founded by the trusted operator {operator.id}"


def _keys(said: Sequence[Said], operator: VerifyingKey) -> tuple[dict[KeyId, Key], str]:
    keys: dict[KeyId, Key] = {}
    for one in said:
        match one.body:
            case bodies.RegisterKey(public=public, alg=alg, role=role, account=account):
                pass
            case bodies.RegisterGateway(public=public, alg=alg, gateway=account):
                role = "gateway"
            case _:
                continue
        position, request = one.row.position, one.request
        signed = request.author == operator.id and operator.verify(request.signed_bytes(), request.signature)
        need(signed, "the operator signed each key's registration", position=position, author=request.author)
        key = verifying_key(bytes.fromhex(public), alg)
        need(key.id not in keys, "a key is registered once", position=position, key=key.id)
        keys[key.id] = Key(key, role, account, position)
    return keys, f"{len(keys)} were registered by the operator"

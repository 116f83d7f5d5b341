"""Weigh which witnesses cosigned a log's checkpoint, and prove that somebody signed two histories."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from commonwatt.ledger.checkpoint import (
    KEY_ID_BYTES,
    Checkpoint,
    from_base64,
    parse_signature,
    parse_vkey,
    signature_line,
    split_note,
    to_base64,
    verify_note,
    vkey,
)
from commonwatt.ledger.merkle import verify_consistency
from commonwatt.model import MAX_SAFE_INTEGER, Corrupt, InvalidValue, Refused, canonical_json

FRAUD_FORMAT = "commonwatt-fraud-1"
_COSIGNATURE = b"\x04"
_TIME_BYTES = 8
_MOST_TIME_S = 2**63 - 1
_MOST_FRAUD_BYTES = 100_000
"""Two notes of the accused's signatures alone and 63 hashes have less than a tenth of it."""


@dataclass(frozen=True, slots=True)
class Weight:
    """How much of the registered weight cosigned a checkpoint."""

    cosigned: int
    total: int

    @property
    def is_final(self) -> bool:
        """Whether two thirds or more cosigned; never, where nobody is registered."""
        return self.total > 0 and self.cosigned * 3 >= self.total * 2


def weight(note: str, witnesses: Mapping[str, int]) -> Weight:
    """Return how much of the witnesses' weight stands behind a note; whether its log signed it, ask `verify_note`.

    A witness counts once, however often it cosigned. Cosignatures by others count nothing.

    Args:
        note: Text, blank line, signature lines.
        witnesses: Registered weight, zero or more, by the words of `cosigner_vkey`.

    Raises:
        Corrupt: The note or a word is malformed, or a known witness's cosignature does not cover the text.
        InvalidValue: A weight is below zero, the sum above 2^53-1, or two words hold one key: the signed message does
            not name its signer, so that one signature would count for both.
    """
    total = sum(witnesses.values())
    if min(witnesses.values(), default=0) < 0 or total > MAX_SAFE_INTEGER:
        raise InvalidValue(f"weights are zero or more and 2^53-1 together at most, was {dict(witnesses)}")
    return Weight(sum(witnesses[word] for word in cosigned_at_s(note, witnesses)), total)


def cosigned_at_s(note: str, vkeys: Iterable[str]) -> dict[str, int]:
    """Return when each known witness cosigned a note, the latest time of several; those who did not are left out.

    Args:
        note: Text, blank line, signature lines; a note of the log's signature alone is lawful.
        vkeys: Words of `cosigner_vkey`.

    Returns:
        Seconds since 1970 as the witness stated them, by word.

    Raises:
        Corrupt, InvalidValue: As `weight`.

    Source: C2SP tlog-cosignature, https://c2sp.org/tlog-cosignature.
    """
    known = _known(vkeys)
    text, lines = split_note(note)
    found: dict[str, int] = {}
    for number, line in enumerate(lines, start=text.count("\n") + 2):
        name, key_id, signature = parse_signature(line, number)
        if (name, key_id) in known:
            word, public_key = known[name, key_id]
            found[word] = max(_verified_time_s(text, name, public_key, signature), found.get(word, 0))
    return found


def cosignature_line(text: str, name: str, key: Ed25519PrivateKey, time_s: int) -> str:
    """Return the line by which a witness says that it saw this log grow up to here; it goes to the end of the note.

    Args:
        text: The note's text, lines that each end in a newline.
        name: The witness's name: not empty, no space, no plus sign.
        key: Its Ed25519 key, which signs nothing but cosignatures.
        time_s: When, seconds since 1970, above zero.

    Raises:
        InvalidValue: The text, the name or the time is not lawful.

    Source: C2SP tlog-cosignature, ``cosignature/v1``; the time is above zero as tlog-witness demands.
    """
    if not 0 < time_s <= _MOST_TIME_S:
        raise InvalidValue(f"a witness signs at 1 to 2^63-1 s after 1970, was {time_s}")
    signed = signature_line(_message(text, time_s), name, key).split(" ")[2]
    signature = from_base64(signed.rstrip("\n"), 1)[KEY_ID_BYTES:]
    key_id = _key_id(name, key.public_key().public_bytes_raw())
    return f"— {name} {to_base64(key_id + time_s.to_bytes(_TIME_BYTES) + signature)}\n"


def cosigner_vkey(name: str, public_key: bytes) -> str:
    """Return a witness's public key as one word that people can pass on: name, key id and key, joined by plus signs.

    Raises:
        InvalidValue: The name is not lawful, or the key is not 32 bytes.
    """
    vkey(name, public_key)  # refuses what is not lawful in either kind of word
    return f"{name}+{_key_id(name, public_key).hex()}+{to_base64(_COSIGNATURE + public_key)}"


def parse_cosigner_vkey(word: str) -> tuple[str, bytes]:
    """Return the name and the 32-byte public key that `cosigner_vkey` wrote.

    Raises:
        Corrupt: It is not of that form, not for cosignatures, or the key id belongs to another name or key.
    """
    name, _, rest = word.partition("+")
    public_key = from_base64(rest.partition("+")[2], 1)[1:]
    try:
        right = cosigner_vkey(name, public_key)
        Ed25519PublicKey.from_public_bytes(public_key)
    except ValueError as error:
        raise Corrupt(f"a witness's vkey is name+id+key, was {word!r}: {error}") from error
    if word != right:
        raise Corrupt(f"the key id of {name} is wrong, or its key is not for cosignatures")
    return name, public_key


@dataclass(frozen=True, slots=True, kw_only=True)
class FraudProof:
    """Two notes that one signer cannot have signed honestly, and what shows it.

    Args:
        notes: Two notes with a signature each of the accused.
        old_root: Where the logs differ in size and slot: root of as many first leaves of the larger log as the smaller
            log has. Otherwise empty.
        proof: Consistency proof from there to the larger log; otherwise empty.
    """

    notes: tuple[str, str]
    old_root: bytes = b""
    proof: tuple[bytes, ...] = ()

    def encode(self) -> bytes:
        """Return the proof as canonical JSON."""
        return canonical_json(
            {
                "format": FRAUD_FORMAT,
                "notes": list(self.notes),
                "old_root": self.old_root.hex(),
                "proof": [hashed.hex() for hashed in self.proof],
            }
        )

    @classmethod
    def decode(cls, content: bytes) -> "FraudProof":
        """Return the proof that `encode` wrote; there is one form of each.

        Raises:
            Corrupt: It is not of that form, or above 100,000 bytes.
        """
        if len(content) > _MOST_FRAUD_BYTES:
            raise Corrupt(f"a fraud proof has {_MOST_FRAUD_BYTES} bytes at most, was {len(content)}")
        try:
            shown = msgspec.json.decode(content, type=_Shown)
            hashes = tuple(bytes.fromhex(hashed) for hashed in shown.proof)
            proof = cls(notes=shown.notes, old_root=bytes.fromhex(shown.old_root), proof=hashes)
        except (msgspec.DecodeError, ValueError) as error:
            raise Corrupt(f"a fraud proof is JSON of two notes, a root and hashes: {error}") from error
        if shown.format != FRAUD_FORMAT or proof.encode() != content:
            raise Corrupt(f"a fraud proof has one form, {FRAUD_FORMAT} without a byte more or less")
        return proof


@dataclass(frozen=True, slots=True, kw_only=True)
class Fraud:
    """What a fraud proof shows: who signed what, the smaller log first, and the rule that it breaks."""

    signer: str
    rule: str
    first: Checkpoint
    second: Checkpoint


def is_fraud_proof(content: bytes) -> bool:
    """Tell whether content says of itself that it is a fraud proof; what it shows, ask `verify_fraud_proof`."""
    return content.startswith(b'{"format":"' + FRAUD_FORMAT.encode() + b'"')


def make_fraud_proof(
    note_a: str, note_b: str, vkey: str, *, old_root: bytes = b"", proof: Sequence[bytes] = ()
) -> bytes:
    """Return the proof that a signer signed two histories, without the signatures of others.

    Args:
        note_a: A note, in either order.
        note_b: The other note.
        vkey: The accused: a log's word of `vkey`, or a witness's of `cosigner_vkey`.
        old_root: For two sizes in two slots, from whoever holds the larger log: its `tiles.root` at the smaller size.
        proof: For these too: `tiles.consistency_proof` from the smaller to the larger size.

    Raises:
        Corrupt, Refused: As `verify_fraud_proof`; what it would not believe is not made.
    """
    notes = (_signed_only_by(note_a, vkey), _signed_only_by(note_b, vkey))
    content = FraudProof(notes=notes, old_root=old_root, proof=tuple(proof)).encode()
    verify_fraud_proof(content, vkey)
    return content


def verify_fraud_proof(content: bytes, vkey: str) -> Fraud:
    """Return who signed which two checkpoints that cannot both be true; needs nothing but the accused's public key.

    Two checkpoints of one size must have the same roots, there must not be two of one slot, and of two sizes the
    smaller log must be the start of the larger one.

    Args:
        content: What `make_fraud_proof` wrote, from anybody.
        vkey: The accused: a log's word of `vkey`, or a witness's of `cosigner_vkey`, from a source that is trusted.

    Raises:
        Corrupt: The content or the word is malformed.
        Refused: It shows no fraud by that signer; names the rule that a fraud proof must keep.

    Source: a log must not sign inconsistent checkpoints, C2SP tlog-checkpoint, https://c2sp.org/tlog-checkpoint.
    """
    signer = _name(vkey)
    shown = FraudProof.decode(content)
    points = [_signed_checkpoint(note, vkey) for note in shown.notes]
    first, second = sorted(points, key=lambda point: point.size)
    if first.origin != second.origin:
        raise Refused("both notes are about one log", origin=first.origin, other=second.origin)
    return Fraud(signer=signer, rule=_broken_rule(first, second, shown), first=first, second=second)


def _broken_rule(first: Checkpoint, second: Checkpoint, shown: FraudProof) -> str:
    if first.size == second.size:
        if first.log_root != second.log_root:
            return "one size has one log root"
        if first.state_root != second.state_root:
            return "one log has one state root"
        raise Refused("the notes differ in a root", size=first.size)
    if first.slot_s == second.slot_s:
        return "one slot has one checkpoint"
    if not verify_consistency(first.size, second.size, shown.old_root, second.log_root, shown.proof):
        raise Refused("the proof leads from the old root to the larger log", size=second.size)
    if shown.old_root == first.log_root:
        raise Refused("the smaller log is not the start of the larger one", size=first.size, larger=second.size)
    return "the smaller log is the start of the larger one"


class _Shown(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    notes: tuple[str, str]
    old_root: str
    proof: list[str]


def _signed_checkpoint(note: str, word: str) -> Checkpoint:
    """Return what a signer of either kind signed."""
    name = _name(word)
    try:
        if _is_cosigner(word):
            text, _ = split_note(note)
            if not cosigned_at_s(note, [word]):
                raise Corrupt("no cosignature of that key")
        else:
            text = verify_note(note, dict([parse_vkey(word)]))
        return Checkpoint.parse(text)
    except Corrupt as error:
        raise Refused("both notes are checkpoints that the accused signed", accused=name, found=error) from error


def _signed_only_by(note: str, word: str) -> str:
    """Return a note without the signatures of other names."""
    try:
        text, lines = split_note(note)
    except Corrupt as error:
        raise Refused("both notes are checkpoints that the accused signed", accused=_name(word), found=error) from error
    kept = [line for line in lines if line.startswith(f"— {_name(word)} ")]
    return "\n".join([text, *(kept or lines[:1]), ""])


def _name(word: str) -> str:
    return (parse_cosigner_vkey(word) if _is_cosigner(word) else parse_vkey(word))[0]


def _is_cosigner(word: str) -> bool:
    encoded = word.partition("+")[2].partition("+")[2]
    return from_base64(encoded, 1)[:1] == _COSIGNATURE


def _known(vkeys: Iterable[str]) -> dict[tuple[str, bytes], tuple[str, bytes]]:
    """Return word and key of each witness by what its signature lines start with: name and key id."""
    known: dict[tuple[str, bytes], tuple[str, bytes]] = {}
    words = list(dict.fromkeys(vkeys))
    for word in words:
        name, public_key = parse_cosigner_vkey(word)
        known[name, _key_id(name, public_key)] = word, public_key
    if not len(words) == len(known) == len({public_key for _, public_key in known.values()}):
        raise InvalidValue(f"each witness has a key and a key id of its own, was {', '.join(words)}")
    return known


def _verified_time_s(text: str, name: str, public_key: bytes, signature: bytes) -> int:
    time_s = int.from_bytes(signature[:_TIME_BYTES])
    try:
        if time_s > _MOST_TIME_S:
            raise InvalidSignature
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature[_TIME_BYTES:], _message(text, time_s).encode())
    except InvalidSignature as error:
        raise Corrupt(f"the cosignature of {name} does not cover this text") from error
    return time_s


def _message(text: str, time_s: int) -> str:
    return f"cosignature/v1\ntime {time_s}\n{text}"


def _key_id(name: str, public_key: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + _COSIGNATURE + public_key).digest()[:KEY_ID_BYTES]

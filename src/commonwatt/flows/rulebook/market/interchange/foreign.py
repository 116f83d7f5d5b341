"""Read the word of another log: a leaf that its operator signed, under a checkpoint that its log signed."""

import msgspec

from commonwatt.flows.rulebook.market.interchange import interchange_bodies as bodies
from commonwatt.flows.rulebook.market.interchange.neighbours import Neighbour, Trusted
from commonwatt.identity.keys import VerifyingKey
from commonwatt.ledger.checkpoint import Checkpoint, parse_vkey, verify_note
from commonwatt.ledger.cosign import weight
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.merkle import verify_inclusion
from commonwatt.model import AccountId, CommunityId, Corrupt, InvalidValue, KeyId, Kind, Outcome, Request

Word = bodies.Prepare | bodies.Refuse


class _Told(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    author: str
    body: dict[str, object]
    community: str
    kind: str
    on_behalf_of: str
    seq: int
    signature: str


def read_word(proof: bodies.Proof, known: Neighbour) -> Word | None:
    """Return what another log has booked about an interchange, if this proves it; None for everything else.

    Whether the note is final is asked where its witnesses are known; without any, the operator alone answers for it.
    """
    try:
        point = _checkpoint(proof.note, known.trusted)
        row = LeafRow(
            position=proof.position,
            stamped_s=proof.stamped_s,
            salt=bytes.fromhex(proof.salt),
            body=proof.body.encode(),
            outcome=proof.outcome,
            author="",
            seq=0,
            owner="",
            closes=proof.closes,
        )
        path = [bytes.fromhex(step) for step in proof.path]
        if point.origin != known.community or proof.outcome is not Outcome.BOOKED:
            return None
        if not verify_inclusion(row.data(), row.position, point.size, path, point.log_root):
            return None
        return _read(row.body, known)
    except (Corrupt, InvalidValue, UnicodeEncodeError, RecursionError):
        return None


def _checkpoint(note: str, trusted: Trusted) -> Checkpoint:
    """Return the checkpoint of a note that counts.

    Raises:
        Corrupt: It does not.
    """
    point = Checkpoint.parse(verify_note(note, dict([parse_vkey(trusted.note)])))
    if trusted.cosigners and not weight(note, dict(trusted.cosigners)).is_final:
        raise Corrupt("two thirds of the witnesses' weight stand behind a checkpoint that is final")
    return point


def _read(head: bytes, known: Neighbour) -> Word | None:
    """Return the body of a request that the other operator signed.

    Raises:
        InvalidValue: It is none.
    """
    try:
        told = msgspec.json.decode(head, type=_Told)
        body = msgspec.convert(told.body, bodies.InterchangeBody)
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidValue(f"a word is a request about an interchange: {error}") from error
    key = VerifyingKey(bytes.fromhex(known.trusted.operator))
    request = Request(
        community=CommunityId(told.community),
        kind=Kind.INTERCHANGE,
        author=KeyId(told.author),
        seq=told.seq,
        on_behalf_of=AccountId(told.on_behalf_of),
        body=told.body,
        signature=told.signature,
    )
    ours = (told.kind, told.community, told.author) == (Kind.INTERCHANGE.value, known.community, key.id)
    if not ours or request.head_bytes() != head or not key.verify(request.signed_bytes(), told.signature):
        return None
    return body if isinstance(body, bodies.Prepare | bodies.Refuse) else None

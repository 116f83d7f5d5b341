"""Receipts on arrival: the operator promises in writing where and when a request will stand, and can be held to it.

One signature covers all requests that arrived together; each can be shown alone. What is promised is about the bytes
that arrived, a batch's records among them: under its head alone, somebody could send records that no log takes and show
other ones afterwards. A promise is broken when a signed checkpoint is past the promised place or time and its state
says that the author's number was never used; and when the request stands behind either, see `belated`.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta, Struct

from commonwatt.flows.evidence import ShownLeaf, Step, climbed, encode
from commonwatt.flows.intake import check_batch, read_head, read_request
from commonwatt.flows.prove import shown_leaf, sided_path
from commonwatt.flows.rulebook import State, bodies
from commonwatt.flows.rulebook.bodies import Alg, Hash, PublicKey
from commonwatt.flows.rulebook.state import CHAIN_SECTIONS, SECTIONS
from commonwatt.identity.keys import SECP256K1, SigningKey, VerifyingKey
from commonwatt.identity.p256 import AnyVerifyingKey, verifying_key
from commonwatt.kernels.sha256 import leaf_hashes, ragged_hashes, tree_root
from commonwatt.ledger.checkpoint import Checkpoint, parse_vkey, read_note, verify_note
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.merkle import MerkleTree, merkle_root, verify_inclusion
from commonwatt.model import CommunityId, InvalidValue, Kind, Outcome, Refused, Request, canonical_json

WITHHELD_FORMAT = "commonwatt-withheld-1"
STAMPED_WITHIN_S = 30
"""What a door promises: seconds from arrival to the log's time of a request, many times what a full door takes."""
NUMBER_ROW_BYTES = 28
"""A key's address and its next sequence number, see `State.number_rows`."""
_NUMBERS = SECTIONS.index("numbers")


class Receipt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The operator's word for requests that arrived together.

    Args:
        community: Whose log.
        arrived_s: When, by the operator's clock, seconds since 1970.
        count: How many requests arrived together.
        root: Merkle root over the SHA-256 of each as it travelled, in the order in which they arrived; hex.
        stands_by: The latest position at which any of them will stand, if it is admitted at all.
        stamped_by_s: The latest time that the log will give any of them.
        signature: The operator's, over the RFC 8785 form of the rest.
    """

    community: CommunityId
    arrived_s: int
    count: int
    root: str
    stands_by: int
    stamped_by_s: int
    signature: str = ""

    def signed_bytes(self) -> bytes:
        """Return what the signature covers."""
        plain = msgspec.to_builtins(self)
        del plain["signature"]
        return canonical_json(plain)


def give_receipt(
    key: SigningKey, community: CommunityId, wires: Sequence[bytes], arrived_s: int, stands_by: int
) -> Receipt:
    """Return the signed receipt for requests that arrived together: each stands within `STAMPED_WITHIN_S` of now.

    Args:
        key: The operator's.
        community: Whose log.
        wires: They as they travelled, batches with their records; one or more.
        arrived_s: When.
        stands_by: The latest position at which any will stand.

    Raises:
        InvalidValue: Nothing arrived.
    """
    if not wires:
        raise InvalidValue("a receipt is for something that arrived")
    receipt = Receipt(
        community=community,
        arrived_s=arrived_s,
        count=len(wires),
        root=_root(wires).hex(),
        stands_by=stands_by,
        stamped_by_s=arrived_s + STAMPED_WITHIN_S,
    )
    return msgspec.structs.replace(receipt, signature=key.sign(receipt.signed_bytes()))


def _root(wires: Sequence[bytes]) -> bytes:
    """Return the root over requests as they travelled, as `receipt_path` has it, hashed without the interpreter."""
    ends = np.cumsum([0, *map(len, wires)])
    return tree_root(leaf_hashes(ragged_hashes(np.frombuffer(b"".join(wires), np.uint8), ends[:-1], ends[1:])))


def receipt_path(wires: Sequence[bytes], index: int) -> list[bytes]:
    """Return the path from one of the requests to a receipt's root; whoever sent them all can make it alone."""
    return MerkleTree(sha256(wire).digest() for wire in wires).inclusion_proof(index, len(wires))


def check_receipt(receipt: Receipt, operator: VerifyingKey, wire: bytes, index: int, path: Sequence[bytes]) -> None:
    """Hold a receipt against the operator's key and one request that it is for.

    Raises:
        Refused: It is not signed by the operator, or not for this request.
        InvalidValue: It tells a number that nobody can sign.
    """
    if not operator.verify(receipt.signed_bytes(), receipt.signature):
        raise Refused("a receipt is signed by the operator", operator=operator.id)
    root = _unhexed(receipt.root)
    if not verify_inclusion(sha256(wire).digest(), index, receipt.count, path, root):
        raise Refused("a receipt is for this request", index=index, count=receipt.count)


class Promised(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What every claim about a broken promise shows.

    Args:
        format: Which claim it is.
        receipt: The operator's promise.
        records: What travelled behind the request, hex; none but for a batch.
        public: The author's public key.
        alg: Its curve; told only where it is not secp256k1.
        index: Which of the requests that arrived together.
        path: From there to the receipt's root.
        before: The leaf that made the author's number due: its request with the number before, for its first request
            the key's registration.
        note: A signed checkpoint.
    """

    format: str
    receipt: Receipt
    records: Annotated[str, Meta(pattern=r"^([0-9a-f][0-9a-f])*\Z")]
    public: PublicKey
    alg: Alg = SECP256K1
    index: Annotated[int, Meta(ge=0)]
    path: list[Hash]
    before: ShownLeaf
    note: str

    def author(self) -> AnyVerifyingKey:
        """Return the author's key.

        Raises:
            InvalidValue: It is no point of its curve.
        """
        return verifying_key(_unhexed(self.public), self.alg)

    def travelled(self, head: str) -> bytes:
        """Return the request as it travelled, from its canonical bytes as text."""
        return head.encode() + (b"\n" + bytes.fromhex(self.records) if self.records else b"")


class Withheld(Promised, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shows that a promised request never came to stand: all that `check_withheld` needs, and nothing else.

    Its ``format`` is `WITHHELD_FORMAT`, its ``note`` past the promised place or time.

    Args:
        head: The request, its canonical bytes as text.
        sections: The roots that its state root is made of.
        number: The author's row among the numbers of that state, hex.
        number_path: From there to the numbers' root; the sides tell its place, which nothing else is signed to.
    """

    head: str
    sections: list[Hash]
    number: str
    number_path: list[Step]

    def wire(self) -> bytes:
        """Return the request as it travelled."""
        return self.travelled(self.head)


def make_withheld(
    state: State,
    tree: MerkleTree,
    rows: Sequence[LeafRow],
    note: str,
    receipt: Receipt,
    wires: Sequence[bytes],
    index: int,
) -> bytes:
    """Return the claim that a promised request was withheld; who watches a log can make it for the sender.

    Args:
        state: As of the note.
        tree: Over the leaves that the note covers, or more.
        rows: The log's leaves.
        note: A signed checkpoint past the promised place or time.
        receipt: The promise.
        wires: All that arrived together under it.
        index: Which of them is missing.

    Returns:
        JSON, for `commonwatt.flows.verify.verify_file`.

    Raises:
        Refused: The author is unknown, or what made its number due cannot be shown.
        InvalidValue: The request cannot be read.
        Corrupt: The note holds no checkpoint.
    """
    head, _, records = wires[index].partition(b"\n")
    request, size = read_head(head), read_note(note).size
    author = state.keys.get(request.author)
    if author is None:
        raise Refused("a promise to somebody unknown is none", author=request.author)
    if (before := leaf_before(rows[:size], request, author.verifying)) is None:
        raise Refused("the leaf that made the number due is there", author=request.author, number=request.seq)
    numbers = [row.tobytes() for row in state.number_rows()]
    case = Withheld(
        format=WITHHELD_FORMAT,
        receipt=receipt,
        head=head.decode(),
        records=records.hex(),
        public=author.verifying.public.hex(),
        alg=author.verifying.alg,
        index=index,
        path=[step.hex() for step in receipt_path(wires, index)],
        before=shown_leaf(before, tree, size),
        note=note,
        sections=[section.hex() for section in state.sections()],
        number=numbers[author.number].hex(),
        number_path=sided_path(MerkleTree(numbers), author.number),
    )
    return encode(case)


def check_withheld(case: Withheld, operator: VerifyingKey, note_vkey: str) -> str:
    """Return in words what an operator did who promised a place and a time and held the request back.

    That the request was sent at all is in the receipt. One that was not admitted is no broken promise, and whoever
    accuses could have invented it: so it must be one that the log would have taken, whole, signed by its author and
    under the number that was due when it arrived and is due still. A checkpoint is no ground for a claim: the log takes
    one only in the moment for which it was made.

    Two requests of one author within one second may leave it open which number was due; the second is then sent again
    for a receipt of its own. What is not shown: an operator whose clock stepped back in between.

    Args:
        case: As the sender tells it.
        operator: The key that signs receipts.
        note_vkey: The key that signs checkpoints.

    Raises:
        Refused: The case does not show it; says why.
        Corrupt, InvalidValue: The note, the key or the request cannot be read.
    """
    if case.format != WITHHELD_FORMAT:
        raise Refused(f"a claim is of format {WITHHELD_FORMAT}", found=case.format[:80])
    request, point = check_promise(case, case.wire(), operator, note_vkey)
    promised = case.receipt
    if point.size <= promised.stands_by and point.slot_s <= promised.stamped_by_s:
        raise Refused(
            "the checkpoint is past the promised place or time",
            size=point.size,
            promised=promised.stands_by,
            slot_s=point.slot_s,
            promised_s=promised.stamped_by_s,
        )
    _check_due_still(case, request, point)
    return (
        f"{request.author} sent request {request.seq}, promised to stand by position {promised.stands_by} and"
        f" {promised.stamped_by_s} s; at {point.size} leaves and {point.slot_s} s the log has never seen it"
    )


def check_promise(case: Promised, wire: bytes, operator: VerifyingKey, note_vkey: str) -> tuple[Request, Checkpoint]:
    """Return the request that a promise was for, which the log would have taken when it arrived, and the checkpoint.

    Raises:
        Refused: The case does not show it; says why.
        Corrupt, InvalidValue: The note, the key or the request cannot be read.
    """
    check_receipt(case.receipt, operator, wire, case.index, [_unhexed(step) for step in case.path])
    name, public = parse_vkey(note_vkey)
    point = Checkpoint.parse(verify_note(case.note, {name: public}))
    request = _admissible(wire, case.author())
    names = {"receipt": case.receipt.community, "request": request.community, "checkpoint": point.origin}
    if len(set(names.values())) != 1:
        raise Refused("receipt, request and checkpoint are of one community", **names)
    _check_due_before(case, request, point)
    return request, point


def _admissible(wire: bytes, author: AnyVerifyingKey) -> Request:
    """Return a request that a log in which its number is due would admit."""
    request = read_request(wire)
    body = bodies.read_body(request.kind, request.body)
    if isinstance(body, bodies.ReadingBatch | bodies.OrderBatch):
        check_batch(request, body)
    if request.wire_bytes() != wire:
        raise Refused("what is shown is the request and nothing behind it", found=len(wire))
    if request.kind is Kind.CHECKPOINT:
        raise Refused("a checkpoint is good for one moment only, and no ground for a claim", author=request.author)
    if author.id != request.author:
        raise Refused("the key shown is the author's", author=request.author, found=author.id)
    if not author.verify(request.signed_bytes(), request.signature):
        raise Refused("a request is signed by its author", author=request.author)
    return request


def _check_due_before(case: Promised, request: Request, point: Checkpoint) -> None:
    """See that the number was due when the request arrived, and not only later."""
    shown = case.before
    row = check_shown(shown, point)
    if not _made_due(row, request, case.author()):
        raise Refused("the leaf shown made the number due", position=row.position, number=request.seq)
    if row.stamped_s >= case.receipt.arrived_s:
        raise Refused(
            "the number was due before the request arrived", stamped_s=row.stamped_s, arrived_s=case.receipt.arrived_s
        )


def check_shown(shown: ShownLeaf, point: Checkpoint) -> LeafRow:
    """Return a leaf of which it is shown that it stands in the log that was signed."""
    row = shown.row()
    proof = [_unhexed(step) for step in shown.proof]
    if not verify_inclusion(row.data(), row.position, point.size, proof, point.log_root):
        raise Refused("a leaf is in the log that was signed", position=row.position, size=point.size)
    return row


def leaf_before(rows: Sequence[LeafRow], request: Request, author: AnyVerifyingKey) -> LeafRow | None:
    """Return the leaf after which a request's number was due, or None."""
    # Most leaves are about something else; their columns and bytes tell, before anything is decoded.
    last, public = (request.author, request.seq - 1), author.public.hex().encode()
    near = (row for row in rows if (row.author, row.seq) == last or (request.seq == 1 and public in row.body))
    return next((row for row in near if _made_due(row, request, author)), None)


def _made_due(row: LeafRow, request: Request, author: AnyVerifyingKey) -> bool:
    """Tell whether after this leaf a request's number was due."""
    told = read_head(row.body)
    if request.seq > 1:
        return (told.author, told.seq) == (request.author, request.seq - 1)
    if row.outcome is not Outcome.BOOKED or told.kind is not Kind.REGISTER:
        return False
    named = told.body.get("public"), told.body.get("alg")
    return told.body.get("what") in ("key", "gateway") and named == (author.public.hex(), author.alg)


def _check_due_still(case: Withheld, request: Request, point: Checkpoint) -> None:
    """See that in the signed state the number was never used."""
    sections = [_unhexed(section) for section in case.sections]
    if len(sections) not in (len(SECTIONS), len(CHAIN_SECTIONS)) or merkle_root(sections) != point.state_root:
        raise Refused("the sections make up the signed state root")
    row = _unhexed(case.number)
    if len(row) != NUMBER_ROW_BYTES or climbed(row, case.number_path) != sections[_NUMBERS]:
        raise Refused("the author's number is in the signed state", author=request.author)
    address, due = "0x" + row[:20].hex(), int.from_bytes(row[20:])
    if address != request.author or due != request.seq:
        raise Refused("the number is the one that was due", author=request.author, due=due, found=request.seq)


def _unhexed(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise Refused("what is shown of a tree is hex digits", found=text[:80]) from error

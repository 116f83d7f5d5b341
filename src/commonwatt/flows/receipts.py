"""Receipts on arrival: the operator promises in writing where a request will stand, so that a broken promise shows.

One signature covers all requests that arrived together; each can be shown alone. A promise is broken when a signed
checkpoint is past the promised place and its state says that the author's number was never used.
"""

from collections.abc import Sequence
from hashlib import sha256

import msgspec
from msgspec import Struct

from commonwatt.flows.intake import read_head
from commonwatt.flows.rulebook.state import SECTIONS
from commonwatt.identity.keys import SigningKey, VerifyingKey
from commonwatt.ledger.checkpoint import Checkpoint, parse_vkey, verify_note
from commonwatt.ledger.merkle import MerkleTree, merkle_root, verify_inclusion
from commonwatt.model import CommunityId, InvalidValue, Refused, canonical_json

NUMBER_ROW_BYTES = 28
"""A key's address and its next sequence number, see `State.number_rows`."""
_NUMBERS = SECTIONS.index("numbers")


class Receipt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The operator's word for requests that arrived together.

    Args:
        community: Whose log.
        arrived_s: When, by the operator's clock, seconds since 1970.
        count: How many requests arrived together.
        root: Merkle root over the SHA-256 of their heads, in the order in which they arrived; hex.
        stands_by: The latest position at which any of them will stand, if it is admitted at all.
        signature: The operator's, over the RFC 8785 form of the rest.
    """

    community: CommunityId
    arrived_s: int
    count: int
    root: str
    stands_by: int
    signature: str = ""

    def signed_bytes(self) -> bytes:
        """Return what the signature covers."""
        plain = msgspec.to_builtins(self)
        del plain["signature"]
        return canonical_json(plain)


def give_receipt(
    key: SigningKey, community: CommunityId, heads: Sequence[bytes], arrived_s: int, stands_by: int
) -> Receipt:
    """Return the signed receipt for requests that arrived together.

    Args:
        key: The operator's.
        community: Whose log.
        heads: Their canonical bytes, without the records of batches; one or more.
        arrived_s: When.
        stands_by: The latest position at which any will stand.

    Raises:
        InvalidValue: Nothing arrived.
    """
    if not heads:
        raise InvalidValue("a receipt is for something that arrived")
    receipt = Receipt(
        community=community,
        arrived_s=arrived_s,
        count=len(heads),
        root=merkle_root(sha256(head).digest() for head in heads).hex(),
        stands_by=stands_by,
    )
    return msgspec.structs.replace(receipt, signature=key.sign(receipt.signed_bytes()))


def receipt_path(heads: Sequence[bytes], index: int) -> list[bytes]:
    """Return the path from one of the requests to a receipt's root; whoever sent them all can make it alone."""
    return MerkleTree(sha256(head).digest() for head in heads).inclusion_proof(index, len(heads))


def check_receipt(receipt: Receipt, operator: VerifyingKey, head: bytes, index: int, path: Sequence[bytes]) -> None:
    """Hold a receipt against the operator's key and one request that it is for.

    Raises:
        Refused: It is not signed by the operator, or not for this request.
        InvalidValue: It tells a number that nobody can sign.
    """
    if not operator.verify(receipt.signed_bytes(), receipt.signature):
        raise Refused("a receipt is signed by the operator", operator=operator.id)
    root = _unhexed(receipt.root)
    if not verify_inclusion(sha256(head).digest(), index, receipt.count, path, root):
        raise Refused("a receipt is for this request", index=index, count=receipt.count)


class Withheld(Struct, frozen=True, kw_only=True):
    """What shows that a promised request never came to stand: all that `check_withheld` needs.

    ``number`` is the author's row among the numbers of the checkpoint's state, with its place and path.
    """

    receipt: Receipt
    head: str
    index: int
    path: list[str]
    note: str
    sections: list[str]
    number: str
    number_index: int
    number_count: int
    number_path: list[str]


def check_withheld(case: Withheld, operator: VerifyingKey, note_vkey: str) -> str:
    """Return in words what an operator did who promised a place and held the request back.

    That the request was sent at all is in the receipt. A request that was not admitted (malformed, of an unknown key,
    with a wrong number) is no broken promise; so the number must be the very one that was due.

    Args:
        case: As the sender tells it.
        operator: The key that signs receipts.
        note_vkey: The key that signs checkpoints.

    Raises:
        Refused: The case does not show it; says why.
        Corrupt, InvalidValue: The note, the key or the request cannot be read.
    """
    head = case.head.encode()
    check_receipt(case.receipt, operator, head, case.index, [_unhexed(step) for step in case.path])
    name, public = parse_vkey(note_vkey)
    point = Checkpoint.parse(verify_note(case.note, {name: public}))
    if point.size <= case.receipt.stands_by:
        raise Refused("the checkpoint is past the promised place", size=point.size, promised=case.receipt.stands_by)
    sections = [_unhexed(section) for section in case.sections]
    if len(sections) != len(SECTIONS) or merkle_root(sections) != point.state_root:
        raise Refused("the sections make up the signed state root")
    row, request = _unhexed(case.number), read_head(head)
    path = [_unhexed(step) for step in case.number_path]
    if len(row) != NUMBER_ROW_BYTES or not verify_inclusion(
        row, case.number_index, case.number_count, path, sections[_NUMBERS]
    ):
        raise Refused("the author's number is in the signed state", author=request.author)
    address, due = "0x" + row[:20].hex(), int.from_bytes(row[20:])
    if address != request.author or due != request.seq:
        raise Refused("the number is the one that was due", author=request.author, due=due, found=request.seq)
    return (
        f"{request.author} sent request {request.seq}, promised to stand by position {case.receipt.stands_by};"
        f" at {point.size} leaves the log has never seen it"
    )


def _unhexed(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise Refused("what is shown of a tree is hex digits", found=text[:80]) from error

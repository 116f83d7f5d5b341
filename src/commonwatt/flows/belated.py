"""Broken promises of a request that does stand in the log: behind its promised place, or later than it was promised.

Who writes a log may want a request to stand, only not yet: behind others, or once its moment is over. The first breaks
the place that a receipt promises, the second its time.
"""

from collections.abc import Sequence

from commonwatt.flows.evidence import ShownLeaf, encode
from commonwatt.flows.intake import read_head
from commonwatt.flows.prove import shown_leaf
from commonwatt.flows.receipts import Promised, Receipt, check_promise, check_shown, leaf_before, receipt_path
from commonwatt.flows.rulebook import State
from commonwatt.identity.keys import VerifyingKey
from commonwatt.ledger.checkpoint import read_note
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.merkle import MerkleTree
from commonwatt.model import Refused

BELATED_FORMAT = "commonwatt-belated-1"


class Belated(Promised, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shows that a promised request stands too late: all that `check_belated` needs, and nothing else.

    Its ``format`` is `BELATED_FORMAT`.

    Args:
        leaf: Where the request stands, with its path under the checkpoint.
    """

    leaf: ShownLeaf

    def wire(self) -> bytes:
        """Return the request as it travelled."""
        return self.travelled(self.leaf.body)


def make_belated(
    state: State,
    tree: MerkleTree,
    rows: Sequence[LeafRow],
    note: str,
    receipt: Receipt,
    wires: Sequence[bytes],
    index: int,
) -> bytes:
    """Return the claim that a promised request stands too late; who watches a log can make it for the sender.

    Args:
        state: As of the note, or later.
        tree: Over the leaves that the note covers, or more.
        rows: The log's leaves.
        note: A signed checkpoint over the request's leaf.
        receipt: The promise.
        wires: All that arrived together under it.
        index: Which of them stands too late.

    Returns:
        JSON, for `commonwatt.flows.verify.verify_file`.

    Raises:
        Refused: The author is unknown, the request does not stand there, or what made its number due cannot be shown.
        InvalidValue: The request cannot be read.
        Corrupt: The note holds no checkpoint.
    """
    head, _, records = wires[index].partition(b"\n")
    request, size = read_head(head), read_note(note).size
    author = state.keys.get(request.author)
    row = next((row for row in rows[:size] if row.body == head), None)
    if author is None or row is None:
        raise Refused("a request that stands too late stands in the log", author=request.author, number=request.seq)
    if (before := leaf_before(rows[:size], request, author.verifying)) is None:
        raise Refused("the leaf that made the number due is there", author=request.author, number=request.seq)
    case = Belated(
        format=BELATED_FORMAT,
        receipt=receipt,
        records=records.hex(),
        public=author.verifying.public.hex(),
        alg=author.verifying.alg,
        index=index,
        path=[step.hex() for step in receipt_path(wires, index)],
        before=shown_leaf(before, tree, size),
        note=note,
        leaf=shown_leaf(row, tree, size),
    )
    return encode(case)


def check_belated(case: Belated, operator: VerifyingKey, note_vkey: str) -> str:
    """Return in words what an operator did who promised a place and a time and let the request stand behind either.

    As for `commonwatt.flows.receipts.check_withheld` the request must be one that the log would have taken when it
    arrived: under a number that was not due yet it was not admitted, and stands where it was sent again.

    Args:
        case: As the sender tells it.
        operator: The key that signs receipts.
        note_vkey: The key that signs checkpoints.

    Raises:
        Refused: The case does not show it; says why.
        Corrupt, InvalidValue: The note, the key or the request cannot be read.
    """
    if case.format != BELATED_FORMAT:
        raise Refused(f"a claim is of format {BELATED_FORMAT}", found=case.format[:80])
    request, point = check_promise(case, case.wire(), operator, note_vkey)
    row, promised = check_shown(case.leaf, point), case.receipt
    if row.position <= promised.stands_by and row.stamped_s <= promised.stamped_by_s:
        raise Refused(
            "the request stands behind the promised place or time",
            position=row.position,
            promised=promised.stands_by,
            stamped_s=row.stamped_s,
            promised_s=promised.stamped_by_s,
        )
    return (
        f"{request.author} sent request {request.seq}, promised to stand by position {promised.stands_by} and"
        f" {promised.stamped_by_s} s; it stands at position {row.position} and {row.stamped_s} s"
    )

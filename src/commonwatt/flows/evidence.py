"""What an evidence bundle and a trust file hold, and the one form in which a bundle travels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.bodies import Hash
from commonwatt.flows.rulebook.state import CHAIN_SECTIONS, SECTIONS
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.merkle import leaf_hash, node_hash
from commonwatt.model import AccountId, Corrupt, Entry, Memo, Outcome, Refused, Request, Trade

EVIDENCE_FORMAT = "commonwatt-evidence-1"
CHAIN_FORMAT = "commonwatt-chain-1"
TRUST_FORMAT = "commonwatt-trust-1"
LATE = (Memo.LATE_IMPORT, Memo.LATE_EXPORT, Memo.CORRECTED_IMPORT, Memo.CORRECTED_EXPORT)
"""The memos of what a reading changed that came, or was corrected, after its slot was settled."""
SETTLED = (Memo.TRADE, Memo.WATT_DELIVERY, Memo.GRID_IMPORT, Memo.GRID_EXPORT, *LATE)
"""The memos of what a bundle shows: how the registers of a member's connection were settled, energy and money."""
Step = Annotated[str, Meta(pattern=r"^(left|right) [0-9a-f]{64}\Z")]


class ShownLeaf(Struct, frozen=True, kw_only=True):
    """A leaf of the log, its request as the text of its canonical bytes, and its inclusion proof."""

    body: str
    closes: bool
    outcome: Outcome
    position: int
    proof: list[Hash]
    salt: Hash
    stamped_s: int

    def row(self) -> LeafRow:
        """Return the leaf; whose it is stands in its request alone.

        Raises:
            InvalidValue: No log holds such a leaf.
        """
        return LeafRow(
            position=self.position,
            stamped_s=self.stamped_s,
            salt=bytes.fromhex(self.salt),
            body=self.body.encode(),
            outcome=self.outcome,
            author="",
            seq=0,
            owner="",
            closes=self.closes,
        )


class ShownItem(Struct, frozen=True, kw_only=True):
    """One record of the shown batch of readings, 48 bytes in hex, where it stands there, and its path to the root."""

    record: Annotated[str, Meta(pattern=r"^[0-9a-f]{96}\Z")]
    index: Annotated[int, Meta(ge=0)]
    path: list[Hash]


class ShownEntry(Struct, frozen=True, kw_only=True):
    """An entry and its way up the entry tree: on each step which side the sibling stands on, and its hash."""

    entry: Entry
    path: list[Step]


class Bundle(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Evidence about one account in one slot; leaves and entries stand in the order of their trees.

    ``reading`` is the record that is believed now. Where it corrects others that the slot was settled from, ``older``
    are these, in the order in which they came; each is of a batch of its own, and the leaves of all are shown.
    """

    format: str
    community: str
    account: AccountId
    slot_s: int
    note: str
    sections: Annotated[list[Hash], Meta(min_length=len(SECTIONS), max_length=len(CHAIN_SECTIONS))]
    leaves: list[ShownLeaf]
    reading: ShownItem
    entries: list[ShownEntry]
    trades: list[Trade]
    older: list[ShownItem] = []


class Chain(Struct, frozen=True, kw_only=True):
    """Evidence about one asset in one slot, from what was asked of it to what flowed; leaves stand in log order.

    ``expected_wh`` is the schedule's word for this slot, ``measured_wh`` the meter's: import minus export.
    """

    format: str
    community: str
    asset: str
    slot_s: int
    note: str
    leaves: list[ShownLeaf]
    reading: ShownItem
    expected_wh: int
    measured_wh: int


class Trust(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to believe: the operator's secp256k1 key in hex, the C2SP vkey that signed the note, and the witnesses.

    A note that witnesses with two thirds of the weight cosigned is final; with fewer only the operator answers for it.
    In a rehearsal all keys follow from a seed that anyone can read: it shows how evidence works, and proves nothing.
    """

    format: str
    community: str
    operator: bodies.PublicKey
    note: str
    witnesses: tuple[bodies.Witness, ...]
    rehearsal: bool


def read_trust(content: bytes | str) -> Trust:
    """Return the trust file that `commonwatt.flows.prove.trust_file` wrote.

    Raises:
        Corrupt: The content is no trust file.
    """
    try:
        trust = msgspec.json.decode(content, type=Trust)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Corrupt(f"a trust file holds a community's public keys: {error}") from error
    if trust.format != TRUST_FORMAT:
        raise Corrupt(f"a trust file is of format {TRUST_FORMAT}, was {trust.format!r}")
    return trust


@dataclass(frozen=True, slots=True)
class Said:
    """A shown leaf, read."""

    row: LeafRow
    request: Request
    body: object


def climbed(data: bytes, path: Sequence[str]) -> bytes:
    """Return the root to which a leaf's data leads, up a path of steps that tell their sides, see `ShownEntry`."""
    root = leaf_hash(data)
    for step in path:
        side, _, sibling = step.partition(" ")
        pair = (bytes.fromhex(sibling), root) if side == "left" else (root, bytes.fromhex(sibling))
        root = node_hash(*pair)
    return root


def encode(value: object) -> bytes:
    """Return the one form in which a bundle may travel: JSON, names sorted, one space of indent, UTF-8."""
    return msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=1) + b"\n"


def need(holds: bool, rule: str, **found: object) -> None:
    """Refuse, with the rule and what was found, where something does not hold."""
    if not holds:
        raise Refused(rule, **found)

"""What an evidence bundle and a trust file hold, and the one form in which a bundle travels."""

from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from commonwatt.flows.rulebook import bodies
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import AccountId, Entry, Outcome, Refused, Request, Trade, canonical_json

EVIDENCE_FORMAT = "commonwatt-evidence-1"
TRUST_FORMAT = "commonwatt-trust-1"
SETTLED = ("trade", "watt delivery", "grid import", "grid export", "late import", "late export")
"""The memos of what a bundle shows: how the registers of a member's connection were settled, energy and money."""
Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Step = Annotated[str, Meta(pattern=r"^(left|right) [0-9a-f]{64}\Z")]


class ShownLeaf(Struct, frozen=True, kw_only=True):
    """A leaf of the log, its request as the text of its canonical bytes, and its inclusion proof."""

    body: str
    outcome: Outcome
    position: int
    proof: list[Hash]
    salt: Hash
    stamped_s: int


class ShownEntry(Struct, frozen=True, kw_only=True):
    """An entry and its way up the entry tree: on each step which side the sibling stands on, and its hash."""

    entry: Entry
    path: list[Step]


class Bundle(Struct, frozen=True, kw_only=True):
    """Evidence about one account in one slot; leaves and entries stand in the order of their trees."""

    format: str
    community: str
    account: AccountId
    slot_s: int
    note: str
    sections: Annotated[list[Hash], Meta(min_length=5, max_length=5)]
    leaves: list[ShownLeaf]
    entries: list[ShownEntry]
    trades: list[Trade]


class Trust(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to believe: the operator's secp256k1 key in hex, and C2SP vkeys that must all have signed the note.

    In a rehearsal all keys follow from a seed that anyone can read: it shows how evidence works, and proves nothing.
    """

    format: str
    community: str
    operator: bodies.PublicKey
    note: str
    witnesses: list[str]
    rehearsal: bool


@dataclass(frozen=True, slots=True)
class Said:
    """A shown leaf, read."""

    row: LeafRow
    request: Request
    body: object


def encode(value: object) -> bytes:
    """Return the one form in which a bundle may travel: JSON, names sorted, one space of indent, UTF-8."""
    return msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=1) + b"\n"


def entry_leaf(entry: Entry) -> bytes:
    """Return an entry's leaf data in the entry tree: its canonical bytes."""
    return canonical_json(msgspec.to_builtins(entry))


def need(holds: bool, rule: str, **found: object) -> None:
    """Refuse, with the rule and what was found, where something does not hold."""
    if not holds:
        raise Refused(rule, **found)

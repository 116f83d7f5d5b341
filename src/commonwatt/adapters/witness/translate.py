"""Leaves and cosignatures as they travel between a log and its witnesses: JSON, bytes in base64."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import MAX_SAFE_INTEGER, Corrupt, InvalidValue, Outcome

_Whole = Annotated[int, Meta(ge=0, le=MAX_SAFE_INTEGER)]


class _Leaf(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    position: _Whole
    stamped_s: _Whole
    salt: bytes
    body: bytes
    outcome: Outcome
    author: str
    seq: _Whole
    owner: str
    closes: bool
    items: bytes


class Posted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a witness hands in: for which size, its line for the note, and its signature for contracts."""

    size: _Whole
    line: Annotated[str, Meta(max_length=1_000)]
    typed: Annotated[str, Meta(pattern=r"^[0-9a-f]{128}\Z")]


def write_leaves(rows: Sequence[LeafRow]) -> bytes:
    """Return leaves as they are handed to a witness: all that the rulebook reads, and nothing personal."""
    return msgspec.json.encode(
        [
            _Leaf(
                position=row.position,
                stamped_s=row.stamped_s,
                salt=row.salt,
                body=row.body,
                outcome=row.outcome,
                author=row.author,
                seq=row.seq,
                owner=row.owner,
                closes=row.closes,
                items=row.items,
            )
            for row in rows
        ]
    )


def read_leaves(content: bytes) -> list[LeafRow]:
    """Return the leaves that `write_leaves` wrote.

    Raises:
        Corrupt: The content is of another form, or a leaf of it is impossible.
    """
    try:
        told = msgspec.json.decode(content, type=list[_Leaf])
        return [
            LeafRow(
                position=leaf.position,
                stamped_s=leaf.stamped_s,
                salt=leaf.salt,
                body=leaf.body,
                outcome=leaf.outcome,
                author=leaf.author,
                seq=leaf.seq,
                owner=leaf.owner,
                closes=leaf.closes,
                items=leaf.items,
            )
            for leaf in told
        ]
    except (msgspec.MsgspecError, InvalidValue, ValueError, RecursionError) as error:
        raise Corrupt(f"what came for leaves holds none: {error}") from error


def read_posted(content: bytes) -> Posted:
    """Return what a witness handed in.

    Raises:
        Corrupt: The content is of another form.
    """
    try:
        return msgspec.json.decode(content, type=Posted)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Corrupt(f"a cosignature is handed in as size, line and typed: {error}") from error

"""A leaf at rest: one admitted request as the log keeps it."""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from commonwatt.kernels.sha256 import wrapped_hashes
from commonwatt.ledger.merkle import SALT_BYTES, salted
from commonwatt.model import InvalidValue, Outcome

_LENGTH_BYTES = 4
_ADMITTED = frozenset(outcome for outcome in Outcome if outcome.admitted)


class LeafRow(Struct, frozen=True, kw_only=True, gc=False):
    """One row of the log.

    Args:
        position: Where it stands, from 0, without gaps.
        stamped_s: When the log took it in, whole seconds since 1970.
        salt: 32 bytes; with the body it makes the leaf data, see `commonwatt.ledger.merkle.salted`.
        body: What was admitted, canonical bytes with the signature.
        outcome: What became of it.
        author: Whose key signed it, and ``seq`` that key's running number: under these a repeat is found again.
        owner: The account that it was for: under whose key it rests.
        closes: Whether it is the last of those that were decided together; what has come due is settled after it.
        items: Packed records of a batch, to which the body commits by their root.
        personal: Personal fields of a batch, to which the body commits by their salted hash; may be gone.

    Raises:
        InvalidValue: The position is below zero, the salt has another length, or the outcome says that the
            request was never admitted.
    """

    position: int
    stamped_s: int
    salt: bytes
    body: bytes
    outcome: Outcome
    author: str
    seq: int
    owner: str
    closes: bool
    items: bytes = b""
    personal: bytes = b""

    def __post_init__(self) -> None:
        # Asked first whether anything is wrong at all: there are some ten thousand of these a second.
        if self.position >= 0 and len(self.salt) == SALT_BYTES and self.outcome in _ADMITTED:
            return
        if self.position < 0:
            raise InvalidValue(f"a position is zero or more, was {self.position}")
        if len(self.salt) != SALT_BYTES:
            raise InvalidValue(f"the salt of leaf {self.position} has {SALT_BYTES} bytes, was {len(self.salt)}")
        if not self.outcome.admitted:
            raise InvalidValue(f"only an admitted request stands in the log, leaf {self.position} was {self.outcome}")

    def record(self) -> bytes:
        """Return the canonical bytes that stand for the leaf: request, outcome, time and place together.

        The body is canonical JSON itself, and the four names are in order, so the whole is canonical too.
        """
        return _before(self.closes, self.outcome) + self.body + _after(self.stamped_s)

    def data(self) -> bytes:
        """Return the leaf data of the log's tree: the salted hash of the record."""
        return salted(self.salt, self.record())


def row_hashes(rows: Sequence[LeafRow]) -> NDArray[np.uint8]:
    """Return the leaf hash of each row in the log's tree, written and hashed without the interpreter.

    `LeafRow.data` under `commonwatt.ledger.merkle.leaf_hash` is its slow twin.

    Args:
        rows: All of one moment, as what was decided together is; n rows.

    Returns:
        (n, 32) bytes.
    """
    words = {(row.closes, row.outcome) for row in rows}
    numbers = {word: number for number, word in enumerate(words)}
    return wrapped_hashes(
        [row.salt for row in rows],
        [row.body for row in rows],
        [_before(closes, outcome) for closes, outcome in numbers],
        [numbers[row.closes, row.outcome] for row in rows],
        _after(rows[0].stamped_s if rows else 0),
    )


def _before(closes: bool, outcome: Outcome) -> bytes:
    return b'{"closes":%s,"outcome":"%s","request":' % (b"true" if closes else b"false", outcome.value.encode())


def _after(stamped_s: int) -> bytes:
    return b',"stamped_s":%d}' % stamped_s


def pack_leaf(row: LeafRow) -> bytes:
    """Return what of a leaf is encrypted where it rests: salt, body with its length before it, records."""
    return row.salt + len(row.body).to_bytes(_LENGTH_BYTES) + row.body + row.items


def unpack_leaf(packed: bytes) -> tuple[bytes, bytes, bytes]:
    """Return salt, body and records of what `pack_leaf` wrote.

    Raises:
        InvalidValue: It is too short.
    """
    begin = SALT_BYTES + _LENGTH_BYTES
    end = begin + int.from_bytes(packed[SALT_BYTES:begin])
    if len(packed) < end:
        raise InvalidValue(f"a leaf at rest has {end} bytes or more, was {len(packed)}")
    return packed[:SALT_BYTES], packed[begin:end], packed[end:]

"""Prove what stands in an append-only log, and that it only ever grew, by a Merkle tree."""

from collections.abc import Iterable, Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from commonwatt.model import InvalidValue

HASH_BYTES = 32
SALT_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()
_INNER = sha256(b"\x01")


class MerkleTree:
    """A growing Merkle tree that knows its root and its proofs at every size it ever had.

    Keeps the hash of every complete subtree, 64 bytes per leaf in all, so that an append costs O(1) amortised
    and a root or a proof O(log n) hashes.

    Source: RFC 6962 section 2.1, repeated in RFC 9162 section 2.1.
    """

    def __init__(self, datas: Iterable[bytes] = ()) -> None:
        # One bytearray per height: hash i of height h covers the leaves from i * 2^h up to (i + 1) * 2^h.
        self._heights: list[bytearray] = [bytearray()]
        for data in datas:
            self.append(data)

    def append(self, data: bytes) -> int:
        """Add one leaf at the end and return its index, from 0."""
        index = len(self)
        self._add(leaf_hash(data))
        return index

    def extend(self, hashes: NDArray[np.uint8]) -> None:
        """Add leaves at the end by their leaf hashes, (n, 32) bytes."""
        for row in hashes:
            self._add(row.tobytes())

    def _add(self, hashed: bytes) -> None:
        self._heights[0] += hashed
        finished, height = len(self), 0
        while finished % 2 == 0:
            pair = bytes(self._heights[height][-2 * HASH_BYTES :])
            finished, height = finished // 2, height + 1
            if height == len(self._heights):
                self._heights.append(bytearray())
            self._heights[height] += node_hash(pair[:HASH_BYTES], pair[HASH_BYTES:])

    def __len__(self) -> int:
        return len(self._heights[0]) // HASH_BYTES

    def root(self, size: int | None = None) -> bytes:
        """Return the 32-byte root of the first ``size`` leaves; of all leaves when no size is given.

        Raises:
            InvalidValue: The tree never had that size.
        """
        size = len(self) if size is None else size
        self._check_size(size)
        return self._hash(0, size) if size else EMPTY_ROOT

    def inclusion_proof(self, index: int, size: int) -> list[bytes]:
        """Return the audit path of one leaf in the tree of the first ``size`` leaves, lowest hash first.

        Raises:
            InvalidValue: The tree never had that size, or had no such leaf at that size.

        Source: PATH, RFC 9162 section 2.1.3.1.
        """
        self._check_size(size)
        if not 0 <= index < size:
            raise InvalidValue(f"a tree of {size} leaves has the indices 0 to {size - 1}, was {index}")
        start, end, path = 0, size, list[bytes]()
        while end - start > 1:
            middle = start + _split(end - start)
            if index < middle:
                path.append(self._hash(middle, end))
                end = middle
            else:
                path.append(self._hash(start, middle))
                start = middle
        return path[::-1]

    def consistency_proof(self, old_size: int, new_size: int) -> list[bytes]:
        """Return the hashes which show that the first ``old_size`` leaves are the start of the first ``new_size``.

        Empty where there is nothing to show: for equal sizes, and for an old size of zero.

        Raises:
            InvalidValue: The tree never had the new size, or the old size is below zero or above the new one.

        Source: PROOF, RFC 9162 section 2.1.4.1.
        """
        self._check_size(new_size)
        if not 0 <= old_size <= new_size:
            raise InvalidValue(f"a tree of {new_size} leaves grew from 0 to {new_size}, was asked from {old_size}")
        if old_size == 0:
            return []
        start, end, proof = 0, new_size, list[bytes]()
        while end != old_size:
            middle = start + _split(end - start)
            if old_size <= middle:
                proof.append(self._hash(middle, end))
                end = middle
            else:
                proof.append(self._hash(start, middle))
                start = middle
        if start > 0:
            proof.append(self._hash(start, end))
        return proof[::-1]

    def _hash(self, start: int, end: int) -> bytes:
        """Return the hash over leaves start to end, where start is a multiple of the first subtree's width."""
        width = end - start
        if width & (width - 1) == 0:
            height = width.bit_length() - 1
            at = (start >> height) * HASH_BYTES
            return bytes(self._heights[height][at : at + HASH_BYTES])
        middle = start + _split(width)
        return node_hash(self._hash(start, middle), self._hash(middle, end))

    def _check_size(self, size: int) -> None:
        if not 0 <= size <= len(self):
            raise InvalidValue(f"a tree of {len(self)} leaves had the sizes 0 to {len(self)}, was {size}")


def verify_inclusion(data: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Tell whether the proof shows that a tree of this size and root holds this leaf data at this index.

    Anything else is False, never an error: a proof that is too short, too long or not made of 32-byte hashes too.

    Source: RFC 9162 section 2.1.3.2.
    """
    if not 0 <= index < size or not _are_hashes(proof):
        return False
    node, last, climbed = index, size - 1, leaf_hash(data)
    for sibling in proof:
        if last == 0:
            return False
        # Copying a begun hash is faster than `node_hash`, which sets one up each time; P10 measures this function.
        parent = _INNER.copy()
        if node & 1 or node == last:
            parent.update(sibling + climbed)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            parent.update(climbed + sibling)
        climbed, node, last = parent.digest(), node >> 1, last >> 1
    return last == 0 and climbed == root


def verify_consistency(old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Tell whether the proof shows that the old tree is the start of the new one.

    Anything else is False, never an error. A tree of no leaves is the start of every tree; its proof is empty.

    Source: RFC 9162 section 2.1.4.2.
    """
    if not 0 <= old_size <= new_size or not _are_hashes([old_root, new_root, *proof]):
        return False
    if old_size in (0, new_size):
        return not proof and old_root == (new_root if old_size == new_size else EMPTY_ROOT)
    node, last = old_size - 1, new_size - 1
    while node % 2:
        node, last = node // 2, last // 2
    # An old tree that is one complete subtree is its own first hash; the proof leaves it out.
    path = [old_root, *proof] if node == 0 else list(proof)
    if not path:
        return False
    old_climbed = new_climbed = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node % 2 or node == last:
            old_climbed, new_climbed = node_hash(sibling, old_climbed), node_hash(sibling, new_climbed)
            while node % 2 == 0 and node > 0:
                node, last = node // 2, last // 2
        else:
            new_climbed = node_hash(new_climbed, sibling)
        node, last = node // 2, last // 2
    return last == 0 and old_climbed == old_root and new_climbed == new_root


def merkle_root(datas: Iterable[bytes]) -> bytes:
    """Return the 32-byte root over leaf data, keeping only O(log n) hashes while it reads.

    Source: MTH, RFC 9162 section 2.1.1.
    """
    peaks: list[bytes] = []
    for index, data in enumerate(datas):
        peak, finished = leaf_hash(data), index + 1
        while finished % 2 == 0:
            peak, finished = node_hash(peaks.pop(), peak), finished // 2
        peaks.append(peak)
    if not peaks:
        return EMPTY_ROOT
    root = peaks.pop()
    while peaks:
        root = node_hash(peaks.pop(), root)
    return root


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of one leaf; its first byte keeps it from ever passing for an inner node."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node over its two children."""
    return sha256(b"\x01" + left + right).digest()


def salted(salt: bytes, body: bytes) -> bytes:
    """Return the leaf data of a body: 32 bytes that tell nothing about it without its salt.

    Args:
        salt: 32 bytes. One fixed length, so that nobody can move bytes between salt and body and claim that
            the same leaf was about something else.
        body: What the leaf is about.

    Raises:
        InvalidValue: The salt has another length.
    """
    if len(salt) != SALT_BYTES:
        raise InvalidValue(f"a salt has {SALT_BYTES} bytes, was {len(salt)}")
    return sha256(salt + body).digest()


def _split(width: int) -> int:
    """Return the largest power of two below a width of two or more: where RFC 9162 splits a tree."""
    return 1 << (width - 1).bit_length() - 1


def _are_hashes(items: Sequence[bytes]) -> bool:
    return all(len(item) == HASH_BYTES for item in items)

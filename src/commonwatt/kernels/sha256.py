"""SHA-256 over whole arrays, and the hashes of RFC 6962 trees made of it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from commonwatt.kernels.native import SHA256_STATE_BYTES, sha256_final, sha256_init, sha256_update

Bytes = NDArray[np.uint8]
Offsets = NDArray[np.int64]


def leaf_hashes(rows: Bytes) -> Bytes:
    """Return the leaf hash, SHA-256(0x00 || row), of each row.

    Args:
        rows: (n, width) bytes.

    Returns:
        (n, 32) bytes.

    Source: RFC 6962 section 2.1.
    """
    out = np.empty((len(rows), 32), np.uint8)
    if len(rows):
        _rows(np.ascontiguousarray(rows), out)
    return out


def node_hashes(level: Bytes) -> Bytes:
    """Return the hash of each pair, SHA-256(0x01 || left || right).

    Args:
        level: (2 n, 32) bytes.

    Returns:
        (n, 32) bytes.

    Source: RFC 6962 section 2.1.
    """
    out = np.empty((len(level) // 2, 32), np.uint8)
    if len(out):
        _pairs(np.ascontiguousarray(level), out)
    return out


def ragged_hashes(data: Bytes, starts: Offsets, ends: Offsets, prefix: bytes = b"") -> Bytes:
    """Return SHA-256(prefix || data[start:end]) of each piece of one buffer.

    Args:
        data: All pieces, in any order; (m,) bytes.
        starts: Where each begins; n values.
        ends: Where each ends; n values.
        prefix: Hashed before each piece.

    Returns:
        (n, 32) bytes.
    """
    out = np.empty((len(starts), 32), np.uint8)
    if len(starts):
        _ragged(data, starts, ends, np.frombuffer(prefix or b"\0", np.uint8), len(prefix), out)
    return out


def tree_root(hashes: Bytes) -> bytes:
    """Return the root of an RFC 6962 tree over leaf hashes that are there already.

    Args:
        hashes: (n, 32) bytes, n above zero.
    """
    level = hashes
    while len(level) > 1:
        up = node_hashes(level[: len(level) // 2 * 2])
        # An odd one out climbs as it is: that is where the RFC splits, read from below.
        level = np.concatenate([up, level[-1:]]) if len(level) % 2 else up
    return bytes(level[0])


def run_roots(hashes: Bytes, counts: Offsets) -> Bytes:
    """Return the RFC 6962 root of each run of leaf hashes.

    Args:
        hashes: (sum of counts, 32) bytes; overwritten on the way.
        counts: How many leaves each run has, all above zero; n values.

    Returns:
        (n, 32) bytes.
    """
    out = np.empty((len(counts), 32), np.uint8)
    if len(counts):
        _runs(hashes, counts, out)
    return out


def wrapped_hashes(
    salts: Sequence[bytes], texts: Sequence[bytes], befores: Sequence[bytes], numbers: Sequence[int], after: bytes
) -> Bytes:
    """Return the leaf hash of the salted hash of each text, wrapped: of SHA-256(salt || before || text || after).

    Args:
        salts: n times 32 bytes.
        texts: n texts.
        befores: What may stand before a text; one or more where there are texts.
        numbers: Which of these stands before each; n values.
        after: What stands behind every one.

    Returns:
        (n, 32) bytes.
    """
    out = np.empty((len(texts), 32), np.uint8)
    if texts:
        _wrapped(
            np.frombuffer(b"".join(salts), np.uint8),
            np.frombuffer(b"".join(texts), np.uint8),
            np.cumsum([0, *map(len, texts)]),
            np.frombuffer(b"".join(befores), np.uint8),
            np.cumsum([0, *map(len, befores)]),
            np.array(numbers, np.int64),
            np.frombuffer(after, np.uint8),
            out,
        )
    return out


@njit(nogil=True, cache=True)
def hash_two(state: Any, prefix: Any, prefix_bytes: Any, data: Any, data_bytes: Any, out: Any) -> None:
    """Hash two pieces at two addresses to a third; ``state`` is the address of `SHA256_STATE_BYTES` bytes."""
    sha256_init(state)
    sha256_update(state, prefix, np.uint64(prefix_bytes))
    sha256_update(state, data, np.uint64(data_bytes))
    sha256_final(out, state)


@njit(nogil=True, cache=True)
def _rows(rows: Any, out: Any) -> None:
    state, prefix = np.empty(SHA256_STATE_BYTES, np.uint8), np.zeros(1, np.uint8)
    for i in range(len(rows)):
        hash_two(state.ctypes.data, prefix.ctypes.data, 1, rows[i].ctypes.data, rows.shape[1], out[i].ctypes.data)


@njit(nogil=True, cache=True)
def _pairs(level: Any, out: Any) -> None:
    state, prefix = np.empty(SHA256_STATE_BYTES, np.uint8), np.ones(1, np.uint8)
    for i in range(len(out)):
        hash_two(state.ctypes.data, prefix.ctypes.data, 1, level[2 * i].ctypes.data, 64, out[i].ctypes.data)


@njit(nogil=True, cache=True)
def _ragged(data: Any, starts: Any, ends: Any, prefix: Any, prefix_bytes: int, out: Any) -> None:
    state = np.empty(SHA256_STATE_BYTES, np.uint8)
    for i in range(len(starts)):
        piece = data[starts[i] :]
        hash_two(
            state.ctypes.data,
            prefix.ctypes.data,
            prefix_bytes,
            piece.ctypes.data,
            ends[i] - starts[i],
            out[i].ctypes.data,
        )


@njit(nogil=True, cache=True)
def _runs(hashes: Any, counts: Any, out: Any) -> None:
    state, prefix = np.empty(SHA256_STATE_BYTES, np.uint8), np.ones(1, np.uint8)
    first = 0
    for run in range(len(counts)):
        width = counts[run]
        while width > 1:
            for i in range(width // 2):
                left, up = hashes[first + 2 * i], hashes[first + i]
                hash_two(state.ctypes.data, prefix.ctypes.data, 1, left.ctypes.data, 64, up.ctypes.data)
            if width % 2:
                hashes[first + width // 2] = hashes[first + width - 1]
            width = (width + 1) // 2
        out[run] = hashes[first]
        first += counts[run]


@njit(nogil=True, cache=True)
def _wrapped(
    salts: Any, texts: Any, ends: Any, befores: Any, ends_of_befores: Any, numbers: Any, after: Any, out: Any
) -> None:
    state, salted = np.empty(SHA256_STATE_BYTES, np.uint8), np.zeros(33, np.uint8)
    for i in range(len(out)):
        before = befores[ends_of_befores[numbers[i]] : ends_of_befores[numbers[i] + 1]]
        text = texts[ends[i] : ends[i + 1]]
        sha256_init(state.ctypes.data)
        sha256_update(state.ctypes.data, salts[32 * i :].ctypes.data, np.uint64(32))
        sha256_update(state.ctypes.data, before.ctypes.data, np.uint64(len(before)))
        sha256_update(state.ctypes.data, text.ctypes.data, np.uint64(len(text)))
        sha256_update(state.ctypes.data, after.ctypes.data, np.uint64(len(after)))
        sha256_final(salted[1:].ctypes.data, state.ctypes.data)
        sha256_init(state.ctypes.data)
        sha256_update(state.ctypes.data, salted.ctypes.data, np.uint64(33))
        sha256_final(out[i].ctypes.data, state.ctypes.data)

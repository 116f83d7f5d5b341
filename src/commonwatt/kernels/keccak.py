"""Keccak-256 over whole arrays, and the digest that an Ethereum wallet signs."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

_ROUNDS = np.array(
    [
        0x0000000000000001, 0x0000000000008082, 0x800000000000808A, 0x8000000080008000, 0x000000000000808B,
        0x0000000080000001, 0x8000000080008081, 0x8000000000008009, 0x000000000000008A, 0x0000000000000088,
        0x0000000080008009, 0x000000008000000A, 0x000000008000808B, 0x800000000000008B, 0x8000000000008089,
        0x8000000000008003, 0x8000000000008002, 0x8000000000000080, 0x000000000000800A, 0x800000008000000A,
        0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
    ],
    dtype=np.uint64,
)  # fmt: skip
_TURNS = np.array(
    [1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44], np.uint64
)
_LANES = np.array([10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1], np.int64)
_RATE = 136
_GREETING = np.frombuffer(b"\x19Ethereum Signed Message:\n", np.uint8)


def signed_digests(
    data: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64], tail: bytes = b""
) -> NDArray[np.uint8]:
    """Return the digest to be signed for each message ``data[start:end] || tail`` of one buffer.

    Args:
        data: (m,) bytes.
        starts: Where each message begins; n values.
        ends: Where each ends; n values.
        tail: Stands after each message, so that a message without its signature need not be copied.

    Returns:
        (n, 32) bytes.

    Source: EIP-191 version 0x45 (``personal_sign``) over keccak-256.
    """
    out = np.empty((len(starts), 32), np.uint8)
    if len(starts):
        longest = int((ends - starts).max()) + len(tail) + 64
        _digests(data, starts, ends, np.frombuffer(tail or b"\0", np.uint8), len(tail), longest, out)
    return out


@njit(nogil=True, cache=True)
def _digests(data: Any, starts: Any, ends: Any, tail: Any, tail_bytes: int, longest: int, out: Any) -> None:
    message, lanes, parity = np.empty(longest, np.uint8), np.empty(25, np.uint64), np.empty(5, np.uint64)
    digits = np.empty(20, np.uint8)
    greeting = len(_GREETING)
    message[:greeting] = _GREETING
    for i in range(len(starts)):
        size = ends[i] - starts[i] + tail_bytes
        count, rest = 0, size
        while rest or not count:
            digits[count] = 48 + rest % 10
            rest //= 10
            count += 1
        at = greeting
        for j in range(count):
            message[at] = digits[count - 1 - j]
            at += 1
        body = ends[i] - starts[i]
        message[at : at + body] = data[starts[i] : ends[i]]
        at += body
        message[at : at + tail_bytes] = tail[:tail_bytes]
        _keccak(message, at + tail_bytes, lanes, parity, out[i])


@njit(nogil=True, cache=True)
def _keccak(message: Any, size: int, lanes: Any, parity: Any, out: Any) -> None:
    lanes[:] = 0
    whole = size // _RATE
    for block in range(whole):
        for lane in range(_RATE // 8):
            lanes[lane] ^= _lane(message, block * _RATE + lane * 8)
        _permute(lanes, parity)
    for i in range(whole * _RATE, size):
        place = i - whole * _RATE
        lanes[place // 8] ^= np.uint64(message[i]) << np.uint64(8 * (place % 8))
    place = size - whole * _RATE
    lanes[place // 8] ^= np.uint64(1) << np.uint64(8 * (place % 8))
    lanes[_RATE // 8 - 1] ^= np.uint64(0x8000000000000000)
    _permute(lanes, parity)
    for i in range(32):
        out[i] = np.uint8((lanes[i // 8] >> np.uint64(8 * (i % 8))) & np.uint64(0xFF))


@njit(nogil=True, cache=True, inline="always")
def _lane(message: Any, at: int) -> Any:
    value = np.uint64(0)
    for i in range(8):
        value |= np.uint64(message[at + i]) << np.uint64(8 * i)
    return value


@njit(nogil=True, cache=True)
def _permute(s: Any, c: Any) -> None:
    for turn in range(24):
        for x in range(5):
            c[x] = s[x] ^ s[x + 5] ^ s[x + 10] ^ s[x + 15] ^ s[x + 20]
        for x in range(5):
            right = c[(x + 1) % 5]
            mixed = c[(x + 4) % 5] ^ ((right << np.uint64(1)) | (right >> np.uint64(63)))
            for y in range(0, 25, 5):
                s[x + y] ^= mixed
        moved = s[1]
        for i in range(24):
            lane = _LANES[i]
            moved, s[lane] = s[lane], (moved << _TURNS[i]) | (moved >> (np.uint64(64) - _TURNS[i]))
        for y in range(0, 25, 5):
            a, b, d, e, f = s[y], s[y + 1], s[y + 2], s[y + 3], s[y + 4]
            s[y] = a ^ (~b & d)
            s[y + 1] = b ^ (~d & e)
            s[y + 2] = d ^ (~e & f)
            s[y + 3] = e ^ (~f & a)
            s[y + 4] = f ^ (~a & b)
        s[0] ^= _ROUNDS[turn]

"""Find the parts of many requests at once: where each one's body, kind, name, number and signature stand."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Offsets = NDArray[np.int64]
SIGNATURE_BYTES = 64
BODY, BODY_END, COMMUNITY, COMMUNITY_END, KIND, KIND_END, NAME, NAME_END, SEQ, HEAD_END = range(10)
"""Columns of what `find_parts` returns: offsets from the request's first byte; ``SEQ`` is the number itself."""
COLUMNS = 10
MOST_NAME = 64
_MOST_SAFE = 2**53 - 1
_PIECES = (
    b'{"author":"0x', b'","body":', b',"community":"', b'","kind":"', b'","on_behalf_of":"', b'","seq":',
    b',"signature":"', b'"}',
)  # fmt: skip
_TEXT = np.frombuffer(b"".join(_PIECES), np.uint8)
_ENDS = np.cumsum([0, *map(len, _PIECES)])
_QUOTE, _BACKSLASH, _OPEN, _CLOSE, _BREAK = (ord(mark) for mark in '"\\{}\n')
_HEX = np.full(256, 255, np.uint8)
_HEX[[ord(digit) for digit in "0123456789abcdef"]] = np.arange(16)
_PLAIN = np.zeros(256, np.bool_)
_PLAIN[[ord(sign) for sign in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"]] = True


def find_parts(data: Bytes, ends: Offsets) -> tuple[Offsets, Bytes, NDArray[np.bool_]]:
    """Find the parts of requests that are written as RFC 8785 writes them, in whose names no letter needs an escape.

    What is found says nothing yet of the body's form, which is left to whoever reads it; all around it is in its one
    canonical form. A request that is not found may be one all the same: written otherwise, or with other letters.

    Args:
        data: Requests as they travel, end to end; (m,) bytes.
        ends: Where each ends; n values.

    Returns:
        (n, `COLUMNS`) offsets; (n, 64) bytes, the signatures; and n truth values, whether it was found.
    """
    parts, signatures = np.zeros((len(ends), COLUMNS), np.int64), np.zeros((len(ends), SIGNATURE_BYTES), np.uint8)
    good = np.zeros(len(ends), np.bool_)
    if len(ends):
        _find(data, ends, parts, signatures, good)
    return parts, signatures, good


@njit(nogil=True, cache=True)
def _find(data: Any, ends: Any, parts: Any, signatures: Any, good: Any) -> None:
    begin = 0
    for i in range(len(ends)):
        good[i] = _find_one(data[begin : ends[i]], parts[i], signatures[i])
        begin = ends[i]


@njit(nogil=True, cache=True)
def _find_one(wire: Any, part: Any, signature: Any) -> bool:
    at = _piece(wire, 0, 0)
    if at < 0 or at + 40 > len(wire):
        return False
    for _ in range(40):
        if _HEX[wire[at]] > 15:
            return False
        at += 1
    at = part[BODY] = _piece(wire, at, 1)
    at = part[BODY_END] = _object(wire, at)
    at = part[COMMUNITY] = _piece(wire, at, 2)
    at = part[COMMUNITY_END] = _word(wire, at)
    at = part[KIND] = _piece(wire, at, 3)
    at = part[KIND_END] = _word(wire, at)
    at = part[NAME] = _piece(wire, at, 4)
    at = part[NAME_END] = _word(wire, at)
    at, part[SEQ] = _number(wire, _piece(wire, at, 5))
    at = _piece(wire, at, 6)
    if at < 0 or at + 2 * SIGNATURE_BYTES > len(wire):
        return False
    for k in range(SIGNATURE_BYTES):
        high, low = _HEX[wire[at + 2 * k]], _HEX[wire[at + 2 * k + 1]]
        if high > 15 or low > 15:
            return False
        signature[k] = high * 16 + low
    at = part[HEAD_END] = _piece(wire, at + 2 * SIGNATURE_BYTES, 7)
    return at == len(wire) or (at > 0 and wire[at] == _BREAK)


@njit(nogil=True, cache=True)
def _piece(wire: Any, at: int, number: int) -> int:
    """Return where a fixed piece of text ends that begins here, or -1."""
    first, size = _ENDS[number], _ENDS[number + 1] - _ENDS[number]
    if at < 0 or at + size > len(wire):
        return -1
    for k in range(size):
        if wire[at + k] != _TEXT[first + k]:
            return -1
    end: int = at + size
    return end


@njit(nogil=True, cache=True)
def _object(wire: Any, at: int) -> int:
    """Return where the object ends that begins here, as far as braces and quotes tell, or -1."""
    if at < 0 or at >= len(wire) or wire[at] != _OPEN:
        return -1
    depth, inside = 0, False
    while at < len(wire):
        sign = wire[at]
        if sign == _BREAK:
            return -1
        if inside:
            if sign == _BACKSLASH:
                at += 1
            elif sign == _QUOTE:
                inside = False
        elif sign == _QUOTE:
            inside = True
        elif sign == _OPEN:
            depth += 1
        elif sign == _CLOSE:
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    return -1


@njit(nogil=True, cache=True)
def _word(wire: Any, at: int) -> int:
    """Return where a name of plain letters ends that begins here, or -1; its first is a letter or a digit."""
    if at < 0 or at >= len(wire) or wire[at] in (45, 46, 95):
        return -1
    first = at
    while at < len(wire) and _PLAIN[wire[at]]:
        at += 1
    good: bool = first < at <= first + MOST_NAME
    return at if good else -1


@njit(nogil=True, cache=True)
def _number(wire: Any, at: int) -> tuple[int, int]:
    """Return where a whole number above zero ends that begins here, and the number, or -1."""
    if at < 0 or at >= len(wire) or not 49 <= wire[at] <= 57:
        return -1, 0
    value, first = 0, at
    while at < len(wire) and 48 <= wire[at] <= 57 and at - first < 16:
        value = value * 10 + int(wire[at]) - 48
        at += 1
    return (at, value) if value <= _MOST_SAFE else (-1, 0)

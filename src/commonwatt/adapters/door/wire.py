"""The frames of the door: requests one way, receipts and outcomes the other, each with its length before it.

A client sends frames of 4 bytes big-endian length and a request as it travels. The server sends frames of one byte
kind, 4 bytes length and content: ``R`` a receipt (JSON) for all requests that it took from this connection at once;
``O`` one byte for each of them, in order, once they are durable; ``E`` a text, after which it hangs up.
"""

from collections.abc import Sequence
from struct import Struct

from commonwatt.model import InvalidValue, Outcome

LONGEST_REQUEST = 256 * 1024
"""Bytes: a full batch of readings has some 45,000, personal part included."""
RECEIPT, OUTCOMES, ERROR = b"R", b"O", b"E"
_LENGTH = Struct(">I")
_HEAD = Struct(">cI")
_CODES = {outcome: code for code, outcome in enumerate(Outcome)}
_OUTCOMES = tuple(Outcome)


def frame(wire: bytes) -> bytes:
    """Return a request as a client sends it."""
    return _LENGTH.pack(len(wire)) + wire


def split_frames(buffer: bytearray) -> list[bytes]:
    """Take all whole requests off the front of what has come in.

    Raises:
        InvalidValue: The next one says that it is longer than any request may be.
    """
    at, wires, view = 0, list[bytes](), memoryview(buffer)
    try:
        while at + 4 <= len(buffer):
            (size,) = _LENGTH.unpack_from(buffer, at)
            if size > LONGEST_REQUEST:
                raise InvalidValue(f"a request has at most {LONGEST_REQUEST} bytes, {size} are announced")
            if at + 4 + size > len(buffer):
                break
            wires.append(bytes(view[at + 4 : at + 4 + size]))
            at += 4 + size
    finally:
        view.release()
    del buffer[:at]
    return wires


def answer(kind: bytes, content: bytes) -> bytes:
    """Return a frame as the server sends it."""
    return _HEAD.pack(kind, len(content)) + content


def split_answers(buffer: bytearray) -> list[tuple[bytes, bytes]]:
    """Take all whole answers off the front of what has come in: kind and content."""
    at, answers = 0, list[tuple[bytes, bytes]]()
    while at + _HEAD.size <= len(buffer):
        kind, size = _HEAD.unpack_from(buffer, at)
        if at + _HEAD.size + size > len(buffer):
            break
        answers.append((kind, bytes(buffer[at + _HEAD.size : at + _HEAD.size + size])))
        at += _HEAD.size + size
    del buffer[:at]
    return answers


def outcome_codes(outcomes: Sequence[Outcome]) -> bytes:
    """Return outcomes as they travel, one byte each."""
    return bytes(map(_CODES.__getitem__, outcomes))


def read_outcomes(codes: bytes) -> list[Outcome]:
    """Return the outcomes of their codes.

    Raises:
        InvalidValue: A code stands for none.
    """
    try:
        return [_OUTCOMES[code] for code in codes]
    except IndexError as error:
        raise InvalidValue(f"an outcome has a code from 0 to {len(_OUTCOMES) - 1}, was {max(codes)}") from error

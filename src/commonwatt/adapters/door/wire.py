"""The frames of the door: requests one way, receipts and outcomes the other, each with its length before it.

A client sends frames of 4 bytes big-endian length and a request as it travels. Who writes ways down tells before of
which one the requests of this connection are part: a length of `WAY`, and a W3C ``traceparent``. The server sends
frames of one byte kind, 4 bytes length and content: ``R`` a receipt (JSON) for all requests that it took from this
connection at once; ``O`` one byte for each of them, in order, once they are durable; ``E`` a text, after which it
hangs up.
"""

from collections.abc import Sequence
from struct import Struct

from commonwatt.model import InvalidValue, Outcome

LONGEST_REQUEST = 256 * 1024
"""Bytes: a full batch of readings has some 45,000, personal part included."""
WAY = 0x8000_0000 | 55
"""Longer than any request: a door that does not know of ways hangs up, and never takes it for a request."""
_WAY_BYTES = 55
RECEIPT, OUTCOMES, ERROR = b"R", b"O", b"E"
_LENGTH = Struct(">I")
_HEAD = Struct(">cI")
_CODES = {outcome: code for code, outcome in enumerate(Outcome)}
_OUTCOMES = tuple(Outcome)


def frame(wire: bytes) -> bytes:
    """Return a request as a client sends it."""
    return _LENGTH.pack(len(wire)) + wire


def frame_way(trace: str) -> bytes:
    """Return what a client says first of the way that its requests are part of.

    Args:
        trace: A ``traceparent`` of version 00: 55 letters.
    """
    assert len(trace) == _WAY_BYTES
    return _LENGTH.pack(WAY) + trace.encode()


def split_way(buffer: bytearray) -> str | None:
    """Take off the front what a client says of its way; None where the next frame is another, or is not whole yet."""
    end = 4 + _WAY_BYTES
    if len(buffer) < end or _LENGTH.unpack_from(buffer)[0] != WAY:
        return None
    told = bytes(buffer[4:end])
    del buffer[:end]
    return told.decode("latin-1")


def split_frames(buffer: bytearray) -> list[bytes]:
    """Take all whole requests off the front of what has come in, up to what is said of another way.

    Raises:
        InvalidValue: The next one says that it is longer than any request may be.
    """
    at, wires, view = 0, list[bytes](), memoryview(buffer)
    try:
        while at + 4 <= len(buffer):
            (size,) = _LENGTH.unpack_from(buffer, at)
            if size == WAY:
                break
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

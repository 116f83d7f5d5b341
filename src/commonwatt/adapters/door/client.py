"""Knock at a community's door: send signed requests over a socket, and wait for their outcomes."""

import socket
from collections.abc import Callable, Sequence

import msgspec

from commonwatt.adapters.door.wire import ERROR, OUTCOMES, RECEIPT, frame, frame_way, read_outcomes, split_answers
from commonwatt.flows.receipts import Receipt
from commonwatt.model import Corrupt, Outcome, Refused

WITHIN_S = 30.0


def knock(
    host: str,
    port: int,
    wires: Sequence[bytes],
    within_s: float = WITHIN_S,
    on_receipt: Callable[[Receipt], None] = lambda _: None,
    trace: str = "",
) -> tuple[list[Outcome], list[Receipt]]:
    """Send requests, and return their outcomes, in order, with the operator's receipts for them.

    What was sent and not answered may stand in the log: sent again, it gets its first outcome.

    Args:
        host: Where the door is.
        port: Likewise.
        wires: Signed requests as they travel; one or more.
        within_s: How long to wait for anything to come.
        on_receipt: Hears each receipt as it comes, whether or not the outcomes ever do.
        trace: The way that they are part of, as a W3C ``traceparent``; empty where nobody writes it down.

    Raises:
        Refused: Nobody keeps a door open there, or the door said why it takes nothing.
        Corrupt: What it said cannot be read.
        OSError: The line broke, or the door said nothing in time.
    """
    outcomes, receipts, buffer = list[Outcome](), list[Receipt](), bytearray()
    heard = 0
    try:
        door = socket.create_connection((host, port), timeout=within_s)
    except OSError as error:
        raise Refused(
            "no door is open there: `commonwatt accept` opens one", host=host, port=port, why=error
        ) from error
    with door as line:
        line.sendall((frame_way(trace) if trace else b"") + b"".join(map(frame, wires)))
        while len(outcomes) < len(wires):
            data = line.recv(65_536)
            if not data:
                raise Refused("the door answers what it took", host=host, port=port, answered=len(outcomes))
            buffer += data
            for kind, content in split_answers(buffer):
                _hear(kind, content, outcomes, receipts)
            for receipt in receipts[heard:]:
                on_receipt(receipt)
            heard = len(receipts)
    return outcomes, receipts


def _hear(kind: bytes, content: bytes, outcomes: list[Outcome], receipts: list[Receipt]) -> None:
    try:
        if kind == ERROR:
            raise Refused("the door takes nothing", says=content.decode(errors="replace"))
        if kind == OUTCOMES:
            outcomes += read_outcomes(content)
        elif kind == RECEIPT:
            receipts.append(msgspec.json.decode(content, type=Receipt))
    except (msgspec.MsgspecError, ValueError) as error:
        raise Corrupt(f"the door says what cannot be read: {error}") from error

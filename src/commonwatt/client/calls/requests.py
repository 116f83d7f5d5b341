"""Signed requests over HTTP, as their authors wrote them; written by scripts/client.py, not by hand."""

from collections.abc import Sequence

from commonwatt.adapters.door.wire import frame
from commonwatt.apps.api.v1.requests import BatchDone, Numbered
from commonwatt.apps.api.v1.writing import WriteDone
from commonwatt.client.line import Line


class Requests:
    """Signed requests over HTTP, as their authors wrote them."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def signed(self, wire: bytes) -> WriteDone:
        """Hand in a signed request.

        One request as it travels: canonical JSON with its signature, and after a line break the records of a batch.
        Whoever brings it, the log judges who signed it. The same bytes again get the first outcome.
        """
        return self._line.hand_in("/requests", wire, "application/octet-stream", WriteDone)

    def batch(self, wires: Sequence[bytes]) -> BatchDone:
        """Hand in many signed requests, packed.

        Up to 2048 requests, each after its length (4 bytes, big-endian): 8 MiB in all, 256 KiB each. Each has an
        outcome of its own, also where the log refused it. The same bytes again get the first outcomes.
        """
        return self._line.hand_in(
            "/requests/batch", b"".join(map(frame, wires)), "application/vnd.commonwatt.requests", BatchDone
        )

    def next_number(self, *, author: str) -> Numbered:
        """The number of a key's next request.

        1 for a key that nobody registered: whether it is known is not told.
        """
        return self._line.call("GET", "/requests/next", Numbered, query={"author": author})

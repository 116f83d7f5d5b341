"""The doors of a gateway: its memory on disk, its line to the community, and the clock on its wall."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol


class Outbox(Protocol):
    """A gateway's memory, and what it has signed and nobody has taken yet. Days without network must fit in it."""

    def memory(self) -> bytes | None:
        """Return what `keep` kept last.

        Raises:
            OSError: It cannot be read.
        """

    def keep(self, memory: bytes, wires: Sequence[bytes]) -> None:
        """Put a memory in place of the one before and signed requests behind those that wait; all or nothing, durably.

        Raises:
            OSError: The disk is full or broken; nothing is kept, and what was signed must not leave.
        """

    def waiting(self, most: int) -> list[tuple[int, bytes]]:
        """Return what waits, oldest first, each under its place.

        Raises:
            OSError: It cannot be read; it waits on.
        """

    def done(self, places: Sequence[int]) -> None:
        """Forget requests that were answered: they are durable elsewhere."""

    def renew(self, memory: bytes, wires: Sequence[tuple[int, bytes]]) -> None:
        """Put a memory in place of the one before, and requests in place of those that wait under a place.

        Raises:
            OSError: The disk is full or broken; nothing is changed.
        """

    def put_aside(self, places: Sequence[tuple[int, str]]) -> None:
        """Let requests wait no longer that nobody will ever take, each with the reason; they are kept for a person.

        Raises:
            OSError: The disk is full or broken; they wait on.
        """


class Uplink(Protocol):
    """A gateway's line to its community. It carries; what came is believed only for the signature that it bears."""

    async def run(self, heard: Callable[[bytes], None], word: Callable[[str], None]) -> None:
        """Keep the line open until cancelled, whatever breaks.

        Args:
            heard: Is handed every letter, as it travelled.
            word: Is told when the line opens, and why it broke.
        """

    async def send(self, burst: bytes) -> None:
        """Send a burst on its way.

        Raises:
            Unreachable: The line is not open, or broke meanwhile; it may have arrived or not.
        """


class Clock(Protocol):
    """What a gateway's own clock shows."""

    def now(self) -> datetime:
        """Return the time in UTC; it may be set while it runs."""

    def steady_s(self) -> float:
        """Return seconds since some moment, which nobody sets, those too that the machine slept."""

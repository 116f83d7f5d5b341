"""The doors of a gateway: its memory on disk."""

from collections.abc import Sequence
from typing import Protocol


class Outbox(Protocol):
    """A gateway's memory, and what it has signed and nobody has taken yet. Days without network must fit in it."""

    def memory(self) -> bytes | None:
        """Return what `keep` kept last."""

    def keep(self, memory: bytes, wires: Sequence[bytes]) -> None:
        """Put a memory in place of the one before and signed requests behind those that wait; all or nothing, durably.

        Raises:
            OSError: The disk is full or broken; nothing is kept, and what was signed must not leave.
        """

    def waiting(self, most: int) -> list[tuple[int, bytes]]:
        """Return what waits, oldest first, each under its place."""

    def done(self, places: Sequence[int]) -> None:
        """Forget requests that were answered: they are durable elsewhere."""

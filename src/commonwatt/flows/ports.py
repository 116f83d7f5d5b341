"""The doors that stories go through: each is implemented by an adapter and by the simulator."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import AssetId, Command, GatewayId


class LogStore(Protocol):
    """A durable log with one writer. `append` returns only when a power cut could no longer lose the rows."""

    @property
    def size(self) -> int:
        """The number of leaves."""

    def append(self, rows: Sequence[LeafRow], marks: Mapping[str, str]) -> None:
        """Add rows and set marks, all or nothing.

        Raises:
            Refused: Another writer has taken over, or the rows leave a gap.
        """

    def rows(self, from_position: int = 0) -> Iterator[LeafRow]:
        """Yield the rows in order.

        Raises:
            Corrupt: A position is missing.
        """

    def marks(self) -> dict[str, str]:
        """Return the marks that the last appends set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What came from one gateway for one slot: signed requests as bytes; none while it cannot be reached."""

    gateway: GatewayId
    requests: tuple[bytes, ...]


class Gateways(Protocol):
    """The members' gateways and the feeder's meter."""

    def keys(self) -> Mapping[GatewayId, bytes]:
        """Return each gateway's public key, 33 bytes."""

    def live(self, slot_s: int, commands: Mapping[AssetId, Command]) -> list[Heard]:
        """Let one slot pass under the given commands, and return what the gateways report, by gateway.

        Repeating a slot returns the same bytes and changes nothing.
        """


class People(Protocol):
    """The members themselves: what they say in words."""

    def say(self, slot_s: int) -> list[tuple[AssetId, str]]:
        """Return what owners state before a slot: the asset that it is about, and the line."""


class Feeds(Protocol):
    """Facts from outside."""

    def prices(self, slot_s: int) -> tuple[int, list[tuple[int, int]]]:
        """Return what is published by a moment and was not before: the first slot's start, then (import, export)."""

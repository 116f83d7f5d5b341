"""The doors that stories go through: each is implemented by an adapter and by the simulator."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Protocol

from commonwatt.flows.rulebook.flexibility.proposed import Proposal
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import AccountId, AssetId, Command, GatewayId

NO_TILES: Mapping[tuple[int, int], bytes] = MappingProxyType({})


class LogStore(Protocol):
    """A durable log with one writer. `append` returns only when a power cut could no longer lose the rows."""

    @property
    def size(self) -> int:
        """The number of leaves."""

    def append(
        self, rows: Sequence[LeafRow], marks: Mapping[str, str], tiles: Mapping[tuple[int, int], bytes] = NO_TILES
    ) -> None:
        """Add rows, set marks, and put tiles of the log's tree in place of older ones, all or nothing.

        Raises:
            Refused: Another writer has taken over, or the rows leave a gap.
        """

    def rows(self, from_position: int = 0) -> Iterator[LeafRow]:
        """Yield the rows in order.

        Raises:
            Corrupt: A position is missing.
        """

    def tile(self, level: int, index: int) -> bytes:
        """Return the hashes of a tile as far as they were stored; empty where there is none."""

    def answered(self, author: str, seq: int) -> LeafRow | None:
        """Return the leaf of a key's request by its number, or None where there is none."""

    def save_snapshot(self, size: int, content: bytes) -> None:
        """Keep the state after so many leaves."""

    def snapshots(self) -> Iterator[tuple[int, bytes]]:
        """Yield what `save_snapshot` kept, the latest first."""

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
    """The members themselves: what they say in words, and what they decide when they are asked."""

    def say(self, slot_s: int) -> list[tuple[AssetId, str]]:
        """Return what owners state before a slot: the asset that it is about, and the line."""

    def decide(self, slot_s: int, waiting: Sequence[Proposal]) -> list[tuple[Proposal, bool]]:
        """Tell owners which schedules wait for their decision, and return what was decided before a slot.

        What waits is told again in every slot until it is decided or too late; who needs to be notified once does that
        by the schedule's position in the log.
        """


class Asked(Enum):
    """What became of asking a payment provider for something; how it ends, it tells later."""

    TAKEN = "taken"
    REFUSED = "refused"
    """It will not do this, ever."""
    UNHEARD = "unheard"
    """No answer that can be believed: perhaps it was heard, so only the same may be asked again, under its name."""


class Provider(Protocol):
    """A payment provider. Each ask has a name; asking twice under one name is asking once."""

    def collect(self, name: str, account: AccountId, amount_micro: int) -> Asked:
        """Ask it to collect money from an account's card or bank."""

    def pay_out(self, name: str, account: AccountId, amount_micro: int) -> Asked:
        """Ask it to pay money to an account's bank."""

    def refund(self, name: str, purchase: str, amount_micro: int) -> Asked:
        """Ask it to give back money of a purchase."""


class Feeds(Protocol):
    """Facts from outside."""

    def prices(self, slot_s: int) -> tuple[int, list[tuple[int, int]]]:
        """Return what is published by a moment and was not before: the first slot's start, then (import, export)."""

"""The doors of an inventory: where it is kept, what people order of it, and the counts of the gateway beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from commonwatt.flows.inventory import Note, Record
from commonwatt.metering.parting import Exchange
from commonwatt.model import NO_NAMEPLATE, AssetId, Nameplate


class Deed(StrEnum):
    """What people order of a device."""

    RELEASE = "release"
    RESET = "reset"
    REPLACE = "replace"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What somebody orders of an asset's device; the running gateway takes it up at its next tick.

    Args:
        deed: What.
        asset: Whose device.
        at_s: When it was ordered.
        by: Who, in words.
        exchange: What the counters had come to and where they begin again, for a reset and a replacement.
        driver: Of the new device.
        url: Likewise.
        nameplate: Likewise.
    """

    deed: Deed
    asset: AssetId
    at_s: int
    by: str
    exchange: Exchange | None = None
    driver: str = ""
    url: str = ""
    nameplate: Nameplate = NO_NAMEPLATE


class Shelf(Protocol):
    """Keeps records, history and orders; each call is durable when it returns, or raises OSError and changed nothing.

    Records and history have one writer, the gateway; orders come from anybody who may write in its folder.
    """

    def records(self) -> list[Record]:
        """Return every device that ever was here, by number."""

    def history(self, asset: AssetId | None = None) -> list[Note]:
        """Return what was written down, of one asset or of all, oldest first."""

    def keep(self, records: Sequence[Record], notes: Sequence[Note] = (), done: Sequence[int] = ()) -> None:
        """Keep records as they are now, write notes down, and forget orders that were carried out, all or nothing."""

    def order(self, order: Order) -> None:
        """Put an order behind those that wait."""

    def orders(self) -> list[tuple[int, Order]]:
        """Return the orders that wait, each under its place."""


class Counts(Protocol):
    """What an inventory needs of the gateway beside it, which counts what meters show."""

    @property
    def closed_s(self) -> int:
        """The start of the last slot that was read."""

    def announce(self, asset: AssetId, exchange: Exchange) -> None:
        """Take in that a meter was set back or exchanged.

        Raises:
            InvalidValue: Nothing was read of it yet, or it lies before the last value that was believed.
        """

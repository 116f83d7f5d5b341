"""A device that does what a test says, a shelf in memory, and a clock that is set by hand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from commonwatt.flows.inventory import Mark, Note, Record
from commonwatt.flows.inventory_ports import Order
from commonwatt.flows.watching import Inventory, Watched
from commonwatt.metering.parting import Exchange
from commonwatt.model import (
    AccountId,
    Ack,
    Asset,
    AssetId,
    AssetKind,
    Caps,
    Command,
    DeviceState,
    GatewayId,
    InvalidValue,
    Nameplate,
    instant,
)

NOON_S = 1_767_268_800
BATTERY = Asset(
    id=AssetId("battery"),
    owner=AccountId("anna"),
    gateway=GatewayId("gw-1"),
    kind=AssetKind.BATTERY,
    zone="lane",
    max_import_w=5_000,
    max_export_w=5_000,
    capacity_wh=10_000,
)


@dataclass
class Clock:
    now_s: int = NOON_S

    def __call__(self) -> datetime:
        return instant(self.now_s)


@dataclass
class Scripted:
    """A device that answers what it is set to."""

    clock: Clock
    fails: Exception | None = None
    power_w: int = 0
    import_wh: int = 1_000
    export_wh: int = 500
    at_ahead_s: int = 0
    told: list[Command] = field(default_factory=list)
    released: int = 0
    caps: Caps = field(default_factory=lambda: Caps(max_import_w=5_000, max_export_w=5_000, lease_s=60))

    async def read(self) -> DeviceState:
        if self.fails:
            raise self.fails
        return DeviceState(
            at=instant(self.clock.now_s + self.at_ahead_s),
            power_w=self.power_w,
            import_wh=self.import_wh,
            export_wh=self.export_wh,
            level_wh=5_000,
        )

    async def apply(self, command: Command) -> Ack:
        if self.fails:
            raise self.fails
        self.told.append(command)
        return Ack(command=command.id, asset=command.asset, taken=command.band)

    async def release(self) -> None:
        if self.fails:
            raise self.fails
        self.released += 1

    async def close(self) -> None:
        return


@dataclass
class Labelled(Scripted):
    """One that says what it is."""

    nameplate: Nameplate = field(default_factory=lambda: Nameplate(make="Acme", model="B1", serial="A-1", firmware="1"))

    async def identity(self) -> Nameplate:
        return self.nameplate


class MemoryShelf:
    """Implements `Shelf` in memory; `full` makes the disk refuse."""

    def __init__(self) -> None:
        self.kept: dict[int, Record] = {}
        self.notes: list[Note] = []
        self.waiting: dict[int, Order] = {}
        self.full = False

    def records(self) -> list[Record]:
        return [self.kept[number] for number in sorted(self.kept)]

    def history(self, asset: AssetId | None = None) -> list[Note]:
        return [note for note in self.notes if asset in (None, note.asset)]

    def keep(self, records: Sequence[Record], notes: Sequence[Note] = (), done: Sequence[int] = ()) -> None:
        if self.full:
            raise OSError("no space left on device")
        self.kept |= {record.number: record for record in records}
        self.notes += notes
        for place in done:
            del self.waiting[place]

    def order(self, order: Order) -> None:
        self.waiting[max(self.waiting, default=0) + 1] = order

    def orders(self) -> list[tuple[int, Order]]:
        return sorted(self.waiting.items())


class NoCounts:
    """A gateway that has read nothing yet."""

    closed_s = 0

    def announce(self, asset: AssetId, exchange: Exchange) -> None:
        raise InvalidValue("a meter is exchanged that was read before")


@dataclass
class Scene:
    """One watched battery."""

    clock: Clock = field(default_factory=Clock)
    shelf: MemoryShelf = field(default_factory=MemoryShelf)
    heard: list[Note] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.device: Scripted = Scripted(self.clock)
        self.inventory = Inventory(self.shelf, self.clock, self.heard.append)

    def watched(self, device: Scripted | None = None) -> Watched:
        if device is not None:
            self.device = device
        return self.inventory.watch(BATTERY, self.device, "paper", "paper://1")

    def marks(self) -> list[Mark]:
        return [note.mark for note in self.heard]


Made = Callable[[], Scene]

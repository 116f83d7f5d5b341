"""A simulated gateway: one home's physics, a key that never leaves it, and a memory that survives a kill."""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from commonwatt.adapters.devices.gateway.translate import Live, Lived, Told, band
from commonwatt.flows.gateway.pen import Pen
from commonwatt.flows.rulebook.bodies import AckItem
from commonwatt.identity.keys import SigningKey
from commonwatt.metering.batch import Item
from commonwatt.metering.personal import PersonalItem
from commonwatt.model import (
    SLOT_SECONDS,
    Asset,
    AssetId,
    AssetKind,
    Band,
    GatewayId,
    InvalidValue,
    Refused,
    epoch,
)
from commonwatt.simulator import meter
from commonwatt.simulator.home import Flow, Home, HomeState, Surroundings
from commonwatt.simulator.meter import MeterMemory, MeterSpec, Trouble


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something that goes wrong on purpose, from a slot up to another.

    ``silent``: the gateway cannot be reached and reports later. ``refuse``: the asset takes no command.
    ``falsify``: the gateway signs half of what the asset imported. ``unread``: the asset's meter cannot be read; its
    gateway estimates where it can, and tells what was counted once the meter answers again. ``reset``: the meter's
    counters are set back to 0 at ``start_s``, which may lie within a slot, and this is announced; with ``lost`` nobody
    had read them, so that what they counted since they were last read is not known. ``end_s`` says nothing of a reset.
    """

    kind: Literal["silent", "refuse", "falsify", "unread", "reset"]
    asset: AssetId
    start_s: int
    end_s: int
    lost: bool = False


class Senses(msgspec.Struct, frozen=True, kw_only=True):
    """What a box feels of its home beside energy: tenths of a degree Celsius slot by slot, and where it stands."""

    start_s: int = 0
    indoor_decicelsius: list[int] = []
    outdoor_decicelsius: list[int] = []
    latitude_e7_deg: int | None = None
    longitude_e7_deg: int | None = None

    def at(self, slot_s: int) -> PersonalItem:
        """Return what it feels in a slot; a thermometer tells nothing outside its slots."""
        place = (slot_s - self.start_s) // SLOT_SECONDS
        inside, outside = (
            shown[place] if 0 <= place < len(shown) else None
            for shown in (self.indoor_decicelsius, self.outdoor_decicelsius)
        )
        return PersonalItem(
            indoor_decicelsius=inside,
            outdoor_decicelsius=outside,
            latitude_e7_deg=self.latitude_e7_deg,
            longitude_e7_deg=self.longitude_e7_deg,
        )


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What a box is told once: who it is, what hangs on it, and what will happen around it.

    ``meters`` tells what kind of meter an asset has, where it is another than the usual one; ``timezone`` is the
    community's, by which days are alike.
    """

    community: str
    number: GatewayId
    seed: str
    assets: list[Asset]
    around: Surroundings | None
    reserve_wh: int = 0
    battery_wh: int = 0
    faults: list[Fault] = []
    meters: dict[AssetId, MeterSpec] = {}
    senses: Senses | None = None
    timezone: str = "UTC"


class Memory(msgspec.Struct):
    """All that a box must not forget: its request number, its levels, its meters, and its last answer."""

    seq: int = 0
    battery_wh: int = 0
    car_wh: int | None = None
    last: Lived | None = None
    held: list[bytes] = []
    meters: dict[AssetId, MeterMemory] = {}


class Box:
    """The gateway of one home, or the meter at the feeder where there is no home behind it.

    Args:
        spec: Who it is.
        key: Its own key.
        memory: What it remembers from an earlier life.
        save: Makes a memory durable; called before every answer.
    """

    def __init__(self, spec: Spec, key: SigningKey, memory: Memory | None, save: Callable[[Memory], None]) -> None:
        self._spec, self._save = spec, save
        self._memory = memory or Memory(battery_wh=spec.battery_wh)
        secret = f"{spec.seed} {spec.number} blind".encode()
        self._pen = Pen(spec.community, spec.number, key, secret, self._memory.seq)
        self._assets = {asset.id: asset for asset in spec.assets}
        self._zone = ZoneInfo(spec.timezone)
        self._home = None
        if spec.around is not None:
            self._home = Home(
                assets={asset.kind: asset for asset in spec.assets},
                around=spec.around,
                state=HomeState(self._memory.battery_wh, self._memory.car_wh),
                reserve_wh=spec.reserve_wh,
            )

    def live(self, ask: Live) -> Lived:
        """Let a slot pass; asking again for the last slot returns the same answer."""
        last = self._memory.last
        if last is not None and last.slot_s == ask.slot_s:
            return last
        if last is not None and ask.slot_s != last.slot_s + SLOT_SECONDS:
            raise Refused("slots pass one by one", gateway=self._spec.number, last=last.slot_s, asked=ask.slot_s)
        silent = bool(self._faulty("silent", ask.slot_s))
        acks, bands = self._take([] if silent else ask.commands, ask.slot_s)
        flows = self._flows(ask, bands)
        if acks:
            self._memory.held.append(self._pen.acks(ask.slot_s, acks))
        felt = None if self._spec.senses is None else self._spec.senses.at
        self._memory.held += self._pen.readings(self._read(flows, ask.slot_s), ask.slot_s, felt)
        self._memory.seq = self._pen.seq
        requests = [] if silent else self._memory.held
        self._memory.held = self._memory.held if silent else []
        self._memory.last = Lived(slot_s=ask.slot_s, requests=requests, net_wh=self._net_wh(flows))
        if self._home is not None:
            self._memory.battery_wh, self._memory.car_wh = self._home.state.battery_wh, self._home.state.car_wh
        self._save(self._memory)
        return self._memory.last

    def _take(self, commands: list[Told], slot_s: int) -> tuple[list[AckItem], dict[AssetId, Band]]:
        """Take the commands that can be taken; say of each what became of it."""
        acks: list[AckItem] = []
        bands: dict[AssetId, Band] = {}
        refusing = self._faulty("refuse", slot_s)
        for command in commands:
            why = self._why_not(command, slot_s, refusing)
            if why:
                acks.append(AckItem(command=command.id, asset=command.asset, why=why))
                continue
            asset, asked = self._assets[command.asset], band(command)
            lo_w = max(asked.lo_w, -asset.max_export_w)
            taken = Band(lo_w=lo_w, hi_w=max(lo_w, min(asked.hi_w, asset.max_import_w)), balance_w=asked.balance_w)
            bands[asset.id] = taken
            acks.append(AckItem(command=command.id, asset=asset.id, lo_w=taken.lo_w, hi_w=taken.hi_w))
        return acks, bands

    def _why_not(self, command: Told, slot_s: int, refusing: list[AssetId]) -> str:
        if command.asset not in self._assets:
            return "no such asset here"
        if epoch(command.expires) <= slot_s:
            return "command has expired"
        if command.asset in refusing:
            return "device does not take commands now"
        try:
            band(command)
        except InvalidValue as error:
            return str(error)
        return ""

    def _flows(self, ask: Live, bands: dict[AssetId, Band]) -> dict[AssetId, Flow]:
        if self._home is None:
            (feeder,) = self._assets
            return {feeder: Flow(max(0, ask.wires_wh), max(0, -ask.wires_wh))}
        if ask.slot_s < self._home.around.start_s:
            return self._home.commission()
        return self._home.step(ask.slot_s, bands)

    def _read(self, flows: dict[AssetId, Flow], slot_s: int) -> list[Item]:
        """Let the slot's energy pass through the meters, and return what reading them tells of this slot and others."""
        unread, items = self._faulty("unread", slot_s), list[Item]()
        for place, (name, asset) in enumerate(self._assets.items()):
            if name not in flows:
                continue
            spec = self._spec.meters.get(name) or MeterSpec()
            if name not in self._memory.meters:
                self._memory.meters[name] = meter.first_read(spec, place, slot_s)
            trouble = Trouble(unread=name in unread, resets=self._resets(name, slot_s))
            items += meter.live(self._memory.meters[name], spec, asset, slot_s, flows[name], trouble, self._zone)
        return [self._falsified(item) for item in items]

    def _falsified(self, item: Item) -> Item:
        if list(self._assets)[item.register] in self._faulty("falsify", item.start_s):
            return replace(item, import_wh=item.import_wh // 2)
        return item

    def _net_wh(self, flows: dict[AssetId, Flow]) -> int:
        for asset, flow in flows.items():
            if self._assets[asset].kind in (AssetKind.CONNECTION, AssetKind.FEEDER):
                return flow.import_wh - flow.export_wh
        raise Refused("a home has a connection", gateway=self._spec.number)

    def _faulty(self, kind: str, slot_s: int) -> list[AssetId]:
        return [f.asset for f in self._spec.faults if f.kind == kind and f.start_s <= slot_s < f.end_s]

    def _resets(self, asset: AssetId, slot_s: int) -> list[tuple[int, bool]]:
        """Return when in a slot a meter is set back, and whether what it counted is lost."""
        end_s = slot_s + SLOT_SECONDS
        resets = (fault for fault in self._spec.faults if fault.kind == "reset" and fault.asset == asset)
        return sorted({fault.start_s: fault.lost for fault in resets if slot_s <= fault.start_s < end_s}.items())

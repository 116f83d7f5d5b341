"""One home as its devices show it: the same physics as on paper, with what arrives on the wires as bands."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import msgspec

from commonwatt.model import SLOT_SECONDS, Asset, AssetId, AssetKind, Band
from commonwatt.simulator.box import Spec
from commonwatt.simulator.home import SECONDS_PER_HOUR, Flow, Home, HomeState
from commonwatt.simulator.plant import Plant

RUN_BEFORE_WH = (100_000, 100_000)
"""What counters stand at when a street begins: to SunSpec a counter at 0 is one that does not count."""


@dataclass(slots=True, kw_only=True)
class HomePlant(Plant):
    """A device of a home: what it does depends on the others behind the same connection."""

    does_w: Callable[[], int]
    connected: bool = True

    @property
    def power_w(self) -> int:
        """Return what it does now, import positive."""
        return self.does_w()


class PlantMemory(msgspec.Struct):
    """What a home's devices show after the last slot that has ended, and what its wire carried in it."""

    ended_s: int = 0
    net_wh: int = 0
    battery_wh: int = 0
    car_wh: int | None = None
    counters: dict[AssetId, tuple[int, int]] = {}
    connected: list[AssetId] = []


@dataclass(slots=True)
class WiredHome:
    """The devices of one home, or the feeder's meter. A slot begins, devices are told what to do, and it ends.

    Both may be asked for again, after a kill: then nothing changes.

    Args:
        spec: Who hangs on it, and what happens around it.
        memory: From an earlier life.
    """

    spec: Spec
    memory: PlantMemory
    plants: dict[AssetId, HomePlant] = field(init=False)
    _home: Home | None = field(init=False, default=None)
    _slot_s: int | None = field(init=False, default=None)
    _shown: dict[AssetId, Flow] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if not self.memory.ended_s:
            self.memory.battery_wh = self.spec.battery_wh
        if self.spec.around is not None:
            self._home = Home(
                assets={asset.kind: asset for asset in self.spec.assets},
                around=self.spec.around,
                state=HomeState(self.memory.battery_wh, self.memory.car_wh),
                reserve_wh=self.spec.reserve_wh,
            )
        self.plants = {asset.id: self._plant(asset) for asset in self.spec.assets}
        self._show_levels()

    def begin(self, slot_s: int) -> None:
        """Let a slot begin: sun and load are there, cars have come or gone."""
        if slot_s <= self.memory.ended_s or slot_s == self._slot_s:
            return
        self._slot_s, self._shown = slot_s, None
        for plant in self.plants.values():
            plant.now_s = slot_s
        home = self._home
        car = None if home is None else home.assets.get(AssetKind.VEHICLE)
        if home is not None and car is not None and slot_s >= home.around.start_s:
            stay = home.stay(slot_s)
            self.plants[car.id].connected = stay is not None
            if stay is not None and (home.state.car_wh is None or slot_s == stay.start_s):
                self.plants[car.id].level_wh = stay.level_wh

    def end(self, slot_s: int, wires_wh: int = 0) -> int:
        """Let a slot end, and return the energy that passed its connection, Wh, import positive.

        Args:
            slot_s: Its start.
            wires_wh: What all homes' wires carried, for the feeder's meter.
        """
        if slot_s <= self.memory.ended_s:
            return self.memory.net_wh
        self.begin(slot_s)
        flows = self._flows(slot_s, wires_wh)
        for name, flow in flows.items():
            plant = self.plants[name]
            plant.import_wh += flow.import_wh
            plant.export_wh += flow.export_wh
            if flow.level_wh is not None:
                plant.level_wh, plant.connected = flow.level_wh, True
        for plant in self.plants.values():
            plant.now_s = slot_s + SLOT_SECONDS
        self._remember(slot_s, flows)
        return self.memory.net_wh

    def _plant(self, asset: Asset) -> HomePlant:
        meter = self.spec.meters.get(asset.id)
        first = RUN_BEFORE_WH if meter is None else (meter.import_wh, meter.export_wh)
        imported, exported = self.memory.counters.get(asset.id, first)
        return HomePlant(
            asset=asset,
            now_s=self._now_s(),
            import_wh=imported,
            export_wh=exported,
            connected=asset.kind is not AssetKind.VEHICLE or asset.id in self.memory.connected,
            does_w=lambda: self._power_w(asset.id),
        )

    def _now_s(self) -> int:
        """Return what clocks show before a slot begins: the end of the last one, or the first one's start."""
        if self.memory.ended_s or self.spec.around is None:
            return self.memory.ended_s + SLOT_SECONDS
        return self.spec.around.start_s - SLOT_SECONDS

    def _show_levels(self) -> None:
        for asset in self.spec.assets:
            if asset.kind is AssetKind.BATTERY:
                self.plants[asset.id].level_wh = self.memory.battery_wh
            if asset.kind is AssetKind.VEHICLE:
                self.plants[asset.id].level_wh = self.memory.car_wh or 0

    def _bands(self, slot_s: int) -> dict[AssetId, Band]:
        """Return what devices hold now; what has run out by their own clock holds no longer."""
        return {
            name: plant.held
            for name, plant in self.plants.items()
            if plant.held is not None and (plant.until_s is None or plant.until_s > slot_s)
        }

    def _power_w(self, name: AssetId) -> int:
        """Return what a device does in the slot that runs: a slot's energy flows evenly."""
        if self._slot_s is None or self._home is None or self._slot_s < self._home.around.start_s:
            return 0
        home = replace(self._home, state=replace(self._home.state))
        flow = home.step(self._slot_s, self._bands(self._slot_s)).get(name, Flow(0, 0))
        return (flow.import_wh - flow.export_wh) * SECONDS_PER_HOUR // SLOT_SECONDS

    def _flows(self, slot_s: int, wires_wh: int) -> dict[AssetId, Flow]:
        if self._home is None:
            (feeder,) = self.plants
            return {feeder: Flow(max(0, wires_wh), max(0, -wires_wh))}
        if slot_s < self._home.around.start_s:
            return self._home.commission()
        return self._home.step(slot_s, self._bands(slot_s))

    def _remember(self, slot_s: int, flows: dict[AssetId, Flow]) -> None:
        memory, home = self.memory, self._home
        memory.ended_s, memory.net_wh = slot_s, 0
        if home is not None:
            line = flows[home.assets[AssetKind.CONNECTION].id]
            memory.net_wh = line.import_wh - line.export_wh
            memory.battery_wh, memory.car_wh = home.state.battery_wh, home.state.car_wh
        memory.counters = {name: (plant.import_wh, plant.export_wh) for name, plant in self.plants.items()}
        memory.connected = [name for name, plant in self.plants.items() if plant.connected]

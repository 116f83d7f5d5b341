"""The physics of one home: load, sun, battery and car behind one connection, a slot at a time."""

from dataclasses import dataclass

from commonwatt.assets import battery, vehicle
from commonwatt.model import SLOT_SECONDS, Asset, AssetId, AssetKind, Band

SECONDS_PER_HOUR = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """A car at its plug: from when to when, the level with which it came, and the level that its owner wants."""

    start_s: int
    end_s: int
    level_wh: int
    target_wh: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What happens to a home from outside, per slot of the replayed day; the simulated box lives in it."""

    start_s: int
    load_wh: tuple[int, ...]
    solar_wh: tuple[int, ...]
    stays: tuple[Stay, ...]


@dataclass(frozen=True, slots=True)
class Flow:
    """Metered energy of one asset over a slot, and its level after, where it stores."""

    import_wh: int
    export_wh: int
    level_wh: int | None = None


@dataclass(slots=True)
class HomeState:
    """What a home remembers from slot to slot: nothing but levels."""

    battery_wh: int
    car_wh: int | None = None


@dataclass(slots=True)
class Home:
    """One home's assets in their surroundings."""

    assets: dict[AssetKind, Asset]
    around: Surroundings
    state: HomeState
    reserve_wh: int

    def step(self, slot_s: int, bands: dict[AssetId, Band]) -> dict[AssetId, Flow]:
        """Live through one slot under the given bands; an asset without one follows its safe default.

        Safe defaults: the battery keeps the home's own exchange at zero as far as it can, which never exports
        stored energy; a car charges at full power until its owner's target.
        """
        index = (slot_s - self.around.start_s) // SLOT_SECONDS
        load_wh, solar_wh = self.around.load_wh[index], self.around.solar_wh[index]
        flows: dict[AssetId, Flow] = {}
        net_wh = load_wh - solar_wh
        flows[self.assets[AssetKind.SOLAR].id] = Flow(0, solar_wh)
        net_wh += self._drive(slot_s, bands, flows)
        net_wh += self._store(net_wh, bands, flows)
        flows[self.assets[AssetKind.CONNECTION].id] = Flow(max(0, net_wh), max(0, -net_wh))
        return flows

    def commission(self) -> dict[AssetId, Flow]:
        """Read every meter once before the day begins: levels, and no energy yet."""
        levels = {AssetKind.BATTERY: self.state.battery_wh}
        return {asset.id: Flow(0, 0, levels.get(kind)) for kind, asset in self.assets.items()}

    def stay(self, slot_s: int) -> Stay | None:
        """Return the stay that holds a slot."""
        return next((stay for stay in self.around.stays if stay.start_s <= slot_s < stay.end_s), None)

    def _drive(self, slot_s: int, bands: dict[AssetId, Band], flows: dict[AssetId, Flow]) -> int:
        car = self.assets.get(AssetKind.VEHICLE)
        if car is None:
            return 0
        net_wh = 0
        flows[car.id] = Flow(0, 0)  # its meter stays while it is away
        stay = self.stay(slot_s)
        if stay is not None:
            level_wh = stay.level_wh if self.state.car_wh is None or slot_s == stay.start_s else self.state.car_wh
            band = bands.get(car.id)
            power_w = _car_power_w(car, band, level_wh, stay)
            done = battery.step(car, level_wh, power_w, SLOT_SECONDS, min(level_wh, vehicle.reserve_wh(car)))
            self.state.car_wh = done.level_wh
            flows[car.id] = Flow(done.import_wh, done.export_wh, done.level_wh)
            net_wh = done.import_wh - done.export_wh
        next_stay = self.stay(slot_s + SLOT_SECONDS)
        if next_stay is None:
            self.state.car_wh = None
        elif next_stay.start_s == slot_s + SLOT_SECONDS and stay is None:
            # Plugged in within this slot, drawing from the next on: the meter already tells the level.
            self.state.car_wh = next_stay.level_wh
            flows[car.id] = Flow(0, 0, next_stay.level_wh)
        return net_wh

    def _store(self, others_wh: int, bands: dict[AssetId, Band], flows: dict[AssetId, Flow]) -> int:
        asset = self.assets[AssetKind.BATTERY]
        band = bands.get(asset.id) or Band(lo_w=-asset.max_export_w, hi_w=asset.max_import_w, balance_w=0)
        others_w = others_wh * SECONDS_PER_HOUR // SLOT_SECONDS
        wanted_w = 0 if band.balance_w is None else band.balance_w - others_w
        power_w = max(band.lo_w, min(band.hi_w, wanted_w))
        floor_wh = min(self.state.battery_wh, self.reserve_wh)
        done = battery.step(asset, self.state.battery_wh, power_w, SLOT_SECONDS, floor_wh)
        self.state.battery_wh = done.level_wh
        flows[asset.id] = Flow(done.import_wh, done.export_wh, done.level_wh)
        return done.import_wh - done.export_wh


def _car_power_w(car: Asset, band: Band | None, level_wh: int, stay: Stay) -> int:
    if band is not None:
        power_w = max(band.lo_w, min(band.hi_w, 0))
        return power_w if not 0 < power_w < car.min_import_w else 0
    # Full power, and no more than what is still missing: what is stored of an import is rounded down.
    missing_wh = max(0, stay.target_wh - level_wh)
    needed_wh = -(-missing_wh * 1000 // car.charge_permille)
    return min(car.max_import_w, -(-needed_wh * SECONDS_PER_HOUR // SLOT_SECONDS))

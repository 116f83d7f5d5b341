"""The charge point of a charging session on a real OCPP wire: a station of a devices file, or our own simulated one.

Its meter is the station's connection, which is told slot by slot as a gateway would, from what the station counts.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from commonwatt.adapters.devices.driver import DeviceSpec, Doors, open_device
from commonwatt.adapters.devices.ocpp.charge_point import ChargePoint
from commonwatt.adapters.devices.ocpp.device import OcppDevice
from commonwatt.adapters.devices.ocpp.ocmf import Notary
from commonwatt.adapters.stores.keyfile import load_secret, save_secret
from commonwatt.apps.device_files import specs_of
from commonwatt.flows.desk import Desk
from commonwatt.flows.gateway import counters
from commonwatt.flows.rulebook import State, bodies
from commonwatt.identity.keys import SigningKey
from commonwatt.metering import counting
from commonwatt.metering.batch import Flag, Item, encode_items
from commonwatt.metering.counting import Count, Told
from commonwatt.metering.parting import Shown
from commonwatt.model import SLOT_SECONDS, AccountId, Asset, InvalidValue, Kind, Refused, Unreachable, epoch
from commonwatt.simulator.devices.ocpp_station import OcppStation, running
from commonwatt.simulator.plant import Plant

SIMULATED = "ws://127.0.0.1:0/SIMULATED"
"""Where our own simulated station comes to: any free port of this machine."""
PROMPT_S = 60
"""So long after a slot's end a meter's value still counts as that of its end."""
KEPT_S = 86_400
"""What a connection took is made up for so long; who was away for longer begins anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """A charge point that is there, and how its time passes: a simulated one waits until it is told the time."""

    point: ChargePoint
    device: OcppDevice
    live_to: Callable[[int], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugged:
    """Which station it is.

    Args:
        meter: The asset that it draws behind.
        shows_wh: What its register shows at least: all that was ever billed of it is behind it.
        devices: A folder with the devices file in which it stands under its meter's name; None: ours is simulated.
        version: Of OCPP, that a simulated one speaks.
        power_w: That a simulated one gives.
        signs_as: Serial number of the meter that signs what it counts, as its tariff pins it; empty where none does.
        signs_by: Its public key.
    """

    meter: Asset
    shows_wh: int
    devices: Path | None
    version: str
    power_w: int
    signs_as: str = ""
    signs_by: str = ""


@asynccontextmanager
async def outlet(
    folder: Path, which: Plugged, clock: Callable[[], datetime], on_word: Callable[[str], None]
) -> AsyncIterator[Outlet]:
    """Open a station's charge point while the context is entered, with a memory that outlives it.

    Args:
        folder: Where a simulated station's server remembers; that of a real one does beside its devices file.
        which: Station.
        clock: Our time.
        on_word: Hears what goes wrong at the station.

    Raises:
        Refused: The station stands in no devices file, or does not speak OCPP.
        InvalidValue: The devices file or the pinned key makes no sense, or its port is not free.
    """
    spec = DeviceSpec(asset=which.meter.id, driver="ocpp", url=SIMULATED)
    if which.devices is not None:
        spec = _in_file(which.devices, which.meter)
    async with AsyncExitStack() as opened:
        doors = await opened.enter_async_context(Doors(clock=clock, folder=which.devices or folder))
        device = await open_device(which.meter, spec, doors)
        if not isinstance(device, OcppDevice):
            raise Refused("a car charges at a station that speaks OCPP", asset=spec.asset, driver=spec.driver)
        notary = Notary(which.signs_as, which.signs_by, rounds_down=True) if which.signs_by else None
        point = ChargePoint(device, notary, on_word)
        opened.push_async_callback(point.close)
        live_to = _real_time
        if which.devices is None:
            station = await opened.enter_async_context(_simulated(which, device))
            live_to = station.live_to
        point.go_on_from(which.shows_wh)
        yield Outlet(point=point, device=device, live_to=live_to)


async def _real_time(now_s: int) -> None:
    """Do nothing: a real station's time passes by itself."""


def _in_file(devices: Path, meter: Asset) -> DeviceSpec:
    found = next((spec for spec in specs_of(devices) if spec.asset == meter.id), None)
    if found is None:
        raise Refused("a station stands in the devices file under its meter's name", asset=meter.id, path=devices)
    return found


@asynccontextmanager
async def _simulated(which: Plugged, device: OcppDevice) -> AsyncIterator[OcppStation]:
    """Run our own station, whose register goes on where it stood; a transaction in which it was killed has ended."""
    stood_wh = device.evse.imported.last_wh
    plant = Plant(
        asset=which.meter,
        now_s=epoch(device.clock()),
        own_w=lambda: which.power_w,
        import_wh=which.shows_wh if stood_wh is None else stood_wh,
    )
    url = f"ws://127.0.0.1:{device.server.port}/{device.station.id}"
    station = OcppStation(plant=plant, version=which.version, url=url, patience_s=5)
    if (cut := device.evse.session) is not None:
        station.transaction, station.number = cut.id, cut.seen[-1][1] + 1 if cut.seen else 0
        await station.unplug("PowerLoss")
    async with running(station):
        await station.up()
        await station.live_to(plant.now_s)
        yield station


class Connection:
    """The station's connection, told slot by slot from the station's own counter, however long nobody looked.

    Args:
        gateway: Who signs what it tells.
        meter: The connection.
        path: The file of what must not be forgotten; a slot counts as told once the log took it.
        stood: What it showed at the start of the running slot; None where that is not known, because energy flowed
            while nobody looked.
        first: What to begin with where the file tells of nothing, or only of what is long over.
        zone: The community's clock, for estimates of slots in which nobody looked.
    """

    def __init__(
        self, gateway: SigningKey, meter: Asset, path: Path, stood: Shown | None, first: Shown, zone: ZoneInfo
    ) -> None:
        self._gateway, self._meter, self._path, self._zone = gateway, meter, path, zone
        count = msgspec.json.decode(load_secret(path), type=Count) if path.exists() else None
        if count is None or first.at_s - count.imported.at_s > KEPT_S:
            count = counting.begin(0, first)
        self._told = Told(count=count)
        if stood is not None and stood.at_s > count.imported.at_s:
            self._told = counting.read(count, meter, [stood], zone)
        save_secret(path, msgspec.json.encode(count))

    @property
    def told_to_s(self) -> int:
        """To which moment it is known what the connection took."""
        return self._told.count.imported.at_s

    async def readings(self, state: State, device: OcppDevice, now_s: int) -> list[bytes]:
        """Return signed readings of the slots that are over by now and not told yet."""
        end_s = now_s // SLOT_SECONDS * SLOT_SECONDS
        if self.told_to_s < end_s and now_s - end_s <= PROMPT_S:
            with suppress(Unreachable, InvalidValue):  # then a moment later, or at the end of a later slot
                shown = await device.read()
                value = Shown(at_s=end_s, import_wh=shown.import_wh or 0, export_wh=0)
                told = counters.tell(
                    self._told.count, self._meter, end_s - SLOT_SECONDS, [value], None, self._zone
                )  # fmt: skip
                self._told = replace(told, items=(*self._told.items, *told.items))
        # What was sent just before we were killed stands in the log already.
        items = [one for one in self._told.items if one.flags & Flag.CORRECTS or not self._stands(state, one)]
        if not items:
            return []
        place = state.gateways[self._meter.gateway].assets.index(self._meter.id)
        packed = encode_items([replace(one, register=place) for one in items])
        desk = Desk(state)
        head = bodies.batch_head(self._meter.gateway, packed)
        desk.write(self._gateway, AccountId(self._meter.gateway), Kind.READING_BATCH, head, items=packed)
        return desk.wires

    def keep(self) -> tuple[str, ...]:
        """Remember what the log has taken, and return why values were not believed."""
        if self._told.items:
            save_secret(self._path, msgspec.json.encode(self._told.count))
        doubts, self._told = self._told.doubts, Told(count=self._told.count)
        return doubts

    def _stands(self, state: State, item: Item) -> bool:
        return self._meter.id in state.readings.told(item.start_s)

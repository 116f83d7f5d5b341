"""What an owner or operator does with the devices of a gateway: list, try, add, replace, release and remove them."""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from commonwatt.adapters.devices.driver import DeviceSpec, Doors, drivers, open_device
from commonwatt.adapters.stores.inventory import InventoryFile
from commonwatt.apps.device_files import add_spec, assets_of, remove_spec, replace_spec, specs_of, toml_value
from commonwatt.apps.device_health import Overview, overview
from commonwatt.flows.device_ports import Clocked, Identified
from commonwatt.flows.inventory import Health, Meter, Note, Record, Rules, implausible
from commonwatt.flows.inventory_ports import Deed, Order
from commonwatt.metering.parting import Exchange
from commonwatt.model import (
    NO_NAMEPLATE,
    Asset,
    AssetId,
    CommonwattError,
    DeviceState,
    InvalidValue,
    Nameplate,
    Refused,
    Unreachable,
    epoch,
)

INVENTORY = "inventory.sqlite"
TRIES_FOR_S = 20.0
"""How long a device has to give its first reading: what pushes may do so every ten seconds only."""

OLD_FOR_S = 5.0
"""How long one that is to be replaced has: it may be gone already."""

Both = tuple[int, int]
"""Import and export, in Wh."""


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """What a driver admits of itself: ``trouble`` says why it cannot be used, or admits nothing."""

    driver: str
    title: str = ""
    shape: str = ""
    finds: bool = False
    done: dict[str, str] = {}
    exempt: dict[str, str] = {}
    missing: dict[str, str] = {}
    trouble: str = ""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A device as a list shows it; ``number`` is 0 for one that the gateway has not opened yet."""

    number: int
    asset: str
    driver: str
    url: str
    health: str
    nameplate: Nameplate = NO_NAMEPLATE
    first_seen_s: int | None = None
    last_seen_s: int | None = None
    last_good_s: int | None = None
    failures: int = 0
    nonsense: int = 0
    power_w: int | None = None
    level_wh: int | None = None
    clock_ahead_s: int | None = None
    clock_wrong: bool = False
    trouble: str = ""
    ordered: list[str] = []


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What a device showed when it was tried."""

    state: DeviceState
    nameplate: Nameplate = NO_NAMEPLATE
    clock_ahead_s: int | None = None


def admissions() -> list[Admission]:
    """Return what each installed driver admits of itself, by name; one that is broken is listed with its trouble."""
    told = []
    for name, driver in drivers().items():
        troubles = []
        try:
            driver.open()
        except Exception as error:  # anybody's package may be broken in any way
            troubles.append(str(error))
        try:
            admitted = driver.quality()
        except InvalidValue as error:
            told.append(Admission(driver=name, trouble="; ".join(troubles or [str(error)])))
            continue
        told.append(
            Admission(
                driver=name,
                title=admitted.title,
                shape=admitted.shape,
                finds=driver.probe() is not None,
                done=admitted.done,
                exempt=admitted.exempt,
                missing=admitted.missing,
                trouble="; ".join(troubles),
            )
        )
    return told


def listing(folder: Path, *, ended: bool = False) -> list[Seen]:
    """Return the devices of a gateway: those of its devices file, and what its inventory knows of them.

    Args:
        folder: The gateway's.
        ended: Those that were replaced or removed, too.
    """
    with InventoryFile(folder / INVENTORY) as shelf:
        records, orders = shelf.records(), [order for _, order in shelf.orders()]
    seen = [_seen(record, orders) for record in records if ended or record.ended_as is None]
    known = {record.asset for record in records if record.ended_as is None}
    fresh = [spec for spec in specs_of(folder) if spec.asset not in known]
    return sorted(
        [
            *seen,
            *(
                Seen(number=0, asset=spec.asset, driver=spec.driver, url=spec.url, health=Health.NEW.value)
                for spec in fresh
            ),
        ],
        key=lambda one: (one.asset, one.number),
    )


def history(folder: Path, asset: str) -> list[Note]:
    """Return the life of an asset's devices, oldest first."""
    with InventoryFile(folder / INVENTORY) as shelf:
        return shelf.history(AssetId(asset))


def fares(folder: Path, now_s: int) -> Overview:
    """Return how the devices of a gateway fare, for its operator's figures."""
    with InventoryFile(folder / INVENTORY) as shelf:
        return overview(shelf.records(), now_s)


def add(folder: Path, spec: DeviceSpec, *, trial: bool = True) -> Tried | None:
    """Write a device into a gateway's devices file, after it gave a reading that can be true.

    Raises:
        Refused: Its asset has one already.
        Unreachable: It gave no reading in time.
        InvalidValue: There is no such asset or driver, or what it showed cannot be true.
    """
    asset = _asset(folder, spec.asset)
    tried = asyncio.run(attempt(asset, spec)) if trial else None
    add_spec(folder, spec)
    return tried


def replace(
    folder: Path, spec: DeviceSpec, by: str, *, last: Both | None = None, first: Both | None = None, trial: bool = True
) -> tuple[Tried | None, Exchange]:
    """Put another device in the place of an asset's, so that the asset's history goes on.

    Args:
        folder: The gateway's.
        spec: The new device.
        by: Who says so.
        last: What the old one's counters had come to; without, what it is asked now, or what it showed last.
        first: Where the new one's begin; without, what it shows now.
        trial: Whether to ask the devices at all.

    Raises:
        Refused: The asset has no device.
        Unreachable: The new one gave no reading in time.
        InvalidValue: It showed what cannot be true, or nobody says where its counters begin.
    """
    asset = _asset(folder, spec.asset)
    old = next((one for one in specs_of(folder) if one.asset == spec.asset), None)
    if old is None:
        raise Refused("an asset's device stands in the devices file", asset=spec.asset, found="none")
    tried = asyncio.run(attempt(asset, spec)) if trial else None
    if first is None and tried is None:
        raise InvalidValue("where the new device's counters begin is asked of it, or said: was neither")
    begins = first or _counters(tried.state if tried else None) or (0, 0)
    ends = last or _last(folder, asset, old if trial and (old.driver, old.url) != (spec.driver, spec.url) else None)
    now_s = epoch(datetime.now(UTC))
    exchange = Exchange(at_s=now_s, last=ends, first=begins)
    replace_spec(folder, spec)
    _order(
        folder,
        Order(
            deed=Deed.REPLACE,
            asset=asset.id,
            at_s=now_s,
            by=by,
            exchange=exchange,
            driver=spec.driver,
            url=spec.url,
            nameplate=tried.nameplate if tried else NO_NAMEPLATE,
        ),
    )
    return tried, exchange


def remove(folder: Path, asset: str, by: str) -> None:
    """Take an asset's device out of the devices file; its history stays.

    Raises:
        Refused: It has none.
    """
    remove_spec(folder, AssetId(asset))
    _order(folder, Order(deed=Deed.REMOVE, asset=AssetId(asset), at_s=epoch(datetime.now(UTC)), by=by))


def release(folder: Path, asset: str, by: str, *, first: Both | None = None) -> None:
    """Let a device out of quarantine at the gateway's next tick.

    Args:
        folder: The gateway's.
        asset: Whose device.
        by: Who says so.
        first: Where its counters began again, in Wh, where they were set back.

    Raises:
        Refused: Its device is not in quarantine.
    """
    with InventoryFile(folder / INVENTORY) as shelf:
        record = next((r for r in shelf.records() if r.asset == asset and r.ended_as is None), None)
        if record is None or record.quarantined_s is None:
            found = "no device" if record is None else record.health.value
            raise Refused("only what is in quarantine is released", asset=asset, found=found)
        now_s, exchange = epoch(datetime.now(UTC)), None
        if first is not None:
            last = None if record.import_wh is None and record.export_wh is None else _known(record)
            exchange = Exchange(at_s=record.last_good_s or now_s, last=last, first=first)
        deed = Deed.RELEASE if exchange is None else Deed.RESET
        shelf.order(Order(deed=deed, asset=record.asset, at_s=now_s, by=by, exchange=exchange))


async def attempt(asset: Asset, spec: DeviceSpec, within_s: float = TRIES_FOR_S) -> Tried:
    """Open a device, read it once, and close it again; nothing is told to it.

    Raises:
        Unreachable: It gave no reading in time.
        InvalidValue: What it showed cannot be true of the asset, or its settings make no sense.
    """
    with tempfile.TemporaryDirectory() as folder:
        async with Doors(folder=Path(folder)) as doors:
            device = await open_device(asset, spec, doors)
            try:
                state = await _first_reading(device.read, asset, within_s)
                nameplate = NO_NAMEPLATE
                if isinstance(device, Identified):
                    with suppress(CommonwattError, OSError, TimeoutError):
                        async with asyncio.timeout(5):
                            nameplate = await device.identity()
                ahead_s = device.clock_ahead_s if isinstance(device, Clocked) else None
            finally:
                await device.close()
            now_s = epoch(doors.clock())
    blank = Record(number=0, asset=asset.id, driver=spec.driver, url=spec.url, added_s=now_s)
    meter = Meter(rollover_wh=spec.rollover_wh, resolution_wh=spec.resolution_wh)
    if why := implausible(blank, asset, state, now_s, Rules(), meter):
        raise InvalidValue(f"{asset.id} cannot be what is at {spec.url}: {why}")
    return Tried(state=state, nameplate=nameplate, clock_ahead_s=ahead_s)


def spec_of(
    asset: str, driver: str, url: str, settings: Sequence[str], rollover_wh: int | None, resolution_wh: int
) -> DeviceSpec:
    """Return a device as people say it, its settings like ``unit=1`` or ``profile=shelly2``, values as in TOML.

    Raises:
        InvalidValue: A setting is no pair.
    """
    told = dict[str, Any]()
    for setting in settings:
        name, between, value = setting.partition("=")
        if not between or not name:
            raise InvalidValue(f"a setting looks like name=value, was {setting!r}")
        told[name] = _setting(value)
    return DeviceSpec(
        asset=AssetId(asset),
        driver=driver,
        url=url,
        rollover_wh=rollover_wh,
        resolution_wh=resolution_wh,
        settings=told,
    )


def setting_text(name: str, value: object) -> str:
    """Return a setting as people say it, such that `spec_of` reads the same of it: a text that is no TOML as it is."""
    if isinstance(value, str) and _setting(value) == value:
        return f"{name}={value}"
    return f"{name}={toml_value(value)}"


def _setting(text: str) -> Any:
    try:
        (value,) = msgspec.toml.decode(f"value = {text}").values()
    except (msgspec.DecodeError, ValueError):
        return text
    return value


async def _first_reading(read: Callable[[], Any], asset: Asset, within_s: float) -> DeviceState:
    """Read until there is a reading: a device that pushes has to speak first."""
    ends_s = asyncio.get_running_loop().time() + within_s
    while True:
        try:
            async with asyncio.timeout(within_s):
                state: DeviceState = await read()
            return state
        except (Unreachable, OSError, TimeoutError) as error:
            if asyncio.get_running_loop().time() >= ends_s:
                raise Unreachable(f"{asset.id} gave no reading within {within_s:g} s: {error}") from error
        await asyncio.sleep(0.25)


def _last(folder: Path, asset: Asset, old: DeviceSpec | None) -> Both | None:
    """Return what an old device's counters had come to: as it says now, else as it was believed last."""
    if old is not None:
        with suppress(CommonwattError, OSError):
            if shown := _counters(asyncio.run(attempt(asset, old, OLD_FOR_S)).state):
                return shown
    with InventoryFile(folder / INVENTORY) as shelf:
        record = next((r for r in shelf.records() if r.asset == asset.id and r.ended_as is None), None)
    return None if record is None or record.last_good_s is None else _known(record)


def _counters(state: DeviceState | None) -> Both | None:
    if state is None or (state.import_wh is None and state.export_wh is None):
        return None
    return state.import_wh or 0, state.export_wh or 0


def _known(record: Record) -> Both:
    return record.import_wh or 0, record.export_wh or 0


def _asset(folder: Path, name: AssetId) -> Asset:
    assets = assets_of(folder)
    if name not in assets:
        raise InvalidValue(f"an asset is one of {', '.join(assets) or 'none yet'}, was {name}")
    return assets[name]


def _order(folder: Path, order: Order) -> None:
    with InventoryFile(folder / INVENTORY) as shelf:
        shelf.order(order)


def _seen(record: Record, orders: Sequence[Order]) -> Seen:
    return Seen(
        number=record.number,
        asset=record.asset,
        driver=record.driver,
        url=record.url,
        health=record.health.value,
        nameplate=record.nameplate,
        first_seen_s=record.first_seen_s,
        last_seen_s=record.last_seen_s,
        last_good_s=record.last_good_s,
        failures=record.failures,
        nonsense=record.nonsense,
        power_w=record.power_w,
        level_wh=record.level_wh,
        clock_ahead_s=record.ahead_s,
        clock_wrong=record.skewed_s is not None,
        trouble=record.trouble,
        ordered=[order.deed.value for order in orders if order.asset == record.asset and record.ended_as is None],
    )

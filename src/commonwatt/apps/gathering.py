"""Gather what a log and what members brought along tell of homes, slot by slot, for those who look ahead and back."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from commonwatt.adapters.stores.chronicle import Chronicle
from commonwatt.apps.parking import departures, stays_of, told_w
from commonwatt.flows.brought import NOTHING_BROUGHT, Brought
from commonwatt.flows.called import asked_of_homes
from commonwatt.flows.foreseeing import unasked
from commonwatt.flows.rulebook import State
from commonwatt.forecasting.days import from_day, starts_s
from commonwatt.forecasting.foresee import AHEAD
from commonwatt.forecasting.habits import Departure
from commonwatt.forecasting.parked import Parked
from commonwatt.metering.batch import Quality
from commonwatt.model import (
    SLOT_SECONDS,
    SLOTS_PER_DAY,
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    Interval,
    instant,
    zone_of,
)

T = TypeVar("T")
Floats = NDArray[np.float64]
NO_DAYS: Floats = np.zeros((0, SLOTS_PER_DAY))
Outdoor = Callable[[Interval], Mapping[int, int]]
"""Tells how warm it was forecast to be outside, as known at an interval's start: thousandths of a degree by slot."""
MOST_DAYS = 56
MOST_PRICED_DAYS = 378
"""Prices are few, and what they are learnt by looks at a year, from a fortnight ago, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """What one meter told of each slot of whole days and of today: (days + 1, slots) Wh, not a number where nothing.

    ``level_wh`` is what a store held at each slot's end.
    """

    asset: Asset
    import_wh: Floats
    export_wh: Floats
    level_wh: Floats

    @property
    def net_wh(self) -> Floats:
        """Return what it drew less what it gave."""
        return self.import_wh - self.export_wh


@dataclass(frozen=True, slots=True, kw_only=True)
class CarbonDays:
    """The grid's carbon, mg per kWh: what was published of each day as it began, of the day after it, and what came.

    The first two (days + 1, slots), today the last; ``came`` (days, slots). Not a number where nothing was.
    """

    told: Floats
    next_told: Floats
    came: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """All that is looked at, copied from the loop's tables so that a thread may work on it.

    Args:
        clock: The community's.
        today: Its local day, of which only a part has come.
        days: Whole days before it, and today.
        starts_s: When each slot begins: (days, slots), today and tomorrow among them.
        homes: Members with a connection, in order of name.
        zone: Of each.
        load_wh: (homes, days, slots) of the days and of today; not a number where nobody measured, nor where a home was
            asked for something else.
        solar_wh: Likewise.
        meters: Behind the log alone: by asset.
        prices: (days, slots, 2) import and export price, micro per kWh.
        priced: (days, slots) import price of all whole days before today that are known, a year and some at most; not a
            number where none was told.
        exported: Likewise the export price.
        local: Likewise what a kWh cost among neighbours.
        carbon: Where a feed tells it.
        stays: Whole stays of each car, in order.
        departures: Of each car, in order.
        told_w: What each car was told to draw at most, as far as its owner let schedules be told: (days, slots).
        brought: With its place.
        outdoor_c: (days, `AHEAD`, slots) degrees Celsius that were forecast at the start of each day and of today, of
            it and of those after it; not a number where none were. None without such a feed, or without a heat pump.
    """

    clock: ZoneInfo
    today: date
    days: Sequence[date]
    starts_s: NDArray[np.int64]
    homes: tuple[AccountId, ...]
    zone: tuple[str, ...]
    load_wh: Floats
    solar_wh: Floats
    meters: Mapping[AssetId, Meter]
    prices: Floats
    priced: Floats
    departures: Mapping[AssetId, tuple[Departure, ...]]
    told_w: Mapping[AssetId, Floats]
    brought: Brought
    stays: Mapping[AssetId, tuple[Parked, ...]] = field(default_factory=dict)
    exported: Floats = field(default_factory=lambda: NO_DAYS)
    local: Floats = field(default_factory=lambda: NO_DAYS)
    carbon: CarbonDays | None = None
    outdoor_c: Floats | None = None

    @property
    def region(self) -> str:
        """Return whose holidays are kept there; empty where nobody told."""
        return "" if self.brought.place is None else self.brought.place.region


def gather(
    state: State, chronicle: Chronicle, brought: Brought, now_s: int, outdoor: Outdoor | None = None
) -> Gathered:
    """Return what was measured of every home, whole days and today, eight weeks at most."""
    return drained(gathering(state, chronicle, brought, now_s, outdoor))


def drained(steps: Generator[None, None, T]) -> T:
    """Return what short steps come to, for who has nobody else to answer meanwhile."""
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            found: T = ended.value
            return found


def gathering(
    state: State, chronicle: Chronicle, brought: Brought, now_s: int, outdoor: Outdoor | None = None
) -> Generator[None, None, Gathered]:
    """Do the same in short steps, one a meter, between which a loop can answer others; returns it in the end."""
    every = list(state.assets.values())
    clock = zone_of(state.charter.timezone)
    region = "" if brought.place is None else brought.place.region
    today = instant(now_s).astimezone(clock).date()
    owners = sorted({one.owner for one in every if one.kind is AssetKind.CONNECTION})
    joined = [state.joined_s[one.id] for one in every if one.kind is AssetKind.CONNECTION]
    known = [home.first_s for owner, home in brought.homes.items() if owner in owners]
    began = instant(min([*joined, *known], default=now_s)).astimezone(clock)
    since = began.date() if began.time() == datetime.min.time() else began.date() + timedelta(days=1)
    count = min(MOST_DAYS, max(0, (today - since).days))
    days = from_day(today - timedelta(days=count), count + 1)
    slots = starts_s([*days, *from_day(today + timedelta(days=1), AHEAD - 1)], clock)
    own = slots[: count + 1]
    meters: dict[AssetId, Meter] = {}
    for one in every:
        meters[one.id] = _meter(chronicle, one, own)
        yield
    homes = [[one for one in every if one.owner == owner] for owner in owners]
    measured = [
        _home(brought, owner, assets, meters, state.joined_s, own) for owner, assets in zip(owners, homes, strict=True)
    ]
    asked = asked_of_homes(state)
    loads = [unasked(load, own, asked.get(owner, ())) for owner, (load, _) in zip(owners, measured, strict=True)]
    shape = (len(owners), *own.shape)
    told: dict[AssetId, Floats] = {}
    stays: dict[AssetId, tuple[Parked, ...]] = {}
    for car in (one for one in every if one.kind is AssetKind.VEHICLE):
        told[car.id] = told_w(chronicle, car, own)
        stays[car.id], _ = stays_of(chronicle, brought, car, int(own[0, 0]))
        yield
    outdoor_c = None
    if outdoor is not None and any(one.kind is AssetKind.HEAT_PUMP for one in every):
        outdoor_c = np.full((len(own), AHEAD, SLOTS_PER_DAY), np.nan)
        for day in range(len(own)):
            outdoor_c[day] = _outdoor_c(outdoor, slots[day : day + AHEAD])
            yield
    return Gathered(
        clock=clock,
        today=today,
        days=days,
        starts_s=slots,
        homes=tuple(owners),
        zone=tuple(next(a.zone for a in assets if a.kind is AssetKind.CONNECTION) for assets in homes),
        load_wh=np.array(loads).reshape(shape),
        solar_wh=np.array([sun for _, sun in measured]).reshape(shape),
        meters=meters,
        prices=_prices(chronicle, brought, own),
        priced=_priced(chronicle, brought, today, clock, 0),
        told_w=told,
        stays=stays,
        departures={car: departures(own, clock, region) for car, own in stays.items()},
        exported=_priced(chronicle, brought, today, clock, 1),
        local=_local(chronicle, today, clock),
        brought=brought,
        outdoor_c=outdoor_c,
    )


def _home(
    brought: Brought,
    owner: AccountId,
    assets: Sequence[Asset],
    meters: Mapping[AssetId, Meter],
    joined_s: Mapping[AssetId, int],
    slots: NDArray[np.int64],
) -> tuple[Floats, Floats]:
    """Return a home's own use and its roof's yield; what its meters told in the log goes before what it brought."""
    load, sun = np.full(slots.shape, np.nan), np.full(slots.shape, np.nan)
    before = brought.homes.get(owner)
    if before is not None and before.load_wh:
        at = (slots - before.first_s) // SLOT_SECONDS
        inside = (at >= 0) & (at < len(before.load_wh))
        load[inside] = np.array(before.load_wh, np.float64)[at[inside]]
        sun[inside] = np.array(before.solar_wh, np.float64)[at[inside]]
    roofs = [one.id for one in assets if one.kind is AssetKind.SOLAR]
    connection = next(meters[one.id] for one in assets if one.kind is AssetKind.CONNECTION)
    behind = [meters[one.id].net_wh for one in assets if one.kind is not AssetKind.CONNECTION]
    used = np.maximum(connection.net_wh - np.sum([np.nan_to_num(one) for one in behind], 0), 0)
    # Before it was registered a roof gave nothing, and what the connection drew was the load.
    there = [slots >= joined_s.get(one, 0) for one in roofs]
    made = sum(
        (np.where(on, meters[one].export_wh, 0) for one, on in zip(roofs, there, strict=True)), np.zeros_like(sun)
    )
    told = ~np.isnan(used) & ~np.isnan(made)
    yielding = told & np.any([*there, np.zeros(slots.shape, np.bool_)], 0)
    load[told], sun[yielding] = used[told], made[yielding]
    if not roofs:
        sun[:] = np.nan
    return load, sun


def _meter(chronicle: Chronicle, asset: Asset, slots: NDArray[np.int64]) -> Meter:
    flat, columns = slots.ravel(), np.full((3, slots.size), np.nan)
    every = chronicle.readings(asset.id, int(slots[0, 0]), int(slots[-1, -1]) + SLOT_SECONDS)
    if told := [one for one in every if one.quality is Quality.MEASURED]:
        starts = np.array([one.slot_s for one in told], np.int64)
        # Each slot looks its reading up: the hour that clocks leave out in spring is two slots of the local day.
        at = np.minimum(np.searchsorted(starts, flat), len(starts) - 1)
        levels = [np.nan if one.reading.level_wh is None else one.reading.level_wh for one in told]
        rows = np.array([[one.reading.import_wh, one.reading.export_wh] for one in told], np.float64).T
        columns = np.where(starts[at] == flat, np.array([*rows, levels])[:, at], np.nan)
    bought, sold, level_wh = columns.reshape(3, *slots.shape)
    return Meter(asset=asset, import_wh=bought, export_wh=sold, level_wh=level_wh)


def _prices(chronicle: Chronicle, brought: Brought, slots: NDArray[np.int64]) -> Floats:
    told = {brought.prices_from_s + at * SLOT_SECONDS: both for at, both in enumerate(brought.prices)}
    for first in range(0, len(slots), MOST_DAYS):  # a chronicle hands out so many rows at most
        some = slots[first : first + MOST_DAYS]
        told |= chronicle.prices(int(some[0, 0]), int(some[-1, -1]) + SLOT_SECONDS)
    none = (np.nan, np.nan)
    return np.array([told.get(int(slot_s), none) for slot_s in slots.ravel()], np.float64).reshape(*slots.shape, 2)


def _priced(chronicle: Chronicle, brought: Brought, today: date, clock: ZoneInfo, which: int) -> Floats:
    """Return import or export price of the whole days before today, from the first on of which anything was told."""
    days = from_day(today - timedelta(days=MOST_PRICED_DAYS), MOST_PRICED_DAYS)
    return _since_told(_prices(chronicle, brought, starts_s(days, clock))[:, :, which])


def _local(chronicle: Chronicle, today: date, clock: ZoneInfo) -> Floats:
    """Return what a kWh cost among neighbours on the whole days before today, likewise; none without trades."""
    slots = starts_s(from_day(today - timedelta(days=MOST_PRICED_DAYS), MOST_PRICED_DAYS), clock)
    told = chronicle.traded(int(slots[0, 0]), int(slots[-1, -1]) + SLOT_SECONDS)
    each = {slot_s: worth / wh for slot_s, (wh, worth) in told.items() if wh}
    found = np.array([each.get(int(slot_s), np.nan) for slot_s in slots.ravel()], np.float64)
    return _since_told(found.reshape(slots.shape))


def _since_told(found: Floats) -> Floats:
    told = np.flatnonzero(~np.isnan(found).all(1))
    return found[int(told[0]) if len(told) else len(found) :]


def _outdoor_c(outdoor: Outdoor, slots: NDArray[np.int64]) -> Floats:
    """Return how warm some days were forecast to be at the start of the first; a week that is not told is none."""
    told = outdoor(Interval(instant(int(slots[0, 0])), instant(int(slots[-1, -1]) + SLOT_SECONDS)))
    values = [told.get(slot_s) for slot_s in slots.ravel().tolist()]
    return np.array([np.nan if one is None else one / 1000 for one in values]).reshape(slots.shape)


def today_of(chronicle: Chronicle, asset: Asset, slots: NDArray[np.int64]) -> Floats:
    """Return what an asset drew today so far, less what it gave: n values, not a number where its meter was silent."""
    found: Floats = _meter(chronicle, asset, slots).net_wh[0]
    return found


def today_wh(state: State, chronicle: Chronicle, owners: Sequence[AccountId], slots: NDArray[np.int64]) -> Floats:
    """Return what came today so far of some homes; not a number where nothing.

    Returns:
        (3, homes, slots): what they used but for their heat pumps, their roofs' yield, and what their heat pumps drew.

    Args:
        state: With the assets.
        chronicle: With what their meters told.
        owners: Whose.
        slots: When each slot of the day begins: (1, slots).
    """
    found = []
    for owner in owners:
        assets = [one for one in state.assets.values() if one.owner == owner]
        meters = {one.id: _meter(chronicle, one, slots) for one in assets}
        pumps = [meters[one.id].net_wh[0] for one in assets if one.kind is AssetKind.HEAT_PUMP]
        warm = np.nan_to_num(pumps).sum(0) if pumps else np.zeros(slots.shape[1])
        home = _home(NOTHING_BROUGHT, owner, assets, meters, state.joined_s, slots)
        found.append([*(day[0] for day in home), warm])
    return np.array(found, np.float64).reshape(len(owners), 3, slots.shape[1]).swapaxes(0, 1)

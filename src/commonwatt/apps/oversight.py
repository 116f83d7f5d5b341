"""What ails devices, and what plans lost to their forecasts, from what was gathered of finished days."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

import numpy as np
from numpy.typing import NDArray

from commonwatt.adapters.stores.faults import Fault
from commonwatt.apps.gathering import Gathered, Meter
from commonwatt.apps.warming import Warming
from commonwatt.flows.decision import Finished, lost_micro
from commonwatt.forecasting import health, health_roofs, newcomers
from commonwatt.forecasting.cycling import short_cycling
from commonwatt.forecasting.foresee import Foretold
from commonwatt.forecasting.health import FALSE_ALARMS_PERMILLE, Ailment, Finding
from commonwatt.forecasting.health_roofs import MOST_SHORT_PERMILLE, ROOF_AT, Standing
from commonwatt.model import (
    SLOTS_PER_DAY,
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    cost_micro,
    epoch,
    instant,
)

Floats = NDArray[np.float64]
VISIT_AT, VISIT_LASTS = time(10), timedelta(hours=1)
NOTICE_DAYS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """When somebody should look at a device: seconds since 1970."""

    start_s: int
    end_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Something that is wrong with a device, on which evidence, and when it is to be looked at.

    Args:
        id: Names it as long as it is the same fault of the same device; given by `apps.faults`.
        asset: Which.
        owner: Whose.
        ailment: What.
        since_s: From when on, seconds since 1970.
        until_s: Up to when was looked: its evidence are the readings of all slots between.
        off_permille: How far off it is.
        score: Its statistic, and from where on that alarms.
        threshold: Likewise.
        false_alarms_permille: Of how many days of a thousand a healthy device would be alarmed for at most.
        lost_wh: What was lost by it since then, in energy.
        lost_micro: And in money, at what the grid paid for energy on the last day.
        visit: When somebody should look.
    """

    id: str
    asset: AssetId
    owner: AccountId
    ailment: Ailment
    since_s: int
    until_s: int
    off_permille: int
    score: float
    threshold: float
    false_alarms_permille: int
    lost_wh: int
    lost_micro: int
    visit: Visit


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What a look has to know of a roof that yielded too little before.

    Args:
        stands: Its fault, where that was not seen to be gone.
        anew_s: Since when it is looked at anew, as somebody said; zero for as far back as is known.
    """

    stands: Fault | None
    anew_s: int


NOTHING_BEFORE: Mapping[AssetId, Before] = {}


def alarms(told: Gathered, before: Mapping[AssetId, Before] = NOTHING_BEFORE) -> list[Alarm]:
    """Return what ails roofs, batteries, meters, chargers and heat pumps, and what nobody registered, costliest first.

    Args:
        told: What was measured.
        before: What is known of roofs that yielded too little before.
    """
    count = len(told.days) - 1
    if not count:
        return []
    value = told.prices[:count, :, 1]
    known = value[~np.isnan(value)][-SLOTS_PER_DAY:]
    price = round(float(known.mean())) if len(known) else 0
    roofs = _roofs(told, count, before)
    found = [
        _alarm(told, asset, finding, since_s, price)
        for asset, finding, since_s in (
            *roofs,
            *_stores(told, count),
            *_meters(told),
            *_chargers(told),
            *_pumps(told, count),
            *_newcomers(told, count),
        )
    ]
    return sorted(found, key=lambda one: (-one.lost_micro, one.asset, one.ailment, one.since_s))


def decisions(
    told: Gathered, loads: Mapping[AccountId, Foretold], roofs: Mapping[AccountId, Foretold], heat: Warming
) -> dict[AccountId, int]:
    """Return what the plan of the last day that is over lost to its forecast, micro, for members with one battery."""
    found = {}
    for owner, load in loads.items():
        own = [one for one in told.meters.values() if one.asset.owner == owner]
        stores = [one for one in own if one.asset.kind is AssetKind.BATTERY]
        if len(stores) != 1:
            continue
        day = _finished(told, owner, load, roofs.get(owner), heat.get(owner, ()), stores[0])
        if day is not None:
            found[owner] = lost_micro(day)
    return found


def _finished(
    told: Gathered, owner: AccountId, load: Foretold, roof: Foretold | None, heat: Sequence[Foretold], store: Meter
) -> Finished | None:
    """Return the last 24 hours that were measured whole: yesterday, or from where the battery's level is known on."""
    at, today = told.homes.index(owner), len(told.days)
    span = slice(max(one.first for one in (load, roof, *heat) if one is not None), today)
    came = [told.load_wh[at, span].ravel(), np.nan_to_num(told.solar_wh[at, span]).ravel()]
    if roof is not None:
        came[1] = told.solar_wh[at, span].ravel()
    foreseen = [_foreseen(load, span), np.zeros(len(came[0])) if roof is None else _foreseen(roof, span)]
    for one in heat:
        came[0] = came[0] + np.nan_to_num(told.meters[AssetId(one.series)].net_wh[span]).ravel()
        foreseen[0] = foreseen[0] + _foreseen(one, span)
    prices, levels, slots = told.prices[span].reshape(-1, 2), store.level_wh[span].ravel(), told.starts_s[span].ravel()
    yesterday, known = len(slots) - 2 * SLOTS_PER_DAY, np.flatnonzero(~np.isnan(levels))
    for begin in (yesterday, *(int(one) + 1 for one in known[:1])):
        here = slice(begin, begin + SLOTS_PER_DAY)
        if begin < 1 or begin + SLOTS_PER_DAY > len(slots) or np.isnan(levels[begin - 1]):
            continue
        if np.isnan([*came[0][here], *came[1][here], *prices[here].ravel()]).any():
            continue
        return Finished(
            start=instant(int(slots[begin])),
            clock=told.clock,
            battery=store.asset,
            level_wh=int(levels[begin - 1]),
            foreseen_wh=(_whole(foreseen[0][here]), _whole(foreseen[1][here])),
            came_wh=(_whole(came[0][here]), _whole(came[1][here])),
            prices=[(int(bought), int(sold)) for bought, sold in prices[here]],
            wear_micro_per_kwh=told.brought.wear_micro_per_kwh,
            reserve_wh=told.brought.reserve_wh,
        )
    return None


def _foreseen(one: Foretold, days: slice) -> Floats:
    found: Floats = one.chosen_wh[days.start - one.first : days.stop - one.first].ravel()
    return found


def _whole(row: Floats) -> tuple[int, ...]:
    return tuple(int(wh) for wh in np.rint(np.maximum(row, 0)))


def _roofs(told: Gathered, count: int, before: Mapping[AssetId, Before]) -> Iterator[tuple[Asset, Finding, int]]:
    have = [at for at in range(len(told.homes)) if not np.isnan(told.solar_wh[at, :count]).all()]
    if len(have) < 3:
        return
    starts_s = told.starts_s[:count]
    known = {one.asset.owner: before[name] for name, one in told.meters.items() if name in before}
    owners = [told.homes[at] for at in have]
    anew_s = np.array([known[one].anew_s if one in known else 0 for one in owners])
    made = np.where(starts_s < anew_s[:, None, None], np.nan, told.solar_wh[have, :count])
    found = health_roofs.ailing_roofs(made)
    for one in found:
        yield _first(told, owners[one.at], AssetKind.SOLAR), one, int(starts_s[one.since, 0])
    ailing = {one.at for one in found}
    stood = {
        at: past.stands
        for at, owner in enumerate(owners)
        if at not in ailing and (past := known.get(owner)) is not None and past.stands is not None
    }
    faults = [
        Standing(at=at, since=_day(starts_s, fault.since_s), off_permille=fault.off_permille)
        for at, fault in stood.items()
    ]
    for still in health_roofs.standing_roofs(made, faults):
        fault = stood[still.at]
        roof = _first(told, owners[still.at], AssetKind.SOLAR)
        yield roof, _still(fault, still, made[still.at], starts_s), fault.since_s


def _day(starts_s: NDArray[np.int64], at_s: int) -> int:
    """Return in which of some days an instant lies; -1 before all of them."""
    return int(np.searchsorted(starts_s[:, 0], at_s, side="right")) - 1


def _still(fault: Fault, standing: Standing, made: Floats, starts_s: NDArray[np.int64]) -> Finding:
    """Return a fault that stands as it was found, and what it has cost by now."""
    since = np.nansum(np.where(starts_s >= fault.until_s, made, 0))
    off = fault.off_permille / 1000
    if fault.off_permille < MOST_SHORT_PERMILLE:
        more = float(since) * off / (1 - off)
    else:  # of what gives nothing nobody can tell what it would have given: as much a day as before
        more = fault.lost_wh * (int(starts_s[-1, -1]) - fault.until_s) / max(fault.until_s - fault.since_s, 1)
    return Finding(
        ailment=Ailment(fault.ailment),
        at=standing.at,
        since=max(standing.since, 0),
        off_permille=fault.off_permille,
        score=fault.score,
        threshold=ROOF_AT,
        lost_wh=fault.lost_wh + max(0, round(more)),
    )


def _stores(told: Gathered, count: int) -> Iterator[tuple[Asset, Finding, int]]:
    for meter in told.meters.values():
        asset = meter.asset
        if asset.kind is not AssetKind.BATTERY:
            continue
        seen = health.store_health(
            meter.import_wh[:count],
            meter.export_wh[:count],
            meter.level_wh[:count],
            asset.charge_permille,
            asset.discharge_permille,
        )
        for one in () if seen is None else seen.findings:
            yield asset, one, int(told.starts_s[one.since, 0])


def _meters(told: Gathered) -> Iterator[tuple[Asset, Finding, int]]:
    feeder = next((one for one in told.meters.values() if one.asset.kind is AssetKind.FEEDER), None)
    if feeder is None or not told.homes:
        return
    homes = [_first(told, owner, AssetKind.CONNECTION) for owner in told.homes]
    net = np.array([told.meters[one.id].net_wh.ravel() for one in homes])
    for found in health.ailing_meters(feeder.net_wh.ravel(), net):
        yield homes[found.at], found, int(told.starts_s.ravel()[found.since])


def _chargers(told: Gathered) -> Iterator[tuple[Asset, Finding, int]]:
    for name, most in told.told_w.items():
        for one in health.over_limits(told.meters[name].import_wh.ravel(), most.ravel()):
            yield told.meters[name].asset, one, int(told.starts_s.ravel()[one.since])


def _pumps(told: Gathered, count: int) -> Iterator[tuple[Asset, Finding, int]]:
    for meter in told.meters.values():
        if meter.asset.kind is AssetKind.HEAT_PUMP:
            found = short_cycling(meter.import_wh[:count].ravel(), meter.asset.min_import_w)
            if found is not None:
                yield meter.asset, found, int(told.starts_s.ravel()[found.since])


def _newcomers(told: Gathered, count: int) -> Iterator[tuple[Asset, Finding, int]]:
    """Yield connections behind which something gives or is charged that nobody registered."""
    for meter in told.meters.values():
        if meter.asset.kind is not AssetKind.CONNECTION:
            continue
        behind = [
            one.net_wh[:count]
            for one in told.meters.values()
            if one.asset.owner == meter.asset.owner and one.asset.kind is not AssetKind.CONNECTION
        ]
        own = meter.net_wh[:count] - sum(behind, np.zeros((count, told.starts_s.shape[1])))
        for found in (newcomers.unregistered_roof(own), newcomers.unregistered_car(own)):
            if found is not None:
                yield meter.asset, found, int(told.starts_s[found.since, 0])


def _first(told: Gathered, owner: AccountId, kind: AssetKind) -> Asset:
    return next(one.asset for one in told.meters.values() if one.asset.owner == owner and one.asset.kind is kind)


def _alarm(told: Gathered, asset: Asset, found: Finding, since_s: int, price: int) -> Alarm:
    day = told.today + timedelta(days=NOTICE_DAYS)
    while day.weekday() > 4:
        day += timedelta(days=1)
    start = datetime.combine(day, VISIT_AT, told.clock)
    return Alarm(
        id="",
        asset=asset.id,
        owner=asset.owner,
        ailment=found.ailment,
        since_s=since_s,
        until_s=int(told.starts_s[len(told.days) - 1, 0]),
        off_permille=found.off_permille,
        score=round(found.score, 1),
        threshold=found.threshold,
        false_alarms_permille=FALSE_ALARMS_PERMILLE[found.ailment],
        lost_wh=found.lost_wh,
        lost_micro=cost_micro(found.lost_wh, price),
        visit=Visit(start_s=epoch(start), end_s=epoch(start + VISIT_LASTS)),
    )

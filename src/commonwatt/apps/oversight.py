"""What ails devices, and what plans lost to their forecasts, from what was gathered of finished days."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta

import numpy as np
from numpy.typing import NDArray

from commonwatt.apps.gathering import Gathered, Meter
from commonwatt.flows.decision import Finished, lost_micro
from commonwatt.forecasting import health
from commonwatt.forecasting.foresee import Foretold
from commonwatt.forecasting.health import FALSE_ALARMS_PERMILLE, Ailment, Finding
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


def alarms(told: Gathered) -> list[Alarm]:
    """Return what ails roofs, batteries, meters and chargers, the costliest first."""
    count = len(told.days) - 1
    if not count:
        return []
    value = told.prices[:count, :, 1]
    known = value[~np.isnan(value)][-SLOTS_PER_DAY:]
    price = round(float(known.mean())) if len(known) else 0
    found = [
        _alarm(told, asset, finding, int(told.starts_s[since]), price)
        for asset, finding, since in (*_roofs(told, count), *_stores(told, count), *_meters(told), *_chargers(told))
    ]
    return sorted(found, key=lambda one: (-one.lost_micro, one.asset, one.ailment, one.since_s))


def decisions(
    told: Gathered, loads: Mapping[AccountId, Foretold], roofs: Mapping[AccountId, Foretold]
) -> dict[AccountId, int]:
    """Return what the plan of the last day that is over lost to its forecast, micro, for members with one battery."""
    found = {}
    for owner, load in loads.items():
        own = [one for one in told.meters.values() if one.asset.owner == owner]
        stores = [one for one in own if one.asset.kind is AssetKind.BATTERY]
        if len(stores) == 1 and (day := _finished(told, owner, load, roofs.get(owner), stores[0])) is not None:
            found[owner] = lost_micro(day)
    return found


def _finished(told: Gathered, owner: AccountId, load: Foretold, roof: Foretold | None, store: Meter) -> Finished | None:
    """Return the last 24 hours that were measured whole: yesterday, or from where the battery's level is known on."""
    at, today = told.homes.index(owner), len(told.days)
    span = slice(load.first if roof is None else max(load.first, roof.first), today)
    came = [told.load_wh[at, span].ravel(), np.nan_to_num(told.solar_wh[at, span]).ravel()]
    if roof is not None:
        came[1] = told.solar_wh[at, span].ravel()
    foreseen = [_foreseen(load, span), np.zeros(len(came[0])) if roof is None else _foreseen(roof, span)]
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


def _roofs(told: Gathered, count: int) -> Iterator[tuple[Asset, Finding, tuple[int, int]]]:
    have = [at for at in range(len(told.homes)) if not np.isnan(told.solar_wh[at, :count]).all()]
    for one in health.ailing_roofs(told.solar_wh[have, :count]) if len(have) > 2 else ():
        owner = told.homes[have[one.at]]
        yield _first(told, owner, AssetKind.SOLAR), one, (one.since, 0)


def _stores(told: Gathered, count: int) -> Iterator[tuple[Asset, Finding, tuple[int, int]]]:
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
            yield asset, one, (one.since, 0)


def _meters(told: Gathered) -> Iterator[tuple[Asset, Finding, tuple[int, int]]]:
    feeder = next((one for one in told.meters.values() if one.asset.kind is AssetKind.FEEDER), None)
    if feeder is None or not told.homes:
        return
    homes = [_first(told, owner, AssetKind.CONNECTION) for owner in told.homes]
    net = np.array([told.meters[one.id].net_wh.ravel() for one in homes])
    for found in health.ailing_meters(feeder.net_wh.ravel(), net):
        yield homes[found.at], found, divmod(found.since, SLOTS_PER_DAY)


def _chargers(told: Gathered) -> Iterator[tuple[Asset, Finding, tuple[int, int]]]:
    for name, most in told.told_w.items():
        for one in health.over_limits(told.meters[name].import_wh.ravel(), most.ravel()):
            yield told.meters[name].asset, one, divmod(one.since, SLOTS_PER_DAY)


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

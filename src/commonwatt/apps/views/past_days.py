"""Past days to try something on: as meters told them, with what was in batteries, and with the prices of that day."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from commonwatt.adapters.stores.chronicle import Chronicle
from commonwatt.apps.views.zones import LEAST_HOMES
from commonwatt.flows.constraint_to_command import HORIZON, Outlook, Stored
from commonwatt.flows.foreseeing import as_it_was
from commonwatt.flows.rulebook import State
from commonwatt.metering.aggregate import home_load_wh
from commonwatt.model import (
    SLOT,
    SLOT_SECONDS,
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    Reading,
    Refused,
    cost_micro,
    epoch,
    instant,
    zone_of,
)
from commonwatt.model.wall_clock import moment

LOOK_BACK_DAYS = 31
"""How far back a day can lie."""
_NEEDED = (AssetKind.CONNECTION, AssetKind.SOLAR)


@dataclass(frozen=True, slots=True, kw_only=True)
class AsMetered:
    """A day as meters told it, of the homes that a trial is about; mean W by slot, import positive.

    Args:
        exchange_w: What they drew together.
        peak_w: The most of it.
        cost_micro: What the grid would be paid for it, less what it pays, as for a trial.
    """

    exchange_w: Sequence[int]
    peak_w: int
    cost_micro: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PastDay:
    """A past day for the planner: what it knows, which is all that came, and how the day really went."""

    known: Outlook
    was: AsMetered


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """What a plan is told about the community beside the day itself, see `Outlook`."""

    zone: str
    wear_micro_per_kwh: Mapping[AssetKind, int]
    reserve_wh: int


def past_days(state: State, chronicle: Chronicle) -> list[date]:
    """Return the local days that can be tried, the last first: 24 hours of which enough meters told, with prices."""
    meters = [one.id for one in state.assets.values() if one.kind is AssetKind.CONNECTION]
    last_s = chronicle.last_slot_s()
    if last_s is None:
        return []
    clock = zone_of(state.charter.timezone)
    today = instant(last_s).astimezone(clock).date()
    from_s = _midnight_s(state, today - timedelta(days=LOOK_BACK_DAYS))
    sums, prices = chronicle.sums_wh(meters, from_s, last_s + SLOT_SECONDS), chronicle.prices(from_s, last_s + 1)
    told = {slot_s for slot_s, (count, _) in sums.items() if count >= LEAST_HOMES and slot_s in prices}
    days = (today - timedelta(days=back) for back in range(LOOK_BACK_DAYS + 1))
    return [day for day in days if told.issuperset(_slots(_midnight_s(state, day)))]


async def past_day(state: State, chronicle: Chronicle, day: date, within: Within) -> PastDay:
    """Return a past day of the homes all of whose meters told of all of it: connection, roof and battery.

    What cars took and gave that day stays as it was, in their homes' load: when they would have come and gone
    otherwise, nobody knows. Batteries are planned anew from what they held at midnight to what they held in the end.
    What was stated that day is kept in the log and not looked at.

    Args:
        state: With the assets, and who agrees now to be scheduled: other batteries stay as they were, too.
        chronicle: What was told.
        day: By the community's clock; 24 hours from its midnight on.
        within: What a plan is told beside.

    Raises:
        Refused: The day is none of `past_days`, or of fewer homes than may be summed all meters told of all of it.
    """
    if day not in past_days(state, chronicle):
        raise Refused("a past day is tried of which enough homes told, with prices", day=day, least=LEAST_HOMES)
    slots = _slots(_midnight_s(state, day))
    start, end = instant(slots[0]), instant(slots[-1] + SLOT_SECONDS)
    prices = chronicle.prices(epoch(start), epoch(end))
    homes = list[_Home]()
    for assets in _owned(state).values():
        await asyncio.sleep(0)  # a day of many meters is read without keeping anybody waiting
        if (home := _home(state, chronicle, assets, slots)) is not None:
            homes.append(home)
    if len(homes) < LEAST_HOMES:
        raise Refused("a past day is tried on homes that told of all of it", found=len(homes), least=LEAST_HOMES)
    known = Outlook(
        now=start,
        zone=within.zone,
        load_wh={one.meter.id: one.load_wh for one in homes},
        solar_wh={one.roof: one.solar_wh for one in homes},
        stored=tuple(one.stored for one in homes if one.stored is not None),
        prices=prices,
        constraints=(),
        wear_micro_per_kwh=within.wear_micro_per_kwh,
        reserve_wh=within.reserve_wh,
        behind={asset: (one.meter.owner, one.meter.id) for one in homes for asset in one.behind},
        feeder=next((one.id for one in state.assets.values() if one.kind is AssetKind.FEEDER), ""),
        end=(end, sum(one.ending_wh for one in homes)),
        clock=zone_of(state.charter.timezone),
        foresee=as_it_was,
    )
    exchange_wh = [sum(told) for told in zip(*(one.net_wh for one in homes), strict=True)]
    return PastDay(known=known, was=_was(exchange_wh, [prices[at] for at in slots]))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Home:
    """A home on a past day; Wh by slot, and its battery with what it held at first and in the end."""

    meter: Asset
    roof: AssetId
    behind: Sequence[AssetId]
    load_wh: tuple[int, ...]
    solar_wh: tuple[int, ...]
    net_wh: tuple[int, ...]
    stored: Stored | None
    ending_wh: int


def _home(state: State, chronicle: Chronicle, assets: Mapping[AssetKind, Asset], slots: Sequence[int]) -> _Home | None:
    """Return a home on a day; None where its connection's or its roof's meter did not tell of all of it."""
    from_s, to_s = slots[0] - SLOT_SECONDS, slots[-1] + SLOT_SECONDS
    read = {
        kind: {told.slot_s: told.reading for told in chronicle.readings(one.id, from_s, to_s)}
        for kind, one in assets.items()
    }
    if not all(read[kind].keys() >= set(slots) for kind in _NEEDED):
        return None
    connection, sun = (read[kind] for kind in _NEEDED)
    stored = _planned(state, assets, read, slots)
    apart = [sun, *([] if stored is None else [read[AssetKind.BATTERY]])]
    return _Home(
        meter=assets[AssetKind.CONNECTION],
        roof=assets[AssetKind.SOLAR].id,
        behind=[one.id for one in assets.values()],
        load_wh=tuple(home_load_wh(connection[at], [meter[at] for meter in apart]) for at in slots),
        solar_wh=tuple(sun[at].export_wh for at in slots),
        net_wh=tuple(connection[at].import_wh - connection[at].export_wh for at in slots),
        stored=stored,
        ending_wh=0 if stored is None else read[AssetKind.BATTERY][slots[-1]].level_wh or 0,
    )


def _was(exchange_wh: Sequence[int], prices: Sequence[tuple[int, int]]) -> AsMetered:
    watts = [wh * 3600 // SLOT_SECONDS for wh in exchange_wh]
    paid = (cost_micro(wh, bought if wh > 0 else sold) for wh, (bought, sold) in zip(exchange_wh, prices, strict=True))
    return AsMetered(exchange_w=watts, peak_w=max(watts), cost_micro=sum(paid))


def _planned(
    state: State,
    assets: Mapping[AssetKind, Asset],
    read: Mapping[AssetKind, Mapping[int, Reading]],
    slots: Sequence[int],
) -> Stored | None:
    """Return a home's battery with what it held at midnight; None where it is not one to plan for."""
    battery = assets.get(AssetKind.BATTERY)
    if battery is None or not state.consent(battery.id).direct or not read[AssetKind.BATTERY].keys() >= set(slots):
        return None
    before = read[AssetKind.BATTERY].get(slots[0] - SLOT_SECONDS) or read[AssetKind.BATTERY][slots[0]]
    if before.level_wh is None or read[AssetKind.BATTERY][slots[-1]].level_wh is None:
        return None
    return Stored(asset=battery, level_wh=min(before.level_wh, battery.capacity_wh), consent=state.consent(battery.id))


def _owned(state: State) -> dict[AccountId, dict[AssetKind, Asset]]:
    found: dict[AccountId, dict[AssetKind, Asset]] = {}
    for asset in state.assets.values():
        found.setdefault(asset.owner, {}).setdefault(asset.kind, asset)
    return {owner: assets for owner, assets in found.items() if all(kind in assets for kind in _NEEDED)}


def _midnight_s(state: State, day: date) -> int:
    return epoch(moment(datetime.combine(day, time()), zone_of(state.charter.timezone)))


def _slots(start_s: int) -> range:
    return range(start_s, start_s + HORIZON * int(SLOT.total_seconds()), SLOT_SECONDS)

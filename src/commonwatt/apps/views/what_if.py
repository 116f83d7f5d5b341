"""What would be, for who runs a community: its next day or a past one, as it is and changed, in figures (row W2)."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any, NamedTuple
from urllib.parse import urlencode

from commonwatt.apps.community import Community
from commonwatt.apps.trying import Step
from commonwatt.apps.views.past_days import AsMetered, Within, past_day, past_days
from commonwatt.apps.views.seeing import Absent, check
from commonwatt.apps.views.wanted import EMPTY_PERCENT
from commonwatt.apps.views.zones import LEAST_HOMES
from commonwatt.flexibility import language
from commonwatt.flows.constraint_to_command import HORIZON, Outlook
from commonwatt.flows.outlook import Terms, outlook
from commonwatt.flows.what_if import Change, Course, changed, unmanaged_w
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Seat
from commonwatt.metering.aggregate import home_load_wh
from commonwatt.model import (
    ANYONE,
    SLOT_SECONDS,
    SLOTS_PER_DAY,
    AccountId,
    Asset,
    AssetKind,
    Interval,
    InvalidValue,
    Reach,
    Refused,
    epoch,
    instant,
    round_div,
)

_DAY_S = 86_400
HISTORY_S = 7 * _DAY_S
"""What the forecast of a plan looks back on."""
WEAR_MICRO_PER_KWH = {AssetKind.BATTERY: 20_000, AssetKind.VEHICLE: 40_000}
"""What a trial takes a kWh through a store to cost it; the log does not tell what owners reckon with."""
_KINDS = (AssetKind.BATTERY, AssetKind.VEHICLE)
_PUBLIC = (Reach.ZONE, Reach.FEEDER, Reach.COMMUNITY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """A day in figures and curves; mean W by slot, import positive.

    Args:
        peak_w: The most that is drawn at the feeder.
        cost_micro: What the grid is paid, less what it pays.
        kept_permille: Which part of what roofs make stays in the community; None where they make nothing.
        left_wh: What is in batteries and cars at the end.
        missed: Statements about zones, the feeder or the community that would not be kept, in words.
        missed_of_owners: How many of owners would not be; whose, is theirs to know.
        demand_w: Homes and roofs alone.
        unmanaged_w: With every car at full power from now until it holds what is wanted of it.
        smart_w: As planned, had no car to give anything back.
        discharging_w: As planned.
    """

    peak_w: int
    cost_micro: int
    kept_permille: int | None
    left_wh: int
    missed: Sequence[str]
    missed_of_owners: int
    demand_w: Sequence[int]
    unmanaged_w: Sequence[int]
    smart_w: Sequence[int]
    discharging_w: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """A day as it is planned and as it would be planned with something changed.

    Args:
        start_s: Of its first slot; the day has 96.
        change: What was changed.
        homes: How many homes are in it: those with a meter, a roof and a battery, as the planner has it.
        known_slots: Of how many past quarter-hours all their meters told: what the forecast rests on.
        as_is: As it is; of a past day as it would have been planned, had all been known that came.
        changed: As it would be.
        was: How a past day went by its meters; None of the day that comes.
    """

    start_s: int
    change: Change
    homes: int
    known_slots: int
    as_is: Figures
    changed: Figures
    was: AsMetered | None


async def what_if(community: Community, seat: Seat, change: Change, on_step: Step = lambda _: None) -> WhatIf:
    """Return a day as it is and changed; four plans, made in a process of its own, one after the other.

    Raises:
        Refused: The role does not run the community; fewer homes than may be summed, no reading or price to plan
            with; or too much is asked at once.
        Absent: There is no such zone.
        InvalidValue: There is nothing of the size that would be added.
    """
    check(community, seat, Action.SEE_MEMBERS, ANYONE)
    size = community.size
    known, slots, was = await _known(community) if change.on is None else await _past_day(community, change.on)
    if change.zone not in ("", known.zone):
        raise Absent("a plan knows one zone", change.zone)
    other = changed(known, change, _typical(list(community.state.assets.values())))
    asked = [_held(known), known, _held(other), other]
    courses = await community.trials.courses((size, change), asked, on_step)
    return WhatIf(
        start_s=epoch(known.now),
        change=change,
        homes=len(known.load_wh),
        known_slots=slots,
        as_is=_figures(known, courses[0], courses[1]),
        changed=_figures(other, courses[2], courses[3]),
        was=was,
    )


def days(community: Community, seat: Seat) -> list[date]:
    """Return the past days on which something can be tried, the last first.

    Raises:
        Refused: The role does not run the community.
    """
    check(community, seat, Action.SEE_MEMBERS, ANYONE)
    return past_days(community.state, community.chronicle)


def zone_here(community: Community) -> str:
    """Return the zone that a trial's plan knows: that of most homes."""
    return _zone(community.state.assets.values())


def query(change: Change) -> str:
    """Return a change as the query of an address, without what is as it is."""
    plain = asdict(Change())
    return urlencode({name: value for name, value in asdict(change).items() if value != plain[name]})


def read_query(told: Mapping[str, str]) -> Change:
    """Return the change that an address tells; what else is in it is left aside.

    Raises:
        InvalidValue: A number is none, or beyond what is tried here.
    """
    found: dict[str, Any] = {}
    for name in asdict(Change()):
        text = told.get(name, "")
        if name in ("zone", "day"):
            found[name] = text
        elif text:
            if not (text.isascii() and text.isdigit() and len(text) <= 10):
                raise InvalidValue(f"{name} is a whole number, was {text[:20]!r}")
            found[name] = int(text)
    return Change(**found)


def _held(known: Outlook) -> Outlook:
    """Return an outlook in which cars give nothing back."""
    return replace(known, v2g=False)


def _figures(known: Outlook, smart: Course, best: Course) -> Figures:
    public = [one for one, _ in best.unmet if one.reach in _PUBLIC]
    return Figures(
        peak_w=best.peak_w,
        cost_micro=best.cost_micro,
        kept_permille=best.kept_permille,
        left_wh=best.left_wh,
        missed=[language.text(one, known.clock) for one in public],
        missed_of_owners=len(best.unmet) - len(public),
        demand_w=best.demand_w,
        unmanaged_w=unmanaged_w(best.demand_w, known),
        smart_w=smart.exchange_w,
        discharging_w=best.exchange_w,
    )


async def _past_day(community: Community, day: date) -> tuple[Outlook, int, AsMetered]:
    assets = community.state.assets.values()
    within = Within(zone=_zone(assets), wear_micro_per_kwh=WEAR_MICRO_PER_KWH, reserve_wh=_reserve_wh(assets))
    found = await past_day(community.state, community.chronicle, day, within)
    return found.known, HORIZON, found.was


async def _known(community: Community) -> tuple[Outlook, int, None]:
    """Return what the planner may look at now, its past read from the log, and of how many slots that is."""
    last_s = community.chronicle.last_slot_s()
    if last_s is None:
        raise Refused("a trial needs a quarter-hour that meters told of", told=0)
    now_s, state = last_s + SLOT_SECONDS, community.state
    past: dict[AccountId, list[Told | None]] = {}
    for owner, assets in _by_owner(state.assets.values()).items():
        if told := _past(community, assets, now_s):
            past[owner] = told
        await asyncio.sleep(0)  # a week of many meters is read without keeping anybody waiting
    day = Interval(instant(now_s), instant(now_s + HORIZON * SLOT_SECONDS))
    terms = Terms(
        span=day,
        zone=_zone(state.assets.values()),
        load_wh={owner: whole([one and one.load_wh for one in told]) for owner, told in past.items()},
        solar_wh={owner: whole([one and one.sun_wh for one in told], dark=True) for owner, told in past.items()},
        wear_micro_per_kwh=WEAR_MICRO_PER_KWH,
        reserve_wh=_reserve_wh(state.assets.values()),
        hands_over=False,
    )
    known = outlook(state, terms, now_s)
    if len(known.load_wh) < LEAST_HOMES:
        raise Refused("a trial is of so many homes at least", least=LEAST_HOMES, found=len(known.load_wh))
    prices = {**community.chronicle.prices(now_s - HISTORY_S, epoch(day.end)), **known.prices}
    told_of = {slot_s % _DAY_S for slot_s in prices if slot_s < epoch(day.end)}
    if len(told_of) < SLOTS_PER_DAY:
        raise Refused("a trial needs the grid's price of every quarter-hour of a day", told=len(told_of))
    slots = min(sum(one is not None for one in past[owner]) for owner, _ in known.behind.values())
    return replace(known, prices=prices), slots, None


class Told(NamedTuple):
    """What a home used by itself and what its roof made in one slot, Wh."""

    load_wh: int
    sun_wh: int


def _past(community: Community, assets: Mapping[AssetKind, Asset], now_s: int) -> list[Told | None]:
    """Return a home's last week up to now, None where its meters were silent; nothing where they never told."""
    needed = (AssetKind.CONNECTION, AssetKind.SOLAR)
    if not all(kind in assets for kind in needed):
        return []
    read = {
        kind: {one.slot_s: one.reading for one in community.chronicle.readings(asset.id, now_s - HISTORY_S, now_s)}
        for kind, asset in assets.items()
        if not asset.own_use
    }
    connection, sun = (read.pop(kind) for kind in needed)
    both = connection.keys() & sun.keys()
    if not both:
        return []

    def told(slot_s: int) -> Told | None:
        if slot_s not in both:
            return None
        behind = [sun[slot_s], *(meter[slot_s] for meter in read.values() if slot_s in meter)]
        return Told(load_wh=home_load_wh(connection[slot_s], behind), sun_wh=sun[slot_s].export_wh)

    return [told(slot_s) for slot_s in range(now_s - HISTORY_S, now_s, SLOT_SECONDS)]


def whole(told_wh: Sequence[int | None], *, dark: bool = False) -> tuple[int, ...]:
    """Return a home's past without gaps, a day long at least, from the first quarter-hour that was told.

    A slot that is missing is taken from the same time of the day before or after; where no day knows that time of day,
    it is the mean of what is known, and for a roof nothing.
    """
    first = next((at for at, wh in enumerate(told_wh) if wh is not None), len(told_wh))
    kept = list(told_wh[min(first, len(told_wh) - SLOTS_PER_DAY) :])
    known = [wh for wh in kept if wh is not None]
    mean = 0 if dark or not known else round_div(sum(known), len(known))
    same = [[wh for wh in kept[at % SLOTS_PER_DAY :: SLOTS_PER_DAY] if wh is not None] for at in range(SLOTS_PER_DAY)]
    usual = [round_div(sum(like), len(like)) if like else mean for like in same]
    return tuple(usual[at % SLOTS_PER_DAY] if wh is None else wh for at, wh in enumerate(kept))


def _by_owner(assets: Iterable[Asset]) -> dict[AccountId, dict[AssetKind, Asset]]:
    found: dict[AccountId, dict[AssetKind, Asset]] = {}
    for one in assets:
        found.setdefault(one.owner, {}).setdefault(one.kind, one)
    return found


def _typical(assets: Sequence[Asset]) -> dict[AssetKind, Asset]:
    """Return of each kind of store the one whose capacity is in the middle."""
    found = {}
    for kind in _KINDS:
        sizes = sorted((one for one in assets if one.kind is kind), key=lambda one: (one.capacity_wh, one.id))
        if sizes:
            found[kind] = sizes[(len(sizes) - 1) // 2]
    return found


def _zone(assets: Iterable[Asset]) -> str:
    """Return the zone of most homes: a plan knows one."""
    homes = Counter(one.zone for one in assets if one.kind is AssetKind.CONNECTION)
    return homes.most_common(1)[0][0] if homes else ""


def _reserve_wh(assets: Iterable[Asset]) -> int:
    battery = _typical(list(assets)).get(AssetKind.BATTERY)
    return 0 if battery is None else battery.capacity_wh * EMPTY_PERCENT // 100

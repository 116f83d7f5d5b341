"""The story from what people want and what is likely to what each device is told for the next slots."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from commonwatt.assets import battery, fixed, solar, vehicle
from commonwatt.flexibility.effort import Effort
from commonwatt.flexibility.plan import SLIDING, Engine, plan
from commonwatt.flexibility.problem import Plan, Problem
from commonwatt.flows.agreement import bounded
from commonwatt.flows.foreseeing import Foresee, Known, naive
from commonwatt.model import (
    ALWAYS,
    SLOT,
    SLOT_SECONDS,
    SLOTS_PER_DAY,
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    Consent,
    Constraint,
    Envelope,
    Forecast,
    Priority,
    Quantity,
    Reach,
    Relation,
    epoch,
)

UTC_CLOCK = ZoneInfo("UTC")
HORIZON = SLOTS_PER_DAY
"""A rolling day."""
FORECAST_ROOM_PERCENT = 90
EARLY = 2 * SLOT
ENDING_ROOM_WH = 200
"""A least and a most that touch would leave no room for meters that round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A storing asset as the latest reading shows it, and what its owner agreed to; a car also with when it leaves."""

    asset: Asset
    level_wh: int
    leaves: datetime | None = None
    wanted_wh: int = 0
    consent: Consent = ALWAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """All that a plan may look at: measured up to now, stated by people, published as prices.

    Args:
        now: Start of the first planned slot.
        zone: Where the homes are connected.
        load_wh: Past load per home, slot by slot, oldest first, up to now.
        solar_wh: Past generation per home, likewise.
        stored: Assets that can be told something now.
        prices: Import and export price, micro per kWh, per slot start, as far as published, and the past.
        constraints: What people and grid operators state.
        wear_micro_per_kwh: Degradation price per kind.
        reserve_wh: What a battery keeps.
        v2g: False to leave what is in cars to their drivers.
        behind: For each asset its owner, and the connection behind which it stands; whoever is missing has none.
        feeder: The meter at which the community meets the grid.
        promised: What owners who were asked have accepted: power in W, slot by slot from now on.
        clock: In which owners' hours are told.
        end: When the replayed day ends, and what the batteries should hold together by then at least, in Wh.
        foresee: How homes and roofs are forecast from what is known.
        asked: When each home was asked, under a contract, to use more or less than it would, by its connection.
    """

    now: datetime
    zone: str
    load_wh: Mapping[AssetId, tuple[int, ...]]
    solar_wh: Mapping[AssetId, tuple[int, ...]]
    stored: tuple[Stored, ...]
    prices: Mapping[int, tuple[int, int]]
    constraints: tuple[Constraint, ...]
    wear_micro_per_kwh: Mapping[AssetKind, int]
    reserve_wh: int
    v2g: bool = True
    behind: Mapping[AssetId, tuple[AccountId, AssetId]] = field(default_factory=dict)
    feeder: str = ""
    end: tuple[datetime, int] | None = None
    promised: Mapping[AssetId, tuple[int, ...]] = field(default_factory=dict)
    clock: ZoneInfo = UTC_CLOCK
    foresee: Foresee = naive
    asked: Mapping[AssetId, tuple[tuple[int, int], ...]] = field(default_factory=dict)

    def known(self) -> Known:
        """Return what of it a forecast may look at."""
        return Known(now=self.now, clock=self.clock, load_wh=self.load_wh, solar_wh=self.solar_wh, asked=self.asked)


def plan_ahead(outlook: Outlook, engine: Engine = Engine.AUTO, effort: Effort = SLIDING) -> tuple[Plan, Problem]:
    """Plan the next day from an outlook; return the problem too, for the reasons."""
    prices = [_price(outlook, ahead) for ahead in range(HORIZON)]
    stated = (*outlook.constraints, *_ending(outlook))
    flexible = [_flexible(outlook, stored) for stored in outlook.stored]
    problem = Problem(
        start=outlook.now,
        envelopes=tuple(_placed(outlook, envelope) for envelope in (*_fixed(outlook), *flexible)),
        import_price=tuple(price for price, _ in prices),
        export_price=tuple(price for _, price in prices),
        constraints=(*stated, *_with_room(stated), *_in_good_time(stated, outlook.now)),
        final_value_micro_per_kwh=sorted(price for price, _ in prices)[HORIZON // 5],
    )
    return plan(problem, effort, engine), problem


def _price(outlook: Outlook, ahead: int) -> tuple[int, int]:
    """Return the published price, or the last known one of the same quarter-hour."""
    slot_s = epoch(outlook.now) + ahead * SLOT_SECONDS
    while slot_s not in outlook.prices:
        slot_s -= SLOTS_PER_DAY * SLOT_SECONDS
    return outlook.prices[slot_s]


def _fixed(outlook: Outlook) -> list[Envelope]:
    known = outlook.known()
    expected = outlook.foresee(known, HORIZON)

    def told(series: AssetId, energy: tuple[int, ...]) -> Forecast:
        return Forecast(series=series, issued=outlook.now, start=outlook.now, energy_wh=energy)

    loads = [fixed.load(name, outlook.zone, told(name, wh)) for name, wh in expected.load_wh.items()]
    roofs = [
        solar.envelope(name, outlook.zone, told(name, wh), curtailable=False) for name, wh in expected.solar_wh.items()
    ]
    promised = [
        Envelope(asset=name, zone=outlook.zone, lo_w=power_w, hi_w=power_w, direct=False)
        for name, power_w in outlook.promised.items()
    ]
    return [*loads, *roofs, *promised]


def _flexible(outlook: Outlook, stored: Stored) -> Envelope:
    return bounded(_able(outlook, stored), stored.consent, outlook.now, outlook.clock)


def _able(outlook: Outlook, stored: Stored) -> Envelope:
    wear = outlook.wear_micro_per_kwh[stored.asset.kind]
    if stored.leaves is None:
        return battery.envelope(stored.asset, stored.level_wh, HORIZON, wear, outlook.reserve_wh)
    ahead = (epoch(stored.leaves) - epoch(outlook.now)) // SLOT_SECONDS
    return vehicle.envelope(
        stored.asset,
        stored.level_wh,
        HORIZON,
        wear,
        leaves_after=max(0, ahead),
        wanted_wh=stored.wanted_wh,
        discharge=outlook.v2g,
    )


def _placed(outlook: Outlook, envelope: Envelope) -> Envelope:
    """Return an envelope that says whose it is and where it stands: statements reach it by that, too."""
    if envelope.asset not in outlook.behind:
        return envelope
    owner, connection = outlook.behind[envelope.asset]
    return replace(envelope, owner=owner, connection=connection, feeder=outlook.feeder)


def _with_room(stated: Iterable[Constraint]) -> list[Constraint]:
    """Ask, below everybody's needs but above money, to stay a little under each power limit of a place.

    A forecast errs; a limit that is planned to the watt is broken by the first kettle.
    """
    return [
        replace(limit, value=limit.value * FORECAST_ROOM_PERCENT // 100, priority=Priority.COMFORT)
        for limit in stated
        if limit.reach is not Reach.ASSET and limit.quantity is Quantity.POWER and limit.relation is Relation.AT_MOST
    ]


def _in_good_time(stated: Iterable[Constraint], now: datetime) -> list[Constraint]:
    """Ask, likewise, to have every wanted level half an hour early: what is left to the last slot meets its kettle."""
    return [
        replace(level, at=level.at - EARLY, priority=Priority.COMFORT)
        for level in stated
        if level.at and level.relation is Relation.AT_LEAST and level.at - EARLY > now
    ]


def _ending(outlook: Outlook) -> list[Constraint]:
    """Ask to hand over the store at the day's end as agreed: no less, and below everybody's needs also no more.

    What is left beyond it would count for nothing in the day's bill, what is missing would be hidden in it.
    """
    scope = tuple(one.asset.id for one in outlook.stored if one.leaves is None and one.consent.direct)
    if outlook.end is None or not scope:
        return []
    at, level_wh = outlook.end
    least = Constraint(
        quantity=Quantity.BATTERY,
        scope=scope,
        relation=Relation.AT_LEAST,
        value=level_wh,
        at=at,
        priority=Priority.CONTRACT,
    )
    most = replace(least, relation=Relation.AT_MOST, value=level_wh + ENDING_ROOM_WH, priority=Priority.COMFORT)
    return [least, most]

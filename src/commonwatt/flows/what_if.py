"""What would be: a community's next day, or a past one, with something changed, planned by the planner that runs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from commonwatt.flows.constraint_to_command import HORIZON, Outlook, Stored, plan_ahead
from commonwatt.flows.foreseen import billed_micro
from commonwatt.model import (
    SLOT,
    SLOT_SECONDS,
    Asset,
    AssetId,
    AssetKind,
    Constraint,
    Interval,
    InvalidValue,
    Priority,
    Quantity,
    Reach,
    Relation,
    epoch,
    read_day,
    round_div,
)
from commonwatt.model.wall_clock import moment

MOST_MORE = 100
"""Of each kind: beyond that it is another community, and a plan takes minutes."""
CAR_COMES_PERCENT, CAR_LEAVES_PERCENT, CAR_LEAVES = 40, 80, time(7, 30)
"""How a car that is added stands there: plugged in now so full, and to leave so full at that time of day."""
_DAY_MINUTES = 1_440


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is otherwise than it is; the default is nothing.

    Args:
        batteries: How many more, empty, of the size that is usual here.
        cars: How many more, likewise.
        roofs: How many more, each making what the mean roof here makes.
        zone: Whose load is limited by ``limit_w``; empty for none.
        limit_w: The most that it may draw, W.
        import_percent: Of what the grid takes a kWh for, what it would take.
        export_percent: Of what it gives, likewise.
        demand_from_minute: From when a DEMAND asks the community to draw no more than ``demand_w``, minutes after
            local midnight; nothing is asked where it begins and ends in the same minute.
        demand_to_minute: Until when; on the next day where that is before it begins.
        demand_w: The most that the community may draw meanwhile, W.
        day: On which past day it is tried, YYYY-MM-DD by the community's clock; empty for the day that comes.

    Raises:
        InvalidValue: A number is beyond what is tried here, or the day is none.
    """

    batteries: int = 0
    cars: int = 0
    roofs: int = 0
    zone: str = ""
    limit_w: int = 0
    import_percent: int = 100
    export_percent: int = 100
    demand_from_minute: int = 0
    demand_to_minute: int = 0
    demand_w: int = 0
    day: str = ""

    def __post_init__(self) -> None:
        if self.day:
            _ = self.on
        if not all(0 <= more <= MOST_MORE for more in (self.batteries, self.cars, self.roofs)):
            raise InvalidValue(f"of each kind {MOST_MORE} more are tried at most, was {self}")
        if not all(0 <= percent <= 1_000 for percent in (self.import_percent, self.export_percent)):
            raise InvalidValue(f"a tariff is tried from 0 to 1000 per cent of what it is, was {self}")
        demand = (self.demand_from_minute, self.demand_to_minute)
        if not all(0 <= minute < _DAY_MINUTES and minute % 15 == 0 for minute in demand):
            raise InvalidValue(f"a DEMAND begins and ends on a quarter-hour of a day, was {self}")
        if not (0 <= self.limit_w <= 10**9 and 0 <= self.demand_w <= 10**9 and len(self.zone) <= 64):
            raise InvalidValue(f"a limit is zero or more and 10^9 W at most, was {self}")

    @property
    def on(self) -> date | None:
        """The past day; None for the day that comes.

        Raises:
            InvalidValue: It is none.
        """
        return read_day(self.day) if self.day else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How a day would go by one plan; mean W by slot, import positive.

    Args:
        demand_w: Homes and roofs alone.
        exchange_w: At the feeder.
        cost_micro: What the grid is paid over the day, less what it pays.
        made_wh: What roofs make.
        sent_wh: What leaves the community.
        left_wh: What is in batteries and cars at the end of the day.
        unmet: Statements that would not be kept, the most important first, and by how much.
    """

    demand_w: tuple[int, ...]
    exchange_w: tuple[int, ...]
    cost_micro: int
    made_wh: int
    sent_wh: int
    left_wh: int
    unmet: tuple[tuple[Constraint, float], ...]

    @property
    def peak_w(self) -> int:
        """The most that is drawn at the feeder."""
        return max(self.exchange_w)

    @property
    def kept_permille(self) -> int | None:
        """Which part of what roofs make stays in the community; None where they make nothing."""
        return None if not self.made_wh else 1_000 - min(1_000, round_div(1_000 * self.sent_wh, self.made_wh))


def course(outlook: Outlook) -> Course:
    """Plan a day, and return how it would go."""
    plan, problem = plan_ahead(outlook)
    fixed = [*outlook.load_wh, *outlook.solar_wh]
    demand_w = [sum(problem.by_asset[name].lo_w[slot] for name in fixed) for slot in range(problem.slots)]
    made_w = (-sum(problem.by_asset[name].lo_w) for name in outlook.solar_wh)
    sent_w = sum(max(0, -watts) for watts in plan.exchange_w)
    return Course(
        demand_w=tuple(demand_w),
        exchange_w=plan.exchange_w,
        cost_micro=billed_micro(plan, problem, HORIZON),
        made_wh=sum(made_w) * SLOT_SECONDS // 3600,
        sent_wh=sent_w * SLOT_SECONDS // 3600,
        left_wh=sum(levels[-1] for levels in plan.level_wh.values()),
        unmet=tuple((one.constraint, one.by) for one in plan.unmet if one.constraint in outlook.constraints),
    )


def changed(outlook: Outlook, change: Change, typical: Mapping[AssetKind, Asset]) -> Outlook:
    """Return an outlook with something changed.

    Args:
        outlook: As it is.
        change: What is otherwise.
        typical: Of what size a battery and a car are that are added; a kind that is missing cannot be added.

    Raises:
        InvalidValue: There is no size for what is added, or no roof or home to add to, or no such zone.
    """
    more = [
        *_more(outlook, change.batteries, AssetKind.BATTERY, typical),
        *_more(outlook, change.cars, AssetKind.VEHICLE, typical),
    ]
    homes = list(dict.fromkeys(outlook.behind.values()))
    behind = {one.asset.id: homes[place % len(homes)] for place, one in enumerate(more)}
    return replace(
        outlook,
        stored=(*outlook.stored, *more),
        solar_wh={**outlook.solar_wh, **_roofs(outlook, change.roofs)},
        behind={**outlook.behind, **behind},
        prices={
            slot_s: (bought * change.import_percent // 100, sold * change.export_percent // 100)
            for slot_s, (bought, sold) in outlook.prices.items()
        },
        constraints=(*outlook.constraints, *_wanted(more), *_limits(outlook, change)),
    )


def unmanaged_w(demand_w: Sequence[int], outlook: Outlook) -> tuple[int, ...]:
    """Return the load where every car charges at full power from now on until it holds what is wanted of it."""
    found = list(demand_w)
    for one in outlook.stored:
        if one.leaves is None:
            continue
        needed_wh = max(0, -(-(one.wanted_wh - one.level_wh) * 1_000 // one.asset.charge_permille))
        until = min(len(found), (epoch(one.leaves) - epoch(outlook.now)) // SLOT_SECONDS)
        for slot in range(max(0, until)):
            taken_wh = min(needed_wh, one.asset.max_import_w * SLOT_SECONDS // 3600)
            found[slot] += taken_wh * 3600 // SLOT_SECONDS
            needed_wh -= taken_wh
    return tuple(found)


def _more(outlook: Outlook, count: int, kind: AssetKind, typical: Mapping[AssetKind, Asset]) -> list[Stored]:
    if not count:
        return []
    if kind not in typical or not outlook.behind:
        raise InvalidValue(f"what is added is of a size that is usual here, and there is no {kind.value} yet")
    size = typical[kind]
    assets = [replace(size, id=AssetId(f"{kind.value}-more-{number}")) for number in range(1, count + 1)]
    if kind is AssetKind.BATTERY:
        return [Stored(asset=one, level_wh=min(one.capacity_wh, outlook.reserve_wh)) for one in assets]
    level_wh, wanted_wh = (size.capacity_wh * percent // 100 for percent in (CAR_COMES_PERCENT, CAR_LEAVES_PERCENT))
    leaves = _next(outlook, CAR_LEAVES.hour * 60 + CAR_LEAVES.minute, SLOT)
    return [Stored(asset=one, level_wh=level_wh, leaves=leaves, wanted_wh=wanted_wh) for one in assets]


def _wanted(more: Sequence[Stored]) -> list[Constraint]:
    """Return what drivers of added cars want, as drivers state it."""
    return [
        Constraint(
            quantity=Quantity.CHARGE,
            scope=(one.asset.id,),
            relation=Relation.AT_LEAST,
            value=CAR_LEAVES_PERCENT,
            at=one.leaves,
            priority=Priority.OWNER,
        )
        for one in more
        if one.leaves is not None
    ]


def _roofs(outlook: Outlook, count: int) -> dict[AssetId, tuple[int, ...]]:
    if not count:
        return {}
    known = list(outlook.solar_wh.values())
    if not known:
        raise InvalidValue("a roof that is added makes what the mean roof here makes, and there is none yet")
    shortest = min(len(one) for one in known)
    mean = tuple(round_div(sum(one[at - shortest] for one in known), len(known)) for at in range(shortest))
    return {AssetId(f"roof-more-{number}"): mean for number in range(1, count + 1)}


def _limits(outlook: Outlook, change: Change) -> list[Constraint]:
    ahead, found = Interval(outlook.now, outlook.now + HORIZON * SLOT), list[Constraint]()
    if change.zone:
        if change.zone != outlook.zone:
            raise InvalidValue(f"a plan knows one zone, {outlook.zone}, was {change.zone!r}")
        limit = Constraint(
            quantity=Quantity.POWER,
            relation=Relation.AT_MOST,
            reach=Reach.ZONE,
            scope=(change.zone,),
            value=change.limit_w,
            window=ahead,
            priority=Priority.DSO,
        )
        found.append(limit)
    if change.demand_from_minute != change.demand_to_minute:
        start = _next(outlook, change.demand_from_minute, timedelta(0))
        lasts = (change.demand_to_minute - change.demand_from_minute) % _DAY_MINUTES
        end = min(start + timedelta(minutes=lasts), ahead.end)
        asked = Constraint(
            quantity=Quantity.POWER,
            relation=Relation.AT_MOST,
            reach=Reach.COMMUNITY,
            value=change.demand_w,
            window=Interval(start, end),
            priority=Priority.CONTRACT,
        )
        found.append(asked)
    return found


def _next(outlook: Outlook, minute: int, least: timedelta) -> datetime:
    """Return when a clock on the wall shows a time of day next, so long from now at least."""
    local = outlook.now.astimezone(outlook.clock).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    for ahead in range(3):
        at = moment(local + timedelta(days=ahead, minutes=minute), outlook.clock).astimezone(outlook.now.tzinfo)
        if at >= outlook.now + least:
            return at
    raise InvalidValue(f"a time of day comes within three days, was {minute} minutes")

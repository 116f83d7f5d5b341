"""What a forecast's errors cost: a finished day planned with what was foreseen, and planned anew with what came."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from commonwatt.assets import battery
from commonwatt.flexibility.diary import schedules
from commonwatt.flexibility.dispatch import lower
from commonwatt.flows.constraint_to_command import HORIZON, Outlook, Stored, plan_ahead
from commonwatt.flows.foreseeing import Expected, Known
from commonwatt.model import SLOT_SECONDS, Asset, AssetId, AssetKind, InvalidValue, Schedule, cost_micro, epoch

LINE = AssetId("home")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A day of a home with a battery that is over: what was foreseen at its start, and what came.

    Args:
        start: Of the day.
        clock: The home's.
        battery: As it is registered.
        level_wh: What it held at the start.
        foreseen_wh: Own use and roof, slot by slot, as they were foreseen: two rows of a day.
        came_wh: Likewise, as they came.
        prices: Import and export price of each slot, micro per kWh.
        wear_micro_per_kwh: Of the battery.
        reserve_wh: What it keeps.
    """

    start: datetime
    clock: ZoneInfo
    battery: Asset
    level_wh: int
    foreseen_wh: tuple[Sequence[int], Sequence[int]]
    came_wh: tuple[Sequence[int], Sequence[int]]
    prices: Sequence[tuple[int, int]]
    wear_micro_per_kwh: int
    reserve_wh: int

    def __post_init__(self) -> None:
        rows = (*self.foreseen_wh, *self.came_wh, self.prices)
        if any(len(row) != HORIZON for row in rows):
            raise InvalidValue(f"a finished day has {HORIZON} slots of each, was {[len(row) for row in rows]}")


def lost_micro(day: Finished) -> int:
    """Return what the plan lost to its forecast's errors, micro: what its day cost at the meter beyond the best plan's.

    Both are made by the planner at the day's start, told as instructions and followed through what came as devices
    follow them; what is left in the battery counts at the plan's own price for it. A plan that is made anew every
    quarter-hour loses less: this is what a forecast costs that nobody corrects. It may be below zero, since plans put
    least export before money: one that erred has exported more, and was paid for it.
    """
    return _followed_micro(day, day.foreseen_wh) - _followed_micro(day, day.came_wh)


def _followed_micro(day: Finished, told_wh: tuple[Sequence[int], Sequence[int]]) -> int:
    def foresee(known: Known, slots: int) -> Expected:
        return Expected(load_wh={LINE: tuple(told_wh[0])}, solar_wh={_ROOF: tuple(told_wh[1])})

    start_s = epoch(day.start)
    outlook = Outlook(
        now=day.start,
        zone="home",
        load_wh={LINE: ()},
        solar_wh={_ROOF: ()},
        stored=(Stored(asset=replace(day.battery, zone="home"), level_wh=day.level_wh),),
        prices={start_s + at * SLOT_SECONDS: both for at, both in enumerate(day.prices)},
        constraints=(),
        wear_micro_per_kwh={AssetKind.BATTERY: day.wear_micro_per_kwh},
        reserve_wh=day.reserve_wh,
        clock=day.clock,
        foresee=foresee,
    )
    plan, problem = plan_ahead(outlook)
    behind = {day.battery.id: [LINE, _ROOF, day.battery.id]}
    (told,) = schedules(plan, problem, behind, {}, day.clock) or (None,)
    return _paid_micro(day, told, problem.final_value_micro_per_kwh)


_ROOF = AssetId("roof")


def _paid_micro(day: Finished, told: Schedule | None, kept_value: int) -> int:
    """Return what a day costs whose battery does as it was told, less what it holds in the end."""
    powers = _told(day, told)
    level, paid, worn = day.level_wh, 0, 0
    for at, (used, made) in enumerate(zip(*day.came_wh, strict=True)):
        home_w = (used - made) * 3600 // SLOT_SECONDS
        balance, power = powers.get(at, (None, 0))
        wanted = power if balance is None else balance - home_w
        did = battery.step(day.battery, level, wanted, SLOT_SECONDS, min(level, day.reserve_wh))
        level, worn = did.level_wh, worn + did.export_wh
        net = used - made + did.import_wh - did.export_wh
        paid += cost_micro(net, day.prices[at][0 if net > 0 else 1])
    return paid + cost_micro(worn, day.wear_micro_per_kwh) - cost_micro(level, kept_value)


def _told(day: Finished, schedule: Schedule | None) -> Mapping[int, tuple[int | None, int]]:
    """Return for each slot the line that the battery holds, or none, and the power that it is told."""
    found: dict[int, tuple[int | None, int]] = {}
    for one in schedule.instructions if schedule is not None else ():
        band = lower(day.battery, one)
        first, end = ((epoch(at) - epoch(day.start)) // SLOT_SECONDS for at in (one.interval.start, one.interval.end))
        found |= dict.fromkeys(range(first, min(end, HORIZON)), (band.balance_w, band.hi_w))
    return found

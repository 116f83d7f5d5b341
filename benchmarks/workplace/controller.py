"""Our controller: plans all cars that are there, with what their drivers said as needs and what drivers did as risk."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.workplace.sessions import SLOT_HOURS, SLOT_S, Session, local
from commonwatt.flexibility.effort import Effort
from commonwatt.flexibility.exact.solve import solve
from commonwatt.flexibility.problem import Connection, Problem
from commonwatt.model import (
    AssetId,
    Constraint,
    Envelope,
    Interval,
    Priority,
    Quantity,
    Reach,
    Relation,
    Store,
)

Floats = NDArray[np.float64]
EFFORT = Effort(gap=1e-4)
EARLIER_MICRO = 20
"""What waiting for a slot costs a kWh, so that among equal prices the earlier is taken."""
DONE_KWH = 0.0005
LEAST_KW = 0.001
"""What a plan gives below this is rounding."""


@dataclass(slots=True)
class Car:
    """A plugged car as its charge point sees it: everything of its session but when it will leave.

    Args:
        id: Of its session.
        arrive_s: Plug-in.
        says_s: Stated departure.
        left_kwh: What it still needs.
        most_kw: What its station can give.
        least_kw: What it gives if it gives anything.
        stays: Chance that it is still there so many slots after plug-in, from earlier sessions.
    """

    id: str
    arrive_s: int
    says_s: int
    left_kwh: float
    most_kw: float
    least_kw: float
    stays: Floats


class Drivers:
    """How long drivers stayed on earlier days who came at such an hour and said such a time.

    Args:
        settings: Whose stays speak for a driver's.
        believed: True to take every driver at their word, so that nothing is a risk.
    """

    def __init__(self, settings: Mapping[str, Any], *, believed: bool = False) -> None:
        self._settings = settings
        self._believed = believed
        self._said_h: list[float] = []
        self._hour: list[float] = []
        self._stay_h: list[float] = []
        self._arrays: tuple[Floats, Floats, Floats] | None = None

    def learn(self, gone: Iterable[Session]) -> None:
        """Take in sessions of days that are over."""
        for session in gone:
            self._said_h.append((session.says_s - session.arrive_s) / 3600)
            self._hour.append(_hour(session.arrive_s))
            self._stay_h.append((session.leave_s - session.arrive_s) / 3600)
        self._arrays = None

    def stays(self, arrive_s: int, says_s: int, slots: int) -> Floats:
        """Return the chance that a driver is still there at each slot's end after plug-in.

        Source: a kernel-weighted survival function, Beran, Nonparametric regression with randomly censored survival
        data, 1981; nothing is censored here, since only sessions that are over are learned from.
        """
        if self._believed:
            return np.ones(slots)
        if self._arrays is None:
            self._arrays = (np.array(self._said_h), np.array(self._hour), np.array(self._stay_h))
        said, hour, stay = self._arrays
        after = np.arange(1, slots + 1) * SLOT_HOURS
        if len(said) < self._settings["least_sessions"]:
            return np.ones(slots)
        apart = np.abs(hour - _hour(arrive_s))
        apart = np.minimum(apart, 24 - apart) / self._settings["hour_width"]
        longer = (said - (says_s - arrive_s) / 3600) / self._settings["said_width"]
        weight = np.exp(-(apart**2 + longer**2) / 2) + 1e-9
        order = np.argsort(stay)
        left = np.cumsum(weight[order])
        gone = np.r_[0.0, left][np.searchsorted(stay[order], after)]
        chance: Floats = 1.0 - gone / left[-1]
        return chance


@dataclass(slots=True)
class Planner:
    """Plans power for the cars that are there; see `plan`.

    Args:
        price: USD per kWh of a slot, counted in quarter-hours since 1970.
        cap_kw: The site's cap.
        missing_usd: What a kWh counts that a car leaves without.
        to_the_second: True to plan up to the stated instant, False up to the slot's edge before it.
        spare_tight: As in `signals`.
        plans: How often it has planned.
    """

    price: Callable[[int], float]
    cap_kw: float
    missing_usd: float
    to_the_second: bool = False
    spare_tight: bool = False
    plans: int = 0

    def plan(self, cars: Sequence[Car], now_s: int) -> dict[str, Floats]:
        """Return kW per car for this and the coming slots, while it is there; the first for the rest of what has begun.

        What each driver said is the owner's statement, the cap is the grid's; a kWh planned for later costs the
        tariff with the chance that the driver is still there, and what a missing kWh is worth with the chance that
        they are not.
        """
        cars = [car for car in cars if car.left_kwh > DONE_KWH]
        if not cars:
            return {}
        slot = now_s // SLOT_S
        until = {car.id: self._until(car, now_s) for car in cars}
        count = -(-max(until.values()) // SLOT_S) - slot
        begins = np.maximum(np.arange(slot, slot + count) * SLOT_S, now_s)
        edges = np.arange(slot + 1, slot + count + 1) * SLOT_S
        parts = {name: np.maximum(np.minimum(edges, end) - begins, 0) / SLOT_S for name, end in until.items()}
        plan = solve(self._problem(cars, slot, parts, 1 - now_s % SLOT_S / SLOT_S), EFFORT)
        self.plans += 1
        return {
            name: np.array(plan.power_w[AssetId(name)]) / 1000 / np.where(part > 0, part, 1.0)
            for name, part in parts.items()
        }

    def _until(self, car: Car, now_s: int) -> int:
        """Return until when a car is planned for: what was said, or the next edge where that has passed."""
        if self.to_the_second and car.says_s > now_s:
            return car.says_s
        return max(car.says_s // SLOT_S, now_s // SLOT_S + 1) * SLOT_S

    def _problem(self, cars: Sequence[Car], slot: int, parts: Mapping[str, Floats], rest: float) -> Problem:
        """Return what there is to plan; a car draws no more in a slot than in the part of it for which it is there."""
        start = datetime.fromtimestamp(slot * SLOT_S, UTC)
        count = len(next(iter(parts.values())))
        prices = np.array([self.price(slot + k) for k in range(count)])
        envelopes, needs, meters = [], [], []
        for car in cars:
            most = car.most_kw * 1000 * parts[car.id]
            last = int(np.flatnonzero(parts[car.id])[-1]) + 1
            need_wh = max(1, round(car.left_kwh * 1000))
            envelopes.append(
                Envelope(
                    asset=AssetId(car.id), zone="site", connection=car.id, owner=car.id,
                    lo_w=(0,) * count, hi_w=tuple(int(w) for w in most),
                    store=Store(
                        level_now_wh=0, level_min_wh=(0,) * count, level_max_wh=(need_wh,) * count,
                        capacity_wh=need_wh, charge_permille=1000, discharge_permille=1000,
                    ),
                )
            )  # fmt: skip
            needs.append(
                Constraint(
                    quantity=Quantity.BATTERY, scope=(car.id,), relation=Relation.AT_LEAST, value=need_wh,
                    at=start + timedelta(seconds=last * SLOT_S), priority=Priority.OWNER, author=car.id,
                )
            )  # fmt: skip
            fee = tuple(int(f) for f in self._risk(car, slot, prices))
            meters.append(Connection(name=car.id, import_fee=fee, export_fee=(0,) * count))
        price = tuple(round(p * 1e6) for p in prices)
        return Problem(
            start=start, envelopes=tuple(envelopes), import_price=price, export_price=(0,) * count,
            constraints=(*self._caps(start, rest, count), *needs), connections=tuple(meters), own_use=False,
        )  # fmt: skip

    def _risk(self, car: Car, slot: int, prices: Floats) -> Floats:
        """Return what a kWh costs beyond the tariff where it is planned for a slot, micro."""
        begun = slot - car.arrive_s // SLOT_S
        at = np.arange(begun, begun + len(prices))
        chance = car.stays[np.minimum(at, len(car.stays) - 1)]
        here = car.stays[begun - 1] if 0 < begun <= len(car.stays) else 1.0
        stays = np.minimum(1.0, chance / here) if here > 0 else np.zeros(len(prices))
        gone = np.maximum.accumulate(1.0 - stays)
        lost = np.maximum(self.missing_usd - prices, 0.0)
        return np.round(1e6 * gone * lost) + EARLIER_MICRO * np.arange(len(prices))

    def _caps(self, start: datetime, rest: float, count: int) -> list[Constraint]:
        cap_w = self.cap_kw * 1000
        edges = [(0, 1, cap_w * rest)] + ([(1, count, cap_w)] if count > 1 else [])
        return [
            Constraint(
                quantity=Quantity.POWER, reach=Reach.COMMUNITY, relation=Relation.AT_MOST, value=int(watts),
                window=Interval(start + timedelta(seconds=a * SLOT_S), start + timedelta(seconds=b * SLOT_S)),
                priority=Priority.GRID, author="site",
            )
            for a, b, watts in edges
        ]  # fmt: skip


def signals(
    cars: Sequence[Car], wanted_kw: Mapping[str, float], cap_kw: float, now_s: int, *, spare_tight: bool = False
) -> dict[str, float]:
    """Return what each car is told, kW: nothing or at least 6 A, within the cap.

    A car that will be full in this slot is told more than its mean, as far as the cap leaves room: it stops by itself,
    and its driver may come back before the slot ends. Who would get less than 6 A gets 6 A where there is room. For
    cars in their last slots, those that stay longest make room, down to 6 A.

    Args:
        cars: Those that are there.
        wanted_kw: Mean power that is planned for the rest of the slot.
        cap_kw: Most power of the site.
        now_s: The instant.
        spare_tight: True where those make room that have most time to spare until they said they leave, and no more
            than they can make good by then.
    """
    told = {car.id: min(wanted_kw.get(car.id, 0.0), car.most_kw) for car in cars}
    soonest = sorted((car for car in cars if told[car.id] > LEAST_KW), key=lambda car: (car.says_s, car.id))
    edge_s = (now_s // SLOT_S + 1) * SLOT_S
    rest_h = (edge_s - now_s) / 3600
    spare = {car.id: max(0.0, car.most_kw * (car.says_s - now_s) / 3600 - car.left_kwh) / rest_h for car in soonest}
    givers = sorted(soonest, key=lambda car: -spare[car.id]) if spare_tight else soonest[::-1]
    floor = {car.id: max(car.least_kw, told[car.id] - spare[car.id]) if spare_tight else car.least_kw for car in givers}
    room = cap_kw - sum(told.values())
    for car in givers if room < -LEAST_KW else ():  # who leaves within the slot draws more before
        less = min(told[car.id], max(0.0, -room))
        told[car.id], room = told[car.id] - less, room + less

    def raised(car: Car, to_kw: float, last_s: int) -> float:
        """Raise a car as far as there is room or others make it; return the room that is left."""
        free = room
        for other in givers if car.says_s < last_s else ():
            gives = min(to_kw - told[car.id] - free, told[other.id] - floor[other.id])
            if gives > 0 and other.says_s >= last_s:
                told[other.id] -= gives
                free += gives
        more = min(to_kw - told[car.id], free)
        told[car.id] += more
        return free - more

    for car in soonest:
        if told[car.id] < car.least_kw:
            room = raised(car, car.least_kw, edge_s + SLOT_S)
            if told[car.id] < car.least_kw - LEAST_KW:
                told[car.id], room = 0.0, room + told[car.id]
    for car in soonest:
        if told[car.id] > 0 and car.left_kwh <= told[car.id] * rest_h + DONE_KWH:
            room = raised(car, car.most_kw, edge_s)
    return {name: kw if kw > LEAST_KW else 0.0 for name, kw in told.items()}


def _hour(instant_s: float) -> float:
    now = local(instant_s)
    return now.hour + now.minute / 60

"""Cars of a community: their stays and times away, what comes next of each, and how good that was told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from commonwatt.forecasting.cars import Stays, stay
from commonwatt.forecasting.days import WORKDAY, holidays_in, kinds
from commonwatt.forecasting.score import coverage, pinball
from commonwatt.model import LEVELS_PERMILLE, AssetId, InvalidValue, instant

Floats = NDArray[np.float64]
LEAST_OWN = 5
"""Own stays that must have ended before anything is said of the next, or of how good that was."""
MOST_SCORED = 30
_MIDDLE = LEVELS_PERMILLE.index(500)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A car at its plug, or away from it: from when to when, seconds since 1970, and what it took meanwhile, Wh."""

    start_s: int
    end_s: int
    energy_wh: int

    def __post_init__(self) -> None:
        if self.end_s <= self.start_s or self.energy_wh < 0:
            raise InvalidValue(f"a stay ends after it begins and takes zero or more, was {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """What comes next of a car, at each of `LEVELS_PERMILLE`.

    Args:
        here: Whether it stands at its plug.
        since_s: Since when it does, or is away.
        until_s: When it leaves, or is back.
        needs_wh: What it takes from its coming to its leaving; empty where it is away.
        stays: From how many of its own this is told.
        used: Whether that is the learnt forecast; else the median of its own, which was better of late, at all levels.
    """

    here: bool
    since_s: int
    until_s: tuple[int, ...]
    needs_wh: tuple[int, ...]
    stays: int
    used: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CarCard:
    """How good forecasts of a car's stays were, each made as it came, beside the median of its own stays before.

    Args:
        stays: How many were scored.
        departure_skill: 1 less the pinball loss of when it left over that of its median.
        energy_skill: The same of what it took.
        coverage_permille: How often it left within the band of nine tenths.
        used: Whether departures are told so: a forecast that lost to the median is not used.
    """

    stays: int
    departure_skill: float
    energy_skill: float
    coverage_permille: int
    used: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """All cars of a community.

    Args:
        clock: By which people live.
        region: Whose holidays they keep, as `days.holidays_in` reads it.
        stays: Whole stays of each car, in order.
    """

    clock: ZoneInfo
    region: str
    stays: Mapping[AssetId, Sequence[Parked]]

    def away(self) -> "Fleet":
        """Return when each car was away between two stays, as if that were what it does."""
        gaps = {
            car: [
                Parked(start_s=one.end_s, end_s=after.start_s, energy_wh=0)
                for one, after in pairwise(own)
                if after.start_s > one.end_s
            ]
            for car, own in self.stays.items()
        }
        return Fleet(clock=self.clock, region=self.region, stays=gaps)

    def columns(self, by_s: int) -> tuple[Stays, list[AssetId]]:
        """Return what had ended by an instant, in order of its end, and the cars by number."""
        cars = list(self.stays)
        rows = sorted(
            (one.end_s, number, one) for number, car in enumerate(cars) for one in self.stays[car] if one.end_s <= by_s
        )
        begun = [self._local(one.start_s) for _, _, one in rows]
        free = holidays_in(self.region, [one.date() for one in begun])
        off = kinds([one.date() for one in begun], free) > WORKDAY
        found = Stays(
            np.array([number for _, number, _ in rows], np.int64),
            np.array([hour_of(one) for one in begun]),
            off,
            np.array([(one.end_s - one.start_s) / 3600 for _, _, one in rows]),
            np.array([float(one.energy_wh) for _, _, one in rows]),
            np.full(len(rows), np.nan),
        )
        return found, cars

    def off(self, at_s: int) -> bool:
        """Tell whether an instant is on a day off."""
        day = self._local(at_s).date()
        return bool(kinds([day], holidays_in(self.region, [day]))[0] > WORKDAY)

    def hour(self, at_s: int) -> float:
        """Return the local hour of an instant, 0 to 24."""
        return hour_of(self._local(at_s))

    def _local(self, at_s: int) -> datetime:
        return instant(at_s).astimezone(self.clock)


def hour_of(at: datetime) -> float:
    """Return the hour of a local time, 0 to 24."""
    return (at - at.replace(hour=0, minute=0, second=0, microsecond=0)) / timedelta(hours=1)


def what_next(fleet: Fleet, car: AssetId, here: bool, since_s: int, now_s: int, *, used: bool = True) -> Next | None:
    """Return when a car leaves and what it takes, or when it comes back; None where it has too few stays to tell.

    Args:
        fleet: With what ended by now; what ends later is not looked at.
        car: Which.
        here: Whether it stands at its plug.
        since_s: Since when it does, or is away.
        now_s: The instant.
        used: Whether the learnt forecast is, see `CarCard`.
    """
    past, cars = (fleet if here else fleet.away()).columns(now_s)
    number = cars.index(car) if car in cars else -1
    own = past.driver == number
    if own.sum() < LEAST_OWN:
        return None
    hours, energy_wh = stay(
        past, number, fleet.hour(since_s), fleet.off(since_s), lasted_hours=max(0.0, (now_s - since_s) / 3600)
    )
    if not used:
        hours = np.full_like(hours, max(float(np.median(past.hours[own])), (now_s - since_s) / 3600))
        energy_wh = np.full_like(energy_wh, np.median(past.energy_wh[own]))
    return Next(
        here=here,
        since_s=since_s,
        until_s=tuple(since_s + round(3600 * float(one)) for one in hours),
        needs_wh=tuple(round(float(one)) for one in energy_wh) if here else (),
        stays=int(own.sum()),
        used=used,
    )


def card(fleet: Fleet, car: AssetId) -> CarCard | None:
    """Return how good forecasts of a car's last stays would have been, each from what had ended as it began."""
    own = list(fleet.stays.get(car, ()))
    told, plain, came = list[tuple[Floats, Floats]](), list[tuple[float, float]](), list[tuple[float, float]]()
    for one in own[-MOST_SCORED:]:
        past, cars = fleet.columns(one.start_s)
        mine = past.driver == cars.index(car)
        if mine.sum() < LEAST_OWN:
            continue
        told.append(stay(past, cars.index(car), fleet.hour(one.start_s), fleet.off(one.start_s)))
        plain.append((float(np.median(past.hours[mine])), float(np.median(past.energy_wh[mine]))))
        came.append(((one.end_s - one.start_s) / 3600, float(one.energy_wh)))
    if not came:
        return None
    truth, skills = np.array(came), list[float]()
    for which in (0, 1):
        rows, flat = np.array([row[which] for row in told]).T, np.array([row[which] for row in plain])
        usual = pinball(np.tile(flat, (len(LEVELS_PERMILLE), 1)), truth[:, which])
        skills.append(1 - pinball(rows, truth[:, which]) / usual if usual > 0 else 0.0)
    hours = np.array([row[0] for row in told]).T
    return CarCard(
        stays=len(came),
        departure_skill=skills[0],
        energy_skill=skills[1],
        coverage_permille=round(1000 * coverage(hours[0], hours[-1], truth[:, 0])),
        used=skills[0] >= 0,
    )

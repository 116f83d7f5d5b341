"""Cars in the log: when they stood at their plugs, when they left, and what they were told to draw."""

from collections.abc import Sequence
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from commonwatt.adapters.stores.chronicle import Chronicle
from commonwatt.flexibility.dispatch import lower
from commonwatt.flows.brought import Brought
from commonwatt.flows.intake import read_head
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.flexibility.consenting import instruction_of
from commonwatt.forecasting.days import holidays_in
from commonwatt.forecasting.habits import Departure
from commonwatt.forecasting.parked import Parked
from commonwatt.model import SLOT_SECONDS, Asset, Kind, Outcome, instant

Floats = NDArray[np.float64]
MOST_SCHEDULES = 7 * 96
"""A week of plans: what a charger was told before is nothing to wait for."""
DAY_BREAKS_MINUTE = 4 * 60
"""A car that leaves before four leaves yesterday evening, late."""
APART_S = 45 * 60
"""A car that was away for less was moved, not driven to work."""


def stays_of(
    chronicle: Chronicle, brought: Brought, car: Asset, first_s: int
) -> tuple[tuple[Parked, ...], Parked | None]:
    """Return a car's whole stays in order, and the one that may not be over, as far as its meter told.

    Args:
        chronicle: With what its charger told: a level in each slot in which it stood there.
        brought: With the stays that its owner brought along.
        car: Which.
        first_s: What was told before is not looked at.
    """
    home = brought.homes.get(car.owner)
    stays = list(home.stays.get(car.id, ())) if home else []
    here: list[int] | None = None
    for one in chronicle.readings(car.id, first_s, 2**62):
        if one.reading.level_wh is not None:
            drew = one.reading.import_wh - one.reading.export_wh
            here = [one.slot_s, 0, 0] if here is None else here
            here[1:] = one.slot_s + SLOT_SECONDS, here[2] + drew
        elif here is not None:
            stays.append(_parked(here))
            here = None
    whole = list[Parked]()
    for stay in sorted(stays, key=lambda one: (one.start_s, one.end_s, one.energy_wh)):
        if whole and stay.start_s - whole[-1].end_s < APART_S:
            before = whole.pop()
            wh = before.energy_wh + stay.energy_wh
            whole.append(Parked(start_s=before.start_s, end_s=max(stay.end_s, before.end_s), energy_wh=wh))
        else:
            whole.append(stay)
    return tuple(whole), None if here is None else _parked(here)


def _parked(told: Sequence[int]) -> Parked:
    return Parked(start_s=told[0], end_s=told[1], energy_wh=max(0, told[2]))


def departures(whole: Sequence[Parked], clock: ZoneInfo, region: str) -> tuple[Departure, ...]:
    """Return a car's first departure of each local day, with what it took before it."""
    found = dict[date, Departure]()
    ends = [instant(one.end_s).astimezone(clock) for one in whole]
    free = holidays_in(region, [left.date() for left in ends])
    for left, one in zip(ends, whole, strict=True):
        minute = left.hour * 60 + left.minute
        if minute >= DAY_BREAKS_MINUTE and left.date() not in found:
            off = left.weekday() > 4 or left.date() in free
            found[left.date()] = Departure(day=left.date().toordinal(), off=off, minute=minute, energy_wh=one.energy_wh)
    return tuple(found.values())


def told_w(chronicle: Chronicle, car: Asset, slots: NDArray[np.int64]) -> Floats:
    """Return what a car was told to draw at most, as `rulebook.flexibility.consenting.told_now` would have it told.

    A schedule is told in the slot that it was issued for, one that was put to its owner from their yes on; both end
    with the owner's next word about consent, in whose slot nothing is said to have been told.
    """
    found = np.full(slots.size, np.nan)
    flat, asked = slots.ravel(), dict[int, bodies.ScheduleBody]()
    leaves = chronicle.leaves(kinds=[Kind.SCHEDULE], asset=car.id, limit=MOST_SCHEDULES)
    leaves += chronicle.leaves(kinds=[Kind.CONSENT], account=car.owner, limit=MOST_SCHEDULES)
    for leaf in sorted(leaves, key=lambda one: one.position):
        body = read_head(leaf.body).body if leaf.outcome in (Outcome.BOOKED, Outcome.WAITING) and leaf.body else None
        said = None if body is None else bodies.read_body(leaf.kind, body)
        later = flat >= leaf.stamped_s
        if isinstance(said, bodies.ScheduleBody) and leaf.outcome is Outcome.WAITING:
            asked[said.issued_s] = said
        elif isinstance(said, bodies.ScheduleBody):
            _tell_w(found, flat, car, said, flat == said.issued_s)
        elif isinstance(said, bodies.DecisionBody) and said.accept and said.asset == car.id and said.issued_s in asked:
            found[later] = np.nan
            _tell_w(found, flat, car, asked[said.issued_s], later)
        elif isinstance(said, bodies.ConsentBody) and said.asset in (None, car.id):
            found[flat + SLOT_SECONDS > leaf.stamped_s] = np.nan
            asked.clear()
    return found.reshape(slots.shape)


def _tell_w(
    found: Floats, flat: NDArray[np.int64], car: Asset, told: bodies.ScheduleBody, here: NDArray[np.bool_]
) -> None:
    """Write into some slots what a schedule lets a car draw at most."""
    for item in told.instructions:
        band = lower(car, instruction_of(item))
        if band.balance_w is None:
            found[here & (flat >= item.start_s) & (flat < item.end_s)] = max(0, band.hi_w)

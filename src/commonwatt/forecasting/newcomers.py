"""Find what nobody registered: a roof that gives behind a connection, a car that is charged there."""

import numpy as np
from numpy.typing import NDArray

from commonwatt.forecasting.health import Ailment, Finding

Floats = NDArray[np.float64]
RECENT_DAYS = 14
LEAST_DAYS = 2 * RECENT_DAYS
"""Of a charger: a fortnight in which there was none, and one in which there is."""
GIVEN_AT_DAYS, LEAST_GIVEN_WH = 3.0, 200
"""Days of a fortnight on which more is given than meters that round can make up, before a roof is said to be there."""
CHARGED_AT = 3.0
LEAST_CHARGED_WH, LEAST_CHARGED_W, STEADY, LEAST_SLOTS = 6_000, 2_000, 0.08, 3
"""A stretch of steady power of so much energy is a car's: an oven takes less, a heater of water was there before."""


def unregistered_roof(own_wh: Floats) -> Finding | None:
    """Tell whether something gives energy behind a connection that no registered device's meter tells of.

    Args:
        own_wh: (days, slots) Wh: what the connection drew less what all registered devices behind it did; below zero
            something else gives. Not a number where a meter was silent.

    Returns:
        Since which day of the last fortnight, the days on which it gave as score, and what it gave; None for nothing.
    """
    recent = own_wh[-RECENT_DAYS:]
    given = np.where(recent < 0, -recent, 0.0).sum(1)  # what is not a number is not below zero
    days = np.flatnonzero(given > LEAST_GIVEN_WH)
    if len(days) < GIVEN_AT_DAYS:
        return None
    drawn = float(np.nansum(np.maximum(recent, 0)))
    return Finding(
        ailment=Ailment.NEW_ROOF,
        at=0,
        since=len(own_wh) - len(recent) + int(days[0]),
        off_permille=round(1000 * float(given.sum()) / max(drawn + float(given.sum()), 1.0)),
        score=float(len(days)),
        threshold=GIVEN_AT_DAYS,
        lost_wh=0,
    )


def unregistered_car(own_wh: Floats) -> Finding | None:
    """Tell whether a car is charged of late where none was before.

    Args:
        own_wh: As for `unregistered_roof`; `LEAST_DAYS` or more.

    Returns:
        Since which day, the stretches of steady power in the last fortnight as score, and their share of the energy;
        None where there are few, or were some in the fortnight before.
    """
    if len(own_wh) < LEAST_DAYS:
        return None
    slots = own_wh.shape[1]
    span = own_wh[-LEAST_DAYS:]
    if np.isnan(span[:RECENT_DAYS]).all(1).sum() * 2 > RECENT_DAYS:
        return None  # of a fortnight that is not known nobody can say that there was none
    runs = _steady(span.ravel(), slots // 24)
    before = [run for run in runs if run[0] < RECENT_DAYS * slots]
    late = [run for run in runs if run[0] >= RECENT_DAYS * slots]
    if before or len(late) < CHARGED_AT:
        return None
    taken = sum(float(span.ravel()[start:end].sum()) for start, end in late)
    return Finding(
        ailment=Ailment.NEW_CAR,
        at=0,
        since=len(own_wh) - LEAST_DAYS + late[0][0] // slots,
        off_permille=round(1000 * taken / max(float(np.nansum(np.maximum(span[RECENT_DAYS:], 0))), 1.0)),
        score=float(len(late)),
        threshold=CHARGED_AT,
        lost_wh=0,
    )


def _steady(wh: Floats, slots_an_hour: int) -> list[tuple[int, int]]:
    """Return the stretches in which much is drawn at one power, as spans of slots.

    A stretch goes on while each slot is within `STEADY` of the mean of those before it; what else is used in a home
    then is small beside a car.
    """
    found = []
    least = LEAST_CHARGED_W / slots_an_hour
    at, count = 0, len(wh)
    while at < count:
        if not wh[at] >= least:
            at += 1
            continue
        end, total = at + 1, float(wh[at])
        while end < count and abs(wh[end] - total / (end - at)) <= STEADY * total / (end - at):
            total += float(wh[end])
            end += 1
        if total >= LEAST_CHARGED_WH and end - at >= max(slots_an_hour, LEAST_SLOTS):
            found.append((at, end))
        at = end
    return found

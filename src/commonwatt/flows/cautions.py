"""What a community asks of itself because its forecast is not sure: a peak that may pass a limit is planned lower."""

from collections.abc import Callable, Generator
from datetime import timedelta
from functools import partial
from typing import Any

from commonwatt.flexibility import language
from commonwatt.flows.constraint_to_command import FORECAST_ROOM_PERCENT, HORIZON, Outlook
from commonwatt.flows.foreseeing import Chosen
from commonwatt.flows.outlook import Terms, outlook
from commonwatt.flows.rulebook import State
from commonwatt.model import (
    SLOT,
    SLOT_SECONDS,
    Constraint,
    Interval,
    Priority,
    Quantity,
    Reach,
    Relation,
    epoch,
    instant,
    zone_of,
)


def cautious(state: State, terms: Terms, slot_s: int) -> Generator[Callable[[], Any], Any, list[str]]:
    """Return the lines that a community's operator states in a slot, for comfort and so below everybody's needs.

    Once a local day, and once the limits of a street's day are stated, it asks to draw so much less than each limit as
    its homes may draw more than is expected one time in ten. What is asked of each limit anyway is not asked again.

    Args:
        state: As it stands; nothing of it is looked at while a forecast is made.
        terms: Only where plans go by learnt forecasts is anything known of how sure they are.
        slot_s: The slot that begins.
    """
    foresee = terms.foresee
    if not isinstance(foresee, Chosen) or not _due(state, terms, slot_s):
        return []
    seen = outlook(state, terms, slot_s)
    risks = yield partial(foresee.peaks, seen.known(), limits_w(seen))
    return [
        language.text(_bound(window, risk.asked_w), seen.clock)
        for window, risk in risks
        if risk.asked_w < risk.limit_w * FORECAST_ROOM_PERCENT // 100
    ]


def limits_w(seen: Outlook) -> list[int | None]:
    """Return what stands stated about the power of all, W, in each slot from now on; None where nothing is."""
    bounds = [
        one
        for one in seen.constraints
        if one.quantity is Quantity.POWER
        and one.relation is Relation.AT_MOST
        and one.priority is not Priority.COMFORT
        and (one.reach in (Reach.COMMUNITY, Reach.FEEDER) or (one.reach is Reach.ZONE and seen.zone in one.scope))
    ]
    starts = [seen.now + at * SLOT for at in range(HORIZON)]
    return [
        min((one.value for one in bounds if one.window and one.window.start <= at < one.window.end), default=None)
        for at in starts
    ]


def _due(state: State, terms: Terms, slot_s: int) -> bool:
    local = instant(slot_s).astimezone(zone_of(state.charter.timezone))
    midnight = timedelta(hours=local.hour, minutes=local.minute) == timedelta()
    return midnight or slot_s == epoch(terms.span.start) + SLOT_SECONDS


def _bound(window: Interval, value: int) -> Constraint:
    return Constraint(
        quantity=Quantity.POWER,
        reach=Reach.COMMUNITY,
        scope=(),
        relation=Relation.AT_MOST,
        value=value,
        window=window,
        priority=Priority.COMFORT,
    )

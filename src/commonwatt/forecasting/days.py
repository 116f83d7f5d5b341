"""Which days are alike: what the calendar says of how people live them."""

from collections.abc import Collection, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from commonwatt.model import SLOT_SECONDS, SLOTS_PER_DAY, InvalidValue, epoch

MINUTES = SLOT_SECONDS // 60
WORKDAY, SATURDAY, SUNDAY = 0, 1, 2
"""Kinds of days; a holiday is lived like a Sunday."""


def kinds(days: Sequence[date], holidays: Collection[date] = ()) -> NDArray[np.int8]:
    """Return the kind of each day: `WORKDAY`, `SATURDAY`, or `SUNDAY`, as which holidays count, too."""
    return np.array([_kind(day, holidays) for day in days], np.int8)


def holidays_in(region: str, days: Sequence[date]) -> frozenset[date]:
    """Return which of some days are public holidays somewhere.

    Args:
        region: A country or its part as ISO 3166 names it, for example ``DE`` or ``AU-NSW``; of none there are none.
        days: Of any years.

    Raises:
        InvalidValue: No holidays are known of that region.
    """
    if not region or not days:
        return frozenset()
    import holidays  # noqa: PLC0415  loads for a while, for which nobody waits whose holidays nobody told

    country, _, part = region.partition("-")
    try:
        known = holidays.country_holidays(country, subdiv=part or None, years=sorted({day.year for day in days}))
    except NotImplementedError as error:  # how the library says that it does not know a country or a part of one
        of = holidays.list_supported_countries()
        near = [f"{country}-{one}" for one in of.get(country, ())] if country in of else get_close_matches(country, of)
        raise InvalidValue(f"no holidays are known of {region}, but of {', '.join(near) or 'others'}") from error
    return frozenset(day for day in days if day in known)


def starts_s(days: Sequence[date], clock: tzinfo) -> NDArray[np.int64]:
    """Return when each quarter-hour of the local clock begins: (days, 96), seconds since 1970.

    Where clocks go back an hour of energy belongs to no slot here, where they go forward one belongs to two: people's
    days have 96 quarter-hours, and it is by these that they are alike.
    """
    at = [time(*divmod(slot * MINUTES, 60)) for slot in range(SLOTS_PER_DAY)]
    return np.array([[_start_s(day, moment, clock) for moment in at] for day in days], np.int64).reshape(-1, len(at))


def from_day(first: date, count: int) -> list[date]:
    """Return so many days from one on."""
    return [first + timedelta(days=n) for n in range(count)]


def _start_s(day: date, moment: time, clock: tzinfo) -> int:
    return epoch(datetime.combine(day, moment, clock))


def _kind(day: date, holidays: Collection[date]) -> int:
    if day in holidays or day.weekday() == 6:
        return SUNDAY
    return SATURDAY if day.weekday() == 5 else WORKDAY

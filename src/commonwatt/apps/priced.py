"""What a kWh will cost and stand for: from the grid, to it, among neighbours, and in carbon."""

from collections.abc import Generator
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from commonwatt.apps.feed_terms import Outside
from commonwatt.apps.gathering import CarbonDays, Gathered
from commonwatt.flows.feeds.series import Topic, What
from commonwatt.flows.issued import CARBON, EXPORT, LOCAL, PRICE
from commonwatt.forecasting.choice import WEEK_DAYS
from commonwatt.forecasting.days import from_day, holidays_in
from commonwatt.forecasting.foresee import AHEAD, MOST_SCORED, Foretold
from commonwatt.forecasting.foresee_prices import LATE_WINDOWS, prices, published
from commonwatt.forecasting.price import WINDOWS
from commonwatt.model import SLOT_SECONDS, Corrupt, Interval, instant

Floats = NDArray[np.float64]
MOST_CARBON_DAYS = 42
_SUNDAY, _MG = 6, 1_000.0


def bought(told: Gathered) -> Foretold:
    """Return the import price, micro per kWh."""
    return _priced(told, told.priced, PRICE, WINDOWS)


def sold(told: Gathered) -> Foretold | None:
    """Return the export price, likewise; None where none was ever told."""
    return _priced(told, told.exported, EXPORT, LATE_WINDOWS) if len(told.exported) else None


def among_neighbours(told: Gathered) -> Foretold | None:
    """Return what a kWh costs among neighbours, likewise; None where nobody ever traded.

    Where somebody trades in every slot for ten weeks it is told by a regression, else by the mean of seven days, once
    there were trades at every time of day within them.
    """
    return _priced(told, told.local, LOCAL, LATE_WINDOWS) if len(told.local) else None


def carbon(told: Gathered) -> Foretold | None:
    """Return the grid's carbon, mg per kWh, as it is published and corrected; None where no feed tells it."""
    days = told.carbon
    if days is None or np.isnan(days.came).all():
        return None
    return published(days.told, days.next_told, days.came, CARBON, max(0, len(days.came) - MOST_SCORED), _MG)


def carbon_days(outside: Outside, told: Gathered) -> Generator[None, None, CarbonDays | None]:
    """Gather in short steps what was published of the grid's carbon as each day began, and what it came to.

    Nothing that was heard after a day began is looked at for what was told of it, nor after today began for what came.
    A broken archive tells nothing: it is said where feeds are asked.
    """
    place = outside.carbon_place
    today = len(told.days) - 1
    first = max(0, today - MOST_CARBON_DAYS)
    issued_s = int(told.starts_s[today, 0])
    if place is None:
        return None
    said, after, came = list[Floats](), list[Floats](), list[Floats]()
    try:
        for day in range(first, today + 1):
            begins_s = int(told.starts_s[day, 0])
            said.append(_known(outside, Topic(What.CARBON, place), told.starts_s[day], begins_s))
            after.append(_known(outside, Topic(What.CARBON, place), told.starts_s[day + 1], begins_s))
            if day < today:
                measured = Topic(What.CARBON, place, measured=True)
                came.append(_known(outside, measured, told.starts_s[day], issued_s))
            yield
    except (Corrupt, OSError):
        return None
    shape = len(came), told.starts_s.shape[1]
    return CarbonDays(told=np.array(said), next_told=np.array(after), came=np.array(came).reshape(shape))


def _known(outside: Outside, topic: Topic, slots: NDArray[np.int64], as_of_s: int) -> Floats:
    span = Interval(instant(int(slots[0])), instant(int(slots[-1]) + SLOT_SECONDS))
    each = {one.slot_s: one.value for one in outside.known(topic, span, as_of_s, usual=False)}
    found = [each.get(int(slot_s)) for slot_s in slots]
    return np.array([np.nan if one is None else one for one in found], np.float64)


def _priced(told: Gathered, rows: Floats, name: str, windows: tuple[int, ...]) -> Foretold:
    """Foresee a price by whole days; what neighbours pay has holes: it is told by its mean once a week knows all slots.

    A slot of which nothing is known would be told as free.
    """
    holes = np.flatnonzero(np.isnan(rows).any(1))
    known = rows[int(holes[-1]) + 1 if len(holes) else 0 :]
    if name == LOCAL and len(known) < WEEK_DAYS and not np.isnan(rows[-WEEK_DAYS:]).all(0).any():
        known = rows
    days = from_day(told.today - timedelta(days=len(known)), len(known) + AHEAD)
    free = holidays_in(told.region, days)
    weekdays = [_SUNDAY if day in free else day.weekday() for day in days]
    return prices(known, weekdays, name, max(0, len(known) - MOST_SCORED), windows)

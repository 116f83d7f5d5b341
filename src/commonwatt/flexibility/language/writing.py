"""From a value to the line that reads back as the same value."""

import json
import re
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from commonwatt.flexibility.language.clock import DAY_END, resolve, written
from commonwatt.flexibility.language.grammar import GROUPS, MONTHS, REACHES, UNITS, WEEKDAYS
from commonwatt.model import (
    MINUTES_PER_DAY,
    Constraint,
    Interval,
    InvalidValue,
    Priority,
    Quantity,
    Reach,
    Repeating,
)

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")


def text(value: Constraint | Repeating, zone: ZoneInfo) -> str:
    """Return the line that parses back to the same value, the year written out.

    The author is not in it: who says a sentence is told by its signature.

    Args:
        value: On whole seconds, as all that was read from a line is.
        zone: In which the line's clock runs; what repeats by another zone's clock says so.

    Raises:
        InvalidValue: It is not on whole seconds.
    """
    said = f"{value.quantity} of {_scope(value)} {value.relation} {_amount(value.quantity, value.value)}"
    when = _repeat(value, zone) if isinstance(value, Repeating) else _when(value, zone)
    tail = "" if value.priority is Priority.OWNER else f" for {value.priority.name.lower()}"
    return f"{said} {when}{tail}"


def _scope(value: Constraint | Repeating) -> str:
    if value.reach is Reach.COMMUNITY:
        return value.reach.value
    names = ", ".join(_name(name) for name in value.scope)
    return names if value.reach is Reach.ASSET else f"{value.reach} {names}"


def _name(name: str) -> str:
    if _PLAIN.match(name) and name not in REACHES:
        return name
    return json.dumps(name, ensure_ascii=not name.isprintable())


def _amount(quantity: Quantity, value: int) -> str:
    units = UNITS[quantity]
    if quantity in (Quantity.TEMPERATURE, Quantity.CYCLES):
        ((unit, _),) = units.items()
        whole, rest = divmod(abs(value), 1000)
        number = f"{'-' if value < 0 else ''}{whole}" + (f".{rest:03}".rstrip("0") if rest else "")
        return f"{number} {unit}".rstrip()
    unit, factor = next(
        (unit, one) for unit, one in reversed(units.items()) if value % one == 0 and (value or one == 1)
    )
    return f"{value // factor}{'' if unit == '%' else ' '}{unit}"


def _when(value: Constraint, zone: ZoneInfo) -> str:
    if value.at is not None:
        clock, nth, day = written(value.at, zone)
        return f"at {_time(clock, nth)} on {_day(day)}"
    assert value.window is not None
    return _window(value.window, zone)


def _window(window: Interval, zone: ZoneInfo) -> str:
    start, nth, first = written(window.start, zone)
    end, end_nth, last = written(window.end, zone)
    if end == "00:00" and last > first and resolve(DAY_END, end_nth, last - timedelta(days=1), zone) == window.end:
        end, last = DAY_END, last - timedelta(days=1)
    short = f"from {_time(start, nth)} to {_time(end, end_nth)} on {_day(first)}"
    if last == first or (last == first + timedelta(days=1) and _over(end, end_nth, first, window.start, zone)):
        return short
    return f"from {_time(start, nth)} on {_day(first)} to {_time(end, end_nth)} on {_day(last)}"


def _over(clock: str, nth: str | None, day: date, start: datetime, zone: ZoneInfo) -> bool:
    """Tell whether a clock time is past on the day of the start, so that the next day's is meant."""
    try:
        return resolve(clock, nth, day, zone) <= start
    except InvalidValue:
        return False


def _repeat(value: Repeating, zone: ZoneInfo) -> str:
    if value.end_minute is None:
        times = f"at {_minute(value.start_minute)}"
    else:
        end = value.end_minute - (MINUTES_PER_DAY if value.end_minute > MINUTES_PER_DAY else 0)
        times = f"from {_minute(value.start_minute)} to {_minute(end)}"
    groups = [name for name, days in GROUPS.items() if days == value.weekdays]
    days = groups[0] if groups else ", ".join(WEEKDAYS[day] for day in value.weekdays)
    until = "" if value.last is None else f" until {_day(value.last)}"
    place = "" if value.zone == zone.key else f" in {value.zone}"
    return f"{times} every {days} from {_day(value.first)}{until}{place}"


def _minute(minute: int) -> str:
    return DAY_END if minute == MINUTES_PER_DAY else f"{time(minute // 60, minute % 60):%H:%M}"


def _time(clock: str, nth: str | None) -> str:
    return clock if nth is None else f"{clock} {nth}"


def _day(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]} {day.year:04}"

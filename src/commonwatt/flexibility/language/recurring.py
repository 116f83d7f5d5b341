"""When an entry of a calendar takes place: RFC 5545 recurrence, by the clock of the entry's own time zone."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import islice
from typing import Any

from dateutil.rrule import rrulestr
from icalendar import Component
from icalendar.prop import vRecur

from commonwatt.model import Interval, Refused

_FREQUENCIES = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_TOO_FINE = frozenset({"BYHOUR", "BYMINUTE", "BYSECOND"})
_SIMPLE, _LONG = frozenset({"DAILY", "WEEKLY"}), frozenset({"BYYEARDAY", "BYWEEKNO", "BYSETPOS", "BYEASTER"})
"""Frequencies, and parts that the standard gives to longer ones alone."""
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FIRST_YEAR = 1970
_DAY = timedelta(days=1)
_MOMENT = timedelta(seconds=1)
"""How long what has no length is taken to be."""


@dataclass(frozen=True, slots=True)
class Named:
    """Times that a calendar lists one by one: as instants, and as whole days."""

    instants: frozenset[datetime]
    days: frozenset[date]

    def has(self, at: datetime, shown: datetime) -> bool:
        """Tell whether an instant, at which a clock shows this, is among them."""
        return at in self.instants or shown.date() in self.days


NOTHING = Named(frozenset(), frozenset())


def instances(event: Component, span: Interval, zone: tzinfo, moved: Named = NOTHING) -> Iterator[Interval]:
    """Yield when an entry takes place, for all of its instances that may touch a span, and no later ones.

    A local time that is jumped over is read by the offset before the jump, one that comes twice as the first (RFC
    5545, 3.3.5). Rules end with an UNTIL in UTC, in local time or on a date, itself included; what is taken out or
    moved may be named likewise. What began with an end lasts as long each time; what has a duration in days keeps its
    clock time.

    Args:
        event: Without mistakes.
        span: What matters.
        zone: Of times without a zone, and of whole days.
        moved: Instances that other entries stand in place of.

    Raises:
        Refused: It has no start, an unknown time zone, or repeats more finely than by the day.
    """
    if _property(event, "DTSTART") is None:
        raise Refused("an entry has a start")
    begin = _told(_property(event, "DTSTART"), zone)
    if begin.year < _FIRST_YEAR:
        raise Refused("an entry begins no earlier than 1970", begins=begin.isoformat())
    own = begin.tzinfo or zone
    shown = begin.replace(tzinfo=None)
    left_out = listed(event, "EXDATE", zone)
    latest = span.end.astimezone(own).replace(tzinfo=None) + _DAY
    starts = {shown, *(one.astimezone(own).replace(tzinfo=None) for one in listed(event, "RDATE", zone).instants)}
    starts |= {datetime.combine(day, shown.time()) for day in listed(event, "RDATE", zone).days}
    for rule in _several(_property(event, "RRULE")):
        starts |= set(_repeats(rule, shown, own, latest))
    for start in sorted(one for one in starts if one <= latest):
        at = _utc(start, own)
        if not left_out.has(at, start) and not moved.has(at, start):
            found = Interval(at, max(_end(event, start, at, zone, own), at + _MOMENT))
            if found.end >= span.start:
                yield found


def listed(event: Component, name: str, zone: tzinfo) -> Named:
    """Return the times that one of an entry's properties lists.

    Raises:
        Refused: One is in a time zone that nobody knows.
    """
    instants, days = set(), set()
    for told in _several(_property(event, name)):
        for one in getattr(told, "dts", [told]):
            when = one.dt[0] if isinstance(one.dt, tuple) else one.dt
            if isinstance(when, datetime):
                instants.add(_aware(when, one, told, zone).astimezone(UTC))
            else:
                days.add(when)
    return Named(frozenset(instants), frozenset(days))


def _repeats(rule: vRecur, shown: datetime, own: tzinfo, latest: datetime) -> Iterator[datetime]:
    """Yield the local times at which a rule has an entry begin, up to a latest one."""
    parts = {name.upper(): list(values) if isinstance(values, list) else [values] for name, values in rule.items()}
    often = {str(one).upper() for one in parts.get("FREQ", [])}
    if not often <= _FREQUENCIES or parts.keys() & _TOO_FINE:
        raise Refused("an entry repeats by the day, week, month or year", found=_written(rule))
    if int(parts.get("INTERVAL", [1])[0]) < 1 or (often & _SIMPLE and parts.keys() & _LONG) or _never(parts):
        raise Refused("an entry repeats by a rule that comes again", found=_written(rule))
    count = parts.get("COUNT", [None])[0]
    until = parts.get("UNTIL", [None])[0]
    # The library wants one kind of end in one kind of time: local time for all, and what ends earlier is cut below.
    bare = vRecur({name: values for name, values in parts.items() if name not in ("COUNT", "UNTIL")})
    text = f"{_written(bare)};UNTIL={latest:%Y%m%dT%H%M%S}"
    for start in islice(rrulestr(text, dtstart=shown), None if count is None else int(count)):
        if until is not None and _past(start, until, own):
            return
        yield start


def _never(parts: dict[str, list[Any]]) -> bool:
    """Tell whether a rule asks for days that no month has: the library would look for them until the year 9999."""
    days, months = parts.get("BYMONTHDAY"), parts.get("BYMONTH", range(1, 13))
    longest = max((_LONGEST[int(month) - 1] for month in months if 1 <= int(month) <= len(_LONGEST)), default=0)
    return not longest or (days is not None and all(abs(int(day)) > longest or int(day) == 0 for day in days))


def _written(rule: vRecur) -> str:
    written: bytes = rule.to_ical()  # type: ignore[no-untyped-call]
    return written.decode()


def _past(start: datetime, until: date, own: tzinfo) -> bool:
    if not isinstance(until, datetime):
        return start.date() > until
    if until.tzinfo is None:
        return start > until
    return _utc(start, own) > until


def _end(event: Component, start: datetime, at: datetime, zone: tzinfo, own: tzinfo) -> datetime:
    begin: date | datetime = _property(event, "DTSTART").dt
    if (told := _property(event, "DTEND")) is not None:
        if not isinstance(begin, datetime) and not isinstance(told.dt, datetime):
            return _utc(start + (told.dt - begin), own)
        lasts = _told(told, zone).astimezone(UTC) - _told(_property(event, "DTSTART"), zone).astimezone(UTC)
        if lasts < timedelta():
            raise Refused("an entry ends no earlier than it begins", lasts=lasts)
        return at + lasts
    if (told := _property(event, "DURATION")) is not None:
        # Days are days of the calendar, and hours are hours, whatever clocks do.
        return _utc(start + timedelta(days=told.dt.days), own) + timedelta(seconds=told.dt.seconds)
    return at if isinstance(begin, datetime) else _utc(start + _DAY, own)


def _told(told: Any, zone: tzinfo) -> datetime:
    when = told.dt
    if isinstance(when, datetime):
        return _aware(when, told, told, zone)
    return datetime.combine(when, time(), zone)


def _aware(when: datetime, one: Any, told: Any, zone: tzinfo) -> datetime:
    named = one.params.get("TZID") or told.params.get("TZID")
    if when.tzinfo is None and named is not None:
        raise Refused("an entry is in a time zone that is known", zone=repr(str(named)))
    return when if when.tzinfo is not None else when.replace(tzinfo=zone)


def _utc(shown: datetime, own: tzinfo) -> datetime:
    return shown.replace(tzinfo=own).astimezone(UTC)


def _property(event: Component, name: str) -> Any:
    """Return a property, of one of the library's many types, or None."""
    return event.get(name)


def _several(told: Any) -> list[Any]:
    if told is None:
        return []
    return told if isinstance(told, list) else [told]

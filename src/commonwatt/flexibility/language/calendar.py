"""What a calendar states: entries like "Leave 07:30, car 80 %", or with a sentence of the language, as constraints."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar, Component

from commonwatt.flexibility.language.grammar import is_meant
from commonwatt.flexibility.language.reading import Names, Statement, read_entry
from commonwatt.flexibility.language.recurring import NOTHING, Named, instances, listed
from commonwatt.model import Constraint, Interval, Reach, Refused, Repeating, within

MOST = 10_000
"""Constraints from one calendar: a year of quarter-hours is more than anybody's diary holds."""
_MOMENT = timedelta(seconds=1)


def from_ics(
    text: str,
    span: Interval,
    zone: ZoneInfo,
    names: Names | None = None,
    things: Mapping[str, str] | None = None,
) -> tuple[Constraint, ...]:
    """Return what the entries of an iCalendar file state about a span, each instance of an entry for itself.

    An entry states something where a line of its summary or description is a sentence of the language or a note like
    ``Leave 07:30, car 80 %``. A sentence may leave its time to the entry. Whatever else a diary holds is passed over,
    and so is what was cancelled.

    Args:
        text: RFC 5545.
        span: Only what matters in it is returned, see `Repeating.occurrences`.
        zone: Of times without a zone.
        names: Names that there are, see `language.read`.
        things: What the diary's owner calls an asset, for example ``{"car": "car-07"}``.

    Returns:
        Constraints in order of their times, each once.

    Raises:
        Refused: The text is no calendar, or an entry that is meant to state something cannot be read; says which.
    """
    told = _known(names, things or {})
    found: dict[Constraint, None] = {}
    for event, moved in _events(text, zone):
        lines = _lines(event)
        if not lines:
            continue
        try:
            if event.errors:
                name, why = event.errors[0]
                raise Refused("an entry cannot be read", at=str(name), because=str(why))
            for during in instances(event, span, zone, moved):
                for line in lines:
                    found.update(dict.fromkeys(_stated(line, during, span, zone, told, things or {})))
                if len(found) > MOST:
                    raise Refused("a calendar states too much", most=MOST)
        except Refused as error:
            raise Refused(error.rule, entry=repr(str(event.get("SUMMARY", ""))), **error.found) from error
        except (LookupError, ValueError, TypeError, AttributeError, OverflowError) as error:
            # What the libraries say to damaged properties is no one error.
            raise Refused("an entry cannot be read", entry=repr(str(event.get("SUMMARY", "")))) from error
    return tuple(sorted(found, key=_begins))


def _events(text: str, zone: ZoneInfo) -> list[tuple[Component, Named]]:
    """Return the entries that stand, each with the instances of it that others stand in place of."""
    try:
        calendars = Calendar.from_ical(text, multiple=True)
        events = [event for one in calendars for event in one.walk("VEVENT")]
    except OSError as error:
        # A zone is looked up as a file: here its name is a folder's, or longer than any. Where, is nobody's to know.
        zone_name = str(error.filename).rpartition("zoneinfo/")[2]
        raise Refused("an entry is in a time zone that is known", zone=repr(zone_name[:80])) from error
    except (LookupError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise Refused("this is no calendar", because=str(error)) from error
    if not calendars:
        raise Refused("this is no calendar", begins=repr(text[:40]))
    moved: dict[str, list[Component]] = {}
    for event in events:
        if "RECURRENCE-ID" in event:
            if event.errors or _ranges(event):
                raise Refused("one instance of an entry is moved at a time", entry=repr(str(event.get("SUMMARY", ""))))
            moved.setdefault(str(event.get("UID", "")), []).append(event)
    told = []
    for event in events:
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            continue
        others = [] if "RECURRENCE-ID" in event else moved.get(str(event.get("UID", "")), [])
        told.append((event, _replaced(others, zone)))
    return told


def _replaced(others: list[Component], zone: ZoneInfo) -> Named:
    instants, days = set[datetime](), set[date]()
    for other in others:
        named = listed(other, "RECURRENCE-ID", zone)
        instants |= named.instants
        days |= named.days
    return Named(frozenset(instants), frozenset(days)) if others else NOTHING


def _ranges(other: Component) -> bool:
    told: Any = other["RECURRENCE-ID"]
    return isinstance(told, list) or told.params.get("RANGE") is not None


def _lines(event: Component) -> list[str]:
    told = f"{event.get('SUMMARY', '')}\n{event.get('DESCRIPTION', '')}"
    return [line for line in map(str.strip, told.splitlines()) if is_meant(line)]


def _stated(
    line: str, during: Interval, span: Interval, zone: ZoneInfo, names: Names, things: Mapping[str, str]
) -> Iterator[Constraint]:
    statements = _read(line, during.start - _MOMENT, during, zone, names)
    if any(_begins(one) > during.end for one in statements if isinstance(one, Constraint)):
        # A time before the entry begins is one of the same day, not of the next.
        midnight = datetime.combine(during.start.astimezone(zone).date(), time(), zone)
        statements = _read(line, midnight - _MOMENT, during, zone, names)
    for one in statements:
        said = one
        if one.reach is Reach.ASSET:
            said = replace(one, scope=tuple(things.get(name, name) for name in one.scope))
        if isinstance(said, Repeating):
            yield from said.occurrences(span)
        elif said.window == during and during.seconds <= _MOMENT.seconds:
            raise Refused("a window has a length, this entry has none", line=repr(line))
        elif within(said, span):
            yield said


def _read(line: str, now: datetime, during: Interval, zone: ZoneInfo, names: Names) -> tuple[Statement, ...]:
    said = read_entry(line, now, during, zone, names)
    if said.no_longer:
        raise Refused("a calendar states what holds; take the entry out where it no longer does", line=repr(line))
    return said.statements


def _known(names: Names | None, things: Mapping[str, str]) -> Names:
    if names is None or Reach.ASSET not in names:
        return names or {}
    return {**names, Reach.ASSET: {*names[Reach.ASSET], *things}}


def _begins(one: Constraint) -> datetime:
    begins = one.window.start if one.window is not None else one.at
    assert begins is not None
    return begins

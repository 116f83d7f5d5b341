"""Time as everyone here means it: aware UTC instants, half-open intervals, 15-minute slots."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from commonwatt.model.errors import InvalidValue

SLOT_SECONDS = 900
SLOT = timedelta(seconds=SLOT_SECONDS)
SLOTS_PER_HOUR = 4
SLOTS_PER_DAY = 96
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """A half-open stretch of time: ``Interval(noon, quarter_past)`` holds noon, not quarter past.

    Args:
        start: First instant inside; aware, UTC.
        end: First instant after; aware, UTC, later than start.

    Raises:
        InvalidValue: An instant is naive or not UTC, or the end is not after the start.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for instant in (self.start, self.end):
            if instant.utcoffset() != timedelta(0):
                raise InvalidValue(f"an interval is in UTC, was {instant.isoformat()}")
        if self.end <= self.start:
            raise InvalidValue(f"an interval ends after it starts, was {self.start} to {self.end}")

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end

    @property
    def seconds(self) -> int:
        """Length in whole seconds."""
        return int((self.end - self.start).total_seconds())

    def overlaps(self, other: "Interval") -> bool:
        """Tell whether the two share an instant."""
        return self.start < other.end and other.start < self.end


def read_day(text: str) -> date:
    """Return a day as people write it, YYYY-MM-DD; the standard library reads weeks and days without dashes, too.

    Raises:
        InvalidValue: It is none.
    """
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise InvalidValue(f"a day looks like 2018-11-14, was {text[:20]!r}")


def instant(epoch_s: int) -> datetime:
    """Return the UTC instant of a count of seconds since 1970.

    Raises:
        InvalidValue: It lies beyond the year 9999, or before the year 1.
    """
    try:
        return datetime.fromtimestamp(epoch_s, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidValue(f"an instant lies in the years 1 to 9999, was {epoch_s} s") from error


def epoch(moment: datetime) -> int:
    """Return the whole seconds since 1970 of an aware instant."""
    return int(moment.timestamp())


def slot_from(start_s: int) -> Interval:
    """Return the 15-minute slot that starts at a count of seconds since 1970.

    Raises:
        InvalidValue: The start is not on a quarter of an hour.
    """
    if start_s % SLOT_SECONDS:
        raise InvalidValue(f"a slot starts on a quarter of an hour, was {start_s} s")
    start = instant(start_s)
    return Interval(start, start + SLOT)


def slots_of(span: Interval) -> Iterator[Interval]:
    """Yield the slots that begin inside the span, in order."""
    start_s = -(-epoch(span.start) // SLOT_SECONDS) * SLOT_SECONDS
    while start_s < epoch(span.end):
        yield slot_from(start_s)
        start_s += SLOT_SECONDS

"""A constraint that comes again: on days of the week, by the clock on the wall, until it is taken back (row X1)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from commonwatt.model.constraint import AT_AN_INSTANT, Constraint, Priority, Quantity, Reach, Relation
from commonwatt.model.errors import InvalidValue
from commonwatt.model.time import Interval
from commonwatt.model.wall_clock import moment, zone_of

EVERY_DAY = (0, 1, 2, 3, 4, 5, 6)
MINUTES_PER_DAY = 24 * 60
LAST_YEAR = 9998
"""Beyond, the calendar of computers ends."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeating:
    """One bound that holds on each of some days of the week, at the same local time through every clock change.

    Of a time that comes twice the first counts, and one that is jumped over is when the clock jumps.

    Args:
        quantity: As in `Constraint`, and so on up to priority and author.
        reach: Likewise.
        scope: Likewise.
        relation: Likewise.
        value: Likewise.
        start_minute: Local minutes after midnight at which the window begins, or at which the bound on a stored
            quantity holds: up to 1440, which is the day's end.
        end_minute: Local minutes after the same midnight at which the window ends, at most a day after its start; None
            for a bound on a stored quantity.
        weekdays: Days on which it begins, Monday is 0; sorted.
        first: The first day on which it may begin.
        last: The last one; None for ever.
        zone: IANA name of the zone whose clock it is.
        priority: Likewise.
        author: Likewise.

    Raises:
        InvalidValue: It is no constraint on any day.
    """

    quantity: Quantity
    reach: Reach = Reach.ASSET
    scope: tuple[str, ...] = ()
    relation: Relation
    value: int
    start_minute: int
    end_minute: int | None = None
    weekdays: tuple[int, ...] = EVERY_DAY
    first: date
    last: date | None = None
    zone: str
    priority: Priority = Priority.OWNER
    author: str = ""

    def __post_init__(self) -> None:
        zone_of(self.zone)
        if not self.weekdays or sorted(set(self.weekdays) & set(EVERY_DAY)) != list(self.weekdays):
            raise InvalidValue(f"days of the week are 0 to 6, sorted, was {self.weekdays}")
        if self.last is not None and self.last.year > LAST_YEAR:
            raise InvalidValue(f"what ends, ends by the year {LAST_YEAR}, was {self.last}")
        if self.last is not None and not any(day.weekday() in self.weekdays for day in _days(self.first, self.last)):
            raise InvalidValue(f"what repeats comes at least once, was from {self.first} to {self.last}")
        if (self.end_minute is None) != (self.quantity in AT_AN_INSTANT):
            instant = self.quantity in AT_AN_INSTANT
            raise InvalidValue(f"{self.quantity} takes {'an instant' if instant else 'a window'}, was {self}")
        latest = MINUTES_PER_DAY - (self.end_minute is not None)
        if not 0 <= self.start_minute <= latest:
            raise InvalidValue(f"a day has minutes 0 to {latest}, was {self.start_minute}")
        if self.end_minute is not None and not 0 < self.end_minute - self.start_minute <= MINUTES_PER_DAY:
            raise InvalidValue(f"a window that repeats lasts up to a day, was {self.start_minute} to {self.end_minute}")
        # Whatever else a constraint asks of scope and value is asked of any one of them.
        example = datetime.combine(date(2000, 1, 1), time(), zone_of("UTC"))
        self._constraint(example, example + timedelta(minutes=1))

    def occurrences(self, span: Interval) -> list[Constraint]:
        """Return, in order, the constraints whose window overlaps a span or whose instant lies in it.

        An instant is a deadline for what happens before: one at the span's end counts, one at its start is over. A
        window that falls into a jump of the clock altogether has no length, and is left out.
        """
        zone = zone_of(self.zone)
        days = (span.start.astimezone(zone).date() - 2 * _DAY, span.end.astimezone(zone).date() + _DAY)
        first, last = max(self.first, days[0]), days[1] if self.last is None else min(self.last, days[1])
        found = [self._on(day) for day in _days(first, last) if day.weekday() in self.weekdays]
        return [one for one in found if one is not None and within(one, span)]

    def ends(self) -> datetime | None:
        """Return when the last of them is over, UTC, or None where they never end."""
        if self.last is None:
            return None
        day = self.last
        while day.weekday() not in self.weekdays:
            day -= _DAY
        minutes = self.start_minute if self.end_minute is None else self.end_minute
        return moment(datetime.combine(day, time()) + timedelta(minutes=minutes), zone_of(self.zone))

    def _on(self, day: date) -> Constraint | None:
        midnight, zone = datetime.combine(day, time()), zone_of(self.zone)
        start = moment(midnight + timedelta(minutes=self.start_minute), zone)
        end = None
        if self.end_minute is not None:
            end = moment(midnight + timedelta(minutes=self.end_minute), zone)
            if end <= start:
                return None
        return self._constraint(start, end)

    def _constraint(self, start: datetime, end: datetime | None) -> Constraint:
        return Constraint(
            quantity=self.quantity,
            reach=self.reach,
            scope=self.scope,
            relation=self.relation,
            value=self.value,
            window=Interval(start, end) if end is not None and self.end_minute is not None else None,
            at=start if self.end_minute is None else None,
            priority=self.priority,
            author=self.author,
        )


def _days(first: date, last: date) -> Iterator[date]:
    day = first
    while day <= last:
        yield day
        day += _DAY


def within(one: Constraint, span: Interval) -> bool:
    """Tell whether a constraint's window overlaps a span, or its instant lies in it; see `Repeating.occurrences`."""
    if one.window is not None:
        return one.window.overlaps(span)
    return one.at is not None and span.start < one.at <= span.end

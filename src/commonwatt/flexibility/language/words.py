"""The parts of a sentence between its words and its value, and what is wrong with words that cannot be meant."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from lark import Token

from commonwatt.flexibility.language.clock import minute_of, resolve
from commonwatt.flexibility.language.grammar import MONTHS, UNITS
from commonwatt.model import AT_AN_INSTANT, InvalidValue, Quantity, Reach

_YEARS_TO_A_LEAP_DAY = 9


class Wrong(InvalidValue):
    """A word that is in the language, and cannot be meant where it stands."""

    def __init__(self, token: Token, because: str, near: str | None = None) -> None:
        super().__init__(because)
        self.start, self.near = token.start_pos or 0, near


@dataclass(frozen=True, slots=True)
class Scope:
    """Whom or what a sentence is about."""

    reach: Reach
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """A number as it is written, and its unit where it has one."""

    number: Token
    unit: Token | None


@dataclass(frozen=True, slots=True)
class Day:
    """A day as it is written; without month it is today or tomorrow."""

    token: Token
    month: int = 0
    year: int | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """A clock time, which of two where it comes twice, and its day where one is written."""

    clock: Token
    nth: Token | None
    day: Day | None


@dataclass(frozen=True, slots=True)
class When:
    """An instant or a window; with days of the week it comes again, from a first to a last day."""

    start: Moment
    end: Moment | None
    weekdays: tuple[int, ...] = ()
    first: Day | None = None
    last: Day | None = None


@dataclass(frozen=True, slots=True)
class Ends:
    """Both bounds of a range."""

    least: Value
    most: Value


@dataclass(frozen=True, slots=True)
class Limit:
    """The first or last day of what repeats."""

    day: Day
    is_last: bool


def fits(quantity: Quantity, when: When) -> None:
    """Refuse an instant where a window is wanted, and a window where an instant is."""
    instant = quantity in AT_AN_INSTANT
    if instant != (when.end is None):
        wanted = "an instant: at 07:30" if instant else "a window: from 18:00 to 20:00"
        raise Wrong(when.start.clock, f"{quantity} takes {wanted}")


def whole(quantity: Quantity, value: Value, common: Token | None) -> int:
    """Return a value in what its quantity is counted in; where it has no unit the common one of both is meant."""
    unit = value.unit if value.unit is not None else common
    factors = UNITS[quantity]
    said = "" if unit is None else str(unit).removeprefix("°")
    if said not in factors:
        *others, last = (repr(name)[1:-1] or "no unit at all" for name in factors)
        known = f"{', '.join(others)} or {last}" if others else last
        found = f"not counted in {said}, but in" if said else "counted in"
        raise Wrong(value.number if unit is None else unit, f"{quantity} is {found} {known}")
    sign, digits = (-1, value.number[1:]) if value.number[0] == "-" else (1, value.number.lstrip("+"))
    whole, _, fraction = digits.partition(".")
    try:
        scaled = int(whole + fraction) * factors[said]
    except ValueError as error:
        raise Wrong(value.number, "nobody counts so far") from error
    counted, rest = divmod(scaled, int(10 ** len(fraction)))
    if rest:
        least = next(iter(factors))
        name = {"%": "per cent", "C": "thousandths of a degree", "": "thousandths"}.get(least, least)
        raise Wrong(value.number, f"{quantity} is counted in whole {name}, was {value.number} {said}".rstrip())
    return sign * counted


def instant(told: Moment, day: date, zone: ZoneInfo) -> datetime:
    """Return when a moment is on a day, UTC."""
    try:
        return resolve(told.clock, told.nth, day, zone)
    except InvalidValue as error:
        raise Wrong(told.nth if told.nth is not None else told.clock, str(error)) from error


def minute(clock: Token) -> int:
    """Return the minutes after midnight of a clock time that repeats."""
    try:
        return minute_of(clock)
    except InvalidValue as error:
        raise Wrong(clock, str(error)) from error


def dated(day: Day, not_before: date, today: date) -> date:
    """Return a day; without year the next one that is not before a date."""
    if not day.month:
        return today if day.token == "today" else after(day.token, today)  # noqa: S105
    years = range(not_before.year, not_before.year + _YEARS_TO_A_LEAP_DAY) if day.year is None else (day.year,)
    for year in years:
        try:
            found = date(year, day.month, int(day.token))
        except ValueError:
            continue
        if day.year is not None or found >= not_before:
            return found
    raise Wrong(day.token, f"{MONTHS[day.month - 1]} has no such day")


def after(token: Token, day: date) -> date:
    """Return the next day."""
    try:
        return day + timedelta(days=1)
    except OverflowError as error:
        raise Wrong(token, "the calendar ends here") from error

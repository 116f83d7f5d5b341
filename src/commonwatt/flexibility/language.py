"""Constraints in words: one line of text and one typed value, either made from the other without loss."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import cast
from zoneinfo import ZoneInfo

from lark import Lark, Token, Transformer, UnexpectedInput
from lark.exceptions import VisitError

from commonwatt.model import Constraint, Interval, InvalidValue, Priority, Quantity, Reach, Refused, Relation

GRAMMAR = r"""
start: QUANTITY "of" scope RELATION value when priority?
scope: "zone" NAME ("," NAME)* -> zones
     | NAME ("," NAME)*        -> assets
value: NUMBER UNIT
when: "at" CLOCK ("on" day)?                                -> at
    | "from" CLOCK "to" CLOCK ("on" day)?                   -> window
day: INT MONTH INT?
priority: "for" PRIORITY

QUANTITY: "charge" | "battery" | "energy" | "power"
RELATION: ">=" | "<="
UNIT: "%" | "kWh" | "Wh" | "kW" | "W"
PRIORITY: "safety" | "grid" | "dso" | "owner" | "contract" | "comfort"
MONTH: "January" | "February" | "March" | "April" | "May" | "June" | "July" | "August" | "September" | "October"
     | "November" | "December"
CLOCK: /([01][0-9]|2[0-3]):[0-5][0-9]/ | "24:00"
NAME: /[A-Za-z][A-Za-z0-9_-]*/
NUMBER: /[0-9]+(\.[0-9]+)?/
%import common.INT
%import common.WS_INLINE
%ignore WS_INLINE
"""
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
EXAMPLE = "charge of my-car >= 80% at 07:30 on 23 April"
_UNITS = {"%": (Quantity.CHARGE, 1), "W": (Quantity.POWER, 1), "kW": (Quantity.POWER, 1000)}
_PARSER = Lark(GRAMMAR, parser="lalr")


def parse(line: str, now: datetime, zone: ZoneInfo) -> Constraint:
    """Return the constraint that a line states.

    Args:
        line: For example ``charge of my-car >= 80% at 07:30 on 23 April``.
        now: Aware instant that dates without year and times without date refer to: the next such moment.
        zone: In which the line's clock runs.

    Raises:
        Refused: The line is not in the language; says at which word, and what could stand there.
    """
    try:
        tree = _PARSER.parse(line)
        return _Reader(now.astimezone(zone), zone).transform(tree)
    except UnexpectedInput as error:
        raise Refused(
            "not a constraint that can be read",
            line=repr(line),
            **_place(line, error),
            could_be=_expected(error),
            example=repr(EXAMPLE),
        ) from error
    except VisitError as error:
        raise Refused("not a constraint that can hold", line=repr(line), because=str(error.orig_exc)) from error


def text(constraint: Constraint, zone: ZoneInfo) -> str:
    """Return the line that parses back to the same value, the year written out."""
    scope = ("zone " if constraint.reach is Reach.ZONE else "") + ", ".join(constraint.scope)
    match constraint.quantity:
        case Quantity.CHARGE:
            value = f"{constraint.value}%"
        case Quantity.POWER:
            value = _shortest(constraint.value, "W")
        case _:
            value = _shortest(constraint.value, "Wh")
    head = f"{constraint.quantity} of {scope} {constraint.relation} {value}"
    if constraint.at is not None:
        moment = constraint.at.astimezone(zone)
        when = f"at {moment:%H:%M} on {_day(moment.date())}"
    else:
        assert constraint.window is not None
        start, end = constraint.window.start.astimezone(zone), constraint.window.end.astimezone(zone)
        # A window that runs to midnight ends at 24:00 of its own day; any other end before its start is tomorrow's.
        to_midnight = end.time() == datetime.min.time() and end.date() == start.date() + timedelta(days=1)
        when = f"from {start:%H:%M} to {'24:00' if to_midnight else f'{end:%H:%M}'} on {_day(start.date())}"
    tail = "" if constraint.priority is Priority.OWNER else f" for {constraint.priority.name.lower()}"
    return f"{head} {when}{tail}"


def _shortest(value: int, unit: str) -> str:
    return f"{value // 1000} k{unit}" if value and value % 1000 == 0 else f"{value} {unit}"


def _day(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def _place(line: str, error: UnexpectedInput) -> dict[str, object]:
    token, column = getattr(error, "token", None), getattr(error, "column", -1)
    # At the end of the line the parser still names the column of the last word that it read.
    if (token is not None and token.type == "$END") or not 0 < column <= len(line):
        return {"at_word": repr("the end of the line")}
    # What the grammar does not take for a blank may still be one to Python, such as U+0085.
    words = line[column - 1 :].split(maxsplit=1) or [line[column - 1]]
    return {"at_word": repr(words[0]), "column": column}


def _expected(error: UnexpectedInput) -> str:
    names = sorted(getattr(error, "expected", None) or getattr(error, "allowed", None) or [])
    words = {
        "QUANTITY": "charge, battery, energy or power", "NAME": "a name", "RELATION": ">= or <=", "NUMBER": "a number",
        "UNIT": "%, kWh, Wh, kW or W", "CLOCK": "a time like 07:30", "MONTH": "a month", "INT": "a day of the month",
        "PRIORITY": "safety, grid, dso, owner, contract or comfort", "$END": "the end",
    }  # fmt: skip
    return " or ".join(words.get(name, name.strip("_").lower()) for name in names) or "nothing more"


@dataclass
class _When:
    window: Interval | None = None
    at: datetime | None = None


class _Reader(Transformer[Token, Constraint]):
    """Turns the parsed words into the value; one method per rule of the grammar."""

    def __init__(self, now: datetime, zone: ZoneInfo) -> None:
        super().__init__()
        self._now, self._zone = now, zone

    def zones(self, names: list[Token]) -> tuple[bool, tuple[str, ...]]:
        return True, tuple(str(name) for name in names)

    def assets(self, names: list[Token]) -> tuple[bool, tuple[str, ...]]:
        return False, tuple(str(name) for name in names)

    def value(self, parts: list[Token]) -> tuple[str, str]:
        return str(parts[0]), str(parts[1])

    def day(self, parts: list[Token]) -> Callable[[], date]:
        month, number = MONTHS.index(parts[1]) + 1, int(parts[0])
        if len(parts) > 2:
            return lambda: date(int(parts[2]), month, number)
        today = self._now.date()
        in_year = today.year + ((month, number) < (today.month, today.day))
        return lambda: date(in_year, month, number)

    def at(self, parts: list[object]) -> _When:
        return _When(at=self._moment(str(parts[0]), self._date(parts[1:], str(parts[0]))))

    def window(self, parts: list[object]) -> _When:
        day = self._date(parts[2:], str(parts[1]))
        start, end = self._moment(str(parts[0]), day), self._moment(str(parts[1]), day)
        if end <= start:
            end = self._moment(str(parts[1]), day + timedelta(days=1))
        return _When(window=Interval(start, end))

    def priority(self, parts: list[Token]) -> Priority:
        return Priority[parts[0].upper()]

    def start(self, parts: list[object]) -> Constraint:
        quantity = Quantity(str(parts[0]))
        zones, scope = cast(tuple[bool, tuple[str, ...]], parts[1])
        number, unit = cast(tuple[str, str], parts[3])
        when = parts[4]
        assert isinstance(when, _When)
        priority = parts[5] if len(parts) > 5 else Priority.OWNER
        assert isinstance(priority, Priority)
        return Constraint(
            quantity=quantity,
            scope=scope,
            reach=Reach.ZONE if zones else Reach.ASSET,
            relation=Relation(str(parts[2])),
            value=_whole(quantity, number, unit),
            window=when.window,
            at=when.at,
            priority=priority,
        )

    def _date(self, days: list[object], clock: str) -> date:
        if days:
            written = days[0]
            assert callable(written)
            day = written()
            assert isinstance(day, date)
            return day
        today = self._now.date()
        return today if self._moment(clock, today) > self._now else today + timedelta(days=1)

    def _moment(self, clock: str, day: date) -> datetime:
        if clock == "24:00":
            day, clock = day + timedelta(days=1), "00:00"
        hour, minute = map(int, clock.split(":"))
        return datetime(day.year, day.month, day.day, hour, minute, tzinfo=self._zone).astimezone(UTC)


def _whole(quantity: Quantity, number: str, unit: str) -> int:
    fits, factor = _UNITS.get(unit, (None, 1000 if unit == "kWh" else 1))
    stored_or_moved = (Quantity.BATTERY, Quantity.ENERGY)
    if quantity is not fits and not (fits is None and quantity in stored_or_moved):
        raise InvalidValue(f"{quantity} is not counted in {unit}")
    whole, _, fraction = number.partition(".")
    scaled = int(whole + fraction) * factor
    value, rest = divmod(scaled, int(10 ** len(fraction)))
    if rest:
        raise InvalidValue(
            f"{quantity} is counted in whole {'per cent' if unit == '%' else unit.lstrip('k')}, was {number} {unit}"
        )
    return value

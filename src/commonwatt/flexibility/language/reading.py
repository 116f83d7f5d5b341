"""From a line to what it states: every word that cannot be meant is refused where it stands."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from difflib import get_close_matches
from typing import cast
from zoneinfo import ZoneInfo

from lark import Token, Transformer, UnexpectedInput
from lark.exceptions import VisitError

from commonwatt.flexibility.language.clock import shown_at
from commonwatt.flexibility.language.grammar import (
    GROUPS,
    MONTHS,
    UNTRUE,
    WEEKDAYS,
    is_note,
    parse_tree,
    pointed,
    refusal,
)
from commonwatt.flexibility.language.words import (
    Day,
    Ends,
    Limit,
    Moment,
    Scope,
    Value,
    When,
    Wrong,
    after,
    dated,
    fits,
    instant,
    minute,
    whole,
)
from commonwatt.model import (
    AT_AN_INSTANT,
    MINUTES_PER_DAY,
    Constraint,
    Interval,
    InvalidValue,
    Priority,
    Quantity,
    Reach,
    Refused,
    Relation,
    Repeating,
    moment,
    zone_of,
)

Statement = Constraint | Repeating
"""What one bound of a sentence is: about one time, or about one that comes again."""
Names = Mapping[Reach, Collection[str]]
"""The names that there are, for each reach whose names are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """What a line says.

    Args:
        statements: One, or two where it bounds a quantity from both sides.
        no_longer: That what was stated in these words holds no longer.
    """

    statements: tuple[Statement, ...]
    no_longer: bool = False


def read(line: str, now: datetime, zone: ZoneInfo, names: Names | None = None) -> Sentence:
    """Return what a line says.

    Args:
        line: For example ``charge of my-car >= 80% at 07:30 on 23 April``.
        now: Aware instant that dates without year and times without date refer to: the next such moment.
        zone: In which the line's clock runs.
        names: Names that there are; one that is not among them is refused. Where none are given any name will do.

    Raises:
        Refused: The line is not in the language; says at which word, and what could stand there.
    """
    return _read(line, "sentence", _Reader(now, zone, names or {}, None))


def parse(line: str, now: datetime, zone: ZoneInfo, names: Names | None = None) -> Statement:
    """Return the one statement of a line, see `read`.

    Raises:
        Refused: Likewise; or the line takes a statement back, or bounds a quantity from both sides.
    """
    said = read(line, now, zone, names)
    if said.no_longer:
        raise Refused("a statement is wanted here, not that one holds no longer", line=repr(line))
    if len(said.statements) > 1:
        raise Refused("one bound is wanted here, not two", line=repr(line))
    return said.statements[0]


def read_entry(line: str, now: datetime, during: Interval, zone: ZoneInfo, names: Names | None = None) -> Sentence:
    """Return what a line in a diary says, which may leave its time to the entry: a level then holds at its start.

    A note like ``Leave 07:30, car 80 %`` tells the levels that are wanted when somebody leaves.

    Raises:
        Refused: See `read`.
    """
    reader = _Reader(now, zone, names or {}, during)
    if is_note(line):
        return _read(line, "note", reader)
    try:
        return _read(line, "bare", reader)
    except Refused as error:
        if error.rule == UNTRUE:
            raise
        return _read(line, "sentence", reader)


def _read(line: str, start: str, reader: "_Reader") -> Sentence:
    try:
        said = reader.transform(parse_tree(line, start=start))
        assert isinstance(said, Sentence)
        return said
    except UnexpectedInput as error:
        raise pointed(line, error) from error
    except VisitError as error:
        wrong = error.orig_exc
        if isinstance(wrong, Wrong):
            raise refusal(line, wrong.start, near=wrong.near, because=str(wrong)) from error
        # Beyond the calendar's end, or a number of more digits than anybody counts.
        raise refusal(line, 0, because=str(wrong)) from error


class _Reader(Transformer[Token, object]):
    """Turns the parsed words into the value; one method per rule of the grammar."""

    def __init__(self, now: datetime, zone: ZoneInfo, names: Names, window: Interval | None) -> None:
        super().__init__()
        self._now, self._zone, self._names, self._window = now, zone, names, window

    def sentence(self, parts: list[object]) -> Sentence:
        no_longer = isinstance(parts[0], Token) and parts[0].type == "NO_LONGER"
        claim = parts[no_longer:]
        place = next((part for part in claim if isinstance(part, ZoneInfo)), None)
        zone = place or self._zone
        when = next(part for part in claim if isinstance(part, When))
        quantity = self._quantity(claim)
        fits(quantity, when)
        told = self._repeating(when, zone) if when.weekdays else self._once(when, zone)
        return Sentence(statements=self._statements(claim, told), no_longer=no_longer)

    def bare(self, parts: list[object]) -> Sentence:
        assert self._window is not None
        instant = self._quantity(parts) in AT_AN_INSTANT
        told: dict[str, object] = {"at": self._window.start} if instant else {"window": self._window}
        return Sentence(statements=self._statements(parts, told))

    def note(self, parts: list[object]) -> Sentence:
        assert self._window is not None
        at = self._window.start
        if isinstance(parts[0], Token):
            when = When(Moment(parts[0], None, None), None)
            at = cast(datetime, self._once(when, self._zone)["at"])
        levels = [part for part in parts if isinstance(part, Constraint)]
        return Sentence(statements=tuple(replace(level, at=at) for level in levels))

    def level(self, parts: list[Token]) -> Constraint:
        name, number, unit = parts
        assert self._window is not None
        quantity = Quantity.CHARGE if unit == "%" else Quantity.BATTERY
        try:
            return Constraint(
                quantity=quantity,
                scope=(self._named(Reach.ASSET, name),),
                relation=Relation.AT_LEAST,
                value=whole(quantity, Value(number, unit), unit),
                at=self._window.start,
            )
        except InvalidValue as error:
            raise error if isinstance(error, Wrong) else Wrong(number, str(error)) from error

    def scope(self, parts: list[Token]) -> Scope:
        reach, names = Reach.ASSET, parts
        if parts[0].type in ("REACH", "COMMUNITY"):
            reach, names = Reach(parts[0].value), parts[1:]
        return Scope(reach, tuple(self._named(reach, name) for name in names))

    def value(self, parts: list[Token]) -> Value:
        return Value(parts[0], parts[1] if len(parts) > 1 else None)

    def between(self, parts: list[Value]) -> Ends:
        return Ends(*parts)

    def times(self, parts: list[Moment]) -> When:
        return When(parts[0], parts[1] if len(parts) > 1 else None)

    def repeat(self, parts: list[object]) -> When:
        when = next(part for part in parts if isinstance(part, When))
        limits = {part.is_last: part.day for part in parts if isinstance(part, Limit)}
        days = next(part for part in parts if isinstance(part, tuple))
        return replace(when, weekdays=days, first=limits.get(False), last=limits.get(True))

    def moment(self, parts: list[object]) -> Moment:
        nth = next((part for part in parts[1:] if isinstance(part, Token)), None)
        day = next((part for part in parts if isinstance(part, Day)), None)
        return Moment(cast(Token, parts[0]), nth, day)

    def soon(self, parts: list[Token]) -> Day:
        return Day(parts[0])

    def calendar_day(self, parts: list[Token]) -> Day:
        return Day(parts[0], MONTHS.index(parts[1]) + 1, int(parts[2]) if len(parts) > 2 else None)

    def every(self, parts: list[Token]) -> tuple[int, ...]:
        if parts[0].type == "GROUP":
            return GROUPS[parts[0]]
        return tuple(sorted({WEEKDAYS.index(part) for part in parts}))

    def since(self, parts: list[Day]) -> Limit:
        return Limit(parts[0], is_last=False)

    def until(self, parts: list[Day]) -> Limit:
        return Limit(parts[0], is_last=True)

    def place(self, parts: list[Token]) -> ZoneInfo:
        try:
            return zone_of(parts[0])
        except InvalidValue as error:
            raise Wrong(parts[0], str(error)) from error

    def priority(self, parts: list[Token]) -> Priority:
        return Priority[parts[0].upper()]

    def _quantity(self, claim: list[object]) -> Quantity:
        return Quantity(" ".join(str(claim[0]).split()))

    def _statements(self, claim: list[object], told: dict[str, object]) -> tuple[Statement, ...]:
        """Return one statement per bound, each at the time that is told."""
        quantity, scope = self._quantity(claim), claim[1]
        assert isinstance(scope, Scope)
        priority = next((part for part in claim if isinstance(part, Priority)), Priority.OWNER)
        ends = claim[2]
        if isinstance(ends, Ends):
            bounds = [(Relation.AT_LEAST, ends.least), (Relation.AT_MOST, ends.most)]
        else:
            at_least = ends in (">=", "≥") or str(ends).endswith("least")
            bounds = [(Relation.AT_LEAST if at_least else Relation.AT_MOST, cast(Value, claim[3]))]
        unit = bounds[-1][1].unit
        kind = Repeating if "weekdays" in told else Constraint
        found = tuple(
            _made(
                bound.number,
                kind,
                quantity=quantity,
                reach=scope.reach,
                scope=scope.names,
                relation=relation,
                value=whole(quantity, bound, unit),
                priority=priority,
                **told,
            )
            for relation, bound in bounds
        )
        if found[0].value > found[-1].value:
            raise Wrong(bounds[1][1].number, "the upper bound of a range is not below the lower one")
        return found

    def _once(self, when: When, zone: ZoneInfo) -> dict[str, object]:
        start, end = when.start, when.end
        if end is None:
            day = self._first_day(start, start.day, zone)
            return {"at": instant(start, day, zone)}
        # The one date of a window is the day on which it begins, whichever time it stands behind.
        day = self._first_day(end, start.day or end.day, zone)
        begins = instant(start, day, zone)
        if start.day is not None and end.day is not None:
            ends = instant(end, dated(end.day, day, self._today(zone)), zone)
        else:
            ends = instant(end, day, zone)
            if ends <= begins:
                ends = instant(end, after(end.clock, day), zone)
        if ends <= begins:
            raise Wrong(end.clock, "a window ends after it starts")
        return {"window": Interval(begins, ends)}

    def _repeating(self, when: When, zone: ZoneInfo) -> dict[str, object]:
        for told in (when.start, when.end):
            if told is not None and (told.day is not None or told.nth is not None):
                token = told.nth or (told.day.token if told.day is not None else told.clock)
                raise Wrong(token, "what repeats has no date of its own; say from when and until when it does")
        last_clock = (when.end or when.start).clock
        first = self._first_day(when.end or when.start, when.first, zone)
        last = None if when.last is None else dated(when.last, first, self._today(zone))
        start, end = minute(when.start.clock), None
        if when.end is not None:
            end = minute(last_clock)
            end += MINUTES_PER_DAY if end <= start else 0
        if not zone.key:
            raise Wrong(last_clock, "what repeats does so in a time zone with a name")
        return {
            "start_minute": start,
            "end_minute": end,
            "weekdays": when.weekdays,
            "first": first,
            "last": last,
            "zone": zone.key,
        }

    def _named(self, reach: Reach, token: Token) -> str:
        name = token.value
        if token.type == "QUOTED":
            try:
                name = json.loads(name, strict=False)
            except ValueError as error:
                raise Wrong(token, f"a name in quotes is written as in JSON: {error}") from error
        known = self._names.get(reach)
        if known is not None and name not in known:
            near = get_close_matches(name, known, 1)
            raise Wrong(token, f"there is no such {reach}", near[0] if near else "nothing near")
        return str(name)

    def _today(self, zone: ZoneInfo) -> date:
        return self._now.astimezone(zone).date()

    def _first_day(self, told: Moment, day: Day | None, zone: ZoneInfo) -> date:
        """Return the day that is written or, where none is, the first one on which a time is still to come."""
        today = self._today(zone)
        if day is not None:
            return dated(day, today, today)
        return today if moment(shown_at(told.clock, today), zone) > self._now else after(told.clock, today)


def _made(token: Token, kind: type[Constraint] | type[Repeating], **fields: object) -> Statement:
    try:
        return kind(**fields)  # type: ignore[arg-type]
    except InvalidValue as error:
        raise Wrong(token, str(error)) from error

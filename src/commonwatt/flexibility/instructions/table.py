"""Schedules as a table for people, as in a diary: ``23 April, 10:05 START CHARGE 7.4 kW`` (row X2)."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from fractions import Fraction
from zoneinfo import ZoneInfo

from commonwatt.flexibility.instructions.compiling import FULL_W, LEAST_W, check_entry, expected_wh, in_order
from commonwatt.flexibility.language.clock import resolve, written
from commonwatt.flexibility.language.grammar import MONTHS
from commonwatt.model import AssetId, Instruction, Interval, InvalidValue, Refused, Schedule, Verb

LASTS = timedelta(days=1)
"""For how long the last entry of an asset holds, where it does not say."""
STOP = "STOP"
_VERBS = (*(verb.value for verb in Verb), STOP)
_UNITS = {"W": 1, "kW": 1000, "MW": 1_000_000}
_YEARS_TO_A_LEAP_DAY = 9
_PLAIN_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_WORD = {
    "name": re.compile(rf"({_PLAIN_NAME}|{_QUOTED})[ ]*:(?!\S)"),
    "day": re.compile(r"([0-9]{1,2})[ ]*(?:st|nd|rd|th)?(?![A-Za-z0-9:.])"),
    "month": re.compile(r"[A-Za-z]+"),
    "year": re.compile(r"[0-9]{4}(?![0-9:])"),
    "comma": re.compile(r","),
    "clock": re.compile(r"(?:(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?)(?![0-9:])"),
    "nth": re.compile(r"\((?:first|second)\)"),
    "verb": re.compile(r"[A-Za-z]+(?:[ ]+(?:CHARGE|SUPPLY|RATE)\b)?", re.IGNORECASE),
    "to": re.compile(r"to\b"),
    "number": re.compile(r"([+-]?)([0-9]{1,10}(?:\.[0-9]{1,9})?)(?![0-9.:])"),
    "unit": re.compile(r"[kM]?W\b"),
    "holding": re.compile(r"holding\b"),
    "until": re.compile(r"until\b"),
    "because": re.compile(r"because\b"),
}


@dataclass(frozen=True, slots=True)
class _Said:
    """One entry as it is written, before it is known what ran until then and when the next one begins."""

    start: datetime
    verb: str
    target_w: int | None
    signed: bool
    until: datetime | None
    balance_w: int | None
    reason: str
    line: "_Line"
    at: int


def parse(text: str, now: datetime, zone: ZoneInfo) -> list[Schedule]:
    """Return the schedules that a table holds, one per asset, in the order in which their assets are named.

    Each line holds entries of one asset, which is named at its start or at that of a line before (``car-01:``), or in a
    cell behind a tab; a name of several words there gets hyphens. Without date an entry is of the day of the one
    before, or of the day after where the clock has gone round. A bare STOP stops whatever runs; a word without
    target means as much as the asset can, and REDUCE RATE as little as it can. An entry holds until the next one
    begins, the last one for a day, unless it says ``until``. Blank lines, lines that begin with ``#`` and the heading
    of the table are passed over.

    Args:
        text: The table.
        now: Aware instant that dates without year refer to: none is of a day before; when the schedules are issued.
            After ``until`` a date is none of a day before its entry.
        zone: In which the table's clock runs.

    Raises:
        Refused: Something in it cannot be read or cannot be meant; points at the word.
    """
    told: dict[AssetId, list[_Said]] = {}
    named: AssetId | None = None
    for number, row in enumerate(text.splitlines(), start=1):
        if not row.strip() or row.lstrip().startswith("#") or row.split() == ["Schedules", "Assets"]:
            continue
        line = _Line(row, number)
        cell, heads = line.cell(), line.name()
        if heads is not None and cell is not None:
            raise line.refusal(0, because="it names an asset at its start and another one behind the tab")
        named = named if heads is None else heads
        if heads is not None and line.at_end():
            continue
        asset = named if cell is None else cell
        if asset is None:
            raise line.refusal(0, because="it names no asset, at its start like car-01: or behind a tab")
        entries = told.setdefault(asset, [])
        _read_entries(line, entries, now, zone)
    issued = now.astimezone(UTC)
    return [Schedule(asset=asset, issued=issued, instructions=_compiled(said)) for asset, said in told.items()]


def text(schedule: Schedule, zone: ZoneInfo) -> str:
    """Return a schedule as a table that `parse` reads back, the year written out.

    What the plan expects of an entry is not in it, and is its target over its time when read back.

    Args:
        schedule: On whole seconds.
        zone: In which the table's clock runs.

    Raises:
        InvalidValue: It is not on whole seconds, or no schedule that anyone could carry out.
    """
    rows, before_w, entries = [f"{_name(schedule.asset)}:"], 0, in_order(schedule)
    for place, entry in enumerate(entries):
        check_entry(entry)
        follows = entries[place + 1].interval.start if place + 1 < len(entries) else None
        runs_w = before_w if place and entries[place - 1].interval.end == entry.interval.start else 0
        words = [_moment(entry.interval.start, zone), entry.verb.value, *_target(entry, runs_w)]
        if entry.balance_w is not None:
            words.append(f"holding {entry.balance_w} W")
        if entry.interval.end != _ends(entry.interval.start, follows):
            words.append(f"until {_moment(entry.interval.end, zone)}")
        if entry.reason:
            words.append(f"because {_reason(entry.reason)}")
        rows.append(" ".join(words))
        before_w = entry.power_w
    return "\n".join(rows) + "\n"


class _Line:
    """One line of a table and how far it was read; every refusal points at a word of it."""

    def __init__(self, row: str, number: int) -> None:
        self._row, self._number, self._at = row, number, 0
        self._end = len(row)

    def cell(self) -> AssetId | None:
        """Take the name behind a tab, if there is one, off the line's end."""
        said, tab, cell = self._row.partition("\t")
        if not tab:
            return None
        self._end = len(said)
        words = cell.split()
        if not words:
            raise self.refusal(len(said) + 1, could_be="the name of an asset")
        return AssetId("-".join(words))

    def name(self) -> AssetId | None:
        """Take the name at the line's start, if there is one."""
        found = self.take("name")
        if found is None:
            return None
        return AssetId(_unquoted(found[1]) if found[1].startswith('"') else found[1])

    def at_end(self) -> bool:
        """Tell whether all was read."""
        return self.here() == self._end

    def here(self) -> int:
        """Return where the next word starts, or the line's end."""
        while self._at < self._end and self._row[self._at].isspace():
            self._at += 1
        return self._at

    def take(self, kind: str) -> re.Match[str] | None:
        """Take the next word if it is of a kind."""
        found = _WORD[kind].match(self._row, self.here(), self._end)
        if found is not None:
            self._at = found.end()
        return found

    def back_to(self, at: int) -> None:
        """Read on from an earlier place."""
        self._at = at

    def rest(self) -> str:
        """Take all that is left."""
        found = self._row[self.here() : self._end].rstrip()
        self._at = self._end
        return found

    def refusal(self, at: int, *, could_be: str = "", because: str = "", known: Sequence[str] = ()) -> Refused:
        """Return a refusal that points at the word which starts at an index, or at the line's end."""
        place: dict[str, object] = {"at_word": repr("the end of the line")}
        words = self._row[at : self._end].split(maxsplit=1)
        if words:
            place = {"at_word": repr(words[0]), "column": at + self._row[at:].index(words[0]) + 1}
        hint: dict[str, object] = {"because": because} if because else {"could_be": could_be}
        by_lower = {word.lower(): word for word in known}
        tried = [" ".join(self._row[at : self._end].split()[:count]).lower() for count in (2, 1)]
        near = [match for one in tried for match in get_close_matches(one, by_lower, 1)]
        if near:
            hint["did_you_mean"] = by_lower[near[0]]
        rule = "not a table entry that can hold" if because else "not a table entry that can be read"
        return Refused(rule, line=self._number, **place, **hint)


def _read_entries(line: _Line, entries: list[_Said], now: datetime, zone: ZoneInfo) -> None:
    while True:
        at = line.here()
        start = _read_moment(line, now, zone, entries[-1].start if entries else None)
        entries.append(_read_rest(line, at, start, zone))
        if line.at_end():
            return


def _read_rest(line: _Line, at: int, start: datetime, zone: ZoneInfo) -> _Said:
    verb_at = line.here()
    found = line.take("verb")
    verb = " ".join(found[0].upper().split()) if found else ""
    if verb not in _VERBS:
        raise line.refusal(verb_at, could_be=f"{', '.join(_VERBS[:-1])} or {_VERBS[-1]}", known=_VERBS)
    target = _read_target(line, verb)
    balance_w = _watts(line)[0] if line.take("holding") else None
    until = None
    if line.take("until"):
        until_at = line.here()
        until = _read_moment(line, start, zone, start)
        if until <= start:
            raise line.refusal(until_at, because="an entry ends after it begins")
    reason = ""
    if line.take("because"):
        reason = line.rest()
        reason = _unquoted(reason) if re.fullmatch(_QUOTED, reason) else reason
    target_w, signed = target or (None, False)
    return _Said(start, verb, target_w, signed, until, balance_w, reason, line, at)


def _read_target(line: _Line, verb: str) -> tuple[int, bool] | None:
    at = line.here()
    led = line.take("to")
    number_at = line.here()
    number = line.take("number")
    unit = number and line.take("unit")
    if number is None or unit is None:
        if led or (number and (number[1] or "." in number[0])):
            raise line.refusal(line.here() if number else number_at, could_be="W, kW or MW" if number else "a number")
        # A number without unit is the day of the next entry.
        line.back_to(at)
        return None
    if verb.startswith(STOP):
        raise line.refusal(at, because=f"{verb} has no target")
    line.back_to(number_at)
    watts, signed = _watts(line)
    if watts == 0 or abs(watts) > FULL_W:
        raise line.refusal(number_at, because="a target is above zero and at most a gigawatt: STOP stops")
    if signed and not verb.endswith("RATE"):
        raise line.refusal(number_at, because=f"{verb} says the direction itself")
    return watts, signed


def _watts(line: _Line) -> tuple[int, bool]:
    """Read a power in whole watts, and whether its sign is written."""
    at = line.here()
    number = line.take("number")
    if number is None:
        raise line.refusal(at, could_be="a number")
    unit_at = line.here()
    unit = line.take("unit")
    if unit is None:
        raise line.refusal(unit_at, could_be="W, kW or MW", known=list(_UNITS))
    watts = Fraction(number[2]) * _UNITS[unit[0]]
    if watts.denominator != 1:
        raise line.refusal(at, because="power is counted in whole W")
    return (-int(watts) if number[1] == "-" else int(watts)), bool(number[1])


def _read_moment(line: _Line, since: datetime, zone: ZoneInfo, before: datetime | None) -> datetime:
    day_at = line.here()
    day = _read_day(line, since.astimezone(zone).date())
    clock_at = line.here()
    clock = line.take("clock")
    if clock is None:
        days = "" if day else "a day like 23 April, or " * (day_at == clock_at)
        raise line.refusal(clock_at, could_be=f"{days}a time like 07:30")
    nth = line.take("nth")
    if day is None and before is None:
        raise line.refusal(day_at, could_be="a day like 23 April")
    try:
        if day is not None:
            return resolve(clock[0], nth and nth[0], day, zone)
        assert before is not None
        today = before.astimezone(zone).date()
        shown = resolve(clock[0], nth and nth[0], today, zone)
        return shown if shown > before else resolve(clock[0], nth and nth[0], today + timedelta(days=1), zone)
    except (InvalidValue, OverflowError) as error:
        raise line.refusal(clock_at, because=str(error)) from error


def _read_day(line: _Line, today: date) -> date | None:
    at = line.here()
    number = line.take("day")
    if number is None:
        return None
    month_at = line.here()
    word = line.take("month")
    name = word[0].title() if word else ""
    months = [place for place, month in enumerate(MONTHS, start=1) if name in (month, month[:3])]
    if not months:
        raise line.refusal(month_at, could_be="a month", known=MONTHS)
    line.take("comma")
    year = line.take("year")
    line.take("comma")
    for tried in (int(year[0]),) if year else range(today.year, today.year + _YEARS_TO_A_LEAP_DAY):
        try:
            found = date(tried, months[0], int(number[1]))
        except ValueError:
            continue
        if year or found >= today:
            return found
    raise line.refusal(at, because=f"{MONTHS[months[0] - 1]} has no such day")


def _compiled(said: Iterable[_Said]) -> tuple[Instruction, ...]:
    """Give each entry its end, its direction and its target."""
    ordered = sorted(said, key=lambda one: one.start)
    told: list[Instruction] = []
    for place, one in enumerate(ordered):
        follows = ordered[place + 1].start if place + 1 < len(ordered) else None
        if follows == one.start:
            raise ordered[place + 1].line.refusal(ordered[place + 1].at, because="another entry begins at this time")
        if one.until is not None and follows is not None and one.until > follows:
            raise one.line.refusal(one.at, because="the next entry begins before this one is over")
        try:
            lasts = Interval(one.start, one.until or _ends(one.start, follows))
        except OverflowError as error:
            raise one.line.refusal(one.at, because="the calendar ends here") from error
        runs_w = told[-1].power_w if told and told[-1].interval.end == one.start else 0
        told.append(_entry(one, lasts, runs_w))
    return tuple(told)


def _entry(said: _Said, lasts: Interval, runs_w: int) -> Instruction:
    verb = Verb(said.verb) if said.verb != STOP else (Verb.STOP_SUPPLY if runs_w < 0 else Verb.STOP_CHARGE)
    nominal_w = LEAST_W if verb is Verb.REDUCE_RATE else FULL_W
    power_w = 0
    if not verb.value.startswith(STOP):
        power_w = nominal_w if said.target_w is None else said.target_w
        if not said.signed and (verb is Verb.SUPPLY or (verb is not Verb.START_CHARGE and runs_w < 0)):
            power_w = -power_w
    counted_w = 0 if abs(power_w) in (FULL_W, LEAST_W) else power_w
    return Instruction(
        verb=verb,
        interval=lasts,
        power_w=power_w,
        expected_wh=expected_wh(counted_w, lasts.end - lasts.start),
        reason=said.reason,
        balance_w=said.balance_w,
    )


def _ends(start: datetime, follows: datetime | None) -> datetime:
    return follows or start + LASTS


def _target(entry: Instruction, runs_w: int) -> list[str]:
    """Return the words of an entry's target, none where its word alone says it."""
    nominal_w = LEAST_W if entry.verb is Verb.REDUCE_RATE else FULL_W
    if entry.power_w == 0:
        return []
    rated = entry.verb in (Verb.REDUCE_RATE, Verb.INCREASE_RATE)
    implied = not rated or (entry.power_w < 0) == (runs_w < 0)
    if implied and abs(entry.power_w) == nominal_w:
        return []
    sign = "" if implied else "-" if entry.power_w < 0 else "+"
    unit, factor = next((unit, one) for unit, one in reversed(_UNITS.items()) if abs(entry.power_w) >= one)
    whole, part = divmod(abs(entry.power_w), factor)
    digits = f"{part:0{len(str(factor)) - 1}}".rstrip("0") if part else ""
    return [*(["to"] if rated else []), f"{sign}{whole}{'.' if digits else ''}{digits}", unit]


def _moment(at: datetime, zone: ZoneInfo) -> str:
    clock, nth, day = written(at, zone)
    return f"{day.day} {MONTHS[day.month - 1]} {day.year:04}, {clock}{f' {nth}' if nth else ''}"


def _name(asset: AssetId) -> str:
    return asset if re.fullmatch(_PLAIN_NAME, asset) else json.dumps(asset)


def _reason(reason: str) -> str:
    plain = reason.isprintable() and reason == reason.strip() and not reason.startswith('"')
    return reason if plain else json.dumps(reason)


def _unquoted(quoted: str) -> str:
    try:
        value = json.loads(quoted)
    except ValueError:
        return quoted
    assert isinstance(value, str)
    return value

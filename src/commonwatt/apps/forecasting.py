"""What the prediction machine can show: how good its forecasts would have been, and how good a run's were."""

import csv
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from commonwatt.apps import priced
from commonwatt.apps.community import Community
from commonwatt.apps.faults import known, named
from commonwatt.apps.foresight import Book, as_issued, look, scored_since_s
from commonwatt.apps.gathering import drained, gather
from commonwatt.apps.views.cars_ahead import CarAhead, of_car
from commonwatt.apps.views.foresight import Card, Futures, cards_of, futures_of, lost_micro
from commonwatt.apps.wiring import MASTER_KEY, open_issued, open_past
from commonwatt.flows.issued import CARBON, EXPORT, LOCAL, OF_NO_HOME, PRICE, Issued
from commonwatt.flows.summary import Score
from commonwatt.forecasting.days import holidays_in, kinds
from commonwatt.forecasting.load import MOST_LEAD, Panel
from commonwatt.forecasting.sun import Place, darkness
from commonwatt.forecasting.trial import Trial, trial
from commonwatt.model import LEVELS_PERMILLE, SLOTS_PER_DAY, AssetKind, InvalidValue, Refused, epoch, read_day, zone_of

T = TypeVar("T")
NOT_LOAD = "solar"
"""Columns whose names begin so are generation, which needs to know where the roof is."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One series as it was issued.

    Args:
        issued_s: When.
        of: What it is.
        series: Whose.
        model: By what; a baseline where that took a model's place.
        levels_permille: Of the quantiles.
        slots_s: When each slot begins.
        quantiles: Level by level, Wh or micro per kWh.
        expected: What the first day comes to by the medians: Wh, or the mean price.
        low: Likewise by the lowest level.
        high: By the highest.
    """

    issued_s: int
    of: str
    series: str
    model: str
    levels_permille: tuple[int, ...]
    slots_s: list[int]
    quantiles: list[list[int]]
    expected: int
    low: int
    high: int


class _Scores(msgspec.Struct):
    scores: list[Score]


def score_recorded(file: Path, timezone: str, place: Place, first: int) -> list[Trial]:
    """Score next-day forecasts of a recording's load.

    Args:
        file: CSV; the first column is the local start of each slot without an offset, all others are Wh a slot, empty
            where nobody measured. Slots are of equal length, days whole.
        timezone: Of the recording, as IANA names it.
        place: Where it was recorded, for the hours of darkness, and whose holidays people kept there.
        first: The first day that is scored.

    Raises:
        InvalidValue: The file is none such, or too short; the message names the line.
    """
    panel, names = _panel(file, zone_of(timezone), place)
    return trial(panel, names, first)


def score_run(folder: Path) -> list[Score]:
    """Return how far off the forecasts were that a run planned with, member by member.

    Raises:
        Refused: The folder has no summary of a run, or none that can be read.
    """
    try:
        return msgspec.json.decode((folder / "summary.json").read_bytes(), type=_Scores).scores
    except FileNotFoundError as error:
        raise Refused("no summary of a run", folder=folder.name) from error
    except msgspec.DecodeError as error:
        raise Refused("the summary cannot be read", folder=folder.name, found=str(error)) from error


def book_of(folder: Path) -> Book:
    """Return what is foreseen of a community's folder as its log stands, and what ails its devices.

    Raises:
        Refused: There is no log, or no key to it.
        Corrupt: The log or what was brought along is damaged.
    """
    return _looked(folder, lambda _, book: book)


def cars_of(folder: Path) -> list[CarAhead]:
    """Return what comes next of each car of a community's folder, as of the end of its log. Raises as `book_of`."""

    def cars(community: Community, book: Book) -> list[CarAhead]:
        every = sorted(community.state.assets.values(), key=lambda one: one.id)
        return [of_car(community, one, book) for one in every if one.kind is AssetKind.VEHICLE]

    return _looked(folder, cars)


def scenarios_of(folder: Path, count: int) -> Futures:
    """Return so many futures of a community's folder and its zones together. Raises as `book_of`."""
    book = book_of(folder)
    sums = [] if book.community is None else [book.community.series]
    return futures_of(book, [*sums, *(book.zones if len(book.zones) > 1 else ())], count)


def _looked(folder: Path, see: Callable[[Community, Book], T]) -> T:
    community = Community(folder, lambda: 0, lambda: None)
    try:
        community.catch_up()
        outdoor = None if community.outside is None else community.outside.outdoor_mc
        told = gather(community.state, community.chronicle, open_past(folder), community.told_s, outdoor)
        if community.outside is not None:
            told = replace(told, carbon=drained(priced.carbon_days(community.outside, told)))
        before = known(folder, community.answered.of)
        book = look(told, before)
        book = replace(book, alarms=named(book.alarms, before, book.issued_s)[0])
        return see(
            community, as_issued(book, open_issued(folder).between(scored_since_s(book), whole_from_s=book.issued_s))
        )
    finally:
        community.close()


def issued_in(folder: Path, day: str = "") -> list[Told]:
    """Return what a community issued, in order.

    Args:
        folder: The community's.
        day: UTC, as YYYY-MM-DD; everything where it is empty.

    Raises:
        InvalidValue: The day is none.
        Corrupt: What is kept is damaged, or another master key's.
        Refused: The folder is no community's.
    """
    asked = read_day(day) if day else None
    if not (folder / MASTER_KEY).exists():
        raise Refused("no key to what a community keeps", folder=folder.name)
    if asked is None:
        return [_told(one) for one in open_issued(folder).between(0)]
    start = datetime.combine(asked, time(), UTC)
    return [_told(one) for one in open_issued(folder).between(epoch(start), epoch(start + timedelta(days=1)))]


def _told(one: Issued) -> Told:
    first = one.quantiles[:, :SLOTS_PER_DAY]
    whole = first.mean(1) if one.of in OF_NO_HOME else first.sum(1)
    low, expected, high = (round(float(whole[at])) for at in (0, LEVELS_PERMILLE.index(500), -1))
    return Told(
        issued_s=one.issued_s,
        of=one.of,
        series=one.series,
        model=one.model,
        levels_permille=LEVELS_PERMILLE,
        slots_s=one.slots_s.tolist(),
        quantiles=one.quantiles.tolist(),
        expected=expected,
        low=low,
        high=high,
    )


def cards(book: Book) -> list[Card]:
    """Return every score card of a book, those of homes with what the last finished day's plan lost to its forecast."""
    prices = ((PRICE, book.price), (EXPORT, book.export), (LOCAL, book.local), (CARBON, book.carbon))
    sums = [("net", book.community), ("solar", book.sun), *(("net", one) for one in book.zones.values())]
    found = [card for of, told in (*sums, *prices) if told is not None for card in cards_of(of, told)]
    if book.community is not None:
        found[0] = replace(found[0], decision_micro=lost_micro(book))
    for account, told in book.loads.items():
        card, *leads = cards_of("load", told)
        found += [replace(card, decision_micro=book.decisions.get(account)), *leads]
    found += [card for told in book.roofs.values() for card in cards_of("solar", told)]
    return [*found, *(card for pumps in book.heat.values() for told in pumps for card in cards_of("heat", told))]


def _panel(file: Path, clock: ZoneInfo, place: Place) -> tuple[Panel, list[str]]:
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            heading, *rows = csv.reader(lines)
    except (ValueError, csv.Error) as error:
        raise InvalidValue(f"a recording is a CSV file with a heading, {file.name} is not: {error}") from error
    columns = [at for at, name in enumerate(heading) if at and not name.startswith(NOT_LOAD)]
    if not columns or len(rows) < 2:
        raise InvalidValue(f"a recording has a column of load and two rows or more, was {len(rows)} of {heading[:5]}")
    times, values = [], []
    for line, row in enumerate(rows, 2):
        try:
            times.append(datetime.fromisoformat(row[0]).replace(tzinfo=None))
            values.append([float(row[at] or "nan") for at in columns])
        except (ValueError, IndexError) as error:
            raise InvalidValue(f"line {line} of {file.name} is no time with {len(columns)} numbers: {error}") from error
    slots = _slots(times, file.name)
    wh = np.array(values, np.float32)
    if np.isinf(wh).any() or (wh < 0).any():
        raise InvalidValue(f"load is zero or more and finite, {file.name} has other")
    panel_wh = wh.T.reshape(len(columns), -1, slots)
    days = [times[0].date() + timedelta(day) for day in range(panel_wh.shape[1] + MOST_LEAD)]
    dark = darkness(days, slots, place.latitude, place.longitude, clock)
    return Panel(panel_wh, kinds(days, holidays_in(place.region, days)), dark), [heading[at] for at in columns]


def _slots(times: list[datetime], name: str) -> int:
    """Return how many slots a day has, having seen that they are all there."""
    step = times[1] - times[0]
    slots = round(timedelta(days=1) / step) if step > timedelta() else 0
    whole = slots >= 24 and step * slots == timedelta(days=1) and len(times) % slots == 0
    if not whole or times[0].time() != datetime.min.time():
        raise InvalidValue(
            f"a recording has whole days from midnight in equal slots of an hour at most, {name} has not"
        )
    for line, moment in enumerate(times, 2):
        if moment != times[0] + step * (line - 2):
            raise InvalidValue(f"line {line} of {name} should be {times[0] + step * (line - 2)}, was {moment}")
    return slots

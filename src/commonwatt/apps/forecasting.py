"""What the prediction machine can show: how good its forecasts would have been, and how good a run's were."""

import csv
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from commonwatt.apps.community import Community
from commonwatt.apps.foresight import Book, look
from commonwatt.apps.gathering import gather
from commonwatt.apps.views.foresight import Card, card_of
from commonwatt.apps.wiring import open_past
from commonwatt.flows.summary import Score
from commonwatt.forecasting.days import kinds
from commonwatt.forecasting.load import MOST_LEAD, Panel
from commonwatt.forecasting.sun import Place, darkness
from commonwatt.forecasting.trial import Trial, trial
from commonwatt.model import InvalidValue, Refused, zone_of

NOT_LOAD = "solar"
"""Columns whose names begin so are generation, which needs to know where the roof is."""


class _Scores(msgspec.Struct):
    scores: list[Score]


def score_recorded(file: Path, timezone: str, latitude: float, longitude: float, first: int) -> list[Trial]:
    """Score next-day forecasts of a recording's load.

    Args:
        file: CSV; the first column is the local start of each slot without an offset, all others are Wh a slot, empty
            where nobody measured. Slots are of equal length, days whole.
        timezone: Of the recording, as IANA names it.
        latitude: Degrees north, for the hours of darkness.
        longitude: Degrees east.
        first: The first day that is scored.

    Raises:
        InvalidValue: The file is none such, or too short; the message names the line.
    """
    panel, names = _panel(file, zone_of(timezone), latitude, longitude)
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
    community = Community(folder, lambda: 0, lambda: None)
    try:
        community.catch_up()
        return look(gather(community.state, community.chronicle, open_past(folder), community.told_s))
    finally:
        community.close()


def cards(book: Book) -> list[Card]:
    """Return every score card of a book, those of homes with what the last finished day's plan lost to its forecast."""
    sums = [("net", book.community), ("solar", book.sun), *(("net", one) for one in book.zones.values())]
    found = [card_of(of, told) for of, told in (*sums, ("price", book.price)) if told is not None]
    for account, told in book.loads.items():
        found.append(replace(card_of("load", told), decision_micro=book.decisions.get(account)))
    return [*found, *(card_of("solar", told) for told in book.roofs.values())]


def _panel(file: Path, clock: ZoneInfo, latitude: float, longitude: float) -> tuple[Panel, list[str]]:
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
    return Panel(panel_wh, kinds(days), _dark(days, slots, latitude, longitude, clock)), [heading[at] for at in columns]


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


def _dark(days: list[date], slots: int, latitude: float, longitude: float, clock: ZoneInfo) -> np.ndarray:
    place = Place(latitude, longitude)
    return darkness(days, slots, place.latitude, place.longitude, clock)

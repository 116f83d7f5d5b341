"""The recorded series that a street replays, on the street's own clock in 15-minute slots."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from commonwatt.model import (
    SLOT_SECONDS,
    SLOTS_PER_HOUR,
    InvalidValue,
    epoch,
    instant,
    share_wh,
)
from commonwatt.simulator.street import MICRO_PER_PENNY, Street

STORED_MARGIN_PERMILLE = 980
"""A session asks for at most this part of what its plug could give, so that rounding never makes it impossible."""

SESSIONS = "sessions_2019_november.csv"


@dataclass(frozen=True, slots=True)
class Series:
    """Whole values per slot from a start on.

    Args:
        start_s: Start of the first slot, seconds since 1970.
        values: One value per slot.
    """

    start_s: int
    values: tuple[int, ...]

    def between(self, start_s: int, end_s: int) -> tuple[int, ...]:
        """Return the values of the slots from start to end.

        Raises:
            InvalidValue: The series does not cover them.
        """
        first, last = (start_s - self.start_s) // SLOT_SECONDS, (end_s - self.start_s) // SLOT_SECONDS
        if first < 0 or last > len(self.values):
            raise InvalidValue(
                f"the recorded data does not cover {instant(start_s):%Y-%m-%d} to {instant(end_s):%Y-%m-%d}"
            )
        return self.values[first:last]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One stay of a car at its plug, cut to whole slots of the replayed day.

    ``need_wh`` is the energy that the recorded session drew at the AC meter, at most what the plug can give.
    """

    home: int
    start_s: int
    end_s: int
    need_wh: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Everything recorded: per home load and solar in Wh, prices in micro per kWh, and the day's sessions.

    ``sessions_before`` are those of the days before, from which cars' habits can be learnt.
    """

    load_wh: tuple[Series, ...]
    solar_wh: tuple[Series, ...]
    import_price: Series
    export_price: Series
    sessions: tuple[Session, ...]
    sessions_before: tuple[Session, ...] = ()


def load(folder: Path, street: Street) -> Recorded:
    """Read the slices in a folder and align them to the street's day (rules: ``SOURCES.md`` in that folder)."""
    load_wh, solar_wh = _homes(folder / "homes_2016_hourly_wh.csv", street)
    import_price, export_price = _prices(folder / "prices_2018_halfhourly_pence.csv")
    return Recorded(
        load_wh=load_wh,
        solar_wh=solar_wh,
        import_price=import_price,
        export_price=export_price,
        sessions=tuple(_sessions(folder / SESSIONS, street)),
        sessions_before=tuple(_sessions_before(folder / SESSIONS, street)),
    )


def load_days(folder: Path, street: Street) -> Recorded:
    """Read the slices for all of a street's days, each day's sessions cut as `load` cuts those of a day alone."""
    sessions = (_sessions(folder / SESSIONS, one) for one in street.each_day())
    return replace(load(folder, street), sessions=tuple(session for day in sessions for session in day))


def last_day(folder: Path, street: Street) -> date:
    """Return the last day that is covered, by the street's calendar: when the last recorded car came."""
    came = max(_street_clock(row["plugin_local"], street) for row in _rows(folder / SESSIONS))
    return instant(came).date()


def _homes(path: Path, street: Street) -> tuple[tuple[Series, ...], tuple[Series, ...]]:
    rows = _rows(path)
    start_s = _street_clock(rows[0]["hour_start_local"], street)

    def quarters(column: str) -> Series:
        hours = (share_wh(int(row[column]), [1] * SLOTS_PER_HOUR) for row in rows)
        return Series(start_s, tuple(quarter for hour in hours for quarter in hour))

    numbers = range(1, len(street.home) + 1)
    load_wh = tuple(quarters(f"load_{number:02d}_wh") for number in numbers)
    solar_wh = tuple(quarters(f"solar_{number:02d}_wh") for number in numbers)
    return load_wh, solar_wh


def _prices(path: Path) -> tuple[Series, Series]:
    rows = _rows(path)
    start_s = epoch(datetime.fromisoformat(rows[0]["start_utc"]))
    both = []
    for column in ("import_pence_per_kwh", "export_pence_per_kwh"):
        halves = (int(Decimal(row[column]) * MICRO_PER_PENNY) for row in rows)
        both.append(Series(start_s, tuple(price for half in halves for price in (half, half))))
    return both[0], both[1]


def _sessions(path: Path, street: Street) -> Iterator[Session]:
    home_of = {spec.car: number for number, spec in enumerate(street.home, 1) if spec.car is not None}
    first_s, last_s = epoch(street.span.start), epoch(street.span.end)
    away_from: dict[int, int] = {}
    for row in _rows(path):
        plugged_s, left_s = _street_clock(row["plugin_local"], street), _street_clock(row["plugout_local"], street)
        start_s = -(-plugged_s // SLOT_SECONDS) * SLOT_SECONDS
        end_s = min(left_s // SLOT_SECONDS * SLOT_SECONDS, last_s)
        home = home_of.get(int(row["car"]))
        if home is None:
            continue
        # A car is seen to be plugged in by the reading of the slot before its first, so between two stays lies a slot.
        start_s = max(start_s, away_from.get(home, first_s) + SLOT_SECONDS)
        if plugged_s < first_s or start_s >= end_s:
            continue
        away_from[home] = end_s
        most_wh = street.car.power_w * (end_s - start_s) // 3600 * STORED_MARGIN_PERMILLE // 1000
        yield Session(home=home, start_s=start_s, end_s=end_s, need_wh=min(int(row["energy_wh"]), most_wh))


def _sessions_before(path: Path, street: Street) -> Iterator[Session]:
    first = instant(min(_street_clock(row["plugin_local"], street) for row in _rows(path))).date()
    if first < street.day:
        yield from _sessions(path, replace(street, day=first, days=(street.day - first).days))


def _street_clock(local: str, street: Street) -> int:
    """Read a clock of another place and year as the street's: same month, day and hour."""
    moment = datetime.fromisoformat(local).replace(tzinfo=UTC)
    return epoch(moment.replace(year=street.day.year))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def known_until(moment_s: int) -> int:
    """Return up to when prices are known: tomorrow's come out at 16:00 (RULES, Recorded data), for days in UTC."""
    midnight_s = moment_s // 86_400 * 86_400
    return midnight_s + (2 if moment_s - midnight_s >= 16 * 3600 else 1) * 86_400

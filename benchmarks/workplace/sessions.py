"""The workplace: its recorded sessions, its tariff and its cap."""

import csv
import gzip
import os
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

DATA = Path(os.environ.get("COMMONWATT_DATA", Path(__file__).parents[3] / "shared" / "data"))
SESSIONS = DATA / "ev" / "acn_caltech_sessions.csv.gz"
FROZEN = Path(__file__).with_name("frozen.toml")
SLOT_S = 900
SLOT_HOURS = SLOT_S / 3600
LOCAL = ZoneInfo("America/Los_Angeles")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One stay of one car; instants in whole seconds since 1970 (UTC).

    Args:
        id: As recorded.
        arrive_s: Plug-in.
        leave_s: Plug-out: only the physics and perfect foresight know it before it happens.
        says_s: When the driver said that they would leave.
        need_kwh: What was really delivered to it.
        most_kw: What its station can give.
        least_kw: What the station gives if it gives anything: 6 A.
    """

    id: str
    arrive_s: int
    leave_s: int
    says_s: int
    need_kwh: float
    most_kw: float
    least_kw: float

    @property
    def feasible_kwh(self) -> float:
        """What it could take if it were alone: its need, or all that its station can give while it is there."""
        return min(self.need_kwh, self.most_kw * (self.leave_s - self.arrive_s) / 3600)

    @property
    def as_said(self) -> bool:
        """Whether it left no earlier than its driver said."""
        return self.leave_s >= self.says_s


def read_frozen(path: Path = FROZEN) -> dict[str, Any]:
    """Read the tariff, the cap and the controller's settings, all fixed before the scored months."""
    return tomllib.loads(path.read_text())


def read_sessions(frozen: dict[str, Any], path: Path = SESSIONS) -> list[Session]:
    """Read the claimed sessions in order of arrival; for others nobody said when they would leave."""
    stations = frozen["stations"]
    volts = stations["volts"] / 1000

    def instant(text: str) -> int:
        return round(datetime.fromisoformat(text).timestamp())

    with gzip.open(path, "rt") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if row["claimed"] == "True" and row["station_id"] not in stations["not_ours"]
        ]
    found = [
        Session(
            id=row["session_id"],
            arrive_s=instant(row["arrival"]),
            leave_s=instant(row["departure"]),
            says_s=instant(row["estimated_departure"]),
            need_kwh=float(row["delivered_energy (kWh)"]),
            most_kw=stations["most_a"] * volts,
            least_kw=stations["least_a"] * volts,
        )
        for row in rows
    ]
    return sorted(found, key=lambda session: (session.arrive_s, session.id))


def as_stated(sessions: Sequence[Session]) -> list[Session]:
    """Return the sessions as if every car left when its driver said.

    What a station cannot give until then is not asked for; a session that would be over before it begins is left out.
    Cars may leave later than they did, so that now and then a station has two.
    """
    there = [replace(s, leave_s=s.says_s) for s in sessions if s.says_s > s.arrive_s]
    return [replace(s, need_kwh=s.feasible_kwh) for s in there]


def stretches(sessions: Sequence[Session]) -> Iterator[list[Session]]:
    """Yield the sessions in groups between which, for a moment on a slot's edge, no car is there."""
    group: list[Session] = []
    until = 0
    for session in sessions:
        if group and session.arrive_s // SLOT_S * SLOT_S >= until:
            yield group
            group = []
        group.append(session)
        until = max(until, -(-session.leave_s // SLOT_S) * SLOT_S)
    if group:
        yield group


def local(instant_s: float) -> datetime:
    """Return an instant on the site's own clock."""
    return datetime.fromtimestamp(instant_s, UTC).astimezone(LOCAL)


class Tariff:
    """A public time-of-use tariff; its periods begin on the hour, so that a slot has one price."""

    def __init__(self, frozen: dict[str, Any]) -> None:
        self._frozen = frozen["tariff"]
        self.usd_per_kwh = cache(self._usd_per_kwh)

    def _usd_per_kwh(self, slot: int) -> float:
        """Return the price of a slot, counted in quarter-hours since 1970."""
        now = local(slot * SLOT_S)
        name = "winter"
        if now.month in self._frozen["summer_months"]:
            name = "summer_weekend" if now.weekday() >= 5 else "summer_weekday"
        usd: float = max((hour, usd) for hour, usd in self._frozen[name] if hour <= now.hour)[1]
        return usd

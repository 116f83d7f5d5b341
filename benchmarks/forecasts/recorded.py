"""Read the recorded series that forecasts are scored on; ``COMMONWATT_DATA`` names another place."""

import csv
import gzip
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

import numpy as np
from dateutil.easter import easter
from numpy.typing import NDArray

from benchmarks.baseline import DATA
from commonwatt.forecasting.cars import Stays
from commonwatt.forecasting.days import kinds
from commonwatt.forecasting.load import Panel
from commonwatt.forecasting.sun import darkness

Floats = NDArray[np.float64]
SCOTLAND = {date(2009, 4, 10), date(2009, 4, 13), date(2009, 5, 4), date(2009, 5, 25)}
FIRST_DAY_OF_HOMES = date(2009, 3, 1)
CLOCKS_FORWARD = 28
"""29 March 2009, counted from the first day; the recording shows it: the morning begins two slots earlier then."""
EDINBURGH = (55.9, -3.8)
T = TypeVar("T", bound=np.generic)
MOST_HOURS, LEAST_HOURS, LEAST_KWH, MOST_KWH, MOST_KW = 120.0, 2 / 60, 0.5, 150.0, 11.5
"""Cleaning of others for the Norwegian sessions."""


def rows(name: str) -> list[list[str]]:
    """Return a recorded table without its heading."""
    with gzip.open(DATA / name, "rt") as file:
        return list(csv.reader(file))[1:]


def households() -> Panel:
    """Return 311 Scottish homes, 92 days of half-hours, Wh, under a calendar of a week more.

    The recording keeps one clock, GMT, and its homes live by another from `CLOCKS_FORWARD` on: people's days then begin
    two half-hours earlier in it. Days before are told as people will live from then on, two half-hours earlier, so that
    a day's past is of the same clock as the day. No scored value is moved, and none of a scored day is used before.
    """
    wh = _wide("households/edrp_scotland_2009_halfhourly_kwh_odd.csv.gz", 48)
    days = [FIRST_DAY_OF_HOMES + timedelta(day) for day in range(wh.shape[1] + 7)]
    dark = darkness(days, 48, *EDINBURGH, UTC)
    return Panel(_moved(wh).astype(np.float32), kinds(days, SCOTLAND), _moved(dark))


def _moved(rows: NDArray[T]) -> NDArray[T]:
    """Return (..., days, 48) with what was before `CLOCKS_FORWARD` two half-hours earlier; its last day is a ring."""
    found, line = rows.copy(), rows.reshape(*rows.shape[:-2], -1)
    for day in range(CLOCKS_FORWARD):
        at = 48 * day + 2 + np.arange(48)
        if day == CLOCKS_FORWARD - 1:
            at %= 48
            at += 48 * day
        found[..., day, :] = line[..., at]
    return found


def roofs() -> tuple[Floats, list[date]]:
    """Return 101 Australian roofs, 92 days of hours, Wh, and their days and the next, UTC+10."""
    wh = _wide("households/switchdin_au_2021q3_pv_kwh_hourly.csv.gz", 24)
    return wh, [date(2021, 7, 2) + timedelta(day) for day in range(wh.shape[1] + 1)]


def prices(market: str) -> tuple[Floats, list[int]]:
    """Return real price, DNN and LEAR: (3, days, 24), and each day's weekday, holidays as Sundays."""
    told = rows(f"prices/epf_benchmark_{market}_real_and_baseline.csv.gz")
    values = np.array([[float(value) for value in row[1:]] for row in told])
    days = [datetime.fromisoformat(row[0]).date() for row in told[::24]]
    holidays = {day for year in {day.year for day in days} for day in _holidays(year, market)}
    weekdays = [6 if day in holidays else day.weekday() for day in days]
    return values.T.reshape(3, len(days), 24), weekdays


def earlier_prices() -> tuple[Floats, list[int]]:
    """Return the German prices of the days before those of `prices`, from 5 January 2015: (days, 24), and weekdays.

    Another recording of the same auction: where both tell, they differ by less than a thousandth of a unit. The hour
    that clocks skip is told as the one before.
    """
    first = datetime.fromisoformat(rows("prices/epf_benchmark_DE_real_and_baseline.csv.gz")[0][0]).date()
    told: dict[date, dict[int, float]] = {}
    for at, value in rows("prices/de_day_ahead_2015-2019_hourly.csv.gz"):
        moment = datetime.fromisoformat(at)
        if moment.date() < first and value:
            told.setdefault(moment.date(), {}).setdefault(moment.hour, float(value))
    found = np.array([[told[day].get(hour, told[day].get(hour - 1, np.nan)) for hour in range(24)] for day in told])
    holidays = _holidays(2015, "DE")
    return found, [6 if day in holidays else day.weekday() for day in told]


def carbon() -> tuple[Floats, Floats]:
    """Return actual and forecast of Great Britain, (days, 48) each, g/kWh, not a number where missing."""
    told = rows("carbon/gb_carbon_intensity_2020-01_08_actual_forecast.csv.gz")
    first = datetime(2020, 1, 1)  # noqa: DTZ001 - both are UTC, and only their difference counts
    at = [int((datetime.fromisoformat(row[0][:16]) - first).total_seconds()) // 1800 for row in told]
    found = np.full((2, -(-(max(at) + 1) // 48) * 48), np.nan)
    for slot, row in zip(at, told, strict=True):
        found[:, slot] = [float(value or "nan") for value in row[1:3]]
    actual, forecast = found.reshape(2, -1, 48)
    return actual, forecast


def net_load() -> Floats:
    """Return twelve weeks of half-hours of 300 solar homes together, kW."""
    return np.array([float(row[1]) for row in rows("netload/pynnlf_ds0_test.csv.gz")])


def sessions(place: str) -> tuple[Stays, Floats]:
    """Return the stays of Norway or of Caltech in order of arrival, and when each began, in hours."""
    told = _norway() if place == "Norway" else _caltech()
    told.sort()
    known = {driver: number for number, driver in enumerate(dict.fromkeys(row[2] for row in told))}
    begun = [row[0] for row in told]
    stays = Stays(
        np.array([known[row[2]] for row in told]),
        np.array([moment.hour + moment.minute / 60 for moment in begun]),
        np.array([moment.weekday() >= 5 for moment in begun]),
        np.array([(row[1] - row[0]).total_seconds() / 3600 for row in told]),
        np.array([1000 * row[3] for row in told]),
        np.array([row[4] for row in told]),
    )
    return stays, np.array([(moment - begun[0]).total_seconds() / 3600 for moment in begun])


def _wide(name: str, slots: int) -> Floats:
    told = np.array([[float(value) for value in row[1:]] for row in rows(name)])
    return 1000 * told.T.reshape(told.shape[1], -1, slots)


def _holidays(year: int, market: str) -> list[date]:
    sunday = easter(year)
    moving = [sunday + timedelta(days) for days in (-2, 1, 39, 50)]
    fixed = [(1, 1), (5, 1), (12, 25), (12, 26), *([(10, 3)] if market == "DE" else [])]
    return [*moving, *(date(year, month, day) for month, day in fixed)]


def _norway() -> list[tuple[datetime, datetime, str, float, float]]:
    found = []
    for row in rows("ev/norway_residential_sessions_2018-21_6sites.csv.gz"):
        if not row[4]:
            continue
        begun, ended, kwh = datetime.fromisoformat(row[3]), datetime.fromisoformat(row[4]), float(row[6] or 0)
        hours = (ended - begun).total_seconds() / 3600
        if LEAST_KWH < kwh <= MOST_KWH and LEAST_HOURS <= hours <= MOST_HOURS and kwh < MOST_KW * hours:
            found.append((begun, ended, row[1], kwh, np.nan))
    return found


def _caltech() -> list[tuple[datetime, datetime, str, float, float]]:
    """Return claimed sessions; drivers are not named, so the charger stands for them."""
    found = []
    for row in rows("ev/acn_caltech_sessions.csv.gz"):
        if row[7] == "True":
            begun, ended, said = (datetime.fromisoformat(row[at]) for at in (0, 1, 6))
            stated = (said - begun).total_seconds() / 3600
            found.append((begun, ended, row[4], float(row[3]), stated if stated > 0 else np.nan))
    return found

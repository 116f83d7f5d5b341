"""The solar home: its data, its physics, and the least cost that anyone could reach."""

import csv
import gzip
import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

import highspy
import numpy as np
from numpy.typing import NDArray

DATA = Path(os.environ.get("COMMONWATT_DATA", Path(__file__).parents[3] / "shared" / "data"))
HOME = DATA / "households" / "ausgrid_customer12_2011-12_halfhourly_kw.csv.gz"

SLOTS = 48
NIGHT = 12
"""Half-hours from midnight to 06:00, when energy is cheap."""
HOURS = 0.5
PANEL_KWP, RECORDED_KWP = 4.0, 1.04
BATTERY_KWH, START_KWH = 8.0, 4.0
MOST_IMPORT_KWH = 3.0 * HOURS
NIGHT_EUR_PER_KWH, DAY_EUR_PER_KWH = 0.10, 0.20

FIRST_DAY = date(2011, 7, 1)
TEST_DAY = (date(2011, 11, 29) - FIRST_DAY).days
TEST_DAYS = 30

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """What a controller knows when it acts: all half-hours before, this half-hour's load and sun, what is stored.

    Arrays hold kWh per half-hour and end with the half-hour before; slot counts from midnight.
    """

    past_load_kwh: Floats
    past_sun_kwh: Floats
    load_kwh: float
    sun_kwh: float
    stored_kwh: float

    @property
    def slot(self) -> int:
        """The half-hour of the day, 0 to 47."""
        return len(self.past_load_kwh) % SLOTS


class Controller(Protocol):
    """Decides how much to buy; what the home then lacks is bought in any case, what it has too much is curtailed."""

    def buy_kwh(self, now: Now) -> float:
        """Return what to take from the grid in this half-hour, kWh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """Cost per day in EUR, bought and unserved energy in kWh over all days."""

    eur: Floats
    bought_kwh: float
    unserved_kwh: float

    @property
    def eur_per_day(self) -> float:
        """Mean cost of a day."""
        return float(self.eur.mean())

    @property
    def bought_kwh_per_day(self) -> float:
        """Mean purchase of a day."""
        return self.bought_kwh / len(self.eur)


@dataclass(frozen=True, slots=True)
class Home:
    """Load and sun of the recorded year, kWh per half-hour, one row per day."""

    load_kwh: Floats
    sun_kwh: Floats

    def live(self, controller: Controller, first: int = TEST_DAY, days: int = TEST_DAYS) -> Month:
        """Live through some days from a half-full battery; the controller sees only what was measured.

        The current half-hour's load and sun are known when acting, as in the published benchmark.
        """
        load, sun = self.load_kwh.ravel(), self.sun_kwh.ravel()
        load.flags.writeable = sun.flags.writeable = False
        eur, bought, unserved, stored = np.zeros(days), 0.0, 0.0, START_KWH
        for t in range(first * SLOTS, (first + days) * SLOTS):
            now = Now(
                past_load_kwh=load[:t],
                past_sun_kwh=sun[:t],
                load_kwh=float(load[t]),
                sun_kwh=float(sun[t]),
                stored_kwh=stored,
            )
            lacking = now.load_kwh - now.sun_kwh - stored
            buy = min(max(controller.buy_kwh(now), lacking, 0.0), MOST_IMPORT_KWH)
            unserved += max(lacking - buy, 0.0)
            stored = min(max(buy - lacking, 0.0), BATTERY_KWH)
            eur[t // SLOTS - first] += buy * price(t)
            bought += buy
        return Month(eur=eur, bought_kwh=bought, unserved_kwh=unserved)

    def least_eur_per_day(self, first: int = TEST_DAY, days: int = TEST_DAYS) -> float:
        """Return the cost with everything known beforehand, as one linear program over all half-hours."""
        span = slice(first * SLOTS, (first + days) * SLOTS)
        sun, load = self.sun_kwh.ravel()[span], self.load_kwh.ravel()[span]
        prices = np.array([price(t) for t in range(span.start, span.stop)])
        return _least_eur(sun, load, prices) / days


def _least_eur(sun_kwh: Floats, load_kwh: Floats, eur_per_kwh: Floats) -> float:
    """Solve one linear program; its columns are what is bought, stored and curtailed in each half-hour."""
    n = len(sun_kwh)
    balance = sun_kwh - load_kwh
    balance[0] += START_KWH
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = 3 * n, n
    lp.col_cost_ = np.concatenate([eur_per_kwh, np.zeros(2 * n)])
    lp.col_lower_ = np.zeros(3 * n)
    lp.col_upper_ = np.concatenate([np.full(n, MOST_IMPORT_KWH), np.full(n, BATTERY_KWH), sun_kwh])
    lp.row_lower_ = lp.row_upper_ = balance
    # Row t says: stored + curtailed - bought - stored before = sun - load; row 0 has no column for what was stored.
    half_hours = np.arange(n)
    numbers = np.column_stack([half_hours, n + half_hours, 2 * n + half_hours, n + half_hours - 1]).ravel()
    weights = np.tile([-1.0, 1.0, 1.0, -1.0], n)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = np.concatenate([[0], 4 * (half_hours + 1) - 1]).astype(np.int32)
    lp.a_matrix_.index_ = np.delete(numbers, 3).astype(np.int32)
    lp.a_matrix_.value_ = np.delete(weights, 3)
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.silent()
    solver.passModel(lp)
    solver.run()
    assert solver.getModelStatus() == highspy.HighsModelStatus.kOptimal, "every load can be met half-hour by half-hour"
    return float(solver.getInfo().objective_function_value)


def price(t: int) -> float:
    """Return EUR per kWh in a half-hour counted from midnight."""
    return NIGHT_EUR_PER_KWH if t % SLOTS < NIGHT else DAY_EUR_PER_KWH


def read_home(path: Path = HOME) -> Home:
    """Read the recorded home and scale its panels to 4 kWp."""
    with gzip.open(path, "rt") as file:
        rows = list(csv.DictReader(file))
    assert rows[0][""] == f"{FIRST_DAY} 00:00:00", "days are counted from the first row"

    def per_day(column: str, factor: float) -> Floats:
        return np.array([float(row[column]) for row in rows]).reshape(-1, SLOTS) * factor

    return Home(per_day("GC", HOURS), per_day("GG", HOURS * PANEL_KWP / RECORDED_KWP))

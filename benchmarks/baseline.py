"""How far the contracts' baseline is off where nobody asked for anything: placebo events in recorded homes."""

import csv
import gzip
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from benchmarks.figure import Figure, figure
from commonwatt.metering.baseline import ADJUSTED_BY, DayRows, adjustment_wh, place, weekend
from commonwatt.model import share_wh
from commonwatt.model.money import round_div

DATA = Path(os.environ.get("COMMONWATT_DATA", Path(__file__).parents[2] / "shared" / "data"))
HOMES = DATA / "households" / "edrp_scotland_2009_halfhourly_kwh_odd.csv.gz"
SLOTS = range(17 * 4, 19 * 4)
"""Five to seven in the evening, as working days' peaks go; the notice comes an hour before."""
NOTICE = 16 * 4
FIRST_DAY = 14
PERMILLE = 200
PUBLISHED_PERCENT = 13.0
"""By how much the baseline of Great Britain's demand response overestimated reductions; see the issue's sources."""


class Placebo(NamedTuple):
    """One working day's window in one home, Wh: what flowed, and what each baseline says."""

    actual_wh: int
    plain_wh: int
    adjusted_wh: int


def baseline() -> Figure:
    """BASELINE: the mean bias of the adjusted baseline over placebo events, per cent of the mean load."""
    found = [event for home in homes() for event in placebos(home)]
    actual = sum(event.actual_wh for event in found)
    plain = 100 * (sum(event.plain_wh for event in found) - actual) / actual
    adjusted = 100 * (sum(event.adjusted_wh for event in found) - actual) / actual
    typical = 100 * sum(abs(event.adjusted_wh - event.actual_wh) for event in found) / actual
    return figure(
        "BASELINE",
        abs(adjusted),
        "% of mean load",
        PUBLISHED_PERCENT,
        bias_percent=round(plain, 2),
        adjusted_bias_percent=round(adjusted, 2),
        mean_absolute_error_of_one_home_percent=round(typical, 1),
        events=len(found),
        window="17:00 to 19:00 on working days, notice at 16:00",
        positive="reductions are overestimated",
    )


def homes() -> Iterator[list[tuple[int, int, int]]]:
    """Yield each recorded home as day, slot and Wh; half-hours are split in two."""
    with gzip.open(HOMES, "rt") as file:
        rows = list(csv.reader(file))
    times = [datetime.fromisoformat(row[0]) for row in rows[1:]]
    for column in range(1, len(rows[0])):
        home = []
        for moment, row in zip(times, rows[1:], strict=True):
            day, slot = place(moment)
            halves = share_wh(round(1000 * float(row[column] or 0)), [1, 1])
            home += [(day, slot, halves[0]), (day, slot + 1, halves[1])]
        yield home


def placebos(home: list[tuple[int, int, int]]) -> Iterator[Placebo]:
    """Yield what the contracts' rules would say of every working day from the third week on."""
    rows = DayRows()
    first = home[0][0]
    for day, slot, wh in home:
        rows.put(day, slot, wh)
        if slot == SLOTS[-1] and day >= first + FIRST_DAY and not weekend(day):
            before = range(NOTICE - ADJUSTED_BY, NOTICE)
            plain = [wh for wh in rows.baseline_wh(day, SLOTS) if wh is not None]
            if len(plain) == len(SLOTS):
                most_wh = round_div(sum(plain), len(plain)) * PERMILLE // 1000
                then = [rows.at(day, at) for at in before]
                more_wh = adjustment_wh(then, rows.baseline_wh(day, before), most_wh)
                actual = sum(rows.at(day, at) or 0 for at in SLOTS)
                yield Placebo(actual, sum(plain), sum(plain) + more_wh * len(SLOTS))

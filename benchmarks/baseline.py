"""BASELINE: how far the baseline of contracts is from what homes draw when nothing was asked of them."""

import csv
import gzip
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from benchmarks.figure import Figure, figure
from commonwatt.metering.baseline import ADJUST_SLOTS, LIKE_DAYS, baseline_wh, mean_of_like_days, working
from commonwatt.model import SLOTS_PER_DAY, SLOTS_PER_HOUR, share_wh

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("COMMONWATT_DATA", ROOT.parent / "shared" / "data"))
HOMES = DATA / "households" / "edrp_scotland_2009_halfhourly_kwh_odd.csv.gz"
EVENT = range(17 * SLOTS_PER_HOUR, 19 * SLOTS_PER_HOUR)
"""17:00 to 19:00, when most events of the British service were."""
NOTICE = 16 * SLOTS_PER_HOUR
"""An hour before."""
ADJUST_PERMILLE = 200
"""As offers have it where they say nothing else."""
HALF_HOURS = 48

Day = list[int]
"""What one home drew, Wh, slot by slot."""


def baseline() -> Figure:
    """Bias of the ten-like-days baseline on 311 recorded homes without any event, in per cent of their mean load."""
    first, homes = read_homes()
    days = range(first, first + len(homes[0]))
    events = [day for day in days if working(day) and sum(map(working, range(first, day))) >= LIKE_DAYS]
    found = {permille: _placebo(first, homes, events, permille) for permille in (0, ADJUST_PERMILLE, 1000)}
    plain, capped, whole = found[0], found[ADJUST_PERMILLE], found[1000]
    return figure(
        "BASELINE",
        capped.bias_percent,
        "% of mean load (above zero: reductions are overestimated)",
        13.0,
        limit_is="the overestimate published for the British service, in % of the reduction, not of the load",
        homes=len(homes),
        placebo_events=len(events),
        window="17:00-19:00 on working days, notice at 16:00",
        bias_without_adjustment_percent=round(plain.bias_percent, 2),
        bias_with_adjustment_percent=round(capped.bias_percent, 2),
        bias_with_adjustment_up_to_the_whole_baseline_percent=round(whole.bias_percent, 2),
        mean_error_of_one_home_percent=round(capped.error_percent, 1),
        counted_for_doing_nothing_percent={
            "power, slot by slot": round(capped.counted_by_slot_percent, 1),
            "energy, over the window": round(capped.counted_by_window_percent, 1),
        },
        mean_load_w=round(capped.mean_load_wh * SLOTS_PER_HOUR),
    )


class Placebo:
    """Sums over homes and events in which nobody was asked to do anything."""

    def __init__(self) -> None:
        self._load_wh = self._base_wh = self._apart_wh = self._by_slot_wh = self._by_window_wh = self._slots = 0

    def add(self, base_wh: Sequence[int], took_wh: Sequence[int]) -> None:
        """Count one home in one event."""
        apart = [base - took for base, took in zip(base_wh, took_wh, strict=True)]
        self._load_wh += sum(took_wh)
        self._base_wh += sum(base_wh)
        self._apart_wh += abs(sum(apart))
        self._by_slot_wh += sum(max(0, wh) for wh in apart)
        self._by_window_wh += max(0, sum(apart))
        self._slots += len(apart)

    @property
    def mean_load_wh(self) -> float:
        return self._load_wh / self._slots

    @property
    def bias_percent(self) -> float:
        return 100 * (self._base_wh - self._load_wh) / self._load_wh

    @property
    def error_percent(self) -> float:
        return 100 * self._apart_wh / self._load_wh

    @property
    def counted_by_slot_percent(self) -> float:
        return 100 * self._by_slot_wh / self._load_wh

    @property
    def counted_by_window_percent(self) -> float:
        return 100 * self._by_window_wh / self._load_wh


def _placebo(first: int, homes: Sequence[Sequence[Day]], events: Sequence[int], permille: int) -> Placebo:
    sums = Placebo()
    for home in homes:

        def net(day: int, slot: int, home: Sequence[Day] = home) -> int | None:
            return home[day - first][slot] if 0 <= day - first < len(home) else None

        for event in events:
            before = range(NOTICE - ADJUST_SLOTS, NOTICE)
            means = {slot: mean_of_like_days(net, event, slot, _never) for slot in (*before, *EVENT)}
            took = [net(event, slot) for slot in before]
            base = baseline_wh([means[s] for s in EVENT], (took, [means[s] for s in before]), permille)
            sums.add([wh for wh in base if wh is not None], [home[event - first][slot] for slot in EVENT])
    return sums


def _never(day: int) -> bool:
    return False


def read_homes() -> tuple[int, list[list[Day]]]:
    """Return the first day, counted as `date.toordinal` does, and of each home its days."""
    with gzip.open(HOMES, "rt") as file:
        rows = csv.reader(file)
        names = next(rows)[1:]
        days = list(_days(rows, len(names)))
    first = days[0][0]
    assert [day for day, _ in days] == list(range(first, first + len(days))), "recorded without gaps"
    return first, [[homes[number] for _, homes in days] for number in range(len(names))]


def _days(rows: Iterator[list[str]], homes: int) -> Iterator[tuple[int, list[Day]]]:
    """Yield each day with every home's slots: a half-hour's Wh are shared by its two quarters."""
    told: list[Day] = [[] for _ in range(homes)]
    for number, (stamp, *values) in enumerate(rows, 1):
        for home, value in zip(told, values, strict=True):
            home.extend(share_wh(round(1000 * float(value)), [1, 1]))
        if number % HALF_HOURS == 0:
            assert all(len(home) == SLOTS_PER_DAY for home in told)
            yield datetime.fromisoformat(stamp).date().toordinal(), told
            told = [[] for _ in range(homes)]

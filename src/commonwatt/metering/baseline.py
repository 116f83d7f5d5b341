"""Baselines: what a meter would have counted, had nobody asked it for anything; from ten like days before."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray

from commonwatt.model import SLOT_SECONDS, InvalidValue
from commonwatt.model.money import round_div

LIKE_DAYS = 10
LEAST_DAYS = 5
"""With fewer days of its kind at a slot, there is no baseline."""
SLOTS_A_DAY = 96
ADJUSTED_BY = 12
"""Slots before the notice that the same-day adjustment looks at: three hours."""
UNKNOWN = -(2**31)
Row = NDArray[np.int32]


def like_days_wh(days: Iterable[Row], slot: int) -> int | None:
    """Return the mean of the newest ten days that know a slot, halves rounded to even.

    Args:
        days: Days of one kind without activations, newest first, 96 values each: net Wh, `UNKNOWN` where nothing is.
        slot: Of the local day, 0 to 95.

    Returns:
        Net Wh, import positive; None with fewer than five days.

    Source: the day-matching baselines compared in Goldberg & Agnew, Measurement and Verification for Demand
    Response, 2013; ten days without exclusions, since what leaves out low days promises reductions nobody made.
    """
    known = [int(day[slot]) for day in days if day[slot] != UNKNOWN][:LIKE_DAYS]
    return round_div(sum(known), len(known)) if len(known) >= LEAST_DAYS else None


def adjustment_wh(actual: Sequence[int | None], baseline: Sequence[int | None], most_wh: int) -> int:
    """Return what is added to each slot's baseline because the day was another than its like.

    Args:
        actual: Net Wh of the slots before the notice, None where nothing is known.
        baseline: Of the same slots.
        most_wh: It moves no further than this, up or down.

    Returns:
        The mean difference in Wh, halves rounded to even; 0 where no slot knows both.
    """
    known = [a - b for a, b in zip(actual, baseline, strict=True) if a is not None and b is not None]
    mean_wh = round_div(sum(known), len(known)) if known else 0
    return max(-most_wh, min(most_wh, mean_wh))


class DayRows:
    """One meter's recent days, slot by slot of the local clock, as many as baselines need.

    Of either kind of day (working days, and weekends) the newest eleven without activation are kept, one of which may
    be today, and days with activation while they are younger than three days. That there was one is remembered as
    long as anything may still be told of the day, see `forget_before`: else a late word would make it a day like
    others. An hour that the clocks show twice counts as it was the second time.
    """

    def __init__(self) -> None:
        self._rows: dict[int, Row] = {}
        self._called: set[int] = set()

    def put(self, day: int, slot: int, net_wh: int) -> None:
        """Note what was counted; a day that was let go of stays forgotten.

        Args:
            day: Of the calendar, counted from year 1.
            slot: Of that day, 0 to 95.
            net_wh: Import less export, Wh.
        """
        if day not in self._rows:
            if self._rows and day < min(self._rows):
                kept = sum(weekend(day) == weekend(other) for other in self._rows)
                if kept > LIKE_DAYS:
                    return
            self._rows[day] = np.full(SLOTS_A_DAY, UNKNOWN, np.int32)
            self._prune()
        if day in self._rows:
            self._rows[day][slot] = net_wh

    def call(self, day: int) -> None:
        """Note that a day is none to compare with: somebody was asked for something."""
        self._called.add(day)

    def forget_before(self, day: int) -> None:
        """Let go of what was asked on days before one, of which nothing can be told any more."""
        self._called = {called for called in self._called if called in self._rows or called >= day}

    def rest(self) -> None:
        """Let go of what was counted, since nobody counts on this meter any more; what was asked is remembered."""
        self._rows.clear()

    def __bool__(self) -> bool:
        return bool(self._rows or self._called)

    def at(self, day: int, slot: int) -> int | None:
        """Return what was counted, net Wh; None where it is not known."""
        row = self._rows.get(day)
        return None if row is None or row[slot] == UNKNOWN else int(row[slot])

    def baseline_wh(self, day: int, slots: Sequence[int]) -> list[int | None]:
        """Return the mean of ten like days before a day for some of its slots, see `like_days_wh`."""
        like = [
            self._rows[other]
            for other in sorted(self._rows, reverse=True)
            if other < day and weekend(other) == weekend(day) and other not in self._called
        ]
        return [like_days_wh(like, slot) for slot in slots]

    def _prune(self) -> None:
        newest = max(self._rows)
        clean: dict[bool, int] = {True: 0, False: 0}
        for day in sorted(self._rows, reverse=True):
            if day in self._called:
                keep = day > newest - 3
            else:
                clean[weekend(day)] += 1
                keep = clean[weekend(day)] <= LIKE_DAYS + 1
            if not keep:
                del self._rows[day]

    def dump(self) -> list[tuple[int, bool, bytes]]:
        """Return all of it, in order of days: the day, whether somebody was asked, and its 96 values."""
        days = sorted(self._rows.keys() | self._called)
        return [(d, d in self._called, self._rows[d].astype("<i4").tobytes() if d in self._rows else b"") for d in days]

    @classmethod
    def load(cls, told: Iterable[tuple[int, bool, bytes]]) -> "DayRows":
        """Return what `dump` wrote.

        Raises:
            InvalidValue: A day has another number of slots.
        """
        rows = cls()
        for day, called, values in told:
            if len(values) not in (0, 4 * SLOTS_A_DAY):
                raise InvalidValue(f"a day has {SLOTS_A_DAY} slots, was {len(values)} bytes for day {day}")
            if values:
                rows._rows[day] = np.frombuffer(values, "<i4").astype(np.int32)
            if called:
                rows._called.add(day)
        return rows


def weekend(day: int) -> bool:
    """Tell whether a day, counted from year 1, is a Saturday or a Sunday."""
    return date.fromordinal(day).weekday() >= 5


def place(slot: datetime) -> tuple[int, int]:
    """Return the day of the calendar, counted from year 1, and the slot of that day that a local clock shows."""
    return slot.toordinal(), (slot.hour * 3600 + slot.minute * 60) // SLOT_SECONDS

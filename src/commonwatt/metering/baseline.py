"""What a meter would have shown: the mean of its last like days, adjusted by the hours before the notice.

Like days are working days or week-ends by the community's clock; public holidays are not known here. A day on which the
meter was called counts for none. Each slot of the day is compared by itself, over the ten latest like days on which it
was measured, or as many as there are.

Source: the baseline of the GB Demand Flexibility Service (ten recent like days, in-day adjustment by three hours).
"""

from bisect import insort
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from commonwatt.model import SLOTS_PER_DAY, SLOTS_PER_HOUR, InvalidValue, round_div

LIKE_DAYS = 10
ADJUST_SLOTS = 3 * SLOTS_PER_HOUR
LOOK_BACK_DAYS = 70
"""How far back a like day may lie: ten week-ends, with room for those that do not count."""
UNMEASURED = -(2**31)
_WEEKEND = 5

Net = Callable[[int, int], int | None]
"""Looks up what a meter took in a slot (day, slot of the day): import less export, Wh; None where nobody measured."""


def working(day: int) -> bool:
    """Tell whether a day, counted as `date.toordinal` does, is a working day."""
    return _weekday(day) < _WEEKEND


@lru_cache(4096)
def _weekday(day: int) -> int:
    return date.fromordinal(day).weekday()


def mean_of_like_days(net: Net, day: int, slot: int, called: Callable[[int], bool]) -> int | None:
    """Return what a meter would have taken in a slot, in Wh; None where no like day was measured.

    Args:
        net: What it took before.
        day: The day of the slot, counted as `date.toordinal` does, by the local clock.
        slot: Its place in the day, 0 to 95, by the local clock.
        called: Tells whether the meter was called on a day.

    Returns:
        The mean, halves to even.
    """
    found: list[int] = []
    for before in range(day - 1, day - 1 - LOOK_BACK_DAYS, -1):
        if working(before) != working(day) or called(before):
            continue
        wh = net(before, slot)
        if wh is not None:
            found.append(wh)
            if len(found) == LIKE_DAYS:
                break
    return round_div(sum(found), len(found)) if found else None


def adjustment_wh(took_wh: Sequence[int | None], mean_wh: Sequence[int | None], most_wh: int) -> int:
    """Return what is added to each slot of a baseline because the day itself is different.

    Args:
        took_wh: What the meter took in the slots before the notice; None where nobody measured.
        mean_wh: What the mean of its like days says of them.
        most_wh: The most that is added or taken off, zero or more.

    Returns:
        The mean difference of the slots of which both are known, in Wh, halves to even; 0 where there is none.

    Raises:
        InvalidValue: The most is below zero.
    """
    if most_wh < 0:
        raise InvalidValue(f"an adjustment is bounded by zero or more, was {most_wh} Wh")
    both = zip(took_wh, mean_wh, strict=True)
    apart = [took - mean for took, mean in both if took is not None and mean is not None]
    return max(-most_wh, min(most_wh, round_div(sum(apart), len(apart)))) if apart else 0


def baseline_wh(
    mean_wh: Sequence[int | None], before: tuple[Sequence[int | None], Sequence[int | None]], adjust_permille: int
) -> tuple[int | None, ...]:
    """Return a window's baseline, slot by slot, in Wh; None where it is not known.

    Args:
        mean_wh: The mean of like days of each slot of the window.
        before: What the meter took in the slots before the notice, and the mean of like days of those.
        adjust_permille: How far these may move it, as a share of the mean size of the window's own baseline.
    """
    known = [abs(wh) for wh in mean_wh if wh is not None]
    most_wh = round_div(sum(known) * adjust_permille, 1000 * len(known)) if known else 0
    more_wh = adjustment_wh(*before, most_wh)
    return tuple(None if wh is None else wh + more_wh for wh in mean_wh)


class DayColumns:
    """What a meter took on its last like days of either sort, one column a day, for as long as a baseline needs them.

    Days on which the meter was called have no column; they are known as called until they are let go of.
    """

    def __init__(self) -> None:
        self._days: dict[int, NDArray[np.int32]] = {}
        self._order: list[int] = []
        self._called: set[int] = set()
        self._digest: bytes | None = None

    def note(self, day: int, slot: int, net_wh: int) -> None:
        """Remember a slot of a day that was not called; of a time that the clock shows twice the first counts."""
        if day in self._called:
            return
        if day not in self._days:
            self._days[day] = np.full(SLOTS_PER_DAY, UNMEASURED, np.int32)
            insort(self._order, day)
            self._let_go(working(day))
            if day not in self._days:
                return
        if self._days[day][slot] == UNMEASURED:
            self._days[day][slot] = net_wh
            self._digest = None

    def call(self, day: int) -> None:
        """Take a day out of what is normal: the meter was called on it."""
        self._called.add(day)
        if self._days.pop(day, None) is not None:
            self._order.remove(day)
        self._digest = None

    def called(self, day: int) -> bool:
        """Tell whether the meter was called on a day."""
        return day in self._called

    def net_wh(self, day: int, slot: int) -> int | None:
        """Return what the meter took in a slot of a day that has a column; None where nobody measured."""
        column = self._days.get(day)
        if column is None:
            return None
        wh = int(column[slot])
        return None if wh == UNMEASURED else wh

    def forget_calls(self, before: int) -> bool:
        """Forget that days before one were called, since they have no column; tell whether none is known any more."""
        if any(day < before for day in self._called):
            self._called = {day for day in self._called if day >= before}
            self._digest = None
        return not self._called

    def digest(self) -> bytes:
        """Return the hash of all of it, 32 bytes."""
        if self._digest is None:
            hashed = sha256()
            for day, wh in self.items():
                hashed.update(day.to_bytes(8) + wh)
            for day in sorted(self._called):
                hashed.update(b"called" + day.to_bytes(8))
            self._digest = hashed.digest()
        return self._digest

    def items(self) -> Iterator[tuple[int, bytes]]:
        """Yield each day with its column as little-endian int32, in order."""
        for day in self._order:
            yield day, self._days[day].astype("<i4").tobytes()

    def calls(self) -> list[int]:
        """Return the days that are known as called, in order."""
        return sorted(self._called)

    @classmethod
    def load(cls, days: Sequence[tuple[int, bytes]], called: Sequence[int]) -> "DayColumns":
        """Return what `items` and `calls` told.

        Raises:
            InvalidValue: A column has not one number a slot, or a day has one and was called.
        """
        columns = cls()
        for day, told in days:
            if len(told) != 4 * SLOTS_PER_DAY or day in called or not 0 < day <= date.max.toordinal():
                raise InvalidValue(f"a day that was not called has {SLOTS_PER_DAY} slots, was {len(told)} bytes")
            columns._days[day] = np.frombuffer(told, "<i4").astype(np.int32)
            insort(columns._order, day)
        columns._called = set(called)
        return columns

    def _let_go(self, work: bool) -> None:
        alike = [day for day in self._order if working(day) is work]
        for day in alike[:-LIKE_DAYS]:
            self._order.remove(day)
            del self._days[day]
        self._digest = None

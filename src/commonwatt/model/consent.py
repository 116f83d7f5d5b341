"""An owner's consent: whether, within which limits, and how an asset may be scheduled (row X3)."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from commonwatt.model.errors import InvalidValue
from commonwatt.model.repeating import MINUTES_PER_DAY
from commonwatt.model.time import Interval
from commonwatt.model.wall_clock import moment

MOST_DECIDE_S = 86_400
"""A day: a plan looks no further ahead."""


class ConsentMode(StrEnum):
    """How an owner lets an asset be scheduled: whatever is planned, within limits, asked each time, or not at all."""

    ALWAYS = "always"
    WITHIN = "within"
    ASK = "ask"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What an owner agreed to.

    Args:
        mode: See there.
        least_percent: Within: what is stored is never given away below so many per cent of what full means.
        most_supply_w: Within: it supplies at most so much, W; 0 for no supply at all.
        hours: Within: only between these local minutes after midnight, from one up to another; through midnight where
            the first is the later one.
        decide_s: Ask: how long before its first instruction the owner has decided, seconds.

    Raises:
        InvalidValue: Limits stand where none belong, or what belongs there is missing or beyond all bounds.
    """

    mode: ConsentMode
    least_percent: int | None = None
    most_supply_w: int | None = None
    hours: tuple[int, int] | None = None
    decide_s: int | None = None

    def __post_init__(self) -> None:
        limited = any(limit is not None for limit in (self.least_percent, self.most_supply_w, self.hours))
        if limited != (self.mode is ConsentMode.WITHIN):
            raise InvalidValue(f"a consent within limits has some, and no other has any, was {self.mode}")
        if (self.decide_s is not None) != (self.mode is ConsentMode.ASK):
            raise InvalidValue(f"who is asked says by when, and nobody else does, was {self.mode}")
        if self.least_percent is not None and not 0 <= self.least_percent <= 100:
            raise InvalidValue(f"a level is 0 to 100 per cent, was {self.least_percent}")
        if self.most_supply_w is not None and self.most_supply_w < 0:
            raise InvalidValue(f"a supply is zero or more, was {self.most_supply_w} W")
        if self.hours is not None and not _are_hours(*self.hours):
            raise InvalidValue(f"hours run from one minute of a day to another, was {self.hours}")
        if self.decide_s is not None and not 0 <= self.decide_s <= MOST_DECIDE_S:
            raise InvalidValue(f"who is asked decides up to a day before, was {self.decide_s} s")

    @property
    def direct(self) -> bool:
        """Tell whether nobody has to be asked before the asset moves: only such control backs a guarantee (row M4)."""
        return self.mode in (ConsentMode.ALWAYS, ConsentMode.WITHIN)

    def floor_wh(self, capacity_wh: int) -> int:
        """Return the level in Wh below which nothing is given away."""
        return -(-capacity_wh * (self.least_percent or 0) // 100)

    def open_during(self, span: Interval, zone: ZoneInfo) -> bool:
        """Tell whether a whole stretch of time lies within the hours of one day; without hours every one does."""
        if self.hours is None:
            return True
        first, ends = self.hours[0], _end(*self.hours)
        midnight = datetime.combine(span.start.astimezone(zone).date(), time())
        for start in (midnight - timedelta(days=1), midnight):
            opens, closes = (moment(start + timedelta(minutes=minutes), zone) for minutes in (first, ends))
            if opens <= span.start and span.end <= closes:
                return True
        return False


def _end(first: int, last: int) -> int:
    return last if last > first else last + MINUTES_PER_DAY


def _are_hours(first: int, last: int) -> bool:
    return 0 <= first < MINUTES_PER_DAY and 0 <= last <= MINUTES_PER_DAY and _end(first, last) - first < MINUTES_PER_DAY


ALWAYS = Consent(mode=ConsentMode.ALWAYS)
OFF = Consent(mode=ConsentMode.OFF)
"""What holds where nothing was said, too."""

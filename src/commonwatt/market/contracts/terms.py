"""What a utility offers: when, how much, at which prices, how it is called, measured and paid. All of it is data."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

from commonwatt.model import EVERY_DAY, SLOT_SECONDS, AccountId, InvalidValue, KeyId, epoch, instant, moment

MOST_WINDOWS = 400
"""Of one contract: a window a day for more than a year."""
MOST_SPAN_S = 400 * 86_400
DAY_S = 86_400
MOST_RESERVED_MICRO = 10**15
"""What one contract may set aside on either side; see `paying.MOST_ERGON_MICRO`."""


class Direction(StrEnum):
    """What members do in a window: draw more than they would have, or draw less and supply."""

    CHARGE = "charge"
    GIVE_BACK = "give back"


class Volume(StrEnum):
    """What is promised: a power, held in each slot by itself, or its energy, over the window as a whole."""

    POWER = "power"
    ENERGY = "energy"


class PaymentRule(StrEnum):
    """Whether each watt-hour is paid for, or only a window of which enough was delivered."""

    PRO_RATA = "pro_rata"
    ALL_OR_NOTHING = "all_or_nothing"


class Baseline(StrEnum):
    """What the meter is compared with: its ten last like days, or the power that the logged schedule instructed."""

    TEN_LIKE_DAYS = "ten_like_days"
    METERED_SETPOINT = "metered_setpoint"


class Trigger(StrEnum):
    """What calls a window: nothing but its time, or a fact from outside (row E13)."""

    STANDING = "standing"
    PRICE_ABOVE = "price above"
    PRICE_BELOW = "price below"
    FREQUENCY_ABOVE = "frequency above"
    FREQUENCY_BELOW = "frequency below"
    EVENT = "event"


class Reference(StrEnum):
    """What the two prices stand beside: the grid's price of the slot, which they replace, or nothing."""

    GRID = "grid"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Windows that come again by the clock on the wall.

    Args:
        direction: What members do in them.
        start_minute: Local minutes after midnight at which they begin.
        end_minute: Local minutes after the same midnight at which they end, at most a day later.
        weekdays: Days on which they begin, Monday is 0.
    """

    direction: Direction
    start_minute: int
    end_minute: int
    weekdays: tuple[int, ...] = EVERY_DAY


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Window:
    """One stretch of whole slots, seconds since 1970, half open."""

    start_s: int
    end_s: int
    direction: Direction

    @property
    def seconds(self) -> int:
        """Length in seconds."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """A contract's terms.

    Prices are micro per kWh, zero or more but ``sale_micro_per_kwh``, which may be below zero.

    Args:
        utility: Who offers, and pays.
        windows: In order of time; none overlaps another.
        most_w: How much power is wanted in a window, over all members.
        most_wh: How much energy may be called in all; None for no limit.
        volume: What is promised.
        sale_micro_per_kwh: What a kWh costs that is drawn in a charge window beyond the baseline.
        buy_back_micro_per_kwh: What a kWh earns that is given back.
        reference: With ``grid`` both prices are all that a kWh costs or earns, so that nobody pays twice for it: the
            contract books the difference from the grid's import or export price of the slot. With ``none`` they come
            on top of what settlement books.
        cap_micro_per_kwh: With ``grid``, up to which import price the utility makes good the difference.
        availability_micro_per_kw_h: For a kW that stands ready for an hour of a window.
        penalty_micro_per_kwh: For a kWh that was called and not delivered.
        rule: See there.
        whole_permille: With ``all_or_nothing``, the delivered share that counts as whole.
        baseline: See there.
        adjust_permille: How far the hours before the notice may move the baseline, as a share of its mean; 0 for not.
        trigger: What calls a window.
        threshold: Of a price in micro per kWh, or of a frequency in mHz.
        event: Name of the grid event.
        quorum: How many oracles must have signed the fact.
        notice_s: How long before it has to deliver a member knows.
        lasts_s: The longest that one call lasts; None for up to the window's end.
        accept_by_s: From when on nobody can accept any more.
        dispute_s: How long both sides can dispute what was measured, before it is paid.
        resolve_s: After how long a dispute that nobody resolved is paid as it was measured.
        leave_s: From how long after their word a member who leaves is free; None where nobody may leave.
        zone: Where assets must stand; None for anywhere.
        arbiter: Whose key may resolve disputes; None for both sides only.
    """

    utility: AccountId
    windows: tuple[Window, ...]
    most_w: int
    most_wh: int | None = None
    volume: Volume = Volume.POWER
    sale_micro_per_kwh: int = 0
    buy_back_micro_per_kwh: int = 0
    reference: Reference = Reference.GRID
    cap_micro_per_kwh: int = 0
    availability_micro_per_kw_h: int = 0
    penalty_micro_per_kwh: int = 0
    rule: PaymentRule = PaymentRule.PRO_RATA
    whole_permille: int = 1000
    baseline: Baseline = Baseline.TEN_LIKE_DAYS
    adjust_permille: int = 200
    trigger: Trigger = Trigger.STANDING
    threshold: int | None = None
    event: str | None = None
    quorum: int = 1
    notice_s: int = 0
    lasts_s: int | None = None
    accept_by_s: int
    dispute_s: int
    resolve_s: int
    leave_s: int | None = None
    zone: str | None = None
    arbiter: KeyId | None = None

    def __post_init__(self) -> None:
        if not self.windows:
            raise InvalidValue("a contract has a window")
        about_numbers = self.trigger not in (Trigger.STANDING, Trigger.EVENT)
        if about_numbers != (self.threshold is not None) or (self.trigger is Trigger.EVENT) != (self.event is not None):
            raise InvalidValue(f"a trigger has its threshold or its event's name and no other, was {self.trigger}")
        if self.quorum != 1 and self.trigger in (Trigger.STANDING, Trigger.PRICE_ABOVE, Trigger.PRICE_BELOW):
            # The community settles by one published price, so no further oracle can agree or disagree with it.
            raise InvalidValue(f"a quorum is about frequencies and events, was {self.quorum} of {self.trigger}")
        if self.reference is Reference.NONE and self.cap_micro_per_kwh:
            raise InvalidValue("only a difference from the grid's price has a cap")
        if self.lasts_s is not None and self.lasts_s % SLOT_SECONDS:
            raise InvalidValue(f"a call lasts whole slots, was {self.lasts_s} s")

    @property
    def longest_s(self) -> int:
        """How long the longest window lasts, seconds."""
        return max(window.seconds for window in self.windows)


def windows_of(
    hours: Iterable[Hours], once: Iterable[Window], begins_s: int, ends_s: int, zone: ZoneInfo
) -> tuple[Window, ...]:
    """Return a contract's windows in order of time.

    Args:
        hours: What comes again between the two moments.
        once: What comes once.
        begins_s: No repeated window begins before, seconds since 1970.
        ends_s: No repeated window begins at it or later.
        zone: Whose clock the hours are read on; of a time that comes twice the first counts, and one that is jumped
            over is when the clock jumps.

    Raises:
        InvalidValue: There is none, or more than `MOST_WINDOWS`, or they overlap, are no whole slots, or last longer
            than a day.
    """
    if not 0 <= ends_s - begins_s <= MOST_SPAN_S:
        raise InvalidValue(f"hours come again for up to {MOST_SPAN_S} s, was {ends_s - begins_s}")
    found = list(once)
    for each in hours:
        found += _occurrences(each, begins_s, ends_s, zone)
    found.sort()
    if not 0 < len(found) <= MOST_WINDOWS:
        raise InvalidValue(f"a contract has 1 to {MOST_WINDOWS} windows, was {len(found)}")
    for window in found:
        if window.start_s % SLOT_SECONDS or window.seconds % SLOT_SECONDS or not 0 < window.seconds <= DAY_S:
            raise InvalidValue(f"a window is of whole slots and up to a day, was {window}")
    for earlier, later in pairwise(found):
        if later.start_s < earlier.end_s:
            raise InvalidValue(f"windows of a contract do not overlap, were {earlier} and {later}")
    return tuple(found)


def overlapping(one: Iterable[Window], other: Iterable[Window]) -> bool:
    """Tell whether any of some windows shares an instant with any of others; both in order of time."""
    left, right = list(one), list(other)
    i = j = 0
    while i < len(left) and j < len(right):
        if left[i].end_s <= right[j].start_s:
            i += 1
        elif right[j].end_s <= left[i].start_s:
            j += 1
        else:
            return True
    return False


def _occurrences(hours: Hours, begins_s: int, ends_s: int, zone: ZoneInfo) -> Iterator[Window]:
    day = instant(begins_s).astimezone(zone).date() - timedelta(days=1)
    last = instant(ends_s).astimezone(zone).date()
    while day <= last:
        if day.weekday() in hours.weekdays:
            start_s, end_s = (_at(day, minute, zone) for minute in (hours.start_minute, hours.end_minute))
            if begins_s <= start_s < ends_s and start_s < end_s:
                yield Window(start_s=start_s, end_s=end_s, direction=hours.direction)
        day += timedelta(days=1)


def _at(day: date, minute: int, zone: ZoneInfo) -> int:
    return epoch(moment(datetime.combine(day, time()) + timedelta(minutes=minute), zone))

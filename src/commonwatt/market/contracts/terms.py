"""What a utility offers: windows, prices, trigger, and what is paid for what."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from commonwatt.model import SLOT_SECONDS, AccountId, InvalidValue, instant
from commonwatt.model.wall_clock import moment

MOST_WINDOWS = 366
"""Windows of one contract: what is reserved is so many times what one may cost."""
_LOOK_DAYS = 8
_DAY_MINUTES = 1440


class Direction(StrEnum):
    """What a window asks for: to take more at surplus, or to give back (or take less) at shortage."""

    CHARGE = "charge"
    GIVE_BACK = "give_back"


class Days(StrEnum):
    """On which days of the week a window repeats, by the community's clock."""

    ALL = "all"
    WORKING = "working"
    WEEKEND = "weekend"


class Basis(StrEnum):
    """Whether a price comes on top of what the slot's settlement comes to, or stands in place of the grid's price."""

    ON_TOP = "on_top"
    INSTEAD = "instead"


class PaymentRule(StrEnum):
    """What part delivery earns."""

    PRO_RATA = "pro_rata"
    ALL_OR_NOTHING = "all_or_nothing"


class BaselineRule(StrEnum):
    """What delivery is measured against; see `commonwatt.metering.baseline`."""

    TEN_LIKE_DAYS = "ten_like_days"
    METERED_SETPOINT = "metered_setpoint"


class TriggerKind(StrEnum):
    """What calls a window."""

    STANDING = "standing"
    PRICE_ABOVE = "price_above"
    PRICE_BELOW = "price_below"
    FREQUENCY_ABOVE = "frequency_above"
    FREQUENCY_BELOW = "frequency_below"
    EVENT = "event"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """When a window is called: always, or by a fact that enough oracles signed.

    Args:
        kind: See there.
        level: Micro per kWh of import, or mHz; above means more than, below less than this.
        name: Of the grid event.
        oracles: Accounts whose word counts; none where the trigger needs no oracle of its own.
        quorum: How many of them must have signed the same.
        lasts_s: How long a call by frequency lasts at most, seconds.

    Raises:
        InvalidValue: A part is missing that its kind needs, or a quorum is none of its oracles.
    """

    kind: TriggerKind = TriggerKind.STANDING
    level: int = 0
    name: str | None = None
    oracles: tuple[AccountId, ...] = ()
    quorum: int = 0
    lasts_s: int = 3600

    def __post_init__(self) -> None:
        if self.by_oracles != bool(self.oracles) or len(set(self.oracles)) != len(self.oracles):
            raise InvalidValue(f"frequency and events have distinct oracles, others none, was {self}")
        if self.by_oracles and not 0 < self.quorum <= len(self.oracles):
            raise InvalidValue(f"a quorum is of its oracles, was {self.quorum} of {len(self.oracles)}")
        if (self.kind is TriggerKind.EVENT) != (self.name is not None):
            raise InvalidValue(f"an event has a name, and nothing else has, was {self}")
        if self.lasts_s <= 0:
            raise InvalidValue(f"a call lasts more than zero, was {self.lasts_s} s")

    @property
    def by_oracles(self) -> bool:
        """Tell whether oracles call it beside those that publish prices."""
        return self.kind in (TriggerKind.FREQUENCY_ABOVE, TriggerKind.FREQUENCY_BELOW, TriggerKind.EVENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When something is asked for: local minutes of some days, or once from one instant to another; whole slots.

    Args:
        direction: What is asked for.
        price_micro_per_kwh: The sale price where it asks to charge, the buy-back price where it asks to give back.
        days: On which days it repeats; None where it is absolute.
        from_minute: After local midnight.
        to_minute: Up to, and on the same day.
        start_s: Seconds since 1970.
        end_s: Up to.

    Raises:
        InvalidValue: It is neither the one nor the other, ends before it starts, or cuts a slot.
    """

    direction: Direction
    price_micro_per_kwh: int
    days: Days | None = None
    from_minute: int = 0
    to_minute: int = 0
    start_s: int = 0
    end_s: int = 0

    def __post_init__(self) -> None:
        repeats, once = self.from_minute < self.to_minute, self.start_s < self.end_s
        if repeats != (self.days is not None) or once == repeats or self.to_minute > _DAY_MINUTES:
            raise InvalidValue(f"a window repeats or stands once, and ends after it starts, was {self}")
        if any(told % 15 for told in (self.from_minute, self.to_minute)):
            raise InvalidValue(f"a window is of whole slots, was {self}")
        if any(told % SLOT_SECONDS for told in (self.start_s, self.end_s)) or self.end_s - self.start_s > 86_400:
            raise InvalidValue(f"a window is of whole slots, a day of them at most, was {self}")

    @property
    def longest_s(self) -> int:
        """The longest that it can be, seconds: an hour is shown twice where clocks go back."""
        return (self.to_minute - self.from_minute) * 60 + 3600 if self.days else self.end_s - self.start_s

    def from_day(self, day: datetime, zone: ZoneInfo) -> tuple[int, int] | None:
        """Return a local day's start and end of the window in seconds since 1970; None where it is not on that day."""
        if self.days is None:
            return self.start_s, self.end_s
        weekend = day.weekday() >= 5
        if self.days is not Days.ALL and (self.days is Days.WEEKEND) != weekend:
            return None
        start, end = (
            int(moment(day + timedelta(minutes=minute), zone).timestamp())
            for minute in (self.from_minute, self.to_minute)
        )
        return (start, end) if start < end else None

    def meets(self, other: "Window", zone: ZoneInfo) -> bool:
        """Tell whether two windows have a moment in common, on whatever day."""
        if self.days and other.days:
            same_day = Days.ALL in (self.days, other.days) or self.days is other.days
            return same_day and self.from_minute < other.to_minute and other.from_minute < self.to_minute
        once, repeats = (self, other) if self.days is None else (other, self)
        first = _midnight(once.start_s, zone)
        found = [repeats.from_day(first + timedelta(days=ahead), zone) for ahead in range(2)]
        return any(span is not None and span[0] < once.end_s and once.start_s < span[1] for span in found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """An offer's conditions, the same for whoever accepts them.

    Args:
        windows: When it asks for what; one or more.
        most_windows: After how many windows a contract is over.
        until_s: No window ends later.
        accept_by_s: Last second in which it can be accepted.
        power_w: What all who accept may promise together in either direction.
        basis: What the windows' prices mean.
        most_micro_per_kwh: The most that is paid for a kWh, whatever the grid's prices.
        availability_micro_per_kw_h: For each kW promised and hour of a window, called or not.
        penalty_micro_per_kwh: For each kWh missed.
        rule: What part delivery earns.
        whole_permille: From which part of the promise on all counts as delivered.
        baseline: What delivery is measured against.
        adjust_permille: How far the same-day adjustment may go, of the window's mean baseline; 0 for none.
        trigger: What calls a window.
        notice_s: From the call to the start.
        leave_s: Windows that start within this from a member's leaving still bind.
        dispute_s: How long either side may dispute what was measured, before it is paid.
        resolve_s: How long a dispute holds a payment; what was measured is paid after that.
        arbiter: Who may resolve a dispute alone.
        zone: Whose assets may accept; None for anyone's.

    Raises:
        InvalidValue: Something contradicts itself.
    """

    windows: tuple[Window, ...]
    most_windows: int
    until_s: int
    accept_by_s: int
    power_w: int
    basis: Basis
    most_micro_per_kwh: int
    availability_micro_per_kw_h: int = 0
    penalty_micro_per_kwh: int = 0
    rule: PaymentRule = PaymentRule.PRO_RATA
    whole_permille: int = 1000
    baseline: BaselineRule = BaselineRule.TEN_LIKE_DAYS
    adjust_permille: int = 200
    trigger: Trigger = Trigger()
    notice_s: int = 0
    leave_s: int = 0
    dispute_s: int = 86_400
    resolve_s: int = 30 * 86_400
    arbiter: AccountId | None = None
    zone: str | None = None

    def __post_init__(self) -> None:
        if not self.windows or not 0 < self.most_windows <= MOST_WINDOWS:
            raise InvalidValue(f"a contract has windows, and {MOST_WINDOWS} at most, was {self.most_windows}")
        if self.accept_by_s >= self.until_s or self.power_w <= 0 or not 0 < self.whole_permille <= 1000:
            raise InvalidValue("a contract is accepted before it ends, asks for power, and for no more than all of it")
        numbers = (self.most_micro_per_kwh, self.availability_micro_per_kw_h, self.penalty_micro_per_kwh)
        if (
            min(*numbers, self.adjust_permille, self.notice_s, self.leave_s) < 0
            or min(self.dispute_s, self.resolve_s) < 1
        ):
            raise InvalidValue("what is paid, waited for or adjusted is zero or more, and a dispute takes its time")
        prices = [window.price_micro_per_kwh for window in self.windows]
        if self.basis is Basis.ON_TOP and not all(0 <= price <= self.most_micro_per_kwh for price in prices):
            raise InvalidValue(f"what comes on top is zero or more and no more than the most, was {prices}")

    def next_window(self, after_s: int, zone: ZoneInfo) -> tuple[int, int, int] | None:
        """Return the first window that starts at or after an instant: its number, start and end, seconds since 1970.

        Of two that start together the first named stands. None where the contract ends before.
        """
        local = _midnight(after_s, zone)
        found = [
            (start_s, number, end_s)
            for number, start_s, end_s in self._around(local, zone)
            if start_s >= after_s and end_s <= self.until_s
        ]
        if not found:
            return None
        start_s, number, end_s = min(found)
        return number, start_s, end_s

    def meets(self, other: "Terms", zone: ZoneInfo) -> bool:
        """Tell whether some window of one has a moment in common with some window of the other."""
        return any(mine.meets(theirs, zone) for mine in self.windows for theirs in other.windows)

    def _around(self, local: datetime, zone: ZoneInfo) -> Iterator[tuple[int, int, int]]:
        for number, window in enumerate(self.windows):
            for ahead in range(_LOOK_DAYS if window.days else 1):
                found = window.from_day(local + timedelta(days=ahead), zone)
                if found:
                    yield number, *found


def _midnight(at_s: int, zone: ZoneInfo) -> datetime:
    """Return the local midnight before an instant, as a clock on the wall shows it."""
    return instant(at_s).astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)

"""Facts that oracles sign about the world outside, and what they call (row E13)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from commonwatt.market.contracts.terms import Direction, Terms, Trigger, Window
from commonwatt.model import SLOT_SECONDS, AccountId

NUMBERS = frozenset({Trigger.PRICE_ABOVE, Trigger.PRICE_BELOW, Trigger.FREQUENCY_ABOVE, Trigger.FREQUENCY_BELOW})


@dataclass(frozen=True, slots=True, kw_only=True)
class Frequency:
    """The grid's frequency over a second or a slot, mHz."""

    at_s: int
    seconds: int
    millihertz: int

    @property
    def subject(self) -> str:
        """What it is about: who says two things about one subject contradicts themselves."""
        return f"frequency {self.at_s} {self.seconds}"

    @property
    def over_s(self) -> int:
        """When what it is about is over, seconds since 1970."""
        return self.at_s + self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class GridEvent:
    """An event that somebody who knows has announced: from when to when, where (None for everywhere), which way."""

    name: str
    start_s: int
    end_s: int
    direction: Direction
    zone: str | None = None

    @property
    def subject(self) -> str:
        """As of a frequency; the direction is part of what is said, not of what it is about."""
        return f"event {self.name} {self.start_s} {self.zone or ''}"

    @property
    def over_s(self) -> int:
        """When it is over."""
        return self.end_s


def enough_say(terms: Terms, said: Mapping[AccountId, Frequency | GridEvent], told: Frequency | GridEvent) -> bool:
    """Tell whether a quorum says what calls a contract.

    Of a frequency those agree who measured it beyond the threshold in the same second or slot: two meters never show
    the same millihertz. Of an event those agree who say word for word the same.

    Args:
        terms: The contract's.
        said: What each oracle's account says of one subject.
        told: What was said last.
    """
    if isinstance(told, GridEvent):
        return sum(other == told for other in said.values()) >= terms.quorum
    beyond = [one for one in said.values() if isinstance(one, Frequency) and crosses(terms, one.millihertz)]
    return len(beyond) >= terms.quorum


def crosses(terms: Terms, value: int) -> bool:
    """Tell whether a price or a frequency lies beyond the threshold of a contract's trigger."""
    if terms.threshold is None:
        return False
    above = terms.trigger in (Trigger.PRICE_ABOVE, Trigger.FREQUENCY_ABOVE)
    return value > terms.threshold if above else value < terms.threshold


def concerns(terms: Terms, window: Window, told: Frequency | GridEvent) -> bool:
    """Tell whether a fact is one that could call a window: of its kind, in its time, its place and its direction."""
    if isinstance(told, Frequency):
        about = terms.trigger in (Trigger.FREQUENCY_ABOVE, Trigger.FREQUENCY_BELOW)
        return about and window.start_s <= told.at_s < window.end_s
    here = told.zone is None or told.zone == terms.zone
    during = told.start_s < window.end_s and window.start_s < told.end_s
    return (
        terms.trigger is Trigger.EVENT
        and told.name == terms.event
        and here
        and during
        and told.direction is window.direction
    )


def span(terms: Terms, window: Window, told_s: int, from_s: int, to_s: int | None = None) -> tuple[int, int] | None:
    """Return the whole slots for which a window is called, or None where the fact comes too late for any.

    Args:
        terms: The contract's.
        window: Which.
        told_s: When the quorum was there, by the log's time; members have their notice from then.
        from_s: From when on the fact calls.
        to_s: Until when; None for the window's end.
    """
    begins_s = max(window.start_s, _whole_slot(told_s + terms.notice_s), _whole_slot(from_s))
    ends_s = window.end_s if to_s is None else min(window.end_s, to_s // SLOT_SECONDS * SLOT_SECONDS)
    if terms.lasts_s is not None:
        ends_s = min(ends_s, begins_s + terms.lasts_s)
    return (begins_s, ends_s) if begins_s < ends_s else None


def crossing(terms: Terms, window: Window, prices: Iterable[tuple[int, int]]) -> tuple[int, int] | None:
    """Return from the first to the last slot of a window whose price calls it, or None.

    Args:
        terms: The contract's.
        window: Which.
        prices: Start of a slot and its import price, in micro per kWh.
    """
    beyond = [slot_s for slot_s, price in prices if window.start_s <= slot_s < window.end_s and crosses(terms, price)]
    return (min(beyond), max(beyond) + SLOT_SECONDS) if beyond else None


def _whole_slot(at_s: int) -> int:
    return -(-at_s // SLOT_SECONDS) * SLOT_SECONDS

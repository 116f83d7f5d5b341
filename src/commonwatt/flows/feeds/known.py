"""What was known of a series at a time, slot by slot: from whom, how old, and where nobody spoke, what is usual."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from itertools import pairwise

from commonwatt.flows.feeds.ports import IssueStore
from commonwatt.flows.feeds.series import Issue, Topic, What
from commonwatt.model import SLOT_SECONDS, Interval, epoch, instant, round_div

USUAL_DAYS = 7
_DAY = timedelta(days=1)
STALE_S = {
    What.PRICE: 2 * 86_400,
    What.CARBON: 6 * 3_600,
    What.TEMPERATURE: 12 * 3_600,
    What.CLOUD: 12 * 3_600,
    What.RADIATION: 12 * 3_600,
}
"""From what age on an issue is the last known one rather than a fresh one: as often as its publishers renew it."""


class Origin(StrEnum):
    """Where a value is from; in this order they are looked for."""

    FIRST = "first"
    """The source that is named first, lately heard."""
    NEXT = "next"
    """Another source, lately heard."""
    OLD = "old"
    """Some source's last issue that speaks of the slot, though it is old."""
    USUAL = "usual"
    """Nobody published it: the mean of the same time on the last days of which something was known."""
    NONE = "none"
    """Nothing is known, and nothing is made up."""

    @property
    def published(self) -> bool:
        """Tell whether somebody published the value; only such are told to the log, or counted."""
        return self in (Origin.FIRST, Origin.NEXT, Origin.OLD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """What is known of one slot; ``issue`` is the one that says it, None where it is usual or unknown."""

    slot_s: int
    value: int | None
    origin: Origin
    issue: Issue | None


def known(
    store: IssueStore, topic: Topic, sources: Sequence[str], window: Interval, as_of_s: int, *, usual: bool = True
) -> list[Value]:
    """Return what was known at a time of each slot of a window; the same whenever it is asked again.

    Args:
        store: What was heard, and when.
        topic: Of what.
        sources: Who publishes it, in the order in which they are trusted; others are not listened to.
        window: Whole slots.
        as_of_s: What was heard later is not looked at.
        usual: Whether what nobody published is filled with what is usual at that time of day, and says so.
    """
    slots = range(epoch(window.start), epoch(window.end), SLOT_SECONDS)
    found = _published(store, topic, sources, window, as_of_s)
    habits: dict[int, int] = {}
    if usual and len(found) < len(slots):
        habits = _habits(store, topic, sources, as_of_s)
    nothing = Value(slot_s=0, value=None, origin=Origin.NONE, issue=None)
    told = []
    for slot_s in slots:
        one = found.get(slot_s, nothing)
        if one is nothing and (habit := habits.get(slot_s % 86_400)) is not None:
            one = Value(slot_s=slot_s, value=habit, origin=Origin.USUAL, issue=None)
        told.append(Value(slot_s=slot_s, value=one.value, origin=one.origin, issue=one.issue))
    return told


def _published(
    store: IssueStore, topic: Topic, sources: Sequence[str], window: Interval, as_of_s: int
) -> dict[int, Value]:
    """Return what somebody published: lately by the sources in their order, else what was heard last of all."""
    first_s, end_s = epoch(window.start), epoch(window.end)
    rank = {source: n for n, source in enumerate(sources)}
    fresh: list[dict[int, Value]] = [{} for _ in sources]
    old: dict[int, Value] = {}
    whole = (end_s - first_s) // SLOT_SECONDS
    for issue in store.issues(topic, window, as_of_s):
        n = rank.get(issue.source)
        if n is None:
            continue
        # What was measured does not age.
        lately = topic.measured or as_of_s - issue.heard_s <= STALE_S[topic.what]
        kept, origin = (fresh[n], Origin.NEXT if n else Origin.FIRST) if lately else (old, Origin.OLD)
        for slot_s, value in issue.slots():
            if first_s <= slot_s < end_s and slot_s not in kept:
                kept[slot_s] = Value(slot_s=slot_s, value=value, origin=origin, issue=issue)
        if len(fresh[0]) == whole:
            break  # whatever was heard before does not count
    found = dict(old)
    for kept in reversed(fresh):
        found |= kept
    return found


def _habits(store: IssueStore, topic: Topic, sources: Sequence[str], as_of_s: int) -> dict[int, int]:
    """Return the mean of each time of day over the last days; what was measured counts before what was forecast."""
    end = instant(as_of_s // SLOT_SECONDS * SLOT_SECONDS)
    past = Interval(end - USUAL_DAYS * _DAY, end)
    by_time: dict[int, list[int]] = {}
    for of in (Topic(topic.what, topic.place, measured=True), Topic(topic.what, topic.place)):
        for slot_s, one in _published(store, of, sources, past, as_of_s).items():
            assert one.value is not None
            by_time.setdefault(slot_s % 86_400, []).append(one.value)
        if by_time:
            break
    return {time_s: round_div(sum(values), len(values)) for time_s, values in by_time.items()}


def runs(slots: Sequence[int], most: int) -> list[list[int]]:
    """Return ascending slots parted where one is missing, and after so many."""
    parts: list[list[int]] = [[slots[0]]] if slots else []
    for before, slot_s in pairwise(slots):
        if slot_s - before != SLOT_SECONDS or len(parts[-1]) == most:
            parts.append([])
        parts[-1].append(slot_s)
    return parts

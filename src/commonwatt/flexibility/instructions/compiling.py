"""From power slot by slot to instructions and back, and several schedules as one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from commonwatt.flexibility.dispatch import lower
from commonwatt.model import SLOT, Asset, Instruction, Interval, InvalidValue, Schedule, Verb, round_div

FULL_W = 10**9
"""A target that no asset reaches: it stands for as much as the asset can."""
LEAST_W = 1
"""A target below what any asset can do: it stands for as little as the asset can without stopping."""
_TICK = timedelta(microseconds=1)
_SLOT_TICKS = SLOT // _TICK


def compile(
    power_w: Sequence[int],
    start: datetime,
    *,
    before_w: int = 0,
    runs: Sequence[tuple[int, int]] | None = None,
    reason: Callable[[int, int], str] = lambda first, mean_w: "",
    balance_w: Mapping[int, int] | None = None,
) -> tuple[Instruction, ...]:
    """Return the instructions that bring about a power in each slot.

    Args:
        power_w: Import positive, one value per slot.
        start: Of the first slot, UTC.
        before_w: What was told last; decides between START and INCREASE.
        runs: Which slots, from one up to another, stand as one entry with their mean power: one after the other, all
            of them. Where nothing is said, neighbours of equal power do, and `powers` gives every slot back.
        reason: Tells the reason of an entry from its first slot and its power.
        balance_w: The line to hold in a slot, see `Band`; for slots that stand alone.
    """
    held = balance_w or {}
    told = []
    for first, last in _equal(power_w) if runs is None else runs:
        mean_w = round(sum(power_w[first:last]) / (last - first))
        entry = Instruction(
            verb=verb(before_w, mean_w),
            interval=Interval(start + first * SLOT, start + last * SLOT),
            power_w=mean_w,
            expected_wh=expected_wh(sum(power_w[first:last]), SLOT),
            reason=reason(first, mean_w),
            balance_w=held.get(first) if last == first + 1 else None,
        )
        told.append(entry)
        before_w = mean_w
    return tuple(told)


def powers(schedule: Schedule, start: datetime, slots: int, asset: Asset | None = None) -> tuple[int, ...]:
    """Return the power that a schedule asks for in each of some slots, W, import positive; 0 where it says nothing.

    Of instructions that begin or end within a slot their mean counts.

    Args:
        schedule: Of one asset.
        start: Of the first slot, UTC.
        slots: How many.
        asset: Where given, what it can do of what is asked.
    """
    ticks_w = [0] * slots
    for entry in schedule.instructions:
        power_w = _asked_w(entry, asset)
        first = max(0, (entry.interval.start - start) // SLOT)
        last = min(slots, -((start - entry.interval.end) // SLOT))
        for slot in range(first, last):
            begins = start + slot * SLOT
            shared = min(entry.interval.end, begins + SLOT) - max(entry.interval.start, begins)
            ticks_w[slot] += power_w * (shared // _TICK)
    return tuple(round_div(ticks, _SLOT_TICKS) for ticks in ticks_w)


def merge(schedules: Sequence[Schedule], window: Interval | None = None) -> Schedule:
    """Return several schedules of one asset as the one that is in force.

    The later issued replaces the earlier from its start on, which is where its first instruction begins or, having
    none, when it was issued. Neighbours that ask for the same, for the same reason, become one.

    Args:
        schedules: At least one, in any order; of those issued together the last one counts.
        window: What lies outside is cut off: it slides on from plan to plan.

    Raises:
        InvalidValue: There is none, they are of several assets, or one says two things about one time.
    """
    if len({schedule.asset for schedule in schedules}) != 1:
        raise InvalidValue(f"schedules of one asset are merged, was {sorted({one.asset for one in schedules})}")
    held: list[Instruction] = []
    for schedule in sorted(schedules, key=lambda one: one.issued):
        entries = in_order(schedule)
        starts = entries[0].interval.start if entries else schedule.issued
        held = [*_between(held, None, starts), *entries]
        issued = schedule.issued
    if window is not None:
        held = _between(held, window.start, window.end)
    return Schedule(asset=schedules[0].asset, issued=issued, instructions=tuple(_joined(held)))


def verb(before_w: int, now_w: int) -> Verb:
    """Return the word for going from one power to another (row X2); import positive.

    Staying at a power is told by the word that brought it about, so that each entry can be read alone.
    """
    if now_w == 0:
        return Verb.STOP_SUPPLY if before_w < 0 else Verb.STOP_CHARGE
    if now_w > 0:
        start, more, less = Verb.START_CHARGE, before_w < now_w, before_w > now_w
        same_way = before_w > 0
    else:
        start, more, less = Verb.SUPPLY, before_w > now_w, before_w < now_w
        same_way = before_w < 0
    if not same_way or not (more or less):
        return start
    return Verb.INCREASE_RATE if more else Verb.REDUCE_RATE


def check_entry(entry: Instruction) -> None:
    """Refuse a word with a target that it cannot mean.

    Raises:
        InvalidValue: It says which.
    """
    match entry.verb:
        case Verb.START_CHARGE:
            means, wanted = entry.power_w > 0, "above zero"
        case Verb.SUPPLY:
            means, wanted = entry.power_w < 0, "below zero"
        case Verb.STOP_CHARGE | Verb.STOP_SUPPLY:
            means, wanted = entry.power_w == 0, "of zero"
        case _:
            means, wanted = entry.power_w != 0, "above or below zero"
    if not means or abs(entry.power_w) > FULL_W:
        raise InvalidValue(f"{entry.verb} takes a power {wanted}, up to a gigawatt, was {entry.power_w} W")


def in_order(schedule: Schedule) -> list[Instruction]:
    """Return a schedule's instructions as they follow each other.

    Raises:
        InvalidValue: Two are about one time.
    """
    entries = sorted(schedule.instructions, key=lambda entry: entry.interval)
    for before, after in pairwise(entries):
        if before.interval.overlaps(after.interval):
            at = after.interval.start.isoformat()
            raise InvalidValue(f"a schedule says one thing at a time, {schedule.asset} has two at {at}")
    return entries


def expected_wh(power_w: int, lasts: timedelta) -> int:
    """Return the energy of a power over a time, Wh, halves to even."""
    return round_div(power_w * (lasts // _TICK), timedelta(hours=1) // _TICK)


def _asked_w(entry: Instruction, asset: Asset | None) -> int:
    if asset is not None and entry.balance_w is None:
        return lower(asset, entry).hi_w
    return 0 if entry.verb in (Verb.STOP_CHARGE, Verb.STOP_SUPPLY) else entry.power_w


def _equal(power_w: Sequence[int]) -> list[tuple[int, int]]:
    firsts = [slot for slot in range(len(power_w)) if slot == 0 or power_w[slot] != power_w[slot - 1]]
    return list(pairwise([*firsts, len(power_w)]))


def _between(entries: Sequence[Instruction], start: datetime | None, end: datetime) -> list[Instruction]:
    kept = []
    for entry in entries:
        begins = max(entry.interval.start, start) if start else entry.interval.start
        ends = min(entry.interval.end, end)
        if begins < ends:
            left = Interval(begins, ends)
            kept.append(entry if left == entry.interval else _part(entry, left))
    return kept


def _part(entry: Instruction, left: Interval) -> Instruction:
    whole = (entry.interval.end - entry.interval.start) // _TICK
    part = (left.end - left.start) // _TICK
    return replace(entry, interval=left, expected_wh=round_div(entry.expected_wh * part, whole))


def _joined(entries: Sequence[Instruction]) -> list[Instruction]:
    joined: list[Instruction] = []
    for entry in entries:
        last = joined[-1] if joined else None
        if last and last.interval.end == entry.interval.start and _same(last, entry):
            span = Interval(last.interval.start, entry.interval.end)
            joined[-1] = replace(last, interval=span, expected_wh=last.expected_wh + entry.expected_wh)
        else:
            joined.append(entry)
    return joined


def _same(one: Instruction, other: Instruction) -> bool:
    return (one.power_w, one.balance_w, one.reason) == (other.power_w, other.balance_w, other.reason)

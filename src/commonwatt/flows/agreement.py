"""What owners' consent leaves of what is planned (row X3): of an envelope, and of a schedule."""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from commonwatt.assets import levels
from commonwatt.model import (
    SLOT,
    SLOT_SECONDS,
    Consent,
    ConsentMode,
    Envelope,
    Interval,
    Schedule,
    epoch,
    instant,
    slots_of,
)

ROOM_PERMILLE = 10
"""How much of a store is kept above its owner's least level: powers and levels are rounded on their way."""
TO_DECIDE_S = 2 * SLOT_SECONDS
"""How long at least an owner has who is asked, from the start of the slot in which the plan is made."""


def asked_from(now: datetime, consent: Consent) -> datetime | None:
    """Return the start of the first slot that can be planned for: None means now, where the owner is not asked."""
    if consent.mode is not ConsentMode.ASK:
        return None
    first_s = epoch(now) + TO_DECIDE_S + (consent.decide_s or 0)
    return instant(-(-first_s // SLOT_SECONDS) * SLOT_SECONDS)


def bounded(envelope: Envelope, consent: Consent, now: datetime, zone: ZoneInfo) -> Envelope:
    """Return what an owner lets be planned of a storing asset from an instant on.

    Where it holds less than its least level already, its supply is left out until it holds more again.
    """
    if consent.mode is ConsentMode.ALWAYS:
        return envelope
    store, first = envelope.store, asked_from(now, consent)
    assert store is not None, f"{envelope.asset} stores nothing"
    slots = [Interval(now + n * SLOT, now + (n + 1) * SLOT) for n in range(len(envelope.lo_w))]
    free = [(first is None or slot.start >= first) and consent.open_during(slot, zone) for slot in slots]
    supply_w = max(-min(envelope.lo_w), 0) if consent.most_supply_w is None else consent.most_supply_w
    floor_wh = 0
    if consent.least_percent:
        room_wh = store.capacity_wh * ROOM_PERMILLE // 1000
        floor_wh = min(consent.floor_wh(store.capacity_wh) + room_wh, store.capacity_wh)
    if store.level_now_wh < floor_wh:
        supply_w = floor_wh = 0
    level_min_wh = tuple(max(floor_wh, told) for told in store.level_min_wh)
    level_max_wh = tuple(map(max, store.level_max_wh, level_min_wh))
    changed = replace(
        envelope,
        lo_w=tuple(max(lo, -supply_w) if is_free else 0 for lo, is_free in zip(envelope.lo_w, free, strict=True)),
        hi_w=tuple(hi if is_free else 0 for hi, is_free in zip(envelope.hi_w, free, strict=True)),
        store=replace(store, level_min_wh=level_min_wh, level_max_wh=level_max_wh),
        direct=consent.direct,
    )
    return levels.within_reach(changed)


def allowed(schedule: Schedule, consent: Consent, zone: ZoneInfo) -> Schedule | None:
    """Return what of a schedule goes to the log, or None: its owner's hours, or from the first slot they are asked of.

    What is cut off rests. A schedule that only rests is not asked for, and an asked one ends with its last movement.
    """
    if consent.hours is None and consent.mode is not ConsentMode.ASK:
        return schedule
    first = asked_from(schedule.issued, consent)
    entries = []
    for entry in schedule.instructions:
        left = [
            slot
            for slot in slots_of(entry.interval)
            if (first is None or slot.start >= first) and consent.open_during(slot, zone)
        ]
        entries += [entry] if entry.power_w else [replace(entry, interval=span) for span in _joined(left)]
    if consent.mode is ConsentMode.ASK:
        moving = [place for place, entry in enumerate(entries) if entry.power_w]
        entries = entries[: moving[-1] + 1] if moving else []
    return replace(schedule, instructions=tuple(entries)) if entries else None


def _joined(slots: list[Interval]) -> list[Interval]:
    joined: list[Interval] = []
    for slot in slots:
        if joined and joined[-1].end == slot.start:
            joined[-1] = Interval(joined[-1].start, slot.end)
        else:
            joined.append(slot)
    return joined

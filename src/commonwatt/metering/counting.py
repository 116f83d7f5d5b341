"""From a meter's two counters to the readings of a batch: what was not read is estimated, and told again once it was.

For whoever reads meters, a real gateway or a simulated one: it keeps one `Count` for each meter, durably, hands over
what it could read, and sends what comes back. Only what a counter itself tells of a single slot is measured. Slots of
which only the sum is known, or nothing, are estimated and marked; values that arrive later, such as a meter's own
record of past slots, part them again, and what is then known replaces the estimates.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from commonwatt.metering.batch import LATEST_S, Flag, Item, Quality
from commonwatt.metering.check import ROUNDING_WH
from commonwatt.metering.estimate import estimate_missing, like_days
from commonwatt.metering.parting import Exchange, Parting, Shown, Stretch, judge, spread
from commonwatt.metering.registers import Happened, Register, advance
from commonwatt.model import SLOT_SECONDS, SLOTS_PER_DAY, Asset, InvalidValue, Reading, slot_from

DAY_S = SLOTS_PER_DAY * SLOT_SECONDS
KEPT_S = 14 * DAY_S
"""How long a late value may still part what is known by its sum; no community corrects what is older."""

LONGEST_S = 400 * DAY_S
"""What passes between two values at most; a meter that was silent for longer begins anew."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What was measured of one slot, in Wh: the past from which estimates are made."""

    slot_s: int
    import_wh: int
    export_wh: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How far one meter is known to have come, and what was told of it: all that a gateway must not forget.

    Args:
        place: Which meter behind its gateway, as `Item.register`.
        imported: Its counter of what comes in; as far as it was believed.
        exported: Its counter of what goes out, read at the same moments.
        stretches: What lies between two values: the last one, and all of which only the sum is known.
        exchanges: What was announced of resets that no value has passed yet, by time.
        told_s: Slots of which something was told lately.
        levels_wh: Start of a slot and level at its end, for those lately; for things that store.
        past: What was measured, by time: as many like days as an estimate asks.
    """

    place: int
    imported: Register
    exported: Register
    stretches: tuple[Stretch, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    told_s: tuple[int, ...] = ()
    levels_wh: tuple[tuple[int, int], ...] = ()
    past: tuple[Counted, ...] = ()

    @property
    def shown(self) -> Shown:
        """Return the last value that was believed."""
        return Shown(at_s=self.imported.at_s, import_wh=self.imported.value_wh, export_wh=self.exported.value_wh)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What comes of a reading, or of a missed one.

    Args:
        count: From now on.
        items: What to send, by start; their blinds are still to be drawn.
        doubts: Why values were not believed, one each.
    """

    count: Count
    items: tuple[Item, ...] = ()
    doubts: tuple[str, ...] = ()


def begin(place: int, first: Shown, rollover_at_wh: int | None = None, resolution_wh: int = ROUNDING_WH) -> Count:
    """Return the count of a meter that was read for the first time; nothing is told of the time before.

    Raises:
        InvalidValue: The value lies outside the counters, or its moment between two slots.
    """
    _check_moment(first)
    imported, exported = (
        Register(value_wh=value_wh, at_s=first.at_s, rollover_at_wh=rollover_at_wh, resolution_wh=resolution_wh)
        for value_wh in (first.import_wh, first.export_wh)
    )
    return Count(place=place, imported=imported, exported=exported)


def announce(count: Count, exchange: Exchange) -> Count:
    """Take in that a meter's counters were set back, or the meter exchanged, before a value from after it is read.

    One of the same moment takes the place of the one announced before: that one was wrong, or is the same.

    Raises:
        InvalidValue: It lies before the last value that was believed.
    """
    if exchange.at_s < count.imported.at_s:
        raise InvalidValue(
            f"a reset is announced before a value from after it is read, "
            f"was {exchange.at_s} s after the value of {count.imported.at_s} s"
        )
    announced = {known.at_s: known for known in (*count.exchanges, exchange)}
    return replace(count, exchanges=tuple(announced[at_s] for at_s in sorted(announced)))


def read(
    count: Count, asset: Asset, values: Sequence[Shown], zone: ZoneInfo, levels_wh: Iterable[tuple[int, int]] = ()
) -> Told:
    """Take in what a meter's counters showed at ends of slots, and return the readings that follow.

    A value that cannot be believed changes nothing; what it was read for stays untold until a later one can be.

    Args:
        count: What is known so far.
        asset: What is metered, with its registered limits (row M6).
        values: In any order: the counters as they stand now, and the meter's own record of earlier slots.
        zone: The community's clock, for estimates by like days.
        levels_wh: Start of a slot and level at its end.

    Raises:
        InvalidValue: A value is of a moment between two slots, or beyond the year 3000.
    """
    doubts: list[str] = []
    known, count = set(count.stretches), _with_levels(count, levels_wh)
    for value in sorted(values, key=lambda value: value.at_s):
        _check_moment(value)
        found = _take(count, asset, value)
        if isinstance(found, str):
            doubts.append(found)
        else:
            count = found
    items: list[Item] = []
    for stretch in sorted(set(count.stretches) - known, key=lambda stretch: stretch.start.at_s):
        fresh = _items(count, asset, stretch, zone)
        count = _with_past(count, fresh, zone)
        items += fresh
    told = Told(count=_told(count, items), items=tuple(items), doubts=tuple(doubts))
    return replace(told, count=_pruned(told.count))


def missed(count: Count, asset: Asset, slot_s: int, zone: ZoneInfo, levels_wh: Iterable[tuple[int, int]] = ()) -> Told:
    """Take in that a meter could not be read at the end of a slot, and return its estimate where like days tell one.

    Nothing is guessed of what stores: its energy is what was done with it, not what the time of day brings.

    Raises:
        InvalidValue: It starts between two slots.
    """
    gap, count = slot_from(slot_s), _with_levels(count, levels_wh)
    if slot_s < count.imported.at_s or slot_s in count.told_s or asset.stores:
        return Told(count=_pruned(count))
    guesses = estimate_missing(asset.id, gap, _history(count, asset), zone)
    items = tuple(
        Item(
            start_s=slot_s,
            register=count.place,
            import_wh=guess.reading.import_wh,
            export_wh=guess.reading.export_wh,
            quality=guess.quality,
        )
        for guess in guesses
    )
    return Told(count=_pruned(_told(count, items)), items=items)


def _take(count: Count, asset: Asset, value: Shown) -> Count | str:
    """Return the count with one more value, or why that value cannot be believed."""
    if value.at_s < count.imported.at_s:
        return _part(count, asset, value)
    if value.at_s == count.imported.at_s:
        return _correct(count, asset, value)
    if value.at_s - count.imported.at_s > LONGEST_S:
        days = -(-(value.at_s - count.imported.at_s) // DAY_S)
        return f"value lies too long after the last one: found {days} days, limit {LONGEST_S // DAY_S} days"
    passed = tuple(exchange for exchange in count.exchanges if exchange.at_s < value.at_s)
    stretch = Stretch(start=count.shown, end=value, exchanges=passed)
    found = judge(stretch, asset, count.imported, count.exported)
    if isinstance(found, str):
        return found
    return replace(
        count,
        imported=found.imported[-1].register,
        exported=found.exported[-1].register,
        stretches=(*count.stretches, stretch),
        exchanges=count.exchanges[len(passed) :],
    )


def _part(count: Count, asset: Asset, value: Shown) -> Count | str:
    """Part a stretch in two where a late value lies within one; elsewhere it tells nothing new."""
    whole = next((s for s in count.stretches if s.start.at_s < value.at_s < s.end.at_s), None)
    if whole is None:
        return count
    # The counter still shows its old value at the very moment of a reset.
    first = Stretch(start=whole.start, end=value, exchanges=tuple(e for e in whole.exchanges if e.at_s < value.at_s))
    second = Stretch(start=value, end=whole.end, exchanges=whole.exchanges[len(first.exchanges) :])
    found = [judge(stretch, asset, count.imported, count.exported) for stretch in (whole, first, second)]
    for verdict in found:
        if isinstance(verdict, str):
            return verdict
    in_all, *parts = (verdict for verdict in found if isinstance(verdict, Parting))
    sums_wh = tuple(map(sum, zip(*(part.sums_wh for part in parts), strict=True)))
    if not in_all.gaps and sums_wh != in_all.sums_wh:
        found_wh, sum_wh = (" and ".join(map(str, wh)) for wh in (sums_wh, in_all.sums_wh))
        return f"a late value parts a sum and leaves it: found {found_wh} Wh, sum {sum_wh} Wh"
    stretches = [s for s in count.stretches if s is not whole]
    return replace(count, stretches=tuple(sorted([*stretches, first, second], key=lambda s: s.start.at_s)))


def _correct(count: Count, asset: Asset, value: Shown) -> Count | str:
    """Put another value in the place of the last one; the same value again changes nothing."""
    if value == count.shown:
        return count
    if not count.stretches:  # nothing was counted from it yet, so only the beginning moves
        steps = [
            advance(count.imported, value.import_wh, value.at_s, asset.max_import_w),
            advance(count.exported, value.export_wh, value.at_s, asset.max_export_w),
        ]
        if doubted := next((step for step in steps if step.happened is Happened.DOUBTED), None):
            return doubted.why
        return replace(count, imported=steps[0].register, exported=steps[1].register)
    last = replace(count.stretches[-1], end=value)
    found = judge(last, asset, count.imported, count.exported)
    if isinstance(found, str):
        return found
    return replace(
        count,
        imported=replace(found.imported[-1].register, resets=count.imported.resets),
        exported=replace(found.exported[-1].register, resets=count.exported.resets),
        stretches=(*count.stretches[:-1], last),
    )


def _items(count: Count, asset: Asset, stretch: Stretch, zone: ZoneInfo) -> list[Item]:
    """Return what a stretch tells of its slots: a measurement of a single one, estimates of several."""
    found = judge(stretch, asset, count.imported, count.exported)
    assert isinstance(found, Parting), "a stretch was judged before it was kept"
    slots, levels = stretch.slots, dict(count.levels_wh)
    measured = len(slots) == 1 and not found.gaps
    parts = {slots[0]: found.sums_wh}
    if not measured:
        parts = spread(stretch, found, asset, _history(count, asset), levels, zone)
    turned = any(step.happened is Happened.ROLLED_OVER for step in (*found.imported, *found.exported))
    items = []
    for slot_s, (import_wh, export_wh) in parts.items():
        flags = Flag.CORRECTS if slot_s in count.told_s else Flag.NONE
        if any(slot_s <= exchange.at_s < slot_s + SLOT_SECONDS for exchange in stretch.exchanges):
            flags |= Flag.RESET
        if turned and slot_s == slots[-1]:
            flags |= Flag.ROLLED_OVER
        items.append(
            Item(
                start_s=slot_s,
                register=count.place,
                import_wh=import_wh,
                export_wh=export_wh,
                level_wh=levels.get(slot_s) if asset.stores else None,
                quality=Quality.MEASURED if measured else Quality.ESTIMATED,
                flags=flags,
            )
        )
    return items


def _history(count: Count, asset: Asset) -> list[Reading]:
    return [
        Reading(
            asset=asset.id, interval=slot_from(slot.slot_s), import_wh=slot.import_wh, export_wh=slot.export_wh
        )
        for slot in count.past
    ]  # fmt: skip


def _with_levels(count: Count, levels_wh: Iterable[tuple[int, int]]) -> Count:
    if more := dict(levels_wh):
        return replace(count, levels_wh=tuple(sorted({**dict(count.levels_wh), **more}.items())))
    return count


def _with_past(count: Count, items: Iterable[Item], zone: ZoneInfo) -> Count:
    """Remember what was measured; once a day, forget what no estimate would ask."""
    fresh = {i.start_s: Counted(i.start_s, i.import_wh, i.export_wh) for i in items if i.quality is Quality.MEASURED}
    if not fresh:
        return count
    past = [*count.past, *fresh.values()]
    if len(past) > len(fresh) and min(fresh) <= past[-len(fresh) - 1].slot_s:  # late, or corrected
        past = sorted(
            [*(slot for slot in count.past if slot.slot_s not in fresh), *fresh.values()],
            key=lambda slot: slot.slot_s,
        )
    if past[-1].slot_s % DAY_S == 0:
        kept_s = like_days((slot.slot_s for slot in past), zone)
        past = [slot for slot in past if slot.slot_s in kept_s]
    return replace(count, past=tuple(past))


def _told(count: Count, items: Iterable[Item]) -> Count:
    fresh = {item.start_s for item in items}
    return replace(count, told_s=tuple(sorted(fresh.union(count.told_s)))) if fresh else count


def _pruned(count: Count) -> Count:
    """Let go of stretches that are known slot by slot, and of what is too old to be told again."""
    newest_s = max([count.imported.at_s, *count.told_s[-1:], *(slot_s for slot_s, _ in count.levels_wh[-1:])])
    oldest_s = newest_s - KEPT_S
    stretches = tuple(
        s for s in count.stretches[:-1] if len(s.slots) > 1 and s.end.at_s > oldest_s
    ) + count.stretches[-1:]  # fmt: skip
    if stretches:  # the slot before the first is kept: its level is where the first began
        oldest_s = max(oldest_s, stretches[0].start.at_s - SLOT_SECONDS)
    return replace(
        count,
        stretches=stretches,
        told_s=tuple(slot_s for slot_s in count.told_s if slot_s >= oldest_s),
        levels_wh=tuple(known for known in count.levels_wh if known[0] >= oldest_s),
    )


def _check_moment(value: Shown) -> None:
    if value.at_s % SLOT_SECONDS or not 0 <= value.at_s <= LATEST_S:
        raise InvalidValue(f"a counter is read at the end of a slot, was {value.at_s} s")

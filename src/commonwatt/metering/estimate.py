"""Fill what meters left untold: marked as estimated, minting nothing, and replaced by a later measurement."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from statistics import median_low
from zoneinfo import ZoneInfo

from commonwatt.metering.batch import Quality
from commonwatt.metering.check import ROUNDING_WH
from commonwatt.model import SLOT_SECONDS, AssetId, Interval, InvalidValue, Reading, instant, share_wh, slots_of

LIKE_DAYS = 5
"""How many like days speak: with five, two odd ones still do not decide."""
LEAST_DAYS = 3
"""Of fewer than three, one odd day decides; then nothing is guessed."""
SATURDAY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A reading that nobody measured; its quality goes with it into the batch.

    Raises:
        InvalidValue: It says that it was measured.
    """

    reading: Reading
    quality: Quality = Quality.ESTIMATED

    def __post_init__(self) -> None:
        if self.quality is Quality.MEASURED:
            raise InvalidValue(f"an estimate is not measured, was {self.reading}")

    @property
    def mints(self) -> bool:
        """Tell whether WATT may be minted on it: never, as no meter saw the energy (row E2)."""
        return self.quality.mints


def estimate_missing(asset: AssetId, gap: Interval, history: Iterable[Reading], zone: ZoneInfo) -> list[Estimate]:
    """Estimate the slots of a gap of which nothing is known, each by the same slot on like days before.

    Like days are the working days (Monday to Friday) for one of them, and weekends for a weekend, by the local clock;
    a holiday counts as its weekday. Each estimate is the median of the last five, import and export each for itself,
    the lower of the middle two where they are four. A level is never estimated: it belongs to what was done with a
    battery, not to the time of day.

    Args:
        asset: Whose slots are missing.
        gap: From the start of the first missing slot to the end of the last.
        history: Measured readings, in any order; those of other assets, of other lengths or not before the gap are
            passed over. No estimates: guesses would feed on guesses.
        zone: The community's clock.

    Returns:
        One estimate per slot, in order of time; a slot that fewer than three like days tell of is left out.

    Raises:
        InvalidValue: The gap is not made of whole slots.

    Source: like days of measured values, as in the California VEE rules for interval data (Direct Access Standards
        for Metering and Meter Data, 1999); the median instead of their mean is ours, so that one odd day decides
        nothing.
    """
    typical = _typical(asset, gap, history, zone)
    return [_estimate(asset, slot, *found) for slot, found in typical if found is not None]


def estimate_known(
    asset: AssetId,
    gap: Interval,
    history: Iterable[Reading],
    zone: ZoneInfo,
    *,
    import_wh: int,
    export_wh: int,
    max_import_w: int,
    max_export_w: int,
) -> list[Estimate]:
    """Estimate the slots of a gap whose sums registers tell, in the shape of like days.

    Args:
        asset: Whose slots are missing.
        gap: From the start of the first missing slot to the end of the last.
        history: As for `estimate_missing`; where it leaves out a slot, all slots get the same.
        zone: The community's clock.
        import_wh: What was imported in the whole gap.
        export_wh: What was exported in it.
        max_import_w: The registered limit, kept in every slot, or a slot would be set aside (row M6).
        max_export_w: The same for export.

    Returns:
        One estimate per slot, in order of time; together exactly what is known.

    Raises:
        InvalidValue: The gap is not made of whole slots, or a sum is below zero or above what the limit allows.
    """
    typical = _typical(asset, gap, history, zone)
    told = [found for _, found in typical if found is not None]
    shape = list(zip(*told, strict=True)) if len(told) == len(typical) else [None, None]
    most_import_wh, most_export_wh = (w * SLOT_SECONDS // 3600 + ROUNDING_WH for w in (max_import_w, max_export_w))
    imports_wh = spread_gap(import_wh, len(typical), shape[0], most_import_wh)
    exports_wh = spread_gap(export_wh, len(typical), shape[1], most_export_wh)
    return [
        _estimate(asset, slot, slot_import_wh, slot_export_wh)
        for (slot, _), slot_import_wh, slot_export_wh in zip(typical, imports_wh, exports_wh, strict=True)
    ]


def spread_gap(
    total_wh: int, slots: int, profile: Sequence[int] | None = None, most_wh: int | None = None
) -> list[int]:
    """Spread energy over a gap whose sum is known, losing none.

    Args:
        total_wh: Energy of the whole gap, in Wh, zero or more.
        slots: How many slots it has, one or more.
        profile: One weight per slot, zero or more; where there is none, or all are zero, all slots get the same.
        most_wh: What one slot can have at most; what a profile puts above it goes where there is room, by the room.

    Returns:
        One value per slot in Wh, which sum to the total.

    Raises:
        InvalidValue: There is no slot, the profile has another length or a weight below zero, or the total is
            below zero or more than all slots can have.
    """
    if slots < 1 or (profile is not None and len(profile) != slots):
        raise InvalidValue(f"a gap has slots and one weight for each, was {slots} slots by {profile}")
    shares_wh = share_wh(total_wh, profile if profile is not None and any(profile) else [1] * slots)
    if most_wh is None or max(shares_wh) <= most_wh:
        return shares_wh
    if total_wh > slots * most_wh:
        raise InvalidValue(f"{slots} slots take {most_wh} Wh each at most, was {total_wh} Wh in all")
    kept_wh = [min(share, most_wh) for share in shares_wh]
    moved_wh = share_wh(total_wh - sum(kept_wh), [most_wh - kept for kept in kept_wh])
    return [kept + moved for kept, moved in zip(kept_wh, moved_wh, strict=True)]


def like_days(starts_s: Iterable[int], zone: ZoneInfo) -> set[int]:
    """Return which measured slots an estimate to come may ask for: of each time of day, those of the last like days.

    Args:
        starts_s: Starts of slots, seconds since 1970, in any order.
        zone: The community's clock.
    """
    like: defaultdict[tuple[bool, time], list[int]] = defaultdict(list)
    for start_s in sorted(starts_s):
        like[_day_and_time(instant(start_s), zone)].append(start_s)
    return {start_s for starts in like.values() for start_s in starts[-LIKE_DAYS:]}


def _typical(
    asset: AssetId, gap: Interval, history: Iterable[Reading], zone: ZoneInfo
) -> list[tuple[Interval, tuple[int, int] | None]]:
    """Return each slot of a gap with its typical import and export in Wh, or none where too few days tell."""
    slots = list(slots_of(gap))
    if not slots or slots[0].start != gap.start or slots[-1].end != gap.end:
        raise InvalidValue(f"a gap is made of whole slots, was {gap.start} to {gap.end}")
    before = {
        reading.interval.start: reading
        for reading in history
        if reading.asset == asset and reading.interval.seconds == SLOT_SECONDS and reading.interval.end <= gap.start
    }
    like: defaultdict[tuple[bool, time], list[Reading]] = defaultdict(list)
    for start in sorted(before):
        like[_day_and_time(start, zone)].append(before[start])
    return [(slot, _median(like[_day_and_time(slot.start, zone)][-LIKE_DAYS:])) for slot in slots]


def _median(readings: Sequence[Reading]) -> tuple[int, int] | None:
    if len(readings) < LEAST_DAYS:
        return None
    return median_low([r.import_wh for r in readings]), median_low([r.export_wh for r in readings])


def _day_and_time(start: datetime, zone: ZoneInfo) -> tuple[bool, time]:
    """Return whether a slot lies on a weekend, and when, by the local clock."""
    local = start.astimezone(zone)
    return local.weekday() >= SATURDAY, local.time()


def _estimate(asset: AssetId, slot: Interval, import_wh: int, export_wh: int) -> Estimate:
    return Estimate(reading=Reading(asset=asset, interval=slot, import_wh=import_wh, export_wh=export_wh))

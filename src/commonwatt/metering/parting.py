"""What lies between two values of a meter's counters: how much it is in all, and how it is parted among its slots."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from zoneinfo import ZoneInfo

from commonwatt.metering.check import ROUNDING_WH
from commonwatt.metering.estimate import estimate_known, estimate_missing, spread_gap
from commonwatt.metering.registers import Gap, Happened, Register, Reset, Step, advance
from commonwatt.model import SLOT_SECONDS, Asset, Interval, Reading, epoch, instant

SECONDS_PER_HOUR = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a meter's two counters showed at a moment, in Wh; at the very moment of a reset, before it."""

    at_s: int
    import_wh: int
    export_wh: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """An announcement that a meter's counters were set back, or that the meter was exchanged.

    Args:
        at_s: When, seconds since 1970.
        last: What import and export had come to, in Wh, where anybody read them then.
        first: Where they began again.
    """

    at_s: int
    last: tuple[int, int] | None = None
    first: tuple[int, int] = (0, 0)

    def reset(self, way: int) -> Reset:
        """Return what it is to one of the counters: 0 for import, 1 for export."""
        return Reset(at_s=self.at_s, from_wh=None if self.last is None else self.last[way], to_wh=self.first[way])


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """One slot or several between two values, and the resets among them, each before the later value's moment."""

    start: Shown
    end: Shown
    exchanges: tuple[Exchange, ...] = ()

    @property
    def slots(self) -> range:
        """Return the starts of its slots."""
        return range(self.start.at_s, self.end.at_s, SLOT_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parting:
    """What the counters' steps through a stretch come to, one step for each reset and one more."""

    imported: tuple[Step, ...]
    exported: tuple[Step, ...]

    @property
    def sums_wh(self) -> tuple[int, ...]:
        """Return what was counted of import and of export."""
        return tuple(sum(step.energy_wh for step in steps) for steps in (self.imported, self.exported))

    @property
    def gaps(self) -> list[Gap]:
        """Return what no counter tells of, by time."""
        return [step.gap for step in self.imported if step.gap is not None]


def judge(stretch: Stretch, asset: Asset, imported: Register, exported: Register) -> Parting | str:
    """Follow both counters through a stretch, and return their steps, or why they cannot have gone this way.

    Args:
        stretch: What was shown at its ends, and what was announced of resets.
        asset: Its registered limits (row M6).
        imported: The counter of import, for how it rolls over and moves.
        exported: The same of export.
    """
    both = []
    for way, (register, most_w) in enumerate(((imported, asset.max_import_w), (exported, asset.max_export_w))):
        ends = [(shown.import_wh, shown.export_wh)[way] for shown in (stretch.start, stretch.end)]
        at = Register(
            value_wh=ends[0],
            at_s=stretch.start.at_s,
            rollover_at_wh=register.rollover_at_wh,
            resolution_wh=register.resolution_wh,
            resets=register.resets,
        )
        steps = _steps(at, [exchange.reset(way) for exchange in stretch.exchanges], ends[1], stretch.end.at_s, most_w)
        if doubted := next((step for step in steps if step.happened is Happened.DOUBTED), None):
            return doubted.why
        both.append(steps)
    return Parting(imported=tuple(both[0]), exported=tuple(both[1]))


def _steps(at: Register, resets: Sequence[Reset], value_wh: int, at_s: int, most_w: int) -> list[Step]:
    """Follow one counter up to each of its resets, and from the last one to its value."""
    steps = []
    for reset in resets:
        steps.append(advance(at, reset.to_wh, reset.at_s, most_w, reset))
        at = steps[-1].register
    return [*steps, advance(at, value_wh, at_s, most_w)]


def spread(
    stretch: Stretch,
    found: Parting,
    asset: Asset,
    history: Sequence[Reading],
    levels_wh: Mapping[int, int],
    zone: ZoneInfo,
) -> dict[int, tuple[int, ...]]:
    """Estimate the slots of a stretch so that they come to what was counted of it in all, and no slot passes its limit.

    What no counter tells of because of a reset is estimated by like days, on top; where they tell nothing either,
    its slots are left out, as nobody knows anything of them.

    Args:
        stretch: Several slots, or one with a reset before which nobody read the counter.
        found: Its steps.
        asset: What is metered.
        history: What was measured before.
        levels_wh: Levels at the ends of slots, by their starts: what stores is parted by how its level moved.
        zone: The community's clock.

    Returns:
        Import and export in Wh by slot.
    """
    slots = _counted_slots(stretch, found)
    most_wh = [w * SLOT_SECONDS // SECONDS_PER_HOUR + ROUNDING_WH for w in (asset.max_import_w, asset.max_export_w)]
    # Counters move in steps, so their sum may pass the limit by what they round; then all slots bear it alike.
    most_wh = [max(most, -(-total // len(slots))) for most, total in zip(most_wh, found.sums_wh, strict=True)]
    if not asset.stores and not found.gaps:
        known = estimate_known(
            asset.id,
            Interval(instant(slots[0]), instant(slots[-1] + SLOT_SECONDS)),
            history,
            zone,
            import_wh=found.sums_wh[0],
            export_wh=found.sums_wh[1],
            max_import_w=(most_wh[0] - ROUNDING_WH) * SECONDS_PER_HOUR // SLOT_SECONDS,
            max_export_w=(most_wh[1] - ROUNDING_WH) * SECONDS_PER_HOUR // SLOT_SECONDS,
        )
        return {s: (e.reading.import_wh, e.reading.export_wh) for s, e in zip(slots, known, strict=True)}
    weights = _by_level(slots, levels_wh) if asset.stores else (None, None)
    both = [
        spread_gap(total_wh, len(slots), weigh, most)
        for total_wh, weigh, most in zip(found.sums_wh, weights, most_wh, strict=True)
    ]
    parts = dict(zip(slots, zip(*both, strict=True), strict=True))
    return parts if asset.stores else _with_guesses(stretch, found, asset, history, zone, parts, most_wh)


def _counted_slots(stretch: Stretch, found: Parting) -> list[int]:
    """Return the slots of which the counters tell at least a part; the last is always one."""
    bounds = [stretch.start.at_s, *(exchange.at_s for exchange in stretch.exchanges), stretch.end.at_s]
    counted = [
        span
        for span, step in zip(pairwise(bounds), found.imported, strict=True)
        if step.gap is None and span[0] < span[1]
    ]
    return [s for s in stretch.slots if any(_overlap_s(s, *span) for span in counted)]


def _by_level(slots: Sequence[int], levels_wh: Mapping[int, int]) -> tuple[list[int] | None, list[int] | None]:
    """Return by how much a level rose and fell in each slot, in Wh; none where a level is unknown."""
    levels = [(levels_wh.get(s - SLOT_SECONDS), levels_wh.get(s)) for s in slots]
    moved_wh = [after - before for before, after in levels if before is not None and after is not None]
    if len(moved_wh) < len(slots):
        return None, None
    return [max(0, wh) for wh in moved_wh], [max(0, -wh) for wh in moved_wh]


def _with_guesses(
    stretch: Stretch,
    found: Parting,
    asset: Asset,
    history: Sequence[Reading],
    zone: ZoneInfo,
    parts: Mapping[int, tuple[int, ...]],
    most_wh: Sequence[int],
) -> dict[int, tuple[int, ...]]:
    """Add to what was counted what like days tell of the time that no counter tells of, up to the limit of a slot."""
    whole = Interval(instant(stretch.slots[0]), instant(stretch.slots[-1] + SLOT_SECONDS))
    typical = {epoch(e.reading.interval.start): e.reading for e in estimate_missing(asset.id, whole, history, zone)}
    added = dict(parts)
    for slot_s in stretch.slots:
        lost_s = sum(_overlap_s(slot_s, gap.from_s, gap.to_s) for gap in found.gaps)
        if lost_s and slot_s in typical:
            usual_wh = typical[slot_s].import_wh, typical[slot_s].export_wh
            added[slot_s] = tuple(
                min(counted + usual * lost_s // SLOT_SECONDS, max(counted, most))
                for counted, usual, most in zip(parts.get(slot_s, (0, 0)), usual_wh, most_wh, strict=True)
            )
    return dict(sorted(added.items()))


def _overlap_s(slot_s: int, from_s: int, to_s: int) -> int:
    return max(0, min(slot_s + SLOT_SECONDS, to_s) - max(slot_s, from_s))

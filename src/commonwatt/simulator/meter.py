"""A simulated meter: two counters that only show how far they have come, read each slot as real gateways do."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

import msgspec

from commonwatt.flows.gateway import counters
from commonwatt.metering import counting
from commonwatt.metering.batch import Item
from commonwatt.metering.counting import Count, Counted
from commonwatt.metering.parting import Exchange, Shown
from commonwatt.model import SLOT_SECONDS, SLOTS_PER_DAY, Asset
from commonwatt.simulator.home import Flow

MOST_RECORDED = 35 * SLOTS_PER_DAY
"""How many slots a meter's own record holds; the oldest make room."""


class MeterSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What kind of meter it is, and how it stands when its gateway first reads it.

    ``rollover_at_wh``: where its counters begin again at 0; none where they never do. ``import_wh``, ``export_wh``:
    what they show at first. ``record_after_slots``: how many slots after the meter can be read again its own record of
    the slots before is read, which tells each of them alone; none where it keeps no record, and only sums are known.
    ``past``: what its gateway measured in earlier days, from which it estimates.
    """

    rollover_at_wh: int | None = 2**32
    import_wh: int = 0
    export_wh: int = 0
    record_after_slots: int | None = 0
    past: list[Counted] = []


class MeterMemory(msgspec.Struct):
    """A meter's counters and its own record, and beside them what its gateway knows of it."""

    import_wh: int
    export_wh: int
    count: Count
    recorded: list[Shown] = []
    waited: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What goes wrong with a meter in a slot: it cannot be read; when it is set back, by time, and if that is lost."""

    unread: bool = False
    resets: Sequence[tuple[int, bool]] = ()


def first_read(spec: MeterSpec, place: int, slot_s: int) -> MeterMemory:
    """Return a meter as its gateway finds it at the start of its first slot."""
    first = Shown(at_s=slot_s, import_wh=spec.import_wh, export_wh=spec.export_wh)
    count = counting.begin(place, first, spec.rollover_at_wh)
    return MeterMemory(
        import_wh=spec.import_wh,
        export_wh=spec.export_wh,
        count=replace(count, past=tuple(spec.past)),
    )


def live(
    meter: MeterMemory, spec: MeterSpec, asset: Asset, slot_s: int, flow: Flow, trouble: Trouble, zone: ZoneInfo
) -> tuple[Item, ...]:
    """Let a slot's energy pass through a meter, read it where it can be read, and return what its gateway tells."""
    _turn(meter, spec, slot_s, flow, trouble)
    told = counters.tell(meter.count, asset, slot_s, _shown(meter, spec, slot_s, trouble), flow.level_wh, zone)
    meter.count = told.count
    return told.items


def _shown(meter: MeterMemory, spec: MeterSpec, slot_s: int, trouble: Trouble) -> list[Shown] | None:
    """Return what can be read of a meter at a slot's end, with what its own record tells by then."""
    now = Shown(at_s=slot_s + SLOT_SECONDS, import_wh=meter.import_wh, export_wh=meter.export_wh)
    if trouble.unread:
        meter.waited = 0
        if spec.record_after_slots is not None:
            meter.recorded = [*meter.recorded, now][-MOST_RECORDED:]
        return None
    values = [now]
    if meter.recorded and spec.record_after_slots is not None:
        if meter.waited >= spec.record_after_slots:
            values, meter.recorded = [*meter.recorded, now], []
        meter.waited += 1
    return values


def _turn(meter: MeterMemory, spec: MeterSpec, slot_s: int, flow: Flow, trouble: Trouble) -> None:
    """Move the counters on by a slot's energy, evenly over its seconds, and set them back where that happens."""
    done_s, left = 0, (flow.import_wh, flow.export_wh)
    for at_s, lost in trouble.resets:
        passed = tuple(wh * (at_s - slot_s - done_s) // (SLOT_SECONDS - done_s) for wh in left)
        left, done_s = (left[0] - passed[0], left[1] - passed[1]), at_s - slot_s
        _add(meter, spec, passed[0], passed[1])
        last = None if lost else (meter.import_wh, meter.export_wh)
        meter.count = counting.announce(meter.count, Exchange(at_s=at_s, last=last))
        meter.import_wh = meter.export_wh = 0
        if lost:
            meter.recorded = []  # it went with the old meter
    _add(meter, spec, *left)


def _add(meter: MeterMemory, spec: MeterSpec, import_wh: int, export_wh: int) -> None:
    meter.import_wh, meter.export_wh = meter.import_wh + import_wh, meter.export_wh + export_wh
    if spec.rollover_at_wh is not None:
        meter.import_wh, meter.export_wh = meter.import_wh % spec.rollover_at_wh, meter.export_wh % spec.rollover_at_wh

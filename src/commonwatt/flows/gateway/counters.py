"""From what a meter's counters show at a slot's end to what a gateway tells of it; what was unread is estimated."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from commonwatt.metering import counting
from commonwatt.metering.counting import Count, Told
from commonwatt.metering.parting import Shown
from commonwatt.model import Asset


def tell(
    count: Count, asset: Asset, slot_s: int, values: Sequence[Shown] | None, level_wh: int | None, zone: ZoneInfo
) -> Told:
    """Return what a gateway tells of a slot that has ended, and of earlier ones that are known only now.

    Args:
        count: What is known of this meter.
        asset: What it meters.
        slot_s: The slot's start.
        values: What its counters showed at the slot's end, and what its own record tells of earlier ends; None where
            it could not be read.
        level_wh: Stored energy at the slot's end, for what stores and could be asked.
        zone: The community's clock.
    """
    levels_wh = [] if level_wh is None else [(slot_s, level_wh)]
    if values is None:
        return counting.missed(count, asset, slot_s, zone, levels_wh)
    told = counting.read(count, asset, values, zone, levels_wh)
    if not told.doubts:
        return told
    guessed = counting.missed(told.count, asset, slot_s, zone)
    return Told(count=guessed.count, items=(*told.items, *guessed.items), doubts=told.doubts)

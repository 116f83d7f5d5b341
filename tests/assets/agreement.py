"""What every kind of asset owes: its steps do what its envelope says."""

from collections.abc import Callable, Sequence
from math import inf

from commonwatt.assets import levels
from commonwatt.model import Envelope


def agrees(
    envelope: Envelope,
    power_w: Sequence[int],
    step: Callable[[int, int, int], int],
    wh_per_slot: float = 1.5,
    empty_wh: float = -inf,
) -> None:
    """Follow powers inside an envelope with the asset's own step, slot by slot, and compare levels with the envelope's.

    Args:
        envelope: What the planner sees.
        power_w: Wanted powers; one that would leave a bound is left out, as a planner would.
        step: From level, slot and power to the level after.
        wh_per_slot: What whole watt-hours and rounded factors may move in a slot.
        empty_wh: At which level nothing more can be taken out, though the envelope's use of it goes on.
    """
    store = envelope.store
    assert store is not None
    planned = lived = store.level_now_wh
    planned = float(planned)
    for slot, wanted in enumerate(power_w):
        options = [wanted, 0, envelope.hi_w[slot], envelope.lo_w[slot]]
        for power in options:
            after = levels.after(store, slot, planned, power)
            fits = store.level_min_wh[slot] <= after <= store.level_max_wh[slot]
            stepped = 0 < power < envelope.least_import_w or 0 < -power < envelope.least_export_w
            if fits and not stepped and envelope.lo_w[slot] <= power <= envelope.hi_w[slot]:
                break
        else:
            return  # a corner that only looking ahead avoids
        if after < empty_wh:
            return  # what is not there is not used, and what the planner misses from here on is comfort
        planned, lived = after, step(lived, slot, power)
        assert abs(planned - lived) <= wh_per_slot * (slot + 1), (slot, power, planned, lived)

"""How a plugged car behaves: a battery that leaves at a stated hour and draws 6 A or nothing."""

from dataclasses import replace

from commonwatt.assets import battery
from commonwatt.model import SLOT_SECONDS, Asset, Envelope

V2G_RESERVE_PERCENT = 30
"""A car is never discharged below this for others: its owner may have to leave early."""


def reserve_wh(asset: Asset) -> int:
    """Return the level in Wh below which the car is not discharged."""
    return asset.capacity_wh * V2G_RESERVE_PERCENT // 100


def envelope(
    asset: Asset,
    level_wh: int,
    slots: int,
    wear_micro_per_kwh: int,
    *,
    leaves_after: int,
    wanted_wh: int,
    discharge: bool = True,
) -> Envelope:
    """Return what a plugged car can do: nothing from its departure on.

    It may store more than its owner wants while it stands, but takes no more than that away: the street's surplus
    is kept for the street, not given to the road.

    Args:
        asset: The car and its charger as one asset.
        level_wh: Stored energy now, Wh.
        slots: Length of the horizon.
        wear_micro_per_kwh: Degradation price of a discharged kWh.
        leaves_after: In how many slots it leaves.
        wanted_wh: What its owner wants it to hold by then, Wh; that it does is the owner's constraint.
        discharge: False where the owner gives no energy back.
    """
    base = battery.envelope(asset, level_wh, slots, wear_micro_per_kwh, reserve_wh(asset))
    here = min(leaves_after, slots)
    away = (0,) * (slots - here)
    lo_w = base.lo_w if discharge else (0,) * slots
    store = base.store
    assert store is not None
    # The last quarter-hour at 6 A may pass what is wanted by a little; less would be to stop short of it.
    one_step_wh = asset.min_import_w * SLOT_SECONDS // 3600
    given_wh = here * asset.max_export_w * SLOT_SECONDS // 3600 if discharge else 0
    lowest_wh = max(min(level_wh, reserve_wh(asset)), level_wh - given_wh * 1000 // asset.discharge_permille)
    most_wh = min(asset.capacity_wh, max(lowest_wh, wanted_wh + one_step_wh))
    standing = max(0, here - 1) if leaves_after <= slots else slots
    level_max_wh = store.level_max_wh[:standing] + (most_wh,) * (slots - standing)
    return replace(
        base,
        lo_w=lo_w[:here] + away,
        hi_w=base.hi_w[:here] + away,
        store=replace(store, level_max_wh=level_max_wh),
    )

"""How a plugged car behaves: a battery that leaves at a stated hour and draws 6 A or nothing."""

from dataclasses import replace

from commonwatt.assets import battery
from commonwatt.model import Asset, Envelope

V2G_RESERVE_PERCENT = 30
"""A car is never discharged below this for others: its owner may have to leave early."""


def reserve_wh(asset: Asset) -> int:
    """Return the level in Wh below which the car is not discharged."""
    return asset.capacity_wh * V2G_RESERVE_PERCENT // 100


def envelope(
    asset: Asset, level_wh: int, slots: int, wear_micro_per_kwh: int, *, leaves_after: int, discharge: bool = True
) -> Envelope:
    """Return what a plugged car can do: nothing from its departure on.

    Args:
        asset: The car and its charger as one asset.
        level_wh: Stored energy now, Wh.
        slots: Length of the horizon.
        wear_micro_per_kwh: Degradation price of a discharged kWh.
        leaves_after: In how many slots it leaves; what it should hold by then is its owner's constraint.
        discharge: False where the owner gives no energy back.
    """
    base = battery.envelope(asset, level_wh, slots, wear_micro_per_kwh, reserve_wh(asset))
    here = min(leaves_after, slots)
    away = (0,) * (slots - here)
    lo_w = base.lo_w if discharge else (0,) * slots
    return replace(base, lo_w=lo_w[:here] + away, hi_w=base.hi_w[:here] + away)

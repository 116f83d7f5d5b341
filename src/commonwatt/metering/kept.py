"""Whether statements were kept, by what was measured: a plan's own belief does not count."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from commonwatt.model import (
    SLOT_SECONDS,
    Asset,
    AssetId,
    AssetKind,
    Constraint,
    Quantity,
    Reach,
    Reading,
    Relation,
    epoch,
    round_div,
)

Readings = Mapping[int, Mapping[AssetId, Reading]]
"""Believed readings by the start of their slot, seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Miss:
    """By how much a statement was missed, in Wh or W, and in how many slots (one for a level or a sum)."""

    by: int
    unit: str
    slots: int


def miss(constraint: Constraint, assets: Collection[Asset], readings: Readings) -> Miss | None:
    """Return how a statement was missed, or None where it was kept or nothing was measured that could tell.

    A level is read from the slot that ends at its instant. Power and energy of zones are what connections exchanged.
    """
    if constraint.at is not None:
        told = readings.get(epoch(constraint.at) - SLOT_SECONDS, {})
        levels_wh = {asset.id: told[asset.id].level_wh for asset in _scope(constraint, assets) if asset.id in told}
        stores = [asset for asset in _scope(constraint, assets) if levels_wh.get(asset.id) is not None]
        if not stores:
            return None
        level_wh = sum(wh for wh in levels_wh.values() if wh is not None)
        wanted_wh = constraint.value
        if constraint.quantity is Quantity.CHARGE:
            wanted_wh = round_div(constraint.value * sum(asset.capacity_wh for asset in stores), 100)
        return _miss([_beyond(constraint, level_wh, wanted_wh)], "Wh")
    window = constraint.window
    assert window is not None
    slots = [s for s in sorted(readings) if epoch(window.start) <= s < epoch(window.end)]
    moved_wh = [_moved(constraint, assets, readings[slot_s]) for slot_s in slots]
    if constraint.quantity is Quantity.ENERGY:
        return _miss([_beyond(constraint, sum(moved_wh), constraint.value)] if slots else [], "Wh")
    return _miss([_beyond(constraint, wh * 3600 // SLOT_SECONDS, constraint.value) for wh in moved_wh], "W")


def _scope(constraint: Constraint, assets: Collection[Asset]) -> list[Asset]:
    if constraint.reach is Reach.ZONE:
        return [asset for asset in assets if asset.zone in constraint.scope]
    return [asset for asset in assets if asset.id in constraint.scope]


def _moved(constraint: Constraint, assets: Collection[Asset], told: Mapping[AssetId, Reading]) -> int:
    scope = _scope(constraint, assets)
    if constraint.reach is Reach.ZONE:
        scope = [asset for asset in scope if asset.kind is AssetKind.CONNECTION]
    return sum(told[asset.id].import_wh - told[asset.id].export_wh for asset in scope if asset.id in told)


def _beyond(constraint: Constraint, found: int, bound: int) -> int:
    return bound - found if constraint.relation is Relation.AT_LEAST else found - bound


def _miss(beyond: list[int], unit: str) -> Miss | None:
    missed = [by for by in beyond if by > 0]
    return Miss(max(missed), unit, len(missed)) if missed else None

"""Whether statements were kept, by what was measured: a plan's own belief does not count."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

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
    """By how much a statement was missed, in a unit, and in how many slots (one for a level or a sum)."""

    by: int
    unit: str
    slots: int


def miss(constraint: Constraint, assets: Collection[Asset], readings: Readings) -> Miss | None:
    """Return how a statement was missed, or None where it was kept or nothing was measured that could tell.

    A level is read from the slot that ends at its instant. Power, energy and ramp of owners, zones, feeders and the
    community are what their connections exchanged. An appliance ran in a slot in which it drew. Temperatures are their
    owners' alone, and what was held ready is not metered: of these nothing can be told.
    """
    if constraint.at is not None:
        return _level(constraint, assets, readings)
    window, quantity = constraint.window, constraint.quantity
    assert window is not None
    slots = [s for s in sorted(readings) if epoch(window.start) <= s < epoch(window.end)]
    if not slots:
        return None
    scope = _scope(constraint, assets)
    match quantity:
        case Quantity.ENERGY:
            moved_wh = sum(_moved(scope, readings[slot_s]) for slot_s in slots)
            return _miss(constraint, [moved_wh], "Wh")
        case Quantity.POWER:
            return _miss(constraint, [_power_w(scope, readings[slot_s]) for slot_s in slots], "W")
        case Quantity.RAMP:
            pairs = [(s - SLOT_SECONDS, s) for s in slots if s - SLOT_SECONDS in readings]
            steps_w = [abs(_power_w(scope, readings[new]) - _power_w(scope, readings[old])) for old, new in pairs]
            return _miss(constraint, steps_w, "W")
        case Quantity.RUN_TIME:
            ran = sum(_drew(scope, readings[slot_s]) for slot_s in slots)
            return _miss(constraint, [ran * SLOT_SECONDS // 60], "min")
        case Quantity.CYCLES:
            out_wh = sum(_gave_wh(scope, readings[slot_s]) for slot_s in slots)
            capacity_wh = sum(asset.capacity_wh for asset in scope)
            found = [round_div(out_wh * 1000, capacity_wh)] if capacity_wh else []
            return _miss(constraint, found, "thousandths of a cycle")
        case _:
            return None


def _level(constraint: Constraint, assets: Collection[Asset], readings: Readings) -> Miss | None:
    assert constraint.at is not None
    told = readings.get(epoch(constraint.at) - SLOT_SECONDS, {})
    scope = _named(constraint, assets)
    levels_wh = {asset.id: told[asset.id].level_wh for asset in scope if asset.id in told}
    stores = [asset for asset in scope if levels_wh.get(asset.id) is not None]
    if not stores:
        return None
    level_wh = sum(wh for wh in levels_wh.values() if wh is not None)
    wanted_wh = constraint.value
    if constraint.quantity is Quantity.CHARGE:
        wanted_wh = round_div(constraint.value * sum(asset.capacity_wh for asset in stores), 100)
    return _miss(replace(constraint, quantity=Quantity.BATTERY, value=wanted_wh), [level_wh], "Wh")


def _named(constraint: Constraint, assets: Collection[Asset]) -> list[Asset]:
    """Return the assets that a statement is about, meters of connections among them."""
    names = constraint.scope
    match constraint.reach:
        case Reach.ASSET:
            return [asset for asset in assets if asset.id in names]
        case Reach.OWNER:
            return [asset for asset in assets if asset.owner in names]
        case Reach.CONNECTION:
            owners = {asset.owner for asset in assets if asset.id in names}
            return [asset for asset in assets if asset.owner in owners]
        case Reach.ZONE:
            return [asset for asset in assets if asset.zone in names]
        case _:
            return [asset for asset in assets if asset.kind is not AssetKind.FEEDER]


def _scope(constraint: Constraint, assets: Collection[Asset]) -> list[Asset]:
    """Return the assets whose meters tell about a statement: the connections, where it is about what is behind them."""
    if constraint.reach is Reach.ASSET or constraint.quantity in (Quantity.RUN_TIME, Quantity.CYCLES):
        return _named(constraint, assets)
    if constraint.reach is Reach.CONNECTION:
        return [asset for asset in assets if asset.id in constraint.scope]
    return [asset for asset in _named(constraint, assets) if asset.kind is AssetKind.CONNECTION]


def _moved(scope: Collection[Asset], told: Mapping[AssetId, Reading]) -> int:
    return sum(told[asset.id].import_wh - told[asset.id].export_wh for asset in scope if asset.id in told)


def _power_w(scope: Collection[Asset], told: Mapping[AssetId, Reading]) -> int:
    return _moved(scope, told) * 3600 // SLOT_SECONDS


def _drew(scope: Collection[Asset], told: Mapping[AssetId, Reading]) -> bool:
    return any(told[asset.id].import_wh > 0 for asset in scope if asset.id in told)


def _gave_wh(scope: Collection[Asset], told: Mapping[AssetId, Reading]) -> int:
    return sum(told[asset.id].export_wh for asset in scope if asset.capacity_wh and asset.id in told)


def _miss(constraint: Constraint, found: list[int], unit: str) -> Miss | None:
    least = constraint.relation is Relation.AT_LEAST
    missed = [by for one in found if (by := constraint.value - one if least else one - constraint.value) > 0]
    return Miss(max(missed), unit, len(missed)) if missed else None

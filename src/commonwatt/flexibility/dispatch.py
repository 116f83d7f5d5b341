"""From instructions to commands: one power band per device, merged by authority, that expires by itself."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import IntEnum

from commonwatt.model import (
    SLOT,
    Asset,
    AssetId,
    Band,
    Command,
    Constraint,
    Instruction,
    Quantity,
    Reach,
    Relation,
    Verb,
)

LEASE_SLOTS = 2
"""A command outlives its slot by one, so that a late successor finds the device still doing sensible things."""


class Authority(IntEnum):
    """Whose band it is; a lower number stands where bands cannot both be kept (RULES, Bands)."""

    SAFETY = 0
    DSO = 1
    OWNER = 2
    CONTRACT = 3
    PLAN = 4


def command(asset: Asset, instruction: Instruction, limits: Sequence[tuple[Authority, Band]] = ()) -> Command:
    """Lower an instruction to what the device is told: a band within its limits, with expiry and reason."""
    safety = (Authority.SAFETY, Band(lo_w=-asset.max_export_w, hi_w=asset.max_import_w))
    band = merge([safety, *limits, (Authority.PLAN, lower(asset, instruction))])
    start = instruction.interval.start
    return Command(
        id=command_id(asset.id, start),
        asset=asset.id,
        band=band,
        expires=start + LEASE_SLOTS * SLOT,
        reason=f"{instruction.verb}: {instruction.reason}",
    )


def command_id(asset: AssetId, start: datetime) -> str:
    """Return the name of the command that an instruction from an instant on becomes."""
    return f"{asset}@{start:%Y-%m-%dT%H:%MZ}"


def own_limits(asset: Asset, stated: Iterable[Constraint], moment: datetime) -> list[tuple[Authority, Band]]:
    """Return what owners state about an asset's own power at an instant: it binds the device, whatever a plan says."""
    limits = []
    for limit in stated:
        about = limit.quantity is Quantity.POWER and limit.reach is Reach.ASSET and limit.scope == (asset.id,)
        if not (about and limit.window and moment in limit.window):
            continue
        if limit.relation is Relation.AT_LEAST:
            band = Band(lo_w=limit.value, hi_w=max(limit.value, asset.max_import_w))
        else:
            band = Band(lo_w=-asset.max_export_w, hi_w=limit.value)
        limits.append((Authority.OWNER, band))
    return limits


def lower(asset: Asset, instruction: Instruction) -> Band:
    """Return the band that one of the six instructions means for an asset (row X2).

    START CHARGE, INCREASE RATE and REDUCE RATE of a charge, and SUPPLY, hold their target; the two STOP words
    hold zero. A battery with a line to hold may use all of its power for it, in the direction of either need.
    """
    if instruction.balance_w is not None:
        return Band(lo_w=-asset.max_export_w, hi_w=asset.max_import_w, balance_w=instruction.balance_w)
    if instruction.verb in (Verb.STOP_CHARGE, Verb.STOP_SUPPLY):
        return Band(lo_w=0, hi_w=0)
    return Band(lo_w=instruction.power_w, hi_w=instruction.power_w)


def merge(bands: Sequence[tuple[Authority, Band]]) -> Band:
    """Intersect bands by authority.

    Where two cannot both be kept, the higher authority's stands and the lower one clamps to its nearest edge.
    The line to hold, if any, is the lowest authority's: it only says how to move inside what is allowed.
    """
    ordered = sorted(bands, key=lambda pair: pair[0])
    lo_w, hi_w = ordered[0][1].lo_w, ordered[0][1].hi_w
    for _, band in ordered[1:]:
        lo_w, hi_w = (_clamp(edge, lo_w, hi_w) for edge in (band.lo_w, band.hi_w))
    return Band(lo_w=lo_w, hi_w=hi_w, balance_w=ordered[-1][1].balance_w)


def _clamp(value: int, lo: int, hi: int) -> int:
    return max(lo, min(hi, value))

"""From instructions to commands: one power band per device, merged by authority, that expires by itself."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from itertools import groupby

from commonwatt.model import (
    SLOT_SECONDS,
    Armed,
    Asset,
    AssetId,
    Band,
    Command,
    Consent,
    Constraint,
    Instruction,
    Interval,
    InvalidValue,
    Quantity,
    Reach,
    Relation,
    Verb,
)

LEASE_SLOTS = 2
"""A command outlives its slot by one, so that a late successor finds the device still doing sensible things."""
LEASE_S = LEASE_SLOTS * SLOT_SECONDS
RENEWED_AFTER = 3
"""A command is told again after this part of its lease: two may be lost on the way before the device notices."""
DIMMED_LEAST_W = 4_200
"""What a grid operator's limit leaves each device. Source: section 14a EnWG, as ruled in BK6-22-300."""


class Authority(IntEnum):
    """Whose band it is; a lower number stands where bands cannot both be kept (RULES, Bands)."""

    SAFETY = 0
    GRID = 1
    DSO = 2
    OWNER = 3
    CONTRACT = 4
    PLAN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A band that somebody other than the plan sets, as their signal says it.

    Args:
        authority: Whose it is.
        band: What is allowed while it holds.
        expires: First instant at which it holds no longer; None: until it is taken back.
        failsafe: What holds from then on, until somebody is heard again; None: nothing.
        least_w: What it leaves a device to draw in any case, however low its upper edge is told.
        reason: In words, for whoever wonders why a device does not do what was planned.
    """

    authority: Authority
    band: Band
    expires: datetime | None = None
    failsafe: Band | None = None
    least_w: int = 0
    reason: str = ""

    def at(self, moment: datetime) -> Band | None:
        """Return the band that it sets at an instant, if any."""
        band = self.band if self.expires is None or moment < self.expires else self.failsafe
        if band is None or self.least_w == 0:
            return band  # one that asks for supply, wholly below nothing, stays so
        return Band(lo_w=band.lo_w, hi_w=max(band.hi_w, self.least_w), balance_w=band.balance_w)


def command(
    asset: Asset,
    instruction: Instruction,
    limits: Sequence[Limit] = (),
    *,
    now: datetime | None = None,
    lease_s: int = LEASE_S,
    off: bool = False,
    droop: Armed | None = None,
) -> Command:
    """Lower an instruction to what the device is told: a band within its limits, with expiry and reason.

    Args:
        asset: With the limits that its specification sets.
        instruction: One of the six.
        limits: Of everybody who has a say, in any order.
        now: When it is told; the instruction's start where nothing is said.
        lease_s: How long the device holds what it was told without hearing more.
        off: That the owner switched schedules off: what plan and contracts say goes, nothing else does.
        droop: A curve to arm the device with.

    Returns:
        A command that outlives neither its lease nor any limit that it rests on.
    """
    now = now or instruction.interval.start
    outranking = [(Authority.SAFETY, _safety(asset)), *standing(limits, now, off=off)]
    wanted = [] if off else [(Authority.PLAN, lower(asset, instruction))]
    ends = [now + timedelta(seconds=lease_s), *(one.expires for one in limits if one.expires and one.expires > now)]
    armed = None if off else droop
    return Command(
        id=command_id(asset.id, instruction.interval.start),
        asset=asset.id,
        band=drawable(asset, merge([*outranking, *wanted])),
        expires=min(ends),
        reason=_reason(instruction, wanted, limits, now, off),
        droop=None if armed is None else Armed(curve=armed.curve, until=min(armed.until, *ends)),
        droop_band=None if armed is None else drawable(asset, merge(outranking)),
    )


def command_id(asset: AssetId, start: datetime) -> str:
    """Return the name of the command that an instruction from an instant on becomes."""
    return f"{asset}@{start:%Y-%m-%dT%H:%MZ}"


def renew_at(sent: Command, told: datetime) -> datetime:
    """Return when a command that was told at an instant is to be told again: after a third of what is left of it.

    Raises:
        InvalidValue: It had expired already when it was told.
    """
    left_s = int((sent.expires - told).total_seconds())
    if left_s <= 0:
        raise InvalidValue(f"a command is told before it expires, was {sent.id} at {told}")
    return told + timedelta(seconds=max(1, left_s // RENEWED_AFTER))


def own_limits(asset: Asset, stated: Iterable[Constraint], moment: datetime) -> list[Limit]:
    """Return what owners state about an asset's own power at an instant: it binds the device, whatever a plan says."""
    limits = []
    for limit in stated:
        about = limit.quantity is Quantity.POWER and limit.reach is Reach.ASSET and limit.scope == (asset.id,)
        if not (about and limit.window and moment in limit.window):
            continue
        if limit.relation is Relation.AT_LEAST:
            band = Band(lo_w=limit.value, hi_w=max(limit.value, asset.max_import_w))
        else:
            band = Band(lo_w=min(limit.value, -asset.max_export_w), hi_w=limit.value)
        reason = f"power {limit.relation} {limit.value} W was stated"
        limits.append(Limit(authority=Authority.OWNER, band=band, expires=limit.window.end, reason=reason))
    return limits


def consented_limits(asset: Asset, consent: Consent, level_wh: int | None, slot: Interval) -> list[Limit]:
    """Return what its owner's consent leaves an asset to supply in a slot, whatever the plan or a line to hold asks.

    Args:
        asset: Its efficiency says how far a level falls.
        consent: What the owner agreed to.
        level_wh: Stored energy at the slot's start; None where nobody knows, and then nothing is left.
        slot: No longer than this: by its end the level is another.
    """
    supplies_w = []
    if consent.most_supply_w is not None:
        supplies_w.append((consent.most_supply_w, f"its owner lets it supply {consent.most_supply_w} W at most"))
    if consent.least_percent is not None:
        spare_wh = max(0, (level_wh or 0) - consent.floor_wh(asset.capacity_wh))
        left_w = spare_wh * asset.discharge_permille // 1000 * 3600 // slot.seconds
        supplies_w.append((left_w, f"its owner keeps {consent.least_percent} % in it"))
    return [
        Limit(
            authority=Authority.OWNER,
            band=Band(lo_w=-most_w, hi_w=asset.max_import_w),
            expires=slot.end,
            reason=reason,
        )
        for most_w, reason in supplies_w
        if most_w < asset.max_export_w
    ]


def dimmed(asset: Asset, limit_w: int, expires: datetime | None = None, failsafe_w: int | None = None) -> Limit:
    """Return a grid operator's limit on what a device draws under section 14a EnWG: it leaves 4.2 kW, never less.

    A box that was told 0 W still charges or heats with what the law leaves it, see evcc#33839; supply stays free.

    Args:
        asset: The device.
        limit_w: As the signal says, zero or more.
        expires: When the signal ends.
        failsafe_w: The limit that holds when it ended and no other was heard; None for none.
    """

    def up_to(most_w: int) -> Band:
        return Band(lo_w=-asset.max_export_w, hi_w=most_w)

    return Limit(
        authority=Authority.DSO,
        band=up_to(limit_w),
        expires=expires,
        failsafe=None if failsafe_w is None else up_to(failsafe_w),
        least_w=DIMMED_LEAST_W,
        reason=f"dimmed to {max(limit_w, DIMMED_LEAST_W)} W by the grid operator",
    )


def lower(asset: Asset, instruction: Instruction) -> Band:
    """Return the band that one of the six instructions means for an asset (row X2), within the asset's own power.

    START CHARGE, INCREASE RATE and REDUCE RATE of a charge, and SUPPLY, hold their target; the two STOP words
    hold zero. A charge below what the asset can draw at all (6 A) holds that: only STOP stops. A battery with a
    line to hold may use all of its power for it, in the direction of either need.
    """
    safety = _safety(asset)
    if instruction.balance_w is not None:
        return Band(lo_w=safety.lo_w, hi_w=safety.hi_w, balance_w=instruction.balance_w)
    if instruction.verb in (Verb.STOP_CHARGE, Verb.STOP_SUPPLY):
        return Band(lo_w=0, hi_w=0)
    power_w = _clamp(instruction.power_w, safety.lo_w, safety.hi_w)
    if power_w > 0:
        power_w = max(power_w, asset.min_import_w)
    return Band(lo_w=power_w, hi_w=power_w)


def standing(limits: Iterable[Limit], moment: datetime, *, off: bool = False) -> list[tuple[Authority, Band]]:
    """Return the bands that hold at an instant; ``off`` removes those of plan and contracts."""
    heard = [one for one in limits if not (off and one.authority >= Authority.CONTRACT)]
    return [(one.authority, band) for one in heard if (band := one.at(moment))]


def merge(bands: Sequence[tuple[Authority, Band]]) -> Band:
    """Intersect bands by authority, in whatever order they come.

    Where two cannot both be kept, the higher authority's stands and the lower one clamps to its nearest edge. Of one
    authority that contradicts itself, the power between its bands that is nearest to none is taken. The line to
    hold, if any, is the lowest authority's: it only says how to move inside what is allowed.

    Raises:
        InvalidValue: There is no band.
    """
    if not bands:
        raise InvalidValue("bands are merged where there is at least one")
    ordered = sorted(bands, key=lambda pair: pair[0])
    merged: Band | None = None
    for _, group in groupby(ordered, key=lambda pair: pair[0]):
        own = _agreed([band for _, band in group])
        edges = (merged.lo_w, merged.hi_w) if merged else (own.lo_w, own.hi_w)
        merged = Band(lo_w=_clamp(own.lo_w, *edges), hi_w=_clamp(own.hi_w, *edges), balance_w=own.balance_w)
    assert merged is not None
    return merged


def drawable(asset: Asset, band: Band) -> Band:
    """Return what of a band an asset can do that draws nothing or at least its 6 A; it is never asked for more."""
    if 0 < band.hi_w < asset.min_import_w:
        return Band(lo_w=min(band.lo_w, 0), hi_w=0, balance_w=band.balance_w)
    if 0 < band.lo_w < asset.min_import_w:
        return Band(lo_w=asset.min_import_w, hi_w=band.hi_w, balance_w=band.balance_w)
    return band


def _agreed(bands: Sequence[Band]) -> Band:
    """Intersect the bands of one authority."""
    lo_w, hi_w = max(band.lo_w for band in bands), min(band.hi_w for band in bands)
    if lo_w > hi_w:
        lo_w = hi_w = _clamp(0, hi_w, lo_w)
    lines = [band.balance_w for band in bands if band.balance_w is not None]
    return Band(lo_w=lo_w, hi_w=hi_w, balance_w=min(lines, default=None, key=lambda line: (abs(line), line)))


def _reason(
    instruction: Instruction,
    wanted: Sequence[tuple[Authority, Band]],
    limits: Sequence[Limit],
    now: datetime,
    off: bool,
) -> str:
    if off:
        return "its owner switched schedules off"
    told = f"{instruction.verb}: {instruction.reason}"
    ((_, plan),) = wanted
    for limit in sorted(limits, key=lambda one: (one.authority, one.reason)):
        band = limit.at(now)
        if plan.balance_w is None and band and not band.lo_w <= plan.lo_w <= band.hi_w:
            return f"{told}; held back: {limit.reason or f'{limit.authority.name} allows {band.lo_w} to {band.hi_w} W'}"
    return told


def _safety(asset: Asset) -> Band:
    return Band(lo_w=-asset.max_export_w, hi_w=asset.max_import_w)


def _clamp(value: int, lo: int, hi: int) -> int:
    return max(lo, min(hi, value))

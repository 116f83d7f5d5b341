"""From the ledger's state to what a plan may look at: nothing that was not measured, stated or published by then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from commonwatt.assets import battery
from commonwatt.flexibility.instructions import powers
from commonwatt.flexibility.plan import Engine
from commonwatt.flows.called import asked_of_homes, called
from commonwatt.flows.constraint_to_command import EARLY, HORIZON, Outlook, Stored
from commonwatt.flows.foreseeing import Foresee, naive
from commonwatt.flows.rulebook import State
from commonwatt.forecasting.seasonal import corrected_naive
from commonwatt.metering.aggregate import home_load_wh
from commonwatt.model import (
    SLOT,
    SLOT_SECONDS,
    SLOTS_PER_DAY,
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    ConsentMode,
    Constraint,
    Interval,
    Quantity,
    Reach,
    Relation,
    Schedule,
    epoch,
    instant,
    zone_of,
)

_PLANNED = {AssetKind.CONNECTION, AssetKind.SOLAR, AssetKind.BATTERY}
REFUSED_FOR_SLOTS = 4
"""How long a device that refused is left alone before it is asked again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a plan takes as given for the whole day.

    Args:
        span: The day.
        zone: Where the homes are connected.
        load_wh: Recorded load per home before the day, oldest first, up to its start.
        solar_wh: Recorded generation likewise.
        wear_micro_per_kwh: Degradation price per kind.
        reserve_wh: What a battery keeps.
        v2g: Whether cars give energy back.
        hands_over: Whether the batteries are to hold at the day's end what they would have held on their own, so that
            one day can be compared with another.
        engine: Who plans.
        foresee: How homes and roofs are forecast.
    """

    span: Interval
    zone: str
    load_wh: Mapping[AccountId, tuple[int, ...]]
    solar_wh: Mapping[AccountId, tuple[int, ...]]
    wear_micro_per_kwh: Mapping[AssetKind, int]
    reserve_wh: int
    v2g: bool = True
    hands_over: bool = True
    engine: Engine = Engine.AUTO
    foresee: Foresee = naive


def homes(state: State, terms: Terms) -> dict[AccountId, dict[AssetKind, Asset]]:
    """Return the assets, by kind, of each member who can be planned for, in order of registration.

    That takes a meter at the connection, on the roof and in the battery, and a past to forecast from. Whoever joined
    with less is metered and settled all the same, and bought for by nobody.
    """
    found: dict[AccountId, dict[AssetKind, Asset]] = {}
    for asset in state.assets.values():
        found.setdefault(asset.owner, {}).setdefault(asset.kind, asset)
    return {owner: assets for owner, assets in found.items() if assets.keys() >= _PLANNED and owner in terms.load_wh}


def outlook(state: State, terms: Terms, slot_s: int) -> Outlook:
    """Return what is known just before a slot."""
    load_wh, solar_wh = {}, {}
    stored: list[Stored] = []
    ending_wh, now = 0, instant(slot_s)
    ahead = Interval(now, now + HORIZON * SLOT + EARLY)
    for owner, assets in homes(state, terms).items():
        loads, suns = measured(state, terms, owner, assets, slot_s)
        load_wh[assets[AssetKind.CONNECTION].id] = loads
        solar_wh[assets[AssetKind.SOLAR].id] = suns
        stored += [
            known
            for kind in (AssetKind.BATTERY, AssetKind.VEHICLE)
            if kind in assets and (known := _stored(state, assets[kind], slot_s))
        ]
        if terms.hands_over and state.consent(assets[AssetKind.BATTERY].id).direct:
            ending_wh += _greedy_end_wh(state, terms, assets[AssetKind.BATTERY], loads, suns)
    return Outlook(
        now=now,
        zone=terms.zone,
        load_wh=load_wh,
        solar_wh=solar_wh,
        stored=tuple(stored),
        promised=_promised(state, terms, now),
        prices=dict(state.prices),  # others may be told while a plan is made
        constraints=(*(one for stated in state.stated for one in stated.occurrences(ahead)), *called(state, ahead)),
        wear_micro_per_kwh=terms.wear_micro_per_kwh,
        reserve_wh=terms.reserve_wh,
        v2g=terms.v2g,
        behind={
            asset.id: (owner, assets[AssetKind.CONNECTION].id)
            for owner, assets in homes(state, terms).items()
            for asset in assets.values()
        },
        feeder=next((asset.id for asset in state.assets.values() if asset.kind is AssetKind.FEEDER), ""),
        end=(terms.span.end, ending_wh) if terms.hands_over else None,
        clock=zone_of(state.charter.timezone),
        foresee=terms.foresee,
        asked={
            assets[AssetKind.CONNECTION].id: asked[owner]
            for asked in (asked_of_homes(state),)
            for owner, assets in homes(state, terms).items()
            if owner in asked
        },
    )


def measured(
    state: State, terms: Terms, owner: AccountId, assets: Mapping[AssetKind, Asset], slot_s: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return load and generation of a home up to a slot; where a meter is silent, the day before stands in."""
    loads, suns = list(terms.load_wh[owner]), list(terms.solar_wh[owner])
    for past_s in range(epoch(terms.span.start), slot_s, SLOT_SECONDS):
        told = state.readings.told(past_s)
        connection, sun = told.get(assets[AssetKind.CONNECTION].id), told.get(assets[AssetKind.SOLAR].id)
        if connection is None or sun is None:
            loads.append(loads[-SLOTS_PER_DAY])
            suns.append(suns[-SLOTS_PER_DAY])
            continue
        apart = [a.id for kind, a in assets.items() if kind is not AssetKind.CONNECTION and not a.own_use]
        behind = [told[asset] for asset in apart if asset in told]
        loads.append(home_load_wh(connection, behind))
        suns.append(sun.export_wh)
    return tuple(loads), tuple(suns)


def _stored(state: State, asset: Asset, slot_s: int) -> Stored | None:
    """Return a storing asset if it answered of late, is here, and its owner lets it be scheduled.

    Who wants to be asked is asked once: as long as what they were asked waits, was declined or is under way, nothing
    else is planned.
    """
    reading = state.readings.told(slot_s - SLOT_SECONDS).get(asset.id)
    consent, proposal = state.consent(asset.id), state.proposals.get(asset.id)
    agreed = consent.mode is not ConsentMode.OFF and not state.trusted.suspended(asset.id)
    if reading is None or reading.level_wh is None or not agreed:
        return None
    if proposal is not None and not (proposal.accepted and _over(proposal.schedule, instant(slot_s))):
        return None
    answer = state.answers.get(asset.id)
    if answer and answer.ack.taken is None and answer.slot_s >= slot_s - REFUSED_FOR_SLOTS * SLOT_SECONDS:
        return None
    if asset.kind is not AssetKind.VEHICLE:
        return Stored(asset=asset, level_wh=reading.level_wh, consent=consent)
    leaving = _departure(state, asset.id, instant(slot_s))
    if leaving is None or leaving.at is None:
        return None
    percent = leaving.quantity is Quantity.CHARGE
    wanted_wh = -(-leaving.value * asset.capacity_wh // 100) if percent else leaving.value
    return Stored(asset=asset, level_wh=reading.level_wh, leaves=leaving.at, wanted_wh=wanted_wh, consent=consent)


def _promised(state: State, terms: Terms, now: datetime) -> dict[AssetId, tuple[int, ...]]:
    """Return what assets do whose owners were asked and said yes: planned around, never anew before it is over."""
    found = {}
    for owned in homes(state, terms).values():
        for asset in owned.values():
            proposal = state.proposals.get(asset.id)
            if proposal is None or not proposal.accepted or state.trusted.suspended(asset.id):
                continue
            if not _over(proposal.schedule, now):
                found[asset.id] = powers(proposal.schedule, now, HORIZON, asset)
    return found


def _over(schedule: Schedule, now: datetime) -> bool:
    return max(entry.interval.end for entry in schedule.instructions) <= now


def _departure(state: State, asset: AssetId, now: datetime) -> Constraint | None:
    """Return the next level that the owner wants at an instant: that is when the car leaves."""
    about = (one for one in state.stated if one.statement.reach is Reach.ASSET and asset in one.statement.scope)
    wants = (wish for one in about if one.statement.relation is Relation.AT_LEAST for wish in one.following(now))
    return min((wish for wish in wants if wish.at), key=lambda wish: wish.at or now, default=None)


def _greedy_end_wh(state: State, terms: Terms, asset: Asset, loads: Sequence[int], suns: Sequence[int]) -> int:
    """Return what a battery that only serves its own home would hold at the day's end, as far as can be told now.

    That is what ours is compared with, so it is what ours hands over: measured so far, forecast from here.
    """
    past = len(loads) - len(terms.load_wh[asset.owner])
    ahead = SLOTS_PER_DAY - past
    before = len(terms.load_wh[asset.owner])
    load = [*loads[before:], *corrected_naive(loads, ahead)]
    sun = [*suns[before:], *corrected_naive(suns, ahead)]
    first = state.readings.told(epoch(terms.span.start) - SLOT_SECONDS).get(asset.id)
    level_wh = first.level_wh or 0 if first else 0
    for used_wh, made_wh in zip(load, sun, strict=True):
        floor_wh = min(level_wh, terms.reserve_wh)
        surplus_w = (made_wh - used_wh) * 3600 // SLOT_SECONDS
        level_wh = battery.step(asset, level_wh, surplus_w, SLOT_SECONDS, floor_wh).level_wh
    return level_wh

"""Zones as who runs the wires sees them: sums of several homes against what the grid bears, and no home by itself."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from commonwatt.apps.community import Community
from commonwatt.apps.views.seeing import Unseen, check
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Seat
from commonwatt.model import (
    SLOT_SECONDS,
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    Quantity,
    Reach,
    Relation,
    round_div,
    slot_from,
)

LEAST_HOMES = 3
"""Of fewer owners' homes no sum is shown: who knows their own could tell the other's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneSlot:
    """One slot of a zone: mean W, import positive; None where fewer than `LEAST_HOMES` owners' homes told.

    Where what is left of the community without the zones that are shown would be fewer homes than that, the next
    smallest is not shown either: the feeder less all others would be theirs.

    ``most_w`` and ``least_w`` are what stands stated about it for that slot, None where nothing binds.
    """

    slot_s: int
    power_w: int | None
    most_w: int | None
    least_w: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneView:
    """A zone: how many homes it has, what they may draw together by their fuses, and its last slots in order."""

    zone: str
    as_of_s: int
    homes: int
    fuses_w: int
    over: int
    """In how many of these slots the load was beyond what was stated."""
    slots: Sequence[ZoneSlot]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeederSlot:
    """What the feeder's own meter saw in one slot, mean W, and by how much the members' meters differed, Wh."""

    slot_s: int
    power_w: int
    losses_wh: int | None


def zones(community: Community, seat: Seat, from_s: int, to_s: int) -> list[ZoneView]:
    """Return every zone that a seat is about.

    Raises:
        Refused: The role does not see zones.
    """
    check(community, seat, Action.SEE_ZONES, None)
    told = _told(community, from_s, to_s)
    return [_zone(community, name, told) for name in sorted(told) if not seat.zones or name in seat.zones]


def zone(community: Community, seat: Seat, name: str, from_s: int, to_s: int) -> ZoneView:
    """Return one.

    Raises:
        Refused: The role does not see zones.
        Unseen: There is no such zone for this seat.
    """
    check(community, seat, Action.SEE_ZONES, None)
    known = any(one.zone == name for one in community.state.assets.values())
    if not known or (seat.zones and name not in seat.zones):
        raise Unseen(name)
    return _zone(community, name, _told(community, from_s, to_s))


def feeder(community: Community, seat: Seat, from_s: int, to_s: int) -> list[FeederSlot]:
    """Return what the feeder's meter saw; none where there is no such meter, or of fewer than `LEAST_HOMES` owners.

    Raises:
        Refused: The role does not see the community's sums.
    """
    check(community, seat, Action.SEE_COMMUNITY, None)
    meter = next((one.id for one in community.state.assets.values() if one.kind is AssetKind.FEEDER), None)
    if meter is None or len({one.owner for one in _homes(community)}) < LEAST_HOMES:
        return []
    losses = community.chronicle.losses_wh(from_s, to_s)
    return [
        FeederSlot(
            slot_s=one.slot_s,
            power_w=mean_w(one.reading.import_wh - one.reading.export_wh),
            losses_wh=losses.get(one.slot_s),
        )
        for one in community.chronicle.readings(meter, from_s, to_s)
    ]


def limits_w(community: Community, name: str, slots_s: Sequence[int]) -> list[int | None]:
    """Return the most that stands stated about a zone's power in each slot, W; None where nothing binds."""
    return [min(_bounds(community, name, slot_s)[Relation.AT_MOST], default=None) for slot_s in slots_s]


def shown_zones(community: Community) -> set[str]:
    """Return the zones of which sums may be shown where all that have a home tell of it."""
    owners = {(one.zone, one.owner) for one in _homes(community)}
    return may_be_shown(Counter(zone for zone, _ in owners))


def may_be_shown(owners: Mapping[str, int]) -> set[str]:
    """Return the zones of which sums may be shown, by how many owners' homes each has.

    None of fewer than `LEAST_HOMES`; and where the community less those that are shown would be so few, not the next
    smallest either.
    """
    shown = {name for name, many in owners.items() if many >= LEAST_HOMES}
    left = sum(many for name, many in owners.items() if name not in shown)
    for name in sorted(shown, key=lambda one: (owners[one], one)):
        if left not in range(1, LEAST_HOMES):
            break
        shown.remove(name)
        left += owners[name]
    return shown


def mean_w(energy_wh: int) -> int:
    """Return the mean power over a slot that comes to so much energy."""
    return round_div(energy_wh * 3_600, SLOT_SECONDS)


@dataclass(frozen=True, slots=True)
class _Told:
    """What a zone's homes told of a slot: of how many owners, their net energy, and whether it may be shown."""

    owners: int
    energy_wh: int
    shown: bool


def _told(community: Community, from_s: int, to_s: int) -> dict[str, dict[int, _Told]]:
    """Return by zone and slot what homes told; what may be shown depends on all zones, whichever a seat is about."""
    owners: dict[str, dict[AssetId, AccountId]] = {}
    for one in _homes(community):
        owners.setdefault(one.zone, {})[one.id] = one.owner
    found: dict[str, dict[int, _Told]] = {}
    for name, own in owners.items():
        many = community.chronicle.owners_told(own, from_s, to_s)
        sums = community.chronicle.sums_wh(list(own), from_s, to_s)
        found[name] = {slot_s: _Told(many[slot_s], wh, False) for slot_s, (_, wh) in sums.items()}
    for slot_s in {slot_s for told in found.values() for slot_s in told}:
        _withhold(found, slot_s)
    return found


def _withhold(found: dict[str, dict[int, _Told]], slot_s: int) -> None:
    """Show no zone of a slot of which the others, taken from the feeder, would leave a home or two."""
    told = {name: slots[slot_s] for name, slots in found.items() if slot_s in slots}
    shown = may_be_shown({name: one.owners for name, one in told.items()})
    for name, one in told.items():
        found[name][slot_s] = replace(one, shown=name in shown)


def _zone(community: Community, name: str, told: Mapping[str, Mapping[int, _Told]]) -> ZoneView:
    own = [one for one in _homes(community) if one.zone == name]
    slots = [_slot(community, name, slot_s, one) for slot_s, one in told.get(name, {}).items()]
    return ZoneView(
        zone=name,
        as_of_s=community.told_s,
        homes=len(own),
        fuses_w=sum(one.max_import_w for one in own),
        over=sum(_over(one) for one in slots),
        slots=slots,
    )


def _homes(community: Community) -> list[Asset]:
    return [one for one in community.state.assets.values() if one.kind is AssetKind.CONNECTION]


def _slot(community: Community, name: str, slot_s: int, told: _Told) -> ZoneSlot:
    bounds = _bounds(community, name, slot_s)
    return ZoneSlot(
        slot_s=slot_s,
        power_w=mean_w(told.energy_wh) if told.shown else None,
        most_w=min(bounds[Relation.AT_MOST], default=None),
        least_w=max(bounds[Relation.AT_LEAST], default=None),
    )


def _bounds(community: Community, name: str, slot_s: int) -> dict[Relation, list[int]]:
    """Return what stands stated about a zone's power in a slot."""
    slot, found = slot_from(slot_s), {relation: list[int]() for relation in Relation}
    for stated in community.state.stated:
        for one in stated.occurrences(slot):
            if one.reach is Reach.ZONE and one.quantity is Quantity.POWER and AssetId(name) in one.scope:
                found[one.relation].append(one.value)
    return found


def _over(slot: ZoneSlot) -> bool:
    if slot.power_w is None:
        return False
    return (slot.most_w is not None and slot.power_w > slot.most_w) or (
        slot.least_w is not None and slot.power_w < slot.least_w
    )

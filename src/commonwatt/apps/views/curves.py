"""The four curves of a community (row W2): demand alone, with unmanaged cars, with smart charging, with discharging."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from commonwatt.apps.community import Community
from commonwatt.apps.views.seeing import check
from commonwatt.apps.views.zones import LEAST_HOMES, mean_w
from commonwatt.flows.chronicle import Believed
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Seat
from commonwatt.model import SLOT_SECONDS, Asset, AssetKind, Quantity, Relation, epoch, round_div

_CARS_S = 3 * 86_400
"""How long before the first slot shown a car that stands there may have come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveSlot:
    """One slot of a community, mean W at its feeder, import positive; all from what meters told.

    Args:
        slot_s: When it began.
        demand_w: Homes and roofs, with neither batteries nor cars.
        unmanaged_w: The same, with every car charging at full power from when it was plugged in.
        smart_w: As it was, had no car given anything back.
        discharging_w: As it was.

    What homes did without their stores is None where stores told, but of fewer than `zones.LEAST_HOMES` owners: taken
    from what was, it would tell of them. The two in the middle are None where fewer owners of cars than that told.
    """

    slot_s: int
    demand_w: int | None
    unmanaged_w: int | None
    smart_w: int | None
    discharging_w: int


def curves(community: Community, seat: Seat, from_s: int, to_s: int) -> list[CurveSlot]:
    """Return the slots of [from_s, to_s) of which every home told, in order; none of fewer than `LEAST_HOMES` owners.

    Raises:
        Refused: The role does not see sums of homes.
    """
    check(community, seat, Action.SEE_ZONES, None)
    homes, batteries, cars = (_of(community, kind) for kind in _KINDS)
    if len({one.owner for one in homes}) < LEAST_HOMES:
        return []
    told, batteries_wh, cars_wh = (
        community.chronicle.sums_wh([one.id for one in assets], from_s, to_s) for assets in (homes, batteries, cars)
    )
    given_wh: dict[int, int] = {}
    greedy_wh: dict[int, int] = {}
    for car in cars:
        readings = community.chronicle.readings(car.id, from_s - _CARS_S, to_s)
        for one in readings:
            given_wh[one.slot_s] = given_wh.get(one.slot_s, 0) + one.reading.export_wh
        for slot_s, wh in unmanaged_wh(car, readings, _wanted_wh(community, car)).items():
            greedy_wh[slot_s] = greedy_wh.get(slot_s, 0) + wh
    with_stores, with_cars = (
        community.chronicle.owners_told({one.id: one.owner for one in assets}, from_s, to_s)
        for assets in (batteries + cars, cars)
    )
    found, none = [], (0, 0)
    for slot_s, (count, homes_wh) in told.items():
        if count < len(homes):
            continue
        many = with_cars.get(slot_s, 0) >= LEAST_HOMES
        alone_shown = with_stores.get(slot_s, 0) not in range(1, LEAST_HOMES)
        alone_wh = homes_wh - batteries_wh.get(slot_s, none)[1] - cars_wh.get(slot_s, none)[1]
        found.append(
            CurveSlot(
                slot_s=slot_s,
                demand_w=mean_w(alone_wh) if alone_shown else None,
                unmanaged_w=mean_w(alone_wh + greedy_wh.get(slot_s, 0)) if many else None,
                smart_w=mean_w(homes_wh + given_wh.get(slot_s, 0)) if many else None,
                discharging_w=mean_w(homes_wh),
            )
        )
    return found


_KINDS = (AssetKind.CONNECTION, AssetKind.BATTERY, AssetKind.VEHICLE)


def unmanaged_wh(car: Asset, readings: Sequence[Believed], wanted_wh: Mapping[int, int]) -> dict[int, int]:
    """Return what a car would have taken by slot, had it charged at full power from when it was plugged in.

    A car that has left takes what it took in its whole stay, all told. One that is still there takes what it lacked, as
    it came, of what its owner wants it to hold; where nobody said, what it took until now.

    Args:
        car: With its power and efficiency.
        readings: Of its meter, in order; a car is there while its meter tells a level.
        wanted_wh: What its owner wants it to hold, in Wh, by the slot in which that is due.
    """
    found: dict[int, int] = {}
    for stay in _stays(readings):
        last, came_wh = stay[-1], stay[0].reading.level_wh or 0
        left = last is not readings[-1]
        due = [wh for at_s, wh in wanted_wh.items() if at_s > stay[0].slot_s]
        if left or not due:
            needed_wh = max(0, sum(one.reading.import_wh - one.reading.export_wh for one in stay))
        else:
            needed_wh = max(0, round_div((max(due) - came_wh) * 1000, car.charge_permille))
        most_wh = car.max_import_w * SLOT_SECONDS // 3600
        for one in stay:
            found[one.slot_s] = min(needed_wh, most_wh)
            needed_wh -= found[one.slot_s]
    return found


def _stays(readings: Sequence[Believed]) -> list[list[Believed]]:
    stays: list[list[Believed]] = []
    before = False
    for one in readings:
        here = one.reading.level_wh is not None
        if here and not before:
            stays.append([])
        if here:
            stays[-1].append(one)
        before = here
    return stays


def _wanted_wh(community: Community, car: Asset) -> dict[int, int]:
    """Return what is stated that a car holds at least, in Wh, by the time of it."""
    wanted = {}
    for stated in community.state.stated:
        said = stated.once
        if said is None or said.at is None or str(car.id) not in said.scope or said.relation is not Relation.AT_LEAST:
            continue
        whole = said.quantity is Quantity.CHARGE
        wanted[epoch(said.at)] = car.capacity_wh * said.value // 100 if whole else said.value
    return wanted


def _of(community: Community, kind: AssetKind) -> list[Asset]:
    return [one for one in community.state.assets.values() if one.kind is kind]

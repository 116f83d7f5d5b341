"""Which cars conflict under a common limit: cars that only charge are a flow, and a cut says why it is too small."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from commonwatt.flexibility.exact.devices import KWH_PER_W
from commonwatt.flexibility.exact.matrix import Numbers, Values
from commonwatt.flexibility.exact.statements import window
from commonwatt.flexibility.explanation.flow import LEFT, serve
from commonwatt.flexibility.problem import Problem
from commonwatt.model import Constraint, Envelope, Quantity, Reach, Relation, Store


@dataclass(slots=True)
class _Cars:
    """Needs and rates in kWh at the meter; room per limit and slot, without bound where it says nothing."""

    wishes: list[Constraint]
    limits: list[Constraint]
    need: Values
    rate: Values
    rooms: Values


def conflict_of_cars(problem: Problem, request: Constraint | None) -> tuple[Constraint, ...] | None:
    """Return a minimal conflict of cars that only charge and of limits on all of them; None where there is more to it.

    Args:
        problem: What is asked.
        request: The statement that should be in it.
    """
    cars = _cars(problem)
    if cars is None or (request is not None and request not in cars.wishes):
        return None
    # The request comes last: whoever cannot be served then competes with it.
    order = sorted(range(len(cars.wishes)), key=lambda i: cars.wishes[i] == request)
    cars.wishes, cars.need, cars.rate = [cars.wishes[i] for i in order], cars.need[order], cars.rate[order]
    count, slots = cars.rate.shape
    room = np.min(cars.rooms, axis=0)
    flow, part = np.zeros((count, slots)), np.ones(count, bool)
    car_seen, slot_seen = np.zeros(count, bool), np.zeros(slots, bool)
    behind = int(serve(cars.need, cars.rate, room, flow, part, car_seen, slot_seen))
    while request is not None and 0 <= behind < count - 1:  # who conflicts without it is no part of why
        part[behind] = False
        flow[behind] = 0.0
        behind = int(serve(cars.need, cars.rate, room, flow, part, car_seen, slot_seen))
    if behind < 0:
        return ()
    members, limits = _candidates(cars, room, behind, car_seen, slot_seen), list(range(len(cars.limits)))
    for limit in list(limits):  # a limit that is not needed goes first: there are few
        rest = [one for one in limits if one != limit]
        if not _served(cars, members, rest):
            limits = rest
    members = _necessary(cars, members, limits)
    return tuple([cars.wishes[i] for i in members] + [cars.limits[i] for i in limits])


def _candidates(cars: _Cars, room: Values, behind: int, seen: Values, slots: Values) -> list[int]:
    """Return cars that together need more in some slots than there is room; as few as will do, the one behind first."""
    outside = cars.rate[:, ~slots.astype(bool)].sum(axis=1)
    forced = np.where(seen, np.maximum(0.0, cars.need - outside), 0.0)
    forced = np.minimum(forced, np.maximum(cars.rate[:, slots.astype(bool)].sum(axis=1), cars.need))
    by_size = [int(i) for i in np.argsort(-forced, kind="stable") if forced[i] > 0 and i != behind]
    members, total, most = [behind], float(forced[behind]), float(room[slots.astype(bool)].sum())
    for i in by_size:
        if total > most + LEFT:
            break
        members.append(i)
        total += float(forced[i])
    return members


def _served(cars: _Cars, members: Sequence[int], limits: Sequence[int]) -> bool:
    rows = np.array(members, np.int64)
    room = np.min(cars.rooms[list(limits)], axis=0) if limits else np.full(cars.rate.shape[1], 1e9)
    count, slots = len(rows), cars.rate.shape[1]
    flow, seen = np.zeros((count, slots)), np.zeros(count, bool)
    part = np.ones(count, bool)
    return bool(serve(cars.need[rows], cars.rate[rows], room, flow, part, seen, np.zeros(slots, bool)) < 0)


def _necessary(cars: _Cars, members: list[int], limits: Sequence[int]) -> list[int]:
    """Leave out each car without which the others conflict still; what flows to the others stays as a beginning."""
    rows = np.array(members, np.int64)
    need, rate = cars.need[rows], np.ascontiguousarray(cars.rate[rows])
    count, slots = rate.shape
    room = np.min(cars.rooms[list(limits)], axis=0) if limits else np.full(slots, 1e9)
    flow, part = np.zeros((count, slots)), np.ones(count, bool)
    seen, slot_seen = np.zeros(count, bool), np.zeros(slots, bool)
    serve(need, rate, room, flow, part, seen, slot_seen)
    for i in range(count - 1, -1, -1):
        trial = flow.copy()
        trial[i] = 0.0
        part[i] = False
        if serve(need, rate, room, trial, part, seen, slot_seen) < 0:
            part[i] = True  # without it all would be served
        else:
            flow = trial
    return [member for member, kept in zip(members, part, strict=True) if kept]


def _cars(problem: Problem) -> _Cars | None:
    stores: dict[str, tuple[Envelope, Store]] = {}
    fixed = np.zeros(problem.slots)
    for envelope in problem.envelopes:
        if envelope.fixed:
            fixed += np.array(envelope.lo_w) * KWH_PER_W
        elif envelope.store and _charges_only(envelope, envelope.store):
            stores[envelope.asset] = (envelope, envelope.store)
        else:
            return None
    wishes, limits = [], []
    for constraint in dict.fromkeys(problem.constraints):
        if constraint.quantity is Quantity.POWER and constraint.relation is Relation.AT_MOST:
            limits.append(constraint)
        elif constraint.at is None or constraint.relation is Relation.AT_MOST or constraint.reach is not Reach.ASSET:
            return None
        elif len(window(problem, constraint)):
            wishes.append(constraint)
    if not _simple(problem, wishes, limits, set(stores)):
        return None
    need, rate = np.zeros(len(wishes)), np.zeros((len(wishes), problem.slots))
    for i, wish in enumerate(wishes):
        need[i], rate[i] = _wish(*stores[wish.scope[0]], wish, window(problem, wish))
    rooms = np.full((len(limits) + 1, problem.slots), 1e9)
    for room, limit in zip(rooms, limits, strict=False):
        slots = window(problem, limit)
        room[slots] = limit.value * KWH_PER_W - fixed[slots]
    if np.any(rooms < 0):
        return None
    return _Cars(wishes, limits, need, rate, rooms)


def _simple(problem: Problem, wishes: list[Constraint], limits: list[Constraint], stores: set[str]) -> bool:
    """Tell whether each wish is about one car, no car has two, and each limit is on all."""
    about = [wish.scope[0] for wish in wishes]
    one_each = len(set(about)) == len(about) and all(len(wish.scope) == 1 for wish in wishes)
    return bool(wishes) and one_each and set(about) <= stores and all(_covers(problem, limit) for limit in limits)


def _charges_only(envelope: Envelope, store: Store) -> bool:
    steady = store.keep_ppm == 10**6 and not any(store.inflow_wh) and not store.gain_permille
    free = envelope.least_import_w == 0 and max(envelope.least_run, envelope.least_rest) == 1
    rests = max(store.level_min_wh) <= store.level_now_wh <= min(store.level_max_wh)
    return steady and free and rests and not any(envelope.lo_w) and len(set(store.level_max_wh)) == 1


def _covers(problem: Problem, limit: Constraint) -> bool:
    """Tell whether a limit is on all that is here."""
    if limit.reach is Reach.COMMUNITY:
        return True
    names: dict[Reach, Callable[[Envelope], str]] = {
        Reach.ASSET: lambda e: e.asset,
        Reach.OWNER: lambda e: e.owner,
        Reach.CONNECTION: lambda e: e.connection,
        Reach.ZONE: lambda e: e.zone,
        Reach.FEEDER: lambda e: e.feeder,
    }
    return {names[limit.reach](e) for e in problem.envelopes} <= set(limit.scope)


def _wish(envelope: Envelope, store: Store, wish: Constraint, at: Numbers) -> tuple[float, Values]:
    """Return what a wish takes at the meter, and the most per slot, up to its instant and to what the store holds."""
    wanted = wish.value if wish.quantity is Quantity.BATTERY else wish.value * store.capacity_wh / 100
    rate = np.array(envelope.hi_w) * KWH_PER_W
    rate[at[0] + 1 :] = 0.0
    if wanted > store.level_max_wh[0]:
        rate[:] = 0.0  # however long it charges
    return max(0.0, wanted - store.level_now_wh) / store.charge_permille, rate

"""Statements as rows: what each bounds, with a slack per row that stays at zero until ranks have to give way."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from commonwatt.flexibility.exact.devices import KWH_PER_W, Device, gain
from commonwatt.flexibility.exact.matrix import NOTHING, Matrix, Numbers, Terms, Values, joined, terms
from commonwatt.flexibility.problem import Problem
from commonwatt.model import SLOT_SECONDS, Constraint, Quantity, Reach, Relation, Store, Warmth, epoch

MINUTES_PER_SLOT = SLOT_SECONDS // 60
TOLD = 0.05
"""A miss that would be told as 0.0, in the unit of its quantity, is none."""
TEN_DEGREES = 10.0
"""What a miss of a temperature is held against, in K: a share of degrees Celsius would mean nothing."""


@dataclass(slots=True)
class Statement:
    """A constraint in the program.

    Args:
        constraint: What was said.
        rows: Its rows.
        slacks: A column per row by which it is missed.
        unit: Of the constraint's value per unit of slack.
        asked: What its misses are held against, in units of slack.
    """

    constraint: Constraint
    rows: Numbers
    slacks: Numbers
    unit: float
    asked: float


@dataclass(frozen=True, slots=True)
class Bound:
    """Sums that a constraint bounds: at least the bounds, or at most, less or more their slacks."""

    sums: Terms
    bounds: Values
    unit: float
    slack: float | Values = 1.0
    flip: Values | None = None  # -1 where the relation is turned round: a store of cold fills as it cools


class Places:
    """Which devices a constraint is about, looked up by name once."""

    def __init__(self, devices: Sequence[Device]) -> None:
        self._all = list(devices)
        self._named: dict[tuple[Reach, str], list[Device]] = {}
        for device in devices:
            e = device.envelope
            for reach, name in (
                (Reach.ASSET, e.asset), (Reach.OWNER, e.owner), (Reach.CONNECTION, e.connection),
                (Reach.ZONE, e.zone), (Reach.FEEDER, e.feeder),
            ):  # fmt: skip
                self._named.setdefault((reach, name), []).append(device)

    def of(self, constraint: Constraint) -> list[Device]:
        """Return the devices in a constraint's scope."""
        if constraint.reach is Reach.COMMUNITY:
            return self._all
        return [
            one for name in dict.fromkeys(constraint.scope) for one in self._named.get((constraint.reach, name), [])
        ]


def window(problem: Problem, constraint: Constraint) -> Numbers:
    """Return the slots that a constraint is about: all that its window touches, or the one that its instant ends."""
    start_s, slots = epoch(problem.start), problem.slots
    if constraint.at is not None:
        slot = -(-(epoch(constraint.at) - start_s) // SLOT_SECONDS) - 1
        return np.array([slot] if 0 <= slot < slots else [], np.int64)
    assert constraint.window is not None
    first = (epoch(constraint.window.start) - start_s) // SLOT_SECONDS
    last = -(-(epoch(constraint.window.end) - start_s) // SLOT_SECONDS)
    return np.arange(min(max(first, 0), slots), max(min(last, slots), 0))


def state(matrix: Matrix, problem: Problem, places: Places, constraint: Constraint, room_wh: int) -> Statement | None:
    """Add a statement; None where it is about nothing that is here.

    Args:
        matrix: The program.
        problem: For its slots.
        places: The devices.
        constraint: What is said.
        room_wh: What is asked of a store beyond a stated least level, since meters and losses round down.
    """
    slots, scope = window(problem, constraint), places.of(constraint)
    if not len(slots) or not scope:
        return None
    bound = _BOUNDS[constraint.quantity](matrix, constraint, scope, slots)
    if bound is None:
        return None
    count = len(bound.bounds)
    bounds = bound.bounds
    if room_wh and constraint.at is not None and constraint.relation is Relation.AT_LEAST:
        full = sum(d.envelope.store.capacity_wh for d in scope if d.envelope.store) / 1000
        room = room_wh / 1000 * len(bound.sums.rows)
        bounds = np.maximum(bounds, np.minimum(bounds + room, full))
    sign = (1.0 if constraint.relation is Relation.AT_LEAST else -1.0) * (1.0 if bound.flip is None else bound.flip)
    signs = np.broadcast_to(np.asarray(sign, np.float64), count)
    slacks = matrix.columns(0.0, 0.0, count)
    every = np.arange(count)
    rows = matrix.rows(
        joined([bound.sums, terms(every, slacks, signs * bound.slack)]),
        np.where(signs > 0, bounds, -np.inf),
        np.where(signs > 0, np.inf, bounds),
        count,
    )
    asked = abs(constraint.value) / bound.unit or 1.0
    if constraint.quantity is Quantity.TEMPERATURE:
        asked = TEN_DEGREES
    return Statement(constraint, rows, slacks, bound.unit, asked)


def _stored(matrix: Matrix, constraint: Constraint, scope: Sequence[Device], slots: Numbers) -> Bound | None:
    stores = [(d.level, d.envelope.store) for d in scope if d.level is not None and d.envelope.store]
    full_wh = sum(store.capacity_wh for _, store in stores)
    if not stores or (constraint.quantity is Quantity.CHARGE and not full_wh):
        return None
    sums = terms(0, [level[slots[0]] for level, _ in stores], 1.0)
    if constraint.quantity is Quantity.BATTERY:
        return Bound(sums, np.array([constraint.value / 1000]), 1000.0)
    return Bound(sums, np.array([constraint.value * full_wh / 100_000]), 100_000.0 / full_wh)


def _power(matrix: Matrix, constraint: Constraint, scope: Sequence[Device], slots: Numbers) -> Bound:
    net, constant = _net(scope, slots)
    return Bound(net, constraint.value * KWH_PER_W - constant, 1 / KWH_PER_W)


def _energy(matrix: Matrix, constraint: Constraint, scope: Sequence[Device], slots: Numbers) -> Bound:
    net, constant = _net(scope, slots)
    return Bound(_in_all(net), np.array([constraint.value / 1000 - constant.sum()]), 1000.0)


def _ramp(matrix: Matrix, constraint: Constraint, scope: Sequence[Device], slots: Numbers) -> Bound | None:
    """From each slot to the next, both in the window, either way."""
    if len(slots) < 2:
        return None
    net, constant = _net(scope, slots)
    count, pairs = len(slots), np.arange(len(slots) - 1)
    rise = joined([net.within(pairs + 1, count), net.within(pairs, count).scaled(-1.0)])
    known = np.diff(constant)
    most = constraint.value * KWH_PER_W
    if constraint.relation is Relation.AT_MOST:
        both = joined([rise, rise.scaled(-1.0).shifted(len(pairs))])
        return Bound(both, np.concatenate([most - known, most + known]), 1 / KWH_PER_W)
    # At least so steep: up or down, which a column says for each pair.
    far = most + sum(float(np.ptp([d.envelope.lo_w, d.envelope.hi_w])) * KWH_PER_W for d in scope) + 1.0
    up = matrix.columns(0.0, 1.0, len(pairs))
    matrix.whole(up)
    rises = joined([rise, terms(pairs, up, -far)])
    falls = joined([rise.scaled(-1.0), terms(pairs, up, far)]).shifted(len(pairs))
    return Bound(joined([rises, falls]), np.concatenate([most - far - known, most + known]), 1 / KWH_PER_W)


def _temperature(matrix: Matrix, constraint: Constraint, scope: Sequence[Device], slots: Numbers) -> Bound | None:
    warm: list[tuple[Numbers, Warmth]] = []
    for device in scope:
        store = device.envelope.store
        if device.level is not None and store is not None and store.warmth is not None:
            warm.append((device.level, store.warmth))
    if not warm:
        return None
    kwh_per_k = np.repeat([warmth.wh_per_k / 1000 for _, warmth in warm], len(slots))
    above_k = np.repeat([(constraint.value - warmth.zero_mc) / 1000 for _, warmth in warm], len(slots))
    columns = np.concatenate([level[slots] for level, _ in warm])
    sums = terms(np.arange(len(columns)), columns, 1.0)
    return Bound(sums, above_k * kwh_per_k, 1000.0, np.abs(kwh_per_k), np.sign(kwh_per_k))


def _run_time(matrix: Matrix, constraint: Constraint, scope: Sequence[Device], slots: Numbers) -> Bound:
    count = len(scope[0].envelope.lo_w)
    on = joined([device.on.within(slots, count) for device in scope])
    known = sum(float(d.constant_on[slots].sum()) for d in scope if d.constant_on is not None)
    return Bound(_in_all(on), np.array([constraint.value / MINUTES_PER_SLOT - known]), float(MINUTES_PER_SLOT))


def _cycles(matrix: Matrix, constraint: Constraint, scope: Sequence[Device], slots: Numbers) -> Bound | None:
    full_kwh = sum(d.envelope.store.capacity_wh for d in scope if d.envelope.store) / 1000
    if not full_kwh:
        return None
    taken = []
    for device in scope:
        if store := device.envelope.store:
            out = device.supply.within(slots, len(device.envelope.lo_w))
            taken.append(out.scaled(1000 / store.discharge_permille))
    return Bound(_in_all(joined(taken)), np.array([constraint.value / 1000 * full_kwh]), 1000.0 / full_kwh)


def _reserve(matrix: Matrix, constraint: Constraint, scope: Sequence[Device], slots: Numbers) -> Bound:
    """What could be drawn less (up) or more (down) in each slot, as far as power and stored energy go.

    An upper bound on it is held on power alone, which is enough and never too little.
    """
    up, held = constraint.quantity is Quantity.RESERVE_UP, constraint.relation is Relation.AT_LEAST
    sums, known = [], np.zeros(len(slots))
    for device in scope:
        e = device.envelope
        if e.shift or e.fixed or not e.direct:
            continue
        edge = np.array(e.lo_w if up else e.hi_w)[slots] * KWH_PER_W
        net = device.net.within(slots, len(e.lo_w))
        room, room_known = (net, -edge) if up else (net.scaled(-1.0), edge)
        if device.level is None or e.store is None or not held:
            sums.append(room)
            known += room_known
        else:
            sums.append(_from_store(matrix, device, e.store, slots, room, room_known, up=up))
    return Bound(joined(sums), constraint.value * KWH_PER_W - known, 1 / KWH_PER_W)


def _from_store(
    matrix: Matrix, device: Device, store: Store, slots: Numbers, room: Terms, room_known: Values, *, up: bool
) -> Terms:
    """Return columns of what a store can answer with through each slot: what it stops first, then the other way."""
    assert device.level is not None
    count, every, all_slots = len(slots), np.arange(len(slots)), len(device.envelope.lo_w)
    into = gain(store, all_slots)[slots]
    out = np.full(count, 1000 / store.discharge_permille)
    stops, begins = (device.draw, device.supply) if up else (device.supply, device.draw)
    stopped, begun = matrix.columns(0.0, np.inf, count), matrix.columns(0.0, np.inf, count)
    answer = terms(every, stopped, 1.0)
    used = joined([answer.scaled(into if up else out)])
    if len(begins.rows):
        # Where stopping takes more of the store than beginning, beginning is counted as dear: stopping comes first.
        answer = joined([answer, terms(every, begun, 1.0)])
        used = joined([used, terms(every, begun, np.maximum(into, out))])
    matrix.rows(joined([terms(every, stopped, 1.0), stops.within(slots, all_slots).scaled(-1.0)]), -np.inf, 0.0, count)
    matrix.rows(joined([answer, room.scaled(-1.0)]), -np.inf, room_known, count)
    level = terms(every, device.level[slots], -1.0 if up else 1.0)
    least, most = np.array(store.level_min_wh)[slots] / 1000, np.array(store.level_max_wh)[slots] / 1000
    matrix.rows(joined([used, level]), -np.inf, -least if up else most, count)
    return answer


def _net(scope: Sequence[Device], slots: Numbers) -> tuple[Terms, Values]:
    count = len(scope[0].envelope.lo_w)
    constant = np.sum([device.constant[slots] for device in scope], axis=0)
    return joined([device.net.within(slots, count) for device in scope]), np.asarray(constant)


def _in_all(block: Terms) -> Terms:
    return Terms(np.zeros_like(block.rows), block.columns, block.weights) if len(block.rows) else NOTHING


_BOUNDS: Mapping[Quantity, Callable[[Matrix, Constraint, Sequence[Device], Numbers], Bound | None]] = {
    Quantity.CHARGE: _stored,
    Quantity.BATTERY: _stored,
    Quantity.POWER: _power,
    Quantity.ENERGY: _energy,
    Quantity.RAMP: _ramp,
    Quantity.TEMPERATURE: _temperature,
    Quantity.RESERVE_UP: _reserve,
    Quantity.RESERVE_DOWN: _reserve,
    Quantity.RUN_TIME: _run_time,
    Quantity.CYCLES: _cycles,
}

"""Hold a plan against what is stated: by how much each statement is missed, from powers and levels alone."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from commonwatt.flexibility.checking.found import (
    FLOAT,
    MINUTES_PER_SLOT,
    REPORTED,
    ROUNDED_W,
    Track,
    Violation,
    choices,
    gain_of,
)
from commonwatt.flexibility.problem import Plan, Problem
from commonwatt.model import (
    SLOT,
    SLOT_SECONDS,
    SLOTS_PER_HOUR,
    AssetId,
    Constraint,
    Envelope,
    Quantity,
    Reach,
    Relation,
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a plan does, for the statements to look at."""

    problem: Problem
    power_w: Mapping[AssetId, Sequence[int]]
    tracks: Mapping[AssetId, Track]


@dataclass(frozen=True, slots=True)
class _Measured:
    """One figure that a statement bounds, and by how much rounding may have moved it."""

    value: float
    unsure: float
    slot: int


def missed_statements(problem: Problem, plan: Plan, facts: Facts) -> Iterator[Violation]:
    """Yield the statements that a plan misses by more than it owns up to."""
    owned_up: dict[Constraint, float] = defaultdict(float)
    for unmet in plan.unmet:
        if unmet.constraint not in problem.constraints:
            yield Violation("owns up to statements that were made", _named(unmet.constraint), f"unmet by {unmet.by}")
        owned_up[unmet.constraint] = max(owned_up[unmet.constraint], unmet.by)
    ranks = [unmet.constraint.priority for unmet in plan.unmet]
    if ranks != sorted(ranks):
        yield Violation("names what is unmet by rank", "plan", f"{[rank.name for rank in ranks]}")
    for constraint in problem.constraints:
        worst = max(_missing(constraint, facts), default=(0.0, 0), key=lambda missed: missed[0])
        if worst[0] > owned_up[constraint] + REPORTED:
            found = f"missed by {worst[0]:.1f} in slot {worst[1]}, owned up to {owned_up[constraint]:.1f}"
            yield Violation("keeps a statement or owns up to it", _named(constraint), found)


def _missing(constraint: Constraint, facts: Facts) -> Iterator[tuple[float, int]]:
    """Yield by how much each figure misses its bound beyond what rounding excuses."""
    if constraint.at is not None:
        # The instant belongs to the slot that ends with it.
        seconds = int((constraint.at - facts.problem.start).total_seconds())
        slots = [
            slot for slot in range(facts.problem.slots) if slot * SLOT_SECONDS < seconds <= (slot + 1) * SLOT_SECONDS
        ]
    else:
        window = constraint.window
        assert window is not None
        starts = [facts.problem.start + slot * SLOT for slot in range(facts.problem.slots)]
        slots = [slot for slot, start in enumerate(starts) if start < window.end and window.start < start + SLOT]
    scope = _scope(constraint, facts.problem)
    if not slots or not scope:
        return
    for measured in _MEASURES[constraint.quantity](scope, slots, facts):
        short = constraint.value - measured.value
        if constraint.relation is Relation.AT_MOST:
            short = -short
        yield short - measured.unsure - FLOAT, measured.slot


def _scope(constraint: Constraint, problem: Problem) -> list[Envelope]:
    if constraint.reach is Reach.COMMUNITY:
        return list(problem.envelopes)
    name: Callable[[Envelope], str] = {
        Reach.ASSET: lambda e: e.asset,
        Reach.OWNER: lambda e: e.owner,
        Reach.CONNECTION: lambda e: e.connection,
        Reach.ZONE: lambda e: e.zone,
        Reach.FEEDER: lambda e: e.feeder,
    }[constraint.reach]
    return [e for e in problem.envelopes if name(e) in constraint.scope]


def _power(scope: Sequence[Envelope], slots: Sequence[int], facts: Facts) -> Iterator[_Measured]:
    for slot in slots:
        yield _Measured(sum(facts.power_w[e.asset][slot] for e in scope), ROUNDED_W * choices(scope, slot), slot)


def _energy(scope: Sequence[Envelope], slots: Sequence[int], facts: Facts) -> Iterator[_Measured]:
    powers = list(_power(scope, slots, facts))
    yield _Measured(
        sum(p.value for p in powers) / SLOTS_PER_HOUR, sum(p.unsure for p in powers) / SLOTS_PER_HOUR, slots[-1]
    )


def _ramp(scope: Sequence[Envelope], slots: Sequence[int], facts: Facts) -> Iterator[_Measured]:
    powers = list(_power(scope, slots, facts))
    for before, after in pairwise(powers):
        yield _Measured(abs(after.value - before.value), before.unsure + after.unsure, after.slot)


def _stored(scope: Sequence[Envelope], slots: Sequence[int], facts: Facts) -> Iterator[_Measured]:
    tracks = [facts.tracks[e.asset] for e in scope if e.store]
    for slot in slots if tracks else ():
        yield _Measured(sum(t.level_wh[slot] for t in tracks), sum(t.unsure_wh[slot] for t in tracks), slot)


def _charge(scope: Sequence[Envelope], slots: Sequence[int], facts: Facts) -> Iterator[_Measured]:
    full_wh = sum(e.store.capacity_wh for e in scope if e.store)
    for stored in _stored(scope, slots, facts) if full_wh else ():
        yield _Measured(stored.value / full_wh * 100, stored.unsure / full_wh * 100, stored.slot)


def _temperature(scope: Sequence[Envelope], slots: Sequence[int], facts: Facts) -> Iterator[_Measured]:
    for envelope in scope:
        if envelope.store is None or envelope.store.warmth is None:
            continue
        warmth, track = envelope.store.warmth, facts.tracks[envelope.asset]
        mc_per_wh = 1000 / warmth.wh_per_k
        for slot in slots:
            value = warmth.zero_mc + track.level_wh[slot] * mc_per_wh
            yield _Measured(value, track.unsure_wh[slot] * abs(mc_per_wh), slot)


def _run_time(scope: Sequence[Envelope], slots: Sequence[int], facts: Facts) -> Iterator[_Measured]:
    on = sum(facts.power_w[e.asset][slot] != 0 for e in scope for slot in slots)
    yield _Measured(on * MINUTES_PER_SLOT, 0.0, slots[-1])


def _cycles(scope: Sequence[Envelope], slots: Sequence[int], facts: Facts) -> Iterator[_Measured]:
    full_wh = sum(e.store.capacity_wh for e in scope if e.store)
    taken_wh = unsure_wh = 0.0
    for envelope in scope:
        if envelope.store:
            loss = 1000 / envelope.store.discharge_permille / SLOTS_PER_HOUR
            taken_wh += sum(max(0, -facts.power_w[envelope.asset][slot]) for slot in slots) * loss
            unsure_wh += ROUNDED_W * loss * sum(choices([envelope], slot) for slot in slots)
    if full_wh:
        yield _Measured(taken_wh / full_wh * 1000, unsure_wh / full_wh * 1000, slots[-1])


def _reserve_up(scope: Sequence[Envelope], slots: Sequence[int], facts: Facts) -> Iterator[_Measured]:
    yield from _reserve(scope, slots, facts, _less_w)


def _reserve_down(scope: Sequence[Envelope], slots: Sequence[int], facts: Facts) -> Iterator[_Measured]:
    yield from _reserve(scope, slots, facts, _more_w)


def _reserve(
    scope: Sequence[Envelope],
    slots: Sequence[int],
    facts: Facts,
    room_w: Callable[[Envelope, int, int, Track | None], float],
) -> Iterator[_Measured]:
    movable = [e for e in scope if not e.shift and e.direct]
    for slot in slots:
        total = unsure = 0.0
        for envelope in movable:
            track = facts.tracks.get(envelope.asset)
            total += max(0.0, room_w(envelope, slot, facts.power_w[envelope.asset][slot], track))
            if envelope.lo_w[slot] < envelope.hi_w[slot]:
                unsure += ROUNDED_W + (track.unsure_wh[slot] * SLOTS_PER_HOUR if track else 0.0)
        yield _Measured(total, unsure, slot)


def _less_w(envelope: Envelope, slot: int, power_w: int, track: Track | None) -> float:
    """Return how much less than planned an asset can draw through a slot, in W."""
    room_w = float(power_w - envelope.lo_w[slot])
    if envelope.store is None or track is None:
        return room_w
    # What is not drawn is missed at the gain of drawing; what is supplied is taken out with its loss.
    spare_w = max(0.0, track.level_wh[slot] - envelope.store.level_min_wh[slot]) * SLOTS_PER_HOUR
    undrawn_w = min(max(0.0, power_w), spare_w / gain_of(envelope.store, slot))
    supplied_w = (spare_w - undrawn_w * gain_of(envelope.store, slot)) * envelope.store.discharge_permille / 1000
    return min(room_w, undrawn_w + supplied_w)


def _more_w(envelope: Envelope, slot: int, power_w: int, track: Track | None) -> float:
    """Return how much more than planned an asset can draw through a slot, in W."""
    room_w = float(envelope.hi_w[slot] - power_w)
    if envelope.store is None or track is None:
        return room_w
    spare_w = max(0.0, envelope.store.level_max_wh[slot] - track.level_wh[slot]) * SLOTS_PER_HOUR
    unsupplied_w = min(max(0.0, -power_w), spare_w * envelope.store.discharge_permille / 1000)
    drawn_w = (spare_w - unsupplied_w * 1000 / envelope.store.discharge_permille) / gain_of(envelope.store, slot)
    return min(room_w, unsupplied_w + drawn_w)


_Measure = Callable[[Sequence[Envelope], Sequence[int], Facts], Iterator[_Measured]]
_MEASURES: Mapping[Quantity, _Measure] = {
    Quantity.CHARGE: _charge,
    Quantity.BATTERY: _stored,
    Quantity.ENERGY: _energy,
    Quantity.POWER: _power,
    Quantity.RAMP: _ramp,
    Quantity.TEMPERATURE: _temperature,
    Quantity.RESERVE_UP: _reserve_up,
    Quantity.RESERVE_DOWN: _reserve_down,
    Quantity.RUN_TIME: _run_time,
    Quantity.CYCLES: _cycles,
}


def _named(constraint: Constraint) -> str:
    about = f"{constraint.reach} {', '.join(constraint.scope)}".strip()
    when = constraint.at or (constraint.window and f"{constraint.window.start} to {constraint.window.end}")
    return f"{constraint.quantity} of {about} {constraint.relation} {constraint.value}, {when}"

"""Check a plan against its problem: a plain simulator of devices, meters and money; no engine shares its code."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

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
    Store,
)

# All tolerances. A plan is in whole watts, watt-hours and micro; its engine may have counted before rounding.
ROUNDED_W = 1.0
"""What rounding may move in one asset's power in one slot where it has a choice; sums and levels add it up."""
ROUNDED_WH = 1.0
"""What rounding may move in a level that a plan tells."""
REPORTED = 0.1
"""To how much a shortfall is told, in the unit of its quantity."""
ROUNDED_MICRO = 10.0
"""What adding up money in floating point may move."""
FLOAT = 1e-6

MINUTES_PER_SLOT = SLOT_SECONDS // 60


@dataclass(frozen=True, slots=True)
class Violation:
    """One way in which a plan is wrong: which rule, which thing, and what was found."""

    rule: str
    thing: str
    found: str


def violations(problem: Problem, plan: Plan) -> list[Violation]:
    """Return all that is wrong with a plan: devices, meters, money, statements neither kept nor owned up to.

    What counts, wherever a text could be read in two ways:

    - Power is net per asset and slot, so nothing charges and discharges at once. Whole slots count: a window takes
      every slot that it touches, an instant the level at the end of the slot that ends at it or holds it. What
      a statement says about slots beyond the horizon is not looked at.
    - An asset is on in a slot where its power is not zero. A run that the horizon cuts off may go on after it.
      Where ``running`` is 0 it has rested enough: it may start at once, and then stays on for its least run.
    - Wear is paid per kWh at the meter. Cycle depth is counted in layers of stored energy, the first as wide as the
      first depth of `Store.deep_wear`; at the start the shallow layers are the full ones. Charging fills and
      discharging empties the shallowest first, drawn inflow the deepest, and each layer loses its share: the
      least cost that any split could have.
    - A level at the horizon's end has its final value, after discharge losses, where the store can supply at all:
      nobody gets back what is in a warm house.
    - ``ramp`` compares neighbouring slots that are both in the window, either way. ``cycles`` is what all stores in
      scope take out of themselves as a share of what they hold together. ``run time`` sums over the scope.
    - ``reserve up`` of a store in a slot is what it could supply, or leave undrawn, until the end of that slot without
      going below its least level there; ``reserve down`` likewise up to its most. Appliances have none, nor has what is
      not directly controlled.
    - A shortfall of a bound in every slot is the largest one. Own use (row E1) is an order among plans, so one plan
      cannot break it.

    Args:
        problem: What was asked.
        plan: What an engine says.

    Returns:
        Violations, devices first; none for a plan that can be carried out and says the truth about itself.
    """
    shaped = list(_misshapen(problem, plan))
    if shaped:
        return shaped
    power_w = {e.asset: plan.power_w.get(e.asset, e.lo_w) for e in problem.envelopes}
    tracks = {e.asset: _track(e, e.store, power_w[e.asset]) for e in problem.envelopes if e.store}
    found: list[Violation] = []
    for envelope in problem.envelopes:
        found += _device(envelope, power_w[envelope.asset])
        if envelope.store:
            found += _levels(envelope, envelope.store, tracks[envelope.asset], plan.level_wh[envelope.asset])
    found += _exchange(problem, plan, power_w)
    found += _money(problem, plan, power_w, tracks)
    return found + list(_statements(problem, plan, _Facts(problem, power_w, tracks)))


@dataclass(frozen=True, slots=True)
class _Track:
    """Levels at each slot's end as powers alone make them, and how far rounding may have moved them."""

    level_wh: tuple[float, ...]
    unsure_wh: tuple[float, ...]


def _misshapen(problem: Problem, plan: Plan) -> Iterator[Violation]:
    """Find what makes a plan unreadable: whatever else there is to say would be guesswork."""
    envelopes = {e.asset: e for e in problem.envelopes}
    if plan.start != problem.start:
        yield Violation("a plan starts with its problem", "plan", f"{plan.start} for {problem.start}")
    if len(plan.exchange_w) != problem.slots:
        yield Violation("one exchange per slot", "feeder", f"{len(plan.exchange_w)} for {problem.slots} slots")
    for what, rows in (("power", plan.power_w), ("level", plan.level_wh)):
        for asset, values in rows.items():
            if asset not in envelopes or (what == "level" and not envelopes[asset].store):
                yield Violation(f"a {what} belongs to an asset that has one", asset, "nothing of that name")
            elif len(values) != problem.slots:
                yield Violation(f"one {what} per slot", asset, f"{len(values)} for {problem.slots} slots")
    for envelope in problem.envelopes:
        if not envelope.fixed and envelope.asset not in plan.power_w:
            yield Violation("what can be shifted is planned", envelope.asset, "no power")
        if envelope.store and envelope.asset not in plan.level_wh:
            yield Violation("what stores has levels", envelope.asset, "no level")


def _device(envelope: Envelope, power_w: Sequence[int]) -> Iterator[Violation]:
    for slot, power in enumerate(power_w):
        lo_w, hi_w = envelope.lo_w[slot], envelope.hi_w[slot]
        if not lo_w <= power <= hi_w:
            yield Violation("within power bounds", _at(envelope.asset, slot), f"{power} W outside {lo_w} to {hi_w} W")
        if 0 < power < envelope.least_import_w:
            least = f"{power} W below {envelope.least_import_w} W"
            yield Violation("draws nothing or its least import", _at(envelope.asset, slot), least)
        if 0 < -power < envelope.least_export_w:
            least = f"{-power} W below {envelope.least_export_w} W"
            yield Violation("supplies nothing or its least export", _at(envelope.asset, slot), least)
    yield from _runs(envelope, power_w)
    if envelope.shift:
        first, last = envelope.shift.earliest, envelope.shift.latest
        profile, slots = envelope.shift.profile_w, len(power_w)
        starts = ((0,) * start + profile + (0,) * (slots - start - len(profile)) for start in range(first, last + 1))
        if tuple(power_w) not in starts:
            found = f"{list(power_w)} is not {list(profile)} from a slot of {first} to {last} on"
            yield Violation("runs its profile once within its window", envelope.asset, found)


def _runs(envelope: Envelope, power_w: Sequence[int]) -> Iterator[Violation]:
    """Find runs and rests that are cut short, counting what ran before the first slot."""
    now_on, lasted, free = envelope.running > 0, abs(envelope.running), envelope.running == 0
    for slot, power in enumerate(power_w):
        on = power != 0
        if free:
            # It may start at once, and then runs its least; or rest on, and has rested enough.
            now_on, lasted, free = on, 0 if on else envelope.least_rest, False
        elif on != now_on:
            least = envelope.least_run if now_on else envelope.least_rest
            if lasted < least:
                rule = "keeps its least run" if now_on else "keeps its least rest"
                yield Violation(rule, _at(envelope.asset, slot), f"ended after {lasted} slots, before {least}")
            now_on, lasted = on, 0
        lasted += 1


def _gain(store: Store, slot: int) -> float:
    return (store.gain_permille[slot] if store.gain_permille else store.charge_permille) / 1000


def _track(envelope: Envelope, store: Store, power_w: Sequence[int]) -> _Track:
    level, unsure = float(store.level_now_wh), 0.0
    levels, doubts = [], []
    keep = store.keep_ppm / 1e6
    for slot, power in enumerate(power_w):
        gain, loss = _gain(store, slot), 1000 / store.discharge_permille
        moved_wh = power / SLOTS_PER_HOUR
        level = level * keep + (moved_wh * gain if power > 0 else moved_wh * loss)
        level += store.inflow_wh[slot] if store.inflow_wh else 0
        unsure *= keep
        if envelope.lo_w[slot] < envelope.hi_w[slot]:
            unsure += ROUNDED_W / SLOTS_PER_HOUR * max(gain, loss if envelope.lo_w[slot] < 0 else 0.0)
        levels.append(level)
        doubts.append(unsure)
    return _Track(tuple(levels), tuple(doubts))


def _levels(envelope: Envelope, store: Store, track: _Track, told_wh: Sequence[int]) -> Iterator[Violation]:
    for slot, (level, unsure, told) in enumerate(zip(track.level_wh, track.unsure_wh, told_wh, strict=True)):
        thing = _at(envelope.asset, slot)
        least, most = store.level_min_wh[slot], store.level_max_wh[slot]
        if not least - unsure - FLOAT <= level <= most + unsure + FLOAT:
            yield Violation("within level bounds", thing, f"{level:.1f} Wh outside {least} to {most} Wh")
        if not least - ROUNDED_WH <= told <= most + ROUNDED_WH:
            yield Violation("tells levels within bounds", thing, f"{told} Wh outside {least} to {most} Wh")
        if abs(told - level) > unsure + ROUNDED_WH:
            yield Violation("tells the levels that its powers make", thing, f"{told} Wh for {level:.1f} Wh")


def _exchange(problem: Problem, plan: Plan, power_w: Mapping[AssetId, Sequence[int]]) -> Iterator[Violation]:
    for slot, told in enumerate(plan.exchange_w):
        summed = sum(values[slot] for values in power_w.values())
        if abs(summed - told) > ROUNDED_W * _choices(problem.envelopes, slot):
            yield Violation("exchanges the sum of its powers", _at("feeder", slot), f"{told} W for {summed} W")


def _choices(envelopes: Sequence[Envelope], slot: int) -> int:
    """Count the assets whose power was rounded in a slot: those that had a choice."""
    return sum(e.lo_w[slot] < e.hi_w[slot] for e in envelopes)


def _money(
    problem: Problem, plan: Plan, power_w: Mapping[AssetId, Sequence[int]], tracks: Mapping[AssetId, _Track]
) -> Iterator[Violation]:
    cost, unsure = _cost(problem, power_w, tracks)
    if abs(plan.cost_micro - cost) > unsure:
        yield Violation("costs what it says", "plan", f"{plan.cost_micro} for {cost:.0f}, give or take {unsure:.0f}")
    if plan.bound_micro > cost + unsure:
        yield Violation("proves no more than its own cost", "plan", f"bound {plan.bound_micro} above cost {cost:.0f}")


def _cost(
    problem: Problem, power_w: Mapping[AssetId, Sequence[int]], tracks: Mapping[AssetId, _Track]
) -> tuple[float, float]:
    """Return what a plan costs, and by how much rounding may have moved that; both in micro."""
    total, unsure = 0.0, ROUNDED_MICRO
    for slot, (buy, sell) in enumerate(zip(problem.import_price, problem.export_price, strict=True)):
        total += _priced(sum(values[slot] for values in power_w.values()), buy, min(buy, sell))
        unsure += _rounding(_choices(problem.envelopes, slot), max(abs(buy), abs(min(buy, sell))))
        for meter in problem.connections:
            behind = [e for e in problem.envelopes if e.connection == meter.name]
            fees = meter.import_fee[slot], meter.export_fee[slot]
            # Sending out costs the fee where receiving pays the price: the sign is the other way round.
            total += _priced(sum(power_w[e.asset][slot] for e in behind), fees[0], -fees[1])
            unsure += _rounding(_choices(behind, slot), max(map(abs, fees)))
    for envelope in problem.envelopes:
        values = power_w[envelope.asset]
        free = sum(lo < hi for lo, hi in zip(envelope.lo_w, envelope.hi_w, strict=True))
        supplied_kwh = sum(max(0, -power) for power in values) / SLOTS_PER_HOUR / 1000
        total += supplied_kwh * envelope.supply_micro_per_kwh
        unsure += _rounding(free, envelope.supply_micro_per_kwh)
        if not envelope.fixed and envelope.asset in problem.before:
            moved_w = sum(abs(now - then) for now, then in zip(values, problem.before[envelope.asset], strict=True))
            total += moved_w / SLOTS_PER_HOUR / 1000 * problem.change_micro_per_kwh
            unsure += _rounding(free, problem.change_micro_per_kwh)
        if envelope.store:
            track, store = tracks[envelope.asset], envelope.store
            total += _wear(store, values)
            # A watt too many may be taken from a deeper layer than the one it was put back to.
            unsure += _rounding(2 * free, store.wear_micro_per_kwh + sum(extra for _, extra in store.deep_wear))
            if min(envelope.lo_w) < 0:
                worth = problem.final_value_micro_per_kwh * store.discharge_permille / 1000
                total -= track.level_wh[-1] / 1000 * worth
                unsure += track.unsure_wh[-1] / 1000 * worth
    return total, unsure


def _priced(power_w: float, buy: int, sell: int) -> float:
    return power_w / SLOTS_PER_HOUR / 1000 * (buy if power_w > 0 else sell)


def _rounding(choices: int, price: int) -> float:
    return choices * ROUNDED_W / SLOTS_PER_HOUR / 1000 * price


def _wear(store: Store, power_w: Sequence[int]) -> float:
    """Return what discharging wears, by layers of cycle depth; see `violations` for how energy is split."""
    if not (store.wear_micro_per_kwh or store.deep_wear):
        return 0.0
    depths = [0.0] + [share * store.capacity_wh / 1000 for share, _ in store.deep_wear]
    widths = [after - before for before, after in zip(depths, [*depths[1:], float("inf")], strict=False)]
    prices = [store.wear_micro_per_kwh]
    for _, extra in store.deep_wear:
        prices.append(prices[-1] + extra)
    layers = [0.0] * len(widths)
    _pour(layers, widths, store.level_now_wh)
    total = 0.0
    for slot, power in enumerate(power_w):
        layers = [held * store.keep_ppm / 1e6 for held in layers]
        inflow_wh = store.inflow_wh[slot] if store.inflow_wh else 0
        _pour(layers, widths, max(0, inflow_wh) + max(0, power) / SLOTS_PER_HOUR * _gain(store, slot))
        _drain(layers, max(0, -inflow_wh), deepest_first=True)
        out_of_store = 1000 / store.discharge_permille
        taken = _drain(layers, max(0, -power) / SLOTS_PER_HOUR * out_of_store, deepest_first=False)
        total += sum(wh / out_of_store / 1000 * price for wh, price in zip(taken, prices, strict=True))
    return total


def _pour(layers: list[float], widths: Sequence[float], energy_wh: float) -> None:
    """Fill the shallowest layers first; the deepest has room for anything."""
    for i, width in enumerate(widths):
        poured = min(energy_wh, max(0.0, width - layers[i]))
        layers[i] += poured
        energy_wh -= poured


def _drain(layers: list[float], energy_wh: float, *, deepest_first: bool) -> list[float]:
    """Empty layers one after another; the deepest goes below zero rather than refuse: bounds are checked elsewhere."""
    taken = [0.0] * len(layers)
    order = range(len(layers))
    for i in reversed(order) if deepest_first else order:
        taken[i] = min(energy_wh, max(0.0, layers[i]))
        layers[i] -= taken[i]
        energy_wh -= taken[i]
    layers[-1] -= energy_wh
    taken[-1] += energy_wh
    return taken


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a plan does, for the statements to look at."""

    problem: Problem
    power_w: Mapping[AssetId, Sequence[int]]
    tracks: Mapping[AssetId, _Track]


@dataclass(frozen=True, slots=True)
class _Measured:
    """One figure that a statement bounds, and by how much rounding may have moved it."""

    value: float
    unsure: float
    slot: int


def _statements(problem: Problem, plan: Plan, facts: _Facts) -> Iterator[Violation]:
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


def _missing(constraint: Constraint, facts: _Facts) -> Iterator[tuple[float, int]]:
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


def _power(scope: Sequence[Envelope], slots: Sequence[int], facts: _Facts) -> Iterator[_Measured]:
    for slot in slots:
        yield _Measured(sum(facts.power_w[e.asset][slot] for e in scope), ROUNDED_W * _choices(scope, slot), slot)


def _energy(scope: Sequence[Envelope], slots: Sequence[int], facts: _Facts) -> Iterator[_Measured]:
    powers = list(_power(scope, slots, facts))
    yield _Measured(
        sum(p.value for p in powers) / SLOTS_PER_HOUR, sum(p.unsure for p in powers) / SLOTS_PER_HOUR, slots[-1]
    )


def _ramp(scope: Sequence[Envelope], slots: Sequence[int], facts: _Facts) -> Iterator[_Measured]:
    powers = list(_power(scope, slots, facts))
    for before, after in pairwise(powers):
        yield _Measured(abs(after.value - before.value), before.unsure + after.unsure, after.slot)


def _stored(scope: Sequence[Envelope], slots: Sequence[int], facts: _Facts) -> Iterator[_Measured]:
    tracks = [facts.tracks[e.asset] for e in scope if e.store]
    for slot in slots if tracks else ():
        yield _Measured(sum(t.level_wh[slot] for t in tracks), sum(t.unsure_wh[slot] for t in tracks), slot)


def _charge(scope: Sequence[Envelope], slots: Sequence[int], facts: _Facts) -> Iterator[_Measured]:
    full_wh = sum(e.store.capacity_wh for e in scope if e.store)
    for stored in _stored(scope, slots, facts) if full_wh else ():
        yield _Measured(stored.value / full_wh * 100, stored.unsure / full_wh * 100, stored.slot)


def _temperature(scope: Sequence[Envelope], slots: Sequence[int], facts: _Facts) -> Iterator[_Measured]:
    for envelope in scope:
        if envelope.store is None or envelope.store.warmth is None:
            continue
        warmth, track = envelope.store.warmth, facts.tracks[envelope.asset]
        mc_per_wh = 1000 / warmth.wh_per_k
        for slot in slots:
            value = warmth.zero_mc + track.level_wh[slot] * mc_per_wh
            yield _Measured(value, track.unsure_wh[slot] * abs(mc_per_wh), slot)


def _run_time(scope: Sequence[Envelope], slots: Sequence[int], facts: _Facts) -> Iterator[_Measured]:
    on = sum(facts.power_w[e.asset][slot] != 0 for e in scope for slot in slots)
    yield _Measured(on * MINUTES_PER_SLOT, 0.0, slots[-1])


def _cycles(scope: Sequence[Envelope], slots: Sequence[int], facts: _Facts) -> Iterator[_Measured]:
    full_wh = sum(e.store.capacity_wh for e in scope if e.store)
    taken_wh = unsure_wh = 0.0
    for envelope in scope:
        if envelope.store:
            loss = 1000 / envelope.store.discharge_permille / SLOTS_PER_HOUR
            taken_wh += sum(max(0, -facts.power_w[envelope.asset][slot]) for slot in slots) * loss
            unsure_wh += ROUNDED_W * loss * sum(_choices([envelope], slot) for slot in slots)
    if full_wh:
        yield _Measured(taken_wh / full_wh * 1000, unsure_wh / full_wh * 1000, slots[-1])


def _reserve_up(scope: Sequence[Envelope], slots: Sequence[int], facts: _Facts) -> Iterator[_Measured]:
    yield from _reserve(scope, slots, facts, _less_w)


def _reserve_down(scope: Sequence[Envelope], slots: Sequence[int], facts: _Facts) -> Iterator[_Measured]:
    yield from _reserve(scope, slots, facts, _more_w)


def _reserve(
    scope: Sequence[Envelope],
    slots: Sequence[int],
    facts: _Facts,
    room_w: Callable[[Envelope, int, int, _Track | None], float],
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


def _less_w(envelope: Envelope, slot: int, power_w: int, track: _Track | None) -> float:
    """Return how much less than planned an asset can draw through a slot, in W."""
    room_w = float(power_w - envelope.lo_w[slot])
    if envelope.store is None or track is None:
        return room_w
    # What is not drawn is missed at the gain of drawing; what is supplied is taken out with its loss.
    spare_w = max(0.0, track.level_wh[slot] - envelope.store.level_min_wh[slot]) * SLOTS_PER_HOUR
    undrawn_w = min(max(0.0, power_w), spare_w / _gain(envelope.store, slot))
    supplied_w = (spare_w - undrawn_w * _gain(envelope.store, slot)) * envelope.store.discharge_permille / 1000
    return min(room_w, undrawn_w + supplied_w)


def _more_w(envelope: Envelope, slot: int, power_w: int, track: _Track | None) -> float:
    """Return how much more than planned an asset can draw through a slot, in W."""
    room_w = float(envelope.hi_w[slot] - power_w)
    if envelope.store is None or track is None:
        return room_w
    spare_w = max(0.0, envelope.store.level_max_wh[slot] - track.level_wh[slot]) * SLOTS_PER_HOUR
    unsupplied_w = min(max(0.0, -power_w), spare_w * envelope.store.discharge_permille / 1000)
    drawn_w = (spare_w - unsupplied_w * 1000 / envelope.store.discharge_permille) / _gain(envelope.store, slot)
    return min(room_w, unsupplied_w + drawn_w)


_Measure = Callable[[Sequence[Envelope], Sequence[int], _Facts], Iterator[_Measured]]
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


def _at(thing: str, slot: int) -> str:
    return f"{thing} in slot {slot}"


def _named(constraint: Constraint) -> str:
    about = f"{constraint.reach} {', '.join(constraint.scope)}".strip()
    when = constraint.at or (constraint.window and f"{constraint.window.start} to {constraint.window.end}")
    return f"{constraint.quantity} of {about} {constraint.relation} {constraint.value}, {when}"

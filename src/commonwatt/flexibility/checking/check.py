"""Check a plan against its problem: a plain simulator of devices, meters and money; no engine shares its code."""

from collections.abc import Iterator, Mapping, Sequence

from commonwatt.flexibility.checking.found import (
    FLOAT,
    ROUNDED_MICRO,
    ROUNDED_W,
    ROUNDED_WH,
    Track,
    Violation,
    at_slot,
    choices,
    gain_of,
    tracked,
)
from commonwatt.flexibility.checking.statements import Facts, missed_statements
from commonwatt.flexibility.problem import Plan, Problem
from commonwatt.model import (
    SLOTS_PER_HOUR,
    AssetId,
    Envelope,
    Store,
)


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
    tracks = {e.asset: tracked(e, e.store, power_w[e.asset]) for e in problem.envelopes if e.store}
    found: list[Violation] = []
    for envelope in problem.envelopes:
        found += _device(envelope, power_w[envelope.asset])
        if envelope.store:
            found += _levels(envelope, envelope.store, tracks[envelope.asset], plan.level_wh[envelope.asset])
    found += _exchange(problem, plan, power_w)
    found += _money(problem, plan, power_w, tracks)
    return found + list(missed_statements(problem, plan, Facts(problem, power_w, tracks)))


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
            yield Violation(
                "within power bounds", at_slot(envelope.asset, slot), f"{power} W outside {lo_w} to {hi_w} W"
            )
        if 0 < power < envelope.least_import_w:
            least = f"{power} W below {envelope.least_import_w} W"
            yield Violation("draws nothing or its least import", at_slot(envelope.asset, slot), least)
        if 0 < -power < envelope.least_export_w:
            least = f"{-power} W below {envelope.least_export_w} W"
            yield Violation("supplies nothing or its least export", at_slot(envelope.asset, slot), least)
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
                yield Violation(rule, at_slot(envelope.asset, slot), f"ended after {lasted} slots, before {least}")
            now_on, lasted = on, 0
        lasted += 1


def _levels(envelope: Envelope, store: Store, track: Track, told_wh: Sequence[int]) -> Iterator[Violation]:
    for slot, (level, unsure, told) in enumerate(zip(track.level_wh, track.unsure_wh, told_wh, strict=True)):
        thing = at_slot(envelope.asset, slot)
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
        if abs(summed - told) > ROUNDED_W * choices(problem.envelopes, slot):
            yield Violation("exchanges the sum of its powers", at_slot("feeder", slot), f"{told} W for {summed} W")


def _money(
    problem: Problem, plan: Plan, power_w: Mapping[AssetId, Sequence[int]], tracks: Mapping[AssetId, Track]
) -> Iterator[Violation]:
    cost, unsure = _cost(problem, power_w, tracks)
    if abs(plan.cost_micro - cost) > unsure:
        yield Violation("costs what it says", "plan", f"{plan.cost_micro} for {cost:.0f}, give or take {unsure:.0f}")
    if plan.bound_micro > cost + unsure:
        yield Violation("proves no more than its own cost", "plan", f"bound {plan.bound_micro} above cost {cost:.0f}")


def _cost(
    problem: Problem, power_w: Mapping[AssetId, Sequence[int]], tracks: Mapping[AssetId, Track]
) -> tuple[float, float]:
    """Return what a plan costs, and by how much rounding may have moved that; both in micro."""
    total, unsure = 0.0, ROUNDED_MICRO
    for slot, (buy, sell) in enumerate(zip(problem.import_price, problem.export_price, strict=True)):
        total += _priced(sum(values[slot] for values in power_w.values()), buy, min(buy, sell))
        unsure += _rounding(choices(problem.envelopes, slot), max(abs(buy), abs(min(buy, sell))))
        for meter in problem.connections:
            behind = [e for e in problem.envelopes if e.connection == meter.name]
            fees = meter.import_fee[slot], meter.export_fee[slot]
            # Sending out costs the fee where receiving pays the price: the sign is the other way round.
            total += _priced(sum(power_w[e.asset][slot] for e in behind), fees[0], -fees[1])
            unsure += _rounding(choices(behind, slot), max(map(abs, fees)))
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
        _pour(layers, widths, max(0, inflow_wh) + max(0, power) / SLOTS_PER_HOUR * gain_of(store, slot))
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

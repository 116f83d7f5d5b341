"""Random planning problems that some plan can always carry out, and honest plans: for the tests of all engines."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from random import Random
from typing import Any

from hypothesis import strategies as st

from commonwatt.flexibility.problem import Connection, Plan, Problem
from commonwatt.model import (
    AT_AN_INSTANT,
    SLOT,
    AssetId,
    Constraint,
    Envelope,
    Interval,
    Priority,
    Quantity,
    Reach,
    Relation,
    Shift,
    Store,
    Warmth,
)

START = datetime(2026, 4, 23, 4, tzinfo=UTC)
HOME = 3
"""Assets behind one meter."""
QUARTER = Fraction(1, 4)


@dataclass(frozen=True, slots=True)
class Case:
    """A problem, and one way to carry it out: powers that keep every device's rules."""

    problem: Problem
    power_w: dict[AssetId, tuple[int, ...]]


def random_problem(seed: int, assets: int, slots: int, kinds: Sequence[str] = (), *, strained: bool = False) -> Problem:
    """Return a problem that some plan can carry out; see `random_case`."""
    return random_case(seed, assets, slots, kinds, strained=strained).problem


def random_case(seed: int, assets: int, slots: int, kinds: Sequence[str] = (), *, strained: bool = False) -> Case:
    """Return a random problem and powers that prove that it can be carried out.

    Args:
        seed: The same seed gives the same problem.
        assets: How many.
        slots: Length of the horizon, 4 or more.
        kinds: Names from `KINDS` to take from, in turn at first so that each is there; empty for all.
        strained: False where all statements can be met together (the powers returned meet them); True where some
            ask for more than that, and may or may not be met.
    """
    random = Random(seed)
    names = list(kinds or KINDS)
    random.shuffle(names)
    envelopes, power_w = [], {}
    for number in range(assets):
        kind = names[number] if number < len(names) else random.choice(names)
        home = number // HOME
        place: dict[str, Any] = {
            "asset": AssetId(f"{kind.replace(' ', '-')}-{number:02}"),
            "zone": f"zone-{'abc'[home % 3]}",
            "feeder": f"feeder-{home % 2}",
            "connection": f"meter-{home}" if home % 4 != 3 else "",
            "owner": f"member-{home}",
        }
        envelope, power = KINDS[kind](random, slots, place)
        envelopes.append(envelope)
        power_w[envelope.asset] = power
    buy = _prices(random, slots)
    spread = random.choice([0, 20_000, 100_000, 200_000])
    before = {}
    if random.random() < 0.4:
        moved = [e for e in envelopes if not e.fixed and random.random() < 0.7]
        before = {e.asset: tuple(random.randint(lo, hi) for lo, hi in zip(e.lo_w, e.hi_w, strict=True)) for e in moved}
    plain = Problem(
        start=START,
        envelopes=tuple(envelopes),
        import_price=buy,
        export_price=tuple(price - spread + random.choice([0, 0, 30_000]) for price in buy),
        final_value_micro_per_kwh=random.choice([0, 50_000, 120_000]),
        connections=tuple(_meter(random, name, slots) for name in sorted({e.connection for e in envelopes} - {""})),
        own_use=random.random() < 0.5,
        before=before,
        change_micro_per_kwh=random.choice([0, 5_000, 40_000]) if before else 0,
    )
    wanted = random.randint(0, 2 + assets)
    stated = [_statement(random, plain, power_w, strained=strained) for _ in range(wanted)]
    problem = replace(plain, constraints=tuple(dict.fromkeys(c for c in stated if c is not None)))
    return Case(problem, power_w)


def cases(*, assets: int = 6, slots: int = 8, kinds: Sequence[str] = (), strained: bool = False) -> Any:
    """Return a strategy of cases up to a size."""
    return st.builds(
        random_case, st.integers(0, 2**32), st.integers(1, assets), st.integers(4, slots), st.just(tuple(kinds)),
        strained=st.just(strained),
    )  # fmt: skip


def problems(*, assets: int = 6, slots: int = 8, kinds: Sequence[str] = (), strained: bool = False) -> Any:
    """Return a strategy of problems up to a size."""
    return cases(assets=assets, slots=slots, kinds=kinds, strained=strained).map(lambda case: case.problem)


def honest_plan(problem: Problem, power_w: Mapping[AssetId, Sequence[int]]) -> Plan:
    """Return the plan that tells the truth about powers, in exact fractions; statements are not looked at."""
    powers = {e.asset: tuple(power_w.get(e.asset, e.lo_w)) for e in problem.envelopes}
    exchange = tuple(sum(values[slot] for values in powers.values()) for slot in range(problem.slots))
    levels = {e.asset: levels_wh(e, powers[e.asset]) for e in problem.envelopes if e.store}
    cost = round(_cost(problem, powers, exchange, levels))
    return Plan(
        start=problem.start,
        power_w={e.asset: powers[e.asset] for e in problem.envelopes if not e.fixed},
        level_wh={asset: tuple(round(level) for level in values) for asset, values in levels.items()},
        exchange_w=exchange,
        cost_micro=cost,
        bound_micro=cost,
    )


def levels_wh(envelope: Envelope, power_w: Sequence[int]) -> list[Fraction]:
    """Return stored energy at each slot's end, as `Store` defines it, without rounding."""
    assert envelope.store is not None
    level, levels = Fraction(envelope.store.level_now_wh), []
    for slot, power in enumerate(power_w):
        level = _after(envelope, slot, level, power)
        levels.append(level)
    return levels


def _after(envelope: Envelope, slot: int, level: Fraction, power_w: int) -> Fraction:
    store = envelope.store
    assert store is not None
    gain = store.gain_permille[slot] if store.gain_permille else store.charge_permille
    level *= Fraction(store.keep_ppm, 10**6)
    level += max(0, power_w) * QUARTER * gain / 1000
    level -= max(0, -power_w) * QUARTER * 1000 / store.discharge_permille
    level += store.inflow_wh[slot] if store.inflow_wh else 0
    # Nanowatt-hours are rounded: over many slots exact fractions grow out of all proportion.
    return Fraction(round(level * 10**9), 10**9)


def _cost(
    problem: Problem,
    power_w: Mapping[AssetId, Sequence[int]],
    exchange_w: Sequence[int],
    levels: Mapping[AssetId, Sequence[Fraction]],
) -> Fraction:
    kwh = QUARTER / 1000
    cost = Fraction(0)
    for slot, power in enumerate(exchange_w):
        buy, sell = problem.import_price[slot], problem.export_price[slot]
        cost += max(0, power) * kwh * buy - max(0, -power) * kwh * min(buy, sell)
    for meter in problem.connections:
        for slot in range(problem.slots):
            net = sum(power_w[e.asset][slot] for e in problem.envelopes if e.connection == meter.name)
            cost += max(0, net) * kwh * meter.import_fee[slot] + max(0, -net) * kwh * meter.export_fee[slot]
    for envelope in problem.envelopes:
        values, store = power_w[envelope.asset], envelope.store
        cost += sum(max(0, -power) for power in values) * kwh * envelope.supply_micro_per_kwh
        if not envelope.fixed and envelope.asset in problem.before:
            moved = sum(abs(now - then) for now, then in zip(values, problem.before[envelope.asset], strict=True))
            cost += moved * kwh * problem.change_micro_per_kwh
        if store is None:
            continue
        cost += _wear(store, values)
        if min(envelope.lo_w) < 0:
            out = Fraction(store.discharge_permille, 1000)
            cost -= levels[envelope.asset][-1] / 1000 * out * problem.final_value_micro_per_kwh
    return cost


def _wear(store: Store, power_w: Sequence[int]) -> Fraction:
    """Return what discharging wears; written for stores without inflow, another way than the checker's.

    Below a depth lies what is left of the energy of that depth and beyond: the emptiness of the top ``d`` Wh.
    """
    total = Fraction(0)
    for depth, price in ((0, store.wear_micro_per_kwh), *store.deep_wear):
        # What is stored deeper than the top ``width`` Wh: it is touched only when the top is empty.
        width = Fraction(depth * store.capacity_wh, 1000)
        top = min(Fraction(store.level_now_wh), width)
        deep = store.level_now_wh - top
        for slot, power in enumerate(power_w):
            keep = Fraction(store.keep_ppm, 10**6)
            gain = store.gain_permille[slot] if store.gain_permille else store.charge_permille
            top, deep = top * keep, deep * keep
            charged = max(0, power) * QUARTER * gain / 1000
            lifted = min(charged, width - top)
            top, deep = top + lifted, deep + charged - lifted
            wanted = max(0, -power) * QUARTER * 1000 / store.discharge_permille
            from_top = min(wanted, top)
            top, deep = top - from_top, deep - (wanted - from_top)
            total += (wanted - from_top) * store.discharge_permille / 1000 / 1000 * price
    return total


def _prices(random: Random, slots: int) -> tuple[int, ...]:
    price, prices = random.randint(50_000, 300_000), []
    for _ in range(slots):
        price = max(-80_000, min(500_000, price + random.randint(-90_000, 90_000)))
        prices.append(-price if random.random() < 0.08 else price)
    return tuple(prices)


def _meter(random: Random, name: str, slots: int) -> Connection:
    fees = [random.choice([0, 30_000, 90_000]) for _ in range(slots)]
    paid_back = random.choice([0, 0, 20_000])
    return Connection(
        name=name,
        import_fee=tuple(fees),
        export_fee=tuple(max(-fee, random.choice([0, 10_000]) - paid_back) for fee in fees),
    )


def _load(random: Random, slots: int, place: dict[str, Any]) -> tuple[Envelope, tuple[int, ...]]:
    power = tuple(random.randint(0, 4_000) for _ in range(slots))
    return Envelope(**place, lo_w=power, hi_w=power), power


def _roof(random: Random, slots: int, place: dict[str, Any]) -> tuple[Envelope, tuple[int, ...]]:
    power = tuple(-random.choice([0, random.randint(0, 6_000)]) for _ in range(slots))
    return Envelope(**place, lo_w=power, hi_w=power), power


def _curtailable(random: Random, slots: int, place: dict[str, Any]) -> tuple[Envelope, tuple[int, ...]]:
    lo_w = tuple(-random.choice([0, random.randint(0, 6_000)]) for _ in range(slots))
    return Envelope(**place, lo_w=lo_w, hi_w=(0,) * slots), tuple(random.choice([lo, lo, lo // 2]) for lo in lo_w)


def _generator(random: Random, slots: int, place: dict[str, Any]) -> tuple[Envelope, tuple[int, ...]]:
    most, least = random.choice([4_000, 8_000]), 1_500
    run, rest = random.randint(1, 3), random.randint(1, 3)
    running = random.choice([0, -1, -4, 1, 5])
    on = _switching(random, slots, run, rest, running)
    envelope = Envelope(
        **place, lo_w=(-most,) * slots, hi_w=(0,) * slots, least_export_w=least, least_run=run, least_rest=rest,
        running=running, supply_micro_per_kwh=random.choice([90_000, 250_000]),
    )  # fmt: skip
    return envelope, tuple(-random.randint(least, most) if is_on else 0 for is_on in on)


def _appliance(random: Random, slots: int, place: dict[str, Any]) -> tuple[Envelope, tuple[int, ...]]:
    profile = tuple(random.choice([100, 800, 2_000]) for _ in range(random.randint(1, max(1, slots // 2))))
    earliest = random.randint(0, slots - len(profile))
    shift = Shift(profile_w=profile, earliest=earliest, latest=random.randint(earliest, slots - len(profile)))
    start = random.randint(shift.earliest, shift.latest)
    power = (0,) * start + profile + (0,) * (slots - start - len(profile))
    return Envelope(**place, lo_w=(0,) * slots, hi_w=(max(profile),) * slots, shift=shift), power


def _battery(random: Random, slots: int, place: dict[str, Any]) -> tuple[Envelope, tuple[int, ...]]:
    capacity, most = random.choice([5_000, 10_000, 14_000]), random.choice([2_500, 5_000])
    store: dict[str, Any] = {
        "charge_permille": random.choice([950, 1000]),
        "discharge_permille": random.choice([940, 1000]),
        "wear_micro_per_kwh": random.choice([0, 20_000]),
        "deep_wear": random.choice([(), ((400, 15_000),), ((300, 10_000), (700, 30_000))]),
        "keep_ppm": random.choice([1_000_000, 999_700]),
    }
    lo_w, hi_w = (-most,) * slots, (most,) * slots
    powers = [random.choice([0, random.randint(-most, most)]) for _ in range(slots)]
    return _stored(place, lo_w, hi_w, powers, (0, capacity), random.randint(0, capacity), capacity, store)


def _aggregate(random: Random, slots: int, place: dict[str, Any]) -> tuple[Envelope, tuple[int, ...]]:
    capacity = random.choice([60_000, 250_000])
    lo_w = tuple(-random.randint(0, 30_000) for _ in range(slots))
    hi_w = tuple(random.randint(0, 40_000) for _ in range(slots))
    powers = [random.randint(lo, hi) for lo, hi in zip(lo_w, hi_w, strict=True)]
    store = {"charge_permille": 920, "discharge_permille": 930}
    return _stored(place, lo_w, hi_w, powers, (0, capacity), random.randint(0, capacity), capacity, store)


def _car(random: Random, slots: int, place: dict[str, Any]) -> tuple[Envelope, tuple[int, ...]]:
    capacity, most, least = 60_000, random.choice([3_680, 7_360, 11_040]), random.choice([1_380, 4_140])
    least = min(least, most)
    back = most if random.random() < 0.4 else 0
    comes = random.choice([0, 0, random.randint(0, slots - 2)])
    leaves = random.randint(comes + 1, slots)
    here = [comes <= slot < leaves for slot in range(slots)]
    lo_w, hi_w = tuple(-back if h else 0 for h in here), tuple(most if h else 0 for h in here)
    powers = [random.choice([0, random.randint(least, most), random.randint(-back, 0)]) if h else 0 for h in here]
    reserve = random.choice([0, 12_000])
    store = {"charge_permille": 940, "discharge_permille": 940, "wear_micro_per_kwh": 40_000 if back else 0}
    level = random.randint(reserve, capacity)
    return _stored(place, lo_w, hi_w, powers, (reserve, capacity), level, capacity, store, least_import_w=least)


def _heat_pump(random: Random, slots: int, place: dict[str, Any]) -> tuple[Envelope, tuple[int, ...]]:
    most, run, rest = random.choice([1_500, 3_000]), random.randint(1, 3), random.randint(1, 2)
    running = random.choice([0, -1, -3, 1, 4])
    on = _switching(random, slots, run, rest, running)
    store = {
        "charge_permille": 3_000,
        "discharge_permille": 1_000,
        "keep_ppm": random.choice([985_000, 995_000]),
        "inflow_wh": tuple(random.randint(-900, 200) for _ in range(slots)),
        "gain_permille": tuple(random.randint(2_200, 4_500) for _ in range(slots)),
        "warmth": Warmth(zero_mc=20_000, wh_per_k=random.choice([2_500, 8_000])),
    }
    powers = [most if is_on else 0 for is_on in on]
    return _stored(
        place, (0,) * slots, (most,) * slots, powers, None, random.randint(-3_000, 6_000), 30_000, store,
        least_import_w=most, least_run=run, least_rest=rest, running=running, random=random,
    )  # fmt: skip


def _air_conditioning(random: Random, slots: int, place: dict[str, Any]) -> tuple[Envelope, tuple[int, ...]]:
    most, least = random.choice([1_200, 2_500]), random.choice([0, 300])
    store = {
        "charge_permille": random.choice([2_800, 3_500]),
        "discharge_permille": 1_000,
        "keep_ppm": 980_000,
        "inflow_wh": tuple(-random.randint(0, 900) for _ in range(slots)),
        "warmth": Warmth(zero_mc=27_000, wh_per_k=-random.choice([2_000, 6_000])),
    }
    powers = [random.choice([0, random.randint(least, most)]) for _ in range(slots)]
    return _stored(
        place, (0,) * slots, (most,) * slots, powers, None, random.randint(-2_000, 8_000), 20_000, store,
        least_import_w=least, random=random,
    )  # fmt: skip


def _hot_water(random: Random, slots: int, place: dict[str, Any]) -> tuple[Envelope, tuple[int, ...]]:
    most = random.choice([2_000, 3_000])
    least = random.choice([0, most])
    store = {
        "charge_permille": 1_000,
        "discharge_permille": 1_000,
        "keep_ppm": 997_000,
        "inflow_wh": tuple(-random.choice([0, 0, random.randint(0, 1_500)]) for _ in range(slots)),
        "warmth": Warmth(zero_mc=10_000, wh_per_k=230),
    }
    powers = [random.choice([0, most, random.randint(least, most)]) for _ in range(slots)]
    return _stored(
        place, (0,) * slots, (most,) * slots, powers, None, random.randint(2_000, 10_000), 13_000, store,
        least_import_w=least, random=random,
    )  # fmt: skip


KINDS: dict[str, Callable[[Random, int, dict[str, Any]], tuple[Envelope, tuple[int, ...]]]] = {
    "load": _load,
    "roof": _roof,
    "curtailable": _curtailable,
    "generator": _generator,
    "appliance": _appliance,
    "battery": _battery,
    "aggregate": _aggregate,
    "car": _car,
    "heat pump": _heat_pump,
    "air conditioning": _air_conditioning,
    "hot water": _hot_water,
}


def _switching(random: Random, slots: int, run: int, rest: int, running: int) -> list[bool]:
    """Return on and off by slot, with least times kept and what ran before counted."""
    on, lasted = running > 0, abs(running) or rest
    switched = []
    for _ in range(slots):
        if lasted >= (run if on else rest) and random.random() < 0.4:
            on, lasted = not on, 0
        lasted += 1
        switched.append(on)
    return switched


def _stored(
    place: dict[str, Any],
    lo_w: tuple[int, ...],
    hi_w: tuple[int, ...],
    powers: list[int],
    bounds: tuple[int, int] | None,
    level_wh: int,
    capacity_wh: int,
    store: dict[str, Any],
    *,
    random: Random | None = None,
    **device: Any,
) -> tuple[Envelope, tuple[int, ...]]:
    """Return a store and powers that keep its bounds: fixed ones by resting, others drawn around the levels."""
    slots = len(lo_w)
    least, most = bounds or (0, 0)
    floors = [least] * slots
    envelope = Envelope(
        **place, lo_w=lo_w, hi_w=hi_w, **device,
        store=Store(
            level_now_wh=level_wh, level_min_wh=tuple(floors), level_max_wh=(most,) * slots, capacity_wh=capacity_wh,
            **store,
        ),
    )  # fmt: skip
    if bounds:
        level = Fraction(level_wh)
        for slot in range(slots):
            after = _after(envelope, slot, level, powers[slot])
            if not least <= after <= most:
                powers[slot] = 0
                after = _after(envelope, slot, level, 0)
            level = after
    levels = levels_wh(envelope, powers)
    if bounds:
        # By itself a store may lose what it should not go below.
        low = [min(least, floor(level)) for level in levels]
        high = [most] * slots
    else:
        assert random is not None
        low = [floor(level) - random.choice([5, 500, 5_000]) for level in levels]
        high = [ceil(level) + random.choice([5, 500, 5_000]) for level in levels]
    made = Store(
        level_now_wh=level_wh, level_min_wh=tuple(low), level_max_wh=tuple(high), capacity_wh=capacity_wh, **store
    )
    return Envelope(**place, lo_w=lo_w, hi_w=hi_w, **device, store=made), tuple(powers)


_REACHES: dict[Reach, Callable[[Envelope], str]] = {
    Reach.ASSET: lambda e: e.asset,
    Reach.OWNER: lambda e: e.owner,
    Reach.CONNECTION: lambda e: e.connection,
    Reach.ZONE: lambda e: e.zone,
    Reach.FEEDER: lambda e: e.feeder,
}
_ONE_SIDE = {
    Quantity.RAMP: Relation.AT_MOST,
    Quantity.CYCLES: Relation.AT_MOST,
    Quantity.RESERVE_UP: Relation.AT_LEAST,
    Quantity.RESERVE_DOWN: Relation.AT_LEAST,
}


def _statement(
    random: Random, problem: Problem, power_w: Mapping[AssetId, Sequence[int]], *, strained: bool
) -> Constraint | None:
    """Return a statement that some powers keep, or, strained, perhaps not; None where nothing has its quantity."""
    quantity, reach = random.choice(list(Quantity)), random.choice(list(Reach))
    scope: tuple[str, ...] = ()
    asked = list(problem.envelopes)
    if reach is not Reach.COMMUNITY:
        names = sorted({_REACHES[reach](e) for e in problem.envelopes} - {""})
        scope = tuple(random.sample(names, random.randint(1, min(2, len(names))))) if names else ()
        asked = [e for e in problem.envelopes if _REACHES[reach](e) in scope]
    first = random.randrange(problem.slots)
    last = random.randrange(first, problem.slots)
    if quantity in AT_AN_INSTANT:
        first = last
    found = _measured(quantity, asked, power_w, first, last)
    if not found or (not scope and reach is not Reach.COMMUNITY):
        return None
    relation = _ONE_SIDE.get(quantity) or random.choice(list(Relation))
    room = random.choice([0, 0, 1]) * random.choice([1, 50, 1_000])
    if strained and random.random() < 0.5:
        room = -random.choice([1, 5, 300, 3_000])
    value = floor(min(found)) - room if relation is Relation.AT_LEAST else ceil(max(found)) + room
    if quantity not in {Quantity.POWER, Quantity.ENERGY, Quantity.TEMPERATURE}:
        value = max(value, 0)
        if relation is Relation.AT_MOST and max(found) < 0:
            return None
        if relation is Relation.AT_LEAST and min(found) < 0:
            return None
    if quantity is Quantity.CHARGE:
        value = min(value, 100)
        if relation is Relation.AT_MOST and max(found) > 100:
            return None
    at = problem.slot(last).end
    return Constraint(
        quantity=quantity,
        reach=reach,
        scope=scope,
        relation=relation,
        value=max(value, -270_000) if quantity is Quantity.TEMPERATURE else value,
        window=None
        if quantity in AT_AN_INSTANT
        else Interval(problem.slot(first).start, at + random.choice([0, 9]) * SLOT)
        if last == problem.slots - 1
        else Interval(problem.slot(first).start, at),
        at=at if quantity in AT_AN_INSTANT else None,
        priority=random.choice(list(Priority)),
        author=random.choice(["", "member-0"]),
    )


def _measured(
    quantity: Quantity, asked: Sequence[Envelope], power_w: Mapping[AssetId, Sequence[int]], first: int, last: int
) -> list[float]:
    """Return what powers make of a quantity, slot by slot or in all; of reserves a little less than there is."""
    slots = range(first, last + 1)
    sums = [sum(power_w[e.asset][slot] for e in asked) for slot in slots]
    stores = [(e, e.store, levels_wh(e, power_w[e.asset])) for e in asked if e.store]
    full = sum(store.capacity_wh for _, store, _ in stores)
    match quantity:
        case Quantity.POWER:
            return list(sums)
        case Quantity.ENERGY:
            return [sum(sums) / 4]
        case Quantity.RAMP:
            return [abs(after - before) for before, after in pairwise(sums)]
        case Quantity.BATTERY:
            return [float(sum(levels[last] for _, _, levels in stores))] if stores else []
        case Quantity.CHARGE:
            return [float(sum(levels[last] for _, _, levels in stores) * 100 / full)] if stores else []
        case Quantity.TEMPERATURE:
            return [
                float(store.warmth.zero_mc + levels[slot] * 1000 / store.warmth.wh_per_k)
                for _, store, levels in stores if store.warmth for slot in slots
            ]  # fmt: skip
        case Quantity.RUN_TIME:
            return [15 * sum(power_w[e.asset][slot] != 0 for e in asked for slot in slots)]
        case Quantity.CYCLES:
            taken = sum(
                max(0, -power_w[e.asset][slot]) * 250 / store.discharge_permille
                for e, store, _ in stores
                for slot in slots
            )
            return [taken * 1000 / full] if stores else []
    return [sum(_reserve(quantity, e, power_w[e.asset], slot) for e in asked if not e.shift) for slot in slots]


def _reserve(quantity: Quantity, envelope: Envelope, power_w: Sequence[int], slot: int) -> float:
    up = quantity is Quantity.RESERVE_UP
    room = power_w[slot] - envelope.lo_w[slot] if up else envelope.hi_w[slot] - power_w[slot]
    store = envelope.store
    if store is None:
        return room
    level = levels_wh(envelope, power_w)[slot]
    spare = level - store.level_min_wh[slot] if up else store.level_max_wh[slot] - level
    gain = store.gain_permille[slot] if store.gain_permille else store.charge_permille
    return max(0.0, min(float(room), float(spare) * 4 / max(gain / 1000, 1000 / store.discharge_permille)))

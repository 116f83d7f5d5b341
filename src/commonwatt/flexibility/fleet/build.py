"""From a problem to a fleet in columns, and from what a fleet is told back to a plan."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from commonwatt.flexibility.fleet.columns import Columns, Kind
from commonwatt.flexibility.fleet.sweep import DEEPEST, Fleet
from commonwatt.flexibility.fleet.switching import STATES
from commonwatt.flexibility.fleet.tree import Floats, depth, leaves, nodes, places
from commonwatt.flexibility.problem import Problem, scoped
from commonwatt.model import (
    AT_AN_INSTANT,
    SLOT_SECONDS,
    AssetId,
    Constraint,
    Envelope,
    InvalidValue,
    Priority,
    Quantity,
    Reach,
    Refused,
    Relation,
)
from commonwatt.model.constraint import MOST

STEEPER, SAFE = 50.0, 2.0
"""How much more a rank counts than the next, at least: twice what any two can be worth to each other."""
MOST_WEIGHT = 1e14
"""Beyond it, weights and money cannot be told apart in one number."""
MONEY = 10.0
"""The lowest rank counts so many dearest prices."""
FAIRNESS = (1.0, 1 / 3, 1 / 3, 1 / 3)
"""The more of a wish is missed the more the next Wh counts, so that none is starved: in quarters of the wish."""
SETTLED = frozenset({Quantity.CHARGE, Quantity.BATTERY, Quantity.POWER, Quantity.TEMPERATURE})


@dataclass(frozen=True, slots=True)
class Built:
    """A fleet, the limits of its places (W), and which envelope each row of its columns is."""

    fleet: Fleet
    high: Floats
    low: Floats
    rows: tuple[int, ...]
    weights: dict[Priority, float]
    dear: float


def unsupported(problem: Problem) -> list[str]:
    """Return, in words, what of a problem only the exact engine understands; nothing where the fleet engine serves."""
    found = [reason for envelope in problem.envelopes for reason in _strange(envelope)]
    for constraint in problem.constraints:
        about = scoped(problem, constraint)
        one = len(about) == 1 and not about[0].fixed and constraint.reach is Reach.ASSET
        if constraint.quantity not in SETTLED:
            found.append(f"a statement about {constraint.quantity}")
        elif constraint.quantity is not Quantity.POWER and not one:
            found.append(f"a statement about the {constraint.quantity} of several")
    if problem.before:
        found.append("a price of change")
    if max(weights_of(problem, problem.constraints).values(), default=0.0) > MOST_WEIGHT:
        found.append("so many ranks over such losses")
    found += [f"several bands of {name}" for name in _banded(problem)]
    try:
        tree = places(problem, [c for c in problem.constraints if c.quantity is Quantity.POWER])
        if depth(tree) > DEEPEST:
            found.append(f"places nested deeper than {DEEPEST}")
    except InvalidValue as error:
        found.append(str(error))
    return found


def _banded(problem: Problem) -> list[str]:
    """Return the on/off stores about whose level more than one statement of a side is made."""
    switched = {str(e.asset): e for e in problem.envelopes if _switched(e)}
    sides = Counter(
        (c.scope[0], c.relation)
        for c in problem.constraints
        if c.quantity in SETTLED - {Quantity.POWER} and len(c.scope) == 1 and c.scope[0] in switched
    )
    return sorted({name for (name, _), count in sides.items() if count > 1})


def _strange(envelope: Envelope) -> list[str]:
    store = envelope.store
    if max(map(abs, (*envelope.lo_w, *envelope.hi_w)), default=0) > MOST:
        return [f"more than a gigawatt of {envelope.asset}"]
    must = any(low > 0 or high < 0 for low, high in zip(envelope.lo_w, envelope.hi_w, strict=True))
    timed = envelope.least_run > 1 or envelope.least_rest > 1
    loose = store is None and envelope.shift is None and not envelope.fixed
    reasons = {
        "wear by depth": store is not None and bool(store.deep_wear),
        "least export": bool(envelope.least_export_w) and store is None,
        "least import": bool(envelope.least_import_w) and loose,
        "least times on and off": (timed and not _switched(envelope))
        or envelope.least_run + envelope.least_rest > STATES,
        "power that must be taken": must and store is not None,
    }
    return [f"{reason} of {envelope.asset}" for reason, holds in reasons.items() if holds]


def build(problem: Problem) -> Built:
    """Return a problem as a fleet.

    Raises:
        Refused: Something in it is for the exact engine alone; says what.
    """
    if strange := unsupported(problem):
        raise Refused(
            "the fleet engine does not take this; the exact one does", found=strange[0], more=len(strange) - 1
        )
    weights = weights_of(problem, problem.constraints)
    dear = MONEY * _dearest(problem) if problem.own_use else 0.0
    tree = places(problem, [c for c in problem.constraints if c.quantity is Quantity.POWER])
    flexible = [number for number, envelope in enumerate(problem.envelopes) if not envelope.fixed]
    stand = leaves(tree, [problem.envelopes[number].asset for number in flexible])
    inside: dict[AssetId, int] = {}
    for number, place in enumerate(tree):
        inside |= dict.fromkeys(place.members, number)
    fixed_w: dict[int, Floats] = {}
    for envelope in problem.envelopes:
        if envelope.fixed:
            at = inside[envelope.asset]
            fixed_w[at] = fixed_w.get(at, np.zeros(problem.slots)) + np.array(envelope.lo_w, np.float64)
    web, high, low = nodes(problem, tree, fixed_w, weights, dear)
    order = sorted(range(len(flexible)), key=lambda at: stand[at])
    rows = tuple(flexible[at] for at in order)
    columns = columns_of(problem, [problem.envelopes[row] for row in rows], problem.constraints, weights)
    where = np.array([stand[at] for at in order], np.int32)
    leaf, begin = np.unique(where, return_index=True)
    total = np.bincount(where, minlength=len(tree))
    for number in range(len(tree) - 1, 0, -1):
        total[tree[number].parent] += total[number]
    fleet = Fleet(
        assets=columns,
        nodes=web,
        leaf=leaf.astype(np.int32),
        begin=np.r_[begin, len(rows)].astype(np.int32),
        total=np.maximum(1, total).astype(np.int32),
        power=np.zeros((len(rows), problem.slots), np.int32),
        own=np.zeros(len(rows)),
    )
    return Built(fleet, high, low, rows, weights, dear)


def weights_of(problem: Problem, stated: Sequence[Constraint]) -> dict[Priority, float]:
    """Return what a Wh missed counts in micro, per rank: each so much more than the next that no amount is worth it."""
    steeper = steepness(problem, stated)
    weight = MONEY * _dearest(problem) * steeper / STEEPER * (steeper if problem.own_use else 1.0)
    weights = {}
    for rank in sorted({constraint.priority for constraint in stated}, reverse=True):
        weights[rank] = weight
        weight *= steeper
    return weights


def steepness(problem: Problem, stated: Sequence[Constraint]) -> float:
    """Return how much more a rank must count than the next.

    A Wh in one place can be worth more elsewhere: through what pumps gain and stores lose, and to a wish that is held
    in many slots in each of them.
    """
    stores = [e.store for e in problem.envelopes if e.store]
    gains = [gain / 1000 for store in stores for gain in (store.charge_permille, *store.gain_permille)]
    kept = [store.discharge_permille / 1000 * (store.keep_ppm / 1e6) ** problem.slots for store in stores]
    apart = max(gains, default=1.0) / (min(gains, default=1.0) * min(kept, default=1.0))
    often = problem.slots if any(c.quantity is Quantity.TEMPERATURE for c in stated) else 1
    return max(STEEPER, SAFE * sum(FAIRNESS) * apart * often)


def _dearest(problem: Problem) -> float:
    price = max(1.0, *(abs(p) / 1000 for p in (*problem.import_price, *problem.export_price)))
    fees = (abs(f) / 1000 for c in problem.connections for f in (*c.import_fee, *c.export_fee))
    return price + max(fees, default=0.0)


def _switched(envelope: Envelope) -> bool:
    """Tell whether a store is on or off: draws all that it can or nothing."""
    most = max(envelope.hi_w)
    return (
        envelope.store is not None
        and most > 0
        and envelope.least_import_w == most
        and max(map(abs, envelope.lo_w)) == 0
        and set(envelope.hi_w) <= {0, most}
    )


def columns_of(
    problem: Problem, envelopes: Sequence[Envelope], stated: Sequence[Constraint], weights: dict[Priority, float]
) -> Columns:
    """Return envelopes as columns, each with a row of the tables, and with what is stated about each as wishes."""
    count, slots = len(envelopes), problem.slots
    about: dict[str, list[Constraint]] = {}
    for constraint in stated:
        if constraint.reach is Reach.ASSET and len(constraint.scope) == 1:
            about.setdefault(constraint.scope[0], []).append(constraint)
    stored = [envelope.store for envelope in envelopes]
    wishes = [_wishes(problem, envelope, about.get(envelope.asset, ()), weights) for envelope in envelopes]
    flat = [wish for own in wishes for wish in own]
    spans = [(e.shift.earliest, e.shift.latest) if e.shift else _stay(e) or (0, slots) for e in envelopes]
    profiles = [envelope.shift.profile_w if envelope.shift else () for envelope in envelopes]

    def singles(values: Sequence[float]) -> np.ndarray:
        return np.array(values, np.float32).reshape(-1)

    def table(pick: str, default: float, kind: type) -> np.ndarray:
        rows = [getattr(store, pick) or (default,) * slots if store else (default,) * slots for store in stored]
        return np.array(rows, kind).reshape(count, slots)

    gains = [
        [gain / 1000 for gain in store.gain_permille or (store.charge_permille,) * slots] if store else [1.0] * slots
        for store in stored
    ]
    final = problem.final_value_micro_per_kwh / 1000
    return Columns(
        kind=np.array([_kind(e, own) for e, own in zip(envelopes, wishes, strict=True)], np.int8),
        first=np.array([at for at, _ in spans], np.int16),
        last=np.array([at for _, at in spans], np.int16),
        draw=np.array([max(0, *e.hi_w) for e in envelopes], np.int32),
        give=np.array([max(0, *(-w for w in e.lo_w)) for e in envelopes], np.int32),
        least_in=np.array([e.least_import_w for e in envelopes], np.int32),
        least_out=np.array([e.least_export_w for e in envelopes], np.int32),
        level=singles([store.level_now_wh if store else 0 for store in stored]),
        low=singles([min(store.level_min_wh) if store else 0 for store in stored]),
        top=singles([max(store.level_max_wh) if store else 0 for store in stored]),
        into=singles([gain[0] for gain in gains]),
        out=singles([store.discharge_permille / 1000 if store else 1 for store in stored]),
        keep=singles([store.keep_ppm / 1e6 if store else 1 for store in stored]),
        wear=singles([
            (store.wear_micro_per_kwh if store else 0) / 1000 + e.supply_micro_per_kwh / 1000
            for e, store in zip(envelopes, stored, strict=True)
        ]),
        final=singles([
            final * store.discharge_permille / 1000 if store and min(e.lo_w) < 0 else 0
            for e, store in zip(envelopes, stored, strict=True)
        ]),
        run=np.array([e.least_run for e in envelopes], np.int8),
        rest=np.array([e.least_rest for e in envelopes], np.int8),
        running=np.array([max(-100, min(100, e.running)) for e in envelopes], np.int8),
        wish=np.r_[0, np.cumsum([len(own) for own in wishes])].astype(np.int32),
        wish_at=np.array([at for at, _, _ in flat], np.int16),
        wish_level=singles([level for _, level, _ in flat]),
        wish_slope=singles([slope for _, _, slope in flat]),
        row=np.arange(count, dtype=np.int32),
        most_w=np.array([e.hi_w for e in envelopes], np.int32).reshape(count, slots),
        least_w=np.array([e.lo_w for e in envelopes], np.int32).reshape(count, slots),
        low_wh=table("level_min_wh", 0.0, np.float32),
        top_wh=table("level_max_wh", 0.0, np.float32),
        drift_wh=table("inflow_wh", 0.0, np.float32),
        gain=np.array(gains, np.float32).reshape(count, slots),
        profile=np.r_[0, np.cumsum([len(own) for own in profiles])].astype(np.int32),
        profile_w=np.array([watts for own in profiles for watts in own], np.int32),
    )  # fmt: skip


def _kind(envelope: Envelope, wishes: Sequence[tuple[int, float, float]]) -> Kind:
    if envelope.shift:
        return Kind.ONCE
    store = envelope.store
    if store is None:
        return Kind.FREE
    if _switched(envelope):
        same = len(set(store.gain_permille)) <= 1 and store.keep_ppm == 1_000_000
        return Kind.COUNT if same else Kind.SWITCH
    stay = _stay(envelope)
    at_departure = stay is not None and all(at >= stay[1] - 1 and slope > 0 for at, _, slope in wishes)
    return Kind.CHARGE if at_departure else Kind.STORE


def _stay(envelope: Envelope) -> tuple[int, int] | None:
    """Return from when to when a store stands that only charges, at one power, with no bound in between; else None."""
    store, most = envelope.store, max(envelope.hi_w)
    if store is None or most <= 0 or any(envelope.lo_w) or set(envelope.hi_w) - {0, most}:
        return None
    if store.keep_ppm != 1_000_000 or any(store.inflow_wh) or len({store.charge_permille, *store.gain_permille}) > 1:
        return None
    if max(store.level_min_wh) > store.level_now_wh or len(set(store.level_max_wh)) > 1:
        return None
    first = envelope.hi_w.index(most)
    last = len(envelope.hi_w) - envelope.hi_w[::-1].index(most)
    return (first, last) if last - first == sum(watts > 0 for watts in envelope.hi_w) else None


def _wishes(
    problem: Problem, envelope: Envelope, stated: Sequence[Constraint], weights: dict[Priority, float]
) -> list[tuple[int, float, float]]:
    """Return an asset's wishes: slot, level in Wh, and what a Wh missed counts; below zero for a wish for less."""
    store = envelope.store
    if store is None:
        return []
    found = []
    for wish in stated:
        weight = weights[wish.priority]
        if wish.quantity in AT_AN_INSTANT:
            assert wish.at is not None
            slot = -(-int((wish.at - problem.start).total_seconds()) // SLOT_SECONDS) - 1
            percent = wish.quantity is Quantity.CHARGE
            level = float(-(-wish.value * store.capacity_wh // 100) if percent else wish.value)
            if 0 <= slot < problem.slots:
                parts = FAIRNESS if not _switched(envelope) else FAIRNESS[:1]
                found += _hinges(slot, level, store.level_now_wh, wish.relation, weight, parts)
        elif wish.quantity is Quantity.TEMPERATURE and store.warmth:
            assert wish.window is not None
            level = (wish.value - store.warmth.zero_mc) * store.warmth.wh_per_k / 1000
            warmer = (wish.relation is Relation.AT_LEAST) == (store.warmth.wh_per_k > 0)
            relation = Relation.AT_LEAST if warmer else Relation.AT_MOST
            for slot in range(problem.slots):
                if wish.window.overlaps(problem.slot(slot)):
                    found.append((slot, float(level), weight if relation is Relation.AT_LEAST else -weight))
    return found


def _hinges(
    slot: int, level: float, now: float, relation: Relation, weight: float, parts: Sequence[float]
) -> list[tuple[int, float, float]]:
    if relation is Relation.AT_MOST:
        return [(slot, float(level), -weight)]
    short = max(0.0, level - now)
    return [(slot, level - short * part / len(parts), weight * share) for part, share in enumerate(parts)]

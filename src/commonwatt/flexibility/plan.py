"""The plan: who charges and who supplies when, at the community's real prices, for the next slots."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from commonwatt.flexibility.problem import SLOT_HOURS, Plan, Problem, Unmet
from commonwatt.flexibility.program import Program, Solution
from commonwatt.model import (
    SLOT,
    SLOT_SECONDS,
    AssetId,
    Constraint,
    Envelope,
    Interval,
    Priority,
    Quantity,
    Reach,
    Relation,
)

DISCRETE_SLOTS = 4
"""Slots from now in which a car draws nothing or at least its 6 A; later ones are planned again before they come."""
SHORTFALL_TOLERANCE = 1e-4
"""In kWh; a tenth of a watt-hour, well above the solver's own feasibility tolerance."""
ROUNDING_WH = 4
"""What is asked of a store beyond a stated level, since its meter and its losses round down slot by slot."""
REPORTED_KWH = 0.005
"""A miss below the meters' rounding over a day is no miss."""
SELF_CONSUMPTION_TOLERANCE_KWH = 0.02
WISH_PER_KWH = 10.0
"""What a missed wish counts in money where it can only be weighed: more than any price of energy."""


def plan(problem: Problem) -> Plan:
    """Return the best schedules by lexicographic priority: statements by rank, then row E1, then money.

    First all statements are taken as hard. If they cannot all be met, each rank in turn is met as nearly as
    possible (least total shortfall) and then held there, so that a lower rank never costs a higher one anything.
    Then export is made as small as it can be, since the community's clean energy is for the community first
    (row E1), and among those plans the cheapest is taken.

    One thread, no time limit: the same problem gives the same plan.
    """
    model = _Model(problem)
    best = _cheapest_own_use(model)
    if best is None:
        _give_way(model, [Priority.COMFORT])
        best = _cheapest_own_use(model)
    if best is None:
        _give_way(model, sorted({statement.rank for statement in model.statements}))
        best = _cheapest_own_use(model)
    if best is None:
        # Export was weighed with a car's steps relaxed; the real steps may need the room that it took.
        dear = dict.fromkeys((*model.slacks(Priority.COMFORT), *model.export_kwh), WISH_PER_KWH)
        best = model.program.minimise(_sum(model.money, dear), exact=True)
    assert best is not None, "what is held was reached with real steps"
    return model.read(best)


def _cheapest_own_use(model: "_Model") -> Solution | None:
    """Return the cheapest plan among those that export least; None where something held cannot be kept."""
    least = model.program.minimise(model.export_kwh)
    if least is None:
        return None
    held = model.program.hold(model.export_kwh, least.objective + SELF_CONSUMPTION_TOLERANCE_KWH)
    best = model.program.minimise(model.money, exact=True)
    if best is None:
        model.program.loosen(held)
    return best


def _give_way(model: "_Model", ranks: Sequence[Priority]) -> None:
    """Meet each of some ranks as nearly as possible, most important first, and hold it there.

    Ranks that are not named stay hard. Where those cannot be met either, nothing changes that a later call with all
    ranks would not undo: a released slack is held again at what that call reaches.
    """
    program = model.program
    for slack in (slack for rank in ranks for slack in model.slacks(rank)):
        program.release(slack)
    for rank in ranks:
        reached = program.minimise(model.slacks(rank), exact=True)
        if reached is None:
            return
        program.hold(model.slacks(rank), reached.objective + SHORTFALL_TOLERANCE)


def _sum(first: dict[int, float], second: dict[int, float]) -> dict[int, float]:
    return {column: first.get(column, 0.0) + second.get(column, 0.0) for column in first | second}


@dataclass(frozen=True, slots=True)
class _Statement:
    constraint: Constraint
    rank: Priority
    slack: int
    unit: float  # of the constraint's value per unit of slack


class _Model:
    """The problem as rows and columns; energies in kWh per slot, so that numbers are near one."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.slots = problem, len(problem.import_price)
        self.program = Program()
        self.stores = [e for e in problem.envelopes if e.store]
        self.statements: list[_Statement] = []
        self._columns()
        self._balance()
        for envelope in self.stores:
            self._dynamics(envelope)
        for constraint in problem.constraints:
            self._state(constraint)

    def slacks(self, rank: Priority) -> dict[int, float]:
        """Return the slack columns of a rank, each with weight one."""
        return {statement.slack: 1.0 for statement in self.statements if statement.rank is rank}

    def _columns(self) -> None:
        slots, add = self.slots, self.program.columns
        self.charge: dict[AssetId, range] = {}
        self.discharge: dict[AssetId, range] = {}
        self.level: dict[AssetId, range] = {}
        for envelope in self.stores:
            store = envelope.store
            assert store is not None
            self.charge[envelope.asset] = add(np.zeros(slots), _kwh(envelope.hi_w))
            self.discharge[envelope.asset] = add(np.zeros(slots), -_kwh(envelope.lo_w))
            self.level[envelope.asset] = add(np.array(store.level_min_wh) / 1000, np.array(store.level_max_wh) / 1000)
        unbounded = np.full(slots, np.inf)
        self.bought = add(np.zeros(slots), unbounded)
        self.sold = add(np.zeros(slots), unbounded)
        self.export_kwh = dict.fromkeys(self.sold, 1.0)
        self.money = self._money()

    def _money(self) -> dict[int, float]:
        problem = self.problem
        money: dict[int, float] = {}
        for slot in range(self.slots):
            buy = problem.import_price[slot] / 1e6
            # Where export pays more than import costs, a feeder still cannot do both: one meter, one direction.
            sell = min(problem.export_price[slot] / 1e6, buy)
            money[self.bought[slot]], money[self.sold[slot]] = buy, -sell
            # A thousandth of a penny an hour breaks ties: sooner rather than later, and rest rather than churn.
            for asset in self.charge:
                money[self.charge[asset][slot]] = 1e-6 * (slot + 1)
        for envelope in self.stores:
            store = envelope.store
            assert store is not None
            for column in self.discharge[envelope.asset]:
                money[column] = store.wear_micro_per_kwh / 1e6
            value = problem.final_value_micro_per_kwh / 1e6 * store.discharge_permille / 1000
            money[self.level[envelope.asset][-1]] = -value
        return money

    def _balance(self) -> None:
        fixed = [e for e in self.problem.envelopes if not e.store]
        fixed_kwh = sum((_kwh(e.lo_w) for e in fixed), np.zeros(self.slots))
        for slot in range(self.slots):
            terms = {self.bought[slot]: 1.0, self.sold[slot]: -1.0}
            for asset in self.charge:
                terms[self.charge[asset][slot]] = -1.0
                terms[self.discharge[asset][slot]] = 1.0
            self.program.row(terms, fixed_kwh[slot], fixed_kwh[slot])

    def _dynamics(self, envelope: Envelope) -> None:
        store, asset = envelope.store, envelope.asset
        assert store is not None
        charge, discharge, level = self.charge[asset], self.discharge[asset], self.level[asset]
        into, out = store.charge_permille / 1000, 1000 / store.discharge_permille
        for slot in range(self.slots):
            terms = {level[slot]: 1.0, charge[slot]: -into, discharge[slot]: out}
            before = store.level_now_wh / 1000 if slot == 0 else 0.0
            if slot:
                terms[level[slot - 1]] = -1.0
            self.program.row(terms, before, before)
        buys_are_paid = [slot for slot, price in enumerate(self.problem.import_price) if price < 0]
        discrete = range(DISCRETE_SLOTS) if envelope.least_import_w else ()
        for slot in sorted({*discrete, *buys_are_paid} & set(range(self.slots))):
            self._either_way(envelope, slot, least=slot < DISCRETE_SLOTS)

    def _either_way(self, envelope: Envelope, slot: int, *, least: bool) -> None:
        """Draw nothing or at least the least import, and never draw and supply at once."""
        most_in = envelope.hi_w[slot] * SLOT_HOURS / 1000
        most_out = -envelope.lo_w[slot] * SLOT_HOURS / 1000
        least_in = envelope.least_import_w * SLOT_HOURS / 1000 if least else 0.0
        if not most_in:
            return
        draws = self.program.binary()
        self.program.row({self.charge[envelope.asset][slot]: 1.0, draws: -most_in}, -np.inf, 0.0)
        if least_in:
            self.program.row({self.charge[envelope.asset][slot]: 1.0, draws: -least_in}, 0.0, np.inf)
        if most_out:
            self.program.row({self.discharge[envelope.asset][slot]: 1.0, draws: most_out}, -np.inf, most_out)

    def _state(self, constraint: Constraint) -> None:
        """Add a statement as rows with one slack; the slack stays at zero until ranks have to give way."""
        if constraint.quantity in (Quantity.CHARGE, Quantity.BATTERY):
            rows = self._stored(constraint)
        else:
            rows = self._moved(constraint)
        if not rows:
            return
        slack = self.program.slack()
        sign = 1.0 if constraint.relation is Relation.AT_LEAST else -1.0
        for terms, bound in rows:
            lower, upper = (bound, np.inf) if sign > 0 else (-np.inf, bound)
            self.program.row({**terms, slack: sign}, lower, upper)
        unit = 1000.0
        if constraint.quantity is Quantity.POWER:
            unit = 1000.0 / SLOT_HOURS
        elif constraint.quantity is Quantity.CHARGE:
            unit = 100_000.0 / self._capacity_wh(constraint)
        self.statements.append(_Statement(constraint, constraint.priority, slack, unit))

    def _capacity_wh(self, constraint: Constraint) -> int:
        return sum(e.store.capacity_wh for e in self._scope(constraint) if e.store)

    def _scope(self, constraint: Constraint) -> list[Envelope]:
        if constraint.reach is Reach.ZONE:
            return [e for e in self.problem.envelopes if e.zone in constraint.scope]
        return [e for e in self.problem.envelopes if e.asset in constraint.scope]

    def _stored(self, constraint: Constraint) -> list[tuple[dict[int, float], float]]:
        assert constraint.at is not None
        slot = -(-int((constraint.at - self.problem.start).total_seconds()) // SLOT_SECONDS) - 1
        if not 0 <= slot < self.slots:
            return []
        terms = {self.level[e.asset][slot]: 1.0 for e in self._scope(constraint) if e.store}
        full_wh, wanted_wh = self._capacity_wh(constraint), constraint.value
        if constraint.quantity is Quantity.CHARGE:
            wanted_wh = -(-constraint.value * full_wh // 100)
        if constraint.relation is Relation.AT_LEAST:
            wanted_wh = max(wanted_wh, min(wanted_wh + ROUNDING_WH * len(terms), full_wh))
        return [(terms, wanted_wh / 1000)] if terms else []

    def _moved(self, constraint: Constraint) -> list[tuple[dict[int, float], float]]:
        """Rows on energy per slot: one for each slot of a power bound, one in all for an energy bound."""
        assert constraint.window is not None
        scope = self._scope(constraint)
        rows: list[tuple[dict[int, float], float]] = []
        for slot in range(self.slots):
            start = self.problem.start + slot * SLOT
            if not constraint.window.overlaps(Interval(start, start + SLOT)):
                continue
            terms: dict[int, float] = {}
            fixed_kwh = 0.0
            for envelope in scope:
                if envelope.store:
                    terms[self.charge[envelope.asset][slot]] = 1.0
                    terms[self.discharge[envelope.asset][slot]] = -1.0
                else:
                    fixed_kwh += envelope.lo_w[slot] * SLOT_HOURS / 1000
            rows.append((terms, constraint.value * SLOT_HOURS / 1000 - fixed_kwh))
        if constraint.quantity is Quantity.ENERGY and rows:
            together: dict[int, float] = {}
            for terms, _ in rows:
                together.update(terms)
            power_as_bound = constraint.value * SLOT_HOURS / 1000
            fixed_in_all = sum(power_as_bound - bound for _, bound in rows)
            return [(together, constraint.value / 1000 - fixed_in_all)]
        return rows

    def read(self, solution: Solution) -> Plan:
        value = solution.values
        power_w, level_wh = {}, {}
        for asset, charge in self.charge.items():
            net_kwh = value[charge] - value[self.discharge[asset]]
            power_w[asset] = tuple(round(w) for w in net_kwh * 1000 / SLOT_HOURS)
            level_wh[asset] = tuple(round(wh) for wh in value[self.level[asset]] * 1000)
        exchange = (value[self.bought] - value[self.sold]) * 1000 / SLOT_HOURS
        unmet = [
            Unmet(constraint=s.constraint, by=round(float(value[s.slack]) * s.unit, 1))
            for s in sorted(self.statements, key=lambda s: s.rank)
            if value[s.slack] > REPORTED_KWH
        ]
        return Plan(
            start=self.problem.start,
            power_w=power_w,
            level_wh=level_wh,
            exchange_w=tuple(round(w) for w in exchange),
            cost_micro=round(solution.objective * 1e6),
            unmet=tuple(unmet),
            bound_micro=round(solution.objective * 1e6),
        )


def _kwh(power_w: Sequence[int]) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.asarray(power_w, dtype=np.float64) * (SLOT_HOURS / 1000)

"""A search over one program: rules that few points break are added when a point breaks them."""

import numpy as np

from commonwatt.flexibility.effort import Effort
from commonwatt.flexibility.exact.devices import KWH_PER_W, gain
from commonwatt.flexibility.exact.matrix import Numbers, Values, joined, terms
from commonwatt.flexibility.exact.program import Program
from commonwatt.flexibility.exact.solver import Point, Solver, Stopped

AT_ONCE_KWH = 2e-6
"""Less than this in both directions is the solver's own tolerance."""
PATIENCE = 4
"""Rounds in which only what was broken is forbidden; then all at once."""
TURNS = 8
"""Rounds in which devices that would do both are turned the way that they go on balance."""


class Search:
    """Minimises objectives over a program; nothing that it returns draws and supplies at once."""

    def __init__(self, program: Program, effort: Effort) -> None:
        self.program, self.effort = program, effort
        self.solver = Solver(program.matrix, effort)
        self.ended = True
        self._still: list[Numbers] = []
        self._pairs()
        self._forbid(np.flatnonzero(self._paid))

    def whole(self, costs: Values, doing: str, start: Values | None = None) -> Point | None:
        """Return the best point with whole numbers, or the best that was found; None where there is none.

        Args:
            costs: The objective.
            doing: For whoever watches.
            start: A point that keeps all rules, where one is known.
        """
        rounds = 0
        while True:
            self._turn_back()
            self.solver.told(doing)
            point = self._minimise(costs, doing, start)
            if point is None:
                return None
            broken = self._broken(point)
            if len(broken):
                turned = self._turned(costs, doing, point, start)
                if turned is not None and (turned.ended or self.effort.steps is not None):
                    point, broken = turned, broken[:0]
            if not len(broken):
                self.ended &= point.ended
                return point
            rounds += 1
            self._forbid(broken if rounds < PATIENCE else np.flatnonzero(~self._forbidden))

    def relaxed(self, costs: Values, doing: str) -> Point | None:
        """Return the best point where whole numbers may be anything between; None where there is none."""
        self._turn_back()
        self.solver.told(doing)
        return self.solver.minimise(costs, whole=False, doing=doing)

    def losses(self, weight: float) -> Values:
        """Return an objective that counts what stores lose on the way in and out."""
        costs = np.zeros(self.solver.width)
        for device in self.program.devices:
            store = device.envelope.store
            if store is None or device.both is None or not len(device.both):
                continue
            into = 1.0 - gain(store, len(device.envelope.lo_w))
            out = 1000 / store.discharge_permille - 1.0
            np.add.at(
                costs, device.draw.columns, weight * np.maximum(0.0, into)[device.draw.rows] * device.draw.weights
            )
            np.add.at(costs, device.supply.columns, weight * out * device.supply.weights)
        return costs

    def costs(self, columns: Numbers, weights: Values | float = 1.0) -> Values:
        """Return an objective."""
        costs = np.zeros(self.solver.width)
        costs[columns] = weights
        return costs

    def _turned(self, costs: Values, doing: str, relaxed: Point, start: Values | None) -> Point | None:
        """Return a point in which each device goes one way only, found by turning those that would go both ways.

        Its bound is that of the point which was free to go both ways; it has ended where that proves it good enough.
        """
        point: Point | None = relaxed
        for turn in range(TURNS):
            assert point is not None
            broken = self._broken(point)
            if not len(broken):
                gap = (point.objective - relaxed.bound) / max(abs(point.objective), 1e-9)
                ended = relaxed.ended and point.ended and (gap <= self.effort.gap or not np.any(costs))
                return Point(point.values, point.objective, relaxed.bound, ended)
            guide = start if start is not None and turn >= TURNS // 2 else point.values
            draws = guide[self._draws[broken]] >= guide[self._supplies[broken]]
            self._turn(self._supplies[broken[draws]])
            self._turn(self._draws[broken[~draws]])
            point = self._minimise(costs, doing, start)
            if point is None:
                return None
        return None

    def _turn(self, columns: Numbers) -> None:
        self._still.append(columns)
        self.solver.bound_columns(columns, 0.0, 0.0)

    def _turn_back(self) -> None:
        """Let all that was turned go both ways again."""
        for columns in self._still:
            self.solver.bound_columns(columns, 0.0, self._most[columns])
        self._still.clear()

    def _minimise(self, costs: Values, doing: str, start: Values | None) -> Point | None:
        try:
            return self.solver.minimise(costs, whole=True, doing=doing, start=start)
        except Stopped:
            below = self.solver.minimise(costs, whole=False, doing=doing)
            point = self.solver.first_point(costs) if below else None
            if below is None or point is None:
                return None
            return Point(point.values, point.objective, min(below.objective, point.objective), ended=False)

    def _pairs(self) -> None:
        """Collect where a device could draw and supply at once and lose something by it."""
        paid = np.array(self.program.problem.import_price) < 0
        draws, supplies, most_in, most_out, where = [], [], [], [], []
        for device in self.program.devices:
            store, slots = device.envelope.store, device.both
            if slots is None or not len(slots) or store is None:
                continue
            count = len(device.envelope.lo_w)
            draw, supply = device.draw.within(slots, count), device.supply.within(slots, count)
            draws.append(draw.columns[np.argsort(draw.rows)])
            supplies.append(supply.columns[np.argsort(supply.rows)])
            most_in.append(np.array(device.envelope.hi_w)[slots] * KWH_PER_W)
            most_out.append(-np.array(device.envelope.lo_w)[slots] * KWH_PER_W)
            where.append(paid[slots])
        self._draws = np.concatenate([*draws, np.zeros(0, np.int64)])
        self._supplies = np.concatenate([*supplies, np.zeros(0, np.int64)])
        self._most_in, self._most_out = np.concatenate([*most_in, []]), np.concatenate([*most_out, []])
        self._paid = np.concatenate([*where, np.zeros(0, bool)])
        self._forbidden = np.zeros(len(self._draws), bool)
        self._most = np.zeros(self.solver.width)
        self._most[self._draws], self._most[self._supplies] = self._most_in, self._most_out

    def _broken(self, point: Point) -> Numbers:
        both = np.minimum(point.values[self._draws], point.values[self._supplies])
        return np.flatnonzero((both > AT_ONCE_KWH) & ~self._forbidden)

    def _forbid(self, pairs: Numbers) -> None:
        """Let a column say which way a device goes in some slots."""
        if not len(pairs):
            return
        self._forbidden[pairs] = True
        count, every = len(pairs), np.arange(len(pairs))
        draws = self.solver.add_columns(np.zeros(count), 1.0, whole=True)
        into = joined([terms(every, self._draws[pairs], 1.0), terms(every, draws, -self._most_in[pairs])])
        out = joined([terms(every, self._supplies[pairs], 1.0), terms(every, draws, self._most_out[pairs])])
        self.solver.add_rows(into, -np.inf, 0.0, count)
        self.solver.add_rows(out, -np.inf, self._most_out[pairs], count)

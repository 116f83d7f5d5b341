"""HiGHS, held open: one program, objectives minimised one after another, rows and bounds changed in between.

Source: Huangfu & Hall, Parallelizing the dual revised simplex method, 2018.
"""

from dataclasses import dataclass
from time import perf_counter

import highspy
import numpy as np
from numpy.typing import ArrayLike

from commonwatt.flexibility.effort import Effort, Progress
from commonwatt.flexibility.exact.matrix import Matrix, Numbers, Terms, Values
from commonwatt.model import Corrupt

_Status = highspy.HighsModelStatus
_NO_POINT = (_Status.kInfeasible, _Status.kUnboundedOrInfeasible)
_CUT_SHORT = (_Status.kSolutionLimit, _Status.kTimeLimit, _Status.kInterrupt, _Status.kIterationLimit)


class Stopped(Exception):
    """Time ran out, or somebody cancelled, before there was any point to return."""


@dataclass(frozen=True, slots=True)
class Point:
    """Column values, the objective there, the best bound proven on it, and whether the search ended by itself."""

    values: Values
    objective: float
    bound: float
    ended: bool


class Solver:
    """A program for HiGHS on one thread, so that the same problem gives the same answer."""

    def __init__(self, matrix: Matrix, effort: Effort) -> None:
        self._effort = effort
        self._began = perf_counter()
        self.cancelled = False
        self.width, self.height = matrix.width, matrix.height
        self._integers = matrix.integers
        self._set_whole = False
        self._doing, self._costs = "", np.zeros(0)
        self._highs = highspy.Highs()  # type: ignore[no-untyped-call]  # the wheel ships no stub for its constructor
        for option, value in (
            ("output_flag", False), ("threads", 1), ("random_seed", 1), ("parallel", "off"),
            ("mip_rel_gap", effort.gap), ("mip_abs_gap", 1e-7), ("mip_max_nodes", effort.nodes),
        ):  # fmt: skip
            self._highs.setOptionValue(option, value)
        self._highs.passModel(matrix.program())
        if effort.progress:
            self._highs.cbMipInterrupt.subscribe(self._tell)

    @property
    def integers(self) -> Numbers:
        """Return the columns that take whole numbers."""
        return self._integers

    def add_columns(self, lower: ArrayLike, upper: ArrayLike, *, whole: bool = False) -> Numbers:
        """Add columns between bounds; return their numbers."""
        low, high = (np.atleast_1d(np.asarray(bound, np.float64)) for bound in (lower, upper))
        low, high = (np.ascontiguousarray(bound) for bound in np.broadcast_arrays(low, high))
        none = np.zeros(0, np.int32)
        count = len(low)
        self._highs.addCols(count, np.zeros(count), low, high, 0, np.zeros(count, np.int32), none, np.zeros(0))
        columns = np.arange(self.width, self.width + count)
        self.width += count
        if whole:
            self._integers = np.concatenate([self._integers, columns])
            self._set_whole = False
        return columns

    def add_rows(self, block: Terms, lower: ArrayLike, upper: ArrayLike, count: int) -> Numbers:
        """Keep sums between bounds; return the numbers of the rows."""
        order = np.argsort(block.rows, kind="stable")
        starts = np.searchsorted(block.rows[order], np.arange(count)).astype(np.int32)
        low, high = (np.broadcast_to(np.asarray(bound, np.float64), count).copy() for bound in (lower, upper))
        columns, weights = block.columns[order].astype(np.int32), block.weights[order]
        self._highs.addRows(count, low, high, len(columns), starts, columns, weights)
        rows = np.arange(self.height, self.height + count)
        self.height += count
        return rows

    def bound_columns(self, columns: Numbers, lower: ArrayLike, upper: ArrayLike) -> None:
        """Give columns other bounds."""
        low, high = (np.broadcast_to(np.asarray(bound, np.float64), len(columns)).copy() for bound in (lower, upper))
        self._highs.changeColsBounds(len(columns), columns.astype(np.int32), low, high)

    def free_rows(self, rows: Numbers) -> None:
        """Let some rows be anything."""
        for row in rows:
            self._highs.changeRowBounds(int(row), -highspy.kHighsInf, highspy.kHighsInf)

    def minimise(self, costs: Values, *, whole: bool, doing: str = "", start: Values | None = None) -> Point | None:
        """Solve for the least cost; None where no point obeys all rows.

        Args:
            costs: Weight per column, as many as there were when the objective was made; later columns cost nothing.
            whole: True to honour whole numbers, False to relax them.
            doing: For whoever watches.
            start: A point to begin from, as far as its columns go; the others are worked out.

        Raises:
            Stopped: Cut short before there was a point.
        """
        highs = self._highs
        self._doing, self._costs = doing, np.concatenate([costs, np.zeros(self.width - len(costs))])
        highs.changeColsCost(self.width, np.arange(self.width, dtype=np.int32), self._costs)
        whole = whole and len(self._integers) > 0
        self._integrality(whole=whole)
        if whole and start is not None:
            known = self._integers[self._integers < len(start)].astype(np.int32)
            highs.setSolution(len(known), known, np.round(start[known]))
        if self._effort.seconds is not None and whole:
            left_s = max(0.01, self._effort.seconds - (perf_counter() - self._began))
            highs.setOptionValue("time_limit", highs.getRunTime() + left_s)
        else:
            highs.setOptionValue("time_limit", highspy.kHighsInf)
        highs.run()
        status, info = highs.getModelStatus(), highs.getInfo()
        if status in _NO_POINT:
            return None
        if status != _Status.kOptimal:
            if status not in _CUT_SHORT:
                raise Corrupt(f"the solver ended without an answer: {highs.modelStatusToString(status)}")
            if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
                raise Stopped(doing)
        objective = float(info.objective_function_value)
        bound = min(objective, float(info.mip_dual_bound)) if whole else objective
        values = np.array(highs.getSolution().col_value)
        return Point(values, objective, bound, status == _Status.kOptimal)

    def first_point(self, costs: Values) -> Point | None:
        """Return any point with whole numbers, whatever time it takes: for an answer where a search was cut short."""
        effort, self._effort = self._effort, Effort()
        cancelled, self.cancelled = self.cancelled, False
        self._highs.setOptionValue("mip_max_improving_sols", 1)
        try:
            return self.minimise(costs, whole=True)
        finally:
            self._highs.setOptionValue("mip_max_improving_sols", highspy.kHighsIInf)
            self._effort, self.cancelled = effort, cancelled

    def duals(self) -> tuple[Values, Values]:
        """Return what the last objective gains per unit of each row's bound, and of each column's."""
        solution = self._highs.getSolution()
        return np.array(solution.row_dual), np.array(solution.col_dual)

    def told(self, doing: str) -> None:
        """Tell whoever watches that something else begins, and hear whether it should."""
        if self._effort.progress and not self.cancelled:
            seconds = perf_counter() - self._began
            self.cancelled = not self._effort.progress(Progress(doing=doing, seconds=seconds))

    def _tell(self, event: highspy.highs.HighsCallbackEvent) -> None:
        progress = self._effort.progress
        if progress is None:
            event.interrupt(False)
            return
        if not self.cancelled:
            best, proven = float(event.data_out.mip_primal_bound), float(event.data_out.mip_dual_bound)
            self.cancelled = not progress(
                Progress(
                    doing=self._doing,
                    seconds=perf_counter() - self._began,
                    cost_micro=best * 1e6 if abs(best) < highspy.kHighsInf else None,
                    bound_micro=proven * 1e6 if abs(proven) < highspy.kHighsInf else None,
                )
            )
        event.interrupt(self.cancelled)

    def _integrality(self, *, whole: bool) -> None:
        if whole == self._set_whole or not len(self._integers):
            return
        kind = highspy.HighsVarType.kInteger if whole else highspy.HighsVarType.kContinuous
        kinds = np.full(len(self._integers), int(kind), dtype=np.uint8)
        self._highs.changeColsIntegrality(len(kinds), self._integers.astype(np.int32), kinds)
        self._set_whole = whole

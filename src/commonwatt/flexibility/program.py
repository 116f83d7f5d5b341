"""A small mixed-integer program for HiGHS: columns, rows, and objectives minimised one after another."""

from collections.abc import Mapping
from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray

from commonwatt.model import Corrupt

RELATIVE_GAP = 1e-4
MOST_NODES = 2_000
"""A stop that does not depend on the machine's speed, so that the same problem gives the same plan anywhere."""


@dataclass(frozen=True, slots=True)
class Solution:
    """Column values, the objective, and the relative gap that the solver proved (0 for a linear program)."""

    values: NDArray[np.float64]
    objective: float
    gap: float


class Program:
    """Collects columns and rows, then solves; further bounds may be added between solves.

    Source: HiGHS, Huangfu & Hall, Parallelizing the dual revised simplex method, 2018.
    """

    def __init__(self) -> None:
        self._lower: list[float] = []
        self._upper: list[float] = []
        self._integers: list[int] = []
        self._row_lower: list[float] = []
        self._row_upper: list[float] = []
        self._starts: list[int] = [0]
        self._indices: list[int] = []
        self._values: list[float] = []
        self._solver: highspy.Highs | None = None

    def columns(self, lower: NDArray[np.float64], upper: NDArray[np.float64]) -> range:
        """Add continuous columns between bounds; return their numbers."""
        first = len(self._lower)
        self._lower += lower.tolist()
        self._upper += upper.tolist()
        return range(first, len(self._lower))

    def binary(self) -> int:
        """Add a column that is 0 or 1; return its number."""
        self._integers.append(len(self._lower))
        self._lower.append(0.0)
        self._upper.append(1.0)
        return len(self._lower) - 1

    def slack(self) -> int:
        """Add a column that stays at zero until `release`; return its number."""
        self._lower.append(0.0)
        self._upper.append(0.0)
        return len(self._lower) - 1

    def row(self, terms: Mapping[int, float], lower: float, upper: float) -> None:
        """Keep a weighted sum of columns between two bounds."""
        self._indices += terms.keys()
        self._values += terms.values()
        self._starts.append(len(self._indices))
        self._row_lower.append(lower)
        self._row_upper.append(upper)

    def release(self, slack: int) -> None:
        """Let a slack column grow."""
        self._highs().changeColBounds(slack, 0.0, highspy.kHighsInf)

    def hold(self, terms: Mapping[int, float], most: float) -> int:
        """Keep a sum at or below a value found by an earlier solve; return the row, for `loosen`."""
        highs = self._highs()
        numbers = np.fromiter(terms.keys(), dtype=np.int32)
        weights = np.fromiter(terms.values(), dtype=np.float64)
        highs.addRow(-highspy.kHighsInf, most, len(numbers), numbers, weights)
        return int(highs.getNumRow()) - 1

    def loosen(self, row: int) -> None:
        """Take back what `hold` asked."""
        self._highs().changeRowBounds(row, -highspy.kHighsInf, highspy.kHighsInf)

    def minimise(self, objective: Mapping[int, float], *, exact: bool = False) -> Solution | None:
        """Solve for the least value of an objective; None where no point obeys all rows.

        Args:
            objective: Weight per column.
            exact: True to honour the binaries, False to relax them to anything between 0 and 1.
        """
        highs = self._highs()
        costs = np.zeros(len(self._lower))
        costs[list(objective.keys())] = list(objective.values())
        highs.changeColsCost(len(costs), np.arange(len(costs), dtype=np.int32), costs)
        self._set_integrality(integer=exact)
        highs.run()
        status = highs.getModelStatus()
        if status in (highspy.HighsModelStatus.kInfeasible, highspy.HighsModelStatus.kUnboundedOrInfeasible):
            return None
        info = highs.getInfo()
        stopped_early = status == highspy.HighsModelStatus.kSolutionLimit and info.primal_solution_status == 2
        if status != highspy.HighsModelStatus.kOptimal and not stopped_early:
            raise Corrupt(f"the solver ended without an answer: {highs.modelStatusToString(status)}")
        gap = float(info.mip_gap) if exact and self._integers else 0.0
        return Solution(np.array(highs.getSolution().col_value), float(info.objective_function_value), gap)

    def _set_integrality(self, *, integer: bool) -> None:
        if not self._integers:
            return
        kind = highspy.HighsVarType.kInteger if integer else highspy.HighsVarType.kContinuous
        for column in self._integers:
            self._highs().changeColIntegrality(column, kind)

    def _highs(self) -> highspy.Highs:
        if self._solver is not None:
            return self._solver
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = len(self._lower), len(self._row_lower)
        lp.col_cost_ = np.zeros(len(self._lower))
        lp.col_lower_, lp.col_upper_ = np.array(self._lower), np.array(self._upper)
        lp.row_lower_, lp.row_upper_ = np.array(self._row_lower), np.array(self._row_upper)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.array(self._starts, dtype=np.int32)
        lp.a_matrix_.index_ = np.array(self._indices, dtype=np.int32)
        lp.a_matrix_.value_ = np.array(self._values)
        self._solver = highspy.Highs()  # type: ignore[no-untyped-call]  # the wheel ships no stub for its constructor
        for option, value in (
            ("output_flag", False), ("threads", 1), ("random_seed", 1), ("parallel", "off"),
            ("mip_rel_gap", RELATIVE_GAP), ("mip_max_nodes", MOST_NODES),
        ):  # fmt: skip
            self._solver.setOptionValue(option, value)
        self._solver.passModel(lp)
        return self._solver

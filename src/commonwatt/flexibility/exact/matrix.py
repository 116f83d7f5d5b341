"""A mixed-integer program as blocks of numpy arrays, put together once for the solver."""

from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import ArrayLike, NDArray

Numbers = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Terms:
    """A sparse block: for each entry its row within the block, its column, and its weight."""

    rows: Numbers
    columns: Numbers
    weights: Values

    def scaled(self, factor: ArrayLike) -> "Terms":
        """Return the block with each entry's weight times a factor, one for all or one per row."""
        factors = np.asarray(factor, dtype=np.float64)
        return Terms(self.rows, self.columns, self.weights * (factors[self.rows] if factors.ndim else factors))

    def within(self, rows: Numbers, count: int) -> "Terms":
        """Return only some rows, numbered anew in the order given, out of ``count``."""
        place = np.full(count, -1)
        place[rows] = np.arange(len(rows))
        kept = place[self.rows]
        chosen = kept >= 0
        return Terms(kept[chosen], self.columns[chosen], self.weights[chosen])

    def shifted(self, by: int) -> "Terms":
        """Return the block with all its rows moved."""
        return Terms(self.rows + by, self.columns, self.weights)


NOTHING = Terms(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


def terms(rows: ArrayLike, columns: ArrayLike, weights: ArrayLike) -> Terms:
    """Return a block from what can be broadcast together."""
    row, column, weight = np.broadcast_arrays(np.asarray(rows), np.asarray(columns), np.asarray(weights))
    return Terms(row.ravel().astype(np.int64), column.ravel().astype(np.int64), weight.ravel().astype(np.float64))


def joined(blocks: "list[Terms]") -> Terms:
    """Return the sum of several blocks over the same rows."""
    if len(blocks) <= 1:
        return blocks[0] if blocks else NOTHING
    return Terms(
        np.concatenate([block.rows for block in blocks]),
        np.concatenate([block.columns for block in blocks]),
        np.concatenate([block.weights for block in blocks]),
    )


class Matrix:
    """Collects columns and rows."""

    def __init__(self) -> None:
        self.width = 0
        self.height = 0
        self._lower: list[Values] = []
        self._upper: list[Values] = []
        self._whole: list[Numbers] = []
        self._row_lower: list[Values] = []
        self._row_upper: list[Values] = []
        self._blocks: list[Terms] = []

    def columns(self, lower: ArrayLike, upper: ArrayLike, count: int | None = None) -> Numbers:
        """Add columns between bounds; return their numbers."""
        low, high = np.broadcast_arrays(np.asarray(lower, np.float64), np.asarray(upper, np.float64))
        if count is not None:
            low, high = np.broadcast_to(low, count), np.broadcast_to(high, count)
        first, self.width = self.width, self.width + len(low)
        self._lower.append(low)
        self._upper.append(high)
        return np.arange(first, self.width)

    def whole(self, columns: Numbers) -> None:
        """Let columns take whole numbers only."""
        self._whole.append(columns)

    def rows(self, block: Terms, lower: ArrayLike, upper: ArrayLike, count: int) -> Numbers:
        """Add rows that keep the block's sums between bounds; return their numbers."""
        first, self.height = self.height, self.height + count
        self._blocks.append(block.shifted(first))
        self._row_lower.append(np.broadcast_to(np.asarray(lower, np.float64), count))
        self._row_upper.append(np.broadcast_to(np.asarray(upper, np.float64), count))
        return np.arange(first, self.height)

    @property
    def integers(self) -> Numbers:
        """Return the numbers of all columns that take whole numbers."""
        return np.unique(np.concatenate(self._whole)) if self._whole else np.zeros(0, np.int64)

    def program(self) -> highspy.HighsLp:
        """Return the program without an objective."""
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = self.width, self.height
        lp.col_cost_ = np.zeros(self.width)
        lp.col_lower_, lp.col_upper_ = np.concatenate(self._lower), np.concatenate(self._upper)
        lp.row_lower_, lp.row_upper_ = np.concatenate(self._row_lower), np.concatenate(self._row_upper)
        block = joined(self._blocks)
        key = block.rows * self.width + block.columns
        order = np.argsort(key, kind="stable")
        key, weights = key[order], block.weights[order]
        new = np.concatenate([[True], key[1:] != key[:-1]]) if len(key) else np.zeros(0, bool)
        if not new.all():  # one column twice in one row, as where an appliance runs in both slots of a ramp
            weights = np.add.reduceat(weights, np.flatnonzero(new))
            key = key[new]
        rows, columns = np.divmod(key, self.width)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.searchsorted(rows, np.arange(self.height + 1)).astype(np.int32)
        lp.a_matrix_.index_ = columns.astype(np.int32)
        lp.a_matrix_.value_ = weights
        return lp

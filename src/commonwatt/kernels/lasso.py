"""Regress many series on the same columns and keep few of them; compiled, for prices are regressed anew each day."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ROUNDS = 60
STILL = 1e-4
"""A round that moves no slope by more than this, in standard deviations, is the last."""


def lasso(seen: Floats, target: Floats, held_back: float) -> Floats:
    """Return slopes that are zero for columns which tell little.

    Args:
        seen: (n, columns), each column of mean zero and variance one, or zeros throughout.
        target: (n, series), of mean zero.
        held_back: What a slope must save, per row and unit of it, to be other than zero.

    Returns:
        (columns, series).

    Source: coordinate descent on covariances, Friedman, Hastie & Tibshirani, J. Statistical Software 33, 2010.
    """
    slopes = np.zeros((seen.shape[1], target.shape[1]))
    _descend(seen.T @ seen / len(seen), seen.T @ target / len(seen), held_back, slopes)
    return slopes


@njit(nogil=True, cache=True)
def _descend(alike: Any, told: Any, held_back: float, slopes: Any) -> None:
    columns, series = slopes.shape
    for one in range(series):
        left = told[:, one].copy()
        for _ in range(ROUNDS):
            most = 0.0
            for at in range(columns):
                if alike[at, at] == 0.0:
                    continue
                before = slopes[at, one]
                pull = left[at] + alike[at, at] * before
                after = 0.0
                if pull > held_back:
                    after = (pull - held_back) / alike[at, at]
                elif pull < -held_back:
                    after = (pull + held_back) / alike[at, at]
                if after != before:
                    left -= alike[:, at] * (after - before)
                    slopes[at, one] = after
                    most = max(most, abs(after - before))
            if most < STILL:
                break

"""Regress by absolute errors, so that an odd day of the past does not bend the days to come."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ROUNDS = 5
"""Of squares, each row weighed by what the round before missed there: more moved nothing."""


def slopes(seen: Floats, target: Floats, counts: Floats, ridge: float) -> Floats:
    """Return the slopes by which what was seen tells a target with the least absolute error, held back by a ridge.

    A row counts by the inverse of how far it was off, and one that was off by less than half the usual as if by that.

    Args:
        seen: (n, columns).
        target: (n, series); a row is weighed by the mean of its series.
        counts: What each row counts before that; n values, above zero.
        ridge: How strongly slopes are held back; above zero.

    Returns:
        (columns, series).

    Source: iteratively reweighted least squares with Huber's bound; Holland & Welsch, Comm. in Statistics 6, 1977.
    """
    found, share = np.zeros((seen.shape[1], target.shape[1])), counts
    for _ in range(ROUNDS):
        weighed = seen * share[:, None]
        held = weighed.T @ seen + ridge * np.eye(seen.shape[1])
        found = np.asarray(np.linalg.solve(held, weighed.T @ target), np.float64)
        missed = np.abs(target - seen @ found)
        usual = float(np.median(missed))
        share = counts * usual / np.maximum(missed.mean(1), usual / 2) if usual > 0 else counts
    return found

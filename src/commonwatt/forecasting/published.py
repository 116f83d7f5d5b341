"""Better a forecast that somebody publishes: carbon, prices or weather, corrected by how it was off before."""

import numpy as np
from numpy.typing import NDArray

from commonwatt.model import InvalidValue

Floats = NDArray[np.float64]
RIDGE = 375.0
PASSES = 4
LEAST_DAYS = 14
NEAR = 3.0
"""Errors below this many units weigh no more than it; a robust fit must not hang on what was met by chance."""


def corrected(published: Floats, measured: Floats) -> Floats:
    """Correct the published forecast of the next day by its own past errors; day by day it is learnt anew.

    Only errors at least a day old are looked at, slot by slot, whatever horizon the publisher has: what is forecast for
    a slot was known twenty-four hours before it.

    Args:
        published: (days + 1, slots), what was published for each day and the next; not a number where it is missing.
        measured: (days, slots), oldest first; not a number where it is missing.

    Returns:
        slots values: the published one itself where the past is shorter than `LEAST_DAYS`, and not a number where
        nothing was published.

    Raises:
        InvalidValue: Shapes do not fit.

    Source: model output statistics, Glahn & Lowry, J. Applied Meteorology 11, 1972; least absolute errors by
    iteratively reweighted least squares, Schlossmacher, JASA 68, 1973.
    """
    days, slots = measured.shape
    if published.shape != (days + 1, slots):
        raise InvalidValue(f"a correction needs one more day published than measured, was {published.shape}, {days}")
    seen = _seen(published, measured)
    missed = (measured - published[:-1]).ravel()
    rows, asked = seen[:-slots], seen[-slots:]
    known = ~np.isnan(missed) & ~np.isnan(rows).any(1)
    if known.sum() < LEAST_DAYS * slots:
        return np.array(published[-1])
    rows, missed = rows[known], missed[known]
    weight = np.full(len(missed), 1 / 8)
    slopes: Floats = np.zeros(rows.shape[1])
    for _ in range(PASSES):
        weighed = rows * weight[:, None]
        slopes = np.linalg.solve(weighed.T @ rows + RIDGE * np.eye(rows.shape[1]), weighed.T @ missed)
        weight = np.asarray(1 / np.maximum(np.abs(missed - rows @ slopes), NEAR), np.float64)
    found: Floats = published[-1] + np.nan_to_num(asked) @ slopes
    return found


def _seen(published: Floats, measured: Floats) -> Floats:
    """Return what each slot's error is learnt from, all of it known a day before the slot."""
    days, slots = measured.shape
    error = np.concatenate([(measured - published[:-1]).ravel(), np.full(slots, np.nan)])
    told, truth = published.ravel(), np.concatenate([measured.ravel(), np.full(slots, np.nan)])
    usual = np.convolve(np.nan_to_num(error), np.full(slots, 1 / slots))[: len(error)]
    angle = 2 * np.pi * np.tile(np.arange(slots) / slots, days + 1)
    hour = slots // 24
    before = [_late(error, slots + back) for back in (0, hour // 2, hour, 2 * hour)]
    older = [_late(error, back * slots) for back in (2, 3, 7)]
    moves = [told - _late(truth, slots), told - _late(told, slots), told - _late(told, 1), told]
    waves = [30 * wave(turns * angle) for turns in (1, 2) for wave in (np.cos, np.sin)]
    columns = [*before, *older, _late(usual, slots), *moves, *waves, np.full(len(error), 30.0)]
    return np.stack(columns, 1)


def _late(values: Floats, slots: int) -> Floats:
    found = np.full(len(values), np.nan)
    found[slots:] = values[:-slots] if slots else values
    return found

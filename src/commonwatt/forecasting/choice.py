"""Which forecast is used: a model that loses to its baseline on its own past is not, and says so."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from commonwatt.model import InvalidValue

Floats = NDArray[np.float64]
LEAST_SLOTS = 96
"""A day of quarter-hours: on less nobody can say which of two forecasts is better."""
STEP = 8.0
"""How fast weights move to what was better; at 8 a forecast a tenth better over the whole past has twice the weight."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Whether a model is used, and why."""

    used: bool
    reason: str


def choose(name: str, model: Floats, baseline: Floats, measured: Floats, *, means: bool = False) -> Choice:
    """Compare a model with its baseline over what both forecast before.

    Args:
        name: Of the model.
        model: What it expected, n values, each made before its slot.
        baseline: Likewise.
        measured: What came; not a number where nobody measured.
        means: Whether means are compared, as plans add them up: then by the root of the mean squared error. The mean
            absolute error, by which all else is, would judge them by how well they do as medians.

    Raises:
        InvalidValue: The lists differ in length.

    Source: Gneiting, Making and Evaluating Point Forecasts, JASA 106 (494), 2011.
    """
    if not model.shape == baseline.shape == measured.shape:
        raise InvalidValue(f"a choice compares equal lists, was {model.shape}, {baseline.shape}, {measured.shape}")
    known = ~(np.isnan(model) | np.isnan(baseline) | np.isnan(measured))
    if known.sum() < LEAST_SLOTS:
        return Choice(False, f"{name} is not used: {int(known.sum())} scored slots are too few to trust it")
    power = 2 if means else 1
    ours, naive = (float((np.abs(row - measured)[known] ** power).mean() ** (1 / power)) for row in (model, baseline))
    if ours > naive:
        return Choice(False, f"{name} is not used: off by {ours:.4g} where the baseline was off by {naive:.4g}")
    return Choice(True, f"{name} is used: off by {ours:.4g} where the baseline was off by {naive:.4g}")


def weights(experts: Floats, measured: Floats, forget: float = 1.0) -> Floats:
    """Weigh several forecasts by how far each was off before; none is dropped, since luck turns.

    Args:
        experts: (experts, days, n), what each expected, made before its day.
        measured: (days, n); not a number where nobody measured.
        forget: What a day counts of the day after it; 1 remembers for ever.

    Returns:
        One weight an expert, summing to 1; equal ones without a past.

    Source: Littlestone & Warmuth, The Weighted Majority Algorithm, Inf. and Comp. 108, 1994.
    """
    if not measured.size or np.isnan(measured).all():
        return np.full(len(experts), 1 / len(experts))
    days = forget ** np.arange(measured.shape[0])[::-1, None]
    known = ~np.isnan(measured)
    missed = np.where(known, np.abs(experts - np.where(known, measured, 0)) * days, 0).sum((1, 2))
    worst = max(float(missed.min()), 1e-12)
    power: Floats = np.exp(-STEP * np.minimum((missed - worst) / worst, 50.0))
    found: Floats = power / power.sum()
    return found

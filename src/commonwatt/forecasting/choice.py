"""Which forecast is used: a model that loses to any baseline on its own past is not, and says so."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from commonwatt.model import InvalidValue

Floats = NDArray[np.float64]
LEAST_SLOTS = 96
"""A day of quarter-hours: on less nobody can say which of two forecasts is better."""
WEEK_DAYS, MONTH_DAYS = 7, 28
STEP = 8.0
"""How fast weights move to what was better; at 8 a forecast a tenth better over the whole past has twice the weight."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Whether a model is used, and why; and the baseline that was best, which takes its place where it is not."""

    used: bool
    reason: str
    baseline: str


def week_mean(days: Floats) -> Floats:
    """Return the mean of the last seven days, slot by slot; zero where none of them tells.

    Args:
        days: (days, slots), oldest first; not a number where nobody measured.
    """
    last = days[-WEEK_DAYS:]
    seen = ~np.isnan(last)
    found: Floats = np.where(seen, last, 0).sum(0) / np.maximum(seen.sum(0), 1)
    return found


def month_median(days: Floats) -> Floats:
    """Return the median of the last 28 days, slot by slot; zero where none of them tells.

    Args:
        days: As for `week_mean`.
    """
    last = days[-MONTH_DAYS:]
    seen = ~np.isnan(last).all(0)
    found: Floats = np.zeros(days.shape[1:])
    found[seen] = np.nanmedian(last[:, seen], 0)
    return found


WEEK, MONTH = "7-day mean", "28-day median"
BASELINES: Mapping[str, Callable[[Floats], Floats]] = {WEEK: week_mean, MONTH: month_median}
"""What every model is held against: what a new one and a steady one would say without learning anything."""


def choose(
    name: str, model: Floats, baselines: Mapping[str, Floats], measured: Floats, *, means: bool = False
) -> Choice:
    """Compare a model with its baselines over what all forecast before; it has to lose to none.

    Args:
        name: Of the model.
        model: What it expected, n values, each made before its slot.
        baselines: Likewise, by name; of two that were equally good, and of a past too short to tell, the first counts.
        measured: What came; not a number where nobody measured.
        means: Whether means are compared, as plans add them up: then by the root of the mean squared error. The mean
            absolute error, by which all else is, would judge them by how well they do as medians.

    Raises:
        InvalidValue: The lists differ in length.

    Source: Gneiting, Making and Evaluating Point Forecasts, JASA 106 (494), 2011.
    """
    rows = [model, *baselines.values()]
    shapes = [row.shape for row in (*rows, measured)]
    if not baselines or len(set(shapes)) > 1:
        raise InvalidValue(f"a choice compares equal lists, one baseline at least, was {shapes}")
    known = ~np.isnan([*rows, measured]).any(0)
    if known.sum() < LEAST_SLOTS:
        few = f"{name} is not used: {int(known.sum())} scored slots are too few to trust it"
        return Choice(False, few, next(iter(baselines)))
    power = 2 if means else 1
    ours, *others = (float((np.abs(row - measured)[known] ** power).mean() ** (1 / power)) for row in rows)
    naive, best = min(zip(others, baselines, strict=True), key=lambda one: one[0])
    used = ours <= naive
    said = "is used" if used else "is not used"
    return Choice(used, f"{name} {said}: off by {ours:.4g} where the {best} was off by {naive:.4g}", best)


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

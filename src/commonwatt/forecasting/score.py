"""How good a forecast was: the numbers that benchmarks quote, and the card that shows them together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from commonwatt.model import LEVELS_PERMILLE, InvalidValue

Floats = NDArray[np.float64]


def normalised_error(expected_wh: Sequence[int], measured_wh: Sequence[int]) -> float:
    """Return nMAE: the sum of absolute errors over the sum of what was measured; 0 is perfect.

    Raises:
        InvalidValue: The lists differ in length, or nothing was measured.
    """
    total = sum(measured_wh)
    if len(expected_wh) != len(measured_wh) or total <= 0:
        raise InvalidValue(
            f"a score compares equal lists of some energy, was {len(expected_wh)}, {len(measured_wh)}, {total} Wh"
        )
    return sum(abs(e - m) for e, m in zip(expected_wh, measured_wh, strict=True)) / total


def pinball(quantiles: ArrayLike, measured: ArrayLike, levels: Sequence[int] = LEVELS_PERMILLE) -> float:
    """Return the mean pinball loss over levels and values, in the unit of what was measured.

    Args:
        quantiles: (levels, n).
        measured: n values; those that are not a number are left out.
        levels: Thousandths.

    Raises:
        InvalidValue: There is not one row a level, or nothing was measured.

    Source: Koenker & Bassett, Regression Quantiles, Econometrica 46 (1), 1978.
    """
    rows, truth = _alike(quantiles, measured, len(levels))
    share = np.array(levels, np.float64)[:, None] / 1000
    missed = truth - rows
    return float(np.maximum(share * missed, (share - 1) * missed).mean())


def coverage(low: ArrayLike, high: ArrayLike, measured: ArrayLike) -> float:
    """Return the share of values that fell into a band, its edges included.

    Args:
        low: n values.
        high: n values.
        measured: n values; those that are not a number are left out.

    Raises:
        InvalidValue: The lists differ in length, or nothing was measured.
    """
    rows, truth = _alike(np.array([low, high], np.float64), measured, 2)
    return float(((truth >= rows[0]) & (truth <= rows[1])).mean())


def scaled_error(expected: ArrayLike, measured: ArrayLike, past: ArrayLike, season: int) -> float:
    """Return MASE: the mean absolute error over that of repeating the past's season; below 1 is better than that.

    Args:
        expected: n values.
        measured: n values.
        past: What was known before, oldest first, more than a season.
        season: Slots after which the past repeats.

    Raises:
        InvalidValue: The past is too short, or repeats itself exactly.

    Source: Hyndman & Koehler, Another look at measures of forecast accuracy, Int. J. Forecasting 22 (4), 2006.
    """
    before = np.asarray(past, np.float64)
    steps = np.abs(before[season:] - before[:-season])
    step = float(np.nansum(steps) / max(int((~np.isnan(steps)).sum()), 1))
    if not step > 0:
        raise InvalidValue(f"a scaled error needs a past that differs over {season} slots, was {len(before)} values")
    rows, truth = _alike(np.array([expected], np.float64), measured, 1)
    return float(np.abs(rows[0] - truth).mean() / step)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreCard:
    """What is said of one forecast of one series, beside its baselines over the same slots.

    Args:
        series: What was forecast.
        model: By what.
        used: Whether it is; a model that lost to a baseline is not.
        slots: How many slots were scored.
        nmae: Sum of absolute errors over the sum of what was measured.
        baseline_nmae: The same of the seasonal-naive forecast.
        median_nmae: The same of the median of 28 days.
        skill: 1 less nmae over the baseline's; 0 is as good, below is worse.
        mase: Scaled by the error of repeating yesterday; none where the past did so exactly.
        pinball_wh: Mean pinball loss over `LEVELS_PERMILLE`.
        coverage_permille: Of the band between the outermost levels; 900 was promised.
        decision_micro: Money that the plan lost to the forecast's errors; a flow that plans twice fills it in.
    """

    series: str
    model: str
    used: bool
    slots: int
    nmae: float
    baseline_nmae: float
    median_nmae: float
    skill: float
    mase: float | None
    pinball_wh: float
    coverage_permille: int
    decision_micro: int | None = None


def score_card(
    series: str,
    model: str,
    used: bool,
    quantiles: Floats,
    measured: Floats,
    baseline: Floats,
    median: Floats,
    past: Floats,
    season: int,
) -> ScoreCard:
    """Score one series; its median is what counts as expected.

    Args:
        series: What was forecast.
        model: By what.
        used: Whether the forecast is used.
        quantiles: (levels, n) Wh, levels as `LEVELS_PERMILLE`.
        measured: n values in Wh; those that are not a number are left out.
        baseline: n values in Wh.
        median: Likewise, of the second baseline.
        past: What was measured before, oldest first, in Wh.
        season: Slots of a day.

    Raises:
        InvalidValue: Shapes differ, or nothing was measured.
    """
    rows, truth = _alike(quantiles, measured, len(LEVELS_PERMILLE))
    plain, _ = _alike([baseline, median], measured, 2)
    total = float(np.abs(truth).sum())
    if total == 0:
        raise InvalidValue(f"a score needs some energy, {series} had none")
    middle = rows[LEVELS_PERMILLE.index(500)]
    nmae, naive, steady = (float(np.abs(row - truth).sum() / total) for row in (middle, *plain))
    return ScoreCard(
        series=series,
        model=model,
        used=used,
        slots=len(truth),
        nmae=nmae,
        baseline_nmae=naive,
        median_nmae=steady,
        skill=1 - nmae / naive if naive else 0.0,
        mase=scaled_error(middle, truth, past, season) if _varies(past, season) else None,
        pinball_wh=pinball(rows, truth),
        coverage_permille=round(1000 * coverage(rows[0], rows[-1], truth)),
    )


def _varies(past: Floats, season: int) -> bool:
    return bool(np.nansum(np.abs(past[season:] - past[:-season])) > 0)


def _alike(rows: ArrayLike, measured: ArrayLike, count: int) -> tuple[Floats, Floats]:
    told, truth = np.asarray(rows, np.float64), np.asarray(measured, np.float64).ravel()
    told = told.reshape(len(told), -1)
    known = ~np.isnan(truth) if told.shape == (count, len(truth)) else np.zeros(len(truth), np.bool_)
    if not known.any():
        raise InvalidValue(f"a score compares {count} rows with as many values, was {told.shape} with {len(truth)}")
    return told[:, known], truth[known]

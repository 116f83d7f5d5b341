"""How sure a forecast is: quantiles around any expected value, from how far the same forecast was off before."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from commonwatt.model import LEVELS_PERMILLE, InvalidValue

Floats = NDArray[np.float64]
Groups = NDArray[np.int64]
_LEAST = 40
"""Errors that a group needs for levels of its own: two beyond each outermost; a smaller one goes by all groups."""

_MIDDLE = LEVELS_PERMILLE.index(500)
_GAIN = 0.3
"""How far a day on which all was missed widens the next: by a third; one on which nothing was narrows it by 3 %."""


@dataclass(frozen=True, slots=True, eq=False)
class Bands:
    """Scaled errors at each level, group by group.

    Args:
        errors: (groups, levels), rising along levels; the last group is all errors together.
    """

    errors: Floats

    def around(
        self, expected: Floats, scale: Floats, group: Groups, floor: float = -np.inf, width: float = 1.0
    ) -> Floats:
        """Return the quantiles around what is expected; they never cross.

        Args:
            expected: n values.
            scale: By what errors were divided; n values, above zero.
            group: Of each value; one never seen goes by all.
            floor: What no value falls below.
            width: By what distances from the median are multiplied, as `adapted` says.

        Returns:
            (levels, n).
        """
        known = np.where((group >= 0) & (group < len(self.errors) - 1), group, len(self.errors) - 1)
        errors = self.errors[known].T
        middle = errors[_MIDDLE]
        rows: Floats = np.maximum(expected + (middle + (errors - middle) * width) * scale, floor)
        return rows


def conformal(expected: Floats, measured: Floats, scale: Floats, group: Groups, groups: int) -> Bands:
    """Learn bands from forecasts made before and what came: split conformal prediction on both tails.

    What was forecast must not have been among what the forecaster learnt from, or the bands are too narrow. The k-th of
    n errors stands for level q with k = ceil(q (n + 1)) above the middle and the mirror image below, which covers at
    least as often as promised where errors of tomorrow are drawn like those of yesterday.

    Args:
        expected: n values.
        measured: n values; those that are not a number teach nothing.
        scale: How far errors of each value typically reach; n values, above zero.
        group: Of each value, for example its hour or horizon; zero or more, below ``groups``.
        groups: How many there are.

    Raises:
        InvalidValue: Nothing was measured, a scale is not above zero, or shapes differ.

    Source: Romano, Patterson & Candes, Conformalized Quantile Regression, NeurIPS 2019; Lei et al., JASA 113, 2018.
    """
    if not expected.shape == measured.shape == scale.shape == group.shape or not (scale > 0).all():
        raise InvalidValue(f"bands are learnt from equal lists and scales above zero, was {expected.shape}")
    known = ~np.isnan(measured)
    if not known.any():
        raise InvalidValue("bands are learnt from what was measured, and nothing was")
    errors, place = (measured - expected)[known] / scale[known], group[known]
    together = _levels(errors)
    rows = [errors[place == one] for one in range(groups)]
    return Bands(np.array([*(_levels(row) if len(row) >= _LEAST else together for row in rows), together]))


def adapted(width: float, missed: float) -> float:
    """Return by what the next day's bands are to be multiplied, so that a season that errs otherwise is held, too.

    Args:
        width: By what today's were; 1 at first.
        missed: Share of today's values outside the outermost levels.

    Raises:
        InvalidValue: The share is none.

    Source: after adaptive conformal inference, Gibbs & Candes, NeurIPS 2021.
    """
    if not 0 <= missed <= 1:
        raise InvalidValue(f"a share is between 0 and 1, was {missed}")
    promised = (1000 - LEVELS_PERMILLE[-1] + LEVELS_PERMILLE[0]) / 1000
    return float(np.clip(width * np.exp(_GAIN * (missed - promised)), 0.5, 4.0))


def _levels(errors: Floats) -> Floats:
    rising, count = np.sort(errors), len(errors)
    ranks = [
        -(-level * (count + 1) // 1000) if level >= 500 else count + 1 - -(-(1000 - level) * (count + 1) // 1000)
        for level in LEVELS_PERMILLE
    ]
    found: Floats = rising[np.clip(ranks, 1, count) - 1]
    return found

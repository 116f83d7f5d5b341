"""Whole futures of today and tomorrow: of several series together, drawn from their quantiles and from past errors."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from commonwatt.forecasting.foresee import AHEAD, SOON, Foretold
from commonwatt.forecasting.scenarios import shuffled
from commonwatt.model import LEVELS_PERMILLE

Floats = NDArray[np.float64]
COUNT = 200
LEAST_ERRORS = 5
"""Past days of which all series told, before anything is said of what moves together."""
_MIDDLE = LEVELS_PERMILLE.index(500)


def futures(told: Sequence[Foretold], seed: int, count: int = COUNT) -> Floats | None:
    """Draw what may come of several series together, today and tomorrow.

    Each slot has its forecast's quantiles, and slots and series are high together where they were on a past day and the
    day after it: what those were off their medians, told as each began, is what futures are ranked by.

    Args:
        told: One series or more, of the same days.
        seed: Decides which; the same seed draws the same.
        count: How many.

    Returns:
        (count, series, `SOON` times slots); None where on too few past days all of them told anything.
    """
    days = min(len(one.measured_wh) - AHEAD for one in told)
    missed = np.stack([(one.measured_wh - one.quantiles_wh[_MIDDLE])[-AHEAD - days : -AHEAD] for one in told], 1)
    spans = [missed[at : at + SOON] for at in range(days - SOON + 1)]
    whole = [span.swapaxes(0, 1).reshape(len(told), -1) for span in spans if not np.isnan(span).any()]
    if len(whole) < LEAST_ERRORS:
        return None
    ahead = slice(-AHEAD, -AHEAD + SOON)
    rows = np.stack([one.quantiles_wh[:, ahead].reshape(len(LEVELS_PERMILLE), -1) for one in told], 1)
    return shuffled(rows, np.array(whole), count, seed)

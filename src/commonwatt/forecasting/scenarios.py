"""From quantiles of each slot to whole futures: what moved together in the past moves together in them."""

import numpy as np
from numpy.typing import NDArray

from commonwatt.model import LEVELS_PERMILLE, InvalidValue

Floats = NDArray[np.float64]


def shuffled(quantiles: Floats, errors: Floats, count: int, seed: int) -> Floats:
    """Draw scenarios that have the quantiles of each slot and the ranks of past errors over slots and homes.

    Each scenario follows one day of the past: where that day's error was the third largest among those drawn, the
    scenario takes the third largest value of that slot's distribution. A cold evening, cold everywhere, stays one.

    Args:
        quantiles: (levels, homes, slots), levels as `LEVELS_PERMILLE`.
        errors: Of past days, measured less expected: (days, homes, slots); complete, days drawn as they are.
        count: How many scenarios; past days are drawn again where there are fewer.
        seed: Decides which.

    Returns:
        (count, homes, slots).

    Raises:
        InvalidValue: There is no past day, or it has another shape than the quantiles.

    Source: Clark et al., The Schaake Shuffle, J. Hydrometeorology 5, 2004.
    """
    if not len(errors) or errors.shape[1:] != quantiles.shape[1:] or np.isnan(errors).any():
        raise InvalidValue(f"scenarios need whole past days like the forecast, was {errors.shape}, {quantiles.shape}")
    random = np.random.default_rng(seed)
    days = np.concatenate([random.permutation(len(errors)) for _ in range(-(-count // len(errors)))])[:count]
    drawn = errors[days] + random.uniform(-1e-9, 1e-9, (count, *errors.shape[1:]))  # days that are alike draw lots
    ranks = drawn.argsort(axis=0).argsort(axis=0)
    values = values_at(quantiles, (np.arange(count) + 0.5) / count)
    found: Floats = np.take_along_axis(values, ranks, axis=0)
    return found


def values_at(quantiles: Floats, shares: Floats) -> Floats:
    """Return the values at any shares of probability, on straight lines between levels and flat beyond the outermost.

    Args:
        quantiles: (levels, ...).
        shares: Between 0 and 1; k values.

    Returns:
        (k, ...).
    """
    levels = np.array(LEVELS_PERMILLE) / 1000
    above = np.clip(np.searchsorted(levels, shares), 1, len(levels) - 1)
    part = np.clip((shares - levels[above - 1]) / (levels[above] - levels[above - 1]), 0, 1)
    part = part.reshape(-1, *[1] * (quantiles.ndim - 1))
    found: Floats = quantiles[above - 1] * (1 - part) + quantiles[above] * part
    return found

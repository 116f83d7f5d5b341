"""Money over whole arrays, rounded as `commonwatt.model.money` rounds."""

import numpy as np
from numpy.typing import NDArray

from commonwatt.model import InvalidValue

_MOST = 2**62


def costs_micro(energy_wh: NDArray[np.int64], price_micro_per_kwh: int) -> NDArray[np.int64]:
    """Return what amounts of energy cost, in millionths of the currency; `commonwatt.model.cost_micro` is its twin.

    Args:
        energy_wh: n values.
        price_micro_per_kwh: One price for all.

    Returns:
        n values, halves rounded to even.

    Raises:
        InvalidValue: A product would not fit into 62 bits.
    """
    if len(energy_wh) and int(np.abs(energy_wh).max()) * abs(price_micro_per_kwh) >= _MOST:
        raise InvalidValue(f"energy times price fits into 62 bits, was up to {np.abs(energy_wh).max()} Wh")
    quotients, rests = np.divmod(energy_wh * price_micro_per_kwh, 1000)
    up = (rests > 500) | ((rests == 500) & (quotients % 2 == 1))
    costs: NDArray[np.int64] = quotients + up
    return costs

"""From arrays to the nouns that plans read: whole Wh, quantiles that do not cross, scenarios by name."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from commonwatt.model import LEVELS_PERMILLE, Forecast, InvalidValue, Scenarios

Floats = NDArray[np.float64]
_MIDDLE = LEVELS_PERMILLE.index(500)


def forecast(series: str, issued: datetime, start: datetime, quantiles_wh: Floats) -> Forecast:
    """Return a forecast whose expected value is its median.

    Args:
        series: What is forecast.
        issued: Nothing after this instant was looked at.
        start: Of the first slot.
        quantiles_wh: (levels, slots), levels as `LEVELS_PERMILLE`.

    Raises:
        InvalidValue: A value is not finite, the rows are not one a level, or they cross by a Wh or more.
    """
    if not np.isfinite(quantiles_wh).all():
        raise InvalidValue(f"a forecast is finite, {series} is not")
    rows = tuple(tuple(int(wh) for wh in row) for row in np.rint(quantiles_wh))
    if len(rows) != len(LEVELS_PERMILLE):
        raise InvalidValue(f"quantiles are {len(LEVELS_PERMILLE)} rows, {series} has {len(rows)}")
    return Forecast(series=series, issued=issued, start=start, energy_wh=rows[_MIDDLE], quantiles_wh=rows)


def scenarios(series: Sequence[str], issued: datetime, start: datetime, drawn_wh: Floats) -> Scenarios:
    """Return drawn futures of several series, whole Wh.

    Args:
        series: A name a home.
        issued: Nothing after this instant was looked at.
        start: Of the first slot.
        drawn_wh: (scenarios, homes, slots), as `scenarios.shuffled` draws.

    Raises:
        InvalidValue: A value is not finite, or there is not a name a home.
    """
    if not np.isfinite(drawn_wh).all():
        raise InvalidValue(f"scenarios are finite, those of {', '.join(series)} are not")
    whole = tuple(tuple(tuple(int(wh) for wh in row) for row in one) for one in np.rint(drawn_wh))
    return Scenarios(series=tuple(series), issued=issued, start=start, energy_wh=whole)

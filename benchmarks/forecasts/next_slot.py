"""D6: the net load of 300 solar homes, half an hour ahead, by the table's ten folds and in order of time."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.figure import Figure, figure
from benchmarks.forecasts import recorded
from commonwatt.forecasting.shortly import learn, look

Floats = NDArray[np.float64]
GOAL = 11.8
SLOTS, FOLDS = 48, 10
THURSDAY = 3
PUBLISHED = {"naive": 28.64, "XGB": 14.71, "SARIMA": 16.06, "linear regression": 12.58, "ANN": 22.14}


def d6() -> Figure:
    """D6: MAE in kW over ten folds as in the table; and learnt only from the past, the second half of the weeks."""
    power, seen = _seen()
    known = np.flatnonzero(~np.isnan(seen).any(1))
    missed = []
    for fold in np.array_split(known, FOLDS):
        rest = np.setdiff1d(known, fold)
        told = learn(seen[rest], power[rest]).expected(seen[fold])
        missed.append(float(np.abs(told - power[fold]).mean()))
    told, came = ordered()
    return figure(
        "D6",
        float(np.mean(missed)),
        "kW",
        GOAL,
        folds=[round(error, 2) for error in missed],
        published=PUBLISHED,
        from_the_past_alone=round(float(np.abs(told - came).mean()), 2),
        naive_over_the_same=round(float(np.abs(np.diff(power))[-came.size :].mean()), 2),
        folds_are="runs of time; as in the table, a fold's model has also seen what came after it",
    )


@cache
def ordered() -> tuple[Floats, Floats]:
    """Return what was expected, learnt anew every day from the past, and what came: (days, slots) each, kW."""
    power, seen = _seen()
    half = len(power) // SLOTS // 2 * SLOTS
    told = [learn(seen[:at], power[:at]).expected(seen[at : at + SLOTS]) for at in range(half, len(power), SLOTS)]
    return np.array(told), power[half:].reshape(-1, SLOTS)


def _seen() -> tuple[Floats, Floats]:
    power = recorded.net_load()
    off = (np.arange(len(power) + 1) // SLOTS + THURSDAY) % 7 >= 5
    return power, look(power, off, SLOTS)[:-1]

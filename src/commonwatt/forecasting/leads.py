"""How good forecasts are at other leads than the day's own: the next quarter-hour, and the seventh day."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from commonwatt.forecasting.choice import MONTH, WEEK
from commonwatt.forecasting.daily_bands import around
from commonwatt.forecasting.score import ScoreCard, score_card
from commonwatt.model import LEVELS_PERMILLE

Floats = NDArray[np.float64]
DAY, NEXT_SLOT, LAST_DAY = "day", "next slot", "seventh day"
LEAST_SCORED = 2
"""Whole days that must have been told and come before another lead than the day's is scored."""


def next_slot(expected: Floats, came: Floats) -> Floats:
    """Return what is expected of each slot at its start: what was of it at midnight, and the last slot's surprise.

    Args:
        expected: (days, slots), each at its day's start.
        came: Likewise; where nothing did there is no surprise, as before the day's first slot.
    """
    missed = np.nan_to_num(came[:, :-1] - expected[:, :-1])
    return np.concatenate([expected[:, :1], expected[:, 1:] + missed], 1)


def slot_card(
    name: str, model: str, used: bool, expected: Floats, plain: Mapping[str, Floats], came: Floats, floor: float
) -> ScoreCard | None:
    """Return how good the next slot's forecast was, beside the baselines corrected alike; None where few days came.

    Args:
        name: Of the series.
        model: By what it is forecast.
        used: Whether plans go by it.
        expected: What was expected at each day's start: (days, slots).
        plain: Likewise by each baseline.
        came: (days, slots).
        floor: What no value falls below.
    """
    days = len(came)
    first = days // 2
    if first < LEAST_SCORED or not np.nansum(np.abs(came[first:])) > 0 or not np.isfinite(came[1:first]).any():
        return None
    soon = np.maximum(next_slot(expected[:days], came), floor)
    rows = around(np.concatenate([soon, soon[-1:]]), came, 0, first, floor, ahead=1).told[:, :-1]
    week, month = (np.maximum(next_slot(plain[of][:days], came), floor)[first:].ravel() for of in (WEEK, MONTH))
    flat = rows.reshape(len(LEVELS_PERMILLE), -1)
    return score_card(name, model, used, flat, came[first:].ravel(), week, month, came[:first].ravel(), came.shape[1])


def best(card: ScoreCard | None) -> str | None:
    """Return which baseline was better than what was told at a lead; None where none was, or nothing was scored."""
    if card is None or card.nmae <= min(card.baseline_nmae, card.median_nmae):
        return None
    return WEEK if card.baseline_nmae <= card.median_nmae else MONTH


def late_card(
    name: str, model: str, used: bool, last: Floats, plain: Mapping[str, Floats], came: Floats, late: int
) -> ScoreCard | None:
    """Return how good the forecast of the last day that is told was; None where few such days are over.

    Args:
        name: Of the series.
        model: As for `slot_card`.
        used: Likewise.
        last: Its quantiles as told on each day from the first scored on: (levels, days, slots).
        plain: What each baseline said on the same days.
        came: (days, slots) from that day on.
        late: How many days after the one on which it was told.
    """
    told = came[late:]
    if len(told) < LEAST_SCORED or not np.nansum(np.abs(told)) > 0:
        return None
    rows = last[:, : len(told)].reshape(len(LEVELS_PERMILLE), -1)
    week, month = (plain[of][: len(told)].ravel() for of in (WEEK, MONTH))
    return score_card(name, model, used, rows, told.ravel(), week, month, came[:late].ravel(), came.shape[1])

"""Live through recorded days as a forecaster would have: each is forecast from those before it, then scored."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from commonwatt.forecasting import community
from commonwatt.forecasting.bands import conformal
from commonwatt.forecasting.choice import BASELINES, MONTH, WEEK, Choice, choose
from commonwatt.forecasting.load import CALIBRATION_DAYS, Panel, fit
from commonwatt.forecasting.score import ScoreCard, score_card
from commonwatt.model import LEVELS_PERMILLE, InvalidValue

Floats = NDArray[np.float64]
LEAST_DAYS = CALIBRATION_DAYS + 7
"""Days to learn from before the first is scored: a week to learn, and a week to see how far it is off."""
LEARN_EVERY = 7
TOGETHER = "all together"
_MIDDLE = LEVELS_PERMILLE.index(500)


@dataclass(frozen=True, slots=True)
class Trial:
    """One series' card, and why its model is used or not from now on."""

    card: ScoreCard
    choice: Choice


def trial(panel: Panel, names: Sequence[str], first: int = LEAST_DAYS) -> list[Trial]:
    """Score the next-day forecast of each home and of all together, from a day on, beside the mean of seven days.

    Args:
        panel: What was recorded.
        names: Of the homes.
        first: The first day that is scored.

    Returns:
        A trial a home that used anything, and one of all together where no reading is missing.

    Raises:
        InvalidValue: There are fewer than `LEAST_DAYS` before the first, no day to score, or not a name a home.
    """
    if not LEAST_DAYS <= first < panel.days or len(names) != len(panel.wh):
        raise InvalidValue(
            f"a trial has {LEAST_DAYS} days before the first that is scored, and a name a home, "
            f"was day {first} of {panel.days}, {len(names)} names for {len(panel.wh)} homes"
        )
    told = _homes(panel, first)
    wh = panel.wh.astype(np.float64)
    found = [
        _judged(name, "global trees", told[:, home], wh[home], first)
        for home, name in enumerate(names)
        if np.nansum(wh[home, first:]) > 0
    ]
    total = wh.sum(0)
    if len(names) > 1 and np.isfinite(total).all() and total[first:].sum() > 0:
        found.append(_judged(TOGETHER, "days alike", _together(panel, total, first), total, first))
    return found


def _homes(panel: Panel, first: int) -> Floats:
    told = []
    model = None
    for day in range(first, panel.days):
        if model is None or (day - first) % LEARN_EVERY == 0:
            model = fit(panel.until(day))
        told.append(model.quantiles_wh(panel.until(day)))
    return np.stack(told, 2)


def _together(panel: Panel, total: Floats, first: int) -> Floats:
    """Return quantiles of the sum; what it missed on the days before is all that its bands are learnt from."""
    begin = community.LEAST_DAYS
    days = range(begin, panel.days)
    expected = np.array([community.day_ahead_wh(total[:day], panel.kinds, panel.dark) for day in days])
    scale, group = np.maximum(expected, 1.0), np.zeros(expected.shape, np.int64)
    rows = []
    for day in range(first - begin, len(expected)):
        past = slice(0, day)
        bands = conformal(
            expected[past].ravel(), total[begin : begin + day].ravel(), scale[past].ravel(), group[past].ravel(), 1
        )
        rows.append(bands.around(expected[day], scale[day], group[day], floor=0.0))
    return np.stack(rows, 1)


def _judged(name: str, model: str, quantiles: Floats, wh: Floats, first: int) -> Trial:
    came = wh[first:].ravel()
    rows = quantiles.reshape(len(LEVELS_PERMILLE), -1)
    plain = {
        of: np.array([expect(wh[:day]) for day in range(first, len(wh))]).ravel() for of, expect in BASELINES.items()
    }
    choice = choose(model, rows[_MIDDLE], plain, came)
    card = score_card(name, model, choice.used, rows, came, plain[WEEK], plain[MONTH], wh[:first].ravel(), wh.shape[1])
    return Trial(card, choice)

"""D4, D8: the load of single homes and of their sum, a day ahead, beside repeating the past."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.figure import Figure, figure
from benchmarks.forecasts import recorded
from benchmarks.forecasts.scoring import FIRST_DAY, error, homes, median_error, together
from commonwatt.forecasting.choice import MONTH, WEEK, choose
from commonwatt.model import LEVELS_PERMILLE

Floats = NDArray[np.float64]
D4_GOAL, D8_GOAL = 0.46, 7.0
MIDDLE = LEVELS_PERMILLE.index(500)


def d4() -> Figure:
    """D4: median nMAE of 311 single homes, half-hours of the next day, 64 days."""
    wh = recorded.households().wh.astype(np.float64)
    quantiles, came = homes()
    expected = quantiles[MIDDLE].astype(np.float64)
    plain = {name: median_error(told, came) for name, told in _repeated(wh).items()}
    week, month = (_repeated(wh)[of][:, :28] for of in ("mean of 7 days", "median of 28 days"))
    used = [
        choose(
            "the model",
            expected[home, :28].ravel(),
            {WEEK: week[home].ravel(), MONTH: month[home].ravel()},
            came[home, :28].ravel(),
        ).used
        for home in range(len(came))
    ]
    return figure(
        "D4",
        median_error(expected, came),
        "nMAE",
        D4_GOAL,
        **{name: round(value, 4) for name, value in plain.items()},
        last_month=round(median_error(expected[:, 32:], came[:, 32:]), 4),
        model_would_be_used_in=f"{sum(used)} of {len(used)} homes after four weeks",
        learnt="every seven days from what was known, settings chosen before the first scored day",
    )


def d8() -> Figure:
    """D8: nMAE of the sum of the homes in per cent, the next day, and what independent noise alone would bring."""
    wh = recorded.households().wh.astype(np.float64)
    told, came = together(FIRST_DAY)
    plain = {name: round(100 * error(rows.sum(0), came), 2) for name, rows in _repeated(wh).items()}
    daily = told * (came.sum(1) / told.sum(1))[:, None]
    return figure(
        "D8",
        100 * error(told, came),
        "%",
        D8_GOAL,
        **plain,
        noise_floor=round(100 * _floor(wh), 2),
        were_each_day_total_known=round(100 * error(daily, came), 2),
        fortnight_of_settings=round(100 * error(*(rows[:14] for rows in together(14))), 2),
    )


def _repeated(wh: Floats) -> dict[str, Floats]:
    days = range(FIRST_DAY, wh.shape[1])
    return {
        "yesterday": wh[:, FIRST_DAY - 1 : -1],
        "last week": wh[:, FIRST_DAY - 7 : -7],
        "mean of 7 days": np.stack([wh[:, day - 7 : day].mean(1) for day in days], 1),
        "median of 28 days": np.stack([np.median(wh[:, day - 28 : day], 1) for day in days], 1),
    }


def _floor(wh: Floats) -> float:
    """Return the nMAE of the sum were its level known, and homes' deviations from their own week independent."""
    days = range(FIRST_DAY, wh.shape[1])
    missed = wh[:, FIRST_DAY:] - np.stack([wh[:, day - 7 : day].mean(1) for day in days], 1)
    spread = np.sqrt(missed.var(1).sum(0))
    return float(np.sqrt(2 / np.pi) * spread.sum() / wh[:, FIRST_DAY:].sum(0).mean(0).sum())

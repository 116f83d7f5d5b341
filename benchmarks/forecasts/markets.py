"""D5, D10: tomorrow's prices in two markets, and Britain's carbon, each beside what was published."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.figure import Figure, figure
from benchmarks.forecasts import recorded
from commonwatt.forecasting import price
from commonwatt.forecasting.published import corrected

Floats = NDArray[np.float64]
MARKETS = {"NP": 0.60, "DE": 0.56}
"""The goals of prices alone, relative to repeating last week."""
BLEND_GOAL = 0.97
YEAR, FIRST = 364, 84
D10_GOAL = 9.5


def d5() -> Figure:
    """D5: the worse market's error from prices alone, over its goal; the blend with DNN and LEAR beside it."""
    told = {market: _market(market) for market in MARKETS}
    worst = max(told, key=lambda market: told[market]["prices_alone"] / MARKETS[market])
    return figure(
        "D5",
        told[worst]["prices_alone"],
        f"MAE over that of last week, {worst}, second year",
        MARKETS[worst],
        **{market: {name: round(value, 4) for name, value in row.items()} for market, row in told.items()},
        goals={**MARKETS, "blend over DNN": BLEND_GOAL},
        weights="learnt on year one from what each had forecast by then, days 84 to 363",
    )


def d10() -> Figure:
    """D10: MAE of Britain's carbon, the published forecast corrected by its errors of a day ago and before."""
    told, actual, forecast = carbon()
    known = ~np.isnan(actual - forecast) & ~np.isnan(told)
    late = known.copy()
    late[:60] = False
    return figure(
        "D10",
        float(np.abs(told - actual)[known].mean()),
        "g/kWh",
        D10_GOAL,
        published=round(float(np.abs(forecast - actual)[known].mean()), 2),
        yesterday=round(float(np.nanmean(np.abs(actual[1:] - actual[:-1]))), 2),
        from_the_61st_day=round(float(np.abs(told - actual)[late].mean()), 2),
        published_from_then=round(float(np.abs(forecast - actual)[late].mean()), 2),
        half_hours=int(known.sum()),
        of_published=int((~np.isnan(actual - forecast)).sum()),
    )


@cache
def carbon() -> tuple[Floats, Floats, Floats]:
    """Return corrected forecast, actual and published forecast: (days, 48) each."""
    actual, forecast = recorded.carbon()
    told = [corrected(forecast[: day + 1], actual[:day]) for day in range(len(actual))]
    return np.array(told), actual, forecast


@cache
def alone(market: str) -> Floats:
    """Return what prices alone expected: (days, 24), not a number on the first `FIRST` days."""
    (real, _, _), weekdays = recorded.prices(market)
    before, whose = recorded.earlier_prices() if market == "DE" else (real[:0], [])
    known, whose = np.concatenate([before, real]), [*whose, *weekdays]
    told = np.full(real.shape, np.nan)
    for day in range(FIRST, len(real)):
        told[day] = price.day_ahead(known[: len(before) + day], whose)
    return told


def _market(market: str) -> dict[str, float]:
    (real, dnn, lear), _ = recorded.prices(market)
    ours = alone(market)
    mended = [np.array([corrected(rows[: day + 1], real[:day]) for day in range(len(real))]) for rows in (dnn, lear)]
    parts = np.array([dnn, lear, ours, *mended])
    share = price.blended(parts[:, FIRST:YEAR].reshape(len(parts), -1), real[FIRST:YEAR].ravel())
    blend = np.tensordot(share, parts, 1)
    scored = slice(YEAR, None)

    def off(rows: Floats) -> float:
        return float(np.abs(rows[scored] - real[scored]).mean())

    naive = float(np.abs(real[YEAR - 7 : -7] - real[scored]).mean())
    return {
        "prices_alone": off(ours) / naive,
        "dnn": off(dnn) / naive,
        "lear": off(lear) / naive,
        "blend": off(blend) / naive,
        "blend_over_dnn": off(blend) / off(dnn),
        "half_dnn_half_lear_over_dnn": off((dnn + lear) / 2) / off(dnn),
    }

"""Forecast what roofs yield tomorrow without a weather forecast: clear sky, persistence, neighbours' yesterday."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from commonwatt.forecasting.choice import weights
from commonwatt.forecasting.roof import fit_roofs
from commonwatt.model import InvalidValue

Floats = NDArray[np.float64]
HALF_LIVES = (2.0, 4.0, 8.0)
MEDIAN_DAYS = 14
PAST_DAYS = 28
MOST_GROWTH = 1.5
"""A slot at the edge of the day may double within a fortnight; more is the fit's error at sunrise."""
CARRY_RIDGE = 20.0
LEAST_DAYS = 3
EXPERTS = len(HALF_LIVES) + 2


@dataclass(frozen=True, slots=True, eq=False)
class Yield:
    """What each way of looking at the past expects of a day, and of which the blend is made.

    Args:
        wh: (experts, roofs, slots).
    """

    wh: Floats


def experts(solar_wh: Floats, sun: Floats) -> Yield:
    """Return what each expert expects of the day after the last.

    Args:
        solar_wh: (roofs, days, slots) Wh, oldest first, `LEAST_DAYS` or more; not a number where nobody measured.
        sun: (days + 1, slots, 3) or more, as `sun.towards` returns.

    Raises:
        InvalidValue: The past is too short, or the sun's way ends before the day.
    """
    days = solar_wh.shape[1]
    if days < LEAST_DAYS or len(sun) <= days:
        raise InvalidValue(f"a yield needs {LEAST_DAYS} days and the sun of the next, was {days} and {len(sun)}")
    first = max(0, days - PAST_DAYS)
    past = solar_wh[:, first:]
    raised = past * _growth(past, sun[first : days + 1])
    means = [_recent(raised, life) for life in HALF_LIVES]
    middle = _median(raised[:, -MEDIAN_DAYS:])
    return Yield(np.array([*means, middle, _carried(past, raised, means[1])]))


def day_ahead_wh(solar_wh: Floats, sun: Floats, before: list[Yield]) -> tuple[Floats, Yield]:
    """Expect the next day of every roof, experts weighed by how they did.

    Args:
        solar_wh: (roofs, days, slots) Wh.
        sun: As for `experts`.
        before: What the experts expected of the last days, the very last at the end; none at first.

    Returns:
        (roofs, slots) Wh, and what the experts said, to be kept for the days to come.
    """
    told = experts(solar_wh, sun)
    count = min(len(before), solar_wh.shape[1])
    if not count:
        return told.wh.mean(0), told
    size = np.nan_to_num(solar_wh).mean((1, 2))[:, None]
    size = np.where(size > 0, size, 1.0)
    said = np.stack([one.wh / size for one in before[-count:]], 1).reshape(EXPERTS, count, -1)
    came = (solar_wh[:, -count:] / size[:, None]).transpose(1, 0, 2).reshape(count, -1)
    share = weights(said, came, forget=0.95)
    return np.einsum("e,ers->rs", share, told.wh), told


def _growth(past: Floats, sun: Floats) -> Floats:
    """Return by how much a clear day outgrows each past day, roof by roof and slot by slot."""
    _, curves = fit_roofs(past, sun)
    haze = 0.02 * curves.max((1, 2), keepdims=True) + 1e-9
    found: Floats = np.clip((curves[:, -1:] + haze) / (curves[:, :-1] + haze), 1 / MOST_GROWTH, MOST_GROWTH)
    return found


def _recent(past: Floats, half_life: float) -> Floats:
    fade = 0.5 ** (np.arange(past.shape[1])[::-1, None] / half_life)
    seen = ~np.isnan(past)
    total = np.where(seen, past, 0) * fade
    found: Floats = total.sum(1) / np.maximum((seen * fade).sum(1), 1e-9)
    return found


def _median(past: Floats) -> Floats:
    known = np.where(np.isnan(past).all(1, keepdims=True), 0.0, past)
    found: Floats = np.nanmedian(known, axis=1)
    return found


def _carried(past: Floats, raised: Floats, mean: Floats) -> Floats:
    """Carry over how yesterday, here and in the neighbourhood, differed from the days before it.

    A day with a missing reading says nothing; taken as it is, it would look like one without sun.
    """
    usual = mean.sum(1, keepdims=True) + 1e-9
    day = np.nansum(raised, 2)
    late = past.shape[2] // 2
    afternoon = np.nansum(raised[:, :, late:], 2) / (mean[:, late:].sum(1, keepdims=True) + 1e-9)
    whole = ~np.isnan(raised).any(2)
    own = np.where(whole, np.clip(day / usual - 1, -1, 2), 0)
    late_own = np.where(whole, np.clip(afternoon - 1, -1, 2), 0)
    seen = np.stack([own, late_own, np.broadcast_to(own.mean(0), own.shape)], -1)
    before, after = seen[:, :-1].reshape(-1, 3), own[:, 1:].ravel()
    held = before.T @ before + CARRY_RIDGE * len(past) * np.eye(3)
    slopes = np.linalg.solve(held, before.T @ after)
    found: Floats = mean * (1 + np.clip(seen[:, -1] @ slopes, -0.9, 2))[:, None]
    return found

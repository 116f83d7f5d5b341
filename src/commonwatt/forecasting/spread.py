"""How far forecasts miss: what a home's exchange may be, from how wrong the same forecast was of late."""

from collections.abc import Sequence

from commonwatt.forecasting.seasonal import corrected_naive
from commonwatt.model import SLOTS_PER_DAY

LEVELS = tuple(step * 1000 // 9 for step in range(1, 9))
"""Eight levels in thousandths that part what may come into nine equally likely pieces."""
NEAR_SLOTS = 4
"""Errors of so many slots before and after the same time of day count: at noon the sun misses, at night it does not."""


def net_errors_wh(load_wh: Sequence[int], solar_wh: Sequence[int], days: int = 7) -> list[int]:
    """Return by how much load less generation missed its forecast one slot ahead, of late and near this time of day.

    Args:
        load_wh: Past load per slot, oldest first; what comes next is what is asked about.
        solar_wh: Past generation, as long.
        days: How many days to look back at most.

    Returns:
        Wh, rising; empty where the past is too short for a forecast of it.
    """
    first, now = SLOTS_PER_DAY + 1, len(load_wh)
    errors = []
    for day in range(days + 1):
        same = now - day * SLOTS_PER_DAY
        for at in range(same - NEAR_SLOTS, same + NEAR_SLOTS + 1):
            if first <= at < now:
                missed_load = load_wh[at] - corrected_naive(load_wh[:at], 1)[0]
                missed_solar = solar_wh[at] - corrected_naive(solar_wh[:at], 1)[0]
                errors.append(missed_load - missed_solar)
    return sorted(errors)


def quantiles(expected_wh: int, errors_wh: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Return each of `LEVELS` with the Wh that are not exceeded with that probability.

    Args:
        expected_wh: What is expected.
        errors_wh: By how much the same forecast missed, rising; none where it is taken to be sure.
    """
    if not errors_wh:
        return tuple((level, expected_wh) for level in LEVELS)
    count = len(errors_wh)
    return tuple((level, expected_wh + errors_wh[-(-level * count // 1000) - 1]) for level in LEVELS)

"""Seasonal-naive forecasts: what the same quarter-hour brought on recent days, corrected by the latest surprise."""

from collections.abc import Sequence

from commonwatt.model import SLOTS_PER_DAY, InvalidValue, round_div

SURPRISE_HALVES_EVERY = 4
"""Slots after which half of the latest surprise is forgotten; chosen on October, before any scored day."""


def seasonal_naive(history_wh: Sequence[int], slots: int, days: int = 7) -> list[int]:
    """Expect the mean of the same slot over the last days.

    Args:
        history_wh: Past energy per slot, oldest first, at least one day; the forecast starts right after it.
        slots: How many slots to look ahead.
        days: Over how many days to average; fewer where the history is shorter.

    Returns:
        Expected energy per slot in Wh.

    Raises:
        InvalidValue: The history is shorter than a day.

    Source: Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., section 5.2.
    """
    if len(history_wh) < SLOTS_PER_DAY:
        raise InvalidValue(f"a seasonal forecast needs a day of history, was {len(history_wh)} slots")
    days = min(days, len(history_wh) // SLOTS_PER_DAY)
    recent = history_wh[-days * SLOTS_PER_DAY :]
    ahead = min(slots, SLOTS_PER_DAY)
    daily = [round_div(sum(recent[slot::SLOTS_PER_DAY]), days) for slot in range(ahead)]
    return [daily[slot % SLOTS_PER_DAY] for slot in range(slots)]


def corrected_naive(history_wh: Sequence[int], slots: int, days: int = 7) -> list[int]:
    """Expect the seasonal-naive value plus the latest slot's surprise, which fades.

    The surprise is what the last slot brought beyond its own seasonal-naive forecast; it halves every
    `SURPRISE_HALVES_EVERY` slots. No value falls below zero. Arguments, result and error as `seasonal_naive`.
    """
    base = seasonal_naive(history_wh, slots, days)
    if len(history_wh) <= SLOTS_PER_DAY:
        return base
    surprise_wh = history_wh[-1] - seasonal_naive(history_wh[:-1], 1, days)[0]
    fade = 0.5 ** (1 / SURPRISE_HALVES_EVERY)
    return [max(0, value + round(surprise_wh * fade**ahead)) for ahead, value in enumerate(base)]

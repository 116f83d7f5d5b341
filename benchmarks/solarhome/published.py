"""Two published controllers, rebuilt: the rule, and predictive control with the mean day of the month before."""

import numpy as np

from benchmarks.solarhome.world import (
    BATTERY_KWH,
    DAY_EUR_PER_KWH,
    MOST_IMPORT_KWH,
    NIGHT,
    NIGHT_EUR_PER_KWH,
    SLOTS,
    Floats,
    Now,
)

MONTH_DAYS = 30


class Greedy:
    """The published rule-based controller: buy only what sun and battery cannot cover."""

    def buy_kwh(self, now: Now) -> float:
        """Return nothing; the home adds what it lacks."""
        return 0.0


class MeanDay:
    """The published predictive controller: 24 hours ahead, every day taken for the mean of the month before the first.

    With a flat day price and a battery without loss its linear program has a closed answer: buy at night, as late as
    possible, what the mean day lacks until its sun outweighs its load, and more only if the battery would run dry.
    """

    def __init__(self) -> None:
        self._net_kwh: Floats | None = None
        self._target_kwh = 0.0

    def buy_kwh(self, now: Now) -> float:
        """Return what still fits into no later half-hour of the night."""
        if self._net_kwh is None:
            month = slice(-MONTH_DAYS * SLOTS, None)
            net = now.past_load_kwh[month] - now.past_sun_kwh[month]
            self._net_kwh = net.reshape(-1, SLOTS).mean(0)
            self._target_kwh = _least_level(self._net_kwh[NIGHT:])
        if now.slot >= NIGHT:
            return 0.0
        later = float(self._net_kwh[now.slot + 1 : NIGHT].sum())
        wanted = self._target_kwh + later + now.load_kwh - now.sun_kwh - now.stored_kwh
        return max(wanted - MOST_IMPORT_KWH * (NIGHT - 1 - now.slot), 0.0)


def _least_level(net_kwh: Floats) -> float:
    """Return the level at 06:00 at which a known day costs least, energy bought at night included."""
    levels = np.linspace(0.0, BATTERY_KWH, 801)
    stored, cost = levels.copy(), NIGHT_EUR_PER_KWH * levels
    for net in net_kwh:
        stored = stored - net
        cost -= DAY_EUR_PER_KWH * np.minimum(stored, 0.0)
        stored = np.clip(stored, 0.0, BATTERY_KWH)
    return float(levels[np.argmin(np.round(cost, 9))])

"""Made-up homes with habits, for tests that need more of them than are recorded here."""

from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from commonwatt.forecasting.days import kinds
from commonwatt.forecasting.load import Panel

FIRST = date(2026, 3, 2)


def street(homes: int = 24, days: int = 28, slots: int = 24, seed: int = 1) -> Panel:
    """Return homes that get up, cook and go to bed at hours of their own, and differ from day to day."""
    random = np.random.default_rng(seed)
    hour = (np.arange(slots) + 0.5) * 24 / slots
    evening, size = random.normal(19, 1.2, (homes, 1, 1)), random.lognormal(5, 0.6, (homes, 1, 1))
    kind = kinds([FIRST + timedelta(n) for n in range(days + 8)])
    shape = 0.3 + np.exp(-0.5 * ((hour - evening) / 1.5) ** 2) + 0.4 * (kind[:days, None] > 0) * (abs(hour - 13) < 3)
    mood = random.lognormal(0, 0.25, (homes, days, 1)) * random.lognormal(0, 0.4, (homes, days, slots))
    return Panel((size * shape * mood).astype(np.float32), kind, sky(days + 8, slots))


def sky(days: int, slots: int) -> NDArray[np.float32]:
    """Return a sky that is dark from six to six."""
    hour = (np.arange(slots) + 0.5) * 24 / slots
    return np.tile(abs(hour - 12) > 6, (days, 1)).astype(np.float32)

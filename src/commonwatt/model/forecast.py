"""A forecast: what somebody expected, how sure they were, and when they expected it."""

from dataclasses import dataclass
from datetime import datetime

from commonwatt.model.time import SLOT_SECONDS

LEVELS_PERMILLE = (50, 100, 200, 300, 400, 500, 600, 700, 800, 900, 950)
"""Which quantiles a forecast states: from 5 to 95 %, so that the outermost two hold what comes nine times in ten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Expected energy per slot of one series, from one issue time on.

    Args:
        series: What is forecast, for example ``load of home-03``.
        issued: When; nothing after this instant was looked at.
        start: Start of the first slot.
        energy_wh: n values, one per slot.
    """

    series: str
    issued: datetime
    start: datetime
    energy_wh: tuple[int, ...]

    @property
    def power_w(self) -> tuple[int, ...]:
        """Return the mean power per slot in W."""
        return tuple(value * 3600 // SLOT_SECONDS for value in self.energy_wh)

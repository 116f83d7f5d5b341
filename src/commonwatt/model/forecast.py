"""A forecast: what somebody expected, how sure they were, and when they expected it."""

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from commonwatt.model.errors import InvalidValue
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
        quantiles_wh: For each of `LEVELS_PERMILLE` n values that are not exceeded with that probability; none where
            only the expected value is known.

    Raises:
        InvalidValue: The quantiles are not one row a level of n values, or fall from one level to the next.
    """

    series: str
    issued: datetime
    start: datetime
    energy_wh: tuple[int, ...]
    quantiles_wh: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        rows = self.quantiles_wh
        if rows and (len(rows) != len(LEVELS_PERMILLE) or any(len(row) != len(self.energy_wh) for row in rows)):
            raise InvalidValue(
                f"quantiles are {len(LEVELS_PERMILLE)} rows of {len(self.energy_wh)}, was {[len(row) for row in rows]}"
            )
        if any(wh > above for row, higher in pairwise(rows) for wh, above in zip(row, higher, strict=True)):
            raise InvalidValue(f"quantiles do not fall from one level to the next, but do for {self.series}")

    @property
    def power_w(self) -> tuple[int, ...]:
        """Return the mean power per slot in W."""
        return tuple(value * 3600 // SLOT_SECONDS for value in self.energy_wh)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenarios:
    """What may come of several series together: each scenario is one future of all of them, and all are as likely.

    Args:
        series: m names.
        issued: When; nothing after this instant was looked at.
        start: Start of the first slot.
        energy_wh: Scenario by scenario, series by series, n values, one per slot.

    Raises:
        InvalidValue: A scenario has not one row of n values for each series.
    """

    series: tuple[str, ...]
    issued: datetime
    start: datetime
    energy_wh: tuple[tuple[tuple[int, ...], ...], ...]

    def __post_init__(self) -> None:
        shapes = {(len(one), *{len(row) for row in one}) for one in self.energy_wh}
        if len(shapes) > 1 or any(len(shape) > 2 or shape[0] != len(self.series) for shape in shapes):
            raise InvalidValue(f"each scenario has {len(self.series)} rows of one length, was {sorted(shapes)}")

"""The grid's frequency as a home's devices measure it together: one grid, one frequency."""

from collections.abc import Iterable
from datetime import datetime

from commonwatt.model import DeviceState

FREQUENCY_LASTS_S = 2
"""A frequency that was measured longer ago moves nothing."""
PLAUSIBLE_MHZ = (45_000, 65_000)
"""Outside of this no grid runs: the bus is dead, or the measurement is."""
OFF_NOMINAL_MHZ = 5_000
"""Nor so far from what a curve takes for nominal."""


def frequency_mhz(states: Iterable[DeviceState | None], now: datetime, nominal_mhz: int) -> int | None:
    """Return the grid's frequency by whichever devices measure it.

    Of several the middle one is taken, of two the one that moves less: a broken meter alone moves nothing much.

    Args:
        states: What each showed last.
        now: What was measured `FREQUENCY_LASTS_S` before is too old.
        nominal_mhz: Of the curve that asks.

    Returns:
        None where none is measured, or none that a living grid could have.
    """
    heard = sorted(
        state.frequency_mhz
        for state in states
        if state is not None
        and state.frequency_mhz is not None
        and abs((now - state.at).total_seconds()) <= FREQUENCY_LASTS_S
        and PLAUSIBLE_MHZ[0] <= state.frequency_mhz <= PLAUSIBLE_MHZ[1]
        and abs(state.frequency_mhz - nominal_mhz) <= OFF_NOMINAL_MHZ
    )
    middle = heard[(len(heard) - 1) // 2 : len(heard) // 2 + 1]
    return min(middle, default=None, key=lambda one: abs(one - nominal_mhz))

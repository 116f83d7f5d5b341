"""Find heat pumps that start and stop too often, in what their meters told of quarter-hours.

A quarter-hour in which a pump drew something, but less than it does while it runs, holds a start or a stop. One after
the other they hold a switch each: at least two starts an hour, which is as often as a pump with a run and a rest of a
quarter-hour each can start at most, and which none does that runs and rests for half an hour. How many more starts
there were nobody sees in quarter-hours.
"""

import numpy as np
from numpy.typing import NDArray

from commonwatt.forecasting.health import Ailment, Finding
from commonwatt.model import SLOTS_PER_DAY, SLOTS_PER_HOUR

Floats = NDArray[np.float64]
STANDBY, CUT = 0.05, 0.75
"""Of its least power: below the first it only waits, and below the second it did not run for the whole quarter-hour."""
ROW = 6
"""Quarter-hours in a row that hold a switch each: an hour and a half; a pump that heats up or defrosts has fewer."""
WINDOW_DAYS, RECENT_DAYS = 3, 14
CYCLING_AT_HOURS = 6.0
"""Hours of three days that are spent so before it alarms: two a day, which is no odd evening."""
CYCLING_CC = 0.9
"""What a standard pump keeps of its efficiency when it is switched on and off; the default of EN 14825."""


def short_cycling(drawn_wh: Floats, least_w: int) -> Finding | None:
    """Tell whether a heat pump starts too often of late.

    Args:
        drawn_wh: n slots in order up to the last whole day; not a number where its meter was silent.
        least_w: What it draws at least while it runs, as registered. Where that is not known, 0, nothing can be told.

    Returns:
        Since which slot of the last fortnight, which share of its running time is spent so, hours of the last three
        days as score, and what the starts cost: by EN 14825, of the energy of a quarter-hour in which it ran for a
        share r, 1 - r / (0.9 r + 0.1). None where it is well.
    """
    if least_w <= 0 or not len(drawn_wh):
        return None
    recent = drawn_wh[-RECENT_DAYS * SLOTS_PER_DAY :]
    share = recent * SLOTS_PER_HOUR / least_w
    with np.errstate(invalid="ignore"):
        runs, cut = share > STANDBY, (share > STANDBY) & (share < CUT)
    cycling = _in_rows(cut)
    window = slice(-WINDOW_DAYS * SLOTS_PER_DAY, None)
    hours = float(cycling[window].sum()) / SLOTS_PER_HOUR
    if hours < CYCLING_AT_HOURS:
        return None
    kept = share[cycling] / (CYCLING_CC * share[cycling] + 1 - CYCLING_CC)
    return Finding(
        ailment=Ailment.SHORT_CYCLING,
        at=0,
        since=len(drawn_wh) - len(recent) + int(np.flatnonzero(cycling)[0]),
        off_permille=round(1000 * float(cycling[window].sum()) / float(runs[window].sum())),
        score=hours,
        threshold=CYCLING_AT_HOURS,
        lost_wh=round(float((recent[cycling] * (1 - kept)).sum())),
    )


def _in_rows(cut: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which slots stand in rows of `ROW` or more."""
    found = np.zeros(len(cut), np.bool_)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], cut, [False]]).astype(np.int8))).reshape(-1, 2)
    for start, end in edges.tolist():
        found[start:end] = end - start >= ROW
    return found

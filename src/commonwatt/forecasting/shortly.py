"""Forecast the next slot of a community's exchange: where it has just been going, and where it goes at this hour."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from commonwatt.model import InvalidValue

Floats = NDArray[np.float64]
NEAR = 6
DAYS = 7
RIDGE = 1.0
WAVES = 5
LEAST_ROWS = 400


@dataclass(frozen=True, slots=True, eq=False)
class Shortly:
    """What was learnt: slopes on what is seen, and how that was scaled."""

    slopes: Floats
    centre: Floats
    width: Floats
    usual: float

    def expected(self, seen: Floats) -> Floats:
        """Return what the slots are expected to bring whose rows of `look` are given."""
        found: Floats = ((seen - self.centre) / self.width) @ self.slopes + self.usual
        return found


def look(power_w: Floats, off: NDArray[np.bool_], slots: int) -> Floats:
    """Return what is known of each slot one slot before it: a row a slot, and one for the slot after the last.

    Args:
        power_w: n values, oldest first, net: below zero is given back.
        off: Whether each slot, and the one after the last, is of a day off; n + 1 values. The first is at midnight.
        slots: Of a day.

    Returns:
        (n + 1, columns); rows of the first week are not numbers.

    Raises:
        InvalidValue: Lists do not fit.
    """
    if len(off) != len(power_w) + 1:
        raise InvalidValue(f"the calendar has one slot more than was measured, was {len(off)}, {len(power_w)}")
    count = len(off)
    lags = [*range(1, NEAR + 1), *(day * slots + near for day in range(1, DAYS + 1) for near in (-1, 0, 1))]
    past = {lag: _late(power_w, lag, count) for lag in {*lags, *(day * slots + 2 for day in range(1, DAYS + 1))}}
    usual, before, earlier = (
        np.mean([past[day * slots + near] for day in range(1, DAYS + 1)], 0) for near in (0, 1, 2)
    )
    angle = 2 * np.pi * (np.arange(count) % slots) / slots
    waves = np.stack([wave(turns * angle) for turns in range(1, WAVES + 1) for wave in (np.cos, np.sin)], 1)
    free = off.astype(np.float64)[:, None]
    beyond, turned = (past[1] - before)[:, None], (past[1] - past[2] - before + earlier)[:, None]
    rows = [past[lag][:, None] for lag in lags]
    means = [usual[:, None], before[:, None], earlier[:, None]]
    return np.concatenate([*rows, *means, waves, free, waves * free, beyond * waves, turned * waves, beyond * free], 1)


def learn(seen: Floats, power_w: Floats) -> Shortly:
    """Learn from rows of `look` and what came of them.

    Args:
        seen: (n, columns).
        power_w: n values; rows and values that are not numbers are left out.

    Raises:
        InvalidValue: Fewer than `LEAST_ROWS` are left.
    """
    known = ~np.isnan(seen).any(1) & ~np.isnan(power_w)
    if known.sum() < LEAST_ROWS:
        raise InvalidValue(f"learning takes {LEAST_ROWS} slots after the first week, was {int(known.sum())}")
    rows, target = seen[known], power_w[known]
    centre, width = rows.mean(0), rows.std(0) + 1e-9
    rows, usual = (rows - centre) / width, float(target.mean())
    slopes = np.linalg.solve(rows.T @ rows + RIDGE * np.eye(rows.shape[1]), rows.T @ (target - usual))
    return Shortly(slopes, centre, width, usual)


def _late(values: Floats, slots: int, count: int) -> Floats:
    found = np.full(count, np.nan)
    found[slots:] = values[: count - slots]
    return found

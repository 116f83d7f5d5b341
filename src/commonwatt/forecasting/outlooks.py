"""What a community's forecast means: when its peak may pass a limit, and when it has more sun than it needs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from commonwatt.model import LEVELS_PERMILLE, SLOT_SECONDS, InvalidValue

Floats = NDArray[np.float64]
RISK_PERMILLE = 100
"""A limit that is passed more often than one time in ten is a risk."""
SURE_PERMILLE = 900
_SLOTS_AN_HOUR = 3600 // SLOT_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class PeakRisk:
    """A run of slots in which a limit may be passed.

    Args:
        start: The first slot, counted from the forecast's first.
        end: The one after the last.
        limit_w: What should not be passed.
        expected_w: The highest that is expected in it, the median.
        high_w: What is not passed nine times in ten.
        permille: How likely the limit is passed at all in it; where no futures are known, in the likeliest slot.
        asked_w: The limit less what is to be kept free of it, so that it holds nine times in ten: in all slots of nine
            futures of ten where they are known, else in each slot by itself.
        over_wh: What passes the limit in it, nine times in ten no more; zero where no futures are known.
    """

    start: int
    end: int
    limit_w: int
    expected_w: int
    high_w: int
    permille: int
    asked_w: int
    over_wh: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Surplus:
    """A run of slots in which more is made than used: what is left over, expected, and what is so nine times in ten."""

    start: int
    end: int
    expected_wh: int
    sure_wh: int


def peak_risks(quantiles_wh: Floats, limit_w: Sequence[int | None], futures_wh: Floats | None = None) -> list[PeakRisk]:
    """Return when a sum of homes may draw more than it should.

    Args:
        quantiles_wh: (levels, n), levels as `LEVELS_PERMILLE`; import positive.
        limit_w: What stands stated for each of the n slots, None where nothing is.
        futures_wh: (futures, n), as `futures.futures` draws; None where none are known.

    Raises:
        InvalidValue: There is not one limit a slot.
    """
    if quantiles_wh.shape != (len(LEVELS_PERMILLE), len(limit_w)):
        raise InvalidValue(f"a risk compares a limit a slot, was {quantiles_wh.shape} with {len(limit_w)}")
    power = quantiles_wh * _SLOTS_AN_HOUR
    limit = np.array([np.inf if one is None else one for one in limit_w], np.float64)
    passed = exceeding_permille(power, limit)
    found = []
    for start, end in _runs(passed > RISK_PERMILLE):
        here = slice(start, end)
        high, middle = power[_level(900), here], power[_level(500), here]
        kept, likely, over_wh = float((high - middle).max()), int(passed[here].max()), 0.0
        if futures_wh is not None:
            rows = futures_wh[:, here] * _SLOTS_AN_HOUR
            kept = max(0.0, float(np.quantile((rows - middle).max(1), SURE_PERMILLE / 1000)))
            over = np.maximum(rows - limit[here], 0)
            likely = round(1000 * float((over > 0).any(1).mean()))
            over_wh = float(np.quantile(over.sum(1), SURE_PERMILLE / 1000)) / _SLOTS_AN_HOUR
        found.append(
            PeakRisk(
                start=start,
                end=end,
                limit_w=int(limit[here].min()),
                expected_w=round(float(middle.max())),
                high_w=round(float(high.max())),
                permille=likely,
                asked_w=max(0, int(limit[here].min() - kept)),
                over_wh=round(over_wh),
            )
        )
    return found


def surpluses(quantiles_wh: Floats) -> list[Surplus]:
    """Return when a sum of homes is expected to give for an hour or longer."""
    middle, sure = quantiles_wh[_level(500)], quantiles_wh[_level(SURE_PERMILLE)]
    return [
        Surplus(
            start=start,
            end=end,
            expected_wh=round(float(-middle[start:end].sum())),
            sure_wh=round(float(np.maximum(-sure[start:end], 0).sum())),
        )
        for start, end in _runs(middle < 0)
        if end - start >= _SLOTS_AN_HOUR
    ]


def exceeding_permille(quantiles: Floats, bound: Floats) -> Floats:
    """Return how likely each value is above its bound, in thousandths, between the levels by straight lines.

    Beyond the outermost levels nothing is known but that it is less likely than they say: there it is half of that.
    """
    levels = np.array(LEVELS_PERMILLE, np.float64)
    found = np.empty(len(bound))
    for at, most in enumerate(bound):
        rows = quantiles[:, at]
        if most >= rows[-1]:
            found[at] = (1000 - levels[-1]) / 2 if most < np.inf and rows[-1] > rows[0] else 0.0
        elif most < rows[0]:
            found[at] = 1000 - levels[0] / 2
        else:
            found[at] = 1000 - float(np.interp(most, rows, levels))
    return found


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _level(permille: int) -> int:
    return LEVELS_PERMILLE.index(permille)

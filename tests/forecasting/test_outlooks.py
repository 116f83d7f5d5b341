"""A peak that may pass its limit is told with how likely, and what keeps it; sun that is left over with how surely."""

import numpy as np
import pytest

from commonwatt.forecasting.outlooks import exceeding_permille, peak_risks, surpluses
from commonwatt.model import LEVELS_PERMILLE, InvalidValue

LEVELS = np.array(LEVELS_PERMILLE, np.float64)[:, None]


def _quantiles(middle_w: list[float], spread_w: float) -> np.ndarray:
    """Return quantiles in Wh of powers that lie evenly within a spread around the middle."""
    return (np.array(middle_w)[None] + (LEVELS - 500) / 500 * spread_w) / 4


@pytest.mark.row("X9")
def test_a_peak_is_a_risk_where_its_limit_is_passed_more_than_one_time_in_ten() -> None:
    rows = _quantiles([5_000, 9_000, 9_500, 5_000], 2_000)
    (found,) = peak_risks(rows, [10_000] * 4)
    assert (found.start, found.end, found.limit_w, found.expected_w) == (1, 3, 10_000, 9_500)
    assert found.high_w == 11_100 and found.permille == 375
    assert found.asked_w == 10_000 - 1_600, "so much less that nine times in ten the limit holds"
    held = np.interp(found.asked_w + (11_100 - 9_500), rows[:, 2] * 4, LEVELS[:, 0])
    assert held >= 500
    assert peak_risks(rows, [None] * 4) == [] == peak_risks(rows, [20_000] * 4)
    with pytest.raises(InvalidValue, match="a limit a slot"):
        peak_risks(rows, [1])


@pytest.mark.row("X9")
def test_sun_that_is_left_over_for_an_hour_is_told_with_what_is_sure_of_it() -> None:
    rows = _quantiles([500, -4_000, -4_000, -4_000, -4_000, 500, -4_000, 500], 2_000)
    (found,) = surpluses(rows)
    assert (found.start, found.end, found.expected_wh) == (1, 5, 4_000)
    assert found.sure_wh == 4 * round((4_000 - 1_600) / 4)


def test_what_is_beyond_all_levels_is_less_likely_than_they_are() -> None:
    rows = _quantiles([1_000], 500) * 4
    likely = [float(exceeding_permille(rows, np.array([bound]))[0]) for bound in (0, 560, 1_000, 1_440, 5_000)]
    assert likely == sorted(likely, reverse=True)
    assert likely[0] == 975 and likely[2] == pytest.approx(500) and likely[-1] == 25
    sure = np.full((len(LEVELS_PERMILLE), 1), 1_000.0)
    assert exceeding_permille(sure, np.array([1_001.0]))[0] == 0, "what is sure passes nothing"

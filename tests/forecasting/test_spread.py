"""What may come: the errors of the same forecast at the same time of day, around what is expected."""

import pytest

from commonwatt.forecasting.spread import LEVELS, NEAR_SLOTS, net_errors_wh, quantiles
from commonwatt.model import SLOTS_PER_DAY

DAYS = 4


def test_days_that_are_alike_are_forecast_without_error() -> None:
    day = [slot % 7 * 10 for slot in range(SLOTS_PER_DAY)]
    errors = net_errors_wh(day * DAYS, day[::-1] * DAYS)
    assert {*errors} == {0} and len(errors) > 2 * NEAR_SLOTS
    assert {wh for _, wh in quantiles(300, errors)} == {300}


@pytest.mark.row("X9")
def test_only_what_happened_near_the_same_time_of_day_is_counted() -> None:
    quiet = [100] * SLOTS_PER_DAY * DAYS
    noon = list(quiet)
    noon[-SLOTS_PER_DAY // 2] += 500
    assert {*net_errors_wh(noon, quiet)} == {0}, "half a day away"
    now = list(quiet)
    now[-SLOTS_PER_DAY] += 500
    assert max(net_errors_wh(now, quiet)) == 500
    assert min(net_errors_wh(quiet, now)) == -500, "more sun is less to buy"


@pytest.mark.parametrize("slots", [SLOTS_PER_DAY, SLOTS_PER_DAY + 1])
def test_a_past_of_a_day_has_no_errors_to_learn_from(slots: int) -> None:
    assert net_errors_wh([1] * slots, [0] * slots) == []
    assert quantiles(-7, []) == tuple((level, -7) for level in LEVELS)


def test_quantiles_rise_with_what_was_missed() -> None:
    assert quantiles(100, range(-40, 50, 10)) == tuple(zip(LEVELS, range(60, 140, 10), strict=True))
    assert quantiles(0, [5]) == tuple((level, 5) for level in LEVELS)

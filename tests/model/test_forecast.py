"""A forecast that contradicts itself is refused."""

from datetime import UTC, datetime

import pytest

from commonwatt.model import LEVELS_PERMILLE, Forecast, InvalidValue, Scenarios

NOW = datetime(2026, 3, 2, tzinfo=UTC)
RISING = tuple((level, 2 * level) for level in LEVELS_PERMILLE)


def forecast(*rows: tuple[int, ...]) -> Forecast:
    return Forecast(series="load of home-03", issued=NOW, start=NOW, energy_wh=(500, 1000), quantiles_wh=rows)


def test_quantiles_are_optional_and_there_are_at_least_nine() -> None:
    assert forecast().quantiles_wh == () and forecast().power_w == (2000, 4000)
    assert forecast(*RISING).quantiles_wh == RISING and len(LEVELS_PERMILLE) >= 9


def test_quantiles_that_cross_or_do_not_fit_are_refused() -> None:
    with pytest.raises(InvalidValue, match="load of home-03"):
        forecast(*RISING[:3], *RISING[3:][::-1])
    with pytest.raises(InvalidValue, match="11 rows of 2"):
        forecast(*RISING[1:])
    with pytest.raises(InvalidValue, match="11 rows of 2"):
        forecast(*RISING[:-1], (5,))


def test_a_scenario_is_a_row_for_each_series() -> None:
    two = (((1, 2), (3, 4)), ((5, 6), (7, 8)))
    assert Scenarios(series=("a", "b"), issued=NOW, start=NOW, energy_wh=two).energy_wh == two
    for wrong in ((((1, 2),),), (((1, 2), (3,)),), (((1,), (2,)), ((1, 2), (3, 4)))):
        with pytest.raises(InvalidValue, match="2 rows of one length"):
            Scenarios(series=("a", "b"), issued=NOW, start=NOW, energy_wh=wrong)

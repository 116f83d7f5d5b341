"""What was drawn in arrays becomes nouns in whole Wh."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.forecasting.telling import forecast, scenarios
from commonwatt.model import LEVELS_PERMILLE, InvalidValue

NOW = datetime(2026, 3, 2, tzinfo=UTC)


@given(st.lists(st.floats(-1e6, 1e6), min_size=11, max_size=11))
def test_quantiles_that_rise_still_do_in_whole_wh(values: list[float]) -> None:
    told = forecast("load of anna", NOW, NOW, np.sort(np.array(values))[:, None])
    assert told.energy_wh == told.quantiles_wh[LEVELS_PERMILLE.index(500)]
    assert [row[0] for row in told.quantiles_wh] == [round(value) for value in sorted(values)]


def test_what_crosses_or_is_not_finite_is_refused() -> None:
    rising = np.arange(11.0)[:, None] * 100
    for wrong, message in ((rising[::-1], "fall"), (rising[1:], "11 rows"), (rising * np.nan, "finite")):
        with pytest.raises(InvalidValue, match=message):
            forecast("load of anna", NOW, NOW, wrong)


def test_scenarios_keep_their_names_and_shape() -> None:
    told = scenarios(["anna", "ben"], NOW, NOW, np.arange(12.0).reshape(3, 2, 2) + 0.4)
    assert told.series == ("anna", "ben") and told.energy_wh[2] == ((8, 9), (10, 11))
    with pytest.raises(InvalidValue, match="each scenario has 1 rows"):
        scenarios(["anna"], NOW, NOW, np.zeros((3, 2, 2)))
    with pytest.raises(InvalidValue, match="finite"):
        scenarios(["anna"], NOW, NOW, np.full((1, 1, 1), np.inf))

"""Slopes by absolute errors: right where nothing is odd, and not bent by what is."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.forecasting.sturdy import slopes

TRUE = np.array([[1.0, -1.0], [0.5, 2.0], [0.0, 0.3]])


def told(seed: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    seen = random.normal(size=(200, 3))
    return seen, seen @ TRUE + noise * random.normal(size=(200, 2))


def test_a_target_without_noise_is_found() -> None:
    seen, target = told(1, 0.0)
    np.testing.assert_allclose(slopes(seen, target, np.ones(200), 1e-9), TRUE, atol=1e-6)


@given(st.integers(0, 10**6), st.integers(1, 15), st.floats(50, 1e4))
@settings(max_examples=40, deadline=None)
def test_a_few_odd_days_hardly_bend_it_however_odd_they_are(seed: int, days: int, by: float) -> None:
    seen, target = told(seed, 0.1)
    target[:days] += by
    assert np.abs(slopes(seen, target, np.ones(200), 1e-3) - TRUE).max() < 0.3


@given(st.integers(0, 10**6), st.floats(1e-3, 1e3))
@settings(max_examples=40, deadline=None)
def test_another_unit_changes_no_slope_but_its_size(seed: int, unit: float) -> None:
    seen, target = told(seed, 0.5)
    once = slopes(seen, target, np.ones(200), 1.0)
    np.testing.assert_allclose(slopes(seen, unit * target, np.ones(200), 1.0), unit * once, rtol=1e-6, atol=1e-9 * unit)

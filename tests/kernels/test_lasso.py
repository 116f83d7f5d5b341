"""A lasso keeps few columns, never more error than none at all, and what it returns is the best there is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.kernels.lasso import lasso


def standard(values: np.ndarray) -> np.ndarray:
    return (values - values.mean(0)) / values.std(0)


@given(st.integers(0, 10**6), st.integers(1, 8), st.floats(0.01, 0.5))
@settings(max_examples=40, deadline=None)
def test_no_slope_could_be_moved_for_less(seed: int, columns: int, held_back: float) -> None:
    random = np.random.default_rng(seed)
    seen = standard(random.normal(size=(60, columns)))
    target = standard(random.normal(size=(60, 2)) + seen[:, :1])
    slopes = lasso(seen, target, held_back)
    pull = seen.T @ (target - seen @ slopes) / len(seen)
    assert (np.abs(pull) <= held_back + 1e-3).all()
    kept = slopes != 0
    np.testing.assert_allclose(pull[kept], held_back * np.sign(slopes[kept]), atol=1e-3)


def test_columns_that_tell_nothing_are_left_out() -> None:
    random = np.random.default_rng(5)
    seen = standard(random.normal(size=(400, 30)))
    target = standard(2 * seen[:, :1] - seen[:, 3:4] + 0.1 * random.normal(size=(400, 1)))
    slopes = lasso(seen, target, 0.2)
    assert np.flatnonzero(slopes).tolist() == [0, 3]


def test_a_column_without_variance_gets_no_slope() -> None:
    seen = np.stack([np.tile([1.0, -1.0], 10), np.zeros(20)], 1)
    assert lasso(seen, seen[:, :1], 0.1).ravel().tolist() == pytest.approx([0.9, 0])

"""Scenarios keep the distribution of every slot, and what moved together in the past moves together in them."""

import numpy as np
import pytest

from commonwatt.forecasting.scenarios import shuffled, values_at
from commonwatt.model import LEVELS_PERMILLE, InvalidValue

HOMES, SLOTS, COUNT = 3, 8, 40
QUANTILES = np.array(LEVELS_PERMILLE)[:, None, None] + np.zeros((1, HOMES, SLOTS))


def errors(shared: float, days: int = 60) -> np.ndarray:
    random = np.random.default_rng(5)
    return shared * random.normal(size=(days, 1, 1)) + (1 - shared) * random.normal(size=(days, HOMES, SLOTS))


@pytest.mark.row("X9")
def test_homes_that_erred_together_have_their_bad_evenings_together() -> None:
    for shared, least, most in ((0.9, 0.9, 1.0), (0.0, -0.35, 0.35)):
        drawn = shuffled(QUANTILES, errors(shared), COUNT, seed=1)
        like = np.corrcoef(drawn[:, 0, 2], drawn[:, 2, 5])[0, 1]
        assert least <= like <= most


def test_every_slot_keeps_its_own_distribution() -> None:
    drawn = np.sort(shuffled(QUANTILES, errors(0.5), COUNT, seed=1), axis=0)
    middle = values_at(QUANTILES, (np.arange(COUNT) + 0.5) / COUNT)
    np.testing.assert_allclose(drawn, middle)
    assert drawn.min() == LEVELS_PERMILLE[0] and drawn.max() == LEVELS_PERMILLE[-1]


def test_the_same_seed_draws_the_same_and_few_days_are_drawn_again() -> None:
    first, again, other = (shuffled(QUANTILES, errors(0.5, 7), COUNT, seed) for seed in (1, 1, 2))
    assert first.shape == (COUNT, HOMES, SLOTS)
    assert (first == again).all() and (first != other).any()


def test_a_past_with_holes_or_of_another_street_is_refused() -> None:
    with pytest.raises(InvalidValue, match="whole past days"):
        shuffled(QUANTILES, errors(0.5)[:, :2], COUNT, seed=1)
    with pytest.raises(InvalidValue, match="whole past days"):
        shuffled(QUANTILES, np.full((3, HOMES, SLOTS), np.nan), COUNT, seed=1)

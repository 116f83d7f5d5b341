import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.kernels.money import costs_micro
from commonwatt.model import InvalidValue, cost_micro

energies = st.integers(-(10**9), 10**9) | st.sampled_from([0, 1, 499, 500, 501, 1_500, 2_500])
prices = st.integers(-(10**9), 10**9) | st.sampled_from([0, 1, -1, 500, -500])


@given(st.lists(energies, max_size=20), prices)
def test_many_costs_are_those_of_each(energy_wh: list[int], price: int) -> None:
    found = costs_micro(np.array(energy_wh, np.int64), price).tolist()
    assert found == [cost_micro(wh, price) for wh in energy_wh]


@pytest.mark.parametrize("price", [1, -1, 3])
def test_halves_are_rounded_to_even_either_way(price: int) -> None:
    energy_wh = list(range(-4_500, 4_501, 500))
    assert costs_micro(np.array(energy_wh), price).tolist() == [cost_micro(wh, price) for wh in energy_wh]


@pytest.mark.parametrize(("energy_wh", "price"), [(2**61, 2), (-(2**31), 2**31), (2**53, 2**53), (1, 2**62)])
def test_a_product_that_would_not_fit_is_refused(energy_wh: int, price: int) -> None:
    with pytest.raises(InvalidValue, match="fits into 62 bits"):
        costs_micro(np.array([1, energy_wh]), price)

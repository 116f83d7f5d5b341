"""Money and shares lose nothing, and round in one way only."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.model import InvalidValue, cost_micro, round_div, share_wh


@given(st.integers(0, 10**9), st.lists(st.integers(0, 99), min_size=1).filter(any))
def test_sharing_loses_no_energy(total_wh: int, weights: list[int]) -> None:
    assert sum(share_wh(total_wh, weights)) == total_wh


@given(st.integers(0, 10**9), st.lists(st.integers(0, 99), min_size=1).filter(any))
def test_no_share_is_a_whole_unit_off_its_quota(total_wh: int, weights: list[int]) -> None:
    for share, weight in zip(share_wh(total_wh, weights), weights, strict=True):
        assert abs(share - Fraction(total_wh * weight, sum(weights))) < 1


def test_equal_remainders_favour_the_earlier() -> None:
    assert share_wh(5, [1, 1, 1]) == [2, 2, 1]


@pytest.mark.parametrize(("total_wh", "weights"), [(-1, [1]), (1, [0, 0]), (1, [2, -1])])
def test_a_split_that_makes_no_sense_is_refused(total_wh: int, weights: list[int]) -> None:
    with pytest.raises(InvalidValue, match="zero or more and not all zero"):
        share_wh(total_wh, weights)


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_rounding_is_half_to_even_like_an_exact_fraction(numerator: int, denominator: int) -> None:
    assert round_div(numerator, denominator) == round(Fraction(numerator, denominator))


def test_a_kilowatt_hour_costs_its_price_and_half_micros_go_to_even() -> None:
    assert cost_micro(1000, 153_000) == 153_000
    assert [cost_micro(1, price) for price in (500, 1500, -500)] == [0, 2, 0]

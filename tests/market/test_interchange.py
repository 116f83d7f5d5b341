"""Numbers that were spoken about, kept as ranges, and what both operators sign."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.market.interchange import Interchange, Ranges, speak, spoken
from commonwatt.model import AccountId, InvalidValue

GIVEN = Interchange(
    number=1,
    giver="east",
    taker="west",
    seller=AccountId("anna"),
    buyer=AccountId("ben"),
    energy_wh=100,
    price_micro_per_kwh=200_000,
    wheeling_micro_per_kwh=10_001,
    decide_by_s=9,
)


@given(st.lists(st.integers(1, 30), unique=True))
def test_ranges_hold_exactly_the_numbers_that_were_spoken(numbers: list[int]) -> None:
    ranges: Ranges = ()
    for number in numbers:
        ranges = speak(ranges, number)
    assert [n for n in range(32) if spoken(ranges, n)] == sorted(numbers)
    assert [n for first, last in ranges for n in range(first, last + 1)] == sorted(numbers)
    assert all(last + 1 < first for (_, last), (first, _) in pairwise(ranges)), "as few as there can be"


@pytest.mark.row("E15")
@pytest.mark.parametrize(
    "changed",
    [
        {"number": 2},
        {"giver": "north"},
        {"taker": "north"},
        {"seller": "cleo"},
        {"buyer": "cleo"},
        {"energy_wh": 101},
        {"price_micro_per_kwh": 1},
        {"wheeling_micro_per_kwh": 1},
        {"decide_by_s": 10},
    ],
)
def test_a_signature_covers_every_word_of_a_document(changed: dict[str, object]) -> None:
    assert replace(GIVEN, **changed).signed_bytes() != GIVEN.signed_bytes()


def test_a_document_costs_the_price_and_the_wheeling_apart() -> None:
    assert (GIVEN.cost_micro, GIVEN.fee_micro) == (20_000, 1_000)
    for wrong in ({"taker": "east"}, {"energy_wh": 0}, {"energy_wh": 10**9 + 1}, {"number": 0}):
        with pytest.raises(InvalidValue):
            replace(GIVEN, **wrong)

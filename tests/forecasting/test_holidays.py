"""Holidays are lived like Sundays where somebody told whose they are, and like any day where nobody did."""

from datetime import date

import numpy as np
import pytest

from commonwatt.forecasting.days import SUNDAY, WORKDAY, from_day, holidays_in, kinds
from commonwatt.forecasting.sun import Place
from commonwatt.model import InvalidValue

YEAR_END = from_day(date(2026, 12, 24), 10)


@pytest.mark.row("H8")
def test_a_holiday_is_lived_like_a_sunday_in_its_own_region_alone() -> None:
    found = holidays_in("GB-ENG", YEAR_END)
    assert {date(2026, 12, 25), date(2027, 1, 1)} <= found and date(2026, 12, 29) not in found
    told = kinds(YEAR_END, found)
    assert told[YEAR_END.index(date(2026, 12, 25))] == SUNDAY and told[YEAR_END.index(date(2026, 12, 29))] == WORKDAY
    epiphany = from_day(date(2027, 1, 6), 1)
    assert holidays_in("DE-BY", epiphany) == {epiphany[0]} and holidays_in("DE-BE", epiphany) == frozenset()


def test_where_nobody_told_the_region_all_days_are_like_others() -> None:
    assert holidays_in("", YEAR_END) == frozenset()
    assert np.array_equal(kinds(YEAR_END), kinds(YEAR_END, holidays_in("", YEAR_END)))
    assert holidays_in("DE", []) == frozenset()


@pytest.mark.parametrize(("region", "said"), [("QQ", "QQ"), ("DE-XX", "DE-BY"), ("AU-99", "AU-NSW")])
def test_a_region_that_nobody_knows_is_said_with_those_that_are_known(region: str, said: str) -> None:
    with pytest.raises(InvalidValue, match=said):
        holidays_in(region, YEAR_END)


@pytest.mark.parametrize("region", ["germany", "de", "DE-", "DE-BAYERN", "AU/NSW", "AU-NSW\n"])
def test_a_place_takes_no_region_but_as_iso_3166_names_it(region: str) -> None:
    with pytest.raises(InvalidValue, match="ISO 3166"):
        Place(48, 11, region)
    assert Place(48, 11, "DE-BY").region == "DE-BY" and Place(48, 11).region == ""

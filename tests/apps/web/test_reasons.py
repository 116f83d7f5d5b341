"""Reasons are logged in English by a few forms, and told in the reader's language."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.apps.web.reasons import FORMS, said, why
from commonwatt.apps.web.words import Place, Words
from commonwatt.flexibility import diary

PRICES = st.integers(-900_000, 9_000_000).map(lambda tenths: tenths * diary.MICRO_PER_PENNY // 10)
CLOCKS = st.tuples(st.integers(0, 23), st.integers(0, 59)).map(lambda at: f"{at[0]:02d}:{at[1]:02d}")
PLACE = Place(name="street", zone=ZoneInfo("Europe/London"), currency="GBP")


def test_every_form_that_is_logged_is_known_here() -> None:
    assert FORMS == diary.REASONS


@pytest.mark.parametrize("language", ["en", "de", "es"])
@given(st.sampled_from(FORMS), PRICES, PRICES, CLOCKS)
def test_whatever_is_logged_is_told_with_its_prices_and_time(
    language: str, form: str, one: int, other: int, at: str
) -> None:
    words = Words(language, PLACE)
    logged = form.format(bought=diary._pence(one), sold=diary._pence(one), later=diary._pence(other), at=at)
    told = said(words, logged)
    assert told is not None and words.price(one) in told
    if "{at}" in form:
        assert at in told and words.price(other) in told
    assert language == "en" or told != said(Words("en", PLACE), logged), "it is translated"


def test_what_is_of_no_form_stays_as_it_was_and_says_that_it_is_english() -> None:
    words = Words("de", PLACE)
    assert said(words, "dimmed to 4200 W by the grid operator") is None
    assert 'lang="en"' in why(words, "dimmed to 4200 W by the grid operator")
    assert "lang" not in why(words, "nothing to gain at 17.0 p/kWh")

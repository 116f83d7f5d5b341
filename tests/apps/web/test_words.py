import subprocess
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.apps.web.words import LANGUAGES, Place, Words, language_of
from commonwatt.model import InvalidValue

SCRIPT = Path(__file__).parents[3] / "scripts" / "words.py"
LONDON = Place(name="Sunny Street", zone=ZoneInfo("Europe/London"), currency="GBP")
BERLIN = Place(name="Sonnenstraße", zone=ZoneInfo("Europe/Berlin"), currency="EUR")
EVENING_S = 1_776_967_205  # 23 April 2026, 18:00:05 UTC


def _plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")


def test_every_marked_text_is_translated_and_compiled_in_every_language() -> None:
    said = subprocess.run([sys.executable, SCRIPT, "check"], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr


def test_a_text_is_said_in_three_languages() -> None:
    said = {language: Words(language, LONDON).say("The battery rests.") for language in LANGUAGES}
    assert said == {"en": "The battery rests.", "de": "Die Batterie ruht.", "es": "La batería está en reposo."}


def test_nobody_speaks_a_language_that_the_app_does_not() -> None:
    with pytest.raises(InvalidValue, match="speaks en, de, es"):
        Words("tlh", LONDON)


@pytest.mark.parametrize(
    ("energy_wh", "english", "german"),
    [
        (0, "0 Wh", "0 Wh"),
        (-950, "\N{MINUS SIGN}950 Wh", "\N{MINUS SIGN}950 Wh"),
        (1_250, "1.2 kWh", "1,2 kWh"),
        (123_456, "123 kWh", "123 kWh"),
        (7_900_000, "7.9 MWh", "7,9 MWh"),
    ],
)
def test_energy_has_the_unit_in_which_it_reads_well(energy_wh: int, english: str, german: str) -> None:
    assert _plain(Words("en", LONDON).energy(energy_wh)) == english
    assert _plain(Words("de", BERLIN).energy(energy_wh)) == german


def test_money_and_prices_are_written_as_people_write_them_there() -> None:
    assert Words("en", LONDON).money(1_280_000, signed=True) == "+£1.28"
    assert _plain(Words("de", BERLIN).money(-1_280_000)) == "\N{MINUS SIGN}1,28 €"
    assert _plain(Words("es", BERLIN).money(1_280_000)) == "1,28 €"
    assert _plain(Words("en", LONDON).price(245_000)) == "24.5 p/kWh"
    assert _plain(Words("de", BERLIN).price(245_000)) == "24,5 ct/kWh"
    elsewhere = Place(name="Strand", zone=ZoneInfo("Europe/Stockholm"), currency="SEK")
    assert Words("en", elsewhere).price(2_450_000).endswith("2.45/kWh")
    assert _plain(Words("en", LONDON).tokens(12_345, "WATT", 3)) == "12.345 WATT"


def test_times_are_those_of_the_place_and_not_of_the_server() -> None:
    assert Words("en", LONDON).instant(EVENING_S) == "Thu 23 Apr, 19:00"
    assert Words("de", BERLIN).instant(EVENING_S) == "Do. 23. Apr., 20:00"
    assert Words("es", BERLIN).instant(EVENING_S) == "jue 23 abr, 20:00"
    assert Words("en", LONDON).between(EVENING_S, EVENING_S + 900) == "Thu 23 Apr, 19:00\N{EN DASH}19:15"


def test_ago_is_told_against_the_communitys_clock() -> None:
    words = Words("en", LONDON)
    assert words.ago(EVENING_S - 300, EVENING_S) == "5 minutes ago"
    assert words.ago(EVENING_S, EVENING_S) == "just now"
    assert Words("de", BERLIN).ago(EVENING_S + 7_200, EVENING_S) == "in 2 Stunden"


def test_an_hour_that_a_clock_shows_twice_is_two_instants() -> None:
    words = Words("en", LONDON)
    first_s = 1_792_890_000  # 25 October 2026, 01:00 UTC: clocks in London went back just now
    assert words.clock(first_s - 3_600) == words.clock(first_s) == "01:00"


@given(st.integers(-(10**12), 10**12), st.sampled_from(sorted(LANGUAGES)))
def test_no_amount_loses_its_sign_or_fails(amount: int, language: str) -> None:
    words = Words(language, LONDON)
    for text in (words.money(amount), words.energy(amount), words.power(amount), words.price(amount)):
        assert ("\N{MINUS SIGN}" in text) <= (amount < 0)
        assert "-" not in text


@pytest.mark.parametrize(
    ("wanted", "accepted", "language"),
    [
        ("de", "es", "de"),
        (None, "fr-FR,fr;q=0.9,es-MX;q=0.8,en;q=0.7", "es"),
        ("../../etc/passwd", "", "en"),
        (None, ";;;,,,=", "en"),
    ],
)
def test_a_browser_gets_a_language_that_it_takes(wanted: str | None, accepted: str, language: str) -> None:
    assert language_of(wanted, accepted) == language

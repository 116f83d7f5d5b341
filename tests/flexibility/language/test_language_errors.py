"""An error points at the word, says what could stand there, and what may have been meant."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from lark.exceptions import UnexpectedCharacters

from commonwatt.flexibility.language import Names, read
from commonwatt.flexibility.language.grammar import parse_tree
from commonwatt.model import Reach, Refused

LONDON = ZoneInfo("Europe/London")
NOW = datetime(2018, 4, 20, 12, tzinfo=UTC)
NAMES: Names = {
    Reach.ASSET: ["car-01", "battery-01", "washer"],
    Reach.ZONE: ["PL", "TR"],
    Reach.OWNER: ["anna", "ben"],
}


def refusal(line: str, names: Names | None = None) -> Refused:
    with pytest.raises(Refused) as error:
        read(line, NOW, LONDON, names)
    return error.value


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("charge my-car >= 80% at 07:30", "at_word 'my-car', column 8, could_be of"),
        ("charge of my-car >= 80% at 7:30", "at_word '7:30', column 28, could_be a time like 07:30"),
        (
            "charge of my-car >= 80% at 07:30 on 31 February",
            "at_word '31', column 37, because February has no such day",
        ),
        ("charge of my-car >= 80% at 07:30 on 29 February 2019", "February has no such day"),
        ("charge of my-car >= 80 kWh at 07:30", "at_word 'kWh', column 24, because charge is not counted in kWh"),
        ("charge of my-car >= 80 at 07:30", "at_word '80', column 21, because charge is counted in %"),
        ("cycles of a <= 1.5 kW from 10:00 to 11:00", "because cycles is not counted in kW, but in no unit at all"),
        (
            "charge of my-car >= 101% at 07:30",
            "at_word '101%', column 21, because a bound on charge is zero or more and",
        ),
        ("temperature of a >= -300 C from 10:00 to 11:00", "at least -273150"),
        (
            "battery of home >= 0.0001 kWh at 06:30",
            "at_word '0.0001', column 20, because battery is counted in whole Wh",
        ),
        ("charge of a >= 80.5% at 06:30", "counted in whole per cent"),
        ("power of zone street <= 40 kW", "at_word 'the end of the line', could_be at or every or from"),
        ("charge of a >= 80% from 10:00 to 11:00", "at_word '10:00', column 25, because charge takes an instant"),
        ("power of a >= 1 W at 10:00", "at_word '10:00', column 22, because power takes a window"),
        ("temperature of a between 23 and 19 C from 10:00 to 11:00", "not below the lower one"),
        ("power of a <= 1 W from 10:00 on 2 May to 09:00 on 2 May 2018", "a window ends after it starts"),
        (
            "charge of a >= 1% at 07:30 on 23 April every day",
            "at_word '23', column 31, because what repeats has no date",
        ),
        ("charge of a >= 1% at 01:30 (second) every day", "at_word '(second)', column 28"),
        ("charge of a >= 1% at 07:30 every day until 1 May in Mars/North", "at_word 'Mars/North'"),
        ("charge of a >= 1% at 07:30 every Sunday from 23 April until 24 April", "comes at least once"),
        ("charge of a >= 1% at 07:30:30 every day", "on whole minutes"),
        ("charge of a >= 1% at 01:30 on 31 March 2019", "clocks in Europe/London jump over 01:30 on 2019-03-31"),
        (
            "charge of a >= 1% at 07:30 (second) on 23 April",
            "at_word '(second)', column 28, because 07:30 does not come",
        ),
        ('charge of "a\\q" >= 1% at 07:30', "a name in quotes is written as in JSON"),
        ("", "at_word 'the end of the line', could_be no longer: or charge, battery, energy"),
    ],
)
def test_an_error_points_at_the_word_and_says_what_could_stand_there(line: str, says: str) -> None:
    assert says in str(refusal(line))


@pytest.mark.parametrize(
    ("line", "meant", "column"),
    [
        ("chrage of my-car >= 80% at 07:30", "charge", 1),
        ("Charge of my-car >= 80% at 07:30", "charge", 1),
        ("reserve upp of community >= 1 W from 10:00 to 11:00", "reserve up", 1),
        ("energy of zoen PL <= 1 kWh from 10:00 to 11:00", "zone", 11),
        ("energy of PL <= 1 kwh from 10:00 to 11:00", "kWh", 19),
        ("energy of PL <= 1 kWh form 10:00 to 11:00", "from", 23),
        ("charge of a >= 80% at 07:30 on 23 Aprl", "April", 35),
        ("charge of a >= 80% at 07:30 every wekday", "weekday", 35),
        ("charge of a >= 80% at 07:30 every Monday, tuesday", "Tuesday", 43),
        ("charge of a >= 80% at 07:30 for confort", "comfort", 33),
        ("charge of a >= 80% at 7:30", "07:30", 23),
    ],
)
def test_a_word_that_is_nearly_right_is_suggested(line: str, meant: str, column: int) -> None:
    found = refusal(line).found
    assert (found["did_you_mean"], found["column"]) == (meant, column)


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("charge of cra-01 >= 80% at 07:30", "car-01"),
        ("power of zone PLL <= 1 kW from 10:00 to 11:00", "PL"),
        ("power of owner ana <= 1 kW from 10:00 to 11:00", "anna"),
        ("run time of car-01, wahser >= 1 h from 10:00 to 11:00", "washer"),
        ("charge of something-else >= 80% at 07:30", "nothing near"),
    ],
)
def test_a_name_that_nobody_has_is_refused_where_the_names_are_known(line: str, meant: str) -> None:
    assert read(line, NOW, LONDON), "any name will do where none are known"
    found = refusal(line, NAMES).found
    assert found["did_you_mean"] == meant
    assert "there is no such" in str(found["because"])
    assert read("ramp of feeder anything <= 1 W from 10:00 to 11:00", NOW, LONDON, NAMES)


def test_what_the_grammar_cannot_even_cut_into_words_is_refused_like_anything_else() -> None:
    with pytest.raises(UnexpectedCharacters):
        parse_tree("charge of a ~ 80%", start="sentence")
    assert refusal("charge of a ~ 80%").found["at_word"] == repr("~")

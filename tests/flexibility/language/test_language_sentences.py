"""Constraints in words: the document's three sentences, and what every other form of a sentence means."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from commonwatt.flexibility import language
from commonwatt.flexibility.language import parse, read, text
from commonwatt.model import Constraint, Interval, Priority, Quantity, Reach, Refused, Relation, Repeating

LONDON = ZoneInfo("Europe/London")
NOW = datetime(2018, 4, 20, 12, tzinfo=UTC)


def utc(*when: int) -> datetime:
    return datetime(2018, *when, tzinfo=UTC)


def once(line: str) -> Constraint:
    found = parse(line, NOW, LONDON)
    assert isinstance(found, Constraint)
    return found


def again(line: str) -> Repeating:
    found = parse(line, NOW, LONDON)
    assert isinstance(found, Repeating)
    return found


@pytest.mark.row("X1")
def test_the_three_sentences_of_the_document_mean_what_they_say() -> None:
    car = once("charge of my-car >= 80% at 07:30 on 23 April")
    assert (car.quantity, car.scope, car.relation, car.value) == (Quantity.CHARGE, ("my-car",), Relation.AT_LEAST, 80)
    assert car.at == utc(4, 23, 6, 30), "British summer time"
    home = once("battery of home >= 5 kWh at 06:30")
    assert (home.value, home.at) == (5000, utc(4, 21, 5, 30)), "the next half past six"
    zone = once("energy of zone PL, TR <= 500 kWh from 18:00 to 20:00 on 26 April")
    assert (zone.reach, zone.scope, zone.value) == (Reach.ZONE, ("PL", "TR"), 500_000)
    assert zone.window == Interval(utc(4, 26, 17), utc(4, 26, 19))


@pytest.mark.row("X14")
def test_a_limit_on_a_zone_names_its_priority() -> None:
    limit = once("power of zone street <= 40.5 kW from 16:00 to 24:00 for dso")
    assert (limit.value, limit.priority) == (40_500, Priority.DSO)


@pytest.mark.row("X1")
@pytest.mark.parametrize(
    ("line", "quantity", "value"),
    [
        ("reserve up of community >= 2 MW from 18:00 to 20:00", Quantity.RESERVE_UP, 2_000_000),
        ("reserve  down of a >= 500 W from 18:00 to 20:00", Quantity.RESERVE_DOWN, 500),
        ("temperature of living-room >= 19.5 C from 06:00 to 22:00", Quantity.TEMPERATURE, 19_500),
        ("temperature of freezer at most -18 °C from 00:00 to 24:00", Quantity.TEMPERATURE, -18_000),
        ("run time of washer >= 90 min from 09:00 to 17:00", Quantity.RUN_TIME, 90),
        ("run time of washer ≥ 1.5 h from 09:00 to 17:00", Quantity.RUN_TIME, 90),
        ("cycles of battery-01 <= 1.5 from 00:00 to 24:00", Quantity.CYCLES, 1500),
        ("ramp of feeder F1 <= 50 kW from 06:00 to 07:00", Quantity.RAMP, 50_000),
        ("power of zone PL >= -10 kW from 11:00 to 15:00", Quantity.POWER, -10_000),
        ("energy of connection c <= +1.25 MWh from 11:00 to 15:00", Quantity.ENERGY, 1_250_000),
    ],
)
def test_every_quantity_is_said_in_its_own_units(line: str, quantity: Quantity, value: int) -> None:
    found = once(line)
    assert (found.quantity, found.value) == (quantity, value)


@pytest.mark.row("X14")
@pytest.mark.parametrize("reach", Reach)
def test_every_reach_has_its_word(reach: Reach) -> None:
    names = {Reach.ASSET: "a, b", Reach.COMMUNITY: "community"}.get(reach, f"{reach} a, b")
    found = once(f"power of {names} <= 1 kW from 11:00 to 15:00")
    assert (found.reach, found.scope) == (reach, () if reach is Reach.COMMUNITY else ("a", "b"))


def test_a_name_that_is_a_word_of_the_language_or_has_blanks_stands_in_quotes() -> None:
    found = once(r'power of "zone", "my old \"van\"", 2-cv <= 1 kW from 11:00 to 15:00')
    assert found.scope == ("zone", 'my old "van"', "2-cv")
    assert text(found, LONDON).startswith(r'power of "zone", "my old \"van\"", 2-cv <= 1 kW')


def test_a_range_is_two_constraints_at_the_same_time() -> None:
    for line in ("between 19 and 23 C", "from 19 C to 23 C", "between 19 C and 23 C"):
        said = read(f"temperature of living-room {line} from 06:00 to 22:00 on 23 April", NOW, LONDON)
        low, high = said.statements
        assert isinstance(low, Constraint) and isinstance(high, Constraint)
        assert [(one.relation.value, one.value) for one in (low, high)] == [(">=", 19_000), ("<=", 23_000)]
        assert low.window == high.window == Interval(utc(4, 23, 5), utc(4, 23, 21))
    with pytest.raises(Refused, match="one bound is wanted here"):
        parse("temperature of a between 19 and 23 C from 06:00 to 22:00", NOW, LONDON)


@pytest.mark.parametrize(
    ("when", "window"),
    [
        ("from 18:00 to 20:00", (utc(4, 20, 17), utc(4, 20, 19))),
        ("from 10:00 to 12:00", (utc(4, 21, 9), utc(4, 21, 11))),
        ("from 10:00 to 14:00", (utc(4, 20, 9), utc(4, 20, 13))),
        ("from 22:00 to 06:00 on 30 April", (utc(4, 30, 21), utc(5, 1, 5))),
        ("from 18:00 to 24:00 tomorrow", (utc(4, 21, 17), utc(4, 21, 23))),
        ("from 18:00 on 26 April to 20:00 on 28 April", (utc(4, 26, 17), utc(4, 28, 19))),
        ("from 18:00 on 26 April to 07:00", (utc(4, 26, 17), utc(4, 27, 6))),
        ("from 20:00 on 31 December to 02:00 on 1 January", (utc(12, 31, 20), datetime(2019, 1, 1, 2, tzinfo=UTC))),
        ("from 10:00 to 11:00 on 19 April", tuple(one.replace(year=2019) for one in (utc(4, 19, 9), utc(4, 19, 10)))),
        ("from 10:00 to 11:00 on 1 May in Europe/Paris", (utc(5, 1, 8), utc(5, 1, 9))),
    ],
)
def test_a_window_is_the_next_one_that_is_meant(when: str, window: tuple[datetime, datetime]) -> None:
    assert once(f"power of a <= 1 kW {when}").window == Interval(*window)


def test_a_date_that_not_every_year_has_is_the_next_there_is() -> None:
    leap = once("charge of a >= 80% at 07:30 on 29 February")
    assert leap.at == datetime(2020, 2, 29, 7, 30, tzinfo=UTC)


@pytest.mark.row("X1")
def test_what_repeats_says_on_which_days_and_from_when_until_when() -> None:
    weekdays = again("charge of my-car >= 80% at 07:30 every weekday")
    assert (weekdays.weekdays, weekdays.start_minute, weekdays.end_minute) == ((0, 1, 2, 3, 4), 450, None)
    assert (weekdays.first, weekdays.last, weekdays.zone) == (date(2018, 4, 21), None, "Europe/London")
    days = again("power of a <= 1 kW every Wednesday, Monday and Friday from 22:00 to 06:00 from 7 May until 29 June")
    assert (days.weekdays, days.start_minute, days.end_minute) == ((0, 2, 4), 1320, 1800)
    assert (days.first, days.last) == (date(2018, 5, 7), date(2018, 6, 29))
    over_new_year = again("charge of a >= 1% at 07:30 every weekend from 20 December until 6 January in Asia/Tokyo")
    assert (over_new_year.first, over_new_year.last) == (date(2018, 12, 20), date(2019, 1, 6))
    assert (over_new_year.zone, over_new_year.weekdays) == ("Asia/Tokyo", (5, 6))


def test_no_longer_takes_back_what_a_sentence_states() -> None:
    line = "charge of a >= 80% at 07:30 every day"
    assert read(f"no longer: {line}", NOW, LONDON) == language.Sentence(
        statements=read(line, NOW, LONDON).statements, no_longer=True
    )
    with pytest.raises(Refused, match="not that one holds no longer"):
        parse(f"no longer: {line}", NOW, LONDON)


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ("01:30 on 28 October", utc(10, 28, 0, 30)),
        ("01:30 (first) on 28 October", utc(10, 28, 0, 30)),
        ("01:30 (second) on 28 October", utc(10, 28, 1, 30)),
        ("02:00 on 28 October", utc(10, 28, 2)),
        ("24:00 on 27 October", utc(10, 27, 23)),
        ("07:30:15 on 23 April", utc(4, 23, 6, 30, 15)),
    ],
)
def test_an_hour_that_comes_twice_is_told_apart(line: str, at: datetime) -> None:
    assert once(f"charge of a >= 80% at {line}").at == at


def test_a_day_ends_where_the_next_begins_also_where_its_first_hour_is_missing() -> None:
    beirut = ZoneInfo("Asia/Beirut")
    found = parse("power of a <= 1 kW from 18:00 to 24:00 on 24 March", NOW, beirut)
    assert isinstance(found, Constraint) and found.window is not None
    assert found.window.end == datetime(2019, 3, 24, 22, tzinfo=UTC)
    assert text(found, beirut) == "power of a <= 1 kW from 18:00 to 24:00 on 24 March 2019"

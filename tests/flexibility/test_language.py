"""Constraints in words: the document's three sentences, round trips, and errors that point at the word."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from commonwatt.flexibility.language import parse, text
from commonwatt.model import Constraint, Interval, Priority, Quantity, Reach, Refused, Relation

LONDON = ZoneInfo("Europe/London")
NOW = datetime(2018, 4, 20, 12, tzinfo=UTC)


@pytest.mark.row("X1")
def test_the_three_sentences_of_the_document_mean_what_they_say() -> None:
    car = parse("charge of my-car >= 80% at 07:30 on 23 April", NOW, LONDON)
    assert (car.quantity, car.scope, car.relation, car.value) == (Quantity.CHARGE, ("my-car",), Relation.AT_LEAST, 80)
    assert car.at == datetime(2018, 4, 23, 6, 30, tzinfo=UTC)  # British summer time
    home = parse("battery of home >= 5 kWh at 06:30", NOW, LONDON)
    assert (home.value, home.at) == (5000, datetime(2018, 4, 21, 5, 30, tzinfo=UTC))  # the next half past six
    zone = parse("energy of zone PL, TR <= 500 kWh from 18:00 to 20:00 on 26 April", NOW, LONDON)
    assert (zone.reach, zone.scope, zone.value) == (Reach.ZONE, ("PL", "TR"), 500_000)
    assert zone.window == Interval(datetime(2018, 4, 26, 17, tzinfo=UTC), datetime(2018, 4, 26, 19, tzinfo=UTC))


@pytest.mark.row("X14")
def test_a_limit_on_a_zone_names_its_priority() -> None:
    limit = parse("power of zone street <= 40.5 kW from 16:00 to 24:00 for dso", NOW, LONDON)
    assert (limit.value, limit.priority) == (40_500, Priority.DSO)


NAMES = st.from_regex(r"\A[A-Za-z][A-Za-z0-9_-]{0,8}\Z").filter(lambda name: name != "zone")
MINUTES = st.integers(0, 2 * 365 * 24 * 60).map(
    lambda minute: datetime(2018, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
)


@st.composite
def constraints(draw: st.DrawFn) -> Constraint:
    quantity = draw(st.sampled_from([Quantity.CHARGE, Quantity.BATTERY, Quantity.ENERGY, Quantity.POWER]))
    stored = quantity in (Quantity.CHARGE, Quantity.BATTERY)
    start = draw(MINUTES)
    # A window is at most a day long, and no clock change falls into it: then two spans would read alike.
    end = start + timedelta(minutes=draw(st.integers(1, 23 * 60)))
    local = [
        moment.astimezone(LONDON).utcoffset()
        for moment in (start, end, start - timedelta(hours=3), end + timedelta(hours=3))
    ]
    if len(set(local)) > 1:
        start, end = NOW, NOW + timedelta(hours=1)
    return Constraint(
        quantity=quantity,
        scope=tuple(draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))),
        reach=draw(st.sampled_from([Reach.ASSET, Reach.ZONE])),
        relation=draw(st.sampled_from(Relation)),
        value=draw(st.integers(0, 100 if quantity is Quantity.CHARGE else 10**7)),
        window=None if stored else Interval(start, end),
        at=start if stored else None,
        priority=draw(st.sampled_from(Priority)),
    )


@given(constraints())
def test_every_value_reads_back_from_its_text(constraint: Constraint) -> None:
    assert parse(text(constraint, LONDON), NOW, LONDON) == constraint


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("charge my-car >= 80% at 07:30", "at_word 'my-car', column 8, could_be of"),
        ("charge of my-car >= 80% at 7:30", "could_be a time like 07:30"),
        ("charge of my-car >= 80 kWh at 07:30", "charge is not counted in kWh"),
        ("charge of my-car >= 101% at 07:30", "at most 100"),
        ("charge of my-car >= 80% at 07:30 on 31 February", "day is out of range"),
        ("battery of home >= 0.0001 kWh at 06:30", "counted in whole Wh"),
        ("power of zone street <= 40 kW", "at_word 'the end of the line', could_be at or from"),
        ("", "charge, battery, energy or power"),
    ],
)
def test_an_error_points_at_the_word_and_says_what_could_stand_there(line: str, says: str) -> None:
    with pytest.raises(Refused) as error:
        parse(line, NOW, LONDON)
    assert says in str(error.value)


@example("\x85")
@given(st.text(max_size=80))
def test_no_text_does_more_than_refuse(line: str) -> None:
    try:
        assert parse(text(parse(line, NOW, LONDON), LONDON), NOW, LONDON)
    except Refused as error:
        assert repr(line) in str(error)

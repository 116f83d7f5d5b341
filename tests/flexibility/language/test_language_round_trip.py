"""Any value reads back from its text as it was, whatever its names, its zone and the clocks do."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from statements import ZONES, constraints, repeatings

from commonwatt.flexibility.language import parse, read, text
from commonwatt.model import Constraint, Interval, InvalidValue, Quantity, Refused, Relation, Repeating

LONDON = ZoneInfo("Europe/London")
NOW = datetime(2018, 4, 20, 12, tzinfo=UTC)


@pytest.mark.row("X1")
@given(constraints(), st.sampled_from(ZONES))
def test_every_value_reads_back_from_its_text(constraint: Constraint, zone: ZoneInfo) -> None:
    assert parse(text(constraint, zone), NOW, zone) == constraint


@pytest.mark.row("X1")
@given(repeatings(), st.sampled_from(ZONES))
def test_what_repeats_reads_back_from_its_text(repeating: Repeating, zone: ZoneInfo) -> None:
    assert parse(text(repeating, zone), NOW, zone) == repeating


@given(constraints(), st.sampled_from(ZONES), st.integers(-40_000, 40_000))
def test_what_is_written_depends_on_no_moment(constraint: Constraint, zone: ZoneInfo, hours: int) -> None:
    assert parse(text(constraint, zone), NOW + timedelta(hours=hours), zone) == constraint


def test_every_whole_second_can_be_told_and_no_part_of_one() -> None:
    start = datetime(2018, 10, 28, 0, 59, 59, tzinfo=UTC)
    limit = Constraint(
        quantity=Quantity.POWER,
        scope=("a",),
        relation=Relation.AT_MOST,
        value=0,
        window=Interval(start, start + timedelta(hours=1, seconds=1)),
    )
    line = "power of a <= 0 W from 01:59:59 (first) to 02:00 on 28 October 2018"
    assert text(limit, LONDON) == line
    assert parse(line, NOW, LONDON) == limit
    finer = Interval(start, start + timedelta(microseconds=1))
    with pytest.raises(InvalidValue, match="whole seconds"):
        text(
            Constraint(quantity=Quantity.POWER, scope=("a",), relation=Relation.AT_MOST, value=0, window=finer), LONDON
        )


@pytest.mark.parametrize(
    ("quantity", "value", "written"),
    [
        (Quantity.POWER, 0, "0 W"),
        (Quantity.POWER, -10_000, "-10 kW"),
        (Quantity.ENERGY, 2_000_000, "2 MWh"),
        (Quantity.ENERGY, 40_500, "40500 Wh"),
        (Quantity.TEMPERATURE, -500, "-0.5 C"),
        (Quantity.RUN_TIME, 120, "2 h"),
        (Quantity.CYCLES, 1_001, "1.001"),
    ],
)
def test_a_value_is_written_in_the_largest_unit_of_which_it_is_whole(
    quantity: Quantity, value: int, written: str
) -> None:
    window = Interval(NOW, NOW + timedelta(hours=1))
    said = Constraint(quantity=quantity, scope=("a",), relation=Relation.AT_MOST, value=value, window=window)
    assert text(said, LONDON) == f"{quantity} of a <= {written} from 13:00 to 14:00 on 20 April 2018"


WORDS = st.lists(
    st.sampled_from(
        [
            *("charge", "of", "power", "zone", "community", "a", '"b c"', ">=", "<=", "80", "-3", "%", "kW", "between"),
            *("and", "at", "from", "to", "07:30", "24:00", "01:30", "(second)", "on", "23", "29", "April", "February"),
            *("2018", "9999", "0001", "every", "day", "Monday", ",", "until", "in", "Europe/London", "for", "dso", "C"),
            *("no longer:", "tomorrow", "Leave", "\x85", "reserve up", "temperature"),
        ]
    ),
    max_size=24,
).map(" ".join)


@example("\x85")
@example("charge of a >= 80% at 24:00 on 31 December 9999")
@example("charge of a >= 80% at 07:30 every day from 31 December 9999")
@example("charge of a >= 80% at 07:30 every day until 31 December 9999")
@example("charge of a >= 80% at 00:00 on 1 January 0001 in Asia/Tokyo")
@example("power of a <= " + "9" * 5000 + " kW from 18:00 to 20:00")
@example('power of "\\ud800" <= 1 kW from 18:00 to 20:00')
@given(st.one_of(st.text(max_size=80), WORDS))
def test_no_text_does_more_than_refuse(line: str) -> None:
    try:
        said = read(line, NOW, LONDON)
    except Refused as error:
        assert repr(line) in str(error)
        return
    for one in said.statements:
        assert parse(text(one, LONDON), NOW, LONDON) == one

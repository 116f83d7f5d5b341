"""A table for people is read as it was meant, written so that it reads back, and refused at the word."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.flexibility.instructions import FULL_W, LEAST_W, read, write
from commonwatt.flexibility.instructions.compiling import expected_wh
from commonwatt.flexibility.instructions.table import parse, text
from commonwatt.model import AssetId, Instruction, InvalidValue, Refused, Schedule, Verb
from flexibility.instructions.schedules import NOON, schedules

LONDON = ZoneInfo("Europe/London")
WRITTEN = datetime(2023, 3, 17, 12, tzinfo=UTC)
# The example of the document that the project follows, word for word, cells parted by a tab.
DOCUMENT = """Schedules\tAssets
 23 rd April, 10:05 START CHARGE 23 rd April, 11:05 STOP 26 th April, 13:00 REDUCE RATE 26 th April, 14:00 INCREASE RATE\t Charger  EV
 28 th April, 18:05 SUPPLY 28 th April, 18:20 STOP SUPPLY\t EV  Battery
 28 th April, 18:20 SUPPLY 28 th April, 18:35 STOP SUPPLY\t Battery
 28 th April, 12:20 SUPPLY 28 th April, 13:00 STOP SUPPLY\t Solar  Battery
"""  # noqa: E501


def told(schedule: Schedule) -> list[tuple[str, str, int]]:
    return [
        (f"{entry.interval.start.astimezone(LONDON):%d %H:%M}", entry.verb.value, entry.power_w)
        for entry in schedule.instructions
    ]


@pytest.mark.row("X2")
def test_the_documents_own_table_is_read_and_means_what_it_says() -> None:
    car, both, battery, solar = parse(DOCUMENT, WRITTEN, LONDON)
    assert [one.asset for one in (car, both, battery, solar)] == [
        "Charger-EV",
        "EV-Battery",
        "Battery",
        "Solar-Battery",
    ]
    assert told(car) == [
        ("23 10:05", "START CHARGE", FULL_W),
        ("23 11:05", "STOP CHARGE", 0),
        ("26 13:00", "REDUCE RATE", LEAST_W),
        ("26 14:00", "INCREASE RATE", FULL_W),
    ]
    assert car.instructions[0].interval.start == datetime(2023, 4, 23, 9, 5, tzinfo=UTC)
    assert car.instructions[0].interval.seconds == 3600
    assert told(both) == [("28 18:05", "SUPPLY", -FULL_W), ("28 18:20", "STOP SUPPLY", 0)]
    assert told(battery) == [("28 18:20", "SUPPLY", -FULL_W), ("28 18:35", "STOP SUPPLY", 0)]
    assert told(solar) == [("28 12:20", "SUPPLY", -FULL_W), ("28 13:00", "STOP SUPPLY", 0)]
    for schedule in (car, both, battery, solar):
        assert parse(text(schedule, LONDON), WRITTEN, LONDON) == [schedule]
        assert read(write(schedule)).schedule == schedule


@pytest.mark.row("X2")
@pytest.mark.parametrize(("word", "stopped"), [("START CHARGE", Verb.STOP_CHARGE), ("SUPPLY", Verb.STOP_SUPPLY)])
def test_a_bare_stop_stops_whatever_runs(word: str, stopped: Verb) -> None:
    (schedule,) = parse(f"a: 23 April, 10:05 {word} 10:20 REDUCE RATE to 2 kW 11:05 STOP", WRITTEN, LONDON)
    assert [entry.verb for entry in schedule.instructions] == [Verb(word), Verb.REDUCE_RATE, stopped]
    assert schedule.instructions[1].power_w == (2000 if word == "START CHARGE" else -2000)
    (nothing_ran,) = parse("a: 23 April, 11:05 STOP", WRITTEN, LONDON)
    assert nothing_ran.instructions[0].verb is Verb.STOP_CHARGE


def test_targets_directions_and_reasons_are_read() -> None:
    (schedule,) = parse(
        """
        # what the car does tonight
        car-01:
        23 April 2026, 22:00 start charge 7.4 kW because grid energy at 8.1 p/kWh
        02:15 INCREASE RATE to 11 kW
        03:00 REDUCE RATE
        04:00 SUPPLY 3.5 kW holding -50 W until 24 Apr, 04:30
        05:00 INCREASE RATE to -4 kW
        """,
        WRITTEN,
        LONDON,
    )
    assert told(schedule) == [
        ("23 22:00", "START CHARGE", 7400),
        ("24 02:15", "INCREASE RATE", 11_000),
        ("24 03:00", "REDUCE RATE", LEAST_W),
        ("24 04:00", "SUPPLY", -3500),
        ("24 05:00", "INCREASE RATE", -4000),
    ]
    assert schedule.instructions[0].reason == "grid energy at 8.1 p/kWh"
    assert schedule.instructions[0].expected_wh == 31_450
    assert schedule.instructions[3].balance_w == -50
    assert [entry.interval.seconds // 60 for entry in schedule.instructions] == [255, 45, 60, 30, 24 * 60]


def test_a_date_without_year_is_none_of_a_day_before() -> None:
    for now, year in ((datetime(2023, 4, 23, 20, tzinfo=UTC), 2023), (datetime(2023, 4, 24, tzinfo=UTC), 2024)):
        (schedule,) = parse("a: 23 April, 10:05 STOP", now, LONDON)
        assert schedule.instructions[0].interval.start.year == year
    (leap,) = parse("a: 29 February, 10:05 STOP", WRITTEN, LONDON)
    assert leap.instructions[0].interval.start.year == 2024


def test_clocks_that_go_back_show_a_time_twice() -> None:
    (schedule,) = parse("a: 29 October 2023, 01:30 STOP 01:30 (second) SUPPLY", WRITTEN, LONDON)
    assert schedule.instructions[0].interval.seconds == 3600


@pytest.mark.row("X2")
@given(schedules("my car"), st.sampled_from(["UTC", "Europe/London", "Asia/Kathmandu", "America/St_Johns"]))
def test_what_is_written_as_a_table_reads_back(schedule: Schedule, zone_name: str) -> None:
    zone = ZoneInfo(zone_name)
    (back,) = parse(text(schedule, zone), schedule.issued, zone)

    def nominal(entry: Instruction) -> tuple[object, ...]:
        return entry.verb, entry.interval, entry.power_w, entry.balance_w, entry.reason

    assert (back.asset, back.issued) == (schedule.asset, schedule.issued)
    assert list(map(nominal, back.instructions)) == list(map(nominal, schedule.instructions))
    for entry in back.instructions:
        counted_w = 0 if abs(entry.power_w) in (LEAST_W, FULL_W) else entry.power_w
        assert entry.expected_wh == expected_wh(counted_w, entry.interval.end - entry.interval.start)


@pytest.mark.parametrize(
    ("row", "word", "hint"),
    [
        ("car: 23 April, 10:05 STRAT CHARGE", "STRAT", "START CHARGE"),
        ("car: 23 April, 10:05 REDUSE RATE", "REDUSE", "REDUCE RATE"),
        ("car: 23 Apirl, 10:05 STOP", "Apirl,", "April"),
        ("car: 31 April, 10:05 STOP", "31", "April has no such day"),
        ("car: 23 April, 7:30 STOP", "7:30", "a time like 07:30"),
        ("car: 23 April STOP", "STOP", "a time like 07:30"),
        ("car: 10:05 STOP", "10:05", "a day like 23 April"),
        ("car: 23 April, 10:05 START CHARGE 7.4 kV", "kV", "W, kW or MW"),
        ("car: 23 April, 10:05 START CHARGE 7.4", "the end of the line", "W, kW or MW"),
        ("car: 23 April, 10:05 START CHARGE -7.4 kW", "-7.4", "says the direction itself"),
        ("car: 23 April, 10:05 START CHARGE 0 W", "0", "STOP stops"),
        ("car: 23 April, 10:05 START CHARGE 0.5 W", "0.5", "whole W"),
        ("car: 23 April, 10:05 STOP 5 kW", "5", "has no target"),
        ("car: 23 April, 10:05 SUPPLY until 23 April, 10:05", "23", "ends after it begins"),
        ("car: 23 April, 10:05 SUPPLY until 23 April, 12:00 23 April, 11:00 STOP", "23", "the next entry begins"),
        ("car: 23 April, 10:05 STOP 23 April, 10:05 SUPPLY", "23", "another entry begins"),
        ("car: 23 April, 10:05 STOP because", "", ""),
        ("23 April, 10:05 STOP", "23", "names no asset"),
        ("car: 23 April, 10:05 STOP\t car", "car:", "names an asset at its start"),
        ("23 April, 10:05 STOP\t", "the end of the line", "the name of an asset"),
        ("\tcar", "the end of the line", "a day like 23 April, or a time like 07:30"),
        ("car: 26 March 2023, 01:30 STOP", "01:30", "jump over"),
        ("car: 31 December 9999, 10:05 STOP", "31", "calendar ends"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_the_word(row: str, word: str, hint: str) -> None:
    if not word:
        assert parse(row, WRITTEN, LONDON)
        return
    with pytest.raises(Refused) as refused:
        parse(f"# a table\n{row}", WRITTEN, LONDON)
    assert refused.value.found["line"] == 2
    assert refused.value.found["at_word"] == repr(word)
    assert hint in str(refused.value)
    if "column" in refused.value.found:
        column = refused.value.found["column"]
        assert isinstance(column, int)
        assert row[column - 1 :].startswith(word)


WORDS = [
    "car:",
    "23",
    "rd",
    "April,",
    "10:05",
    "START CHARGE",
    "STOP",
    "7.4",
    "kW",
    "until",
    "because",
    "to",
    "\t",
    "-1 W",
]


@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=6), max_size=14), st.sampled_from([" ", "", "\n"]))
def test_no_table_does_more_than_be_refused(words: list[str], gap: str) -> None:
    try:
        found = parse(gap.join(words), NOON, LONDON)
    except Refused:
        return
    for schedule in found:
        (back,) = parse(text(schedule, LONDON), NOON, LONDON)
        assert back == schedule


def test_a_table_tells_whole_seconds() -> None:
    (schedule,) = parse("a: 23 April, 10:05 STOP", WRITTEN + timedelta(microseconds=1), LONDON)
    assert text(schedule, LONDON) == "a:\n23 April 2023, 10:05 STOP CHARGE\n"
    ((entry,), late) = (schedule.instructions, timedelta(microseconds=1))
    moved = Instruction(
        verb=entry.verb,
        interval=type(entry.interval)(entry.interval.start + late, entry.interval.end),
        power_w=0,
        expected_wh=0,
        reason="",
    )
    with pytest.raises(InvalidValue, match="whole seconds"):
        text(Schedule(asset=AssetId("a"), issued=WRITTEN, instructions=(moved,)), LONDON)

"""What diaries state: recorded exports of two calendars, the traps of RFC 5545, and text that is no calendar."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.flexibility.language import text
from commonwatt.flexibility.language.calendar import from_ics
from commonwatt.model import Interval, Reach, Refused

LONDON = ZoneInfo("Europe/London")
BERLIN = ZoneInfo("Europe/Berlin")
RECORDED = Path(__file__).parent / "calendars"
AUTUMN = Interval(datetime(2018, 10, 1, tzinfo=UTC), datetime(2018, 12, 1, tzinfo=UTC))
THINGS = {"car": "car-07", "garage battery": "battery-07"}


def entry(*lines: str, summary: str = "Leave 07:30\\, car 80 %") -> str:
    told = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:t", "BEGIN:VEVENT", "UID:1", f"SUMMARY:{summary}", *lines)
    return "\r\n".join((*told, "END:VEVENT", "END:VCALENDAR", ""))


def stated(ics: str, zone: ZoneInfo = LONDON, span: Interval = AUTUMN) -> list[str]:
    return [text(one, zone) for one in from_ics(ics, span, zone, things=THINGS)]


def times(ics: str, zone: ZoneInfo = LONDON) -> list[str]:
    """Return at what times a calendar's one level is wanted."""
    return [line.split(" at ")[1] for line in stated(ics, zone)]


@pytest.mark.row("X1")
def test_a_commuters_diary_states_each_departure_that_takes_place() -> None:
    assert stated((RECORDED / "google.ics").read_text()) == [
        "charge of car-07 >= 80% at 07:30 on 15 October 2018",
        "charge of car-07 >= 80% at 07:30 on 17 October 2018",
        "charge of car-07 >= 80% at 07:30 on 24 October 2018",
        "charge of car-07 >= 80% at 07:30 on 29 October 2018",
        "charge of car-07 >= 95% at 10:00 on 31 October 2018",
        "battery of battery-07 >= 2 kWh at 10:00 on 31 October 2018",
        "charge of car-07 >= 80% at 07:30 on 12 November 2018",
        "charge of car-07 >= 80% at 07:30 on 14 November 2018",
    ]


@pytest.mark.row("X1")
def test_sentences_in_a_description_take_the_time_of_their_entry() -> None:
    found = stated((RECORDED / "outlook.ics").read_text(), BERLIN)
    evenings = ("27 October 2018", "28 October 2018", "29 October 2018")
    warm = [f"temperature of living-room >= 20 C from 19:00 to 23:30 on {day} for comfort" for day in evenings]
    assert [line for line in found if ">= 20 C" in line] == warm
    assert [line for line in found if "<= 23 C" in line] == [line.replace(">= 20", "<= 23") for line in warm]
    assert f"power of car-07 <= 0 W from 19:00 to 23:30 on {evenings[1]}" in found
    assert "energy of owner anna <= 4 kWh from 00:00 on 26 October 2018 to 24:00 on 28 October 2018" in found
    assert len(found) == 10


@pytest.mark.parametrize(
    ("lines", "days"),
    [
        (["DTSTART;TZID=Europe/London:20181026T073000", "RRULE:FREQ=DAILY;UNTIL=20181029T073000Z"], [26, 27, 28, 29]),
        (["DTSTART;TZID=Europe/London:20181026T073000", "RRULE:FREQ=DAILY;UNTIL=20181029T072959Z"], [26, 27, 28]),
        (["DTSTART;TZID=Europe/London:20181026T073000", "RRULE:FREQ=DAILY;UNTIL=20181028"], [26, 27, 28]),
        (["DTSTART;TZID=Europe/London:20181026T073000", "RRULE:FREQ=DAILY;UNTIL=20181028T073000"], [26, 27, 28]),
        (["DTSTART;TZID=Europe/London:20181026T073000", "RRULE:FREQ=DAILY;INTERVAL=2;COUNT=2"], [26, 28]),
        (["DTSTART;TZID=Europe/London:20180901T073000", "RRULE:FREQ=WEEKLY;COUNT=6"], [6]),
        (["DTSTART:20181026T063000Z", "RRULE:FREQ=DAILY;COUNT=4", "EXDATE:20181027T063000Z"], [26, 28, 29]),
        (
            ["DTSTART;TZID=Europe/London:20181026T073000", "RRULE:FREQ=DAILY;COUNT=4", "EXDATE:20181027T063000Z"],
            [26, 28, 29],
        ),
        (
            ["DTSTART;TZID=Europe/London:20181026T073000", "RRULE:FREQ=DAILY;COUNT=4", "EXDATE;VALUE=DATE:20181029"],
            [26, 27, 28],
        ),
        (
            [
                "DTSTART;TZID=Europe/London:20181026T073000",
                "RRULE:FREQ=DAILY;COUNT=4",
                "EXDATE;TZID=Europe/Paris:20181028T083000,20181029T083000",
            ],
            [26, 27],
        ),
        (["DTSTART:20181026T073000", "RDATE:20181028T073000", "RDATE;VALUE=DATE:20181030"], [26, 28, 30]),
        (["DTSTART;VALUE=DATE:20181026", "RRULE:FREQ=DAILY;COUNT=2"], [26, 27]),
        (["DTSTART:20181026T073000", "STATUS:CANCELLED"], []),
    ],
)
def test_rules_end_and_leave_out_what_they_say_in_any_kind_of_time(lines: list[str], days: list[int]) -> None:
    assert times(entry(*lines)) == [f"07:30 on {day} October 2018" for day in days]


def test_local_time_stays_local_and_utc_stays_utc_when_clocks_change() -> None:
    rule = "RRULE:FREQ=DAILY;COUNT=3"
    london = entry("DTSTART;TZID=Europe/London:20181027T060000", rule, summary="Leave\\, car 80 %")
    assert times(london) == [f"06:00 on {day} October 2018" for day in (27, 28, 29)]
    universal = entry("DTSTART:20181027T050000Z", rule, summary="Leave\\, car 80 %")
    assert times(universal) == ["06:00 on 27 October 2018", "05:00 on 28 October 2018", "05:00 on 29 October 2018"]


def test_a_time_that_is_jumped_over_or_comes_twice_is_read_as_the_standard_says() -> None:
    spring = Interval(datetime(2018, 3, 1, tzinfo=UTC), datetime(2018, 4, 1, tzinfo=UTC))
    nightly = "DTSTART;TZID=Europe/London:{}T013000\r\nRRULE:FREQ=DAILY;COUNT=2"
    found = stated(entry(nightly.format("20180324"), summary="Leave\\, car 80 %"), span=spring)
    assert [line.split(" at ")[1] for line in found] == ["01:30 on 24 March 2018", "02:30 on 25 March 2018"]
    twice = entry(nightly.format("20181027"), summary="Leave\\, car 80 %")
    assert times(twice) == ["01:30 on 27 October 2018", "01:30 (first) on 28 October 2018"]


@pytest.mark.parametrize(
    ("ends", "window"),
    [
        ("DTEND;TZID=Europe/London:20181028T030000", "from 22:00 to 03:00"),
        ("DURATION:PT5H", "from 22:00 to 02:00"),  # five hours that pass, four by the clock
        ("DURATION:P1D", "from 22:00 to 22:00"),
    ],
)
def test_an_entry_lasts_as_long_as_it_says_through_a_clock_change(ends: str, window: str) -> None:
    ics = entry("DTSTART;TZID=Europe/London:20181027T220000", ends, summary="power of car <= 0 W")
    (line,) = stated(ics)
    assert line == f"power of car-07 <= 0 W {window} on 27 October 2018"


def test_a_departure_before_its_entry_begins_is_on_the_same_day() -> None:
    assert times(entry("DTSTART:20181023T080000", "DTEND:20181023T090000")) == ["07:30 on 23 October 2018"]
    assert times(entry("DTSTART:20181023T220000", "DTEND:20181024T090000")) == ["07:30 on 24 October 2018"]


def test_a_sentence_that_repeats_by_itself_is_stated_for_the_span_once() -> None:
    ics = entry(
        "DTSTART:20181023T080000",
        "RRULE:FREQ=DAILY;COUNT=3",
        summary="charge of car >= 80% at 07:30 every Monday until 6 November",
    )
    assert times(ics) == ["07:30 on 29 October 2018", "07:30 on 5 November 2018"]


@pytest.mark.parametrize(
    ("ics", "says"),
    [
        ("", "no calendar"),
        ("BEGIN:VCALENDAR", "no calendar"),
        ("charge of car >= 80% at 07:30", "no calendar"),
        (entry("DTSTART:20181023T080000", summary="Leave 07:30\\, car 180 %"), "at most 100"),
        (entry("DTSTART:20181023T080000", summary="Leave 7:30\\, car 80 %"), "did_you_mean 07:30"),
        (entry("DTSTART:20181023T080000", summary="charge of car >= 80 kWh"), "charge is not counted in kWh"),
        (entry("DTSTART:20181023T080000", summary="no longer: charge of car >= 80% at 07:30"), "take the entry out"),
        (entry("DTSTART:20181023T080000", summary="power of car <= 0 W"), "a window has a length"),
        (entry("DTSTART;TZID=Nowhere/Land:20181023T080000"), "time zone that is known"),
        # A zone is looked up as a file: one name is a folder's, the other is longer than any.
        (entry("DTSTART;TZID=Europe:20181023T080000"), "time zone that is known: zone 'Europe'$"),
        (entry(f"DTSTART;TZID=Europe/{'x' * 300}:20181023T080000"), "time zone that is known: zone 'Europe/x{73}'$"),
        (entry("DTSTART:2018x023T080000"), "cannot be read"),
        (entry("DTSTART:20181023T080000", "RRULE:FREQ=BANANA"), "cannot be read"),
        (entry("DTSTART:20181023T080000", "RRULE:FREQ=SECONDLY"), "by the day, week, month or year"),
        (entry("DTSTART:20181023T080000", "RRULE:FREQ=DAILY;BYSECOND=1,2,3"), "by the day, week, month or year"),
        (entry("DTSTART:10000101T080000", "RRULE:FREQ=DAILY"), "no earlier than 1970"),
        (entry("DTSTART:20181023T080000", "DTEND:20181023T070000"), "ends no earlier than it begins"),
        (entry("DTSTART:20181023T080000", "RECURRENCE-ID;RANGE=THISANDFUTURE:20181023T080000"), "moved at a time"),
        (entry(), "has a start"),
    ],
)
def test_a_calendar_that_cannot_be_meant_is_refused(ics: str, says: str) -> None:
    with pytest.raises(Refused, match=says):
        from_ics(ics, AUTUMN, LONDON)


def test_a_name_in_a_diary_is_one_of_its_owners_or_of_what_there_is() -> None:
    ics = entry("DTSTART:20181023T080000")
    names = {Reach.ASSET: ["car-07", "battery-07"]}
    assert from_ics(ics, AUTUMN, LONDON, names, THINGS)
    with pytest.raises(Refused, match=r"there is no such asset.*did_you_mean car-07"):
        from_ics(ics.replace("car 80", "car-O7 80"), AUTUMN, LONDON, names, THINGS)


def test_more_than_anybody_plans_is_refused() -> None:
    many = "\\n".join(f"charge of car-{number} >= 80%" for number in range(200))
    ics = entry("DTSTART:20181001T080000", "RRULE:FREQ=DAILY", f"DESCRIPTION:{many}", summary="fleet")
    with pytest.raises(Refused, match="too much"):
        from_ics(ics, AUTUMN, LONDON)


LINES = st.lists(
    st.sampled_from(
        [
            *("DTSTART:20181023T080000", "DTSTART;TZID=Europe/London:20181023T080000", "DTSTART;VALUE=DATE:20181023"),
            *("DTEND:20181024T080000Z", "DTEND;VALUE=DATE:20181025", "DURATION:P1D", "DURATION:-PT1H", "DURATION:x"),
            *(
                "RRULE:FREQ=DAILY;COUNT=0",
                "RRULE:FREQ=MONTHLY;BYDAY=5FR",
                "RRULE:COUNT=2",
                "RRULE:",
                "RRULE:FREQ=WEEKLY",
            ),
            *("RRULE:FREQ=YEARLY;BYMONTHDAY=31;BYMONTH=2", "RRULE:FREQ=DAILY;UNTIL=x", "RRULE:FREQ=DAILY;INTERVAL=0"),
            *("RDATE;VALUE=PERIOD:20181024T080000Z/PT1H", "RDATE:20181025T080000", "EXDATE:", "EXDATE:20181023T080000"),
            *("EXDATE;VALUE=DATE:20181023", "RECURRENCE-ID:20181023T080000", "RECURRENCE-ID:x", "STATUS:CANCELLED"),
            *("END:VEVENT", "BEGIN:VEVENT", "BEGIN:VTIMEZONE", "TZID:X", "END:VTIMEZONE", "SUMMARY:charge of a >= 1%"),
            *("DESCRIPTION:energy of a <= 1 Wh", "SUMMARY;X=", " folded", ":", ";", "DTSTART:99991231T235959Z"),
            *("DTSTART;TZID=X:20181023T080000", "RDATE;TZID=X:20181023T080000", "DTSTART:20181023", "DTSTART:080000"),
        ]
    ),
    max_size=8,
)


@given(st.one_of(LINES.map(lambda lines: entry(*lines)), st.text(max_size=60)))
def test_no_calendar_does_more_than_refuse(ics: str) -> None:
    try:
        found = from_ics(ics, AUTUMN, LONDON)
    except Refused:
        return
    for one in found:
        begins = one.at or (one.window and one.window.start)
        assert begins is not None and begins <= AUTUMN.end + timedelta(0)

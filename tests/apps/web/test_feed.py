"""A diary as a calendar: entries that calendars move and do not double, and a warning before a deadline."""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar, Component

from commonwatt.apps.views.diary import Diary, Entry, Waiting
from commonwatt.apps.views.wanted import Ready
from commonwatt.apps.web.feed import as_ics
from commonwatt.apps.web.words import Place, Words
from commonwatt.flexibility.language.calendar import from_ics
from commonwatt.model import AssetId, Consent, ConsentMode, Interval, instant

LONDON = ZoneInfo("Europe/London")
WORDS = Words("en", Place(name="Sunny Street", zone=LONDON, currency="GBP"))
CAR, NOW_S, HOUR_S = AssetId("car-05"), 1_542_214_800, 3_600


def _entry(start_s: int, power_w: int) -> Entry:
    return Entry(
        verb="",
        start_s=start_s,
        end_s=start_s + HOUR_S,
        power_w=power_w,
        expected_wh=power_w,
        reason="cheap; and clean",
    )


DIARY = Diary(
    asset=CAR,
    as_of_s=NOW_S,
    consent=Consent(mode=ConsentMode.ASK, decide_s=1_800),
    issued_s=NOW_S,
    entries=[_entry(NOW_S - 2 * HOUR_S, 7_000), _entry(NOW_S, 0), _entry(NOW_S + HOUR_S, 2_000)],
    waiting=Waiting(asset=CAR, issued_s=NOW_S, deadline_s=NOW_S + HOUR_S, entries=[_entry(NOW_S + HOUR_S, 1_000)]),
    ready=Ready(at_s=NOW_S + 14 * HOUR_S, percent=80, repeats=False, text=""),
)


def _events(diary: Diary) -> list[Component]:
    return list(Calendar.from_ical(as_ics(WORDS, [diary]).decode()).walk("VEVENT"))


@pytest.mark.row("E10")
def test_what_is_done_is_told_and_what_rests_or_is_over_is_not() -> None:
    does, ready, _ = _events(DIARY)
    assert str(does["SUMMARY"]).replace("\N{NO-BREAK SPACE}", " ") == "car-05: Charges, 2.0 kWh with up to 2.0 kW"
    assert does["DTSTART"].dt == instant(NOW_S + HOUR_S) and does["DTEND"].dt == instant(NOW_S + 2 * HOUR_S)
    assert str(does["DESCRIPTION"]) == "cheap; and clean"
    assert str(ready["SUMMARY"]) == "car-05: 80% full by now"


def test_who_has_to_decide_is_warned_a_quarter_hour_before() -> None:
    event = _events(DIARY)[-1]
    (alarm,) = event.walk("VALARM")
    assert event["DTSTART"].dt == instant(NOW_S + HOUR_S) and alarm["TRIGGER"].dt == -timedelta(minutes=15)


def test_an_entry_whose_power_changed_keeps_its_name_so_that_it_is_not_doubled() -> None:
    other = replace(DIARY, entries=[_entry(NOW_S + HOUR_S, 5_000)], as_of_s=NOW_S + 900)
    before, after = _events(DIARY)[0], _events(other)[0]
    assert before["UID"] == after["UID"] and before["SUMMARY"] != after["SUMMARY"]


def test_a_calendar_that_is_read_back_states_nothing_by_itself() -> None:
    span = Interval(instant(NOW_S), instant(NOW_S + 48 * HOUR_S))
    assert from_ics(as_ics(WORDS, [DIARY]).decode(), span, LONDON) == ()

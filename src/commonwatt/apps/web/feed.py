"""A member's diaries as an iCalendar file (RFC 5545), for the calendar that they look into anyway."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from icalendar import Alarm, Calendar, Event

from commonwatt.apps.views.alarms import AlarmView
from commonwatt.apps.views.diary import Diary, Spell, spells
from commonwatt.apps.web.reasons import said
from commonwatt.apps.web.words import Words
from commonwatt.model import instant

AGAIN_AFTER = timedelta(minutes=15)
"""How often a calendar should look again: each quarter-hour may bring a new plan."""
_WARN_BEFORE = timedelta(minutes=15)


def as_ics(words: Words, diaries: Sequence[Diary], visits: Sequence[AlarmView] = ()) -> bytes:
    """Return what stores will do, by when they are to be ready, by when their owner has to decide, and visits.

    Entries keep their UID as long as they begin at the same time, so that a calendar moves them and doubles none.

    Args:
        words: Whose language; times are UTC, which every calendar shows by its own clock.
        diaries: Of one account.
        visits: To its devices that need a look, as it accepted them.

    Source: RFC 5545; REFRESH-INTERVAL of RFC 7986, 5.7.
    """
    calendar = Calendar()
    calendar.add("prodid", "-//commonwatt//diary//EN")
    calendar.add("version", "2.0")
    calendar.add("name", words.place.name)
    calendar.add("x-wr-calname", words.place.name)
    calendar.add("refresh-interval", AGAIN_AFTER, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", "PT15M")
    for diary in diaries:
        for event in _events(words, diary):
            calendar.add_component(event)
    for one in visits:
        calendar.add_component(_visit(words, one))
    return bytes(calendar.to_ical())


def _events(words: Words, diary: Diary) -> Iterator[Event]:
    for spell in spells(diary.entries):
        if spell.way and spell.end_s > diary.as_of_s:
            summary = does(words, spell)
            yield _event(
                words,
                diary,
                "does",
                spell.start_s,
                spell.end_s,
                f"{diary.asset}: {summary}",
                said(words, spell.reason) or spell.reason,
            )
    if diary.ready is not None:
        wanted = words.percent(diary.ready.percent / 100)
        summary = words.say("{asset}: {percent} full by now", asset=diary.asset, percent=wanted)
        yield _event(words, diary, "ready", diary.ready.at_s, diary.ready.at_s, summary)
    if diary.waiting is not None:
        deadline_s = diary.waiting.deadline_s
        summary = words.say("{asset}: accept or decline its plan by now", asset=diary.asset)
        event = _event(words, diary, "decide", deadline_s, deadline_s, summary)
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", summary)
        alarm.add("trigger", -_WARN_BEFORE)
        event.add_component(alarm)
        yield event


def _visit(words: Words, one: AlarmView) -> Event:
    event = Event()
    event.add("uid", f"visit-{one.alarm.id}@{words.place.name}".replace(" ", "-"))
    event.add("dtstamp", instant(one.alarm.until_s))
    event.add("dtstart", instant(one.visit.start_s))
    event.add("dtend", instant(one.visit.end_s))
    event.add("summary", words.say("Have a look at {device}", device=one.alarm.asset))
    event.add("description", words.say(one.what_to_do))
    return event


def does(words: Words, spell: Spell) -> str:
    """Return what is done in a spell, as in Charges, 2.1 kWh with up to 3.7 kW."""
    energy, power = words.energy(spell.energy_wh), words.power(spell.most_w)
    if spell.way > 0:
        return words.say("Charges, {energy} with up to {power}", energy=energy, power=power)
    if spell.way < 0:
        return words.say("Supplies, {energy} with up to {power}", energy=energy, power=power)
    return words.say("Rests")


def _event(words: Words, diary: Diary, what: str, start_s: int, end_s: int, summary: str, why: str = "") -> Event:
    event = Event()
    event.add("uid", f"{what}-{diary.asset}-{start_s}@{words.place.name}".replace(" ", "-"))
    event.add("dtstamp", instant(diary.as_of_s))
    event.add("dtstart", instant(start_s))
    if end_s > start_s:
        event.add("dtend", instant(end_s))
    event.add("summary", summary)
    if why:
        event.add("description", why)
    event.add("transp", "TRANSPARENT")
    return event

"""When notices go: quiet hours by the clock on the wall, and tries that come further and further apart."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from carriers import LONDON
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.flows.notices.records import DAY_MINUTES, Topic, Wishes
from commonwatt.flows.notices.timing import FIRST_WAIT_S, LONGEST_WAIT_S, MOST_TRIES, held_until_s, next_try_s
from commonwatt.model import InvalidValue, epoch, instant

NIGHT = Wishes(person="p", quiet=(22 * 60, 7 * 60))


def at(text: str) -> int:
    return epoch(datetime.fromisoformat(text).astimezone(UTC))


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-01-10T21:59:59+00:00", "2026-01-10T21:59:59+00:00"),
        ("2026-01-10T22:00:00+00:00", "2026-01-11T07:00:00+00:00"),
        ("2026-01-11T03:00:00+00:00", "2026-01-11T07:00:00+00:00"),
        ("2026-01-11T07:00:00+00:00", "2026-01-11T07:00:00+00:00"),
        ("2026-03-28T23:00:00+00:00", "2026-03-29T07:00:00+01:00"),  # clocks go forward in this night
        ("2026-10-24T23:00:00+01:00", "2026-10-25T07:00:00+00:00"),  # and back in this one
    ],
)
def test_what_can_wait_waits_for_the_morning_by_the_clock_on_the_wall(now: str, until: str) -> None:
    assert held_until_s(NIGHT, Topic.BILL, LONDON, at(now)) == at(until)


def test_quiet_hours_are_of_the_zone_that_somebody_told() -> None:
    now_s = at("2026-01-10T20:00:00+00:00")
    assert held_until_s(NIGHT, Topic.BILL, LONDON, now_s) == now_s
    assert held_until_s(NIGHT, Topic.BILL, ZoneInfo("Asia/Kolkata"), now_s) == at("2026-01-11T07:00:00+05:30")


def test_what_is_urgent_comes_through_and_somebody_may_choose_what_that_is() -> None:
    now_s = at("2026-01-10T23:00:00+00:00")
    assert held_until_s(NIGHT, Topic.DEMAND, LONDON, now_s) == now_s
    assert held_until_s(NIGHT, Topic.SIGNED_IN, LONDON, now_s) == now_s
    sound = Wishes(person="p", quiet=NIGHT.quiet, through=frozenset({Topic.BILL}))
    assert held_until_s(sound, Topic.DEMAND, LONDON, now_s) > now_s
    assert held_until_s(sound, Topic.BILL, LONDON, now_s) == now_s
    assert held_until_s(sound, Topic.TRIAL, LONDON, now_s) == now_s


@given(
    st.integers(0, DAY_MINUTES - 1),
    st.integers(0, DAY_MINUTES - 1),
    st.integers(at("2026-01-01T00:00:00+00:00"), at("2027-01-01T00:00:00+00:00")),
    st.sampled_from(["Europe/London", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
)
def test_nothing_comes_in_quiet_hours_and_nothing_waits_for_more_than_a_day(
    begin: int, end: int, now_s: int, zone: str
) -> None:
    if begin == end:
        return
    wishes = Wishes(person="p", quiet=(begin, end))
    until_s = held_until_s(wishes, Topic.BILL, ZoneInfo(zone), now_s)
    assert now_s <= until_s <= now_s + timedelta(hours=25).total_seconds()
    assert held_until_s(wishes, Topic.BILL, ZoneInfo(zone), until_s) == until_s or _twice(until_s, zone)


def _twice(at_s: int, zone: str) -> bool:
    """Tell whether clocks change about then, so that a reading comes twice or never."""
    hours = (instant(at_s + 3_600 * step).astimezone(ZoneInfo(zone)).utcoffset() for step in (-3, 3))
    return len(set(hours)) == 2


@pytest.mark.parametrize("quiet", [(0, 0), (-1, 5), (0, DAY_MINUTES), (30, 30)])
def test_quiet_hours_that_are_none_are_refused(quiet: tuple[int, int]) -> None:
    with pytest.raises(InvalidValue):
        Wishes(person="p", quiet=quiet)


def test_tries_come_further_apart_and_end_within_about_a_day() -> None:
    at_s, waits = 0, list[int]()
    for tries in range(1, MOST_TRIES):
        due_s = next_try_s(tries, at_s)
        assert due_s is not None
        waits.append(due_s - at_s)
        at_s = due_s
    assert next_try_s(MOST_TRIES, at_s) is None
    assert waits == sorted(waits) and waits[0] == FIRST_WAIT_S and waits[-1] == LONGEST_WAIT_S
    assert 12 * 3_600 < at_s < 26 * 3_600


def test_who_asks_for_a_while_gets_it_but_not_for_ever() -> None:
    assert next_try_s(1, 0, asked_s=600) == 600
    assert next_try_s(1, 0, asked_s=10**9) == LONGEST_WAIT_S

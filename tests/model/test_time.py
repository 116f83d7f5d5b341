"""Intervals are half-open and in UTC; slots are quarters of an hour."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.model import SLOT, Interval, InvalidValue, epoch, instant, read_day, slot_from, slots_of

NOON = datetime(2018, 11, 14, 12, tzinfo=UTC)


def test_an_interval_holds_its_start_and_not_its_end() -> None:
    quarter = Interval(NOON, NOON + SLOT)
    assert NOON in quarter
    assert NOON + SLOT not in quarter


def test_neighbours_do_not_overlap() -> None:
    assert not Interval(NOON, NOON + SLOT).overlaps(Interval(NOON + SLOT, NOON + 2 * SLOT))
    assert Interval(NOON, NOON + SLOT).overlaps(Interval(NOON + SLOT / 2, NOON + 2 * SLOT))


@pytest.mark.parametrize(
    ("start", "end"),
    [(NOON.replace(tzinfo=None), NOON), (NOON, NOON), (NOON.astimezone(timezone(timedelta(hours=1))), NOON + SLOT)],
)
def test_an_interval_that_is_naive_empty_or_elsewhere_is_refused(start: datetime, end: datetime) -> None:
    with pytest.raises((InvalidValue, TypeError)):
        Interval(start, end)


@given(st.integers(0, 4 * 10**9))
def test_seconds_and_instants_agree(epoch_s: int) -> None:
    assert epoch(instant(epoch_s)) == epoch_s


def test_a_day_has_96_slots_and_a_slot_starts_on_a_quarter() -> None:
    slots = list(slots_of(Interval(NOON, NOON + timedelta(days=1))))
    assert (len(slots), slots[0].start, slots[-1].end) == (96, NOON, NOON + timedelta(days=1))
    with pytest.raises(InvalidValue, match="quarter"):
        slot_from(60)


@pytest.mark.parametrize("epoch_s", [2**40, -(2**40), 2**80])
def test_an_instant_of_no_year_is_refused_in_words(epoch_s: int) -> None:
    with pytest.raises(InvalidValue, match="years 1 to 9999"):
        instant(epoch_s)


@given(st.dates())
def test_a_day_has_one_form(day: date) -> None:
    assert read_day(day.isoformat()) == day


@pytest.mark.parametrize("text", ["", "20181114", "2018-W46-3", "2018-02-30", "2018-11-14 ", "0000-01-01"])
def test_what_is_no_day_is_refused_with_how_one_looks(text: str) -> None:
    with pytest.raises(InvalidValue, match="a day looks like 2018-11-14"):
        read_day(text)

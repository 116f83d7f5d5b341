"""What a meter would have counted: ten like days, and no more of the past than they need."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.metering.baseline import DayRows, adjustment_wh
from commonwatt.model import InvalidValue

FIRST = date(2026, 6, 1).toordinal()
"""A Monday."""
DAYS, SLOTS = 60, (0, 40, 95)


def plain_baseline(told: dict[tuple[int, int], int], called: set[int], day: int, slot: int) -> int | None:
    """Return the mean of ten like days as a child would: from everything there ever was."""
    weekend = date.fromordinal(day).weekday() >= 5
    like = [d for d in range(FIRST, day) if (date.fromordinal(d).weekday() >= 5) == weekend and d not in called]
    known = [told[d, slot] for d in reversed(like) if (d, slot) in told][:10]
    return round(sum(known) / len(known)) if len(known) >= 5 else None


@pytest.mark.row("W5")
@settings(max_examples=60)
@given(st.data())
def test_what_is_kept_is_enough_for_the_baseline_of_any_day_that_comes(data: st.DataObject) -> None:
    """All slots of a day are told, as a meter that works tells them; some days something is asked for."""
    rows, told, called = DayRows(), {}, set()
    asked = data.draw(st.sets(st.integers(0, DAYS - 1), max_size=25))
    for day in range(FIRST, FIRST + DAYS):
        assert rows.baseline_wh(day, SLOTS) == [plain_baseline(told, called, day, slot) for slot in SLOTS]
        if day - FIRST in asked:
            rows.call(day)
            called.add(day)
        for slot in SLOTS:
            wh = data.draw(st.integers(-5_000, 5_000))
            rows.put(day, slot, wh)
            told[day, slot] = wh
            assert rows.at(day, slot) == wh
        rows.forget_before(day - 2)
        assert len(rows.dump()) <= 26
    assert DayRows.load(rows.dump()).dump() == rows.dump()


def test_with_fewer_than_five_like_days_there_is_no_baseline() -> None:
    rows = DayRows()
    for day in range(4):
        rows.put(FIRST + day, 0, 100)
    assert rows.baseline_wh(FIRST + 4, [0]) == [None]
    rows.put(FIRST + 4, 0, 200)
    assert rows.baseline_wh(FIRST + 7, [0]) == [120]


def test_what_comes_late_for_a_day_long_gone_is_forgotten() -> None:
    rows = DayRows()
    for day in range(40):
        rows.put(FIRST + day, 0, 100)
    before = rows.dump()
    rows.put(FIRST, 0, 999)
    assert rows.dump() == before


def test_a_late_word_of_a_day_on_which_something_was_asked_makes_it_no_day_like_others() -> None:
    rows = DayRows()
    for day in range(21):
        rows.put(FIRST + day, 0, 100)
        if day == 1:
            rows.call(FIRST + day)
    rows.put(FIRST + 1, 0, 9_999)
    assert rows.baseline_wh(FIRST + 21, [0]) == [100]
    rows.rest()
    for day in range(5):
        rows.put(FIRST + day, 0, 100)
    assert rows.baseline_wh(FIRST + 7, [0]) == [None], "only four of these were like it"
    rows.rest()
    rows.forget_before(FIRST + 2)
    assert not rows, "nothing can be told any more of the day that was called"


def test_days_of_another_length_are_refused() -> None:
    with pytest.raises(InvalidValue, match="96 slots"):
        DayRows.load([(FIRST, False, bytes(8))])


@given(
    st.lists(st.tuples(st.none() | st.integers(-9_000, 9_000), st.none() | st.integers(-9_000, 9_000))),
    st.integers(0, 500),
)
def test_an_adjustment_is_the_mean_of_what_is_known_within_its_cap(
    slots: list[tuple[int | None, int | None]], most: int
) -> None:
    found = adjustment_wh([a for a, _ in slots], [b for _, b in slots], most)
    known = [a - b for a, b in slots if a is not None and b is not None]
    assert abs(found) <= most
    if not known:
        assert found == 0
    elif abs(sum(known)) <= most * len(known) - len(known):
        assert abs(found * len(known) - sum(known)) * 2 <= len(known)

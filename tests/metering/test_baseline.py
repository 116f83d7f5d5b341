"""A baseline is the mean of like days, as a few lines of plain code see it."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.metering.baseline import (
    LIKE_DAYS,
    LOOK_BACK_DAYS,
    DayColumns,
    adjustment_wh,
    baseline_wh,
    mean_of_like_days,
    working,
)
from commonwatt.model import InvalidValue

EVENT = date(2026, 6, 4).toordinal()
"""A Thursday."""
Days = dict[int, int]

known = st.dictionaries(st.integers(EVENT - 80, EVENT - 1), st.integers(-5_000, 5_000), max_size=80)
called = st.sets(st.integers(EVENT - 30, EVENT - 1), max_size=12)


def plainly(days: Days, called: set[int], day: int) -> int | None:
    """Return the mean of the ten latest like days by dates and floats that are exact enough for these sums."""
    weekend = date.fromordinal(day).weekday() >= 5
    like = [
        wh
        for ordinal, wh in sorted(days.items(), reverse=True)
        if day - LOOK_BACK_DAYS <= ordinal < day
        and (date.fromordinal(ordinal).weekday() >= 5) == weekend
        and ordinal not in called
    ][:10]
    return round(sum(like) / len(like)) if like else None


@pytest.mark.row("W5")
@given(known, called, st.integers(0, 6))
def test_the_mean_is_that_of_the_ten_latest_like_days_without_a_call(days: Days, called: set[int], later: int) -> None:
    day = EVENT + later
    found = mean_of_like_days(lambda ordinal, slot: days.get(ordinal), day, 7, called.__contains__)
    assert found == plainly(days, called, day)


@given(known, called)
def test_columns_remember_as_much_as_a_baseline_needs_and_no_more(days: Days, called: set[int]) -> None:
    """Day after day is noted, and some are taken out again because the meter was called on them."""
    columns = DayColumns()
    for ordinal in sorted(days):
        columns.note(ordinal, 7, days[ordinal])
        if ordinal in called:
            columns.call(ordinal)
        told = dict(columns.items())
        assert sum(working(one) for one in told) <= LIKE_DAYS >= sum(not working(one) for one in told)
    usual = {ordinal: wh for ordinal, wh in days.items() if ordinal not in called}
    for day in (EVENT, EVENT + 2):
        found = mean_of_like_days(columns.net_wh, day, 7, columns.called)
        assert found == plainly(usual, set(), day)
    again = DayColumns.load(list(columns.items()), columns.calls())
    assert again.digest() == columns.digest()


def test_a_day_that_is_called_before_it_is_told_has_no_column() -> None:
    columns = DayColumns()
    before = columns.digest()
    columns.call(EVENT)
    columns.note(EVENT, 7, 100)
    assert list(columns.items()) == []
    assert columns.called(EVENT)
    assert columns.digest() != before
    assert not columns.forget_calls(EVENT)
    assert columns.forget_calls(EVENT + 1)
    assert columns.digest() == before


def test_of_an_hour_that_the_clock_shows_twice_the_first_counts() -> None:
    columns = DayColumns()
    columns.note(EVENT, 7, 100)
    columns.note(EVENT, 7, 200)
    assert columns.net_wh(EVENT, 7) == 100
    assert columns.net_wh(EVENT, 8) is None


def test_working_days_are_monday_to_friday() -> None:
    monday = date(2026, 6, 1)
    week = [working((monday + timedelta(days=n)).toordinal()) for n in range(7)]
    assert week == [True] * 5 + [False] * 2


def test_columns_of_the_wrong_length_are_no_columns() -> None:
    for days, called in (([(EVENT, b"\0" * 4)], []), ([(EVENT, b"\0" * 384)], [EVENT]), ([(0, b"\0" * 384)], [])):
        with pytest.raises(InvalidValue, match="a day that was not called"):
            DayColumns.load(days, called)


@given(
    st.lists(st.tuples(st.none() | st.integers(-900, 900), st.none() | st.integers(-900, 900)), max_size=12),
    st.integers(0, 500),
)
def test_the_day_itself_moves_a_baseline_by_its_mean_difference_up_to_a_cap(
    both: list[tuple[int | None, int | None]], most: int
) -> None:
    apart = [took - mean for took, mean in both if took is not None and mean is not None]
    plain = round(sum(apart) / len(apart)) if apart else 0
    assert adjustment_wh([took for took, _ in both], [mean for _, mean in both], most) == max(-most, min(most, plain))


def test_a_baseline_is_capped_by_a_share_of_its_own_mean_size() -> None:
    mean = (400, None, -200)
    before = ([700], [100])
    assert baseline_wh(mean, before, 0) == mean
    assert baseline_wh(mean, before, 200) == (460, None, -140)
    assert baseline_wh(mean, before, 1_000) == (700, None, 100)
    assert baseline_wh((None,), before, 1_000) == (None,)
    with pytest.raises(InvalidValue, match="bounded by zero or more"):
        adjustment_wh([1], [0], -1)

"""Power becomes six words and comes back; several schedules become the one in force."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.flexibility.instructions import FULL_W, LEAST_W, compile, merge, powers
from commonwatt.flexibility.instructions.compiling import check_entry
from commonwatt.model import (
    SLOT,
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    GatewayId,
    Instruction,
    Interval,
    InvalidValue,
    Schedule,
    Verb,
)
from flexibility.instructions.schedules import NOON, schedules

CAR = AssetId("car-01")
POWERS = st.lists(st.sampled_from([0, 0, 1380, 7360, -3000, -1]) | st.integers(-(10**9), 10**9), max_size=100)


def planned(power_w: list[int], first: int = 0, issued: int = 0) -> Schedule:
    entries = compile(power_w, NOON + first * SLOT, reason=lambda first, mean_w: "cheap")
    return Schedule(asset=CAR, issued=NOON + issued * SLOT, instructions=entries)


@pytest.mark.row("X2")
@given(POWERS, st.integers(-(10**9), 10**9))
def test_what_was_compiled_asks_for_the_same_power_in_every_slot(power_w: list[int], before_w: int) -> None:
    entries = compile(power_w, NOON, before_w=before_w)
    told = Schedule(asset=CAR, issued=NOON, instructions=entries)
    assert powers(told, NOON, len(power_w)) == tuple(power_w)
    assert len(entries) == sum(now != before for now, before in zip(power_w, [None, *power_w], strict=False))
    for entry in entries:
        check_entry(entry)


@pytest.mark.row("X2")
def test_a_day_of_power_is_told_in_the_six_words() -> None:
    told = compile([2000, 2000, 3000, 1000, 0, -2000, -4000, -1000, 0], NOON)
    assert [(entry.verb, entry.power_w, entry.expected_wh) for entry in told] == [
        (Verb.START_CHARGE, 2000, 1000),
        (Verb.INCREASE_RATE, 3000, 750),
        (Verb.REDUCE_RATE, 1000, 250),
        (Verb.STOP_CHARGE, 0, 0),
        (Verb.SUPPLY, -2000, -500),
        (Verb.INCREASE_RATE, -4000, -1000),
        (Verb.REDUCE_RATE, -1000, -250),
        (Verb.STOP_SUPPLY, 0, 0),
    ]


def test_of_what_begins_within_a_slot_the_mean_counts_and_a_device_does_what_it_can() -> None:
    ten_minutes = Interval(NOON + timedelta(minutes=5), NOON + timedelta(minutes=15))
    entry = Instruction(verb=Verb.START_CHARGE, interval=ten_minutes, power_w=3000, expected_wh=500, reason="")
    told = Schedule(asset=CAR, issued=NOON, instructions=(entry,))
    assert powers(told, NOON - SLOT, 3) == (0, 2000, 0)
    car = Asset(
        id=CAR, owner=AccountId("m"), gateway=GatewayId("G"), kind=AssetKind.VEHICLE, zone="z",
        max_import_w=7360, max_export_w=0, min_import_w=1380,
    )  # fmt: skip
    for power_w, done_w in ((FULL_W, 7360), (LEAST_W, 1380)):
        full = replace(entry, interval=Interval(NOON, NOON + SLOT), power_w=power_w)
        assert powers(replace(told, instructions=(full,)), NOON, 1, car) == (done_w,)


@pytest.mark.row("X2")
def test_a_later_schedule_replaces_an_earlier_one_from_its_start_on() -> None:
    first, second = planned([1000] * 8), planned([2000, 0], first=4, issued=2)
    merged = merge([second, first])
    assert powers(merged, NOON, 8) == (1000, 1000, 1000, 1000, 2000, 0, 0, 0)
    assert (merged.issued, len(merged.instructions)) == (second.issued, 3)
    assert [entry.expected_wh for entry in merged.instructions] == [1000, 500, 0]
    nothing_more = Schedule(asset=CAR, issued=NOON + 3 * SLOT, instructions=())
    assert powers(merge([first, nothing_more]), NOON, 8) == (1000,) * 3 + (0,) * 5


def test_neighbours_that_ask_for_the_same_become_one_and_the_window_slides() -> None:
    merged = merge([planned([1000, 1000, 500]), planned([1000, 1000, 500], first=1, issued=1)])
    assert [(entry.power_w, entry.interval.seconds // 900) for entry in merged.instructions] == [(1000, 3), (500, 1)]
    assert [entry.expected_wh for entry in merged.instructions] == [750, 125]
    later = merge([merged], Interval(NOON + 2 * SLOT, NOON + 4 * SLOT))
    assert powers(later, NOON, 4) == (0, 0, 1000, 500)


@pytest.mark.row("X2")
@given(st.lists(schedules(), min_size=1, max_size=4))
def test_what_is_merged_does_at_every_time_what_the_newest_says_that_had_begun(drawn: list[Schedule]) -> None:
    merged = merge(drawn)
    ordered = sorted(drawn, key=lambda one: one.issued)
    edges = sorted({edge for one in drawn for e in one.instructions for edge in (e.interval.start, e.interval.end)})
    for at in edges:
        begun = [one for one in ordered if one.instructions[0].interval.start <= at]
        said = [e.power_w for e in begun[-1].instructions if at in e.interval] if begun else []
        assert [e.power_w for e in merged.instructions if at in e.interval] == said
    assert merge([merged]) == merged
    wide = Interval(edges[0], edges[-1])
    assert merge([merged], wide) == merged


def test_what_cannot_be_one_schedule_is_refused() -> None:
    with pytest.raises(InvalidValue, match="one asset"):
        merge([planned([1]), replace(planned([1]), asset=AssetId("car-02"))])
    with pytest.raises(InvalidValue, match="one asset"):
        merge([])
    twice = replace(planned([1]), instructions=planned([1]).instructions * 2)
    with pytest.raises(InvalidValue, match="one thing at a time"):
        merge([twice])


@pytest.mark.parametrize(
    ("verb", "power_w"),
    [(Verb.START_CHARGE, -1), (Verb.SUPPLY, 1), (Verb.STOP_CHARGE, 5), (Verb.REDUCE_RATE, 0), (Verb.SUPPLY, -(10**10))],
)
def test_a_word_takes_only_a_target_that_it_can_mean(verb: Verb, power_w: int) -> None:
    (entry,) = planned([1]).instructions
    with pytest.raises(InvalidValue, match=f"{verb} takes a power"):
        check_entry(replace(entry, verb=verb, power_w=power_w))

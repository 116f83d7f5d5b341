"""The log's time at a pace: never backwards, never past what comes next, and the same on a card."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.apps.pacing import Pacer
from commonwatt.model import SLOT_SECONDS, InvalidValue

NOON = 1_542_196_800


class Ticks:
    def __init__(self) -> None:
        self.ms = 5_000

    def __call__(self) -> int:
        return self.ms


def test_a_slot_lasts_as_long_as_its_pace_says_and_time_waits_for_what_is_due() -> None:
    ticks = Ticks()
    pacer = Pacer(ticks, 10_000, NOON)
    ticks.ms += 3_000
    assert pacer() == NOON, "nothing is due yet, so nothing passes"
    pacer.go_on(NOON + SLOT_SECONDS)
    assert pacer() == NOON + 270, "what was lost is made up for"
    assert pacer.left_ms() == 7_000
    ticks.ms += 7_000
    assert (pacer(), pacer.left_ms()) == (NOON + SLOT_SECONDS, 0)
    ticks.ms += 4_000
    assert (pacer(), pacer.left_ms()) == (NOON + SLOT_SECONDS, 0)
    pacer.go_on(NOON + 2 * SLOT_SECONDS)
    assert pacer() == NOON + SLOT_SECONDS + 360


def test_who_falls_behind_by_a_slot_makes_nothing_up() -> None:
    ticks = Ticks()
    pacer = Pacer(ticks, 10_000, NOON)
    ticks.ms += 10_000
    pacer.go_on(NOON + 30)
    assert pacer() == NOON
    ticks.ms += 333
    assert pacer() == NOON + 29


def test_time_is_not_let_pass_backwards_and_a_slot_lasts_some_time() -> None:
    pacer = Pacer(Ticks(), 10_000, NOON)
    with pytest.raises(InvalidValue, match="does not run backwards"):
        pacer.go_on(NOON - 1)
    with pytest.raises(InvalidValue, match="a millisecond or more"):
        Pacer(Ticks(), 0, NOON)


@given(
    st.integers(1, 1_000_000),
    st.lists(st.tuples(st.integers(0, 100_000), st.none() | st.integers(0, 2_000)), max_size=40),
)
def test_the_clock_never_runs_backwards_nor_past_what_is_due_and_its_card_shows_the_same(
    slot_ms: int, steps: list[tuple[int, int | None]]
) -> None:
    ticks, due_s, seen_s = Ticks(), NOON, NOON
    pacer = Pacer(ticks, slot_ms, NOON)
    for passed_ms, further_s in steps:
        ticks.ms += passed_ms
        if further_s is not None:
            due_s += further_s
            pacer.go_on(due_s)
        assert seen_s <= pacer() <= due_s
        seen_s = pacer()
        assert pacer.card(ticks.ms + 10**12).at(ticks.ms + 10**12) == seen_s
        if not pacer.left_ms():
            assert pacer() >= due_s - 1

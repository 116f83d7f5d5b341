"""A counter's values become energy, and nothing is lost or invented however it turns, resets or is corrected."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.metering.batch import Flag
from commonwatt.metering.registers import Gap, Happened, Register, Reset, Step, advance, difference
from commonwatt.model import MAX_SAFE_INTEGER, AssetId, InvalidValue, Reading, slot_from

POWER_W = 4000
SIX_DIGITS_OF_KWH = 10**9
T0 = 1_750_000_500
KNOWN = Register(value_wh=5000, at_s=T0, rollover_at_wh=SIX_DIGITS_OF_KWH)
FULL = Register(value_wh=SIX_DIGITS_OF_KWH - 300, at_s=T0, rollover_at_wh=SIX_DIGITS_OF_KWH)


def told(register: Register, value_wh: int, after_s: int = 900, reset: Reset | None = None) -> Step:
    return advance(register, value_wh, T0 + after_s, POWER_W, reset)


def test_a_counter_that_moved_on_tells_the_energy_between() -> None:
    step = told(KNOWN, 5700)
    assert (step.happened, step.energy_wh, step.from_s, step.to_s) == (Happened.COUNTED, 700, T0, T0 + 900)
    assert step.register == replace(KNOWN, value_wh=5700, at_s=T0 + 900, since_s=T0, counted_wh=700)
    assert step.flag is Flag.NONE


def test_a_counter_that_stood_still_tells_that_nothing_flowed() -> None:
    step = told(KNOWN, 5000)
    assert (step.happened, step.energy_wh, step.register.at_s) == (Happened.COUNTED, 0, T0 + 900)


def test_a_counter_past_its_last_digit_begins_again() -> None:
    step = told(FULL, 400)
    assert (step.happened, step.energy_wh, step.flag) == (Happened.ROLLED_OVER, 700, Flag.ROLLED_OVER)


@pytest.mark.row("M6")
def test_a_counter_above_the_registered_limit_is_doubted() -> None:
    assert told(KNOWN, 6001).happened is Happened.COUNTED
    step = told(KNOWN, 6002)
    assert (step.happened, step.register, step.energy_wh) == (Happened.DOUBTED, KNOWN, 0)
    assert step.why == "register ran above registered limit: found 1002 Wh, limit 1001 Wh"


@pytest.mark.row("M6")
def test_a_counter_that_ran_backwards_is_doubted_unless_a_roll_over_is_within_the_limit() -> None:
    assert told(KNOWN, 4999).why.startswith("register ran backwards: found 4999 Wh after 5000 Wh, as a roll-over")
    assert told(FULL, 701).happened is Happened.ROLLED_OVER
    assert told(FULL, 702).why.startswith("register ran backwards")
    endless = replace(KNOWN, rollover_at_wh=None)
    assert told(endless, 4999).why == "register ran backwards: found 4999 Wh after 5000 Wh"


def test_a_small_counter_silent_for_long_may_have_gone_round_unseen() -> None:
    small = Register(value_wh=100, at_s=T0, rollover_at_wh=2**16)
    assert told(small, 200, 16 * 3600).happened is Happened.COUNTED
    assert told(small, 200, 17 * 3600).why == (
        "register may have gone round unseen: found 100 Wh, possible 65636 Wh"
    )  # fmt: skip


def test_a_counter_of_whole_kwh_may_stand_between_two() -> None:
    coarse = replace(KNOWN, resolution_wh=1000)
    assert told(coarse, 6000, 60).energy_wh == 1000
    assert told(KNOWN, 6000, 60).happened is Happened.DOUBTED


def test_an_announced_reset_counts_from_there_and_leaves_a_gap_to_estimate() -> None:
    step = told(KNOWN, 300, 1800, Reset(at_s=T0 + 900))
    assert (step.happened, step.energy_wh, step.from_s, step.to_s) == (Happened.RESET, 300, T0 + 900, T0 + 1800)
    assert step.gap == Gap(T0, T0 + 900, 1001)
    assert (step.register.resets, step.register.value_wh, step.flag) == (1, 300, Flag.RESET)


def test_an_exchanged_meter_whose_last_value_was_read_leaves_no_gap() -> None:
    step = told(KNOWN, 12_300, 1800, Reset(at_s=T0 + 900, from_wh=5700, to_wh=12_000))
    assert (step.energy_wh, step.from_s, step.to_s, step.gap) == (1000, T0, T0 + 1800, None)


def test_a_reset_at_the_moment_of_the_last_value_leaves_no_gap() -> None:
    step = told(KNOWN, 0, 0, Reset(at_s=T0))
    assert (step.happened, step.energy_wh, step.gap, step.register.value_wh) == (Happened.RESET, 0, None, 0)


@pytest.mark.parametrize(
    ("value_wh", "reset", "why"),
    [
        (300, Reset(at_s=T0 - 1), "reset lies outside the time since the last value"),
        (300, Reset(at_s=T0 + 1801), "reset lies outside the time since the last value"),
        (1002, Reset(at_s=T0 + 900), "register ran above registered limit: found 1002 Wh"),
        (299, Reset(at_s=T0 + 900, to_wh=300), "register ran backwards"),
        (300, Reset(at_s=T0 + 900, from_wh=4999), "register ran backwards"),
        (300, Reset(at_s=T0 + 900, from_wh=6002), "register ran above registered limit"),
        (300, Reset(at_s=T0 + 900, from_wh=SIX_DIGITS_OF_KWH), "value lies outside the counter"),
        (300, Reset(at_s=T0 + 900, to_wh=-1), "value lies outside the counter"),
    ],
)
def test_a_reset_that_cannot_be_true_is_doubted(value_wh: int, reset: Reset, why: str) -> None:
    step = told(KNOWN, value_wh, 1800, reset)
    assert (step.happened, step.register, step.energy_wh, step.gap) == (Happened.DOUBTED, KNOWN, 0, None)
    assert step.why.startswith(why)


def test_the_same_value_of_the_same_moment_is_a_repeat() -> None:
    step = told(KNOWN, 5000, 0)
    assert (step.happened, step.register, step.energy_wh) == (Happened.REPEATED, KNOWN, 0)
    after = told(KNOWN, 300, 900, Reset(at_s=T0 + 900 - 300)).register
    assert told(after, 300, 900, Reset(at_s=T0 + 900 - 300)).happened is Happened.REPEATED


def test_another_value_of_the_same_moment_is_a_correction_that_books_the_difference() -> None:
    wrong = told(KNOWN, 5700).register
    step = told(wrong, 5650)
    assert (step.happened, step.energy_wh, step.from_s, step.to_s) == (Happened.CORRECTED, -50, T0, T0 + 900)
    assert step.register == told(KNOWN, 5650).register
    assert step.flag is Flag.CORRECTS
    assert told(step.register, 5650 + 100, 1800).energy_wh == 100


def test_a_correction_reaches_across_a_roll_over() -> None:
    wrong = told(FULL, 400).register
    step = told(wrong, FULL.value_wh + 100)
    assert (step.happened, step.energy_wh, step.register.counted_wh) == (Happened.CORRECTED, -600, 100)


@pytest.mark.row("M6")
@pytest.mark.parametrize("value_wh", [4999, 6002])
def test_a_correction_that_its_own_step_cannot_hold_is_doubted(value_wh: int) -> None:
    wrong = told(KNOWN, 5700).register
    assert told(wrong, value_wh).happened is Happened.DOUBTED
    assert told(wrong, value_wh).register == wrong


@pytest.mark.row("M6")
def test_a_correction_after_a_reset_has_only_the_time_since_the_reset() -> None:
    wrong = told(KNOWN, 300, 1800, Reset(at_s=T0 + 900)).register
    step = told(wrong, 1001, 1800)
    assert (step.happened, step.energy_wh, step.from_s) == (Happened.CORRECTED, 701, T0 + 900)
    assert told(wrong, 1002, 1800).why == "register ran above registered limit: found 1002 Wh, limit 1001 Wh"


def test_a_corrected_first_value_moves_the_beginning_and_books_nothing() -> None:
    step = told(KNOWN, 4000, 0)
    assert (step.happened, step.energy_wh, step.register.value_wh) == (Happened.CORRECTED, 0, 4000)


def test_an_older_moment_is_late_and_changes_nothing() -> None:
    step = told(KNOWN, 4000, -900)
    assert (step.happened, step.register, step.energy_wh) == (Happened.LATE, KNOWN, 0)


@pytest.mark.parametrize(
    ("value_wh", "after_s", "why"),
    [
        (-1, 900, "value lies outside the counter: found -1 Wh"),
        (SIX_DIGITS_OF_KWH, 900, "value lies outside the counter"),
        (5000, 10**12, "moment lies outside the years 1970 to 3000"),
        (5000, -T0 - 1, "moment lies outside the years 1970 to 3000: found -1 s"),
    ],
)
def test_a_value_that_no_counter_shows_is_doubted(value_wh: int, after_s: int, why: str) -> None:
    assert told(KNOWN, value_wh, after_s).why.startswith(why)


def test_a_counter_without_end_ends_where_whole_numbers_do() -> None:
    endless = replace(KNOWN, rollover_at_wh=None)
    assert told(endless, MAX_SAFE_INTEGER + 1).why.startswith("value lies outside the counter")


@pytest.mark.parametrize(
    "more",
    [
        {"value_wh": SIX_DIGITS_OF_KWH},
        {"value_wh": -1},
        {"at_s": -1},
        {"rollover_at_wh": 0},
        {"rollover_at_wh": MAX_SAFE_INTEGER + 1},
        {"resolution_wh": 0},
        {"resets": -1},
        {"counted_wh": -1},
        {"since_s": T0 + 1},
    ],
)
def test_a_register_refuses_to_be_wrong(more: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        replace(KNOWN, **more)


@dataclass
class Meter:
    """A counter as it is, with the energy that truly went through it."""

    shown_wh: int
    rollover_wh: int | None
    through_wh: int = 0

    def run(self, wh: int) -> None:
        self.through_wh += wh
        self.shown_wh += wh
        if self.rollover_wh is not None:
            self.shown_wh %= self.rollover_wh


@given(st.data(), st.sampled_from([None, 2**14, 10**5, SIX_DIGITS_OF_KWH]))
@settings(max_examples=300)
def test_energy_is_conserved_over_roll_overs_resets_repeats_and_corrections(data: Any, rollover_wh: int | None) -> None:
    """What steps book and gaps leave is what went through."""
    start_wh = data.draw(st.integers(0, (rollover_wh or 10**9) - 1))
    meter = Meter(start_wh, rollover_wh)
    register = Register(value_wh=start_wh, at_s=T0, rollover_at_wh=rollover_wh)
    booked_wh = untold_wh = resets = 0
    for _ in range(data.draw(st.integers(1, 8))):
        before_s, after_s = data.draw(st.integers(1, 3600)), data.draw(st.integers(0, 3600))
        before_wh = data.draw(st.integers(0, POWER_W * before_s // 3600))
        after_wh = data.draw(st.integers(0, POWER_W * after_s // 3600))
        meter.run(before_wh)
        reset = None
        if data.draw(st.booleans()):
            read = data.draw(st.booleans())
            to_wh = data.draw(st.integers(0, (rollover_wh or 10**9) - 1))
            reset = Reset(at_s=register.at_s + before_s, from_wh=meter.shown_wh if read else None, to_wh=to_wh)
            meter.shown_wh = to_wh
            untold_wh += 0 if read else before_wh
            resets += 1
        meter.run(after_wh)
        at_s = register.at_s + before_s + after_s
        step = advance(register, meter.shown_wh, at_s, POWER_W, reset)
        assert step.happened in (Happened.COUNTED, Happened.ROLLED_OVER, Happened.RESET)
        assert (step.gap is None) == (reset is None or reset.from_wh is not None)
        assert step.gap is None or before_wh <= step.gap.most_wh
        booked_wh += step.energy_wh
        register = step.register
        misread_wh = meter.shown_wh + data.draw(st.integers(-500, 500))
        misread = advance(register, misread_wh % (rollover_wh or 2**40), at_s, POWER_W)
        put_right = advance(misread.register, meter.shown_wh, at_s, POWER_W)
        assert put_right.happened in (Happened.CORRECTED, Happened.REPEATED)
        booked_wh += misread.energy_wh + put_right.energy_wh
        assert put_right.register == register
        late = advance(register, 0, at_s - 1, POWER_W)
        assert (late.happened, late.register, late.energy_wh) == (Happened.LATE, register, 0)
    assert booked_wh + untold_wh == meter.through_wh
    assert register.resets == resets


@given(st.integers(1, 50), st.data(), st.integers(0, 100))
@settings(max_examples=300)
def test_a_value_is_believed_exactly_where_one_number_of_turns_fits(rollover_wh: int, data: Any, hours: int) -> None:
    shown = st.integers(0, rollover_wh - 1)
    from_wh, to_wh = data.draw(shown), data.draw(shown)
    register = Register(value_wh=from_wh, at_s=T0, rollover_at_wh=rollover_wh)
    step = advance(register, to_wh, T0 + 3600 * hours + 1, 1)
    possible = [wh for wh in range(hours + 2) if (from_wh + wh) % rollover_wh == to_wh]
    assert (step.happened is not Happened.DOUBTED) == (len(possible) == 1)
    assert step.energy_wh == (possible[0] if len(possible) == 1 else 0)


ANY = st.integers(-(2**70), 2**70)


@given(ANY, ANY, ANY, st.none() | st.builds(Reset, at_s=ANY, from_wh=st.none() | ANY, to_wh=ANY))
def test_no_number_stops_a_register(value_wh: int, at_s: int, power_w: int, reset: Reset | None) -> None:
    assert advance(KNOWN, value_wh, at_s, power_w, reset).happened in Happened


ASSET = AssetId("battery-01")


def reading(import_wh: int, export_wh: int, level_wh: int | None, asset: AssetId = ASSET, slot_s: int = 0) -> Reading:
    return Reading(
        asset=asset, interval=slot_from(slot_s), import_wh=import_wh, export_wh=export_wh, level_wh=level_wh
    )  # fmt: skip


def test_a_correction_books_the_signed_difference() -> None:
    found = difference(reading(500, 0, 3000), reading(450, 20, 2900))
    assert (found.import_wh, found.export_wh, found.level_wh) == (-50, 20, -100)
    assert (found.asset, found.interval) == (ASSET, slot_from(0))
    assert not found.is_nothing


def test_the_same_reading_again_differs_by_nothing() -> None:
    assert difference(reading(500, 0, 3000), reading(500, 0, 3000)).is_nothing
    assert difference(reading(500, 0, None), reading(500, 0, None)).is_nothing
    assert not difference(reading(500, 0, 3000), reading(500, 0, 3001)).is_nothing


def test_a_level_differs_only_where_both_tell_one() -> None:
    assert difference(reading(0, 0, None), reading(0, 0, 10)).level_wh is None
    assert difference(reading(0, 0, 10), reading(0, 0, None)).level_wh is None


COUNTS = st.tuples(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9))


@given(st.lists(COUNTS, min_size=1, max_size=6))
def test_however_often_it_is_corrected_the_last_word_stands(versions: list[tuple[int, int, int]]) -> None:
    readings = [reading(*counts) for counts in versions]
    steps = [difference(old, new) for old, new in pairwise(readings)]
    assert versions[0][0] + sum(step.import_wh for step in steps) == versions[-1][0]
    assert versions[0][1] + sum(step.export_wh for step in steps) == versions[-1][1]
    assert versions[0][2] + sum(step.level_wh or 0 for step in steps) == versions[-1][2]


def test_a_correction_is_of_the_same_asset_and_interval() -> None:
    for other in (reading(1, 1, 1, asset=AssetId("other")), reading(1, 1, 1, slot_s=900)):
        with pytest.raises(InvalidValue, match="same asset and interval"):
            difference(reading(1, 1, 1), other)

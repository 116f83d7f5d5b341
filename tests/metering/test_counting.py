"""Whatever of a meter is read, and whenever, what is told in the end is what its counters counted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.metering.batch import Flag, Item, Quality, encode_items
from commonwatt.metering.check import fault
from commonwatt.metering.counting import KEPT_S, LONGEST_S, Count, Counted, Told, announce, begin, missed, read
from commonwatt.metering.parting import Exchange, Shown
from commonwatt.model import SLOT_SECONDS, AccountId, Asset, AssetId, AssetKind, GatewayId, InvalidValue

UTC = ZoneInfo("UTC")
DAY_S = 86_400
T0 = 1_750_032_000
"""A Monday, 16 June 2025, midnight UTC."""
ROLLOVER_WH = 10**9
HOME = Asset(
    id=AssetId("home"),
    owner=AccountId("m"),
    gateway=GatewayId("g"),
    kind=AssetKind.CONNECTION,
    zone="z",
    max_import_w=4000,
    max_export_w=4000,
)
BATTERY = replace(HOME, kind=AssetKind.BATTERY, capacity_wh=10_000, charge_permille=900, discharge_permille=900)
USUAL_WH = 120


def slot(number: int) -> int:
    return T0 + number * SLOT_SECONDS


def shown(after: int, import_wh: int, export_wh: int = 0) -> Shown:
    """Return what the counters show after so many slots."""
    return Shown(at_s=slot(after), import_wh=import_wh, export_wh=export_wh)


def fresh(import_wh: int = 0, *, usual: bool = False) -> Count:
    """Return a meter just read for the first time, with a week behind it where that is asked."""
    count = begin(3, shown(0, import_wh), ROLLOVER_WH)
    days = (3, 4, 5, 6, 7) if usual else ()
    past = [Counted(slot(k) - day * DAY_S, USUAL_WH, 10) for day in sorted(days, reverse=True) for k in range(96)]
    return replace(count, past=tuple(past))


def take(count: Count, *values: Shown, asset: Asset = HOME, levels: Iterable[tuple[int, int]] = ()) -> Told:
    return read(count, asset, values, UTC, levels)


def said(told: Told) -> list[tuple[int, int, int, Quality, Flag]]:
    return [((i.start_s - T0) // SLOT_SECONDS, i.import_wh, i.export_wh, i.quality, i.flags) for i in told.items]


@pytest.mark.row("H9")
def test_a_meter_that_is_read_every_slot_tells_what_each_slot_counted() -> None:
    one = take(fresh(), shown(1, 300, 7))
    two = take(one.count, shown(2, 800, 7))
    assert said(one) == [(0, 300, 7, Quality.MEASURED, Flag.NONE)]
    assert said(two) == [(1, 500, 0, Quality.MEASURED, Flag.NONE)]
    assert {item.register for item in (*one.items, *two.items)} == {3}


def test_the_same_value_again_tells_nothing_new() -> None:
    once = take(fresh(), shown(1, 300))
    again = take(once.count, shown(1, 300), shown(1, 300))
    assert (again.items, again.doubts, again.count) == ((), (), once.count)


def test_a_counter_past_its_last_digit_goes_on_and_says_so() -> None:
    told = take(fresh(ROLLOVER_WH - 100), shown(1, 250))
    assert said(told) == [(0, 350, 0, Quality.MEASURED, Flag.ROLLED_OVER)]


def test_an_unread_slot_is_guessed_by_like_days_and_marked() -> None:
    told = missed(fresh(usual=True), HOME, slot(0), UTC)
    assert said(told) == [(0, USUAL_WH, 10, Quality.ESTIMATED, Flag.NONE)]
    assert not Quality.ESTIMATED.mints
    assert missed(told.count, HOME, slot(0), UTC).items == (), "once is enough"


def test_without_like_days_nothing_is_guessed() -> None:
    assert missed(fresh(), HOME, slot(0), UTC).items == ()


def test_slots_of_which_only_the_sum_is_known_come_to_it_and_stay_estimates() -> None:
    guessed = missed(fresh(usual=True), HOME, slot(0), UTC)
    told = take(guessed.count, shown(3, 901, 30))
    assert said(told) == [
        (0, 301, 10, Quality.ESTIMATED, Flag.CORRECTS),
        (1, 300, 10, Quality.ESTIMATED, Flag.NONE),
        (2, 300, 10, Quality.ESTIMATED, Flag.NONE),
    ]


def test_a_meters_own_record_replaces_the_estimates_by_what_was_counted() -> None:
    summed = take(fresh(), shown(3, 900))
    told = take(summed.count, shown(2, 850), shown(1, 0))
    assert said(told) == [
        (0, 0, 0, Quality.MEASURED, Flag.CORRECTS),
        (1, 850, 0, Quality.MEASURED, Flag.CORRECTS),
        (2, 50, 0, Quality.MEASURED, Flag.CORRECTS),
    ]


def test_no_guess_feeds_on_guesses() -> None:
    told = take(take(fresh(), shown(1, 100)).count, shown(3, 900))
    assert [slot.slot_s for slot in told.count.past] == [slot(0)]
    assert [slot.import_wh for slot in take(told.count, shown(2, 300)).count.past] == [100, 200, 600]


def test_half_a_record_leaves_the_other_half_estimated() -> None:
    summed = take(fresh(), shown(3, 900))
    told = take(summed.count, shown(1, 100))
    assert said(told) == [
        (0, 100, 0, Quality.MEASURED, Flag.CORRECTS),
        (1, 400, 0, Quality.ESTIMATED, Flag.CORRECTS),
        (2, 400, 0, Quality.ESTIMATED, Flag.CORRECTS),
    ]


def test_a_late_value_that_does_not_fit_its_sum_is_doubted_and_changes_nothing() -> None:
    summed = take(fresh(), shown(3, 900))
    told = take(summed.count, shown(1, 1000))
    assert (told.items, told.count) == ((), summed.count)
    assert told.doubts[0].startswith("register ran backwards")


def test_a_late_value_by_which_a_small_counter_would_have_gone_round_unseen_is_doubted() -> None:
    small = begin(3, shown(0, 0), rollover_at_wh=2_000)
    summed = take(small, shown(2, 2, 2))
    told = take(summed.count, shown(1, 1_001, 1))
    assert (told.items, told.count) == ((), summed.count)
    assert told.doubts == ("a late value parts a sum and leaves it: found 2002 and 2 Wh, sum 2 and 2 Wh",)


def test_a_late_value_of_what_was_counted_already_tells_nothing() -> None:
    one = take(fresh(), shown(1, 300))
    two = take(one.count, shown(2, 600))
    assert (late := take(two.count, shown(1, 299))).items == ()
    assert late.count == two.count


def test_a_corrected_value_books_its_slot_anew_and_the_next_goes_on_from_it() -> None:
    wrong = take(fresh(), shown(1, 700))
    right = take(wrong.count, shown(1, 650))
    assert said(right) == [(0, 650, 0, Quality.MEASURED, Flag.CORRECTS)]
    assert said(take(right.count, shown(2, 800)))[0][:2] == (1, 150)


def test_a_correction_after_a_stretch_was_parted_is_judged_by_what_is_left_of_it() -> None:
    parted = take(take(fresh(), shown(3, 900)).count, shown(2, 800))
    assert take(parted.count, shown(3, 1802)).doubts, "1002 Wh in one slot pass the limit"
    assert said(take(parted.count, shown(3, 1000))) == [(2, 200, 0, Quality.MEASURED, Flag.CORRECTS)]


def test_a_corrected_first_value_tells_nothing_yet() -> None:
    told = take(fresh(500), shown(0, 400))
    assert told.items == ()
    assert said(take(told.count, shown(1, 500)))[0][1] == 100


def test_an_exchanged_meter_that_was_read_out_loses_nothing() -> None:
    count = announce(fresh(7_000), Exchange(at_s=T0 + 300, last=(7_200, 0), first=(50, 9)))
    told = take(count, shown(1, 450, 9))
    assert said(told) == [(0, 600, 0, Quality.MEASURED, Flag.RESET)]
    assert told.count.imported.resets == 1
    assert take(told.count, shown(1, 450, 9)).items == ()


def test_at_the_very_moment_of_a_reset_a_meter_still_shows_what_it_came_to() -> None:
    count = announce(fresh(7_000), Exchange(at_s=slot(1), last=(7_200, 0)))
    old = take(count, shown(1, 7_200))
    assert said(old) == [(0, 200, 0, Quality.MEASURED, Flag.NONE)]
    assert said(take(old.count, shown(2, 60))) == [(1, 60, 0, Quality.MEASURED, Flag.RESET)]
    late = take(take(count, shown(2, 60)).count, shown(1, 7_200))
    assert [told[:4] for told in said(late)] == [(0, 200, 0, Quality.MEASURED), (1, 60, 0, Quality.MEASURED)]


def test_a_correction_after_a_reset_keeps_it() -> None:
    count = announce(fresh(7_000), Exchange(at_s=T0 + 300, last=(7_200, 0)))
    told = take(take(count, shown(1, 60)).count, shown(1, 70))
    assert said(told) == [(0, 270, 0, Quality.MEASURED, Flag.CORRECTS | Flag.RESET)]
    assert told.count.imported.resets == told.count.exported.resets == 1


def test_a_slot_of_which_a_reset_lost_a_part_is_not_measured() -> None:
    told = take(announce(fresh(7_000), Exchange(at_s=T0 + 300)), shown(1, 60))
    assert said(told) == [(0, 60, 0, Quality.ESTIMATED, Flag.RESET)]


def test_an_announcement_that_was_wrong_is_set_right_by_another_of_the_same_moment() -> None:
    wrong = announce(fresh(7_000), Exchange(at_s=T0 + 300, last=(6_200, 0)))
    doubted = take(wrong, shown(1, 60))
    assert doubted.doubts[0].startswith("register ran backwards")
    right = announce(doubted.count, Exchange(at_s=T0 + 300, last=(7_200, 0)))
    assert said(take(right, shown(1, 60))) == [(0, 260, 0, Quality.MEASURED, Flag.RESET)]


def test_what_a_reset_lost_is_estimated_by_like_days_and_what_came_after_is_kept() -> None:
    """Two slots and a third of one went by unread before the reset; 400 Wh after it stand on the new counter."""
    count = announce(fresh(7_000, usual=True), Exchange(at_s=slot(2) + 300))
    told = take(count, shown(3, 400))
    assert said(told) == [
        (0, USUAL_WH, 10, Quality.ESTIMATED, Flag.NONE),
        (1, USUAL_WH, 10, Quality.ESTIMATED, Flag.NONE),
        (2, 400 + USUAL_WH // 3, 3, Quality.ESTIMATED, Flag.RESET),
    ]
    unusual = take(announce(fresh(7_000), Exchange(at_s=slot(2) + 300)), shown(3, 400))
    assert said(unusual) == [(2, 400, 0, Quality.ESTIMATED, Flag.RESET)]


@pytest.mark.row("M6")
def test_what_a_reset_lost_is_never_guessed_above_the_limit() -> None:
    small = replace(HOME, max_import_w=200)
    told = take(announce(fresh(7_000, usual=True), Exchange(at_s=slot(1))), shown(2, 20), asset=small)
    assert [item.import_wh for item in told.items] == [200 * SLOT_SECONDS // 3600 + 1, 20]
    assert told.items[0].import_wh < USUAL_WH


@pytest.mark.row("M6")
def test_a_doubted_value_leaves_its_slot_to_the_next_one() -> None:
    doubted = take(fresh(), shown(1, 5_000))
    assert doubted.items == ()
    assert doubted.doubts == ("register ran above registered limit: found 5000 Wh, limit 1001 Wh",)
    told = take(doubted.count, shown(2, 800))
    assert [(item.import_wh, item.quality) for item in told.items] == [(400, Quality.ESTIMATED)] * 2


def test_a_counter_that_was_set_back_in_silence_is_doubted_until_it_is_announced() -> None:
    unsaid = take(fresh(7_000), shown(1, 20))
    assert unsaid.doubts[0].startswith("register ran backwards")
    announced = announce(unsaid.count, Exchange(at_s=slot(1) - 60))
    assert [told[1] for told in said(take(announced, shown(2, 120)))] == [60, 60]


def test_what_stores_is_never_guessed_and_parted_by_its_level() -> None:
    levels = [(slot(-1), 1_000), (slot(0), 1_000), (slot(1), 1_450), (slot(2), 1_100)]
    count = take(fresh(), asset=BATTERY, levels=levels[:1]).count
    silent = missed(replace(count, past=fresh(usual=True).past), BATTERY, slot(0), UTC, levels[1:2])
    assert silent.items == ()
    told = take(silent.count, shown(3, 500, 320), asset=BATTERY, levels=levels[2:])
    assert [(i.import_wh, i.export_wh, i.level_wh) for i in told.items] == [
        (0, 0, 1_000),
        (500, 0, 1_450),
        (0, 320, 1_100),
    ]
    before = None
    for item in told.items:
        assert fault(item.reading(BATTERY.id), BATTERY, before, []) is None
        before = item.reading(BATTERY.id)


def test_what_stores_is_shared_alike_where_a_level_is_unknown() -> None:
    told = take(fresh(), shown(2, 500, 20), asset=BATTERY, levels=[(slot(1), 700)])
    assert [(i.import_wh, i.export_wh, i.level_wh) for i in told.items] == [(250, 10, None), (250, 10, 700)]


def test_moments_between_slots_and_announcements_after_the_fact_are_refused() -> None:
    odd = Shown(at_s=T0 + 1, import_wh=0, export_wh=0)
    with pytest.raises(InvalidValue, match="a counter is read at the end of a slot"):
        begin(0, odd)
    with pytest.raises(InvalidValue, match="a counter is read at the end of a slot"):
        take(fresh(), odd)
    with pytest.raises(InvalidValue, match="a slot starts on a quarter"):
        missed(fresh(), HOME, T0 + 1, UTC)
    with pytest.raises(InvalidValue, match="value lies outside the counter"):
        begin(0, shown(0, ROLLOVER_WH), ROLLOVER_WH)
    with pytest.raises(InvalidValue, match="a reset is announced before"):
        announce(take(fresh(), shown(2, 0)).count, Exchange(at_s=slot(2) - 1))


def test_what_is_kept_of_a_meter_does_not_grow_with_its_age() -> None:
    """Three weeks, in which every second slot is missed and no record ever comes."""
    count, at = fresh(), 0
    most = 0
    for number in range(3 * 7 * 96):
        if number % 2:
            at += 100
            count = take(count, shown(number + 1, at), levels=[(slot(number), 0)]).count
        else:
            count = missed(count, HOME, slot(number), UTC).count
        most = max(most, len(count.stretches))
    assert most <= KEPT_S // (2 * SLOT_SECONDS) + 2
    assert len(count.told_s) + len(count.levels_wh) <= 2 * (KEPT_S // SLOT_SECONDS + 3)
    daily = fresh()
    for number in range(6 * 7 * 96):
        daily = take(daily, shown(number + 1, 100 * number + 100)).count
    assert len(daily.past) <= (2 * 5 + 1) * 96
    assert (len(daily.stretches), len(daily.told_s)) == (1, 2)


def test_a_value_from_far_ahead_is_doubted_and_not_parted_among_millions_of_slots() -> None:
    told = take(fresh(), Shown(at_s=LONGEST_S + T0 + SLOT_SECONDS, import_wh=1, export_wh=1))
    assert (told.items, told.doubts) == (
        (),
        ("value lies too long after the last one: found 401 days, limit 400 days",),
    )
    assert take(told.count, shown(1, 1)).items


@dataclass
class Meter:
    """A slow, obvious meter and a slow, obvious book: what flowed, what is shown, what was told of each slot."""

    import_wh: int
    export_wh: int
    booked: dict[int, Item] = field(default_factory=dict)

    def shows(self, after: int) -> Shown:
        return shown(after, self.import_wh % ROLLOVER_WH, self.export_wh % ROLLOVER_WH)

    def book(self, items: Sequence[Item]) -> None:
        """Believe as the rulebook does: a measurement stands unless it is corrected, and a guess corrects none."""
        if items:
            encode_items(items)
        for item in items:
            assert fault(item.reading(HOME.id), HOME, None, []) is None
            older = self.booked.get(item.start_s)
            if older is not None:
                assert Flag.CORRECTS in item.flags or older.quality is not Quality.MEASURED
                assert item.quality.replaces(older.quality)
            assert (Flag.CORRECTS in item.flags) == (older is not None)
            self.booked[item.start_s] = item


SLOT = st.fixed_dictionaries(
    {
        "wh": st.tuples(st.integers(0, 990), st.integers(0, 990)),
        "unread": st.booleans(),
        "recorded": st.booleans(),
        "reset_s": st.none() | st.integers(0, SLOT_SECONDS - 1),
    }
)


@pytest.mark.row("H9")
@pytest.mark.row("M2")
@given(
    slots=st.lists(SLOT, min_size=1, max_size=14),
    start=st.sampled_from([0, ROLLOVER_WH - 2_000, ROLLOVER_WH - 1]),
    usual=st.booleans(),
    data=st.data(),
)
def test_whatever_is_unread_reset_rolled_over_or_late_the_sum_told_is_what_was_counted(
    slots: list[dict[str, object]], start: int, usual: bool, data: st.DataObject
) -> None:
    meter, count, late = Meter(start, start), fresh(usual=usual), list[Shown]()
    count = replace(begin(3, meter.shows(0), ROLLOVER_WH), past=count.past)
    flowed: list[tuple[int, int]] = []
    for number, told in enumerate([*slots, {"wh": (5, 6), "unread": False, "recorded": False, "reset_s": None}]):
        left, cut = told["wh"], told["reset_s"]
        flowed.append(left)
        if cut is not None:
            before = tuple(wh * cut // SLOT_SECONDS for wh in left)
            last = meter.import_wh + before[0], meter.export_wh + before[1]
            over = last[0] % ROLLOVER_WH, last[1] % ROLLOVER_WH
            count = announce(count, Exchange(at_s=slot(number) + cut, last=over))
            meter.import_wh, meter.export_wh = left[0] - before[0], left[1] - before[1]
        else:
            meter.import_wh, meter.export_wh = meter.import_wh + left[0], meter.export_wh + left[1]
        if told["unread"]:
            found = missed(count, HOME, slot(number), UTC)
            late += [meter.shows(number + 1)] if told["recorded"] else []
        else:
            now = data.draw(st.lists(st.sampled_from(late), unique=True)) if late else []
            late = [value for value in late if value not in now]
            found = take(count, *now, meter.shows(number + 1))
        assert found.doubts == ()
        assert not told["unread"] or all(item.quality is Quality.ESTIMATED for item in found.items)
        meter.book(found.items)
        count = found.count
    for value in data.draw(st.permutations(late)):
        found = take(count, value)
        assert found.doubts == ()
        meter.book(found.items)
        count = found.count
    assert set(meter.booked) == {slot(n) for n in range(len(flowed))}
    for way in (0, 1):
        told_wh = [(item.import_wh, item.export_wh)[way] for item in meter.booked.values()]
        assert sum(told_wh) == sum(wh[way] for wh in flowed)
    for start_s, item in meter.booked.items():
        number = (start_s - T0) // SLOT_SECONDS
        if item.quality is Quality.MEASURED:
            assert (item.import_wh, item.export_wh) == flowed[number]
    # Where every unread slot has its value in the meter's record, nothing stays a guess.
    if all(told["recorded"] for told in slots if told["unread"]):
        assert {item.quality for item in meter.booked.values()} == {Quality.MEASURED}


@given(
    st.lists(st.tuples(st.integers(0, 6 * 96), st.integers(0, 10**6)), max_size=40),
    st.lists(st.integers(0, 20), max_size=6),
)
def test_noise_is_doubted_or_believed_and_never_breaks_a_count(values: list[tuple[int, int]], cuts: list[int]) -> None:
    count = fresh(5)
    for number, (after, import_wh) in enumerate(values):
        if number in cuts and slot(after) >= count.imported.at_s:
            count = announce(count, Exchange(at_s=slot(after), last=(import_wh, 3) if number % 2 else None))
        found = take(count, shown(after, import_wh, import_wh // 9))
        if found.items:
            encode_items(found.items)
        count = missed(found.count, HOME, slot(after), UTC).count
        assert count.imported.at_s == count.exported.at_s

"""What no meter told is estimated openly: marked, minting nothing, exact where a sum is known."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.metering.batch import Quality
from commonwatt.metering.estimate import Estimate, estimate_known, estimate_missing, like_days, spread_gap
from commonwatt.metering.registers import difference
from commonwatt.model import SLOT, SLOT_SECONDS, AssetId, Interval, InvalidValue, Reading, epoch, slot_from

HOME = AssetId("home-01")
LONDON = ZoneInfo("Europe/London")
MONDAY = datetime(2025, 6, 16, 12, tzinfo=UTC)
DAY = timedelta(days=1)
GAP = Interval(MONDAY, MONDAY + 4 * SLOT)


def reading(start: datetime, import_wh: int = 0, export_wh: int = 0, asset: AssetId = HOME) -> Reading:
    return Reading(asset=asset, interval=slot_from(epoch(start)), import_wh=import_wh, export_wh=export_wh)


def past(days: int, energy_wh: Callable[[int, int], int], end: datetime = MONDAY) -> list[Reading]:
    """Readings of four slots on each of so many days before, by days ago and slot."""
    return [
        reading(end - ago * DAY + slot * SLOT, energy_wh(ago, slot), energy_wh(ago, slot) // 2)
        for ago in range(1, days + 1)
        for slot in range(4)
    ]


def counts(estimates: list[Estimate]) -> list[tuple[int, int]]:
    return [(each.reading.import_wh, each.reading.export_wh) for each in estimates]


def test_a_missing_slot_is_the_median_of_the_last_five_like_days() -> None:
    # Days ago 3 to 7 are the working days Friday to Monday; 1 and 2 are the weekend, 10 and more were longer ago.
    history = past(14, lambda ago, slot: {3: 90_000, 4: 110, 5: 130, 6: 120, 7: 10}.get(ago, 99_999) + slot)
    assert counts(estimate_missing(HOME, GAP, history, LONDON)) == [(120 + s, (120 + s) // 2) for s in range(4)]


def test_import_and_export_are_each_their_own_median() -> None:
    history = [reading(MONDAY - ago * DAY, ago, 100 - ago) for ago in (3, 4, 5)]
    assert counts(estimate_missing(HOME, Interval(MONDAY, MONDAY + SLOT), history, LONDON)) == [(4, 96)]


def test_of_four_like_days_the_lower_middle_one_counts() -> None:
    history = [reading(MONDAY - ago * DAY, 10 * ago) for ago in (3, 4, 5, 6)]
    assert counts(estimate_missing(HOME, Interval(MONDAY, MONDAY + SLOT), history, LONDON)) == [(40, 0)]


def test_a_weekend_is_like_weekends() -> None:
    saturday = MONDAY + 5 * DAY
    history = past(20, lambda ago, _: 700 if ago in (6, 7, 13) else 1, end=saturday)
    assert counts(estimate_missing(HOME, Interval(saturday, saturday + SLOT), history, LONDON)) == [(700, 350)]


def test_like_slots_are_like_by_the_local_clock() -> None:
    """London's clocks went forward on 30 March 2025: noon there is 12:00 UTC before and 11:00 UTC after."""
    after = datetime(2025, 3, 31, 11, tzinfo=UTC)
    history = [
        reading(datetime(2025, 3, day, hour, tzinfo=UTC), 100 * hour) for day in range(24, 29) for hour in (11, 12)
    ]
    assert counts(estimate_missing(HOME, Interval(after, after + SLOT), history, LONDON)) == [(1200, 0)]


def test_where_too_few_days_tell_nothing_is_guessed() -> None:
    history = past(4, lambda *_: 100)
    assert estimate_missing(HOME, GAP, history, LONDON) == []
    assert len(estimate_missing(HOME, GAP, past(5, lambda *_: 100), LONDON)) == 4
    some = [*history, reading(MONDAY - 5 * DAY + SLOT, 100)]
    assert [each.reading.interval for each in estimate_missing(HOME, GAP, some, LONDON)] == [
        slot_from(epoch(MONDAY + SLOT))
    ]


def test_what_is_not_of_the_asset_of_a_slot_or_of_the_past_says_nothing() -> None:
    history = past(7, lambda *_: 100)
    long = [
        Reading(asset=HOME, interval=Interval(r.interval.start, r.interval.end + SLOT), import_wh=9, export_wh=9)
        for r in past(14, lambda *_: 9)
    ]
    foreign = [replace(r, asset=AssetId("other"), import_wh=9) for r in history]
    later = [reading(MONDAY + ago * DAY + slot * SLOT, 9) for ago in range(8) for slot in range(4)]
    plain = estimate_missing(HOME, GAP, history, LONDON)
    assert estimate_missing(HOME, GAP, [*later, *history[::-1], *foreign, *long, *history], LONDON) == plain
    assert counts(plain) == [(100, 50)] * 4


@pytest.mark.row("E2")
def test_an_estimate_is_marked_and_mints_nothing() -> None:
    estimates = estimate_missing(HOME, GAP, past(7, lambda *_: 100), LONDON)
    assert estimates
    for each in estimates:
        assert each.quality is Quality.ESTIMATED
        assert not each.mints
        assert each.reading.level_wh is None
    assert not Estimate(reading=reading(MONDAY), quality=Quality.SUBSTITUTED).mints
    with pytest.raises(InvalidValue, match="an estimate is not measured"):
        Estimate(reading=reading(MONDAY), quality=Quality.MEASURED)


def test_a_later_measurement_corrects_an_estimate_by_the_difference() -> None:
    guess = estimate_missing(HOME, GAP, past(7, lambda *_: 100), LONDON)[0]
    measured = reading(MONDAY, 80, 60)
    assert Quality.MEASURED.replaces(guess.quality)
    assert not guess.quality.replaces(Quality.MEASURED)
    found = difference(guess.reading, measured)
    assert (found.import_wh, found.export_wh) == (-20, 10)


def known(history: list[Reading], import_wh: int, export_wh: int, **more: Any) -> list[Estimate]:
    limits = {"max_import_w": 23_000, "max_export_w": 4000, **more}
    return estimate_known(HOME, GAP, history, LONDON, import_wh=import_wh, export_wh=export_wh, **limits)


def test_a_known_sum_takes_the_shape_of_like_days() -> None:
    estimates = known(past(7, lambda _, slot: 100 * slot), 1201, 600)
    assert counts(estimates) == [(0, 0), (200, 100), (400, 200), (601, 300)]
    assert [each.reading.interval.start for each in estimates] == [MONDAY + slot * SLOT for slot in range(4)]
    assert {each.quality for each in estimates} == {Quality.ESTIMATED}


def test_a_known_sum_without_like_days_for_every_slot_is_spread_evenly() -> None:
    assert counts(known([], 1202, 2)) == [(301, 1), (301, 1), (300, 0), (300, 0)]
    one_short = past(7, lambda _, slot: 100 * slot)[:17]
    assert counts(known(one_short, 1202, 2)) == counts(known([], 1202, 2))


@pytest.mark.row("M6")
def test_a_shape_keeps_to_the_registered_limit() -> None:
    history = past(7, lambda _, slot: 1000 if slot == 3 else 0)
    assert counts(known(history, 0, 1300)) == [(0, 100), (0, 100), (0, 99), (0, 1001)]
    with pytest.raises(InvalidValue, match="4 slots take 1001 Wh each at most, was 4005 Wh"):
        known(history, 0, 4005)


@pytest.mark.parametrize(
    "gap",
    [
        Interval(MONDAY + SLOT / 2, MONDAY + SLOT),
        Interval(MONDAY, MONDAY + SLOT / 2),
        Interval(MONDAY + timedelta(microseconds=1), MONDAY + 2 * SLOT),
        Interval(MONDAY + SLOT / 3, MONDAY + SLOT / 2),
    ],
)
def test_a_gap_is_made_of_whole_slots(gap: Interval) -> None:
    with pytest.raises(InvalidValue, match="a gap is made of whole slots"):
        estimate_missing(HOME, gap, [], LONDON)


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**6), min_size=1, max_size=40))
def test_spreading_loses_no_energy(total_wh: int, profile: list[int]) -> None:
    spread = spread_gap(total_wh, len(profile), profile)
    assert sum(spread) == total_wh
    assert min(spread) >= 0
    if any(profile):
        assert all(
            abs(wh - total_wh * weight / sum(profile)) <= 1.001 for wh, weight in zip(spread, profile, strict=True)
        )


@given(st.data(), st.integers(0, 1000), st.lists(st.integers(0, 10), min_size=1, max_size=20))
def test_a_capped_spread_is_exact_and_within_its_cap(data: Any, most_wh: int, profile: list[int]) -> None:
    total_wh = data.draw(st.integers(0, most_wh * len(profile)))
    spread = spread_gap(total_wh, len(profile), profile, most_wh)
    assert sum(spread) == total_wh
    assert 0 <= min(spread) <= max(spread) <= most_wh


@given(st.integers(0, 10**6), st.integers(1, 700), st.data())
def test_what_a_gap_can_hold_each_slot_of_an_even_spread_can_hold(power_w: int, slots: int, data: Any) -> None:
    most_wh = power_w * slots * SLOT_SECONDS // 3600 + 1
    total_wh = data.draw(st.integers(0, most_wh) | st.just(most_wh))
    assert max(spread_gap(total_wh, slots)) <= power_w * SLOT_SECONDS // 3600 + 1


@pytest.mark.parametrize(
    ("total_wh", "slots", "profile"), [(1, 0, None), (1, 2, [1]), (1, 1, []), (-1, 2, None), (1, 2, [2, -1])]
)
def test_a_gap_that_cannot_be_spread_is_refused(total_wh: int, slots: int, profile: list[int] | None) -> None:
    with pytest.raises(InvalidValue):
        spread_gap(total_wh, slots, profile)


@given(st.sets(st.integers(0, 40 * 4 - 1)), st.integers(0, 3))
def test_what_like_days_let_go_of_no_estimate_misses(told: set[int], slot: int) -> None:
    history = [reading(MONDAY - (n // 4 + 1) * DAY + n % 4 * SLOT, 10 * n, n) for n in told]
    kept = like_days((epoch(one.interval.start) for one in history), LONDON)
    fewer = [one for one in history if epoch(one.interval.start) in kept]
    for ahead in range(3):
        gap = Interval(MONDAY + ahead * DAY + slot * SLOT, MONDAY + ahead * DAY + (slot + 1) * SLOT)
        assert estimate_missing(HOME, gap, fewer, LONDON) == estimate_missing(HOME, gap, history, LONDON)
    assert len(fewer) <= 4 * 2 * 5

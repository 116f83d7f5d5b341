"""Counters only rise, count everything once, and believe nothing that cannot be."""

from hypothesis import given
from hypothesis import strategies as st

from commonwatt.adapters.devices.ocpp.counters import BELIEVED_AFTER, Counter

FUSE_W = 11_000


@given(st.lists(st.integers(0, 180), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_readings_in_any_order_and_number_count_once(steps: list[int], chance: object) -> None:
    readings, wh = [], 1_000
    for i, step in enumerate(steps):
        wh += step
        readings.append((wh, 60 * i))
    told = readings * 2
    chance.shuffle(told)  # type: ignore[attr-defined]  # a random.Random
    counter, shown = Counter(), []
    counter.take(1_000, 0, 0, FUSE_W)
    for register, at_s in told:
        assert counter.take(register, at_s, 60 * len(steps), FUSE_W) == ""
        shown.append(counter.total_wh)
    assert shown == sorted(shown)  # type: ignore[type-var]  # none is None after the first
    assert counter.total_wh == wh


@given(st.lists(st.integers(1, 900), min_size=1, max_size=10))
def test_a_meter_that_starts_anew_with_each_transaction_is_added_up(each_wh: list[int]) -> None:
    counter, now_s = Counter(), 0
    for wh in each_wh:
        now_s += 60
        assert counter.take(0, now_s, now_s, FUSE_W, reset=True) == ""
        now_s += 3_600
        assert counter.take(wh, now_s, now_s, FUSE_W) == ""
    assert counter.total_wh == sum(each_wh)


def test_what_an_earlier_transaction_tells_late_is_added_to_what_it_was() -> None:
    counter = Counter()
    counter.take(0, 0, 0, FUSE_W)
    counter.take(500, 600, 600, FUSE_W)
    counter.take(0, 1_200, 1_200, FUSE_W, reset=True)
    assert counter.total_wh == 500
    assert counter.take(700, 900, 1_300, FUSE_W) == ""  # of the first one, on its way until now
    assert counter.total_wh == 700
    counter.take(100, 1_500, 1_500, FUSE_W)
    assert counter.total_wh == 800


def test_a_register_that_falls_or_leaps_is_doubted_and_another_meter_believed_at_last() -> None:
    counter = Counter()
    counter.take(5_000, 0, 0, FUSE_W)
    assert "fell" in counter.take(4_000, 60, 60, FUSE_W)
    assert "too fast" in counter.take(9_000_000, 120, 120, FUSE_W)
    assert counter.total_wh == 5_000
    for i in range(3, BELIEVED_AFTER + 1):
        counter.take(10 + i, 60 * i, 60 * i, FUSE_W)
    assert counter.total_wh == 5_000, "another meter counts on from what was counted"
    counter.take(115, 600, 600, FUSE_W)
    assert counter.total_wh == 5_100


def test_a_clock_that_jumps_back_does_not_stop_a_counter() -> None:
    counter = Counter()
    counter.take(100, 7_200, 0, FUSE_W)
    counter.take(200, 60, 60, FUSE_W)
    assert counter.total_wh == 200

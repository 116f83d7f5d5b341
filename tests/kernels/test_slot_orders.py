"""What batches of orders ask of their owners' money, held against the same sums in plain Python."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.kernels.slot_orders import SELLS, asked_micro, stakes_micro
from commonwatt.market.order_batch import MOST_ORDERS, MOST_PRICE, MOST_WH, ORDER_DTYPE
from commonwatt.model import cost_micro

WH = st.integers(1, MOST_WH) | st.sampled_from([1, 499, 500, 999, 1_000, 1_001])
PRICE = st.integers(0, MOST_PRICE) | st.sampled_from([0, 1, 500])
ORDERS = st.lists(st.tuples(WH, PRICE, PRICE, st.booleans()), min_size=1, max_size=9)
OPEN_WH = st.integers(0, 9 * 10**9)


def stake(wh: int, rate: int) -> int:
    return -(-wh * rate // 1000)


def asked(orders: list[tuple[int, int, int, bool]], open_wh: int, rate: int) -> int:
    bids = sum(cost_micro(wh, limit + premium) for wh, limit, premium, sells in orders if not sells)
    return bids + stake(open_wh + sum(wh for wh, *_ in orders), rate) - stake(open_wh, rate)


@given(st.lists(st.tuples(ORDERS, OPEN_WH), min_size=1, max_size=4), PRICE)
def test_batches_ask_for_their_bids_and_for_the_growth_of_their_owners_stake(
    batches: list[tuple[list[tuple[int, int, int, bool]], int]], rate: int
) -> None:
    records = np.array(
        [(0, wh, limit, premium, 0, SELLS * sells, 0) for orders, _ in batches for wh, limit, premium, sells in orders],
        ORDER_DTYPE,
    )
    begins = np.cumsum([0, *(len(orders) for orders, _ in batches)])
    open_wh = np.array([wh for _, wh in batches], np.int64)
    expected = [asked(orders, wh, rate) for orders, wh in batches]
    assert asked_micro(records, begins, open_wh, rate).tolist() == expected


def test_the_largest_batch_there_can_be_stays_within_64_bits() -> None:
    orders = [(MOST_WH, MOST_PRICE, MOST_PRICE, False)] * MOST_ORDERS
    records = np.array([(0, *order[:3], 0, 0, 0) for order in orders], ORDER_DTYPE)
    found = asked_micro(records, np.array([0, MOST_ORDERS]), np.array([9 * 10**9]), MOST_PRICE)
    assert found.tolist() == [asked(orders, 9 * 10**9, MOST_PRICE)]


@given(st.lists(OPEN_WH, max_size=5), PRICE)
def test_many_stakes_are_those_of_each(energy_wh: list[int], rate: int) -> None:
    assert stakes_micro(np.array(energy_wh, np.int64), rate).tolist() == [stake(wh, rate) for wh in energy_wh]

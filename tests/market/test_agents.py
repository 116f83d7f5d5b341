"""Agents order what brings them back to a threshold, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.market.agents import slot_order, zi_order
from commonwatt.model import InvalidValue, Side

BUY, SELL = 200_000, 260_000


@pytest.mark.row("E7")
@pytest.mark.parametrize(
    ("balance_wh", "wanted"),
    [
        (0, (Side.BID, 1_000, BUY)),
        (999, (Side.BID, 1, BUY)),
        (1_000, None),
        (5_000, None),
        (9_000, None),
        (9_001, (Side.ASK, 1, SELL)),
        (12_000, (Side.ASK, 3_000, SELL)),
    ],
)
def test_the_agent_orders_exactly_what_is_beyond_a_threshold(
    balance_wh: int, wanted: tuple[Side, int, int] | None
) -> None:
    assert zi_order(balance_wh, 1_000, 9_000, BUY, SELL, has_open_order=False) == wanted


@pytest.mark.row("E7")
@pytest.mark.parametrize("balance_wh", [0, 20_000])
def test_the_agent_waits_while_an_order_is_open(balance_wh: int) -> None:
    assert zi_order(balance_wh, 1_000, 9_000, BUY, SELL, has_open_order=True) is None


@given(st.integers(0, 10**7), st.integers(0, 10**6), st.integers(0, 10**6))
def test_once_its_order_is_filled_the_agent_is_content(balance_wh: int, t_lo_wh: int, span_wh: int) -> None:
    t_hi_wh = t_lo_wh + span_wh
    order = zi_order(balance_wh, t_lo_wh, t_hi_wh, BUY, SELL, has_open_order=False)
    if order is None:
        assert t_lo_wh <= balance_wh <= t_hi_wh
    else:
        side, energy_wh, price = order
        assert energy_wh > 0
        assert price == (BUY if side is Side.BID else SELL)
        after_wh = balance_wh + (energy_wh if side is Side.BID else -energy_wh)
        assert after_wh == (t_lo_wh if side is Side.BID else t_hi_wh)
        assert zi_order(after_wh, t_lo_wh, t_hi_wh, BUY, SELL, has_open_order=False) is None


@pytest.mark.parametrize("has_open_order", [False, True])
def test_an_agent_that_could_trade_with_itself_is_refused(has_open_order: bool) -> None:
    with pytest.raises(InvalidValue, match="purchase price"):
        zi_order(5_000, 1_000, 9_000, BUY, BUY, has_open_order=has_open_order)
    assert zi_order(5_000, 1_000, 9_000, BUY, BUY + 1, has_open_order=has_open_order) is None


def test_thresholds_the_wrong_way_round_are_refused_and_equal_ones_are_not() -> None:
    with pytest.raises(InvalidValue, match="threshold"):
        zi_order(5_000, 9_001, 9_000, BUY, SELL, has_open_order=False)
    assert zi_order(9_000, 9_000, 9_000, BUY, SELL, has_open_order=False) is None


@pytest.mark.row("E5")
def test_a_members_agent_bids_its_import_and_asks_its_export_at_the_grids_prices() -> None:
    assert slot_order(700, 300_000, 100_000) == (Side.BID, 700, 300_000)
    assert slot_order(1, 300_000, 100_000) == (Side.BID, 1, 300_000)
    assert slot_order(-700, 300_000, 100_000) == (Side.ASK, 700, 100_000)


def test_a_members_agent_orders_nothing_where_nothing_flows_or_no_auction_is_held() -> None:
    assert slot_order(0, 300_000, 100_000) is None
    assert slot_order(700, 300_000, 300_000) is None
    assert slot_order(-700, 100_000, 300_000) is None
    assert slot_order(-700, -100_000, -100_001) == (Side.ASK, 700, -100_001)

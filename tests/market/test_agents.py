"""Agents order what brings them back to a threshold, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.market.agents import Expected, forecast_orders, slot_order, zi_order
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


SLOT_S = 1_800_000_000
GRID_TAKES, GRID_GIVES = 300_000, 100_000


def forecast(*quantiles: tuple[int, int], buy: int = 10**9, sell: int = 0) -> list[tuple[Side, int, int]]:
    expected = Expected(slot_s=SLOT_S, quantiles=quantiles, import_price=GRID_TAKES, export_price=GRID_GIVES)
    return [(w.side, w.energy_wh, w.price_micro_per_kwh) for w in forecast_orders([expected], buy, sell)]


@pytest.mark.row("E7")
def test_what_is_needed_surely_is_bought_dearer_than_what_is_needed_perhaps() -> None:
    assert forecast((100, 200), (500, 300), (900, 500)) == [
        (Side.BID, 200, 280_000),
        (Side.BID, 100, 200_000),
        (Side.BID, 200, 120_000),
    ]


@pytest.mark.row("E7")
def test_what_is_there_surely_is_sold_cheaper_than_what_is_there_perhaps() -> None:
    assert forecast((100, -500), (500, -300), (900, -200)) == [
        (Side.ASK, 200, 120_000),
        (Side.ASK, 100, 200_000),
        (Side.ASK, 200, 280_000),
    ]


def test_own_limits_bind_and_equal_prices_are_one_order() -> None:
    assert forecast((100, 200), (500, 300), (900, 500), buy=200_000) == [
        (Side.BID, 300, 200_000),
        (Side.BID, 200, 120_000),
    ]
    assert forecast((100, 200), buy=99_999) == [], "the grid gives more than that"
    assert forecast((900, -200), sell=300_001) == []


def test_who_may_need_or_give_stands_on_the_side_on_which_more_is_expected() -> None:
    assert forecast((100, -100), (900, 2_000)) == [(Side.BID, 2_000, 120_000)]
    assert forecast((100, -2_000), (900, 100)) == [(Side.ASK, 2_000, 280_000)]
    assert forecast((500, 0)) == []


def test_there_is_nothing_to_gain_where_the_grid_gives_what_it_takes() -> None:
    expected = Expected(slot_s=SLOT_S, quantiles=((500, 100),), import_price=100_000, export_price=100_000)
    assert forecast_orders([expected], 10**9, 0) == []


@pytest.mark.parametrize("quantiles", [(), ((0, 1),), ((1000, 1),), ((500, 1), (500, 2)), ((100, 2), (500, 1))])
def test_quantiles_that_do_not_rise_are_none(quantiles: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(InvalidValue):
        Expected(slot_s=SLOT_S, quantiles=quantiles, import_price=2, export_price=1)


@pytest.mark.row("E7")
@given(
    st.lists(st.integers(-900, 900), min_size=1, max_size=12),
    st.sets(st.integers(1, 999), min_size=1, max_size=5),
    st.integers(0, 400_000),
    st.integers(0, 400_000),
    st.tuples(st.integers(-50_000, 300_000), st.integers(1, 300_000)),
)
def test_the_forecasting_agent_expects_no_dearer_bill_than_with_the_grid_alone(
    outcomes: list[int], levels: set[int], buy: int, sell: int, grid: tuple[int, int]
) -> None:
    """At any one price that the market may find, over outcomes that are as likely as the quantiles say."""
    gives, takes = grid[0], grid[0] + grid[1]
    ranked = sorted(outcomes)
    quantiles = tuple((level, ranked[-(-level * len(ranked) // 1000) - 1]) for level in sorted(levels))
    expected = Expected(slot_s=SLOT_S, quantiles=quantiles, import_price=takes, export_price=gives)
    wishes = forecast_orders([expected], buy, sell)
    assert len({wish.side for wish in wishes}) <= 1
    for wish in wishes:
        own = wish.price_micro_per_kwh <= buy if wish.side is Side.BID else wish.price_micro_per_kwh >= sell
        assert own
        assert gives <= wish.price_micro_per_kwh <= takes
    for price in {wish.price_micro_per_kwh for wish in wishes} | {gives, takes}:
        bought = sum(w.energy_wh for w in wishes if w.side is Side.BID and w.price_micro_per_kwh >= price)
        sold = sum(w.energy_wh for w in wishes if w.side is Side.ASK and w.price_micro_per_kwh <= price)

        def bill(net_wh: int, dealt_wh: int, at: int) -> int:
            rest = net_wh - dealt_wh
            return dealt_wh * at + rest * (takes if rest > 0 else gives)

        alone = sum(bill(net, 0, 0) for net in outcomes)
        assert sum(bill(net, bought - sold, price) for net in outcomes) <= alone

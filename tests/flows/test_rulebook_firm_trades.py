"""Firm trades through the real log: what is agreed and not kept, and what must stand behind it, with money by hand."""

import pytest
from community import EXPORT, IMPORT, NAME, NOON, PREPAID, Community, Flow
from hypothesis import given, settings
from hypothesis import strategies as st
from settled import NEXT, same_again, trading

from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.charter import Charter
from commonwatt.flows.rulebook.market.auctions import auction_bodies
from commonwatt.flows.rulebook.settlement.sharing import imbalance_prices
from commonwatt.flows.rulebook.settlement.sharing_bodies import SettlementTerms
from commonwatt.flows.rulebook.state import State
from commonwatt.model import IMBALANCE, SLOT_SECONDS, Commodity, Kind, Outcome, Side

MIDPOINT = (IMPORT + EXPORT) // 2
GRID_PRICES = SettlementTerms(imbalance="grid")


def tell_imbalance(community: Community, start_s: int, *prices: int) -> Outcome:
    return community.ask("oracle", Kind.FACT, bodies.FactBody(start_s=start_s, imbalance=list(prices)))


@pytest.mark.row("M1")
def test_a_firm_trade_leaves_the_buyer_whole_whose_seller_fails() -> None:
    community = trading(GRID_PRICES)
    community.live(anna=Flow(solar_wh=300), ben=Flow(load_wh=1_000))
    assert community.ergon("ben") == PREPAID - MIDPOINT
    assert community.ergon("anna") == PREPAID + MIDPOINT - 700 * IMPORT // 1_000
    assert (community.ergon("imbalance"), community.ergon("losses")) == (0, 0)
    assert community.state.accounts.balance(IMBALANCE, Commodity.ENERGY) == 0
    same_again(community)


def test_without_imbalance_prices_a_broken_trade_lapses() -> None:
    community = trading(SettlementTerms())
    community.live(anna=Flow(solar_wh=300), ben=Flow(load_wh=1_000))
    assert community.ergon("ben") == PREPAID - 60_000 - 210_000
    assert community.entries("imbalance") == []


def test_a_markup_makes_failing_dearer_and_the_account_keeps_it() -> None:
    community = trading(SettlementTerms(imbalance="grid", imbalance_markup_micro_per_kwh=50_000))
    community.live(ben=Flow(load_wh=1_000))
    assert community.ergon("anna") == PREPAID + MIDPOINT - IMPORT - 50_000
    assert community.ergon("imbalance") == 50_000


def test_what_a_kwh_not_kept_can_cost_is_bounded_and_beyond_the_bound_nothing_is_firm() -> None:
    most = SettlementTerms(
        imbalance="told", imbalance_markup_micro_per_kwh=50_000, imbalance_most_micro_per_kwh=320_000
    )
    for told, paid in ((900_000, 320_000), (-900_000, -320_000), (100_000, 150_000)):
        community = trading(most)
        slot_s = community.live(ben=Flow(load_wh=1_000))
        assert tell_imbalance(community, slot_s, told) is Outcome.BOOKED
        assert community.ergon("anna") == PREPAID + MIDPOINT - paid
    below_the_grid = SettlementTerms(imbalance="grid", imbalance_most_micro_per_kwh=IMPORT - 1)
    community = trading(below_the_grid)
    community.live(ben=Flow(load_wh=1_000))
    assert community.entries("imbalance") == [] == community.entries("trade kept")
    assert community.ergon("anna") == PREPAID


@given(
    st.integers(-(10**9), 10**9),
    st.integers(-(10**9), 10**9),
    st.none() | st.integers(-(10**9), 10**9),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
)
def test_imbalance_prices_lie_within_the_charters_most_and_around_the_grids(
    bought: int, sold: int, told: int | None, markup: int, most: int
) -> None:
    terms = SettlementTerms(imbalance="told", imbalance_markup_micro_per_kwh=markup, imbalance_most_micro_per_kwh=most)
    state = State(NAME, charter=Charter(settlement=terms), prices={NOON: (bought, sold)})
    if told is not None:
        state.imbalance[NOON] = told
    prices = imbalance_prices(state, NOON)
    if prices is None:
        assert max(abs(bought), abs(sold)) > most
    else:
        assert prices.short_unheard is not None and prices.long_unheard is not None
        assert prices.short_unheard >= prices.short and prices.long_unheard <= prices.long
        assert -most <= prices.long <= prices.short <= most
        assert told is not None or prices.long <= min(bought, sold) <= max(bought, sold) <= prices.short


@pytest.mark.row("M1")
@pytest.mark.parametrize("source", ["any", "solar"])
def test_who_sold_sun_and_sent_none_pays_for_the_lack_like_who_sold_anything(source: str) -> None:
    community = Community(2, settlement=GRID_PRICES)
    assert community.order("ben", Side.BID, 1_000, IMPORT, NOON) is Outcome.BOOKED
    assert community.order("anna", Side.ASK, 1_000, EXPORT, NOON, source=source) is Outcome.BOOKED
    community.live(ben=Flow(load_wh=1_000))
    assert community.ergon("anna") - PREPAID == MIDPOINT - IMPORT
    assert community.ergon("ben") - PREPAID == -MIDPOINT


def test_nobody_without_money_sells_what_they_may_not_send() -> None:
    for imbalance, outcome in (("none", Outcome.BOOKED), ("told", Outcome.NOT_BACKED)):
        community = Community(2, settlement=SettlementTerms(imbalance=imbalance), prepaid_micro=0)
        assert community.order("anna", Side.ASK, 5_000, EXPORT, NOON) is outcome


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["anna", "ben", "cleo"]),
            st.sampled_from(Side),
            st.integers(1, 5_000),
            st.integers(0, 10**6),
        ),
        max_size=8,
    ),
    st.sampled_from(["grid", "told"]),
    st.integers(0, 10**6),
    st.integers(0, 3 * 10**6),
    st.integers(-(10**9), 10**9),
)
def test_whoever_keeps_nothing_of_what_they_agreed_to_can_pay_for_it_and_nobody_gains_what_others_did_not_have(
    orders: list[tuple[str, Side, int, int]], imbalance: str, markup: int, most: int, told: int
) -> None:
    terms = SettlementTerms(
        imbalance=imbalance, imbalance_markup_micro_per_kwh=markup, imbalance_most_micro_per_kwh=most
    )
    community = Community(3, settlement=terms)
    for who, side, wh, price in orders:
        community.order(who, side, wh, price, NOON)
    if imbalance == "told":
        tell_imbalance(community, NOON, told)
    community.live()
    assert community.state.settled_to_s == NEXT
    left = [community.ergon(who) for who in community.members]
    assert min(left) >= 0
    assert sum(left) == 3 * PREPAID - community.ergon("imbalance") <= 3 * PREPAID


def test_where_the_grid_gives_more_than_it_takes_the_imbalance_account_owes_nothing() -> None:
    community = Community(2, settlement=GRID_PRICES, priced_slots=0)
    first_s = NOON + 4 * SLOT_SECONDS
    community.tell_prices(NOON, [(IMPORT, EXPORT)] * 4 + [(-50_000, 50_000)] * 4)
    name = str(len(community.sequencer.tree))
    lot = auction_bodies.Open(
        form="dutch", side="ask", good="slots", amount=2_000, start_s=NOON, end_s=NOON + 60, reserve_price=0,
        opening_price=1, step=1, tick_s=60, from_s=first_s, to_s=first_s + 4 * SLOT_SECONDS,
    )  # fmt: skip
    assert community.ask("anna", Kind.AUCTION, lot) is Outcome.BOOKED
    offer = auction_bodies.Offer(auction=name, amount=2_000, price_micro_per_kwh=1)
    assert community.ask("ben", Kind.AUCTION, offer) is Outcome.BOOKED
    for _ in range(8):
        community.live()
    assert community.ergon("imbalance") == 200_000, "both failed: the one bought at 5 ct, the other sold at -5 ct"
    same_again(community)


def test_who_kept_silent_has_not_delivered_and_what_comes_late_is_the_grids() -> None:
    community = trading(GRID_PRICES)
    slot_s = community.live(silent=["anna"], anna=Flow(solar_wh=1_000), ben=Flow(load_wh=1_000))
    community.now_s += 2 * SLOT_SECONDS
    community.pay("ben", 1, "wakes the log")
    assert community.ergon("ben") == PREPAID + 1 - MIDPOINT
    assert community.ergon("anna") == PREPAID + MIDPOINT - IMPORT
    community.report("gw-anna", slot_s, community.home("anna", Flow(solar_wh=1_000)))
    assert community.ergon("anna") == PREPAID + MIDPOINT - IMPORT + EXPORT
    assert community.moved("anna", Commodity.ENERGY, slot_s) == -1_000, "her energy is counted once"
    assert community.moved("losses", Commodity.ENERGY, slot_s) == 0
    same_again(community)


def test_a_told_imbalance_price_is_waited_for_as_long_as_a_silent_meter() -> None:
    community = trading(SettlementTerms(imbalance="told"))
    slot_s = community.live(anna=Flow(solar_wh=300), ben=Flow(load_wh=1_000))
    assert community.state.settled_to_s == slot_s
    before = community.state.root()
    assert tell_imbalance(community, slot_s, 250_000, 260_000) is Outcome.BOOKED
    assert community.state.settled_to_s == slot_s + SLOT_SECONDS
    assert community.state.root() != before
    assert community.ergon("anna") == PREPAID + MIDPOINT - 700 * 250
    assert community.state.imbalance == {NEXT: 260_000}, "what is settled is let go of"
    same_again(community)
    assert tell_imbalance(community, slot_s, 1) is Outcome.TOO_LATE
    assert tell_imbalance(community, NEXT, 1) is Outcome.ALREADY_THERE
    assert tell_imbalance(community, NEXT + 1, 1) is Outcome.OVER_LIMIT
    community.live()
    assert community.state.settled_to_s == NEXT + SLOT_SECONDS
    community.live()
    assert community.state.settled_to_s == NEXT + 2 * SLOT_SECONDS, "nothing was traded, so no price is needed"


@pytest.mark.parametrize("told", [-200_000, 0, EXPORT, 250_000, 900_000])
@pytest.mark.parametrize("who", ["anna", "ben"])
def test_a_meter_that_waits_for_the_told_price_before_it_reports_gains_nothing(who: str, told: int) -> None:
    came_to = []
    for silent in ([], [who]):
        community = trading(SettlementTerms(imbalance="told"))
        flows = {"anna": Flow(solar_wh=1_000), "ben": Flow(load_wh=1_000)}
        slot_s = community.live(silent=silent, **flows)
        assert tell_imbalance(community, slot_s, told) is Outcome.BOOKED
        community.now_s += 3 * SLOT_SECONDS
        community.pay("anna" if who == "ben" else "ben", 1, "wakes the log")
        if silent:
            assert community.report(f"gw-{who}", slot_s, community.home(who, flows[who])) is Outcome.BOOKED
        came_to.append(community.ergon(who))
        same_again(community)
    kept, waited = came_to
    assert waited <= kept


def test_an_imbalance_price_that_never_comes_is_the_grids() -> None:
    community = trading(SettlementTerms(imbalance="told"))
    slot_s = community.live(anna=Flow(solar_wh=300), ben=Flow(load_wh=1_000))
    community.now_s += 2 * SLOT_SECONDS
    community.pay("ben", 1, "wakes the log")
    assert community.state.settled_to_s > slot_s
    assert community.ergon("anna") == PREPAID + MIDPOINT - 210_000


def test_imbalance_prices_are_the_oracles_word_where_the_charter_asks_for_it() -> None:
    assert tell_imbalance(trading(GRID_PRICES), NOON, 1) is Outcome.NOT_ALLOWED
    community = trading(SettlementTerms(imbalance="told"))
    assert community.ask("operator", Kind.FACT, bodies.FactBody(start_s=NOON, imbalance=[1])) is Outcome.NOT_ALLOWED
    for body in ({"start_s": NOON}, {"start_s": NOON, "prices": [[1, 1]], "imbalance": [1]}):
        assert community.send(community.wire("oracle", Kind.FACT, body)) is Outcome.MALFORMED

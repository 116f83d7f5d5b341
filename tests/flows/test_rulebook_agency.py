"""Members' agents: switched by a signed request, bound to two prices, thresholds, and one open order."""

from hashlib import sha256
from typing import Any

import pytest
from community import NOON, Community, Flow
from test_rulebook_delegating import let

from commonwatt.flows.agents import acts
from commonwatt.flows.rulebook.market import order_bodies, sale_bodies
from commonwatt.flows.rulebook.tokens import wallet_bodies
from commonwatt.flows.sequence import replay
from commonwatt.model import SLOT_SECONDS, AccountId, Commodity, Kind, Outcome, Side

BUY, SELL = 150_000, 250_000
B_MAX_WH = 1_000
"""So an agent buys up to 100 Wh and sells down to 900."""
SUNNY = Flow(solar_wh=1_200, charge_wh=1_200)
"""A clean charge: 1,080 Wh are stored, 972 WATT are minted."""


def on(community: Community, who: str, buy: int = BUY, sell: int = SELL, by: str = "") -> Outcome:
    body = order_bodies.AgentOn(buy_micro_per_kwh=buy, sell_micro_per_kwh=sell)
    return community.ask(by or who, Kind.ORDER, body, account=who)


def off(community: Community, who: str) -> Outcome:
    return community.ask(who, Kind.CANCEL, order_bodies.AgentOff())


def by_agent(side: Side, energy_wh: int, price: int, **ends: Any) -> order_bodies.WattOrder:
    return order_bodies.WattOrder(side=side, energy_wh=energy_wh, price_micro_per_kwh=price, by_agent=True, **ends)


def act(community: Community) -> list[tuple[str, Outcome]]:
    """Let whoever's agent wants something do it, signed by the members themselves."""
    wishes = list(acts(community.state, community.sequencer.tree.root(), community.slot_s))
    return [(owner, community.ask(owner, kind, body)) for owner, kind, body in wishes]


def resting(community: Community) -> list[tuple[str, str, int, int]]:
    orders = community.state.book.orders()
    return [(order.owner, order.side.value, order.energy_wh, order.price_micro_per_kwh) for order in orders]


@pytest.mark.row("E7")
def test_an_agent_acts_at_its_thresholds_at_its_members_prices() -> None:
    community = Community(3, b_max_wh=B_MAX_WH)
    community.live(anna=SUNNY)
    assert {on(community, member) for member in community.members} == {Outcome.BOOKED}
    assert sorted(act(community)) == [("anna", Outcome.BOOKED), ("ben", Outcome.BOOKED), ("cleo", Outcome.BOOKED)]
    assert sorted(resting(community)) == [
        ("anna", "ask", 72, SELL),
        ("ben", "bid", 100, BUY),
        ("cleo", "bid", 100, BUY),
    ]
    assert act(community) == [], "each has an open order"
    assert on(community, "ben", buy=SELL, sell=SELL + 1) is Outcome.BOOKED
    assert act(community) == [("ben", Outcome.BOOKED)], "the new prices hold at once"
    assert (community.watt("anna"), community.watt("ben")) == (900, 72)


@pytest.mark.row("E7")
def test_an_agent_is_switched_off_at_any_time_and_what_it_had_standing_goes() -> None:
    community = Community(2, b_max_wh=B_MAX_WH)
    assert off(community, "anna") is Outcome.UNKNOWN_THING
    on(community, "anna")
    act(community)
    assert resting(community) == [("anna", "bid", 100, BUY)]
    community.order("anna", Side.ASK, 5, SELL)
    assert off(community, "anna") is Outcome.BOOKED
    assert resting(community) == [("anna", "ask", 5, SELL)], "what the member ordered stays"
    assert act(community) == []
    assert community.ask("anna", Kind.ORDER, by_agent(Side.BID, 100, BUY)) is Outcome.NOT_ALLOWED
    assert on(community, "anna") is Outcome.BOOKED
    assert act(community) == [], "the member has an open order"
    assert replay(community.rows(), "tiny").state.root() == community.state.root()


@pytest.mark.row("E7")
def test_the_rules_hold_an_agent_to_what_its_member_set() -> None:
    community = Community(2, b_max_wh=B_MAX_WH)
    assert on(community, "anna", buy=SELL, sell=SELL) is Outcome.NOT_ALLOWED
    on(community, "anna")
    for wrong in (
        by_agent(Side.BID, 100, BUY + 1),
        by_agent(Side.BID, 99, BUY),
        by_agent(Side.ASK, 100, SELL),
        by_agent(Side.BID, 100, BUY, now=True),
        by_agent(Side.BID, 100, BUY, until_s=community.now_s + 1),
    ):
        assert community.ask("anna", Kind.ORDER, wrong) is Outcome.NOT_ALLOWED
    assert community.ask("anna", Kind.ORDER, by_agent(Side.BID, 100, BUY)) is Outcome.BOOKED
    assert community.ask("anna", Kind.ORDER, by_agent(Side.BID, 100, BUY)) is Outcome.NOT_ALLOWED, "one is open"


@pytest.mark.row("E7")
def test_a_delegate_switches_an_agent_and_lets_it_act() -> None:
    community = Community(2, b_max_wh=B_MAX_WH)
    community.register_key("agent", "agent", "agent")
    assert on(community, "anna", by="agent") is Outcome.NOT_ALLOWED
    let(community, "agent", "order", until_s=NOON + 86_400)
    assert on(community, "anna", by="agent") is Outcome.BOOKED
    (owner, kind, body), *_ = acts(community.state, b"", community.slot_s)
    assert owner == AccountId("anna")
    assert community.ask("agent", kind, body, account="anna") is Outcome.BOOKED
    assert resting(community) == [("anna", "bid", 100, BUY)]


@pytest.mark.row("E7")
def test_an_order_that_has_lost_its_reason_is_taken_back_and_the_next_one_placed() -> None:
    community = Community(1, b_max_wh=B_MAX_WH)
    on(community, "anna")
    act(community)
    community.live(anna=SUNNY)
    assert act(community) == [("anna", Outcome.BOOKED), ("anna", Outcome.BOOKED)]
    assert resting(community) == [("anna", "ask", 72, SELL)]


@pytest.mark.row("E7")
def test_an_agent_sells_no_watt_that_is_promised_elsewhere() -> None:
    community = Community(1, b_max_wh=B_MAX_WH)
    community.live(anna=SUNNY)
    on(community, "anna")
    listed = sale_bodies.Listing(energy_wh=932, price_micro_per_kwh=SELL, until_s=community.now_s + 60)
    assert community.ask("anna", Kind.TRANSFER, listed) is Outcome.BOOKED
    assert act(community) == [("anna", Outcome.BOOKED)]
    assert resting(community) == [("anna", "ask", 40, SELL)]
    listed = sale_bodies.Listing(energy_wh=40, price_micro_per_kwh=SELL, until_s=community.now_s + 60)
    assert community.ask("anna", Kind.TRANSFER, listed) is Outcome.BOOKED
    assert act(community) == [("anna", Outcome.BOOKED)], "it takes its order back"
    assert (resting(community), act(community)) == ([], [])
    assert community.ask("anna", Kind.ORDER, by_agent(Side.ASK, 72, SELL)) is Outcome.NOT_ALLOWED


@pytest.mark.row("E7")
def test_an_agent_buys_only_what_its_member_has_free_money_for() -> None:
    community = Community(2, b_max_wh=B_MAX_WH, prepaid_micro=10_000)
    on(community, "anna")
    reserved = wallet_bodies.Reserve(target="ben", commodity=Commodity.ERGON, amount=4_000, until_s=NOON + 60)
    assert community.ask("anna", Kind.TRANSFER, reserved) is Outcome.BOOKED
    assert act(community) == [("anna", Outcome.BOOKED)]
    assert resting(community) == [("anna", "bid", 40, BUY)]
    poor = Community(1, b_max_wh=B_MAX_WH, prepaid_micro=0)
    on(poor, "anna")
    assert act(poor) == [], "an order that nobody could fill would keep it from every other"


@pytest.mark.row("E7")
def test_which_agent_goes_first_is_drawn_for_every_slot_and_anybody_can_draw_again() -> None:
    community = Community(3, b_max_wh=B_MAX_WH)
    for member in community.members:
        on(community, member)
    root, first = community.sequencer.tree.root(), set[str]()
    for slot_s in range(NOON, NOON + 20 * SLOT_SECONDS, SLOT_SECONDS):
        order = [owner for owner, _, _ in acts(community.state, root, slot_s)]
        assert order == [owner for owner, _, _ in acts(community.state, root, slot_s)]
        assert order == sorted(order, key=lambda one: sha256(root + slot_s.to_bytes(8) + one.encode()).digest())
        first.add(order[0])
    assert first == {"anna", "ben", "cleo"}
    other = [next(acts(community.state, bytes([n] * 32), NOON))[0] for n in range(20)]
    assert len({*other}) == 3, "and nobody knows it before the log stands"

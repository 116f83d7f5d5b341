"""What members want from a slot's market: the plan's exchange, or steps around it for whose agent trades forecasts."""

import pytest
from community import EXPORT, IMPORT, Community, Flow
from test_outlook import terms
from test_rulebook_book import same_at_rest

from commonwatt.flows.outlook import homes, outlook
from commonwatt.flows.rulebook.market import order_bodies
from commonwatt.flows.slot_wishes import slot_wishes
from commonwatt.market.agents import SlotWish
from commonwatt.model import AccountId, Kind, Outcome, Side

ANNA = AccountId("anna")


def wishes(community: Community, planned_wh: int) -> list[SlotWish]:
    told, slot_s = terms("anna"), community.slot_s
    assets = homes(community.state, told)[ANNA]
    return slot_wishes(community.state, outlook(community.state, told, slot_s), ANNA, assets, planned_wh, slot_s)


def switched(buy: int, sell: int, *, forecast: bool = True) -> Community:
    """Return a community in which anna's load has surprised the forecast, with her agent on."""
    community = Community(1)
    for load_wh in (400, 50, 500, 20):
        community.live(anna=Flow(load_wh=load_wh, solar_wh=100))
    on = order_bodies.AgentOn(buy_micro_per_kwh=buy, sell_micro_per_kwh=sell, forecast=forecast)
    assert community.ask("anna", Kind.ORDER, on) is Outcome.BOOKED
    return community


@pytest.mark.row("E7")
def test_who_trades_forecasts_deals_in_steps_the_surer_the_dearer_and_within_two_prices() -> None:
    community = switched(IMPORT - 1, IMPORT)
    steps = wishes(community, 200)
    assert len(steps) > 1
    assert {step.side for step in steps} == {Side.BID}
    prices = [step.price_micro_per_kwh for step in steps]
    assert prices == sorted(prices, reverse=True) and prices[-1] >= EXPORT and prices[0] < IMPORT
    assert sum(step.energy_wh for step in steps) != 200, "what may come, and not the plan alone"
    same_at_rest(community)
    assert wishes(switched(EXPORT - 1, IMPORT), 200) == [], "the member pays less than the grid gives"
    assert {step.side for step in wishes(community, -300)} == {Side.ASK}
    assert {step.price_micro_per_kwh for step in wishes(community, -300)} == {IMPORT}


@pytest.mark.row("E7")
def test_everybody_else_orders_what_is_planned_at_what_the_grid_does() -> None:
    community = switched(IMPORT - 1, IMPORT, forecast=False)
    assert wishes(community, 200) == [SlotWish(community.slot_s, Side.BID, 200, IMPORT)]
    assert wishes(community, -200) == [SlotWish(community.slot_s, Side.ASK, 200, EXPORT)]
    assert wishes(community, 0) == []

"""Rules for members' agents (row E7): a member sets two prices, and may switch the agent off at any time.

Whoever holds a key that may order for the member lets the agent act: the platform, or a delegate. The rules hold such
an order to the member's prices, to the thresholds, to what the member has free, and to there being no open order: an
agent can do nothing else, and the log shows it. What an agent has standing goes in the instant in which it is switched
or its prices change.
"""

from commonwatt.flows.rulebook.market import bonds
from commonwatt.flows.rulebook.market import order_bodies as bodies
from commonwatt.flows.rulebook.state import State, WattPrices
from commonwatt.flows.rulebook.tokens.backing import free
from commonwatt.market.agents import zi_order
from commonwatt.market.book import affordable_wh
from commonwatt.model import AccountId, Commodity, Outcome, Side
from commonwatt.tokens.watt import thresholds


def switch(state: State, owner: AccountId, body: bodies.AgentOn | bodies.AgentOff) -> Outcome:
    """Switch a member's agent on with two prices, or off."""
    if isinstance(body, bodies.AgentOff):
        if owner not in state.agents:
            return Outcome.UNKNOWN_THING
        del state.agents[owner]
    else:
        if body.buy_micro_per_kwh >= body.sell_micro_per_kwh:
            return Outcome.NOT_ALLOWED  # it would trade with itself for ever
        state.agents[owner] = WattPrices(
            buy=body.buy_micro_per_kwh, sell=body.sell_micro_per_kwh, forecast=body.forecast
        )
    for standing in state.book.of(owner):
        if standing.by_agent:
            state.book.cancel(standing.id, owner)
            bonds.left(state, standing.id)
    return Outcome.BOOKED


def wanted(state: State, owner: AccountId, *, has_open_order: bool) -> tuple[Side, int, int] | None:
    """Return the order that a member's agent would place, see `zi_order`; None where it is off or would place none."""
    prices = state.agents.get(owner)
    if prices is None:
        return None
    low_wh, high_wh = thresholds(state.charter.b_max_wh)
    wish = zi_order(state.watt(owner), low_wh, high_wh, prices.buy, prices.sell, has_open_order=has_open_order)
    if wish is None:
        return None
    side, energy_wh, price = wish
    energy_wh = min(energy_wh, most_wh(state, owner, side, price))
    return (side, energy_wh, price) if energy_wh > 0 else None


def most_wh(state: State, owner: AccountId, side: Side, price: int) -> int:
    """Return what an agent can deal in: what its member has promised elsewhere is not the agent's to sell or to spend.

    An order beyond it would stand open without a trade, and keep the agent from every other.
    """
    if side is Side.ASK:
        return free(state, owner, Commodity.WATT)
    return affordable_wh(free(state, owner, Commodity.ERGON), price, state.charter.b_max_wh)


def acts_rightly(state: State, owner: AccountId, body: bodies.WattOrder) -> bool:
    """Tell whether an order is what the owner's agent would place now."""
    wish = wanted(state, owner, has_open_order=state.book.standing(owner) > 0)
    ends = body.now or body.until_s is not None  # it stands until it is filled, or has lost its reason
    return wish == (body.side, body.energy_wh, body.price_micro_per_kwh) and not ends

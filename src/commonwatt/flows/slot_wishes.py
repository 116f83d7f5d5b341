"""What members want from a slot's market: what the plan exchanges, or what may come of it, for those who said so."""

from collections.abc import Mapping

from commonwatt.flows.constraint_to_command import Outlook
from commonwatt.flows.rulebook import State
from commonwatt.forecasting.spread import net_errors_wh, quantiles
from commonwatt.market.agents import Expected, SlotWish, forecast_orders, slot_order
from commonwatt.model import AccountId, Asset, AssetKind


def slot_wishes(
    state: State, known: Outlook, account: AccountId, assets: Mapping[AssetKind, Asset], planned_wh: int, slot_s: int
) -> list[SlotWish]:
    """Return what a member wants from a slot's market.

    Whose agent trades forecasts orders in price steps around what is planned, within the member's two prices: the
    surer a Wh is, the more it is worth to deal in it. Everybody else orders what is planned, at what the grid does.

    Args:
        state: As it stands.
        known: What is known just before the slot.
        account: Whose.
        assets: The member's, by kind, see `commonwatt.flows.outlook.homes`.
        planned_wh: What the plan has the home exchange; below zero for export.
        slot_s: The slot's start; its prices are known.
    """
    bought, sold = state.prices[slot_s]
    agent = state.agents.get(account)
    if agent is None or not agent.forecast:
        wish = slot_order(planned_wh, bought, sold)
        return [SlotWish(slot_s, *wish)] if wish else []
    load_wh, solar_wh = known.load_wh[assets[AssetKind.CONNECTION].id], known.solar_wh[assets[AssetKind.SOLAR].id]
    expected = Expected(
        slot_s=slot_s,
        quantiles=quantiles(planned_wh, net_errors_wh(load_wh, solar_wh)),
        import_price=bought,
        export_price=sold,
    )
    return forecast_orders([expected], agent.buy, agent.sell)

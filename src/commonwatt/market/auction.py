"""Clear one slot from orders as they are told: the door to `market.call` for who has no columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from commonwatt.kernels.auctions import ASK, BID
from commonwatt.market.call.staged import NOBODY, Orders, clear, tree
from commonwatt.model import AccountId, InvalidValue, Side, SlotOrder, Trade, Zone, round_div

NOWHERE: Mapping[AccountId, str] = {}


@dataclass(frozen=True, slots=True)
class Clearing:
    """What an auction decided.

    Args:
        price_micro_per_kwh: What a kWh cost on average, fees apart; None where nothing matched. Where nobody prefers
            anything, and all are in one zone, it is the one price of every trade.
        energy_wh: Sum of the trades.
        trades: Sub-auction by sub-auction; in each best-priced orders first, equal prices in log order.
    """

    price_micro_per_kwh: int | None
    energy_wh: int
    trades: tuple[Trade, ...]


def clear_slot(
    orders: Sequence[SlotOrder],
    *,
    import_price: int,
    export_price: int,
    zones: Sequence[Zone] = (),
    zone_of: Mapping[AccountId, str] = NOWHERE,
) -> Clearing:
    """Match as much energy as limits allow, those first who prefer each other; see `market.call.staged.clear`.

    Args:
        orders: Of one slot, in log order; equal remainders favour the earlier order.
        import_price: What the grid takes, in micro per kWh.
        export_price: What the grid gives, in micro per kWh.
        zones: In which people trade; none for one without a fee.
        zone_of: In which zone each owner's connection is; who is not named is in the outermost.

    Returns:
        The clearing; empty where no limits cross, or where the export price is not below the import price, since
        neighbours then have nothing to share. Every price lies between export and import price and, with the fee that
        the buyer pays beside it, within the limit of both orders (and a premium where it is owed).

    Raises:
        InvalidValue: An owner has both a bid and an ask.
    """
    buyers = {order.owner for order in orders if order.side is Side.BID}
    for ask in orders:
        if ask.side is Side.ASK and ask.owner in buyers:
            raise InvalidValue(f"nobody trades with themselves: {ask.owner} bids and asks in one slot")
    columns = tree(zones, dict.fromkeys(zone_of.values()))
    place = {name: n for n, name in enumerate(columns.names)}
    number: dict[AccountId, int] = {}
    for order in orders:
        for account in (order.owner, order.partner):
            if account is not None:
                number.setdefault(account, len(number))
    matched = clear(
        Orders(
            owner=np.array([number[order.owner] for order in orders], np.int32),
            zone=np.array([place[zone_of[o.owner]] if o.owner in zone_of else 0 for o in orders], np.int32),
            side=np.array([BID if order.side is Side.BID else ASK for order in orders], np.uint8),
            wh=np.array([order.energy_wh for order in orders], np.int32),
            limit=np.array([order.price_micro_per_kwh for order in orders], np.int32),
            source=np.array([order.source for order in orders], np.uint8),
            near=np.array([order.near for order in orders], np.bool_),
            partner=np.array([NOBODY if o.partner is None else number[o.partner] for o in orders], np.int32),
            premium=np.array([order.premium_micro_per_kwh for order in orders], np.int32),
            strict=np.array([order.strict for order in orders], np.bool_),
        ),
        columns,
        import_price,
        export_price,
    )
    trades = tuple(
        Trade(
            buyer=orders[bid].owner,
            seller=orders[ask].owner,
            bid=orders[bid].id,
            ask=orders[ask].id,
            energy_wh=wh,
            price_micro_per_kwh=price,
            fee_micro_per_kwh=fee,
        )
        for bid, ask, wh, price, fee in zip(
            matched.bid.tolist(),
            matched.ask.tolist(),
            matched.wh.tolist(),
            matched.price.tolist(),
            matched.fee.tolist(),
            strict=True,
        )
    )
    return Clearing(*mean_price(trades), trades)


def mean_price(trades: Sequence[Trade]) -> tuple[int | None, int]:
    """Return what a kWh cost on average, in micro, None without any; and how many Wh there were."""
    energy_wh = sum(trade.energy_wh for trade in trades)
    paid = sum(trade.energy_wh * trade.price_micro_per_kwh for trade in trades)
    return (round_div(paid, energy_wh) if energy_wh else None), energy_wh

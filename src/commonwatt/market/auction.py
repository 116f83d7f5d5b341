"""Clear one slot: a call auction in which every matched order trades at one price."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from commonwatt.model import InvalidValue, Order, Side, Trade, round_div, share_wh


@dataclass(frozen=True, slots=True)
class Clearing:
    """What an auction decided: one price, how much, and who owes whom.

    Args:
        price_micro_per_kwh: The price of every trade; None where nothing matched.
        energy_wh: Sum of the trades.
        trades: Best-priced orders first, equal prices in log order.
    """

    price_micro_per_kwh: int | None
    energy_wh: int
    trades: tuple[Trade, ...]


_Ranked = list[tuple[int, Order]]
"""Limit prices, held between export and import price, and their orders; best first, then in log order."""


def clear(bids: Sequence[Order], asks: Sequence[Order], *, import_price: int, export_price: int) -> Clearing:
    """Match as much energy as the limits allow and price it at the midpoint of the crossing.

    A bid above the import price counts as one at the import price, and an ask below the export price as one at the
    export price: the grid serves everybody at those, so a limit beyond them states no more need and buys no better
    place. The orders of the last matched price level share what is left for them in proportion to their energy.

    Args:
        bids: Orders to buy in log order, Wh in the slot; equal remainders favour the earlier order.
        asks: Orders to sell, likewise.
        import_price: What the grid takes, in micro per kWh.
        export_price: What the grid gives, in micro per kWh.

    Returns:
        The clearing; empty where no limits cross, or where the export price is not below the import price, since
        neighbours then have nothing to share. The price lies between export and import price and within the limit
        of every matched order; halves round to even.

    Raises:
        InvalidValue: An order stands on the wrong side, or an owner has both a bid and an ask.

    Source: RULES, Energy and money; k-double auction with k = 1/2, Rustichini, Satterthwaite & Williams 1994.
    """
    _check(bids, asks)
    if export_price >= import_price:
        return Clearing(None, 0, ())
    buyers = [(min(bid.price_micro_per_kwh, import_price), bid) for bid in bids]
    buyers.sort(key=lambda ranked: -ranked[0])
    sellers = [(max(ask.price_micro_per_kwh, export_price), ask) for ask in asks]
    sellers.sort(key=lambda ranked: ranked[0])
    energy_wh, price = _crossing(buyers, sellers)
    if price is None:
        return Clearing(None, 0, ())
    trades = _pairs(_fills(buyers, energy_wh), _fills(sellers, energy_wh), price)
    return Clearing(price, energy_wh, tuple(trades))


def _check(bids: Sequence[Order], asks: Sequence[Order]) -> None:
    for orders, side in ((bids, Side.BID), (asks, Side.ASK)):
        for order in orders:
            if order.side is not side:
                raise InvalidValue(f"order {order.id} stands among the {side}s, was a {order.side}")
    buyers = {bid.owner for bid in bids}
    for ask in asks:
        if ask.owner in buyers:
            raise InvalidValue(f"nobody trades with themselves: {ask.owner} bids and asks in one slot")


def _crossing(buyers: _Ranked, sellers: _Ranked) -> tuple[int, int | None]:
    """Return the most energy that the limits allow, and the midpoint of the last two limits that met."""
    energy_wh, price = 0, None
    i = j = demand_wh = supply_wh = 0
    while i < len(buyers) and j < len(sellers) and buyers[i][0] >= sellers[j][0]:
        (bid_limit, bid), (ask_limit, ask) = buyers[i], sellers[j]
        price = round_div(bid_limit + ask_limit, 2)
        demanded_wh, supplied_wh = demand_wh + bid.energy_wh, supply_wh + ask.energy_wh
        energy_wh = min(demanded_wh, supplied_wh)
        if demanded_wh == energy_wh:
            i, demand_wh = i + 1, demanded_wh
        if supplied_wh == energy_wh:
            j, supply_wh = j + 1, supplied_wh
    return energy_wh, price


def _fills(ranked: _Ranked, energy_wh: int) -> list[tuple[Order, int]]:
    """Hand the energy out level by level; only the last level that gets any can get less than it wants."""
    fills: list[tuple[Order, int]] = []
    for _, level in groupby(ranked, key=lambda item: item[0]):
        orders = [order for _, order in level]
        wanted_wh = [order.energy_wh for order in orders]
        given_wh = min(energy_wh, sum(wanted_wh))
        fills += zip(orders, share_wh(given_wh, wanted_wh), strict=True)
        energy_wh -= given_wh
    return [(order, wh) for order, wh in fills if wh]


def _pairs(bought: list[tuple[Order, int]], sold: list[tuple[Order, int]], price: int) -> Iterator[Trade]:
    """Walk both sides at once, so that each filled Wh has one buyer and one seller; both sides sum alike."""
    sellers = iter(sold)
    ask, left_wh = next(sellers)
    for bid, filled_wh in bought:
        open_wh = filled_wh
        while open_wh:
            if not left_wh:
                ask, left_wh = next(sellers)
            energy_wh = min(open_wh, left_wh)
            open_wh, left_wh = open_wh - energy_wh, left_wh - energy_wh
            yield Trade(
                buyer=bid.owner,
                seller=ask.owner,
                bid=bid.id,
                ask=ask.id,
                energy_wh=energy_wh,
                price_micro_per_kwh=price,
            )

"""What a member sees of the markets, and how an order for a slot is said."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from commonwatt.apps.wiring import open_log
from commonwatt.flows.replay import community_of, resume
from commonwatt.flows.rulebook import State
from commonwatt.flows.rulebook.market import watt_book
from commonwatt.model import MAX_SAFE_INTEGER, MICRO, Refused, Side, instant, zone_of


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotView:
    """One slot's market: what is open on either side in Wh, or what came of it; prices in micro per kWh."""

    slot: str
    open: bool
    bids_wh: int
    asks_wh: int
    traded_wh: int
    price_micro_per_kwh: int | None
    import_price: int | None
    export_price: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketView:
    """What stands on a community's markets at the end of its log.

    Args:
        community: Its name.
        buying_price: The lowest ask for WATT, micro per kWh; None without any.
        selling_price: The highest bid.
        backed_buying_price: The lowest ask of which any could be had now.
        backed_selling_price: The highest bid whose buyer has room and could pay now.
        buying_wh: What is asked for at that price; ``selling_wh`` likewise what is bid for.
        backed_buying_wh: How many Wh could be bought at that price now; ``backed_selling_wh`` likewise sold.
        watt_orders: Who stands in the WATT book: owner, side, Wh, price.
        slots: The slots at hand, in order.
        listings: WATT that is listed for direct sale: name, seller, Wh, price.
        auctions: Auctions that are not over: name, form, side, good, amount, bids.
    """

    community: str
    buying_price: int | None
    selling_price: int | None
    backed_buying_price: int | None
    backed_selling_price: int | None
    buying_wh: int
    selling_wh: int
    backed_buying_wh: int
    backed_selling_wh: int
    watt_orders: list[tuple[str, str, str, int, int]]
    slots: list[SlotView]
    listings: list[tuple[str, str, int, int]]
    auctions: list[tuple[str, str, str, str, int, int]]


def moment_s(folder: Path, moment: str) -> int:
    """Return a date and time in the community's own clock as seconds since 1970.

    Raises:
        Refused: There is no log, or it is no date and time.
    """
    with open_log(folder) as log:
        clock = zone_of(resume(log, community_of(log)).state.charter.timezone)
    try:
        at = datetime.fromisoformat(moment)
    except ValueError as error:
        raise Refused("a moment is a date and time like 2018-11-14T18:00", found=moment) from error
    return int((at if at.tzinfo else at.replace(tzinfo=clock)).timestamp())


def micro(price: str) -> int:
    """Return an amount of money as whole millionths.

    Raises:
        Refused: It is no amount, has more than six decimals, or is more than any account could hold.
    """
    try:
        exact = Decimal(price) * MICRO
    except ArithmeticError as error:
        raise Refused("a price is a number like 0.21", found=price[:80]) from error
    if not exact.is_finite() or abs(exact) > MAX_SAFE_INTEGER:
        raise Refused("a price is a number like 0.21", found=price[:80])
    if exact != exact.to_integral_value():
        raise Refused("money has six decimals at most", found=price[:80])
    return int(exact)


def view(folder: Path) -> MarketView:
    """Return what stands on the markets, as far as the log in a folder has been written.

    Raises:
        Refused: There is no log.
        Corrupt: It contradicts itself.
    """
    with open_log(folder) as log:
        state = resume(log, community_of(log)).state
    quoted = watt_book.quotes(state)
    return MarketView(
        community=state.community,
        buying_price=quoted.buying,
        selling_price=quoted.selling,
        backed_buying_price=quoted.backed_buying,
        backed_selling_price=quoted.backed_selling,
        buying_wh=quoted.buying_wh,
        selling_wh=quoted.selling_wh,
        backed_buying_wh=quoted.backed_buying_wh,
        backed_selling_wh=quoted.backed_selling_wh,
        watt_orders=[(o.id, o.owner, o.side.value, o.energy_wh, o.price_micro_per_kwh) for o in state.book.orders()],
        slots=[_slot(state, slot_s) for slot_s in state.slot_market.slots()],
        listings=[
            (name, state_listing.seller, _left(state, name), state_listing.price_micro_per_kwh)
            for name, state_listing in sorted(state.listings.items())
        ],
        auctions=[
            (a.id, a.terms.form.value, a.terms.side.value, a.terms.good.value, a.terms.amount, len(a.bids))
            for a in state.auctions.items()
            if a.result is None
        ],
    )


def _slot(state: State, slot_s: int) -> SlotView:
    market = state.slot_market
    clearing, orders = market.clearing(slot_s), market.orders(slot_s)
    wanted = {side: sum(o.energy_wh for o in orders if o.side is side) for side in Side}
    trades = market.trades(slot_s)
    price = state.prices.get(slot_s)
    return SlotView(
        slot=f"{instant(slot_s).astimezone(zone_of(state.charter.timezone)):%Y-%m-%d %H:%M}",
        open=clearing is None,
        bids_wh=wanted[Side.BID],
        asks_wh=wanted[Side.ASK],
        traded_wh=int(trades["wh"].sum()),
        price_micro_per_kwh=clearing.price_micro_per_kwh if clearing else None,
        import_price=price[0] if price else None,
        export_price=price[1] if price else None,
    )


def _left(state: State, name: str) -> int:
    pending = state.wallets.transfers.pending(name)
    return pending.amount if pending else 0

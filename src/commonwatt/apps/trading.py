"""What a member sees of the markets, and how an order for a slot is said."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from commonwatt.apps.wiring import open_log
from commonwatt.flows.replay import community_of, resume
from commonwatt.flows.rulebook import State
from commonwatt.flows.rulebook.market import watt_book
from commonwatt.market.auctions import Auction, Form, Good
from commonwatt.market.auctions.standing import Closed
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
class AuctionView:
    """An auction that is not closed; Wh, or W of capacity, micro per kWh, and times by the community's clock.

    Args:
        auction: Its name: its place in the log.
        owner: Who sells (side ``ask``), or buys.
        form: How the winner is found; ``side`` and ``good`` likewise as it was opened.
        amount: What was put up.
        left: What nobody has taken of it yet.
        bids: How many bid, or have sealed a bid.
        phase: Whether it is coming, open, or waits for reveals.
        price: The best bid that stands, or where a Dutch price stands now; None without any, or while bids are sealed.
        reserve: The worst price that the owner takes; None while it is sealed.
        step: By how much a bid has to be better, or a Dutch price moves.
        starts: When bids begin to count.
        ends: When they cease to, unless a late bid extends it.
        window: What slots or capacity are for, from and to; empty for WATT.
    """

    auction: str
    owner: str
    form: str
    side: str
    good: str
    amount: int
    left: int
    bids: int
    phase: str
    price: int | None
    reserve: int | None
    step: int
    starts: str
    ends: str
    window: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultView:
    """What a closed auction came to; units as in `AuctionView`, awards with who, how much, and price."""

    auction: str
    owner: str
    form: str
    side: str
    good: str
    amount: int
    closed: str
    why: str
    awards: list[tuple[str, int, int]]


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
        unbacked_moves_buying: By how much orders that could not trade lower the first; None where only one of them
            is there. ``unbacked_moves_selling`` likewise: by how much they raise the second.
        backed_buying_wh: How many Wh could be bought at that price now; ``backed_selling_wh`` likewise sold.
        watt_orders: Who stands in the WATT book: owner, side, Wh, price.
        slots: The slots at hand, in order.
        listings: WATT that is listed for direct sale: name, seller, Wh, price.
        auctions: Auctions that are not closed, as they were opened.
        results: What the last twenty that closed came to, the latest first.
    """

    community: str
    buying_price: int | None
    selling_price: int | None
    backed_buying_price: int | None
    backed_selling_price: int | None
    unbacked_moves_buying: int | None
    unbacked_moves_selling: int | None
    buying_wh: int
    selling_wh: int
    backed_buying_wh: int
    backed_selling_wh: int
    watt_orders: list[tuple[str, str, str, int, int]]
    slots: list[SlotView]
    listings: list[tuple[str, str, int, int]]
    auctions: list[AuctionView]
    results: list[ResultView]


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


def view(folder: Path, now_s: int = 0) -> MarketView:
    """Return what stands on the markets, as far as the log in a folder has been written.

    Args:
        folder: The community's.
        now_s: When it is looked at, for prices that move by time; the log's last time where that is later.

    Raises:
        Refused: There is no log.
        Corrupt: It contradicts itself.
    """
    with open_log(folder) as log:
        found = resume(log, community_of(log))
    state, at_s = found.state, max(found.last_s, now_s)
    quoted = watt_book.quotes(state)
    return MarketView(
        community=state.community,
        buying_price=quoted.buying,
        selling_price=quoted.selling,
        backed_buying_price=quoted.backed_buying,
        backed_selling_price=quoted.backed_selling,
        unbacked_moves_buying=quoted.unbacked_moves[0],
        unbacked_moves_selling=quoted.unbacked_moves[1],
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
        auctions=[_auction(state, auction, at_s) for auction in state.auctions.items() if auction.result is None],
        results=[_result(state, closed) for closed in reversed(state.auctions.closed())],
    )


def _auction(state: State, auction: Auction, at_s: int) -> AuctionView:
    terms, phase = auction.terms, auction.phase(at_s)
    best = [bid.price for bid in auction.bids.values()]
    price = (max if terms.side is Side.ASK else min)(best, default=None)
    if terms.form is Form.DUTCH:
        price = auction.price(min(max(at_s, terms.start_s), auction.ends_s - 1))
    window = () if terms.good is Good.WATT else (terms.from_s, terms.to_s)
    return AuctionView(
        auction=auction.id,
        owner=auction.owner,
        form=terms.form.value,
        side=terms.side.value,
        good=terms.good.value,
        amount=terms.amount,
        left=auction.left,
        bids=len({*auction.bids, *auction.sealed, *(award.bidder for award in auction.awards)}),
        phase=phase.value,
        price=price,
        reserve=auction.reserve,
        step=terms.step,
        starts=_local(state, terms.start_s),
        ends=_local(state, auction.ends_s),
        window=tuple(_local(state, moment) for moment in window),
    )


def _result(state: State, closed: Closed) -> ResultView:
    return ResultView(
        auction=closed.id,
        owner=closed.owner,
        form=closed.form.value,
        side=closed.side.value,
        good=closed.good.value,
        amount=closed.amount,
        closed=_local(state, closed.closed_s),
        why=closed.why.value,
        awards=[(award.bidder, award.amount, award.price) for award in closed.awards],
    )


def _local(state: State, moment_s: int) -> str:
    """Return a moment by the community's own clock; with seconds where it has any."""
    at = instant(moment_s).astimezone(zone_of(state.charter.timezone))
    return f"{at:%Y-%m-%d %H:%M:%S}" if moment_s % 60 else f"{at:%Y-%m-%d %H:%M}"


def _slot(state: State, slot_s: int) -> SlotView:
    market = state.slot_market
    clearing, orders = market.clearing(slot_s), market.orders(slot_s)
    wanted = {side: sum(o.energy_wh for o in orders if o.side is side) for side in Side}
    trades = market.trades(slot_s)
    price = state.prices.get(slot_s)
    return SlotView(
        slot=_local(state, slot_s),
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

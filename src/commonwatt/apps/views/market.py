"""What stands on a community's markets: the book, the slots at hand, what is listed, and auctions."""

from dataclasses import dataclass

from commonwatt.adapters.stores.chronicle import MOST_ROWS
from commonwatt.apps.community import Community
from commonwatt.apps.views.seeing import check
from commonwatt.flows.rulebook import State
from commonwatt.flows.rulebook.market import watt_book
from commonwatt.flows.rulebook.state import WattPrices
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Seat
from commonwatt.market.auctions import Auction, Form, Good
from commonwatt.market.auctions.standing import Closed
from commonwatt.model import SLOT_SECONDS, AccountId, Side, instant, round_div, zone_of


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


def market(state: State, at_s: int) -> MarketView:
    """Return what stands on a community's markets.

    Args:
        state: Of its log.
        at_s: When it is looked at, for prices that move by time.
    """
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


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnOrder:
    """An order of somebody's own that stands: for WATT where ``slot_s`` is None, else for energy of that slot."""

    order: str
    side: Side
    energy_wh: int
    price_micro_per_kwh: int
    slot_s: int | None
    by_agent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnMarket:
    """What somebody has standing, and their agent's prices; None where it is off."""

    as_of_s: int
    orders: list[OwnOrder]
    agent: WattPrices | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """The markets as everybody sees them, and as of when by the log's time."""

    as_of_s: int
    market: MarketView


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeView:
    """Energy of one slot that two neighbours traded, under their pseudonyms (row M1)."""

    slot_s: int
    buyer: str
    seller: str
    energy_wh: int
    price_micro_per_kwh: int
    fee_micro_per_kwh: int


def markets(community: Community, seat: Seat) -> Market:
    """Return what stands on the markets now."""
    check(community, seat, Action.SEE_TRADES, None)
    return Market(as_of_s=community.told_s, market=market(community.state, max(community.told_s, community.now_s())))


def own_orders(community: Community, seat: Seat, account: AccountId) -> OwnMarket:
    """Return what an account has standing.

    Raises:
        Unseen, Refused: As in `seeing.check`.
    """
    check(community, seat, Action.SEE_ENTRIES, account)
    state = community.state
    watt = [
        OwnOrder(
            order=one.id,
            side=one.side,
            energy_wh=one.energy_wh,
            price_micro_per_kwh=one.price_micro_per_kwh,
            slot_s=None,
            by_agent=one.by_agent,
        )
        for one in state.book.of(account)
    ]
    slots = [
        OwnOrder(
            order=one.id,
            side=one.side,
            energy_wh=one.energy_wh,
            price_micro_per_kwh=one.price_micro_per_kwh,
            slot_s=slot_s,
            by_agent=False,
        )
        for slot_s in state.slot_market.slots()
        if slot_s >= state.settled_to_s
        for one in state.slot_market.orders(slot_s)
        if one.owner == account
    ]
    return OwnMarket(as_of_s=community.told_s, orders=[*watt, *slots], agent=state.agents.get(account))


def trades(
    community: Community, seat: Seat, from_s: int, to_s: int, account: AccountId | None, limit: int
) -> list[TradeView]:
    """Return trades of the slots in [from_s, to_s), the newest slot first; of one account, or of all.

    As many as the limit and then the rest of that slot, so that a next page begins with the slot before.
    """
    check(community, seat, Action.SEE_TRADES, None)
    found = community.chronicle.trades(from_s, to_s, account, limit)
    if len(found) == limit:
        last_s = found[-1].slot_s
        rest = community.chronicle.trades(last_s, last_s + SLOT_SECONDS, account, MOST_ROWS)
        found = [*(one for one in found if one.slot_s != last_s), *rest]
    return [
        TradeView(
            slot_s=one.slot_s,
            buyer=one.trade.buyer,
            seller=one.trade.seller,
            energy_wh=one.trade.energy_wh,
            price_micro_per_kwh=one.trade.price_micro_per_kwh,
            fee_micro_per_kwh=one.trade.fee_micro_per_kwh,
        )
        for one in found
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotPrice:
    """One settled slot: the mean price among neighbours, None without trades, between what the grid gives and takes."""

    slot_s: int
    local_price: int | None
    import_price: int
    export_price: int
    traded_wh: int


def slot_prices(community: Community, seat: Seat, from_s: int, to_s: int, limit: int = MOST_ROWS) -> list[SlotPrice]:
    """Return the prices of the last slots in [from_s, to_s) that are settled or priced, at most `limit`, in order."""
    check(community, seat, Action.SEE_TRADES, None)
    prices = community.chronicle.prices(from_s, to_s, limit)
    traded = community.chronicle.traded(min(prices, default=to_s), to_s)
    found = []
    for slot_s, (bought, sold) in prices.items():
        traded_wh, worth = traded.get(slot_s, (0, 0))
        found.append(
            SlotPrice(
                slot_s=slot_s,
                local_price=round_div(worth, traded_wh) if traded_wh else None,
                import_price=bought,
                export_price=sold,
                traded_wh=traded_wh,
            )
        )
    return found

"""What is to be had beside the markets: direct sales, auctions with the bid that would stand, contracts to earn by."""

from dataclasses import dataclass

from commonwatt.apps.community import Community
from commonwatt.apps.views.responses import calls_itself
from commonwatt.apps.views.seeing import check
from commonwatt.flows.rulebook import State
from commonwatt.flows.rulebook.market.contracts.contract_calling import controlled
from commonwatt.identity.access import Action, Relation, lets
from commonwatt.identity.seat import Seat
from commonwatt.market.auctions import Form, Good
from commonwatt.market.auctions.auction import Auction
from commonwatt.market.auctions.english import required_price
from commonwatt.market.auctions.terms import CAPACITY, SEALED
from commonwatt.market.contracts import Basis, Direction, Offer, Terms, TriggerKind, Window, most_penalty_micro
from commonwatt.market.contracts.paying import availability_micro, due, rate_micro_per_kwh
from commonwatt.model import SLOT_SECONDS, AccountId, Asset, AssetId, Commodity, Memo, Side, cost_micro, zone_of

_HOUR_S = 3_600
_LISTING = "listing "


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """WATT that somebody sells to whoever pays (row H11).

    Args:
        listing: Its place in the log, by which it is taken.
        seller: Whose it is, by pseudonym.
        address: Of the key that listed it: what a buyer checks.
        energy_wh: What is left of it.
        price_micro_per_kwh: What it costs.
        cost_micro: What all that is left costs.
        whole: Whether it is sold as a whole alone.
        until_s: When it ends by itself.
    """

    listing: str
    seller: AccountId
    address: str
    energy_wh: int
    price_micro_per_kwh: int
    cost_micro: int
    whole: bool
    until_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """An auction that takes bids, and the bid that would stand; Wh, or W of capacity.

    Args:
        auction: Its place in the log.
        owner: Who put it up, by pseudonym.
        form: How the winner is found.
        sells: Whether the owner sells it, else buys.
        good: What it is of.
        amount: What is left of it.
        starts_s: When bids begin to count.
        ends_s: When they cease to.
        from_s: Start of the window that it is for; 0 for WATT.
        to_s: Its end.
        bids: How many bid.
        price: The price at which a bid for all of it would stand now, micro per kWh (capacity: per kW and hour); None
            where bids are sealed, or none is taken now.
        cost_micro: What all of it comes to at that price; None likewise, and for capacity.
    """

    auction: str
    owner: AccountId
    form: str
    sells: bool
    good: str
    amount: int
    starts_s: int
    ends_s: int
    from_s: int
    to_s: int
    bids: int
    price: int | None
    cost_micro: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Earning:
    """What one asset's next window under an offer could come to, if it promises what it can hold all the time.

    Args:
        asset: The asset.
        charge_w: What it would promise to take.
        give_back_w: What it would promise to give back.
        start_s: Of the window.
        end_s: Of the window.
        standby_micro: What comes where nobody calls.
        least_micro: What comes where it is called and keeps its word, at the lowest that the grid's prices allow.
        most_micro: Likewise at the highest.
        missed_micro: What comes where it is called and keeps nothing: zero or less.
        stake_micro: What is set aside of its owner's money for all windows.
        ready: Whether it could be promised now: controlled directly, and no other contract counts on it.
    """

    asset: AssetId
    charge_w: int
    give_back_w: int
    start_s: int
    end_s: int
    standby_micro: int
    least_micro: int
    most_micro: int
    missed_micro: int
    stake_micro: int
    ready: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Contractual:
    """A contract that a utility offers.

    Args:
        offer: Its place in the log.
        utility: Who offers it.
        trigger: What calls a window; ``payer`` where who pays does.
        windows: How many windows it is over after.
        accept_by_s: Last second in which it can be accepted.
        until_s: No window ends later.
        earnings: What each of one's own assets could earn with it, the best first; none for who owns none.
    """

    offer: str
    utility: AccountId
    trigger: str
    windows: int
    accept_by_s: int
    until_s: int
    earnings: list[Earning]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTrade:
    """WATT that went from one to another for money, under their pseudonyms (row M1).

    ``number`` is that of its last entry in the books, ``slot_s`` the slot in which it was booked.
    """

    number: int
    slot_s: int
    seller: AccountId
    buyer: AccountId
    energy_wh: int
    paid_micro: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deals:
    """All of it, and as of when by the log's time."""

    as_of_s: int
    sales: list[Sale]
    lots: list[Lot]
    contracts: list[Contractual]


def deals(community: Community, seat: Seat) -> Deals:
    """Return what is to be had; contracts with what the seat's own assets could earn, where it may see these."""
    check(community, seat, Action.SEE_TRADES, None)
    account = seat.account if lets(seat, Action.SEE_ASSETS, Relation.OWN) else None
    state, now_s = community.state, max(community.told_s, community.now_s())
    offers = [one for one in state.contracted.book.offers.values() if not one.closed and one.terms.accept_by_s >= now_s]
    return Deals(
        as_of_s=community.told_s,
        sales=_sales(state),
        lots=[_lot(one, now_s) for one in state.auctions.items() if one.result is None],
        contracts=[_contractual(state, account, one, now_s) for one in offers],
    )


def stored_trades(community: Community, seat: Seat, limit: int) -> list[StoredTrade]:
    """Return trades of WATT, in the book, by auction or straight, the newest first."""
    check(community, seat, Action.SEE_TRADES, None)
    # A trade is two entries; half of one at the end of what is read is left out with what is too much.
    told = community.chronicle.entries(memo=Memo.WATT_TRADE, limit=2 * limit + 2)
    found: dict[tuple[str, int, AccountId, AccountId], StoredTrade] = {}
    for number, one in told:
        watt = one.commodity is Commodity.WATT
        seller, buyer = (one.source, one.target) if watt else (one.target, one.source)
        key = one.ref, one.slot_s, seller, buyer
        before = found.get(key)
        found[key] = StoredTrade(
            number=number if before is None else before.number,
            slot_s=one.slot_s,
            seller=seller,
            buyer=buyer,
            energy_wh=(before.energy_wh if before else 0) + (one.amount if watt else 0),
            paid_micro=(before.paid_micro if before else 0) + (0 if watt else one.amount),
        )
    return list(found.values())[:limit]


def _sales(state: State) -> list[Sale]:
    found = []
    for name, listed in state.listings.items():
        left = state.wallets.transfers.pending(name)
        if left is None:
            continue
        found.append(
            Sale(
                listing=name.removeprefix(_LISTING),
                seller=listed.seller,
                address=listed.key,
                energy_wh=left.amount,
                price_micro_per_kwh=listed.price_micro_per_kwh,
                cost_micro=cost_micro(left.amount, listed.price_micro_per_kwh),
                whole=listed.whole,
                until_s=left.until_s,
            )
        )
    return sorted(found, key=lambda one: (one.price_micro_per_kwh, int(one.listing)))


def _lot(auction: Auction, now_s: int) -> Lot:
    terms, price = auction.terms, None
    if terms.start_s <= now_s < auction.ends_s and terms.form not in SEALED:
        if terms.form is Form.DUTCH:
            price = auction.price(now_s)
        else:
            price = required_price(terms, auction.bids.values())
            price = terms.reserve_price or 0 if price is None else max(0, price)
    comes_to = None if price is None or terms.good in CAPACITY else cost_micro(auction.left, price)
    return Lot(
        auction=auction.id,
        owner=auction.owner,
        form=terms.form.value,
        sells=terms.side is Side.ASK,
        good=terms.good.value,
        amount=auction.left,
        starts_s=terms.start_s,
        ends_s=auction.ends_s,
        from_s=0 if terms.good is Good.WATT else terms.from_s,
        to_s=0 if terms.good is Good.WATT else terms.to_s,
        bids=len({*auction.bids, *auction.sealed, *(award.bidder for award in auction.awards)}),
        price=price,
        cost_micro=comes_to,
    )


def _contractual(state: State, account: AccountId | None, offer: Offer, now_s: int) -> Contractual:
    own = sorted((one for one in state.assets.values() if one.owner == account), key=lambda one: one.id)
    found = [_earning(state, offer, asset, now_s) for asset in own if asset.stores]
    earnings = [one for one in found if one is not None]
    terms = offer.terms
    return Contractual(
        offer=offer.id,
        utility=offer.utility,
        trigger="payer" if calls_itself(offer) else terms.trigger.kind.value,
        windows=terms.most_windows,
        accept_by_s=terms.accept_by_s,
        until_s=terms.until_s,
        earnings=sorted(earnings, key=lambda one: (-one.most_micro, one.asset)),
    )


def _earning(state: State, offer: Offer, asset: Asset, now_s: int) -> Earning | None:
    """Return what a store could earn in the next window; None where it has no part in it."""
    terms = offer.terms
    following = terms.next_window(now_s + terms.notice_s, zone_of(state.charter.timezone))
    if following is None or terms.zone not in (None, asset.zone):
        return None
    number, start_s, end_s = following
    window, seconds = terms.windows[number], end_s - start_s
    power_w = _lasting_w(state, offer, asset, window.direction, seconds)
    if not power_w:
        return None
    charges = window.direction is Direction.CHARGE
    charge_w, give_back_w = (power_w, 0) if charges else (0, power_w)
    standby = availability_micro(terms, power_w, seconds)
    promised_wh = power_w * seconds // _HOUR_S

    def comes_to(kept_wh: int, rate: int) -> int:
        told = due(
            terms, promised_wh=promised_wh, delivered_wh=kept_wh, rates=[rate], availability_micro=standby, called=True
        )
        return told.net_micro

    low, high = (comes_to(promised_wh, rate) for rate in _rates(state, terms, window, start_s, end_s))
    return Earning(
        asset=asset.id,
        charge_w=charge_w,
        give_back_w=give_back_w,
        start_s=start_s,
        end_s=end_s,
        # A standing offer calls every window, so standing by alone is not something that happens.
        standby_micro=low if terms.trigger.kind is TriggerKind.STANDING else standby,
        least_micro=low,
        most_micro=high,
        missed_micro=comes_to(0, 0),
        stake_micro=most_penalty_micro(terms, charge_w, give_back_w) * terms.most_windows,
        ready=controlled(state, asset) and state.contracted.book.pledge(asset.id) is None,
    )


def _lasting_w(state: State, offer: Offer, asset: Asset, direction: Direction, seconds: int) -> int:
    """Return the power that a store can hold for a whole window from empty or full, as far as the offer wants it."""
    wanted_w = offer.terms.power_w - state.contracted.book.promised_w(offer, direction)
    if direction is Direction.CHARGE:
        power_w, energy_wh = asset.max_import_w, asset.capacity_wh * 1_000 // asset.charge_permille
    else:
        power_w, energy_wh = asset.max_export_w, asset.recoverable_wh(asset.capacity_wh)
    return max(0, min(power_w, energy_wh * _HOUR_S // seconds, wanted_w))


def _rates(state: State, terms: Terms, window: Window, start_s: int, end_s: int) -> tuple[int, int]:
    """Return the lowest and the highest that a kWh can earn: of slots whose grid prices are known, else what may be."""
    grid = [state.prices.get(slot_s) for slot_s in range(start_s, end_s, SLOT_SECONDS)]
    known = [rate_micro_per_kwh(terms, window, one) for one in grid if one is not None]
    if len(known) == len(grid) and known:
        return min(known), max(known)
    if terms.basis is Basis.ON_TOP:
        return window.price_micro_per_kwh, window.price_micro_per_kwh
    return 0, terms.most_micro_per_kwh

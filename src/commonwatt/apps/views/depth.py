"""How deep the WATT book is: what is asked and bid at each price, with what could trade now told apart."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from commonwatt.apps.community import Community
from commonwatt.apps.views.seeing import check
from commonwatt.flows.rulebook.tokens.backing import available, free, room_wh
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Seat
from commonwatt.market.book import affordable_wh
from commonwatt.model import AccountId, Commodity, Order, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """All orders at one price: what there is WATT, or room and money, for, and what only counts for the price."""

    price_micro_per_kwh: int
    backed_wh: int
    unbacked_wh: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """Both sides of the book: bids from the highest price down, asks from the lowest up."""

    as_of_s: int
    bids: Sequence[Level]
    asks: Sequence[Level]


def depth(community: Community, seat: Seat) -> Depth:
    """Return both sides of the WATT book; a seller's WATT backs their asks, a buyer's money and room their bids, the
    best first."""
    check(community, seat, Action.SEE_TRADES, None)
    state = community.state
    sides: dict[Side, dict[int, list[int]]] = {side: defaultdict(lambda: [0, 0]) for side in Side}
    for owner in state.book.owners():
        orders = state.book.of(owner)
        asks = sorted((one for one in orders if one.side is Side.ASK), key=lambda one: one.price_micro_per_kwh)
        bids = sorted((one for one in orders if one.side is Side.BID), key=lambda one: -one.price_micro_per_kwh)
        _spread(sides[Side.ASK], _backed_asks(asks, available(state, owner, Commodity.WATT)))
        funds = free(state, owner, Commodity.ERGON)
        _spread(sides[Side.BID], _backed_bids(bids, max(0, funds), max(0, room_wh(state, AccountId(owner)))))
    levels = {side: _levels(found) for side, found in sides.items()}
    return Depth(as_of_s=community.told_s, bids=levels[Side.BID][::-1], asks=levels[Side.ASK])


def _backed_asks(asks: Sequence[Order], watt_wh: int) -> list[tuple[int, int, int]]:
    told = []
    for one in asks:
        backed = min(one.energy_wh, max(0, watt_wh))
        watt_wh -= backed
        told.append((one.price_micro_per_kwh, backed, one.energy_wh - backed))
    return told


def _backed_bids(bids: Sequence[Order], funds_micro: int, room: int) -> list[tuple[int, int, int]]:
    told = []
    for one in bids:
        backed = affordable_wh(funds_micro, one.price_micro_per_kwh, min(one.energy_wh, room))
        funds_micro -= backed * one.price_micro_per_kwh // 1000
        room -= backed
        told.append((one.price_micro_per_kwh, backed, one.energy_wh - backed))
    return told


def _spread(levels: dict[int, list[int]], told: Sequence[tuple[int, int, int]]) -> None:
    for price, backed, unbacked in told:
        levels[price][0] += backed
        levels[price][1] += unbacked


def _levels(found: dict[int, list[int]]) -> list[Level]:
    return [
        Level(price_micro_per_kwh=price, backed_wh=backed, unbacked_wh=unbacked)
        for price, (backed, unbacked) in sorted(found.items())
    ]

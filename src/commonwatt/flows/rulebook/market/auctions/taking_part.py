"""Rules for who can be a party to an auction: a meter where energy flows, the lot's own zone, and room for what is won.

Energy of slots is settled from meters, so both sides have one; who has none, like a utility, buys WATT or capacity, or
makes contracts. Capacity is paid to whoever was heard, so whoever sells it has a meter too.
"""

from commonwatt.flows.rulebook.market import fuses
from commonwatt.flows.rulebook.market.traders import zone_of
from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.tokens.backing import room_wh
from commonwatt.market.auctions import Auction, Good, Terms
from commonwatt.model import AccountId, Outcome, Side


def opens(state: State, owner: AccountId, terms: Terms) -> Outcome | None:
    """Return why an account cannot put such a lot up, or None."""
    if terms.good is Good.SLOTS and state.charter.settlement.ex_post:
        return Outcome.NOT_ALLOWED  # sharing after metering alone: there is nothing to agree on before
    gives = terms.side is Side.ASK
    if not _metered(state, owner, terms, gives=gives):
        return Outcome.NOT_ALLOWED
    return None if bears(state, owner, terms, terms.amount, gives=gives) else Outcome.OVER_LIMIT


def bids(state: State, found: Auction, account: AccountId) -> Outcome | None:
    """Return why an account can take no part in an auction, or None."""
    if account == found.owner or not _metered(state, account, found.terms, gives=found.terms.side is Side.BID):
        return Outcome.NOT_ALLOWED
    # Borders between zones, and what it costs to cross them, are the slot market's.
    apart = found.of_slots and state.zones and zone_of(state, account) != zone_of(state, found.owner)
    return Outcome.NOT_ALLOWED if apart else None


def carries(state: State, found: Auction, account: AccountId, amount: int) -> bool:
    """Tell whether a bidder can give, or take, so much of a lot beside all that they have promised elsewhere."""
    return bears(state, account, found.terms, amount, gives=found.terms.side is Side.BID, besides=found.id)


def bears(state: State, account: AccountId, terms: Terms, amount: int, *, gives: bool, besides: str = "") -> bool:
    """Tell whether a party's fuse bears a lot. Whoever buys capacity needs none for it."""
    if terms.good is Good.WATT:
        return True
    if terms.good is Good.SLOTS:
        side = Side.ASK if gives else Side.BID
        return -(-amount // terms.slots) <= fuses.left_wh(state, account, side, terms.from_s, terms.to_s, besides)
    return not gives or amount <= fuses.left_w(state, account, terms.from_s, terms.to_s, besides)


def has_room(state: State, found: Auction, account: AccountId, amount: int) -> bool:
    """Tell whether a bidder has room for WATT that is sold, beside what they may win elsewhere."""
    if not _sells_watt(found):
        return True
    coming = sum(
        other.bids[account].amount
        for other in state.auctions.of(account)
        if other.id != found.id and other.result is None and _sells_watt(other) and other.stands(account)
    )
    return amount + coming <= room_wh(state, account)


def fee(state: State, owner: AccountId, terms: Terms) -> int:
    """Return what the wires of the owner's zone cost whoever buys energy of slots, micro per kWh."""
    zone = state.zones.get(zone_of(state, owner)) if terms.good is Good.SLOTS else None
    return zone.fee_micro_per_kwh if zone else 0


def _sells_watt(found: Auction) -> bool:
    return found.terms.good is Good.WATT and found.terms.side is Side.ASK


def _metered(state: State, account: AccountId, terms: Terms, *, gives: bool) -> bool:
    needed = terms.good is Good.SLOTS or (terms.good is not Good.WATT and gives)
    return not needed or account in state.connections

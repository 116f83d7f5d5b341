"""What auctions set aside: bonds, lots of WATT, what bids that stand would cost, and what is still owed for awards.

All of it is reserved at its owner under a name that no member's request can spell, backs nothing else meanwhile, and is
let go of by the rules alone.
"""

from collections.abc import Iterable

from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.tokens.backing import free
from commonwatt.flows.rulebook.tokens.wallets import OF_AUCTIONS
from commonwatt.ledger.transfers import FOR_EVER_S, Transfer
from commonwatt.market.auctions import Auction, Award, Good
from commonwatt.market.auctions.terms import CAPACITY
from commonwatt.model import ANYONE, SLOT_SECONDS, AccountId, Commodity, Side


def needed_micro(state: State, found: Auction, amount: int, price: int, *, pays: bool) -> int:
    """Return the ERGON that one side of a lot has set aside for a part of it that is still to come: all that it owes.

    Args:
        state: As it stands: slots that are settled need nothing any more.
        found: The auction.
        amount: Wh that are still to come, or W of capacity.
        price: Micro per kWh.
        pays: Whether it is the side that buys; whoever sells owes ERGON where trades are firm and not kept.
    """
    terms = found.terms
    if not found.of_slots:
        return terms.cost_micro(amount, price) if pays else 0
    stake_micro = state.charter.settlement.stake_micro(amount)
    if not pays:
        return stake_micro
    # Each slot's price and fee are rounded by themselves, by half a micro at most.
    coming = (terms.to_s - max(terms.from_s, state.settled_to_s)) // SLOT_SECONDS
    return terms.cost_micro(amount, price + found.fee_micro_per_kwh) + coming + stake_micro


def hold(state: State, name: str, commodity: Commodity, source: AccountId, target: AccountId, amount: int) -> None:
    """Reserve an amount until the auction lets go of it; nothing where it is zero."""
    if amount:
        state.wallets.reserve(
            Transfer(id=name, commodity=commodity, source=source, target=target, amount=amount, until_s=FOR_EVER_S)
        )


def held(state: State, name: str) -> int:
    """Return how much is reserved under a name."""
    pending = state.wallets.transfers.pending(name)
    return pending.amount if pending else 0


def bond_name(found: Auction, account: AccountId) -> str:
    """Return under which name a bond is reserved."""
    return f"{OF_AUCTIONS}{found.id} bond {account}"


def bid_name(found: Auction, account: AccountId) -> str:
    """Return under which name a bid has set aside what its bidder would give."""
    return f"{OF_AUCTIONS}{found.id} bid {account}"


def lot_name(found: Auction) -> str:
    """Return under which name a lot of WATT is reserved."""
    return f"{OF_AUCTIONS}{found.id} lot"


def due_name(found: Auction, number: int, *, pays: bool) -> str:
    """Return under which name a side of an award has set aside what is to come of it."""
    return f"{OF_AUCTIONS}{found.id} {'due' if pays else 'stake'} {number}"


def hold_lot(state: State, found: Auction, amount: int) -> None:
    """Set aside what an owner who sells has to give for so much of the lot, in place of what was before."""
    state.wallets.release(lot_name(found))
    if found.terms.side is Side.ASK and amount:
        commodity, needed = _lot(state, found, amount)
        hold(state, lot_name(found), commodity, found.owner, ANYONE, needed)


def lot_backed(state: State, found: Auction) -> bool:
    """Tell whether the owner has what a lot needs when it is put up: what is sold, and the bond."""
    bond_micro, needed = found.terms.owner_bond_micro, 0
    if found.terms.side is Side.ASK:
        commodity, needed = _lot(state, found, found.terms.amount)
        if commodity is Commodity.WATT:
            return (
                free(state, found.owner, Commodity.ERGON) >= bond_micro
                and free(state, found.owner, commodity) >= needed
            )
    return free(state, found.owner, Commodity.ERGON) >= bond_micro + needed


def _lot(state: State, found: Auction, amount: int) -> tuple[Commodity, int]:
    if found.terms.good is Good.WATT:
        return Commodity.WATT, amount
    return Commodity.ERGON, needed_micro(state, found, amount, found.terms.reserve_price or 0, pays=False)


def promise(state: State, found: Auction, amount: int, price: int) -> tuple[Commodity, int]:
    """Return what a bidder gives for a bid if it wins: ERGON where they buy, WATT where they sell that."""
    buys = found.terms.side is Side.ASK
    if found.terms.good is Good.WATT and not buys:
        return Commodity.WATT, amount
    return Commodity.ERGON, needed_micro(state, found, amount, price, pays=buys)


def backed(state: State, found: Auction, account: AccountId, amount: int, price: int, bond_micro: int = 0) -> bool:
    """Tell whether a bidder has what a bid promises, beside its bond and instead of what an earlier bid has set aside.

    Args:
        state: As it stands.
        found: The auction.
        account: Who bids.
        amount: Wh, or W of capacity.
        price: Micro per kWh.
        bond_micro: What has to be reserved with it.
    """
    commodity, needed = promise(state, found, amount, price)
    left = free(state, account, commodity) + held(state, bid_name(found, account))
    if commodity is not Commodity.ERGON:
        return left >= needed
    return not needed or left >= needed + bond_micro


def hold_bid(state: State, found: Auction, account: AccountId, amount: int, price: int) -> None:
    """Set aside what a bidder would give, in place of what an earlier bid of theirs has."""
    let_bid_go(state, found, account)
    commodity, needed = promise(state, found, amount, price)
    hold(state, bid_name(found, account), commodity, account, found.owner, needed)


def let_bid_go(state: State, found: Auction, account: AccountId) -> None:
    """Let go of what a bid has set aside."""
    state.wallets.release(bid_name(found, account))


def hold_due(state: State, found: Auction, award: Award, number: int, amount: int, *, more: bool = False) -> None:
    """Set aside on both sides what is still to come of an award.

    Args:
        state: Changed in place.
        found: The auction.
        award: Whose, at which price.
        number: Its place among the auction's awards.
        amount: What is still to come; Wh, or W of capacity.
        more: Whether it comes on top of what is set aside for the award already, and not in its place.
    """
    giver, payer = parties(found, award)
    for source, target, pays in ((payer, giver, True), (giver, payer, False)):
        name = due_name(found, number, pays=pays)
        before = state.wallets.release(name)
        micro = needed_micro(state, found, amount, award.price, pays=pays) if amount else 0
        hold(state, name, Commodity.ERGON, source, target, micro + (before.amount if before and more else 0))


def let_due_go(state: State, found: Auction, number: int) -> Transfer | None:
    """Let go of what is set aside for an award on either side, and return what the buyer had."""
    state.wallets.release(due_name(found, number, pays=False))
    return state.wallets.release(due_name(found, number, pays=True))


def parties(found: Auction, award: Award) -> tuple[AccountId, AccountId]:
    """Return who gives what an award is of, and who pays for it."""
    return (found.owner, award.bidder) if found.terms.side is Side.ASK else (award.bidder, found.owner)


def release(state: State, found: Auction) -> None:
    """Let go of the lot, of every bid and of every bond."""
    state.wallets.release(lot_name(found))
    for account in (found.owner, *sorted({*found.bids, *found.sealed})):
        state.wallets.release(bond_name(found, account))
        let_bid_go(state, found, account)


def keep_bonds(state: State, found: Auction, awards: Iterable[Award]) -> None:
    """Reserve the bonds of those who sold capacity again, until its window is over and shows who was there."""
    if found.terms.good not in CAPACITY:
        return
    for seller in dict.fromkeys(parties(found, award)[0] for award in awards):
        hold(state, bond_name(found, seller), Commodity.ERGON, seller, ANYONE, bond_micro(found, seller))


def bond_micro(found: Auction, account: AccountId) -> int:
    """Return how high an account's bond is."""
    return found.terms.owner_bond_micro if account == found.owner else found.terms.bidder_bond_micro

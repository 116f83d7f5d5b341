"""Rules for what comes of an auction: who performs, who gets what at once or later, and where each bond goes.

WATT changes hands against ERGON in the instant of closing, both legs or neither. For slots and capacity the ERGON of
whoever pays is reserved in that instant: until its slots are settled (settlement books the trades, see
`Auction.trades`), or until a window of capacity is over, when it is paid. What is due is found out before anything is
booked: as long as a winner does not perform, the lot is allotted again among the others.
"""

from collections.abc import Iterable

from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.tokens.backing import free, room_wh
from commonwatt.flows.rulebook.tokens.wallets import OF_AUCTIONS
from commonwatt.ledger.transfers import FOR_EVER_S, Transfer
from commonwatt.market.auctions import Auction, Award, Form, Good
from commonwatt.market.auctions.auction import Result, Why
from commonwatt.market.auctions.terms import CAPACITY
from commonwatt.model import (
    ANYONE,
    MAX_SAFE_INTEGER,
    SLOT_SECONDS,
    AccountId,
    Commodity,
    Memo,
    Outcome,
    Side,
    Trade,
    share_wh,
)

_MOST_BOOKED_MICRO = 3 * 10**15
"""What closing one auction can add to one account: the lot's price, and every bond."""


def hold(state: State, name: str, commodity: Commodity, source: AccountId, target: AccountId, amount: int) -> None:
    """Reserve an amount until the auction lets go of it; nothing where it is zero."""
    if amount:
        state.wallets.reserve(
            Transfer(id=name, commodity=commodity, source=source, target=target, amount=amount, until_s=FOR_EVER_S)
        )


def bond_name(found: Auction, account: AccountId) -> str:
    """Return under which name a bond is reserved; no transfer that a member asks for can name it."""
    return f"{OF_AUCTIONS}{found.id} bond {account}"


def lot_name(found: Auction) -> str:
    """Return under which name a lot of WATT is reserved."""
    return f"{OF_AUCTIONS}{found.id} lot"


def release(state: State, found: Auction) -> None:
    """Let go of the lot and of every bond."""
    state.wallets.release(lot_name(found))
    for account in (found.owner, *sorted({*found.bids, *found.sealed})):
        state.wallets.release(bond_name(found, account))


def trades(state: State, slot_s: int) -> list[Trade]:
    """Return what auctions have sold for a slot, as they were opened, for the slot's settlement."""
    return [trade for found in state.auctions.items() for trade in found.trades(slot_s)]


def close(state: State, found: Auction, stamped_s: int) -> None:
    """End an auction: find who won and performs, book it, and send every bond where it belongs."""
    if found.terms.form is Form.DUTCH:
        _end_dutch(state, found, Why.SOLD if found.awards else Why.NO_BID, stamped_s)
        return
    hid = {bidder for bidder in found.sealed if bidder not in found.bids}
    out: set[AccountId] = set()
    awards, why = _winners(state, found, out)
    if _full(state, [found.owner, *found.bids, *found.sealed]):
        # Far beyond all ERGON that can be bought, and nobody's fault: all bonds go back.
        hid, out, awards, why = set(), set(), [], Why.BOOKS_FULL
    performers = {Why.OWNER_FAILED: {award.bidder for award in awards}, Why.OWNER_HID: {*found.bids}}.get(why, set())
    release(state, found)
    for bidder in sorted(hid | out):
        _forfeit(state, found, bidder, [(found.owner, found.terms.bidder_bond_micro)], stamped_s)
    _owner_forfeits(state, found, performers, stamped_s)
    if why is Why.OWNER_FAILED:
        awards = []
    fates = found.fates(awards, out)
    for number, award in enumerate(awards):
        _book(state, found, award, number, stamped_s)
    _end(state, found, Result(why=why, closed_s=stamped_s, awards=tuple(awards), bidders=fates))


def take(
    state: State, found: Auction, taker: AccountId, amount: int, price: int, position: int, stamped_s: int
) -> Outcome:
    """Sell at a Dutch price, at once, to somebody who performs; where the owner does not, the auction is over."""
    award = Award(bidder=taker, amount=amount, price=price, position=position)
    if _full(state, [found.owner, taker]):
        return Outcome.OVER_LIMIT
    if not _owner_performs(state, found, [award]):
        release(state, found)
        _owner_forfeits(state, found, {taker}, stamped_s)
        _end_dutch(state, found, Why.OWNER_FAILED, stamped_s)
        return Outcome.BOOKED
    lot = state.wallets.release(lot_name(found))
    _book(state, found, award, len(found.awards), stamped_s)
    if lot:
        hold(state, lot_name(found), Commodity.WATT, found.owner, ANYONE, lot.amount - amount)
    found.awards.append(award)
    if not found.left:
        close(state, found, stamped_s)
    return Outcome.BOOKED


def fulfil(state: State, found: Auction, stamped_s: int) -> None:
    """End what was won and is over: reservations for slots are let go of, capacity that was held ready is paid."""
    assert found.result is not None
    for number in range(len(found.result.awards)):
        held = state.wallets.release(_due_name(found, number))
        if held and found.terms.good in CAPACITY and not _full(state, [held.source, held.target]):
            _move(state, found, Commodity.ERGON, held.source, held.target, held.amount, Memo.CAPACITY, stamped_s)
    with state.auctions.change(found):
        found.done = True


def _winners(state: State, found: Auction, out: set[AccountId]) -> tuple[list[Award], Why]:
    """Return who won and performs, and why it ends so; whoever won and does not perform joins those who are out."""
    if found.reserve is None:
        return [], Why.OWNER_HID
    while awards := found.winners(out):
        failing = {award.bidder for award in awards if not _performs(state, found, award.bidder, awards)}
        if not failing:
            return awards, Why.SOLD if _owner_performs(state, found, awards) else Why.OWNER_FAILED
        out |= failing
    return [], Why.NO_BID


def _performs(state: State, found: Auction, bidder: AccountId, awards: Iterable[Award]) -> bool:
    mine = [award for award in awards if award.bidder == bidder]
    amount, watt = sum(award.amount for award in mine), found.terms.good is Good.WATT
    if found.terms.side is Side.ASK:
        bond_micro = _reserved(state, bond_name(found, bidder))
        pays = free(state, bidder, Commodity.ERGON) + bond_micro >= sum(_due_micro(found, award) for award in mine)
        return pays and (not watt or room_wh(state, bidder) >= amount)
    return not watt or free(state, bidder, Commodity.WATT) >= amount


def _owner_performs(state: State, found: Auction, awards: Iterable[Award]) -> bool:
    owner, watt = found.owner, found.terms.good is Good.WATT
    amount = sum(award.amount for award in awards)
    if found.terms.side is Side.ASK:
        return not watt or state.watt(owner) >= amount  # what a discharge has called meanwhile is gone
    bond_micro = _reserved(state, bond_name(found, owner))
    pays = free(state, owner, Commodity.ERGON) + bond_micro >= sum(_due_micro(found, award) for award in awards)
    return pays and (not watt or room_wh(state, owner) >= amount)


def _due_micro(found: Auction, award: Award) -> int:
    """Return what an award can come to; each slot of it is rounded by itself, by half a micro at most."""
    return found.terms.cost_micro(award.amount, award.price) + (found.terms.slots if found.of_slots else 0)


def _book(state: State, found: Auction, award: Award, number: int, stamped_s: int) -> None:
    sells = found.terms.side is Side.ASK
    giver, payer = (found.owner, award.bidder) if sells else (award.bidder, found.owner)
    due_micro = _due_micro(found, award)
    if found.terms.good is Good.WATT:
        _move(state, found, Commodity.WATT, giver, payer, award.amount, Memo.WATT_TRADE, stamped_s)
        _move(state, found, Commodity.ERGON, payer, giver, due_micro, Memo.WATT_TRADE, stamped_s)
    else:
        hold(state, _due_name(found, number), Commodity.ERGON, payer, giver, due_micro)


def _due_name(found: Auction, number: int) -> str:
    return f"{OF_AUCTIONS}{found.id} due {number}"


def _owner_forfeits(state: State, found: Auction, to: set[AccountId], stamped_s: int) -> None:
    """Give the owner's bond in equal parts to some; whole micro, those whose bids are older have what is left over."""
    order = sorted(to, key=lambda account: found.bids[account].position if account in found.bids else 0)
    if order:
        shares = share_wh(found.terms.owner_bond_micro, [1] * len(order))
        _forfeit(state, found, found.owner, list(zip(order, shares, strict=True)), stamped_s)


def _forfeit(
    state: State, found: Auction, loser: AccountId, to: Iterable[tuple[AccountId, int]], stamped_s: int
) -> None:
    for account, amount in to:
        _move(state, found, Commodity.ERGON, loser, account, amount, Memo.BOND_FORFEITED, stamped_s)


def _move(
    state: State,
    found: Auction,
    commodity: Commodity,
    source: AccountId,
    target: AccountId,
    amount: int,
    memo: Memo,
    stamped_s: int,
) -> None:
    slot_s = stamped_s // SLOT_SECONDS * SLOT_SECONDS
    state.move(commodity, source, target, amount, slot_s=slot_s, memo=memo, ref=f"auction/{found.id}")


def _full(state: State, accounts: Iterable[AccountId]) -> bool:
    return any(abs(state.ergon(account)) > MAX_SAFE_INTEGER - _MOST_BOOKED_MICRO for account in accounts)


def _end_dutch(state: State, found: Auction, why: Why, stamped_s: int) -> None:
    """End an auction of which every part was booked as it was taken."""
    release(state, found)
    taken = tuple(found.awards)
    _end(state, found, Result(why=why, closed_s=stamped_s, awards=taken, bidders=found.fates(taken, set())))


def _reserved(state: State, name: str) -> int:
    pending = state.wallets.transfers.pending(name)
    return pending.amount if pending else 0


def _end(state: State, found: Auction, result: Result) -> None:
    with state.auctions.change(found):
        found.result = result
        found.done = found.terms.good is Good.WATT or not result.awards

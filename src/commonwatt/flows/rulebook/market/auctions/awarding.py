"""Rules for what comes of an auction: who performs, who gets what at once or later, and where each bond goes.

WATT changes hands against ERGON in the instant of closing, both legs or neither. For slots and capacity the ERGON of
whoever pays is reserved in that instant: until its slots are settled one after the other (settlement books the trades,
see `Auction.trades`), or until the last slot of a window of capacity is, when it is paid to whoever was heard in all of
them. What is due is found out before anything is booked: as long as a winner does not perform, the lot is allotted
again among the others.
"""

from collections.abc import Iterable

from commonwatt.flows.rulebook.market.auctions import holding, taking_part
from commonwatt.flows.rulebook.market.auctions.holding import bid_name, bond_name, held, needed_micro
from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.tokens.backing import free, room_wh
from commonwatt.market.auctions import Auction, Award, Form, Good
from commonwatt.market.auctions.auction import Result, Why
from commonwatt.market.auctions.terms import CAPACITY
from commonwatt.metering.batch import Quality
from commonwatt.model import (
    MAX_SAFE_INTEGER,
    SLOT_SECONDS,
    AccountId,
    Commodity,
    Memo,
    Outcome,
    Side,
    share_wh,
)

_MOST_BOOKED_MICRO = 3 * 10**15
"""What closing one auction can add to one account: the lot's price, and every bond."""


def close(state: State, found: Auction, stamped_s: int) -> None:
    """End an auction: find who won and performs, book it, and send every bond where it belongs."""
    if found.terms.form is Form.DUTCH:
        end_dutch(state, found, Why.NO_BID, stamped_s)
        return
    hid = {bidder for bidder in found.sealed if bidder not in found.bids}
    out: set[AccountId] = set()
    awards, why = _winners(state, found, out)
    if _full(state, [found.owner, *found.bids, *found.sealed]):
        # Far beyond all ERGON that can be bought, and nobody's fault: all bonds go back.
        hid, out, awards, why = set(), set(), [], Why.BOOKS_FULL
    performers = {Why.OWNER_FAILED: {award.bidder for award in awards}, Why.OWNER_HID: {*found.bids}}.get(why, set())
    holding.release(state, found)
    for bidder in sorted(hid | out):
        _forfeit(state, found, bidder, [(found.owner, found.terms.bidder_bond_micro)], stamped_s)
    _owner_forfeits(state, found, performers, stamped_s)
    if why is Why.OWNER_FAILED:
        awards = []
    holding.keep_bonds(state, found, awards)
    fates = found.fates(awards, out)
    for number, award in enumerate(awards):
        _book(state, found, award, number, stamped_s)
    _end(state, found, Result(why=why, closed_s=stamped_s, awards=tuple(awards), bidders=fates))


def take(
    state: State, found: Auction, taker: AccountId, amount: int, price: int, position: int, stamped_s: int
) -> Outcome:
    """Sell at a Dutch price, at once, to somebody who performs; where the owner does not, the auction is over."""
    if _full(state, [found.owner, taker]):
        return Outcome.OVER_LIMIT
    award = Award(bidder=taker, amount=amount, price=price, position=position)
    # The bond stays where it is while something is left, so it pays for the last part alone.
    if not _owner_performs(state, found, [award], with_bond=amount == found.left):
        holding.release(state, found)
        _owner_forfeits(state, found, {taker}, stamped_s)
        end_dutch(state, found, Why.OWNER_FAILED, stamped_s)
        return Outcome.BOOKED
    state.wallets.release(holding.lot_name(found))
    with state.auctions.change(found):
        number = found.take(award)
    _book(state, found, award, number, stamped_s)
    holding.hold_lot(state, found, found.left)
    if not found.left:
        close(state, found, stamped_s)
    return Outcome.BOOKED


def end_dutch(state: State, found: Auction, why: Why, stamped_s: int) -> None:
    """End an auction of which every part was booked as it was taken.

    Args:
        state: Changed in place.
        found: The auction.
        why: Why no more is taken; what was sold is sold, unless its owner failed.
        stamped_s: The log's time.
    """
    holding.release(state, found)
    taken = tuple(found.awards)
    if taken and why is not Why.OWNER_FAILED:
        why = Why.SOLD
        holding.keep_bonds(state, found, taken)
    _end(state, found, Result(why=why, closed_s=stamped_s, awards=taken, bidders=found.fates(taken, set())))


def slot_settled(state: State, slot_s: int) -> None:
    """Let go of what was set aside for a slot that is settled now, and note who sold capacity and was not heard."""
    for found in state.auctions.running(slot_s):
        assert found.result is not None
        awards = found.result.awards
        if found.of_slots:
            left = found.outstanding(slot_s + SLOT_SECONDS)
            for number, (award, amount) in enumerate(zip(awards, left, strict=True)):
                holding.hold_due(state, found, award, number, amount)
            continue
        for seller in dict.fromkeys(holding.parties(found, award)[0] for award in awards):
            if seller not in found.missed and not _heard(state, seller, slot_s):
                found.missed.append(seller)


def fulfil(state: State, found: Auction, stamped_s: int) -> None:
    """End what was won and is over: what was set aside for slots is let go of, capacity is paid where it was there."""
    assert found.result is not None
    missed: list[Award] = []
    for number, award in enumerate(found.result.awards):
        due = holding.let_due_go(state, found, number)
        if found.terms.good not in CAPACITY:
            continue
        seller, buyer = holding.parties(found, award)
        if seller in found.missed:
            missed.append(award)
        elif due and not _full(state, [seller, buyer]):
            _move(state, found, Commodity.ERGON, buyer, seller, due.amount, Memo.CAPACITY, stamped_s)
    holding.release(state, found)
    _missing_forfeit(state, found, missed, stamped_s)
    with state.auctions.change(found):
        found.done = True


def _heard(state: State, account: AccountId, slot_s: int) -> bool:
    """Tell whether an account's connection told what it measured in a slot that is being settled."""
    slot = state.readings.at(slot_s) if slot_s in state.readings else None
    meter = state.connections.get(account)
    if slot is None or meter is None or meter not in slot:
        return False
    return slot.quality_of(meter) is Quality.MEASURED


def _missing_forfeit(state: State, found: Auction, missed: list[Award], stamped_s: int) -> None:
    """Give the bond of whoever sold capacity and was not there to those who bought it."""
    if _full(state, [found.owner, *(award.bidder for award in missed)]):
        return
    if found.terms.side is Side.ASK:
        _owner_forfeits(state, found, {award.bidder for award in missed}, stamped_s)
        return
    for seller in dict.fromkeys(award.bidder for award in missed):
        _forfeit(state, found, seller, [(found.owner, found.terms.bidder_bond_micro)], stamped_s)


def _winners(state: State, found: Auction, out: set[AccountId]) -> tuple[list[Award], Why]:
    """Return who won and performs, and why it ends so; whoever won and does not perform joins those who are out."""
    if found.reserve is None:
        return [], Why.OWNER_HID
    skipped: set[AccountId] = set()
    while awards := found.winners(out | skipped):
        failing = {award.bidder for award in awards if not _performs(state, found, award.bidder, awards)}
        if not failing:
            return awards, Why.SOLD if _owner_performs(state, found, awards) else Why.OWNER_FAILED
        # Whoever was outbid was told so, and free to use elsewhere what their bid had set aside.
        out |= {bidder for bidder in failing if found.stands(bidder)}
        skipped |= failing
    return [], Why.NO_BID


def _performs(state: State, found: Auction, bidder: AccountId, awards: Iterable[Award]) -> bool:
    """Tell whether a winner has what their awards need, what the bid and the bond have set aside included."""
    mine = [award for award in awards if award.bidder == bidder]
    amount, watt, buys = sum(award.amount for award in mine), found.terms.good is Good.WATT, _sells(found)
    aside = held(state, bid_name(found, bidder))
    if not taking_part.carries(state, found, bidder, amount):
        return False
    if watt and not buys:
        return free(state, bidder, Commodity.WATT) + aside >= amount
    if watt and room_wh(state, bidder) < amount:
        return False
    aside += held(state, bond_name(found, bidder))
    return _pays(state, bidder, aside, sum(needed_micro(state, found, a.amount, a.price, pays=buys) for a in mine))


def _owner_performs(state: State, found: Auction, awards: Iterable[Award], *, with_bond: bool = True) -> bool:
    owner, sells, watt = found.owner, _sells(found), found.terms.good is Good.WATT
    amount = sum(award.amount for award in awards)
    if sells and watt:
        return state.watt(owner) >= amount  # what a discharge has called meanwhile is gone
    if watt and room_wh(state, owner) < amount:
        return False
    aside = held(state, holding.lot_name(found)) + (held(state, bond_name(found, owner)) if with_bond else 0)
    needed = sum(needed_micro(state, found, award.amount, award.price, pays=not sells) for award in awards)
    return _pays(state, owner, aside, needed)


def _pays(state: State, account: AccountId, aside: int, needed: int) -> bool:
    """Tell whether an account has so much ERGON with what is set aside for it; whoever needs none always has."""
    return not needed or free(state, account, Commodity.ERGON) + aside >= needed


def _sells(found: Auction) -> bool:
    return found.terms.side is Side.ASK


def _book(state: State, found: Auction, award: Award, number: int, stamped_s: int) -> None:
    giver, payer = holding.parties(found, award)
    if found.terms.good is not Good.WATT:
        # A part that is taken at a price at which its taker has some already comes on top, as it was looked at.
        holding.hold_due(state, found, award, number, award.amount, more=True)
        return
    due_micro = needed_micro(state, found, award.amount, award.price, pays=True)
    _move(state, found, Commodity.WATT, giver, payer, award.amount, Memo.WATT_TRADE, stamped_s)
    _move(state, found, Commodity.ERGON, payer, giver, due_micro, Memo.WATT_TRADE, stamped_s)


def _owner_forfeits(state: State, found: Auction, to: set[AccountId], stamped_s: int) -> None:
    """Give the owner's bond in equal parts to some; whole micro, those whose bids are older have what is left over."""
    order = sorted(to, key=lambda account: _place(found, account))
    if order:
        shares = share_wh(found.terms.owner_bond_micro, [1] * len(order))
        _forfeit(state, found, found.owner, list(zip(order, shares, strict=True)), stamped_s)


def _place(found: Auction, account: AccountId) -> int:
    """Return where a bidder's bid stands in the log, or what they took first."""
    if account in found.bids:
        return found.bids[account].position
    return min((award.position for award in found.awards if award.bidder == account), default=0)


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


def _end(state: State, found: Auction, result: Result) -> None:
    with state.auctions.change(found):
        found.result = result
        found.done = found.terms.good is Good.WATT or not result.awards

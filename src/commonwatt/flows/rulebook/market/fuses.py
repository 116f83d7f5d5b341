"""What a connection still bears in a slot beside all that its owner has promised already (row M6).

Promised are orders of the slot market, and what auctions may come to: lots that stand, bids that would win, and what is
won. The two sides are counted apart: nobody promises to give more than their fuse lets out, nor to take more than it
lets in, whether or not one could make up for the other.
"""

from collections.abc import Iterable

from commonwatt.flows.rulebook.state import State
from commonwatt.market.auctions import Auction
from commonwatt.market.auctions.terms import CAPACITY
from commonwatt.model import SLOT_SECONDS, AccountId, Side


def left_wh(state: State, account: AccountId, side: Side, from_s: int, to_s: int, besides: str = "") -> int:
    """Return how much an account can still sell, or buy, in every slot of a window; zero without a connection.

    Args:
        state: As it stands.
        account: Whose.
        side: Whether it sells or buys.
        from_s: The first slot.
        to_s: The end of the last.
        besides: The auction of which the promise is about to change, so that the one before does not count.
    """
    connection = state.connections.get(account)
    if connection is None:
        return 0
    point = state.assets[connection]
    limit_w = point.max_import_w if side is Side.BID else point.max_export_w
    loads = _of_slots(state, account, side, besides)
    most_wh = max(
        _at(loads, slot_s) + _ordered_wh(state, account, side, slot_s) for slot_s in range(from_s, to_s, SLOT_SECONDS)
    )
    return limit_w * SLOT_SECONDS // 3600 - most_wh


def auctioned_wh(state: State, account: AccountId, side: Side, slot_s: int) -> int:
    """Return what an account may have to give, or take, in a slot because of auctions."""
    return _at(_of_slots(state, account, side, ""), slot_s)


def left_w(state: State, account: AccountId, from_s: int, to_s: int, besides: str = "") -> int:
    """Return how much capacity an account can still sell over a whole window; arguments as for `left_wh`.

    Up and down count together: whoever is ready for both has room for both, on the way from the most that the
    connection takes to the most that it gives.
    """
    connection = state.connections.get(account)
    if connection is None:
        return 0
    point = state.assets[connection]
    sold = [
        (found.terms.from_s, found.terms.to_s, found.promised(account, gives=True))
        for found in _others(state, account, besides)
        if found.terms.good in CAPACITY
    ]
    most_w = max(_at(sold, slot_s) for slot_s in range(from_s, to_s, SLOT_SECONDS))
    return point.max_import_w + point.max_export_w - most_w


def _others(state: State, account: AccountId, besides: str) -> Iterable[Auction]:
    return (found for found in state.auctions.of(account) if found.id != besides)


def _of_slots(state: State, account: AccountId, side: Side, besides: str) -> list[tuple[int, int, int]]:
    """Return begin, end and Wh a slot of all that auctions may come to; no slot has more than its share, rounded up."""
    return [
        (found.terms.from_s, found.terms.to_s, -(-promised // found.terms.slots))
        for found in _others(state, account, besides)
        if found.of_slots and (promised := found.promised(account, gives=side is Side.ASK))
    ]


def _ordered_wh(state: State, account: AccountId, side: Side, slot_s: int) -> int:
    stands, _, wh = state.slot_market.standing(slot_s, account)
    return wh if stands is side else 0


def _at(loads: Iterable[tuple[int, int, int]], at_s: int) -> int:
    return sum(amount for from_s, to_s, amount in loads if from_s <= at_s < to_s)

"""Who gets how much of a lot, and at which price."""

from collections.abc import Iterable
from dataclasses import dataclass

from commonwatt.market.auctions.terms import Form, Terms
from commonwatt.model import AccountId, InvalidValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Bid:
    """An open bid, or a sealed one that was revealed.

    Args:
        bidder: Who bids.
        amount: Wh, or W of capacity; the whole lot where it is not divisible.
        price: Micro per kWh.
        position: Where it, or its commitment, stands in the log: the earlier of equal bids is the better one.

    Raises:
        InvalidValue: It is for nothing, or its price is below zero.
    """

    bidder: AccountId
    amount: int
    price: int
    position: int

    def __post_init__(self) -> None:
        if self.amount <= 0 or self.price < 0:
            raise InvalidValue(f"a bid is for more than zero at zero or more, was {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Award:
    """A part of the lot that a bidder won, its price, and the place of the bid; a bidder can have several."""

    bidder: AccountId
    amount: int
    price: int
    position: int


def allot(terms: Terms, bids: Iterable[Bid], reserve: int | None) -> list[Award]:
    """Return what each winner gets and pays, the best bid first, equal prices in log order.

    A lot that is divisible goes to the best bids until it is gone, the last of them in part. Winners pay what they
    bid; in a second-price auction what they keep others from (Vickrey): for each Wh the price of the bid that would
    have got it otherwise, or the reserve price where nobody would.

    Args:
        terms: Of the auction.
        bids: At most one of each bidder; each for the whole lot where it is not divisible.
        reserve: The worst price that the owner takes; None where any will do, which no second price can be made of.

    Returns:
        Awards without zeros; those of one bidder stand together.

    Raises:
        InvalidValue: A second price is asked for without reserve price.

    Source: Vickrey, Counterspeculation, Auctions, and Competitive Sealed Tenders, 1961.
    """
    ranked = _ranked(terms, bids, reserve)
    won = _filled(ranked, terms.amount)
    if terms.form is not Form.SECOND_PRICE:
        return [_award(bid, wh, bid.price) for bid, wh in won]
    if reserve is None:
        raise InvalidValue(f"a second price is never worse than a reserve price, was without one in {terms}")
    return [piece for bid, wh in won for piece in _kept_from(ranked, won, bid, wh, terms.amount, reserve)]


def _award(bid: Bid, amount: int, price: int) -> Award:
    return Award(bidder=bid.bidder, amount=amount, price=price, position=bid.position)


def _ranked(terms: Terms, bids: Iterable[Bid], reserve: int | None) -> list[Bid]:
    good = [bid for bid in bids if reserve is None or not terms.better(reserve, bid.price)]
    return sorted(good, key=lambda bid: (terms.rank(bid.price), bid.position))


def _filled(ranked: list[Bid], left: int) -> list[tuple[Bid, int]]:
    filled = []
    for bid in ranked:
        amount = min(bid.amount, left)
        left -= amount
        if amount:
            filled.append((bid, amount))
    return filled


def _kept_from(
    ranked: list[Bid], won: list[tuple[Bid, int]], winner: Bid, amount: int, whole: int, reserve: int
) -> list[Award]:
    """Return what would have gone to whom without the winner, as the pieces that the winner pays for."""
    got = {bid.bidder: wh for bid, wh in won}
    pieces, left = [], amount
    for bid, without in _filled([bid for bid in ranked if bid is not winner], whole):
        more = without - got.get(bid.bidder, 0)
        left -= more
        if more:
            pieces.append(_award(winner, more, bid.price))
    if left:
        pieces.append(_award(winner, left, reserve))
    return pieces

"""Open bids, each better than the one before: rising where the owner sells, falling where the owner buys."""

from collections.abc import Iterable

from commonwatt.market.auctions.allotting import Bid, allot
from commonwatt.market.auctions.terms import Terms
from commonwatt.model import Side


def required_price(terms: Terms, bids: Iterable[Bid]) -> int | None:
    """Return the worst price that a new bid may have; None where any will do.

    While the lot is not spoken for, that is the public reserve price. After that a bid must be a step better than the
    worst one that would get something now: with a lot that is sold whole, than the best.

    Args:
        terms: Of the auction.
        bids: Those that stand.

    Returns:
        Micro per kWh; where the owner buys it may be below zero, and then nobody can go lower.

    Source: ascending auction with a minimum increment; Krishna, Auction Theory, 2nd ed., chapters 1 and 13.
    """
    won = allot(terms, bids, reserve=None)
    if sum(award.amount for award in won) < terms.amount:
        return terms.reserve_price
    return won[-1].price + (terms.step if terms.side is Side.ASK else -terms.step)


def extended_end_s(terms: Terms, ends_s: int, extended: int, bid_s: int) -> int:
    """Return when an auction ends after a bid: later where the bid came late and not all extensions are used."""
    late = ends_s - bid_s <= terms.late_s
    return ends_s + terms.extend_s if late and extended < terms.most_extensions else ends_s

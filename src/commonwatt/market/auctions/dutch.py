"""A price that moves by the log's time until somebody takes it: down where the owner sells, up where the owner buys."""

from commonwatt.market.auctions.terms import Terms
from commonwatt.model import Side


def price_at(terms: Terms, now_s: int) -> int:
    """Return the price that stands at a moment, in micro per kWh: a step further on each tick, up to the reserve price.

    Args:
        terms: Of a Dutch auction.
        now_s: The log's time, from the auction's start on.
    """
    reserve = terms.reserve_price or 0
    moved = (now_s - terms.start_s) // terms.tick_s * terms.step
    if terms.side is Side.ASK:
        return max(reserve, terms.opening_price - moved)
    return min(reserve, terms.opening_price + moved)


def takes(terms: Terms, limit: int, price: int) -> bool:
    """Tell whether a bidder with this limit takes this price: the most they pay, or the least they want."""
    return not terms.better(price, limit)

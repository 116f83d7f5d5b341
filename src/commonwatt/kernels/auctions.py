"""Clear very many call auctions at once, in compiled loops: rank orders, find the crossing, share it out."""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from commonwatt.kernels.cores import beside

BID, ASK = 0, 1
NO_PRICE = -(2**62)
_HALF = 2**31
_LOW = 2**32 - 1
_MOST_PRODUCT = 2**62
_DIGIT_BITS = 11
_DIGITS = 2**_DIGIT_BITS
_MANY = 20_000
"""Orders from which on it pays to let another core take half of the groups."""

Whole = NDArray[np.int32]
Long = NDArray[np.int64]


class Called(NamedTuple):
    """What call auctions decided.

    Args:
        filled_wh: Of each order; n values.
        price: Of each group in micro per kWh, what sellers get; `NO_PRICE` where nothing matched.
        energy_wh: Of each group.
        ranked: Orders group by group, each group's bids before its asks, best first.
        begins: Where in ``ranked`` the bids, then the asks, of each group begin; 2 * groups + 1 values.
    """

    filled_wh: Whole
    price: Long
    energy_wh: Long
    ranked: NDArray[np.uint64]
    begins: Long


class Pairs(NamedTuple):
    """Who supplies whom: rows of bid and ask, and Wh; best-priced bids first, group by group."""

    bid: Long
    ask: Long
    energy_wh: Whole


def call(group: Whole, side: NDArray[np.uint8], limit: Whole, wh: Whole, groups: int) -> Called:
    """Clear one auction a group: match as much as limits allow, and price it at the midpoint of the crossing.

    The orders of the last matched price level share what is left for them in proportion to their energy; equal
    remainders favour the earlier order.

    Args:
        group: Of each order, in log order; below zero takes no part. n values.
        side: `BID` or `ASK`; n values.
        limit: Micro per kWh; n values.
        wh: What each wants, zero (takes no part) to 10^9; n values.
        groups: How many there are.

    Returns:
        Fills and prices; halves of a price round to even.

    Source: RULES, Energy and money; k-double auction with k = 1/2, Rustichini, Satterthwaite & Williams 1994.
    """
    begins = np.zeros(2 * groups + 1, np.int64)
    _count(group, side, wh, begins)
    ranked = np.empty(begins[-1], np.uint64)
    filled, price = np.zeros(len(group), np.int32), np.full(groups, NO_PRICE, np.int64)
    energy = np.zeros(groups, np.int64)
    if len(ranked) < _MANY:
        _rank(group, side, BID, limit, wh, begins, ranked)
        _rank(group, side, ASK, limit, wh, begins, ranked)
        _clear(limit, wh, begins, 0, groups, ranked, filled, price, energy)
    else:
        other = beside(_rank, group, side, BID, limit, wh, begins, ranked)
        _rank(group, side, ASK, limit, wh, begins, ranked)
        other.result()
        middle = int(np.searchsorted(begins[::2], begins[-1] // 2))
        other = beside(_clear, limit, wh, begins, middle, groups, ranked, filled, price, energy)
        _clear(limit, wh, begins, 0, middle, ranked, filled, price, energy)
        other.result()
    return Called(filled, price, energy, ranked, begins)


def pairs(called: Called) -> Pairs:
    """Walk both sides of each group at once, so that each filled Wh has one buyer and one seller."""
    counts = np.zeros(len(called.price) + 1, np.int64)
    nothing = np.empty(0, np.int64)
    _pair(called.ranked, called.begins, called.filled_wh, counts, nothing, nothing, np.empty(0, np.int32))
    ends = np.cumsum(counts)
    bid, ask, wh = np.empty(ends[-1], np.int64), np.empty(ends[-1], np.int64), np.empty(ends[-1], np.int32)
    _pair(called.ranked, called.begins, called.filled_wh, ends, bid, ask, wh)
    return Pairs(bid, ask, wh)


@njit(nogil=True, cache=True)
def _count(group: Any, side: Any, wh: Any, begins: Any) -> None:
    for i in range(len(group)):
        if group[i] >= 0 and wh[i] > 0:
            begins[2 * group[i] + side[i] + 1] += 1
    for bucket in range(1, len(begins)):
        begins[bucket] += begins[bucket - 1]


@njit(nogil=True, cache=True)
def _rank(group: Any, side: Any, own: int, limit: Any, wh: Any, begins: Any, ranked: Any) -> None:
    """Put one side's orders into their buckets, best first: sorted by limit as a whole, then dealt out in that order.

    A number holds what is worse the greater it is, and the order's place. Both steps keep what is equal in log order.
    """
    count, lowest, highest = 0, _HALF, -_HALF
    for i in range(len(group)):
        if side[i] == own and group[i] >= 0 and wh[i] > 0:
            count += 1
            lowest, highest = min(lowest, limit[i]), max(highest, limit[i])
    if not count:
        return
    some, other = np.empty(count, np.uint64), np.empty(count, np.uint64)
    at = 0
    for i in range(len(group)):
        if side[i] == own and group[i] >= 0 and wh[i] > 0:
            worse = np.int64(limit[i]) - lowest if own == ASK else highest - np.int64(limit[i])
            some[at] = (np.uint64(worse) << np.uint64(32)) | np.uint64(i)
            at += 1
    shift = 0
    while (highest - lowest) >> shift:
        _pass(some, other, 32 + shift)
        some, other = other, some
        shift += _DIGIT_BITS
    ends = begins[:-1].copy()
    for place in range(count):
        bucket = 2 * group[some[place] & np.uint64(_LOW)] + own
        ranked[ends[bucket]] = some[place]
        ends[bucket] += 1


@njit(nogil=True, cache=True)
def _pass(some: Any, other: Any, shift: int) -> None:
    """Sort by one digit, keeping what is equal in order (one pass of a radix sort)."""
    ends = np.zeros(_DIGITS + 1, np.int64)
    for place in range(len(some)):
        ends[((some[place] >> np.uint64(shift)) & np.uint64(_DIGITS - 1)) + np.uint64(1)] += 1
    for digit in range(1, _DIGITS + 1):
        ends[digit] += ends[digit - 1]
    for place in range(len(some)):
        digit = (some[place] >> np.uint64(shift)) & np.uint64(_DIGITS - 1)
        other[ends[digit]] = some[place]
        ends[digit] += 1


@njit(nogil=True, cache=True)
def _clear(
    limit: Any, wh: Any, begins: Any, first: int, last: int, ranked: Any, filled: Any, price: Any, energy: Any
) -> None:
    for group in range(first, last):
        bids = ranked[begins[2 * group] : begins[2 * group + 1]]
        asks = ranked[begins[2 * group + 1] : begins[2 * group + 2]]
        if len(bids) and len(asks):
            price[group], energy[group] = _cross(limit, wh, bids, asks)
            if energy[group]:
                _fill(wh, bids, energy[group], filled)
                _fill(wh, asks, energy[group], filled)


@njit(nogil=True, cache=True)
def _cross(limit: Any, wh: Any, bids: Any, asks: Any) -> tuple[int, int]:
    """Return the midpoint of the last two limits that met, and the most energy that limits allow."""
    price: int = NO_PRICE
    energy_wh: int = 0
    i = j = demand_wh = supply_wh = 0
    while i < len(bids) and j < len(asks):
        bid, ask = bids[i] & np.uint64(_LOW), asks[j] & np.uint64(_LOW)
        bid_limit: Any = np.int64(limit[bid])
        ask_limit: Any = np.int64(limit[ask])
        if bid_limit < ask_limit:
            break
        total = bid_limit + ask_limit
        price = total >> 1
        if total & 1 and price & 1:
            price += 1
        demanded_wh, supplied_wh = demand_wh + wh[bid], supply_wh + wh[ask]
        energy_wh = min(demanded_wh, supplied_wh)
        if demanded_wh == energy_wh:
            i, demand_wh = i + 1, demanded_wh
        if supplied_wh == energy_wh:
            j, supply_wh = j + 1, supplied_wh
    return price, energy_wh


@njit(nogil=True, cache=True)
def _fill(wh: Any, ranked: Any, energy_wh: int, filled: Any) -> None:
    """Hand the energy out level by level; only the last level that gets any can get less than it wants."""
    begin = 0
    while begin < len(ranked) and energy_wh:
        end, level = begin, ranked[begin] >> np.uint64(32)
        wanted_wh: Any = np.int64(0)
        while end < len(ranked) and ranked[end] >> np.uint64(32) == level:
            wanted_wh += wh[ranked[end] & np.uint64(_LOW)]
            end += 1
        if wanted_wh <= energy_wh:
            for place in range(begin, end):
                order = ranked[place] & np.uint64(_LOW)
                filled[order] = wh[order]
            energy_wh -= wanted_wh
        else:
            _share(wh, ranked[begin:end], energy_wh, wanted_wh, filled)
            energy_wh = 0
        begin = end


@njit(nogil=True, cache=True)
def _share(wh: Any, level: Any, given_wh: int, wanted_wh: int, filled: Any) -> None:
    """Split by largest remainders, as `commonwatt.model.share_wh` does."""
    rests = np.empty(len(level), np.int64)
    left_wh = given_wh
    for place in range(len(level)):
        order = level[place] & np.uint64(_LOW)
        share, rests[place] = _times_over(given_wh, int(wh[order]), wanted_wh)
        filled[order] = share
        left_wh -= share
    if left_wh:
        by_rest = np.argsort(-rests, kind="mergesort")
        for place in range(left_wh):
            filled[level[by_rest[place]] & np.uint64(_LOW)] += 1


@njit(nogil=True, cache=True)
def _times_over(given: int, wanted: int, whole: int) -> tuple[int, int]:
    """Return quotient and rest of given * wanted / whole, where the product may not fit into 63 bits.

    Given is below whole, so that the quotient stays below wanted.
    """
    if given < _MOST_PRODUCT // max(wanted, 1):
        return given * wanted // whole, given * wanted % whole
    quotient = rest = 0
    for bit in range(30, -1, -1):  # wanted is at most 10^9
        quotient, rest = 2 * quotient, 2 * rest
        if wanted >> bit & 1:
            rest += given
        quotient, rest = quotient + rest // whole, rest % whole
    return quotient, rest


@njit(nogil=True, cache=True)
def _pair(ranked: Any, begins: Any, filled: Any, ends: Any, out_bid: Any, out_ask: Any, out_wh: Any) -> None:
    """Count each group's pairs where there is no room to write them, else write them from where its own begin."""
    for group in range(len(ends) - 1):
        ask, left_wh = begins[2 * group + 1], np.int64(0)
        at = ends[group] if len(out_bid) else 0
        for bid in range(begins[2 * group], begins[2 * group + 1]):
            buyer = ranked[bid] & np.uint64(_LOW)
            open_wh = np.int64(filled[buyer])
            while open_wh:
                while not left_wh:
                    left_wh = np.int64(filled[ranked[ask] & np.uint64(_LOW)])
                    ask += 1
                wh = min(open_wh, left_wh)
                if len(out_bid):
                    out_bid[at], out_ask[at] = buyer, ranked[ask - 1] & np.uint64(_LOW)
                    out_wh[at] = wh
                at += 1
                open_wh, left_wh = open_wh - wh, left_wh - wh
        if not len(out_bid):
            ends[group + 1] = at


def ration(group: Whole, side: NDArray[np.uint8], limit: Whole, wh: Whole, most_wh: Long) -> Whole:
    """Return how much of each order may pass where a group's side may pass only so much: the best limits first.

    Args:
        group: Of each order; below zero passes whole. n values.
        side: `BID` or `ASK`; n values.
        limit: Micro per kWh; n values.
        wh: What each wants; n values.
        most_wh: Of each group's bids, then asks; 2 * groups values, below zero where nothing binds.
    """
    begins = np.zeros(len(most_wh) + 1, np.int64)
    _count(group, side, wh, begins)
    ranked = np.empty(begins[-1], np.uint64)
    _rank(group, side, BID, limit, wh, begins, ranked)
    _rank(group, side, ASK, limit, wh, begins, ranked)
    passed = wh.copy()
    _ration(wh, begins, ranked, most_wh, passed)
    return passed


@njit(nogil=True, cache=True)
def _ration(wh: Any, begins: Any, ranked: Any, most_wh: Any, passed: Any) -> None:
    for bucket in range(len(most_wh)):
        if most_wh[bucket] >= 0:
            orders = ranked[begins[bucket] : begins[bucket + 1]]
            for place in range(len(orders)):
                passed[orders[place] & np.uint64(_LOW)] = 0
            _fill(wh, orders, most_wh[bucket], passed)

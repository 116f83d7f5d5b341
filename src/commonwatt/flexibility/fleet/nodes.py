"""Places where power is summed (connection, zone, feeder, grid), and the price at which each keeps its limits.

What a place's net power costs is convex and piecewise linear per slot: a price for import and one for export, a steep
slope beyond a limit. An augmented Lagrangian makes one number of it that assets can answer to: the place's price.
Source: method of multipliers (Hestenes 1969; Rockafellar 1976), block by block.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from commonwatt.flexibility.fleet.stores import H

Floats = NDArray[np.float64]


class Nodes(NamedTuple):
    """A tree of m places over n slots, root first, so that each stands after its parent.

    Args:
        parent: m numbers; the root's is -1.
        kink: (m, n, k) net powers in W, ascending, at which the slope changes; infinite where there are fewer.
        slope: (m, n, k + 1) micro per Wh between the kinks, ascending.
        base: (m, n) W of what cannot be shifted, each place with all below it.
        load: (m, n) W in all, at every place with all below it.
        price: (m, n) multipliers, micro per Wh: each place's own part of what its assets pay.
        limited: m values: 1 where the place costs or forbids anything, 0 where it only adds up.
        stiff: m values: by how much the price rises with a W too much, micro per Wh.
    """

    parent: NDArray[np.int32]
    kink: Floats
    slope: Floats
    base: Floats
    load: Floats
    price: Floats
    limited: NDArray[np.int8]
    stiff: Floats


@njit(cache=True, nogil=True, inline="always")
def asked(kink, slope, price, stiff, load):  # type: ignore[no-untyped-def]  # compiled
    """Return the price of one place and slot at a load: the slope there, or between two slopes at a kink."""
    for k in range(kink.shape[0]):
        here = price + stiff * (load - kink[k])
        if here < slope[k]:
            return slope[k]
        if here <= slope[k + 1]:
            return here
    return slope[kink.shape[0]]


@njit(cache=True, nogil=True, inline="always")
def asked_so_far(kink, slope, price, stiff, load, base, done):  # type: ignore[no-untyped-def]  # compiled
    """Return the price of one place and slot while a part of its assets stands there: its kinks shrink with them."""
    for k in range(kink.shape[0]):
        here = price + stiff * (load - base - done * (kink[k] - base))
        if here < slope[k]:
            return slope[k]
        if here <= slope[k + 1]:
            return here
    return slope[kink.shape[0]]


@njit(cache=True, nogil=True)
def fixed_above(nodes, node, prices):  # type: ignore[no-untyped-def]  # compiled
    """Fill in what a place and all above it ask by their multipliers alone."""
    prices[:] = 0.0
    while node >= 0:
        for t in range(prices.shape[0]):
            prices[t] += nodes.price[node, t]
        node = nodes.parent[node]


@njit(cache=True, nogil=True)
def spent(kink, slope, load):  # type: ignore[no-untyped-def]  # compiled
    """Return what a net power costs in one slot, micro: the slopes summed up from zero."""
    total = 0.0
    here = 0.0
    if load >= 0:
        k = 0
        while k < kink.shape[0] and kink[k] <= 0.0:
            k += 1
        while k < kink.shape[0] and kink[k] < load:
            total += slope[k] * (kink[k] - here)
            here = kink[k]
            k += 1
        return (total + slope[k] * (load - here)) * H
    k = kink.shape[0]
    while k > 0 and kink[k - 1] >= 0.0:
        k -= 1
    while k > 0 and kink[k - 1] > load:
        total -= slope[k] * (here - kink[k - 1])
        here = kink[k - 1]
        k -= 1
    return (total - slope[k] * (here - load)) * H


@njit(cache=True, nogil=True)
def spent_in_all(nodes, loads):  # type: ignore[no-untyped-def]  # compiled
    """Return what all places cost at given loads, micro."""
    total = 0.0
    for m in range(loads.shape[0]):
        for t in range(loads.shape[1]):
            total += spent(nodes.kink[m, t], nodes.slope[m, t], loads[m, t])
    return total


@njit(cache=True, nogil=True)
def owed(nodes):  # type: ignore[no-untyped-def]  # compiled
    """Return the places' part of the dual bound: the least cost less multiplier times power, over all powers; micro.

    Multipliers are first brought between the outer slopes, beyond which there is no least.
    """
    total = 0.0
    places, slots, kinks = nodes.kink.shape
    for m in range(places):
        for t in range(slots):
            low, high = nodes.slope[m, t, 0], nodes.slope[m, t, kinks]
            price = min(max(nodes.price[m, t], low), high)
            nodes.price[m, t] = price
            best = 0.0
            for k in range(kinks):
                if abs(nodes.kink[m, t, k]) < 1e300:
                    here = (
                        spent(nodes.kink[m, t], nodes.slope[m, t], nodes.kink[m, t, k])
                        - price * nodes.kink[m, t, k] * H
                    )
                    best = min(best, here)
            total += best
    return total

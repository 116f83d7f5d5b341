"""One asset's best answer to a price vector, whatever its kind: the only place that knows which kernel answers."""

from numba import njit

from commonwatt.flexibility.fleet.charging import charge, move_freely, run_once
from commonwatt.flexibility.fleet.columns import Kind
from commonwatt.flexibility.fleet.counting import count_on
from commonwatt.flexibility.fleet.stores import H, follow, look_back, value
from commonwatt.flexibility.fleet.switching import switch

CHARGE, STORE, COUNT, SWITCH, ONCE, FREE = (int(kind) for kind in Kind)


@njit(cache=True, nogil=True)
def spread(cols, i, slots, rooms):  # type: ignore[no-untyped-def]  # compiled
    """Write one asset's bounds out, slot by slot, into a thread's rooms."""
    row = cols.row[i]
    if row >= 0:
        for t in range(slots):
            rooms.draw[t] = max(0, cols.most_w[row, t])
            rooms.give[t] = max(0, -cols.least_w[row, t])
            rooms.low[t], rooms.high[t] = cols.low_wh[row, t], cols.top_wh[row, t]
            rooms.drift[t], rooms.into[t] = cols.drift_wh[row, t], cols.gain[row, t]
        return
    first, last = cols.first[i], cols.last[i]
    for t in range(slots):
        here = first <= t < last
        rooms.draw[t] = cols.draw[i] if here else 0
        rooms.give[t] = cols.give[i] if here else 0
        rooms.low[t], rooms.high[t] = cols.low[i], cols.top[i]
        rooms.drift[t], rooms.into[t] = 0.0, cols.into[i]


@njit(cache=True, nogil=True)
def answer(cols, i, price, order, rooms, power):  # type: ignore[no-untyped-def]  # compiled
    """Fill in an asset's best powers for a price vector.

    Args:
        cols: `Columns`.
        i: Which asset.
        price: n values, micro per Wh.
        order: n slots by price, cheapest first.
        rooms: `Rooms` of this thread.
        power: n values in whole W, filled in.

    Returns:
        Cost at the prices of what was filled in, its own part of that (all but the energy), and a bound that no
        schedule of the asset undercuts; micro.
    """
    kind, slots = cols.kind[i], price.shape[0]
    begin, end = cols.wish[i], cols.wish[i + 1]
    if kind == CHARGE:
        levels, slopes = cols.wish_level[begin:end], cols.wish_slope[begin:end]
        return charge(
            price, order, cols.first[i], cols.last[i], cols.draw[i], cols.least_in[i], float(cols.into[i]),
            float(cols.level[i]), float(cols.top[i]), float(cols.final[i]), levels, slopes, power,
        )  # fmt: skip
    if kind == ONCE:
        profile = cols.profile_w[cols.profile[i] : cols.profile[i + 1]]
        cost = run_once(price, profile, cols.first[i], cols.last[i], power)
        return cost, 0.0, cost
    spread(cols, i, slots, rooms)
    if kind == FREE:
        row = cols.row[i]
        for t in range(slots):
            rooms.draw[t], rooms.give[t] = cols.most_w[row, t], -cols.least_w[row, t]
        cost = move_freely(price, rooms.give, rooms.draw, cols.wear[i], power)
        own = 0.0
        for t in range(slots):
            own += max(0, -power[t]) * cols.wear[i] * H
        return cost, own, cost
    return _stored(cols, i, price, rooms, power, kind)


@njit(cache=True, nogil=True)
def _stored(cols, i, price, rooms, power, kind):  # type: ignore[no-untyped-def]  # compiled
    begin, wishes = cols.wish[i], cols.wish[i + 1] - cols.wish[i]
    for m in range(wishes):
        rooms.wish_at[m] = cols.wish_at[begin + m]
        rooms.wish_level[m], rooms.wish_slope[m] = cols.wish_level[begin + m], cols.wish_slope[begin + m]
    at, wanted, slope = rooms.wish_at[:wishes], rooms.wish_level[:wishes], rooms.wish_slope[:wishes]
    level, keep, out = float(cols.level[i]), float(cols.keep[i]), float(cols.out[i])
    wear, final = float(cols.wear[i]), float(cols.final[i])
    if kind != STORE:
        _allow(rooms, price.shape[0], at, wanted, slope)
    if kind == COUNT:
        watts = cols.draw[i]
        cost = count_on(
            price, watts * H * float(cols.into[i]), rooms.drift, rooms.allowed, watts, rooms.low, rooms.high, level,
            final, cols.run[i], cols.rest[i], cols.running[i], rooms.soft_low, rooms.soft_high, rooms.low_cost,
            rooms.high_cost, rooms.base, rooms.width, rooms.value, rooms.turn, power,
        )  # fmt: skip
        if cost < 1e299:
            return cost, cost - _energy(price, power), cost
    look_back(
        price, rooms.into, out, keep, rooms.drift, rooms.draw, rooms.give, rooms.low, rooms.high, wear, final,
        at, wanted, slope, rooms.slopes, rooms.widths, rooms.up_to, rooms.down_to, rooms.floor,
    )  # fmt: skip
    bound = value(
        price, rooms.into, out, keep, rooms.drift, rooms.draw, rooms.give, level, wear, final, at, wanted, slope,
        rooms.up_to, rooms.down_to,
    )  # fmt: skip
    if kind != STORE:
        cost = switch(
            price, rooms.into, keep, rooms.drift, rooms.allowed, cols.draw[i], rooms.low, rooms.high, level, final,
            cols.run[i], cols.rest[i], cols.running[i], rooms.soft_low, rooms.soft_high, rooms.low_cost,
            rooms.high_cost, rooms.cost, rooms.levels, rooms.back, power,
        )  # fmt: skip
        return cost, cost - _energy(price, power), bound
    cost, own = follow(
        price, rooms.into, out, keep, rooms.drift, rooms.draw, rooms.give, rooms.high, level, wear, final,
        at, wanted, slope, cols.least_in[i], cols.least_out[i], rooms.up_to, rooms.down_to, rooms.floor, power,
    )  # fmt: skip
    return cost, own, bound


@njit(cache=True, nogil=True)
def _allow(rooms, slots, at, wanted, slope):  # type: ignore[no-untyped-def]  # compiled
    """Say where an on/off store may be on, and which band is wished for: the dearest wish of each slot and side."""
    for t in range(slots):
        rooms.allowed[t] = 1 if rooms.draw[t] > 0 else 0
        rooms.low_cost[t] = rooms.high_cost[t] = 0.0
        rooms.soft_low[t] = rooms.soft_high[t] = 0.0
    for m in range(at.shape[0]):
        if slope[m] > rooms.low_cost[at[m]]:
            rooms.low_cost[at[m]], rooms.soft_low[at[m]] = slope[m], wanted[m]
        elif -slope[m] > rooms.high_cost[at[m]]:
            rooms.high_cost[at[m]], rooms.soft_high[at[m]] = -slope[m], wanted[m]


@njit(cache=True, nogil=True)
def _energy(price, power):  # type: ignore[no-untyped-def]  # compiled
    cost = 0.0
    for t in range(price.shape[0]):
        cost += price[t] * power[t]
    return cost * H


@njit(cache=True, nogil=True)
def rank(price, order):  # type: ignore[no-untyped-def]  # compiled
    """Bring slots into the order of their prices; quick where the order was nearly right before."""
    for at in range(1, order.shape[0]):
        slot, here = order[at], at
        while here > 0 and price[order[here - 1]] > price[slot]:
            order[here] = order[here - 1]
            here -= 1
        order[here] = slot

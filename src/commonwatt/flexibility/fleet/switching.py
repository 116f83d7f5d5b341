"""The best answer of an on/off store (heat pump, boiler, cold store) to prices: a dynamic program over real levels."""

from numba import njit

from commonwatt.flexibility.fleet.counting import MISSED, after_turn, began, outside
from commonwatt.flexibility.fleet.stores import H

FAR = 1e30
CELLS = 128
"""Levels that are nearer to each other than a part of one slot's heat share a cell, in which the better one stays."""
STATES = 16
"""On and off, each with the slots since the last change, as far as they matter."""


@njit(cache=True, nogil=True)
def switch(  # type: ignore[no-untyped-def]  # noqa: PLR0912  one compiled loop
    price, into, keep, drift, allowed, watts, low, high, level, final, run, rest, running,
    soft_low, soft_high, low_cost, high_cost, cost, levels, back, power,
):  # fmt: skip
    """Find when to be on; every label holds a level that was really reached, so what is found can be done.

    Args:
        price: n values, micro per Wh.
        into: n values, heat per Wh drawn.
        keep, drift, low, high, final: As in `stores.look_back`.
        allowed: n values, 0 where it must be off.
        watts: What it draws when on.
        level: Wh before the first slot.
        run, rest: Least slots on and off.
        running: Slots for which it has been on (above zero) or off (below).
        soft_low, soft_high, low_cost, high_cost: As in `counting.count_on`.
        cost, levels: Room for 2 x STATES x CELLS values each.
        back: Room for n x STATES x CELLS numbers.
        power: n values in W, filled in.

    Returns:
        Cost at the prices and final value, micro; misses of the band are counted at `MISSED`.
    """
    slots = price.shape[0]
    states = run + rest
    bottom, top, missed = low[0], high[0], MISSED
    for t in range(slots):
        bottom, top = min(bottom, low[t]), max(top, high[t])
    cell = (top - bottom) / (CELLS - 1) if top > bottom else 1.0
    worth = final
    for t in range(slots):
        worth = max(worth, price[t] / into[t] * 0.5)
    cost[:] = FAR
    begin = began(rest, run, running)
    here = min(max(int((level - bottom) / cell), 0), CELLS - 1)
    cost[0, begin, here], levels[0, begin, here] = 0.0, level
    for t in range(slots):
        now, then = t % 2, 1 - t % 2
        cost[then] = FAR
        heat = watts * H * into[t]
        pay = price[t] * watts * H
        for s in range(states):
            on = s >= rest
            may_stop = not on or s == states - 1
            may_start = allowed[t] and (on or s == rest - 1)
            for c in range(CELLS):
                if cost[now, s, c] >= FAR:
                    continue
                base = keep * levels[now, s, c] + drift[t]
                for turn in range(2):
                    if (turn == 1 and not may_start) or (turn == 0 and not may_stop):
                        continue
                    after = base + heat if turn else base
                    spent = cost[now, s, c] + (pay if turn else 0.0)
                    spent += outside(t, after, missed, low, high, soft_low, soft_high, low_cost, high_cost)
                    to = after_turn(turn, s, rest, states)
                    at = min(max(int((after - bottom) / cell), 0), CELLS - 1)
                    old = cost[then, to, at]
                    if old >= FAR or spent - worth * after < old - worth * levels[then, to, at]:
                        cost[then, to, at], levels[then, to, at] = spent, after
                        back[t, to, at] = s * CELLS + c
    last = slots % 2
    best, state, place = FAR, 0, 0
    for s in range(states):
        for c in range(CELLS):
            if cost[last, s, c] < FAR and cost[last, s, c] - final * levels[last, s, c] < best:
                best, state, place = cost[last, s, c] - final * levels[last, s, c], s, c
    for t in range(slots - 1, -1, -1):
        power[t] = watts if state >= rest else 0
        came = back[t, state, place]
        state, place = came // CELLS, came % CELLS
    return best

"""The exact best answer of an on/off store whose every slot on adds the same: a dynamic program over slots counted.

Where a store keeps what it holds and each slot on gives the same heat, its level follows from how many slots it has
been on: the state is a small whole number, and neither a grid nor rounding comes between the answer and the best.
"""

import numpy as np
from numba import njit

from commonwatt.flexibility.fleet.stores import H

WIDTH = 32
"""Most counts that a band can hold at once; wider stores go through `switching`."""
STATES = 24
"""On and off, each with the slots since the last change, as far as they matter."""
MISSED = 1e16
"""What a Wh outside a device's own band costs in micro: more than any rank of statements, and the same at any price."""


@njit(cache=True, nogil=True)
def count_on(  # type: ignore[no-untyped-def]  # noqa: PLR0912  one compiled loop
    price, heat, drift, allowed, watts, low, high, level, final, run, rest, running,
    soft_low, soft_high, low_cost, high_cost, base, width, value, turn, power,
):  # fmt: skip
    """Find when to be on.

    Args:
        price: n values, micro per Wh.
        heat: Wh that a slot on adds to the level.
        drift: n values, Wh that enter by themselves.
        allowed: n values, 0 where it must be off.
        watts: What it draws when on.
        low, high, level, final: As in `stores.look_back`.
        run, rest: Least slots on and off; together at most `STATES`.
        running: Slots for which it has been on (above zero) or off (below); 0: rested.
        soft_low, soft_high, low_cost, high_cost: n values each: a band that is wished for, and what a Wh outside costs.
        base, width: Room for n + 1 whole numbers each.
        value: Room for 2 x WIDTH x STATES numbers.
        turn: Room for n x WIDTH x STATES bytes.
        power: n values in W, filled in.

    Returns:
        Cost at the prices less final value, micro; 1e300 where the band holds too many counts.
    """
    slots, states = price.shape[0], run + rest
    gone, missed = 0.0, MISSED
    base[0], width[0] = 0, 1
    for t in range(slots):
        gone += drift[t]
        least = int(np.ceil((low[t] - level - gone) / heat - 1e-9)) - 1
        most = int(np.floor((high[t] - level - gone) / heat + 1e-9)) + run
        least = min(max(least, base[t]), base[t] + width[t])
        most = max(min(most, base[t] + width[t]), least)
        base[t + 1], width[t + 1] = least, most - least + 1
        if width[t + 1] > WIDTH:
            return 1e300
    last = slots % 2
    for k in range(width[slots]):
        for s in range(states):
            value[last, k, s] = -final * (level + gone + (base[slots] + k) * heat)
    for t in range(slots - 1, -1, -1):
        now, then = t % 2, 1 - t % 2
        pay = price[t] * watts * H
        for k in range(width[t]):
            count = base[t] + k
            off, on = count - base[t + 1], count + 1 - base[t + 1]
            after = level + gone + count * heat
            cost_off = cost_on = 1e300
            if 0 <= off < width[t + 1]:
                cost_off = outside(t, after, missed, low, high, soft_low, soft_high, low_cost, high_cost)
            if 0 <= on < width[t + 1] and allowed[t]:
                cost_on = pay + outside(t, after + heat, missed, low, high, soft_low, soft_high, low_cost, high_cost)
            for s in range(states):
                best, choice = 1e300, 0
                if cost_off < 1e300 and (s < rest or s == states - 1):
                    best = cost_off + value[then, off, after_turn(0, s, rest, states)]
                if cost_on < 1e300 and s >= rest - 1:
                    begun = cost_on + value[then, on, after_turn(1, s, rest, states)]
                    if begun < best:
                        best, choice = begun, 1
                value[now, k, s], turn[t, k, s] = best, choice
        gone -= drift[t]
    state = began(rest, run, running)
    best, count = value[0, 0, state], 0
    for t in range(slots):
        on = turn[t, count - base[t], state]
        power[t] = watts if on else 0
        state = after_turn(on, state, rest, states)
        count += on
    return best


@njit(cache=True, nogil=True, inline="always")
def outside(t, level, missed, low, high, soft_low, soft_high, low_cost, high_cost):  # type: ignore[no-untyped-def]
    """Return what a level after a slot costs outside its band, and outside the one that is wished for."""
    cost = missed * (max(0.0, low[t] - level) + max(0.0, level - high[t]))
    return cost + low_cost[t] * max(0.0, soft_low[t] - level) + high_cost[t] * max(0.0, level - soft_high[t])


@njit(cache=True, nogil=True, inline="always")
def began(rest, run, running):  # type: ignore[no-untyped-def]  # compiled
    """Return the state before the first slot: rested, unless it is known for how long it has been on or off."""
    if running < 0:
        return min(-running, rest) - 1
    return rest + min(running, run) - 1 if running > 0 else rest - 1


@njit(cache=True, nogil=True, inline="always")
def after_turn(on, state, rest, states):  # type: ignore[no-untyped-def]  # compiled
    """Return the state after a slot on or off: off states count up to ``rest - 1``, on states to ``states - 1``."""
    if on:
        return rest if state < rest else min(state + 1, states - 1)
    return min(state + 1, rest - 1) if state < rest else 0

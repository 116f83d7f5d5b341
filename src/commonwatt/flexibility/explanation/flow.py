"""Whether cars that only charge can all be served under one limit: maximal flow from cars through slots, compiled.

Source: augmenting paths, Edmonds & Karp, Theoretical improvements in algorithmic efficiency for network flow
problems, 1972; that what a failed search reaches proves why not: Hall's condition in its form for flows.
"""

import numpy as np
from numba import njit

LEFT = 1e-7
"""In kWh; less than this is served."""


@njit(cache=True, nogil=True)
def serve(need, rate, room, flow, part, car_seen, slot_seen):  # type: ignore[no-untyped-def]  # compiled
    """Serve as many cars as possible, beginning with what already flows.

    Args:
        need: k values in kWh.
        rate: k x n, the most kWh each car can take in each slot.
        room: n values, the most kWh of all together.
        flow: k x n, what flows; changed in place.
        part: k values, False for cars that take no part; nothing may flow to these.
        car_seen: k values, filled in where a car could not be served: who competes with it.
        slot_seen: n values, likewise: in which slots.

    Returns:
        The first car that could not be served, or -1.
    """
    cars, slots = rate.shape
    used = np.zeros(slots)
    for i in range(cars):
        for t in range(slots):
            used[t] += flow[i, t]
    queue = np.empty(cars, np.int64)
    by_car = np.empty(slots, np.int64)  # through which car a slot was reached
    by_slot = np.empty(cars, np.int64)  # through which slot a car was reached
    for i in range(cars):
        if not part[i]:
            continue
        left = need[i]
        for t in range(slots):
            left -= flow[i, t]
        for t in range(slots):
            step = min(left, rate[i, t] - flow[i, t], room[t] - used[t])
            if step > 0.0:
                flow[i, t] += step
                used[t] += step
                left -= step
        while left > LEFT:
            last = _reach(i, rate, room, flow, used, car_seen, slot_seen, by_car, by_slot, queue)
            if last < 0:
                return i
            step = _push(last, min(left, room[last] - used[last]), rate, flow, by_car, by_slot)
            used[last] += step
            left -= step
    return -1


@njit(cache=True, nogil=True)
def _reach(i, rate, room, flow, used, car_seen, slot_seen, by_car, by_slot, queue):  # type: ignore[no-untyped-def]  # compiled
    """Search from a car through slots, and through cars that could make room there; return a slot with room, or -1."""
    cars, slots = rate.shape
    car_seen[:] = False
    slot_seen[:] = False
    car_seen[i] = True
    by_slot[i] = -1
    queue[0] = i
    head, tail = 0, 1
    while head < tail:
        j = queue[head]
        head += 1
        for t in range(slots):
            if slot_seen[t] or rate[j, t] - flow[j, t] <= LEFT / 100:
                continue
            slot_seen[t] = True
            by_car[t] = j
            if room[t] - used[t] > LEFT / 100:
                return t
            for m in range(cars):
                if not car_seen[m] and flow[m, t] > LEFT / 100:
                    car_seen[m] = True
                    by_slot[m] = t
                    queue[tail] = m
                    tail += 1
    return -1


@njit(cache=True, nogil=True)
def _push(last, step, rate, flow, by_car, by_slot):  # type: ignore[no-untyped-def]  # compiled
    """Send what fits along the path that ends in a slot; return how much."""
    t = last
    while t >= 0:
        j = by_car[t]
        step = min(step, rate[j, t] - flow[j, t])
        t = by_slot[j]
        if t >= 0:
            step = min(step, flow[j, t])
    t = last
    while t >= 0:
        j = by_car[t]
        flow[j, t] += step
        t = by_slot[j]
        if t >= 0:
            flow[j, t] -= step
    return step

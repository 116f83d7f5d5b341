"""The best answers of assets that need no look back: cars that only charge, appliances that run once, free power."""

from numba import njit

from commonwatt.flexibility.fleet.stores import H


@njit(cache=True, nogil=True)
def charge(  # type: ignore[no-untyped-def]  # compiled
    price, order, first, last, most, least, into, level, top, final, hinge_level, hinge_slope, power,
):  # fmt: skip
    """Fill a car that only charges in its cheapest slots: exact, since only the level at its departure counts.

    Args:
        price: n values, micro per Wh.
        order: n slots by price, cheapest first.
        first, last: It stands from the one slot up to, not in, the other.
        most, least: W; it draws nothing or at least the least.
        into: One-way efficiency as a share.
        level, top: Wh now and at most.
        final: Micro per Wh that is left in the end.
        hinge_level, hinge_slope: m wishes at its departure, as in `stores.look_back`.
        power: n values in W, filled in.

    Returns:
        Cost at the prices, its own part of it, and what no schedule of the car can undercut, micro.
    """
    power[:] = 0
    spent = ideal = 0.0
    latest = before = -1
    for at in range(order.shape[0]):
        t = order[at]
        if t < first or t >= last:
            continue
        room = most * H * into
        drawn = 0.0
        while room > 1e-9 and level < top:
            worth, until = final, top
            for m in range(hinge_level.shape[0]):
                if hinge_level[m] > level:
                    worth += hinge_slope[m]
                    until = min(until, hinge_level[m])
            if price[t] >= worth * into:
                break
            step = min(room, until - level)
            level += step
            room -= step
            drawn += step
            ideal += price[t] * step / into
        if drawn <= 0.0:
            break
        watts = min(round(drawn / (into * H)), most)
        power[t] = watts
        spent += price[t] * watts * H
        before, latest = latest, t
    ideal += _left(level, final, hinge_level, hinge_slope)
    if latest >= 0 and 0 < power[latest] < least:
        spent, level = _at_least(price, before, latest, most, least, into, level, top, spent, power)
    own = _left(level, final, hinge_level, hinge_slope)
    return spent + own, own, ideal


@njit(cache=True, nogil=True)
def _left(level, final, hinge_level, hinge_slope):  # type: ignore[no-untyped-def]  # compiled
    """Return what wishes miss at a level, less what the level is worth."""
    own = -final * level
    for m in range(hinge_level.shape[0]):
        if level < hinge_level[m]:
            own += (hinge_level[m] - level) * hinge_slope[m]
    return own


@njit(cache=True, nogil=True)
def _at_least(price, before, latest, most, least, into, level, top, spent, power):  # type: ignore[no-untyped-def]
    """Bring the last and dearest slot up to the least power: from the one before it, else from what room there is."""
    short = least - power[latest]
    if before >= 0 and power[before] - short >= least:
        power[before] -= short
        power[latest] += short
        return spent + (price[latest] - price[before]) * short * H, level
    if level + short * H * into <= top:
        power[latest] += short
        return spent + price[latest] * short * H, level + short * H * into
    lost = power[latest]
    power[latest] = 0
    return spent - price[latest] * lost * H, level - lost * H * into


@njit(cache=True, nogil=True)
def run_once(price, profile, earliest, latest, power):  # type: ignore[no-untyped-def]  # compiled
    """Start a fixed profile in W when that costs least: every start is tried. Return the cost, micro."""
    best, start = 0.0, -1
    for s in range(earliest, latest + 1):
        cost = 0.0
        for k in range(profile.shape[0]):
            cost += price[s + k] * profile[k]
        if start < 0 or cost < best:
            best, start = cost, s
    power[:] = 0
    for k in range(profile.shape[0]):
        power[start + k] = profile[k]
    return best * H


@njit(cache=True, nogil=True)
def move_freely(price, give, draw, fuel, power):  # type: ignore[no-untyped-def]  # compiled
    """Set what stores nothing (a curtailable roof, a generator) to its better edge in each slot; return the cost."""
    cost = 0.0
    for t in range(price.shape[0]):
        high, low = draw[t], -give[t]
        up = price[t] * high + (-high * fuel if high < 0 else 0.0)
        down = price[t] * low + (-low * fuel if low < 0 else 0.0)
        idle = 0.0 if low <= 0 <= high else min(up, down)
        watts = high if up <= down else low
        if idle < min(up, down):
            watts = 0
        power[t] = round(watts)
        cost += min(up, down, idle)
    return cost * H

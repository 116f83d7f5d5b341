"""The best answer of one store to a price vector: an exact dynamic program over convex piecewise-linear values.

The value of a level is convex and piecewise linear, so it is kept as its slopes. Looking back over one slot puts in two
pieces, one for charging and one for discharging, at the levels up to which either pays: these two thresholds are the
whole policy of the slot. Source: the (s, S) policy of inventory control (Scarf 1960), with infimal convolution of
convex piecewise-linear functions. Where a price is so low that running in circles would pay, both pieces become one,
which is the convex hull of what the device can really do, so the value stays a lower bound.
"""

from numba import njit

H = 0.25
"""Hours in a slot."""


@njit(cache=True, nogil=True, inline="always")
def _insert(slopes, widths, begin, end, at, slope, width):  # type: ignore[no-untyped-def]  # compiled
    """Put one piece in before position `at`; return the new begin and end."""
    if at - begin < end - at:
        for i in range(begin, at):
            slopes[i - 1], widths[i - 1] = slopes[i], widths[i]
        slopes[at - 1], widths[at - 1] = slope, width
        return begin - 1, end
    for i in range(end, at, -1):
        slopes[i], widths[i] = slopes[i - 1], widths[i - 1]
    slopes[at], widths[at] = slope, width
    return begin, end + 1


@njit(cache=True, nogil=True, inline="always")
def _rates(price, into, out, wear, charge, give):  # type: ignore[no-untyped-def]  # compiled
    """Return what a Wh of level costs to charge and earns when given; where circles would pay, the hull of both."""
    pay, gain = price / into, (price - wear) * out
    if pay < gain and charge + give > 0:
        pay = gain = (pay * charge + gain * give) / (charge + give)
    return pay, gain


@njit(cache=True, nogil=True)
def look_back(  # type: ignore[no-untyped-def]
    price, into, out, keep, drift, draw, give, low, high, wear, final, hinge_at, hinge_level, hinge_slope,
    slopes, widths, up_to, down_to, floor,
):  # fmt: skip
    """Find the policy of one store for a price vector.

    Args:
        price: n values, micro per Wh at the AC meter.
        into, out: One-way efficiencies, n values and one, as shares; into may be above 1.
        keep: What is left of a level after a slot.
        drift: n values, Wh that enter by themselves.
        draw, give: n values each, the most W in and out, zero or more.
        low, high: n values each, bounds in Wh on the level at the slot's end.
        wear, final: Micro per Wh discharged (at the meter), and per Wh of level left at the end.
        hinge_at, hinge_level, hinge_slope: m wishes: below this level after this slot, each Wh costs so many micro;
            above it where the slope is below zero.
        slopes, widths: Room for 4 n + 8 + 2 m pieces each.
        up_to, down_to: n values each, filled in: charge up to the one, discharge down to the other.
        floor: n values, filled in: the least level after each slot from which all later bounds can be kept.

    Returns:
        True where all bounds on levels can be kept from the level that the first slot begins with, as far as they
        can be kept from any.
    """
    slots = price.shape[0]
    begin = end = 2 * slots + 4 + hinge_at.shape[0]
    left, right = low[slots - 1], high[slots - 1]
    sound = True
    if right > left:
        slopes[end], widths[end] = -final, right - left
        end += 1
    for t in range(slots - 1, -1, -1):
        for m in range(hinge_at.shape[0]):
            if hinge_at[m] == t:
                begin, end = _hinge(slopes, widths, begin, end, left, hinge_level[m], hinge_slope[m])
        floor[t] = left
        charge, give_wh = draw[t] * H * into[t], give[t] * H / out
        pay, gain = _rates(price[t], into[t], out, wear, charge, give_wh)
        at = begin
        level = left
        while at < end and slopes[at] < -pay:
            level += widths[at]
            at += 1
        up_to[t] = level
        if charge > 0:
            first = begin
            begin, end = _insert(slopes, widths, begin, end, at, -pay, charge)
            at += begin == first  # where the pieces before it made room, the next one stands where it stood
        while at < end and slopes[at] <= -gain:
            level += widths[at]
            at += 1
        down_to[t] = level
        if give_wh > 0:
            begin, end = _insert(slopes, widths, begin, end, at, -gain, give_wh)
        left, right = left - charge, right + give_wh
        left, right = (left - drift[t]) / keep, (right - drift[t]) / keep
        if keep < 1.0:
            for i in range(begin, end):
                slopes[i] *= keep
                widths[i] /= keep
        if t > 0:
            bottom, top = low[t - 1], high[t - 1]
            if right < bottom or left > top:  # no level here can keep what comes later: stand at the nearest
                sound = False
                left = right = bottom if right < bottom else top
                begin = end
                continue
            begin, end = _trim(slopes, widths, begin, end, left, right, bottom, top)
            left, right = max(left, bottom), min(right, top)
    return sound


@njit(cache=True, nogil=True)
def _trim(slopes, widths, begin, end, left, right, bottom, top):  # type: ignore[no-untyped-def]  # compiled
    """Cut off what lies outside the bounds; return the new begin and end."""
    while begin < end and left < bottom:
        if left + widths[begin] > bottom:
            widths[begin] -= bottom - left
            break
        left += widths[begin]
        begin += 1
    while begin < end and right > top:
        if right - widths[end - 1] < top:
            widths[end - 1] -= right - top
            break
        right -= widths[end - 1]
        end -= 1
    return begin, end


@njit(cache=True, nogil=True)
def _hinge(slopes, widths, begin, end, left, level, slope):  # type: ignore[no-untyped-def]  # compiled
    """Make every Wh below a level worth more, or above it dearer; return the new begin and end."""
    if slope < 0:  # a wish for less: the same hinge on top of a slope that is there everywhere
        slope = -slope
        for i in range(begin, end):
            slopes[i] += slope
    at = begin
    here = left
    while at < end and here + widths[at] <= level:
        here += widths[at]
        slopes[at] -= slope
        at += 1
    if at < end and here < level:
        rest = widths[at] - (level - here)
        old = slopes[at]
        slopes[at], widths[at] = old - slope, level - here
        begin, end = _insert(slopes, widths, begin, end, at + 1, old, rest)
    return begin, end


@njit(cache=True, nogil=True)
def follow(  # type: ignore[no-untyped-def]  # compiled
    price, into, out, keep, drift, draw, give, high, level, wear, final, hinge_at, hinge_level, hinge_slope,
    least_in, least_out, up_to, down_to, floor, power,
):  # fmt: skip
    """Live by a policy in whole watts, and fill in the powers.

    Args:
        As `look_back`, and
        level: Wh before the first slot.
        least_in, least_out: W; drawing or giving less is rounded to this or to nothing.
        power: n values in whole W, filled in, import positive.

    Returns:
        Cost at the prices, and the part of it that is the store's own: wear, missed wishes, less final value; micro.
    """
    spent = own = 0.0
    for t in range(price.shape[0]):
        level = keep * level + drift[t]
        watts = 0
        if level < up_to[t]:
            exact = min(draw[t], (up_to[t] - level) / (H * into[t]))
            watts = round(exact)
            if watts < least_in and watts > 0:
                fits = least_in <= draw[t] and level + least_in * H * into[t] <= high[t]
                watts = least_in if fits and (2 * watts >= least_in or level < floor[t] - 0.5) else 0
        elif level > down_to[t]:
            exact = min(give[t], (level - down_to[t]) * out / H)
            watts = -round(exact)
            if -watts < least_out:
                fits = least_out <= give[t] and -2 * watts >= least_out
                watts = -least_out if fits and level - least_out * H / out >= floor[t] else 0
        power[t] = watts
        if watts >= 0:
            level += watts * H * into[t]
        else:
            level += watts * H / out
            own -= watts * H * wear
        spent += price[t] * watts * H
        for m in range(hinge_at.shape[0]):
            if hinge_at[m] == t:
                own += max(0.0, (hinge_level[m] - level) * hinge_slope[m])
    own -= final * level
    return spent + own, own


@njit(cache=True, nogil=True)
def value(  # type: ignore[no-untyped-def]  # compiled
    price, into, out, keep, drift, draw, give, level, wear, final, hinge_at, hinge_level, hinge_slope, up_to, down_to,
):  # fmt: skip
    """Return what the policy costs from a level, micro, with any power allowed: no real schedule costs less."""
    cost = 0.0
    for t in range(price.shape[0]):
        level = keep * level + drift[t]
        charge, give_wh = draw[t] * H * into[t], give[t] * H / out
        pay, gain = _rates(price[t], into[t], out, wear, charge, give_wh)
        if charge + give_wh > 0:  # where circles would pay, the hull lies below rest
            cost += min(0.0, (price[t] / into[t] - (price[t] - wear) * out) * charge * give_wh / (charge + give_wh))
        if level < up_to[t]:
            wh = min(draw[t] * H * into[t], up_to[t] - level)
            cost += wh * pay
            level += wh
        elif level > down_to[t]:
            wh = min(give[t] * H / out, level - down_to[t])
            cost -= wh * gain
            level -= wh
        for m in range(hinge_at.shape[0]):
            if hinge_at[m] == t:
                cost += max(0.0, (hinge_level[m] - level) * hinge_slope[m])
    return cost - final * level

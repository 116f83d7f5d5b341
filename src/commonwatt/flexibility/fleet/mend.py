"""Bring what a fleet is told inside every limit: one asset at a time, each by an answer that fits what room is left."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from commonwatt.flexibility.fleet.answers import answer, rank, spread
from commonwatt.flexibility.fleet.columns import Kind, Rooms
from commonwatt.flexibility.fleet.nodes import fixed_above, spent
from commonwatt.flexibility.fleet.stores import H, follow, look_back
from commonwatt.flexibility.fleet.sweep import Fleet
from commonwatt.kernels.cores import beside

Floats = NDArray[np.float64]
CHARGE, STORE = int(Kind.CHARGE), int(Kind.STORE)
PATIENCE = (2.0, 2.0, 4.0, 10.0, 50.0)
"""What a Wh beyond a limit counts in each round, in dearest prices: who can move cheaply is asked first."""
IN_EARNEST = 4
"""Rounds after these, in which a broken limit counts what its rank does, and nothing is given up early."""
DECLINED = 2_000
"""Answers in a row that do not help, after which a round of the first kind is over."""


def mend(fleet: Fleet, high: Floats, low: Floats, memory: list[Rooms], seed: int = 0, *, earnest: bool = True) -> int:
    """Move assets until no limit is broken, or none of them can help any more; return how many moved.

    Each worker takes its part of the groups, and may use its part of the room there is.

    Args:
        fleet: Changed in place.
        high, low: (m, n) limits in W on the net power of every place; infinite where there is none.
        memory: Rooms of each thread.
        seed: Of the order in which groups are asked.
        earnest: False to leave out the rounds in which limits are kept at the cost of what ranks below them.
    """
    moved = 0
    nodes = fleet.nodes
    dear = float(np.abs(nodes.price).max(axis=1).sum())
    groups = np.random.default_rng(seed).permutation(len(fleet.leaf))
    for turn in range(len(PATIENCE) + (IN_EARNEST if earnest else 0)):
        troubled = ((nodes.load > high) | (nodes.load < low)).any(axis=1)
        if not troubled.any():
            break
        patience = PATIENCE[turn] * dear if turn < len(PATIENCE) else 0.0
        steep = 100.0 * dear if patience else float(np.abs(nodes.slope).max())
        threads = len(memory) if turn < len(PATIENCE) else 1
        shares = np.array_split(groups, threads)
        works, loads = [], []
        for own, rooms in zip(shares, memory, strict=False):
            mine = nodes.load.copy()
            loads.append(mine)
            apart = fleet._replace(nodes=nodes._replace(load=mine))
            upper, lower = nodes.load + (high - nodes.load) / threads, nodes.load - (nodes.load - low) / threads
            works.append(beside(_mend, apart, own, upper, lower, troubled, turn > 0, patience, steep, seed, rooms))
        moved += sum(int(work.result()) for work in works)
        before = nodes.load.copy()
        for mine in loads:
            nodes.load[:] += mine - before
    return moved


@njit(cache=True, nogil=True)
def _mend(fleet, groups, high, low, troubled, all_of_them, patience, steep, seed, rooms):  # type: ignore[no-untyped-def]
    slots = fleet.power.shape[1]
    nodes = fleet.nodes
    price, limited, new = np.empty(slots), np.empty(slots), np.empty(slots, np.int32)
    up, down, order = np.empty(slots), np.empty(slots), np.arange(slots)
    moved = declined = 0
    for g in groups:
        leaf = fleet.leaf[g]
        if not _above_any(nodes, leaf, troubled):
            continue
        fixed_above(nodes, leaf, price)
        _headroom(nodes, leaf, high, low, up, down)
        begin, count = fleet.begin[g], fleet.begin[g + 1] - fleet.begin[g]
        for k in range(count):
            i = begin + (k + seed * 7919) % count
            old = fleet.power[i]
            if not _may_help(old, up, down, all_of_them):
                continue
            own = within(fleet.assets, i, price, steep, old, up, down, limited, order, rooms, new)
            if patience > 0:
                better = _relieves(fleet, leaf, old, new, own - fleet.own[i], price, high, low, patience)
            else:
                better = _better(fleet, leaf, old, new, own - fleet.own[i])
            if not better:
                declined += 1
                if declined > DECLINED and patience > 0:
                    return moved
                continue
            declined = 0
            _tell(fleet, leaf, i, new, own)
            moved += 1
            _headroom(nodes, leaf, high, low, up, down)
    return moved


@njit(cache=True, nogil=True)
def please(fleet, short, rooms):  # type: ignore[no-untyped-def]  # compiled
    """Let some assets take what they want whatever the limits: others are then asked to make room."""
    slots = fleet.power.shape[1]
    nodes = fleet.nodes
    price, new, order = np.empty(slots), np.empty(slots, np.int32), np.arange(slots)
    for g in range(fleet.leaf.shape[0]):
        fixed_above(nodes, fleet.leaf[g], price)
        rank(price, order)
        for i in range(fleet.begin[g], fleet.begin[g + 1]):
            if short[i]:
                own = answer(fleet.assets, i, price, order, rooms, new)[1]
                _tell(fleet, fleet.leaf[g], i, new, own)


@njit(cache=True, nogil=True)
def _tell(fleet, leaf, i, new, own):  # type: ignore[no-untyped-def]  # compiled
    """Write down what an asset is told now, and what that does to the loads above it."""
    nodes, node = fleet.nodes, leaf
    while node >= 0:
        for t in range(new.shape[0]):
            nodes.load[node, t] += new[t] - fleet.power[i, t]
        node = nodes.parent[node]
    for t in range(new.shape[0]):
        fleet.power[i, t] = new[t]
    fleet.own[i] = own


@njit(cache=True, nogil=True)
def fill(fleet, high, low, short, part, rooms):  # type: ignore[no-untyped-def]  # compiled
    """Let assets that miss their wishes take what room there is, each at most a part of it; return how many moved.

    Asked again and again, with small parts first, those who are short come to share what there is.
    """
    slots = fleet.power.shape[1]
    nodes = fleet.nodes
    price, limited, new = np.empty(slots), np.empty(slots), np.empty(slots, np.int32)
    up, down, order = np.empty(slots), np.empty(slots), np.arange(slots)
    moved = 0
    for g in range(fleet.leaf.shape[0]):
        leaf = fleet.leaf[g]
        fixed_above(nodes, leaf, price)
        dear = 0.0
        for t in range(slots):
            dear = max(dear, abs(price[t]))
            price[t] = min(price[t], 0.0)  # room that is left costs nothing but what stands in the places' slopes
        for i in range(fleet.begin[g], fleet.begin[g + 1]):
            if not short[i]:
                continue
            _headroom(nodes, leaf, high, low, up, down)
            for t in range(slots):
                up[t] *= part
            old = fleet.power[i]
            own = within(fleet.assets, i, price, 100.0 * dear, old, up, down, limited, order, rooms, new)
            if _better(fleet, leaf, old, new, own - fleet.own[i]):
                _tell(fleet, leaf, i, new, own)
                moved += 1
    return moved


@njit(cache=True, nogil=True)
def shortfalls(fleet):  # type: ignore[no-untyped-def]  # compiled
    """Return, per asset, the Wh by which what it is told misses its wishes for more."""
    cols = fleet.assets
    short = np.zeros(fleet.own.shape[0])
    for i in range(short.shape[0]):
        if cols.wish[i] == cols.wish[i + 1]:
            continue
        level, row = float(cols.level[i]), cols.row[i]
        for t in range(fleet.power.shape[1]):
            wh = fleet.power[i, t] * H
            level *= cols.keep[i]
            gain = cols.gain[row, t] if row >= 0 else cols.into[i]
            level += cols.drift_wh[row, t] if row >= 0 else 0.0
            level += wh * gain if wh >= 0 else wh / cols.out[i]
            for m in range(cols.wish[i], cols.wish[i + 1]):
                if cols.wish_at[m] == t and cols.wish_slope[m] > 0:
                    short[i] = max(short[i], cols.wish_level[m] - level)
    return short


@njit(cache=True, nogil=True)
def _may_help(old, up, down, all_of_them):  # type: ignore[no-untyped-def]  # compiled
    """Tell whether an asset takes part in what is over a limit, or where all are asked, whether anything is."""
    for t in range(old.shape[0]):
        if (up[t] < 0 and (old[t] > 0 or all_of_them)) or (down[t] < 0 and (old[t] < 0 or all_of_them)):
            return True
    return False


@njit(cache=True, nogil=True)
def _relieves(fleet, leaf, old, new, own, price, high, low, patience):  # type: ignore[no-untyped-def]  # compiled
    """Tell whether a change is worth it at the places' multipliers, with a Wh over a limit at so much on top."""
    nodes = fleet.nodes
    for t in range(old.shape[0]):
        if new[t] != old[t]:
            own += price[t] * (new[t] - old[t]) * H
            node = leaf
            while node >= 0:
                load = nodes.load[node, t]
                after = load + new[t] - old[t]
                over = max(0.0, after - high[node, t]) + max(0.0, low[node, t] - after)
                over -= max(0.0, load - high[node, t]) + max(0.0, low[node, t] - load)
                own += patience * over * H
                node = nodes.parent[node]
    return own < -1e-6


@njit(cache=True, nogil=True)
def within(cols, i, price, steep, old, up, down, limited, order, rooms, new):  # type: ignore[no-untyped-def]
    """Fill in an asset's best answer inside the room that the others leave, as far as it can keep to that.

    Args:
        cols, i, price, order, rooms: As in `answers.answer`.
        steep: Micro per Wh that a slot without room costs on top.
        old: n values in W: what it was told, and leaves room for when it moves.
        up, down: n values in W: room for more import and more export while it does as told.
        limited: Room for n prices.
        new: n values in W, filled in.

    Returns:
        Its own part of the cost, micro.
    """
    slots = price.shape[0]
    kind = cols.kind[i]
    if kind in (CHARGE, STORE):
        spread(cols, i, slots, rooms)
        begin, wishes = cols.wish[i], cols.wish[i + 1] - cols.wish[i]
        for m in range(wishes):
            rooms.wish_at[m] = cols.wish_at[begin + m]
            rooms.wish_level[m], rooms.wish_slope[m] = cols.wish_level[begin + m], cols.wish_slope[begin + m]
        for t in range(slots):
            limited[t] = price[t]
            more, less = old[t] + up[t], old[t] - down[t]
            if more < 0:
                limited[t] += steep
            elif less > 0:
                limited[t] -= steep
            rooms.draw[t] = min(rooms.draw[t], max(0.0, np.floor(more)))
            rooms.give[t] = min(rooms.give[t], max(0.0, np.floor(-less)))
            if more < 0:  # no more than is needed: its energy may be wanted elsewhere
                rooms.give[t] = min(rooms.give[t], np.ceil(-more))
        at, wanted, slope = rooms.wish_at[:wishes], rooms.wish_level[:wishes], rooms.wish_slope[:wishes]
        level, keep, out = float(cols.level[i]), float(cols.keep[i]), float(cols.out[i])
        wear, final = float(cols.wear[i]), float(cols.final[i])
        look_back(
            limited, rooms.into, out, keep, rooms.drift, rooms.draw, rooms.give, rooms.low, rooms.high, wear, final,
            at, wanted, slope, rooms.slopes, rooms.widths, rooms.up_to, rooms.down_to, rooms.floor,
        )  # fmt: skip
        return follow(
            limited, rooms.into, out, keep, rooms.drift, rooms.draw, rooms.give, rooms.high, level, wear, final,
            at, wanted, slope, cols.least_in[i], cols.least_out[i], rooms.up_to, rooms.down_to, rooms.floor, new,
        )[1]  # fmt: skip
    for t in range(slots):
        limited[t] = price[t]
        if up[t] + old[t] < cols.draw[i]:
            limited[t] += steep
        if down[t] - old[t] < cols.give[i]:
            limited[t] -= steep
    return answer(cols, i, limited, order, rooms, new)[1]


@njit(cache=True, nogil=True)
def _headroom(nodes, leaf, high, low, up, down):  # type: ignore[no-untyped-def]  # compiled
    """Fill in how much more a leaf may draw and send, by the tightest place above it; below zero where it is broken."""
    up[:], down[:] = 1e18, 1e18
    node = leaf
    while node >= 0:
        for t in range(up.shape[0]):
            up[t] = min(up[t], high[node, t] - nodes.load[node, t])
            down[t] = min(down[t], nodes.load[node, t] - low[node, t])
        node = nodes.parent[node]


@njit(cache=True, nogil=True)
def _above_any(nodes, leaf, troubled):  # type: ignore[no-untyped-def]  # compiled
    node = leaf
    while node >= 0:
        if troubled[node]:
            return True
        node = nodes.parent[node]
    return False


@njit(cache=True, nogil=True)
def _better(fleet, leaf, old, new, own):  # type: ignore[no-untyped-def]  # compiled
    """Tell whether the whole fleet costs less with the new powers of one asset."""
    nodes = fleet.nodes
    node = leaf
    while node >= 0:
        if nodes.limited[node]:
            for t in range(old.shape[0]):
                if new[t] != old[t]:
                    load = nodes.load[node, t]
                    kink, slope = nodes.kink[node, t], nodes.slope[node, t]
                    own += spent(kink, slope, load + new[t] - old[t]) - spent(kink, slope, load)
        node = nodes.parent[node]
    return own < -1e-6

"""Passes over a fleet: every asset answers in turn to prices that follow the loads, or all to the same prices."""

from concurrent.futures import wait
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from commonwatt.flexibility.fleet.answers import answer, rank
from commonwatt.flexibility.fleet.columns import Columns, Rooms, rooms
from commonwatt.flexibility.fleet.nodes import Nodes, asked, asked_so_far, fixed_above
from commonwatt.kernels.cores import beside

Floats = NDArray[np.float64]
Wholes = NDArray[np.int32]
Powers = NDArray[np.int16] | NDArray[np.int32]
"""The narrower where nothing draws more than 32 kW: a million schedules of a day are 192 MB then."""


WORKERS = 2
"""Groups that answer side by side. Not as many as there are cores: the same problem gives the same plan anywhere."""
REFRESHES = 4_000
"""How often in a pass prices above the leaves look at the loads again: a pass over fewer assets does so at each."""


DEEPEST = 16
"""Places above each other."""


class Fleet(NamedTuple):
    """Assets, the tree that they stand in, and what they are told so far.

    Args:
        assets: In columns, sorted by the place in which they stand.
        nodes: The tree.
        leaf: Place of each of g groups; several groups may stand in one place.
        begin: g + 1 offsets into the assets.
        power: (n, slots) W, import positive; nothing at first.
        total: Per place, how many assets stand at it and below.
        own: n values, micro: wear, missed wishes, less final value, of what each is told.
    """

    assets: Columns
    nodes: Nodes
    leaf: Wholes
    begin: Wholes
    total: Wholes
    power: Powers
    own: Floats


@njit(cache=True, nogil=True)
def _turn(  # type: ignore[no-untyped-def]  # noqa: PLR0912  one compiled loop
    fleet, groups, placed, known, beside, seen, moved, told, heard, first, only, rooms
):
    """Let the assets of some groups answer one after another to prices that follow every answer.

    Args:
        fleet: Powers and own costs are changed.
        groups: Which.
        placed: Per place, how many of its assets stand in its load: all, but for a first pass.
        known: Per place, 1 where its multipliers are worth something before the first answer.
        beside: Per place, how many turns like this one run there at once: what this one moves the others move too.
        seen: (m, n) loads of all places when this turn began.
        moved: (m, n) filled in: by how much this turn moved loads.
        told: m values, added to: how many answers a place has told its price for; with
        heard: (m, n) the sum of those prices.
        first: True where nothing was placed before.
        only: Per asset, 0 where it keeps what it is told; empty where all answer.
        rooms: `Rooms` of this thread.
    """
    slots = fleet.power.shape[1]
    nodes = fleet.nodes
    price, new, order = np.empty(slots), np.empty(slots, np.int32), np.arange(slots)
    change, part = np.zeros(slots), np.zeros((DEEPEST, slots))
    moved[:] = 0.0
    for g in groups:
        leaf, begin, count = fleet.leaf[g], fleet.begin[g], fleet.begin[g + 1] - fleet.begin[g]
        step = 7919 if count % 7919 else 1
        change[:], part[:] = 0.0, 0.0
        for k in range(count):
            i = begin + (k * step) % count
            old = fleet.power[i]
            if only.shape[0] and not only[i] and k:
                continue
            node, depth, fresh = leaf, 0, k == 0
            while node >= 0:
                every = max(1, fleet.total[node] // REFRESHES)
                if nodes.limited[node] and k % every == 0:
                    done = min(1.0, (placed[node] + beside[node] * k) / fleet.total[node]) if first else 1.0
                    counts = done > 0.5
                    told[node] += counts
                    for t in range(slots):
                        load = seen[node, t] + beside[node] * (moved[node, t] + change[t])
                        if every == 1:  # of few, each counts: it answers to the load of the others
                            load -= old[t]
                        here = _ask(nodes, node, t, load, done, known[node])
                        part[depth, t] = here
                        if counts:
                            heard[node, t] += here
                    fresh = True
                node, depth = nodes.parent[node], depth + 1
            if fresh:
                for t in range(slots):
                    price[t] = part[:depth, t].sum()
                rank(price, order)
            if only.shape[0] and not only[i]:
                continue
            _, own, _ = answer(fleet.assets, i, price, order, rooms, new)
            for t in range(slots):
                change[t] += new[t] - old[t]
                fleet.power[i, t] = new[t]
            fleet.own[i] = own
        node = leaf
        while node >= 0:
            for t in range(slots):
                moved[node, t] += change[t]
            node = nodes.parent[node]


@njit(cache=True, nogil=True, inline="always")
def _ask(nodes, node, t, load, done, known):  # type: ignore[no-untyped-def]  # compiled
    """Return a place's price while a part of its assets is placed: by what is missing, or by what all would make."""
    kink, slope, price, stiff = nodes.kink[node, t], nodes.slope[node, t], nodes.price[node, t], nodes.stiff[node]
    if done >= 1.0:
        return asked(kink, slope, price, stiff, load)
    base = nodes.base[node, t]
    if known:
        return asked_so_far(kink, slope, price, stiff, load, base, done)
    return asked(kink, slope, price, stiff, base + (load - base) / done if done > 0.02 else base)


@njit(cache=True, nogil=True)
def _bound(fleet, groups, rooms):  # type: ignore[no-untyped-def]  # compiled
    """Return what no schedules of some groups undercut at the multipliers, their fixed load at its price included."""
    slots = fleet.power.shape[1]
    price, new, order = np.empty(slots), np.empty(slots, np.int32), np.arange(slots)
    total = 0.0
    for g in groups:
        fixed_above(fleet.nodes, fleet.leaf[g], price)
        rank(price, order)
        for i in range(fleet.begin[g], fleet.begin[g + 1]):
            total += answer(fleet.assets, i, price, order, rooms, new)[2]
    return total


def sweep(
    fleet: Fleet,
    memory: list[Rooms],
    seed: int,
    *,
    first: bool = False,
    known: NDArray[np.int8] | None = None,
    only: NDArray[np.int8] | None = None,
) -> None:
    """Let every asset answer once, groups in random order, one on each worker at a time.

    Loads and powers move on; each place's multiplier becomes the mean of what it asked during the pass.

    Args:
        fleet: Changed in place.
        memory: Rooms of each worker.
        seed: Of the order.
        first: True where nothing is placed yet: prices then follow what the loads will be, judged by those placed.
        known: Per place, 1 where multipliers found before are worth something in a first pass; then prices follow
            what is missing so far instead.
        only: Per asset, 0 where it keeps what it is told; all answer where this is not given.
    """
    groups = np.random.default_rng(seed).permutation(len(fleet.leaf)).astype(np.int64)
    nodes, cores = fleet.nodes, len(memory)
    known = np.zeros(len(nodes.parent), np.int8) if known is None else known
    only = np.zeros(0, np.int8) if only is None else only
    placed, beside_it = np.zeros(len(nodes.parent), np.int64), np.zeros(len(nodes.parent), np.int64)
    moved = [np.zeros_like(nodes.load) for _ in memory]
    told = [np.zeros(len(nodes.parent)) for _ in memory]
    heard = [np.zeros_like(nodes.load) for _ in memory]
    for at in range(0, len(groups), cores):
        seen, now = nodes.load.copy(), groups[at : at + cores]
        beside_it[:] = 0
        for group in now:
            _count(nodes.parent, int(fleet.leaf[group]), beside_it, 1)
        works = [
            beside(
                _turn,
                fleet,
                now[n : n + 1],
                placed,
                known,
                beside_it,
                seen,
                moved[n],
                told[n],
                heard[n],
                first,
                only,
                memory[n],
            )
            for n in range(len(now))
        ]
        wait(works)
        for n, work in enumerate(works):
            work.result()
            nodes.load[:] += moved[n]
            if first:
                _count(
                    nodes.parent, int(fleet.leaf[now[n]]), placed, int(fleet.begin[now[n] + 1] - fleet.begin[now[n]])
                )
    counts = np.sum(told, axis=0)
    spoke = counts > 0
    nodes.price[spoke] = np.sum(heard, axis=0)[spoke] / counts[spoke, None]


def _count(parent: Wholes, node: int, counts: NDArray[np.int64], more: int) -> None:
    """Add to a place and all above it."""
    while node >= 0:
        counts[node] += more
        node = int(parent[node])


def bound(fleet: Fleet, memory: list[Rooms]) -> float:
    """Return the assets' part of the dual bound at the multipliers as they stand, micro."""
    parts = np.array_split(np.arange(len(fleet.leaf), dtype=np.int64), 4 * len(memory))
    works = []
    total = 0.0
    for at in range(0, len(parts), len(memory)):
        works = [beside(_bound, fleet, part, memory[n]) for n, part in enumerate(parts[at : at + len(memory)])]
        total += sum(work.result() for work in works)
    return total


def threads(slots: int, wishes: int = 16) -> list[Rooms]:
    """Return working memory for the workers of a fleet."""
    return [rooms(slots, wishes) for _ in range(WORKERS)]

"""Solve a fleet: prices from a sample, passes over all, limits mended, and the gap proven by the dual bound."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from commonwatt.flexibility.fleet.columns import Columns, Rooms
from commonwatt.flexibility.fleet.mend import mend
from commonwatt.flexibility.fleet.nodes import Nodes, owed, spent_in_all
from commonwatt.flexibility.fleet.sweep import Fleet, bound, sweep, threads

Floats = NDArray[np.float64]
SAMPLE = 20_000
"""Assets whose answers find the prices for all."""
PASSES_OF_SAMPLE = 6
MOST_PASSES = 16
STIFFNESS = 5.0
"""By how many typical prices a place's price rises when all that can be shifted there is too much once."""
SOFTER, SOFTEST = 0.7, 0.1
SETTLING, SETTLERS = 20.0, 0.05
MARGIN = 0.0005
"""What passes stay under a limit, so that little is left to mend."""
MENDABLE = 0.003
"""What may be over limits, as a share of all energy, for mending to be worth while."""
USED = 0.2
"""The part of its power that an asset uses on average, to judge how much can be shifted at a place."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a fleet costs as told, what it cannot cost less than (micro), and the passes that it took.

    ``broken`` is what is still over limits, as a share of all power at the root.
    """

    cost: float
    bound: float
    passes: int
    broken: float

    @property
    def gap(self) -> float:
        """Return the proven gap as a share of the cost."""
        return max(0.0, self.cost - self.bound) / max(1.0, abs(self.cost))


def solve(
    fleet: Fleet,
    high: Floats,
    low: Floats,
    gap: float = 1e-3,
    heard: Callable[[str, float], bool] = lambda stage, gap: True,
    memory: list[Rooms] | None = None,
    *,
    warm: bool = False,
) -> Found:
    """Tell every asset of a fleet what to do, in place, at a cost within a gap of the best.

    Args:
        fleet: Its powers and prices are where the search begins.
        high, low: (m, n) limits in W per place, as the kinks of its nodes have them; infinite where there is none.
        gap: As a share of the cost; the search ends once it is proven.
        heard: Told the stage and the gap so far; False ends the search with the best so far.
        memory: Working memory per thread.
        warm: True where every asset is told something already, near the best: the search goes on from there.
    """
    memory = memory or threads(fleet.power.shape[1])
    stiffen(fleet, STIFFNESS)
    known = np.zeros(len(fleet.total), np.int8)
    if fleet.begin[-1] > 2 * SAMPLE and len(fleet.leaf) > 1 and not warm:
        known = prices_from_sample(fleet, memory)
    best: Found | None = None
    kept = (fleet.power, fleet.own, fleet.nodes.load)
    floor = -np.inf
    for turn in range(MOST_PASSES):
        stiffen(fleet, STIFFNESS * max(SOFTEST, SOFTER**turn))
        pass_over(fleet, memory, turn, first=turn == 0 and not warm, known=known)
        if turn == 0:  # the prices of a first pass are means over many answers, and rarely bettered
            floor = dual(fleet, memory)
        broken = over_limits(fleet, high, low)
        if not heard(f"pass {turn + 1}, {100 * broken:.3f} % over limits", best.gap if best else 1.0):
            break
        if broken > MENDABLE:
            continue
        settle(fleet, memory, turn)
        mend(fleet, high, low, memory)
        cost = float(fleet.own.sum() + spent_in_all(fleet.nodes, fleet.nodes.load))
        if best is None or cost < best.cost:
            best = Found(cost, floor, turn + 1, over_limits(fleet, high, low))
            kept = (fleet.power.copy(), fleet.own.copy(), fleet.nodes.load.copy())
        if best.gap > gap:
            floor = max(floor, dual(fleet, memory))
            best = Found(best.cost, floor, turn + 1, best.broken)
        if best.gap <= gap:
            break
    if best is None:  # stopped early, or limits that cannot be kept: what there is, mended as far as it goes
        mend(fleet, high, low, memory)
        cost = float(fleet.own.sum() + spent_in_all(fleet.nodes, fleet.nodes.load))
        return Found(cost, floor, MOST_PASSES, over_limits(fleet, high, low))
    fleet.power[:], fleet.own[:], fleet.nodes.load[:] = kept
    return best


def settle(fleet: Fleet, memory: list[Rooms], seed: int) -> None:
    """Let a few assets answer to prices that rise steeply with what is over limits; multipliers stay."""
    multipliers = fleet.nodes.price.copy()
    stiffen(fleet, SETTLING)
    few = np.random.default_rng(seed).random(len(fleet.own)) < SETTLERS
    pass_over(fleet, memory, seed, only=few.astype(np.int8))
    fleet.nodes.price[:] = multipliers


def over_limits(fleet: Fleet, high: Floats, low: Floats) -> float:
    """Return what is over limits, as a share of all power at the root."""
    over = np.maximum(np.maximum(fleet.nodes.load - high, low - fleet.nodes.load), 0.0)
    return float(over.sum() / max(1.0, np.abs(fleet.nodes.load[0]).sum()))


def dual(fleet: Fleet, memory: list[Rooms]) -> float:
    """Return what no schedules of the fleet can cost less than, at the multipliers as they stand, micro."""
    nodes = fleet.nodes
    places = float(owed(nodes))
    return bound(fleet, memory) + places + fixed(nodes)


def fixed(nodes: Nodes) -> float:
    """Return what the load that nobody can shift costs at the multipliers, micro: each place's own, at its price."""
    return float((nodes.base * nodes.price).sum() * 0.25)


def stiffen(fleet: Fleet, stiffness: float) -> None:
    """Set by how much each place's price follows its load."""
    assets, nodes = fleet.assets, fleet.nodes
    power = np.maximum(assets.draw, assets.give).astype(np.float64)
    movable = np.zeros(len(nodes.parent))
    np.add.at(movable, fleet.leaf, np.add.reduceat(power, fleet.begin[:-1]) if len(power) else 0.0)
    for node in range(len(nodes.parent) - 1, 0, -1):
        movable[nodes.parent[node]] += movable[node]
    kinks = nodes.slope.shape[2] // 2
    typical = float(np.abs(nodes.slope[0, :, kinks]).mean()) or 1.0
    nodes.stiff[:] = stiffness * typical / np.maximum(1.0, USED * movable)


def pass_over(
    fleet: Fleet,
    memory: list[Rooms],
    seed: int,
    *,
    first: bool = False,
    known: NDArray[np.int8] | None = None,
    only: NDArray[np.int8] | None = None,
) -> None:
    """Let assets answer once, a little under every limit; see `sweep.sweep`."""
    nodes = fleet.nodes
    finite = np.isfinite(nodes.kink)
    kink = np.where(finite, nodes.kink, 0.0)
    inner = nodes._replace(kink=np.where(finite, kink - MARGIN * np.abs(kink), nodes.kink))
    sweep(fleet._replace(nodes=inner), memory, seed, first=first, known=known, only=only)


def prices_from_sample(
    fleet: Fleet, memory: list[Rooms], size: int = SAMPLE, passes: int = PASSES_OF_SAMPLE
) -> NDArray[np.int8]:
    """Set multipliers to what a sample of whole groups finds under limits to its size; tell of which places, by 1."""
    part, places = sample(fleet, size)
    stiffen(part, STIFFNESS)
    for turn in range(passes):
        pass_over(part, memory, turn, first=turn == 0)
    fleet.nodes.price[places] = part.nodes.price
    known = np.zeros(len(fleet.total), np.int8)
    known[places] = 1
    return known


def sample(fleet: Fleet, assets: int) -> tuple[Fleet, NDArray[np.int64]]:
    """Return a smaller fleet of whole groups, with limits and fixed load to its size, and which places it has."""
    order = np.random.default_rng(0).permutation(len(fleet.leaf))
    sizes = (fleet.begin[1:] - fleet.begin[:-1])[order]
    groups = np.sort(order[: int(np.searchsorted(np.cumsum(sizes), assets)) + 1])
    rows = np.concatenate([np.arange(fleet.begin[g], fleet.begin[g + 1]) for g in groups])
    nodes = fleet.nodes
    total = np.zeros(len(nodes.parent), np.int64)
    for g in groups:
        node = int(fleet.leaf[g])
        while node >= 0:
            total[node] += fleet.begin[g + 1] - fleet.begin[g]
            node = int(nodes.parent[node])
    places = np.flatnonzero(total)
    number = np.full(len(nodes.parent) + 1, -1)
    number[places] = np.arange(len(places))
    share = (total[places] / fleet.total[places])[:, None]
    base = nodes.base[places] * share
    part = Nodes(
        parent=number[nodes.parent[places]].astype(np.int32),
        kink=nodes.kink[places] * share[:, :, None],
        slope=nodes.slope[places],
        base=base,
        load=base.copy(),
        price=nodes.price[places].copy(),
        limited=nodes.limited[places],
        stiff=np.zeros(len(places)),
    )
    begin = np.r_[0, np.cumsum(fleet.begin[groups + 1] - fleet.begin[groups])].astype(np.int32)
    power = np.zeros((len(rows), fleet.power.shape[1]), np.int32)
    leaf = number[fleet.leaf[groups]].astype(np.int32)
    columns = pick(fleet.assets, rows)
    return Fleet(columns, part, leaf, begin, total[places].astype(np.int32), power, np.zeros(len(rows))), places


def pick(columns: Columns, rows: NDArray[np.int64]) -> Columns:
    """Return some assets of a fleet, in the order of their numbers."""
    ragged = {"wish": ("wish_at", "wish_level", "wish_slope"), "profile": ("profile_w",)}
    whole = {"most_w", "least_w", "low_wh", "top_wh", "drift_wh", "gain"}
    fields = columns._asdict()
    picked = {
        name: values[rows]
        for name, values in fields.items()
        if name not in whole and name not in ragged and not any(name in inner for inner in ragged.values())
    }
    for offsets, inner in ragged.items():
        begins, ends = fields[offsets][:-1][rows], fields[offsets][1:][rows]
        at = np.concatenate([np.arange(b, e) for b, e in zip(begins, ends, strict=True)] or [np.zeros(0)]).astype(int)
        picked[offsets] = np.r_[0, np.cumsum(ends - begins)].astype(np.int32)
        picked |= {name: fields[name][at] for name in inner}
    return Columns(**picked, **{name: fields[name] for name in whole})

"""Solve a fleet: prices from a sample, passes over all, limits mended, and the gap proven by the dual bound."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from commonwatt.flexibility.fleet.columns import Columns, Rooms
from commonwatt.flexibility.fleet.mend import fill, mend, please, shortfalls
from commonwatt.flexibility.fleet.nodes import Nodes, owed, spent_in_all
from commonwatt.flexibility.fleet.sweep import Fleet, bound, sweep, threads

Floats = NDArray[np.float64]
SAMPLE = 20_000
"""Assets whose answers find the prices for all."""
PASSES_OF_SAMPLE = 6
MOST_PASSES = 16
FEW = 1_000
"""Up to so many assets mending costs so little that it is tried after every pass."""
FAR, CLIMB = 0.01, 4.0
"""Where so much is still over limits after the first passes, prices follow loads so much more steeply each time."""
STALLED, BETTER = 4, 0.98
"""After so many passes that leave the gap nearly as it was, more are not tried."""
STIFFNESS = 5.0
"""By how many typical prices a place's price rises when all that can be shifted there is too much once."""
SOFTER, SOFTEST = 0.7, 0.1
SETTLING, SETTLERS = 20.0, 0.05
ROUNDS, SHORT_WH, FAIR_PART = 5, 10.0, 2.0
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
) -> Found:
    """Tell every asset of a fleet what to do, in place, at a cost within a gap of the best.

    Args:
        fleet: Nothing told yet; its prices are where the search begins.
        high, low: (m, n) limits in W per place, as the kinks of its nodes have them; infinite where there is none.
        gap: As a share of the cost; the search ends once it is proven.
        heard: Told the stage and the gap so far; False ends the search with the best so far.
        memory: Working memory per thread.
    """
    memory = memory or threads(fleet.power.shape[1])
    stiffen(fleet, STIFFNESS)
    known = np.zeros(len(fleet.total), np.int8)
    if fleet.begin[-1] > 2 * SAMPLE and len(fleet.leaf) > 1:
        known = prices_from_sample(fleet, memory)
    search = _Search(fleet, high, low, memory)
    few = len(fleet.own) <= FEW
    if few:
        search.prove()
    turn = stalled = 0
    boost = 1.0
    for turn in range(MOST_PASSES):
        stiffen(fleet, STIFFNESS * max(SOFTEST, SOFTER**turn) * boost)
        pass_over(fleet, memory, turn, first=turn == 0, known=known)
        if turn == 0:  # the prices of a first pass are means over many answers, and rarely bettered
            search.prove()
        broken = over_limits(fleet, high, low)
        if not heard(f"pass {turn + 1}, {100 * broken:.3f} % over limits", search.gap):
            return search.end(turn + 1)
        far = turn > 1 and broken > FAR
        if far:  # prices of energy do not do it: let them climb to what a need counts
            boost *= CLIMB
        if broken > MENDABLE and not few:
            continue
        settle(fleet, memory, turn)
        before = search.gap
        if search.take(gap) <= gap:
            return search.end(turn + 1)
        stalled = 0 if search.gap < BETTER * before or far else stalled + 1
        if stalled == STALLED:
            break
    return search.end(turn + 1)


class _Search:
    """The best that was found, and what was proven."""

    def __init__(self, fleet: Fleet, high: Floats, low: Floats, memory: list[Rooms]) -> None:
        self._fleet, self._high, self._low, self._memory = fleet, high, low, memory
        self._floor, self._cost, self._broken = -np.inf, np.inf, 0.0
        self._kept = (fleet.power, fleet.own, fleet.nodes.load)

    @property
    def gap(self) -> float:
        """Return the gap of the best so far; 1 where there is none."""
        return Found(self._cost, self._floor, 0, 0.0).gap if np.isfinite(self._cost) else 1.0

    def prove(self) -> None:
        """Work out the dual bound at the multipliers as they stand."""
        self._floor = max(self._floor, dual(self._fleet, self._memory))

    def take(self, wanted: float) -> float:
        """Mend what there is and keep it if it is the best; return the gap, proven anew where it is not good enough."""
        fleet = self._fleet
        self._heal()
        cost = float(fleet.own.sum() + spent_in_all(fleet.nodes, fleet.nodes.load))
        if cost < self._cost:
            self._cost, self._broken = cost, over_limits(fleet, self._high, self._low)
            if self.gap > wanted:  # the search goes on, and may come back to this
                self._kept = (fleet.power.copy(), fleet.own.copy(), fleet.nodes.load.copy())
            else:
                self._kept = (fleet.power, fleet.own, fleet.nodes.load)
        if self.gap > wanted:
            self.prove()
        return self.gap

    def _heal(self) -> None:
        """Mend, and where that takes from somebody's wishes, let them have them and ask others to make room."""
        fleet, best, kept = self._fleet, np.inf, None
        for turn in range(ROUNDS):
            mend(fleet, self._high, self._low, self._memory, turn)
            self._fill()
            cost = float(fleet.own.sum() + spent_in_all(fleet.nodes, fleet.nodes.load))
            if cost < best:
                best = cost
                kept = (fleet.power.copy(), fleet.own.copy(), fleet.nodes.load.copy()) if turn else None
            short = shortfalls(fleet) > SHORT_WH
            if not short.any() or turn == ROUNDS - 1:
                break
            if kept is None:
                kept = (fleet.power.copy(), fleet.own.copy(), fleet.nodes.load.copy())
            please(fleet, short, self._memory[0])
            mend(fleet, self._high, self._low, self._memory, turn + 1, earnest=False)
        if kept is not None and cost > best:
            fleet.power[:], fleet.own[:], fleet.nodes.load[:] = kept

    def _fill(self) -> None:
        """Share the room that is left among those who miss their wishes."""
        for part in (FAIR_PART, FAIR_PART, FAIR_PART, np.inf):
            short = shortfalls(self._fleet) > SHORT_WH
            if not short.any():
                break
            each = min(1.0, part / float(short.sum()))
            fill(self._fleet, self._high, self._low, short, each, self._memory[0])

    def end(self, passes: int) -> Found:
        """Put the best in place; where there is none, what there is, mended as far as it goes."""
        if not np.isfinite(self._cost):
            self.take(1.0)
        fleet = self._fleet
        fleet.power[:], fleet.own[:], fleet.nodes.load[:] = self._kept
        return Found(self._cost, self._floor, passes, self._broken)


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
    inner = nodes._replace(kink=nodes.kink * (1 - MARGIN))
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

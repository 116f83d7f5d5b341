"""Small fleets of all kinds in trees of any shape, for the tests of passes, mending and solving."""

from collections.abc import Sequence

import numpy as np
from benchmarks.fleets import LIMIT, SLOTS, assets, fixed_w, prices
from numpy.typing import NDArray

from commonwatt.flexibility.fleet.answers import answer, rank
from commonwatt.flexibility.fleet.columns import Columns, Kind, rooms
from commonwatt.flexibility.fleet.nodes import Nodes
from commonwatt.flexibility.fleet.sweep import Fleet

Floats = NDArray[np.float64]

TREES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "one place": ((-1,), (0,)),
    "three groups in one place": ((-1,), (0, 0, 0)),
    "zones": ((-1, 0, 0, 0), (1, 2, 3)),
    "feeders and zones": ((-1, 0, 0, 1, 1, 2, 2), (3, 4, 5, 6)),
    "groups at every height": ((-1, 0, 1, 2, 3), (0, 1, 2, 3, 4, 4, 4)),
    "eight places above each other": ((-1, 0, 1, 2, 3, 4, 5, 6), (7, 7)),
}
"""Name: each place's parent, and the place of each group."""


def mixed(count: int, seed: int = 0) -> Columns:
    """Return assets of all six kinds: cars, batteries, tanks with and without losses, appliances, roofs.

    Tanks are half as large again as the city's, of which a few have no room for their least run.
    """
    columns = assets(count, "city", seed)
    kind, keep, wear = columns.kind.copy(), columns.keep.copy(), columns.wear.copy()
    draw, give, final = columns.draw.copy(), columns.give.copy(), columns.final.copy()
    most_w, least_w = columns.most_w.copy(), columns.least_w.copy()
    top, top_wh = np.where(kind == Kind.COUNT, 1.5 * columns.top, columns.top), 1.5 * columns.top_wh
    noon = np.maximum(0.0, np.sin(np.arange(SLOTS) / SLOTS * 2 * np.pi))
    for n, i in enumerate(np.flatnonzero(kind == Kind.COUNT)):
        if n % 4 == 1:
            kind[i], keep[i] = Kind.SWITCH, 0.998
        elif n % 4 == 2:
            kind[i], draw[i], give[i], wear[i], final[i] = Kind.FREE, 0, 4_000, 90.0, 0.0
            most_w[columns.row[i]], least_w[columns.row[i]] = 0, -np.rint(4_000 * noon)
    return columns._replace(
        kind=kind, keep=keep, wear=wear, draw=draw, give=give, final=final, most_w=most_w, least_w=least_w,
        top=top.astype(np.float32), top_wh=top_wh.astype(np.float32),
    )  # fmt: skip


def stand(
    columns: Columns, tree: str, import_w: Sequence[float] | float = np.inf, export_w: Sequence[float] | float = np.inf
) -> tuple[Fleet, Floats, Floats]:
    """Return assets that stand in a tree, and limits in W of each place: what is given, times the assets below it.

    Args:
        columns: Split evenly among the tree's groups.
        tree: A name of `TREES`.
        import_w, export_w: W per asset, one for all places or one for each; infinite for none.
    """
    parents, leaf = TREES[tree]
    count, places = len(columns.kind), len(parents)
    begin = np.linspace(0, count, len(leaf) + 1).astype(np.int32)
    here, total = np.zeros(places, np.int64), np.zeros(places, np.int64)
    np.add.at(here, np.array(leaf), np.diff(begin))
    total += here
    for node in range(places - 1, 0, -1):
        total[parents[node]] += total[node]
    base = np.rint(fixed_w()) * total[:, None]
    most, least = (np.broadcast_to(np.asarray(w, np.float64), (places,)) for w in (import_w, export_w))
    high, low = (np.repeat(np.rint(w * total)[:, None], SLOTS, 1) for w in (most, -least))
    kink, slope = np.full((places, SLOTS, 3), np.inf), np.zeros((places, SLOTS, 4))
    kink[:, :, 0], kink[:, :, 1], kink[:, :, 2] = low, 0.0, high
    price = prices()
    slope[0] = np.stack([price - LIMIT, 0.6 * price, price, price + LIMIT], 1)
    slope[1:] = np.array([-LIMIT, 0.0, 0.0, LIMIT])
    slope[:, :, 0] = np.where(np.isfinite(low), slope[:, :, 0], slope[:, :, 1])
    slope[:, :, 3] = np.where(np.isfinite(high), slope[:, :, 3], slope[:, :, 2])
    start = np.zeros((places, SLOTS))
    start[0] = price
    limited = (np.isfinite(most) | np.isfinite(least)).astype(np.int8)
    limited[0] = 1
    nodes = Nodes(np.array(parents, np.int32), kink, slope, base.copy(), base.copy(), start, limited, np.zeros(places))
    power = np.zeros((count, SLOTS), np.int32)
    numbers = np.array(leaf, np.int32)
    fleet = Fleet(columns, nodes, numbers, begin, total.astype(np.int32), power, np.zeros(count))
    return fleet, high, low


def place_of(fleet: Fleet) -> NDArray[np.int64]:
    """Return the place in which each asset stands."""
    return np.repeat(fleet.leaf, np.diff(fleet.begin)).astype(np.int64)


def summed(fleet: Fleet) -> Floats:
    """Return what every place's load is by its base and its assets' powers, added up afresh."""
    loads = fleet.nodes.base.copy()
    for i, place in enumerate(place_of(fleet)):
        node = int(place)
        while node >= 0:
            loads[node] += fleet.power[i]
            node = int(fleet.nodes.parent[node])
    return loads


def tell(fleet: Fleet, price: Floats) -> None:
    """Tell every asset its own best answer to a price vector, whatever the limits."""
    memory, order, power = rooms(SLOTS), np.arange(SLOTS), np.zeros(SLOTS, np.int32)
    rank(price, order)
    for i in range(len(fleet.own)):
        fleet.own[i] = answer(fleet.assets, i, price, order, memory, power)[1]
        fleet.power[i] = power
    fleet.nodes.load[:] = summed(fleet)

"""From power statements and fees to a tree of places: whose limits are nested can be priced place by place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from commonwatt.flexibility.fleet.nodes import Nodes
from commonwatt.flexibility.problem import Problem, scoped
from commonwatt.model import AssetId, Constraint, InvalidValue, Priority, Relation

Floats = NDArray[np.float64]


@dataclass(slots=True)
class Place:
    """One place of the tree: its assets, what limits them together, and what crossing it costs."""

    members: frozenset[AssetId]
    parent: int = -1
    limits: list[Constraint] = field(default_factory=list)
    fees: tuple[tuple[int, ...], tuple[int, ...]] | None = None


def places(problem: Problem, limits: Sequence[Constraint]) -> list[Place]:
    """Return the tree of places that power statements and connections make, the community first.

    Raises:
        InvalidValue: Two of them share assets and neither holds the other: no tree, so another engine's work.
    """
    found: dict[frozenset[AssetId], Place] = {}
    everyone = frozenset(envelope.asset for envelope in problem.envelopes)
    found[everyone] = Place(everyone)
    for limit in limits:
        members = frozenset(envelope.asset for envelope in scoped(problem, limit))
        if members:
            found.setdefault(members, Place(members)).limits.append(limit)
    behind: dict[str, set[AssetId]] = {connection.name: set() for connection in problem.connections}
    for envelope in problem.envelopes:
        if envelope.connection in behind:
            behind[envelope.connection].add(envelope.asset)
    for connection in problem.connections:
        if members := frozenset(behind[connection.name]):
            place = found.setdefault(members, Place(members))
            if place.fees is not None:
                raise InvalidValue(f"assets stand behind one meter, was otherwise at {connection.name}")
            place.fees = (connection.import_fee, connection.export_fee)
    ordered = sorted(found.values(), key=lambda place: -len(place.members))
    inside: dict[AssetId, int] = {}
    for number, place in enumerate(ordered):
        around = {inside.get(member, -1) for member in place.members}
        if len(around) != 1:
            raise InvalidValue("limits that are priced place by place are nested, was otherwise")
        place.parent = around.pop()
        inside |= dict.fromkeys(place.members, number)
    return ordered


def depth(tree: Sequence[Place]) -> int:
    """Return how many places stand above each other at most, one more for assets that stand beside places."""
    deep: list[int] = []
    for place in tree:
        deep.append(1 + (deep[place.parent] if place.parent >= 0 else 0))
    return max(deep, default=0) + 1


def leaves(tree: list[Place], flexible: Sequence[AssetId]) -> list[int]:
    """Return in which place each asset stands; places that hold both assets and places get one more for the former."""
    inside: dict[AssetId, int] = {}
    for number, place in enumerate(tree):
        inside |= dict.fromkeys(place.members, number)
    parents = {place.parent for place in tree}
    own: dict[int, int] = {}
    for asset in flexible:
        number = inside[asset]
        if number in parents and number not in own:
            own[number] = len(tree)
            tree.append(Place(frozenset(), number))
    return [own.get(inside[asset], inside[asset]) for asset in flexible]


def nodes(
    problem: Problem,
    tree: Sequence[Place],
    fixed_w: Mapping[int, Floats],
    weights: Mapping[Priority, float],
    dear: float,
) -> tuple[Nodes, Floats, Floats]:
    """Return the tree in arrays, and each place's tightest limits in W.

    Args:
        problem: For prices.
        tree: Parents first.
        fixed_w: Per place, what stands right there and cannot be shifted, n values in W, import positive.
        weights: What a Wh beyond a limit counts, per rank, micro.
        dear: What a Wh of export counts on top of its price where own use comes first, micro; 0 otherwise.
    """
    count, slots = len(tree), problem.slots
    most = max(1 + len(place.limits) for place in tree)
    kink = np.full((count, slots, most), np.inf)
    slope = np.zeros((count, slots, most + 1))
    high, low = np.full((count, slots), np.inf), np.full((count, slots), -np.inf)
    limited = np.zeros(count, np.int8)
    base, price = np.zeros((count, slots)), np.zeros((count, slots))
    for number, place in enumerate(tree):
        base[number] += fixed_w.get(number, 0.0)
        buy, sell = np.zeros(slots), np.zeros(slots)
        if number == 0:
            buy = np.array(problem.import_price) / 1000
            sell = np.minimum(np.array(problem.export_price) / 1000, buy) - dear
            price[0] = buy
        if place.fees is not None:
            buy, sell = buy + np.array(place.fees[0]) / 1000, sell - np.array(place.fees[1]) / 1000
        limited[number] = number == 0 or place.fees is not None or bool(place.limits)
        for t in range(slots):
            bends = [(0.0, buy[t] - sell[t])] if number == 0 or place.fees is not None else []
            first = sell[t]
            for limit in place.limits:
                assert limit.window is not None
                if not limit.window.overlaps(problem.slot(t)):
                    continue
                bends.append((float(limit.value), weights[limit.priority]))
                if limit.relation is Relation.AT_LEAST:
                    first -= weights[limit.priority]
                    low[number, t] = max(low[number, t], limit.value)
                else:
                    high[number, t] = min(high[number, t], limit.value)
            slope[number, t] = first
            for k, (value, jump) in enumerate(sorted(bends)):
                kink[number, t, k] = value
                slope[number, t, k + 1 :] += jump
    for number in range(count - 1, 0, -1):
        base[tree[number].parent] += base[number]
    parent = np.array([place.parent for place in tree], np.int32)
    return Nodes(parent, kink, slope, base, base.copy(), price, limited, np.zeros(count)), high, low

"""Clear a slot in sub-auctions, in the order of what people would rather have: no pair of orders is ever looked at.

First named partners, then sun, then anything renewable, then anything; each of these zone by zone, from the innermost
outwards, so that neighbours meet before strangers and what is left of a zone joins its siblings in their parent. Every
sub-auction is a call auction with a price of its own; what it leaves open takes part in the next.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from commonwatt.kernels.auctions import ASK, BID, call, pairs, ration
from commonwatt.model import InvalidValue, Source, Zone

Whole = NDArray[np.int32]
Long = NDArray[np.int64]
Flags = NDArray[np.bool_]
NOBODY = -1
MOST_DEPTH = 8
"""Zones inside each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Zones as columns, one place each.

    Args:
        names: Of the zones; n values.
        around: At each depth from 0, which zone of that depth each lies in or is; `NOBODY` where it is less deep.
            (depths, n) values.
        fee: Micro per kWh of what is traded in it; n values.
        most_wh: What may come in (2 * zone) and go out (2 * zone + 1) in a slot, below zero where nothing binds.
    """

    names: tuple[str, ...]
    around: Whole
    fee: Whole
    most_wh: Long

    @property
    def bound(self) -> bool:
        """Tell whether any border binds."""
        return bool((self.most_wh >= 0).any())


def tree(zones: Iterable[Zone], others: Iterable[str] = ()) -> Tree:
    """Return zones as columns; without any, everybody is in one, without a fee.

    Args:
        zones: A tree, or several: these then lie together in one zone without a fee.
        others: Zones in which somebody has a connection, but that nobody registered: they lie in the outermost.

    Raises:
        InvalidValue: A zone stands twice, lies in one that is not there, in itself by way of others, or too deep.
    """
    known = {zone.name: zone for zone in zones}
    roots = [zone.name for zone in known.values() if zone.parent is None]
    root = roots[0] if len(roots) == 1 else ""
    names = tuple(dict.fromkeys([root, *known, *others]))
    parents = {
        name: known[name].parent or (root if name != root else None) if name in known else root for name in names
    }
    parents[root] = None
    paths = [_path(name, parents) for name in names]
    place = {name: n for n, name in enumerate(names)}
    around = np.full((max(map(len, paths)), len(names)), NOBODY, np.int32)
    for n, path in enumerate(paths):
        around[: len(path), n] = [place[name] for name in path]
    most_wh = np.full(2 * len(names), -1, np.int64)
    fee = np.zeros(len(names), np.int32)
    for zone in known.values():
        n = place[zone.name]
        fee[n] = zone.fee_micro_per_kwh
        most_wh[2 * n : 2 * n + 2] = [-1 if most is None else most for most in (zone.most_in_wh, zone.most_out_wh)]
    return Tree(names=names, around=around, fee=fee, most_wh=most_wh)


def _path(name: str, parents: Mapping[str, str | None]) -> list[str]:
    path: list[str] = []
    at: str | None = name
    while at is not None:
        if at in path or len(path) >= MOST_DEPTH:
            raise InvalidValue(f"zones lie inside each other, {MOST_DEPTH} deep at most, was {name} in {path}")
        if at not in parents:
            raise InvalidValue(f"a zone lies in one that is there, was {name} in {at}")
        path.append(at)
        at = parents[at]
    return path[::-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """Orders of one slot as columns, in log order, n values each.

    Args:
        owner: Number of the account.
        zone: Place of the owner's zone in the tree.
        side: `BID` or `ASK`.
        wh: What is open.
        limit: Micro per kWh.
        source: See `Source`.
        near: Whether the own zone is preferred.
        partner: Number of the account that is preferred, or `NOBODY`.
        premium: Micro per kWh.
        strict: Whether only what is preferred will do; of several preferences the first: partner, source, zone.
    """

    owner: Whole
    zone: Whole
    side: NDArray[np.uint8]
    wh: Whole
    limit: Whole
    source: NDArray[np.uint8]
    near: Flags
    partner: Whole
    premium: Whole
    strict: Flags


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """Trades as columns: rows of bid and ask, Wh, price and fee in micro per kWh; in the order in which they came."""

    bid: Long
    ask: Long
    wh: Whole
    price: Whole
    fee: Whole


def clear(orders: Orders, zones: Tree, import_price: int, export_price: int) -> Matched:
    """Match orders, those that are preferred first.

    Args:
        orders: In log order.
        zones: In which they are.
        import_price: What the grid takes, micro per kWh: a bid above counts as one at it.
        export_price: What the grid gives, micro per kWh: an ask below counts as one at it.

    Returns:
        The trades; none where the export price is not below the import price.
    """
    run = _Run(orders, zones, import_price, export_price)
    if export_price < import_price and len(orders.side):
        run.partners()
        for source in sorted(Source, reverse=True):
            run.source(source)
    return run.matched()


class _Run:
    """What is open of each order and of each border while one sub-auction follows the other."""

    def __init__(self, orders: Orders, zones: Tree, import_price: int, export_price: int) -> None:
        self._orders, self._zones = orders, zones
        self._import, self._export = import_price, export_price
        self._left = orders.wh.copy()
        self._borders = zones.most_wh.copy()
        self._bids, self._asks = orders.side == BID, orders.side == ASK
        self._named = orders.partner != NOBODY
        self._homely = orders.near & ~self._named & (self._asks | (orders.source == Source.ANY))
        self._found: list[Matched] = []

    def matched(self) -> Matched:
        if len(self._found) == 1:
            return self._found[0]
        empty = np.empty(0, np.int64), np.empty(0, np.int32)
        return Matched(
            bid=np.concatenate([empty[0], *(one.bid for one in self._found)]),
            ask=np.concatenate([empty[0], *(one.ask for one in self._found)]),
            wh=np.concatenate([empty[1], *(one.wh for one in self._found)]),
            price=np.concatenate([empty[1], *(one.price for one in self._found)]),
            fee=np.concatenate([empty[1], *(one.fee for one in self._found)]),
        )

    def partners(self) -> None:
        """Let those meet who named each other, then those of whom one named the other."""
        orders = self._orders
        if not self._named.any():
            return
        buyer = np.where(self._bids, orders.owner, orders.partner).astype(np.int64)
        seller = np.where(self._bids, orders.partner, orders.owner).astype(np.int64)
        self._climb(self._named, orders.premium, (buyer << 32) | seller)
        # Of several preferences the first is what a strict order insists on: a partner, else a source, else the zone.
        insists = orders.strict & (self._named | (self._bids & (orders.source != Source.ANY)))
        for namers, key in ((self._bids, seller), (self._asks, buyer)):
            named = np.unique(orders.partner[self._named & namers])
            called = ~namers & np.isin(orders.owner, named) & ~insists
            premium = np.where(self._named & namers, orders.premium, 0).astype(np.int32)
            self._climb((self._named & namers) | called, premium, np.where(called, orders.owner, key))

    def source(self, source: Source) -> None:
        """Let buyers who ask for a source meet those who have it; for any source, everybody who is still open to it."""
        orders = self._orders
        asked = orders.source >= source
        if source is not Source.ANY and not (asked & self._bids).any():
            return
        plain = ~(self._named & orders.strict)
        exactly = orders.source == source
        takes = plain & asked & (self._asks | ~orders.strict | exactly)
        if source is Source.ANY:
            takes = plain & (self._asks | exactly | ~orders.strict)
            wants = np.zeros(len(takes), np.bool_)
        else:
            wants = self._bids & exactly
        premium = np.where(wants & ~self._named, orders.premium, 0).astype(np.int32)
        near = self._homely & (source is Source.ANY)
        self._climb(takes, premium, None, np.where(near, orders.premium, 0).astype(np.int32))

    def _climb(self, takes: Flags, premium: Whole, key: Long | None, near_premium: Whole | None = None) -> None:
        """Let some orders meet zone by zone, from the innermost outwards.

        Args:
            takes: Who takes part.
            premium: How much worse than its limit each may do.
            key: Only orders of equal keys meet; None where all do.
            near_premium: How much worse still in an order's own zone.
        """
        around = self._zones.around
        for depth in reversed(range(len(around))):
            node = around[depth][self._orders.zone]
            here = takes & (self._left > 0) & (node != NOBODY)
            at_home = node == self._orders.zone
            here &= at_home | ~(self._homely & self._orders.strict)
            if not (here & self._bids).any() or not (here & self._asks).any():
                continue
            more = premium if near_premium is None else premium + np.where(at_home, near_premium, 0).astype(np.int32)
            self._call(here, node, key, more, depth)

    def _call(self, here: Flags, node: Whole, key: Long | None, premium: Whole, depth: int) -> None:
        orders, fee = self._orders, self._zones.fee
        bid_limit = np.minimum(orders.limit.astype(np.int64) + premium, self._import) - fee[node]
        ask_limit = np.maximum(orders.limit.astype(np.int64) - premium, self._export)
        limit = np.where(self._bids, bid_limit, ask_limit).astype(np.int32)
        nodes = np.arange(len(fee))
        group, count = np.where(here, node, NOBODY).astype(np.int32), len(fee)
        if key is not None:
            group = np.full(len(node), NOBODY, np.int32)
            meets = np.stack([key[here], node[here].astype(np.int64)])
            distinct, group[here] = np.unique(meets, axis=1, return_inverse=True)
            nodes, count = distinct[1], distinct.shape[1]
        offered = np.where(here, self._left, 0).astype(np.int32)
        if self._zones.bound:
            offered = self._passing(offered, limit, depth)
        called = call(group, orders.side, limit, offered, count)
        made = pairs(called)
        where = group[made.bid]
        self._left -= called.filled_wh
        if self._zones.bound:
            self._crossed(called.filled_wh, depth)
        self._found.append(
            Matched(
                bid=made.bid,
                ask=made.ask,
                wh=made.energy_wh,
                price=called.price[where].astype(np.int32),
                fee=fee[nodes[where]],
            )
        )

    def _borders_of(self, depth: int) -> Sequence[Whole]:
        """Return which zones' borders each order crosses on its way to a depth, innermost first."""
        return self._zones.around[:depth:-1, self._orders.zone]  # type: ignore[return-value]

    def _passing(self, offered: Whole, limit: Whole, depth: int) -> Whole:
        for zone in self._borders_of(depth):
            offered = ration(zone, self._orders.side, limit, offered, self._borders)
        return offered

    def _crossed(self, filled: Whole, depth: int) -> None:
        for zone in self._borders_of(depth):
            across = (zone != NOBODY) & (filled > 0)
            place = 2 * zone[across] + self._orders.side[across]
            binds = self._borders[place] >= 0
            np.subtract.at(self._borders, place[binds], filled[across][binds])

"""Sub-auctions in plain Python, as a reader would do them by hand: the twin of `commonwatt.market.call`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby

from commonwatt.model import AccountId, OrderId, Side, SlotOrder, Source, Zone, round_div, share_wh

Priced = list[tuple[int, SlotOrder]]
Told = tuple[OrderId, OrderId, int, int, int]
"""Bid, ask, Wh, price, fee."""


class Market:
    """What is open of each order and border while one sub-auction follows the other."""

    def __init__(
        self,
        orders: Sequence[SlotOrder],
        zones: Sequence[Zone],
        zone_of: Mapping[AccountId, str],
        grid: tuple[int, int],
    ) -> None:
        self.orders, self.grid = orders, grid
        known = {zone.name: zone for zone in zones}
        roots = [zone.name for zone in zones if zone.parent is None]
        self.root = roots[0] if len(roots) == 1 else ""
        self.zones = {self.root: Zone(name=self.root or "-")} | known
        self.zone_of = {order.owner: zone_of.get(order.owner, self.root) for order in orders}
        self.left = {order.id: order.energy_wh for order in orders}
        self.most = {zone.name: [zone.most_in_wh, zone.most_out_wh] for zone in known.values()}
        self.trades: list[Told] = []

    def path(self, owner: AccountId) -> list[str]:
        """Return the zones around an owner, the outermost first."""
        path = [self.zone_of[owner]]
        while path[0] != self.root:
            zone = self.zones.get(path[0])
            path.insert(0, (zone.parent if zone else None) or self.root)
        return path

    def run(self) -> list[Told]:
        import_price, export_price = self.grid
        if export_price >= import_price:
            return []
        self.partners()
        for source in (Source.SOLAR, Source.RENEWABLE, Source.ANY):
            self.source(source)
        return self.trades

    def partners(self) -> None:
        naming = [order for order in self.orders if order.partner is not None]
        self.climb([(o, o.premium_micro_per_kwh, "/".join(_who(o))) for o in naming])
        for side in (Side.BID, Side.ASK):
            callers = [o for o in naming if o.side is side]
            named = {o.partner for o in callers}
            others = [o for o in self.orders if o.side is not side and o.owner in named]
            others = [o for o in others if not (o.strict and first_preference(o) in ("partner", "source"))]
            self.climb(
                [(o, o.premium_micro_per_kwh, str(o.partner)) for o in callers] + [(o, 0, str(o.owner)) for o in others]
            )

    def source(self, source: Source) -> None:
        takes = []
        for order in self.orders:
            if order.partner is not None and order.strict:
                continue
            if order.side is Side.ASK:
                if order.source < source:
                    continue
            elif source is Source.ANY:
                if order.source is not Source.ANY and order.strict:
                    continue
            elif order.source < source or (order.strict and order.source is not source):
                continue
            wants = order.side is Side.BID and order.source is source is not Source.ANY and order.partner is None
            takes.append((order, order.premium_micro_per_kwh if wants else 0, ""))
        if source is Source.ANY or any(o.side is Side.BID and o.source >= source for o, _, _ in takes):
            self.climb(takes, near=source is Source.ANY)

    def climb(self, takes: Iterable[tuple[SlotOrder, int, str]], *, near: bool = False) -> None:
        takes = list(takes)
        for depth in reversed(range(max((len(self.path(o.owner)) for o in self.orders), default=0))):
            here = []
            for order, premium, key in takes:
                path = self.path(order.owner)
                at_home, homely = len(path) - 1 == depth, first_preference(order) == "near"
                if len(path) <= depth or not self.left[order.id] or (homely and order.strict and not at_home):
                    continue
                if homely and at_home and near:
                    premium += order.premium_micro_per_kwh  # noqa: PLW2901
                fee = self.zones[path[depth]].fee_micro_per_kwh if path[depth] in self.zones else 0
                here.append((order, self.limit(order, premium, fee), (key, path[depth]), fee))
            offered = self.passing([(limit, order) for order, limit, _, _ in here], depth)
            for group in sorted({group for _, _, group, _ in here}):
                own = [(limit, order) for order, limit, of, _ in here if of == group]
                self.call(own, offered, next(fee for _, _, of, fee in here if of == group), depth)

    def limit(self, order: SlotOrder, premium: int, fee: int) -> int:
        import_price, export_price = self.grid
        if order.side is Side.BID:
            return min(order.price_micro_per_kwh + premium, import_price) - fee
        return max(order.price_micro_per_kwh - premium, export_price)

    def passing(self, here: Priced, depth: int) -> dict[OrderId, int]:
        offered = {order.id: self.left[order.id] for _, order in here}
        paths = {order.id: self.path(order.owner) for _, order in here}
        for step in reversed(range(depth + 1, max(map(len, paths.values()), default=0))):
            for zone in {path[step] for path in paths.values() if len(path) > step}:
                for side, most in zip((Side.BID, Side.ASK), self.most.get(zone, [None, None]), strict=True):
                    inside = [
                        (limit, order)
                        for limit, order in here
                        if order.side is side and len(paths[order.id]) > step and paths[order.id][step] == zone
                    ]
                    if most is not None:
                        passed = fills(inside, offered, most, best_first(side))
                        offered.update({order.id: passed.get(order.id, 0) for _, order in inside})
        return offered

    def call(self, group: Priced, offered: dict[OrderId, int], fee: int, depth: int) -> None:
        bids = sorted([one for one in group if one[1].side is Side.BID], key=lambda one: -one[0])
        asks = sorted([one for one in group if one[1].side is Side.ASK], key=lambda one: one[0])
        wanted = [limit for limit, order in bids for _ in range(offered[order.id])]
        supplied = [limit for limit, order in asks for _ in range(offered[order.id])]
        met = [(bid, ask) for bid, ask in zip(wanted, supplied, strict=False) if bid >= ask]
        if not met:
            return
        price = round_div(sum(met[-1]), 2)
        bought = fills(bids, offered, len(met), best_first(Side.BID))
        sold = fills(asks, offered, len(met), best_first(Side.ASK))
        buyers = [order.id for _, order in bids for _ in range(bought.get(order.id, 0))]
        sellers = [order.id for _, order in asks for _ in range(sold.get(order.id, 0))]
        for (bid, ask), units in groupby(zip(buyers, sellers, strict=True)):
            self.trades.append((bid, ask, len(list(units)), price, fee))
        for (_, order), got in ((one, bought.get(one[1].id, 0) + sold.get(one[1].id, 0)) for one in group):
            self.left[order.id] -= got
            for zone in self.path(order.owner)[depth + 1 :]:
                place = 0 if order.side is Side.BID else 1
                most = self.most.get(zone, [None, None])[place]
                if most is not None:
                    self.most[zone][place] = most - got


def _who(order: SlotOrder) -> tuple[str, str]:
    pair = (str(order.owner), str(order.partner))
    return pair if order.side is Side.BID else pair[::-1]  # type: ignore[return-value]


def first_preference(order: SlotOrder) -> str:
    if order.partner is not None:
        return "partner"
    if order.side is Side.BID and order.source is not Source.ANY:
        return "source"
    return "near" if order.near else "none"


def best_first(side: Side) -> Callable[[int], int]:
    return (lambda limit: -limit) if side is Side.BID else (lambda limit: limit)


def fills(
    group: Priced, offered: Mapping[OrderId, int], energy_wh: int, rank: Callable[[int], int]
) -> dict[OrderId, int]:
    """Hand energy out level by level; only the last level that gets any can get less than it wants."""
    got: dict[OrderId, int] = {}
    group = [one for one in group if offered[one[1].id]]
    for _, level in groupby(sorted(group, key=lambda one: rank(one[0])), key=lambda one: one[0]):
        orders = [order for _, order in level]
        wanted = [offered[order.id] for order in orders]
        given = min(energy_wh, sum(wanted))
        got.update(zip([order.id for order in orders], share_wh(given, wanted), strict=True))
        energy_wh -= given
    return got

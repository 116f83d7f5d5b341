"""Rules for energy that flows in a slot: orders until its gate closes, one by one or in batches."""

from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.market import bonds, fuses, order_bodies
from commonwatt.flows.rulebook.market.traders import traders, zone_of
from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.tokens.backing import free
from commonwatt.kernels.slot_orders import MOST_EACH
from commonwatt.market.call.staged import MOST_DEPTH
from commonwatt.market.slot_rows import OpenMarket
from commonwatt.model import (
    MAX_SAFE_INTEGER,
    SLOT_SECONDS,
    AccountId,
    AssetKind,
    Commodity,
    InvalidValue,
    OrderId,
    Outcome,
    Request,
    Side,
    SlotOrder,
    Source,
    Zone,
    cost_micro,
)

_SOURCES = {"any": Source.ANY, "renewable": Source.RENEWABLE, "solar": Source.SOLAR}
MOST_ZONES = 20_000
MOST_AHEAD_S = 35 * 86_400
"""How far ahead of the log's time a slot may lie: orders rest until it has passed."""


def order(state: State, request: Request, body: order_bodies.SlotOrder, position: int, stamped_s: int) -> Outcome:
    """Take in one order for a slot."""
    owner, slot_s = request.on_behalf_of, body.slot_s
    try:
        wish = SlotOrder(
            id=OrderId(str(position)),
            owner=owner,
            side=body.side,
            energy_wh=body.energy_wh,
            price_micro_per_kwh=body.price_micro_per_kwh,
            source=_SOURCES[body.source],
            near=body.near,
            partner=None if body.partner is None else AccountId(body.partner),
            premium_micro_per_kwh=body.premium_micro_per_kwh,
            strict=body.strict,
        )
    except InvalidValue:
        return Outcome.NOT_ALLOWED
    if refusal := slot_refused(state, slot_s, stamped_s) or _wish_refused(state, wish, now=body.now):
        return refusal
    side, count, _ = state.slot_market.standing(slot_s, owner)
    if (side is not None and side is not wish.side) or count >= MOST_EACH:
        # On one side of a slot, so that nobody trades with themselves.
        return Outcome.ALREADY_THERE
    if wish.energy_wh > fuses.left_wh(state, owner, wish.side, slot_s, slot_s + SLOT_SECONDS):
        return Outcome.OVER_LIMIT  # nobody trades what no fuse would bear (row M6)
    if max(0, free(state, owner, Commodity.ERGON)) < needed_micro(state, owner, body):
        return Outcome.NOT_BACKED
    state.slot_market.place(slot_s, wish, position, _open_market(state, slot_s) if body.now else None)
    state.wallets.moves(owner)
    return Outcome.BOOKED


def slot_refused(state: State, slot_s: int, stamped_s: int) -> Outcome | None:
    """Return why no order can stand in a slot, or None: its gate has closed, or its price is not known."""
    if state.charter.settlement.ex_post:
        return Outcome.NOT_ALLOWED  # sharing after metering alone: there is nothing to agree on before
    if slot_s % SLOT_SECONDS or slot_s + state.charter.gate_s <= stamped_s or slot_s > stamped_s + MOST_AHEAD_S:
        return Outcome.TOO_LATE
    return None if slot_s in state.prices else Outcome.UNKNOWN_THING


def _wish_refused(state: State, wish: SlotOrder, *, now: bool) -> Outcome | None:
    if wish.partner is not None and not state.keys.has_role(wish.partner, "member"):
        return Outcome.UNKNOWN_THING
    if now and (wish.near or wish.partner or wish.strict or (wish.source and wish.side is Side.BID)):
        return Outcome.NOT_ALLOWED  # the open market knows no preference
    if wish.side is Side.ASK and wish.source and not _makes(state, wish.owner):
        return Outcome.NOT_ALLOWED  # nobody sells sun without a roof
    return None


def _makes(state: State, account: AccountId) -> bool:
    return any(asset.owner == account and asset.kind is AssetKind.SOLAR for asset in state.assets.values())


def needed_micro(state: State, owner: AccountId, wish: order_bodies.SlotOrder) -> int:
    """Return what must be free for an order: the money of a bid, and what either side may owe for not keeping it."""
    terms, open_wh = state.charter.settlement, state.slot_market.open_wh(owner)
    needed = terms.stake_micro(open_wh + wish.energy_wh) - terms.stake_micro(open_wh)
    if wish.side is Side.BID:
        needed += cost_micro(wish.energy_wh, wish.price_micro_per_kwh + wish.premium_micro_per_kwh)
    return needed


def _open_market(state: State, slot_s: int) -> OpenMarket | None:
    bought, sold = state.prices[slot_s]
    if sold >= bought:
        return None  # neighbours have nothing to share

    def of(account: AccountId) -> tuple[str, int]:
        name = zone_of(state, account)
        zone = state.zones.get(name)
        return name, zone.fee_micro_per_kwh if zone else 0

    return OpenMarket(bought, sold, of)


def cancel(state: State, owner: AccountId, name: str) -> Outcome:
    """Take back what is open of an order before its gate."""
    position, _, item = name.partition(".")
    if not position.isdecimal() or (item and not item.isdecimal()):
        return Outcome.UNKNOWN_THING
    if int(position) > MAX_SAFE_INTEGER or int(item or 0) >= 65_535:
        return Outcome.UNKNOWN_THING
    known = [int(position), *([int(item)] if item else [])]
    state.wallets.moves(owner)
    if not state.slot_market.cancel(owner, *known):
        return Outcome.UNKNOWN_THING
    bonds.left(state, position)
    return Outcome.BOOKED


def close_gates(state: State, stamped_s: int) -> None:
    """Clear every slot market whose gate has closed."""
    for slot_s in state.slot_market.due(stamped_s - state.charter.gate_s):
        known = traders(state)
        state.slot_market.close(slot_s, known.zones, known.zone, *state.prices[slot_s])


def zone(state: State, body: bodies.RegisterZone) -> Outcome:
    """Take in a zone of the grid inside one that is there, or new terms of one, for gates that close from now on."""
    known = state.zones.get(body.zone)
    if (known is None and len(state.zones) >= MOST_ZONES) or (known is not None and known.parent != body.parent):
        return Outcome.OVER_LIMIT
    depth, around = 1, body.parent
    while around is not None:
        if around not in state.zones:
            return Outcome.UNKNOWN_THING
        depth, around = depth + 1, state.zones[around].parent
    if depth > MOST_DEPTH:
        return Outcome.OVER_LIMIT
    state.zones[body.zone] = Zone(
        name=body.zone,
        parent=body.parent,
        fee_micro_per_kwh=body.fee_micro_per_kwh,
        most_out_wh=body.most_out_wh,
        most_in_wh=body.most_in_wh,
    )
    state.registry_version += 1
    return Outcome.BOOKED

"""Run one slot again for one member from what a bundle shows: meter, prices, orders, auction, energy, money."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from commonwatt.flows.evidence import SETTLED, Bundle, Said, need
from commonwatt.flows.rulebook import bodies
from commonwatt.market.auction import clear
from commonwatt.metering.batch import decode_items, verify_item
from commonwatt.model import (
    GRID,
    LOSSES,
    SLOT_SECONDS,
    SYSTEM_ACCOUNTS,
    AccountId,
    AssetKind,
    Commodity,
    Entry,
    Order,
    OrderId,
    Refused,
    Side,
    Trade,
    cost_micro,
)


@dataclass(frozen=True, slots=True)
class Metered:
    """What one connection's registers counted in the slot, Wh."""

    asset: str
    import_wh: int
    export_wh: int


def reading(bundle: Bundle, said: Sequence[Said]) -> tuple[Metered, str]:
    """Return what the member's connection counted, from the gateway behind which the member registered it."""
    batches = [(one, one.body) for one in said if isinstance(one.body, bodies.ReadingBatch)]
    need(len(batches) == 1, "one batch of readings is shown", found=len(batches))
    heard, batch = batches[0]
    where = heard.row.position
    shown = bundle.reading
    record, path = bytes.fromhex(shown.record), [bytes.fromhex(step) for step in shown.path]
    held = verify_item(record, shown.index, batch.count, path, bytes.fromhex(batch.root))
    need(held, "the record is in the batch that was signed", position=where, index=shown.index)
    (item,) = decode_items(record)
    ended = heard.row.stamped_s >= item.start_s + SLOT_SECONDS
    need(item.settles and item.start_s == bundle.slot_s and ended, "a record is of this slot", found=item.start_s)
    speaker = heard.request.on_behalf_of
    need(batch.gateway == speaker, "a gateway reads its own meters", position=where, found=batch.gateway)
    claims = [(one, one.body) for one in said if isinstance(one.body, bodies.RegisterAsset)]
    need(len(claims) == 1, "one asset is registered", found=len(claims))
    claim, asset = claims[0]
    position, owner = claim.row.position, claim.request.on_behalf_of
    need(owner == bundle.account, "an asset is registered by this member", position=position, found=owner)
    need(asset.gateway == batch.gateway, "an asset is behind this gateway", position=position, found=asset.gateway)
    need(position < where, "an asset is registered before it is read", position=position, read=where)
    need(asset.register == item.register, "what is read is what is registered", position=where, found=item.register)
    is_connection = asset.asset_kind is AssetKind.CONNECTION
    need(is_connection, "a connection is read", position=position, found=asset.asset_kind)
    point = Metered(asset.asset, item.import_wh, item.export_wh)
    return point, f"{point.asset} counted {point.import_wh} Wh in and {point.export_wh} Wh out, by {batch.gateway}"


def prices(bundle: Bundle, said: Sequence[Said]) -> tuple[tuple[int, int], str]:
    """Return import and export price of the slot, micro per kWh, from the oracle's fact."""
    facts = [(one.row.position, one.body) for one in said if isinstance(one.body, bodies.FactBody)]
    need(len(facts) == 1, "one fact about prices is shown", found=len(facts))
    position, told = facts[0]
    number, rest = divmod(bundle.slot_s - told.start_s, SLOT_SECONDS)
    covers = rest == 0 and 0 <= number < len(told.prices)
    need(covers, "the fact tells the slot's price", position=position, starts=told.start_s, slots=len(told.prices))
    bought, sold = told.prices[number]
    return (bought, sold), f"import {bought} and export {sold} micro per kWh"


def orders(bundle: Bundle, said: Sequence[Said], gate_s: int) -> tuple[list[Order], str]:
    """Return the slot's orders as the rulebook made them, in log order."""
    found: list[Order] = []
    for one in said:
        if not isinstance(one.body, bodies.OrderBody):
            continue
        row, wish = one.row, one.body
        need(wish.slot_s == bundle.slot_s, "an order is for this slot", position=row.position, found=wish.slot_s)
        open_until_s = bundle.slot_s + gate_s
        need(row.stamped_s < open_until_s, "an order is in before the gate", position=row.position, at=row.stamped_s)
        order = Order(
            id=OrderId(str(row.position)),
            owner=one.request.on_behalf_of,
            side=wish.side,
            energy_wh=wish.energy_wh,
            price_micro_per_kwh=wish.price_micro_per_kwh,
        )
        found.append(order)
    twice = [owner for owner, times in Counter(order.owner for order in found).items() if times > 1]
    need(not twice, "a member has one order in a slot", found=twice)
    return found, f"{len(found)} are shown, one a member"


def auction(bundle: Bundle, found: Sequence[Order], told: tuple[int, int]) -> tuple[None, str]:
    """Clear the slot again and compare the member's trades."""
    cleared = clear(
        [order for order in found if order.side is Side.BID],
        [order for order in found if order.side is Side.ASK],
        import_price=told[0],
        export_price=told[1],
    )
    right = [trade for trade in cleared.trades if bundle.account in (trade.buyer, trade.seller)]
    need(right == bundle.trades, "trades are what the auction gives", found=bundle.trades, auction=right)
    total_wh = sum(trade.energy_wh for trade in right)
    return None, f"cleared again: {len(right)} trades of {total_wh} Wh at {cleared.price_micro_per_kwh} micro per kWh"


def energy(bundle: Bundle, point: Metered) -> tuple[None, str]:
    """Hold the energy that was booked against trades and meter; in and out each, so their difference too."""
    moved = [entry for entry in _entries(bundle) if entry.commodity is Commodity.ENERGY]
    trades = {_ref(trade): trade for trade in bundle.trades}
    for entry in moved:
        match entry.memo:
            case "trade":
                trade = trades.pop(entry.ref, None)
                agreed = trade and (trade.seller, trade.buyer) == (entry.source, entry.target)
                if not trade or not agreed or entry.amount > trade.energy_wh:
                    raise Refused("what is delivered was traded, and no more", found=entry, trade=trade)
            case "grid import":
                need(entry.source == GRID and not entry.ref, "an import comes from the grid", found=entry)
            case "grid export":
                need(entry.target == GRID and not entry.ref, "an export goes to the grid", found=entry)
            case "late import" | "late export" | "corrected import" | "corrected export":
                other = entry.source if entry.target == bundle.account else entry.target
                need(other in (GRID, LOSSES) and entry.ref == point.asset, "late energy is this meter's", found=entry)
            case _:
                neighbours = not {entry.source, entry.target} & set(SYSTEM_ACCOUNTS)
                need(neighbours and not entry.ref, "stored energy goes from member to member", found=entry)
    with_grid = [entry.memo for entry in moved if GRID in (entry.source, entry.target)]
    need(len(with_grid) == len(set(with_grid)), "the grid meets each rest once", found=with_grid)
    in_wh = sum(entry.amount for entry in moved if entry.target == bundle.account)
    out_wh = sum(entry.amount for entry in moved if entry.source == bundle.account)
    need(in_wh == point.import_wh, "energy booked in is what was metered", booked=in_wh, metered=point.import_wh)
    need(out_wh == point.export_wh, "energy booked out is what was metered", booked=out_wh, metered=point.export_wh)
    return None, f"{len(moved)} entries sum to import minus export, {in_wh - out_wh} Wh"


def money(bundle: Bundle, told: tuple[int, int]) -> tuple[None, str]:
    """Hold the money that was booked against the energy: trades at the auction's price, rests at the fact's."""
    due, paid = set(_due(bundle, told)), [entry for entry in _entries(bundle) if entry.commodity is Commodity.ERGON]
    extra, missing = [entry for entry in paid if entry not in due], due - set(paid)
    need(len(paid) == len(set(paid)), "everything is paid once", found=paid)
    need(not extra and not missing, "money is the energy's at its price", found=extra, due=sorted(missing, key=str))
    got = sum(entry.amount * (1 if entry.target == bundle.account else -1) for entry in paid)
    return None, f"{len(paid)} entries come to {got} micro for {bundle.account}"


def _entries(bundle: Bundle) -> list[Entry]:
    for shown in bundle.entries:
        entry = shown.entry
        settled = entry.memo in SETTLED and entry.commodity in (Commodity.ENERGY, Commodity.ERGON)
        need(settled, "an entry settles energy or money", found=entry)
    return [shown.entry for shown in bundle.entries]


def _due(bundle: Bundle, told: tuple[int, int]) -> Iterator[Entry]:
    """Yield what is owed for each energy entry; a price below zero turns the money round, as in settlement."""
    price_of = {_ref(trade): trade.price_micro_per_kwh for trade in bundle.trades}
    grid_price = {"grid import": told[0], "grid export": told[1], "late import": told[0], "late export": told[1]}
    for entry in _entries(bundle):
        if entry.commodity is not Commodity.ENERGY:
            continue
        price = price_of[entry.ref] if entry.memo == "trade" else grid_price.get(entry.memo, 0)
        owed = cost_micro(entry.amount, price)
        if owed:
            payer, payee = (entry.target, entry.source) if owed > 0 else (entry.source, entry.target)
            yield _paid(entry, payer, payee, abs(owed))


def _paid(entry: Entry, payer: AccountId, payee: AccountId, amount: int) -> Entry:
    return Entry(
        commodity=Commodity.ERGON,
        source=payer,
        target=payee,
        amount=amount,
        memo=entry.memo,
        slot_s=entry.slot_s,
        ref=entry.ref,
    )


def _ref(trade: Trade) -> str:
    return f"{trade.bid}/{trade.ask}"

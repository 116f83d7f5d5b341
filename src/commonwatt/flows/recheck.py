"""Run one slot again for one member from what a bundle shows: meter, prices, orders, auction, energy, money."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from commonwatt.flows.evidence import LATE, SETTLED, Bundle, Said, ShownItem, need
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.market import order_bodies
from commonwatt.market.auction import clear_slot
from commonwatt.metering.batch import Flag, Item, Quality, decode_items, verify_item
from commonwatt.model import (
    GRID,
    LOSSES,
    SLOT_SECONDS,
    SYSTEM_ACCOUNTS,
    AccountId,
    AssetKind,
    Commodity,
    Entry,
    Memo,
    OrderId,
    Refused,
    SlotOrder,
    Source,
    Trade,
    cost_micro,
)


@dataclass(frozen=True, slots=True)
class Metered:
    """What one connection's registers counted in the slot, Wh."""

    asset: str
    import_wh: int
    export_wh: int


@dataclass(frozen=True, slots=True)
class Corrected:
    """What a reading changed in one register after its slot was settled; ``other`` gave it, or took it."""

    memo: str
    older_wh: int
    wh: int
    other: AccountId


def reading(bundle: Bundle, said: Sequence[Said]) -> tuple[list[Metered], str]:
    """Return what the member's connection counted, from the gateway behind which the member registered it.

    What was counted first comes first; each further one corrects the one before.
    """
    batches = [one for one in said if isinstance(one.body, bodies.ReadingBatch)]
    shown = [*bundle.older, bundle.reading]
    need(len(batches) == len(shown), "a batch of readings is shown for each record", found=len(batches))
    asset, found = _connection(bundle, said), list[Item]()
    for one, record in zip(batches, shown, strict=True):
        item = _record(bundle, asset, one, record)
        if found:
            older = found[-1].quality
            says = Flag.CORRECTS in item.flags or older is not Quality.MEASURED
            need(says and item.quality.replaces(older), "a correction says that it is one", position=one.row.position)
        found.append(item)
    points = [Metered(asset.body.asset, item.import_wh, item.export_wh) for item in found]
    last = points[-1]
    corrects = f", correcting {len(bundle.older)} before it" if bundle.older else ""
    told = f"{last.asset} counted {last.import_wh} Wh in and {last.export_wh} Wh out, by {asset.body.gateway}"
    return points, told + corrects


@dataclass(frozen=True, slots=True)
class _Claim:
    """The member's connection, as it was registered."""

    position: int
    body: bodies.RegisterAsset


def _connection(bundle: Bundle, said: Sequence[Said]) -> _Claim:
    claims = [(one, one.body) for one in said if isinstance(one.body, bodies.RegisterAsset)]
    need(len(claims) == 1, "one asset is registered", found=len(claims))
    claim, asset = claims[0]
    position, owner = claim.row.position, claim.request.on_behalf_of
    need(owner == bundle.account, "an asset is registered by this member", position=position, found=owner)
    is_connection = asset.asset_kind is AssetKind.CONNECTION
    need(is_connection, "a connection is read", position=position, found=asset.asset_kind)
    return _Claim(position, asset)


def _record(bundle: Bundle, asset: _Claim, heard: Said, shown: ShownItem) -> Item:
    """Return the record of a batch that is about the member's connection in the slot."""
    where, batch = heard.row.position, heard.body
    assert isinstance(batch, bodies.ReadingBatch)
    record, path = bytes.fromhex(shown.record), [bytes.fromhex(step) for step in shown.path]
    held = verify_item(record, shown.index, batch.count, path, bytes.fromhex(batch.root))
    need(held, "the record is in the batch that was signed", position=where, index=shown.index)
    (item,) = decode_items(record)
    ended = heard.row.stamped_s >= item.start_s + SLOT_SECONDS
    need(item.settles and item.start_s == bundle.slot_s and ended, "a record is of this slot", found=item.start_s)
    speaker = heard.request.on_behalf_of
    need(batch.gateway == speaker, "a gateway reads its own meters", position=where, found=batch.gateway)
    behind = asset.body.gateway == batch.gateway
    need(behind, "an asset is behind this gateway", position=asset.position, found=asset.body.gateway)
    need(asset.position < where, "an asset is registered before it is read", position=asset.position, read=where)
    right = asset.body.register == item.register
    need(right, "what is read is what is registered", position=where, found=item.register)
    return item


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


def orders(bundle: Bundle, said: Sequence[Said], gate_s: int) -> tuple[list[SlotOrder], str]:
    """Return the slot's orders as the rulebook made them, in log order."""
    found: list[SlotOrder] = []
    for one in said:
        if not isinstance(one.body, order_bodies.SlotOrder):
            continue
        row, wish = one.row, one.body
        need(wish.slot_s == bundle.slot_s, "an order is for this slot", position=row.position, found=wish.slot_s)
        open_until_s = bundle.slot_s + gate_s
        need(row.stamped_s < open_until_s, "an order is in before the gate", position=row.position, at=row.stamped_s)
        need(not wish.now, "an order meets at the gate", position=row.position)
        found.append(
            SlotOrder(
                id=OrderId(str(row.position)),
                owner=one.request.on_behalf_of,
                side=wish.side,
                energy_wh=wish.energy_wh,
                price_micro_per_kwh=wish.price_micro_per_kwh,
                source=Source[wish.source.upper()],
                near=wish.near,
                partner=None if wish.partner is None else AccountId(wish.partner),
                premium_micro_per_kwh=wish.premium_micro_per_kwh,
                strict=wish.strict,
            )
        )
    sides = {(order.owner, order.side) for order in found}
    twice = [owner for owner, times in Counter(owner for owner, _ in sides).items() if times > 1]
    need(not twice, "a member has orders on one side of a slot", found=twice)
    return found, f"{len(found)} are shown, of {len(sides)} members"


def auction(bundle: Bundle, found: Sequence[SlotOrder], told: tuple[int, int]) -> tuple[None, str]:
    """Clear the slot again and compare the member's trades."""
    cleared = clear_slot(found, import_price=told[0], export_price=told[1])
    right = [trade for trade in cleared.trades if bundle.account in (trade.buyer, trade.seller)]
    need(right == bundle.trades, "trades are what the auction gives", found=bundle.trades, auction=right)
    total_wh = sum(trade.energy_wh for trade in right)
    return None, f"cleared again: {len(right)} trades of {total_wh} Wh at {cleared.price_micro_per_kwh} micro per kWh"


def energy(bundle: Bundle, points: Sequence[Metered]) -> tuple[list[Corrected], str]:
    """Hold the energy that was booked against trades and meter; in and out each, so their difference too.

    Returns:
        What was booked after the slot was settled; it follows the readings one by one.
    """
    moved = [entry for entry in _entries(bundle) if entry.commodity is Commodity.ENERGY]
    settled = [entry for entry in moved if entry.memo not in LATE]
    _check_settled(bundle, settled)
    late = [entry for entry in moved if entry.memo in LATE]
    came_late = bool(late) and late[0].memo.startswith("late")
    nothing = Metered(points[0].asset, 0, 0)
    first = nothing if came_late else points[0]
    in_wh = sum(entry.amount for entry in settled if entry.target == bundle.account)
    out_wh = sum(entry.amount for entry in settled if entry.source == bundle.account)
    need(in_wh == first.import_wh, "energy booked in is what was metered", booked=in_wh, metered=first.import_wh)
    need(out_wh == first.export_wh, "energy booked out is what was metered", booked=out_wh, metered=first.export_wh)
    corrected = _corrected(bundle, [first, *points] if came_late else points, late, came_late=came_late)
    last = points[-1]
    return corrected, f"{len(moved)} entries sum to import minus export, {last.import_wh - last.export_wh} Wh"


def money(bundle: Bundle, told: tuple[int, int], corrected: Sequence[Corrected] = ()) -> tuple[None, str]:
    """Hold the money that was booked against the energy: trades at the auction's price, rests at the fact's."""
    due = Counter([*_due(bundle, told), *_due_late(bundle, told, corrected)])
    paid = Counter(entry for entry in _entries(bundle) if entry.commodity is Commodity.ERGON)
    twice = [entry for entry in paid if paid[entry] > due[entry] > 0]
    need(not twice, "everything is paid once", found=twice)
    extra, missing = [*(paid - due)], sorted(due - paid, key=str)
    need(not extra and not missing, "money is the energy's at its price", found=extra, due=missing)
    got = sum(entry.amount * (1 if entry.target == bundle.account else -1) for entry in paid.elements())
    return None, f"{paid.total()} entries come to {got} micro for {bundle.account}"


def _check_settled(bundle: Bundle, settled: Sequence[Entry]) -> None:
    """Hold each entry of the slot's own settlement against what such an entry may be."""
    trades = {_ref(trade): trade for trade in bundle.trades}
    for entry in settled:
        match entry.memo:
            case Memo.TRADE:
                trade = trades.pop(entry.ref, None)
                agreed = trade and (trade.seller, trade.buyer) == (entry.source, entry.target)
                if not trade or not agreed or entry.amount > trade.energy_wh:
                    raise Refused("what is delivered was traded, and no more", found=entry, trade=trade)
            case Memo.GRID_IMPORT:
                need(entry.source == GRID and not entry.ref, "an import comes from the grid", found=entry)
            case Memo.GRID_EXPORT:
                need(entry.target == GRID and not entry.ref, "an export goes to the grid", found=entry)
            case _:
                neighbours = not {entry.source, entry.target} & set(SYSTEM_ACCOUNTS)
                need(neighbours and not entry.ref, "stored energy goes from member to member", found=entry)
    with_grid = [entry.memo for entry in settled if GRID in (entry.source, entry.target)]
    need(len(with_grid) == len(set(with_grid)), "the grid meets each rest once", found=with_grid)


def _corrected(bundle: Bundle, points: Sequence[Metered], late: Sequence[Entry], *, came_late: bool) -> list[Corrected]:
    """Follow what was booked after settlement, reading by reading, in the order of the books."""
    left, found = list(late), list[Corrected]()
    for number, (older, newer) in enumerate(pairwise(points)):
        word = "late" if came_late and number == 0 else "corrected"
        for memo, before_wh, wh, inward in (
            (f"{word} import", older.import_wh, newer.import_wh, True),
            (f"{word} export", older.export_wh, newer.export_wh, False),
        ):
            if before_wh == wh:
                continue
            need(bool(left), "a correction books its difference", memo=memo, from_wh=before_wh, to_wh=wh)
            entry = left.pop(0)
            other = entry.source if entry.target == bundle.account else entry.target
            need(other in (GRID, LOSSES), "late energy is from losses or grid", found=entry)
            source, target = (other, bundle.account) if inward == (wh > before_wh) else (bundle.account, other)
            told = (memo, source, target, abs(wh - before_wh), newer.asset)
            booked = (entry.memo, entry.source, entry.target, entry.amount, entry.ref)
            need(told == booked, "a correction books its difference", found=entry, from_wh=before_wh, to_wh=wh)
            found.append(Corrected(memo, before_wh, wh, other))
    need(not left, "late energy is this meter's", found=left)
    return found


def _entries(bundle: Bundle) -> list[Entry]:
    for shown in bundle.entries:
        entry = shown.entry
        settled = entry.memo in SETTLED and entry.commodity in (Commodity.ENERGY, Commodity.ERGON)
        need(settled, "an entry settles energy or money", found=entry)
    return [shown.entry for shown in bundle.entries]


def _due(bundle: Bundle, told: tuple[int, int]) -> Iterator[Entry]:
    """Yield what is owed for each energy entry; a price below zero turns the money round, as in settlement."""
    price_of = {_ref(trade): trade.price_micro_per_kwh for trade in bundle.trades}
    grid_price: dict[str, int] = {Memo.GRID_IMPORT: told[0], Memo.GRID_EXPORT: told[1]}
    for entry in _entries(bundle):
        if entry.commodity is not Commodity.ENERGY or entry.memo in LATE:
            continue
        price = price_of[entry.ref] if entry.memo == Memo.TRADE else grid_price.get(entry.memo, 0)
        owed = cost_micro(entry.amount, price)
        if owed:
            payer, payee = (entry.target, entry.source) if owed > 0 else (entry.source, entry.target)
            yield _paid(entry, payer, payee, abs(owed))


def _due_late(bundle: Bundle, told: tuple[int, int], corrected: Sequence[Corrected]) -> Iterator[Entry]:
    """Yield what is owed for each correction: what all of it costs less what was owed before, so no rounding is lost.

    ``ref`` is the meter, as on the energy's own entry.
    """
    late = [entry for entry in _entries(bundle) if entry.commodity is Commodity.ENERGY and entry.memo in LATE]
    for one, entry in zip(corrected, late, strict=True):
        inward = one.memo.endswith("import")
        price = told[0] if inward else told[1]
        owed = cost_micro(one.wh, price) - cost_micro(one.older_wh, price)
        if owed:
            pays = inward == (owed > 0)
            payer, payee = (bundle.account, one.other) if pays else (one.other, bundle.account)
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

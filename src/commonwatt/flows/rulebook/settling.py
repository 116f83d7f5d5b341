"""Rules for readings and what they settle: tokens first, then trades, then the grid."""

from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.late import settle_late
from commonwatt.flows.rulebook.state import SetAside, State
from commonwatt.flows.rulebook.trading import match_book
from commonwatt.metering.aggregate import home_load_wh
from commonwatt.metering.check import fault
from commonwatt.model import (
    BURN,
    MINT,
    SLOT_SECONDS,
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    Commodity,
    Outcome,
    Reading,
    Request,
    cost_micro,
    slot_from,
)
from commonwatt.settlement.settle import Delivery, PointReading, settle_slot
from commonwatt.tokens import watt


def reading_batch(state: State, request: Request, body: bodies.ReadingBatch, position: int, stamped_s: int) -> Outcome:
    """Book what can be believed of a gateway's readings, set the rest aside, and settle what is complete."""
    if state.keys[request.author].gateway != body.gateway:
        return Outcome.NOT_ALLOWED
    if body.slot_s % SLOT_SECONDS:
        return Outcome.OVER_LIMIT
    if body.slot_s + SLOT_SECONDS > stamped_s:
        return Outcome.NOT_ALLOWED  # nobody has measured what has not happened yet
    doubts = [(AssetId(item.asset), _doubt(state, body, item)) for item in body.readings]
    for asset_id, why in doubts:
        if why:
            state.set_aside.append(SetAside(position=position, asset=asset_id, slot_s=body.slot_s, why=why))
    return Outcome.SET_ASIDE if any(why for _, why in doubts) else Outcome.BOOKED


def _doubt(state: State, body: bodies.ReadingBatch, item: bodies.ReadingItem) -> str | None:
    """Book one item, or return why not."""
    asset = state.assets.get(AssetId(item.asset))
    if asset is None or asset.gateway != body.gateway:
        return "asset is not registered behind this gateway"
    if body.slot_s < state.joined_s[asset.id]:
        return "slot lies before the asset was registered"
    settled = body.slot_s < state.settled_to_s
    if settled and body.slot_s not in state.prices:
        return "slot is settled, and had no price"
    reading = Reading(
        asset=asset.id,
        interval=slot_from(body.slot_s),
        import_wh=item.import_wh,
        export_wh=item.export_wh,
        level_wh=item.level_wh,
    )
    # A car's level changes while it drives; a battery's only by what is metered.
    before = None
    if asset.kind is not AssetKind.VEHICLE:
        before = state.readings.get(body.slot_s - SLOT_SECONDS, {}).get(asset.id)
    booked = state.readings.get(body.slot_s, {}).get(asset.id)
    why = fault(reading, asset, before, [booked] if booked else [])
    if why is None:
        state.readings.setdefault(body.slot_s, {})[asset.id] = reading
        if settled:
            settle_late(state, asset, reading)
    return why


def settle_due(state: State, stamped_s: int) -> None:
    """Settle, in order, every slot whose connections and feeder have reported or whose grace has run out."""
    while state.settled_to_s + SLOT_SECONDS <= stamped_s:
        slot_s = state.settled_to_s
        told = state.readings.get(slot_s, {})
        points = [a for a in state.assets.values() if a.kind in (AssetKind.CONNECTION, AssetKind.FEEDER)]
        complete = bool(told) and all(asset.id in told for asset in points)
        overdue = stamped_s >= slot_s + (1 + state.grace_slots) * SLOT_SECONDS
        feeder = next((told[a.id] for a in points if a.kind is AssetKind.FEEDER and a.id in told), None)
        if not complete and not overdue:
            return
        if told and slot_s not in state.prices:
            return  # without a price nothing can be owed; the oracle's fact will come
        if told:
            _settle(state, slot_s, told, (feeder.import_wh, feeder.export_wh) if feeder else None)
        if feeder is None:
            state.stood_in.add(slot_s)
        state.settled_to_s = slot_s + SLOT_SECONDS
        match_book(state, stamped_s)


def _settle(state: State, slot_s: int, told: dict[AssetId, Reading], feeder: tuple[int, int] | None) -> None:
    """Settle one slot; without the feeder's reading the members' sum stands in for it, and no loss can show."""
    homes = {
        asset.owner: told[asset.id]
        for asset in state.assets.values()
        if asset.kind is AssetKind.CONNECTION and asset.id in told
    }
    net_wh = sum(reading.import_wh - reading.export_wh for reading in homes.values())
    deliveries = _tokens(state, slot_s, told, homes)
    bought, sold = state.prices[slot_s]
    clearing = state.clearings.get(slot_s)
    done = settle_slot(
        [
            PointReading(account=owner, import_wh=reading.import_wh, export_wh=reading.export_wh)
            for owner, reading in homes.items()
        ],
        feeder or (max(0, net_wh), max(0, -net_wh)),
        [t for t in clearing.trades if t.buyer in homes and t.seller in homes] if clearing else [],
        deliveries,
        import_price=bought,
        export_price=sold,
        slot_s=slot_s,
    )
    for entry in done.entries:
        state.post(entry)
    state.losses_wh[slot_s] = done.losses_wh


def _tokens(state: State, slot_s: int, told: dict[AssetId, Reading], homes: dict[AccountId, Reading]) -> list[Delivery]:
    """Mint and burn WATT for a slot, and return whose calls the batteries' exports served."""
    import_left = {owner: reading.import_wh for owner, reading in homes.items()}
    export_left = {owner: reading.export_wh for owner, reading in homes.items()}
    load_wh, sun_left = _load_and_sun(state, told, homes)
    deliveries: list[Delivery] = []
    for asset in state.assets.values():
        if asset.kind is not AssetKind.BATTERY or asset.id not in told:
            continue
        reading = told[asset.id]
        if asset.owner not in homes:
            _meet_level(state, slot_s, asset, reading)  # nothing is known of its home, but what it holds is
            continue
        for holder, wh in _call(state, slot_s, asset, reading, import_left, export_left[asset.owner]):
            deliveries.append(Delivery(seller=asset.owner, buyer=holder, energy_wh=wh))
            import_left[holder] -= wh
            export_left[asset.owner] -= wh
        clean_wh = watt.clean_charge_wh(reading.import_wh, load_wh[asset.owner], sun_left[asset.owner])
        sun_left[asset.owner] -= clean_wh
        _mint(state, slot_s, asset, reading, clean_wh)
        _meet_level(state, slot_s, asset, reading)
    return deliveries


def _call(
    state: State, slot_s: int, asset: Asset, reading: Reading, import_left: dict[AccountId, int], export_wh: int
) -> tuple[tuple[AccountId, int], ...]:
    others = [member for member in sorted(import_left) if member != asset.owner]
    holders = [(m, wh, import_left[m]) for m in others if (wh := _callable_wh(state, m)) > 0]
    burn = watt.call_stored(
        reading.export_wh,
        export_wh,
        state.claims.issued_wh(asset.id),
        asset.owner,
        holders,
        owner_balance_wh=state.watt(asset.owner),
    )
    for account, wh in burn.burned:
        _burn(state, slot_s, asset, account, wh, "watt burned on use")
    return burn.delivered


def _callable_wh(state: State, member: AccountId) -> int:
    """Return the WATT that a member can call from others: what stands against no battery of their own."""
    own = (a.id for a in state.assets.values() if a.owner == member and a.kind is AssetKind.BATTERY)
    return state.watt(member) - sum(state.claims.issued_wh(asset) for asset in own)


def _mint(state: State, slot_s: int, asset: Asset, reading: Reading, clean_wh: int) -> None:
    """Mint WATT for clean energy that a battery took in; what would pass B_max stays in the slot market (row E6)."""
    recoverable_wh = asset.recoverable_wh(reading.level_wh or 0) - state.claims.issued_wh(asset.id)
    room_wh = state.b_max_wh - state.watt(asset.owner)
    minted_wh = max(0, min(watt.mint_wh(asset, clean_wh), recoverable_wh, room_wh))
    if minted_wh:
        state.claims.issue(asset.id, minted_wh)
        state.move(Commodity.WATT, MINT, asset.owner, minted_wh, slot_s=slot_s, memo="watt minted", ref=asset.id)


def _meet_level(state: State, slot_s: int, asset: Asset, reading: Reading) -> None:
    """Keep WATT within what the battery can give: the owner's burns first, the rest is bought back (RULES)."""
    lack = watt.shortfall(reading.level_wh or 0, asset, state.claims.issued_wh(asset.id), state.watt(asset.owner))
    if lack.burned_wh:
        _burn(state, slot_s, asset, asset.owner, lack.burned_wh, "watt burned on loss")
    holders = [(member, state.watt(member)) for member in state.members() if state.watt(member) > 0]
    price = state.prices[slot_s][0]
    for holder, wh in watt.buy_back(lack.short_wh, holders):
        _burn(state, slot_s, asset, holder, wh, "watt bought back")
        if holder != asset.owner and (owed := cost_micro(wh, max(0, price))):
            state.move(Commodity.ERGON, asset.owner, holder, owed, slot_s=slot_s, memo="watt bought back", ref=asset.id)


def _burn(state: State, slot_s: int, asset: Asset, account: AccountId, wh: int, memo: str) -> None:
    state.claims.burn(asset.id, wh)
    state.move(Commodity.WATT, account, BURN, wh, slot_s=slot_s, memo=memo, ref=asset.id)


def _load_and_sun(
    state: State, told: dict[AssetId, Reading], homes: dict[AccountId, Reading]
) -> tuple[dict[AccountId, int], dict[AccountId, int]]:
    """Return what each home used itself, and what its roof gave, in Wh."""
    load_wh, solar_wh = {}, {}
    heard = {state.assets[asset].gateway for asset in told}
    for owner, home in homes.items():
        behind = [a for a in state.assets.values() if a.owner == owner and a.kind is not AssetKind.CONNECTION]
        metered = [asset for asset in behind if asset.id in told]
        load_wh[owner] = home_load_wh(home, [told[asset.id] for asset in metered])
        # A silent gateway may hide a car that feeds the battery: without its word, nothing here is known to be clean.
        whole = all(asset.gateway in heard for asset in behind)
        roofs = [asset for asset in metered if asset.kind is AssetKind.SOLAR and whole]
        solar_wh[owner] = sum(told[asset.id].export_wh for asset in roofs)
    return load_wh, solar_wh

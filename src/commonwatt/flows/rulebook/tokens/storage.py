"""Rules for WATT: minted when clean energy enters a battery, burned when it leaves, never without energy behind it.

The transfer to the burn address that row E2 asks for, signed by the key of the meter that sees the energy used, is the
gateway's signed reading of the discharge: whose WATT goes follows from it alone, and nobody else can burn any. It burns
never more than that meter counted; one WATT is a Wh that comes out again, since minting has taken off the registered
losses both ways; and never more than stands against that battery, so that in sum no more is burned than was stored. A
burn as a request of its own beside the reading would count the same Wh twice, or need the same limits to be kept apart.
WATT that a holder has reserved for somebody is called like any other: the energy is gone.
"""

from collections.abc import Mapping

from commonwatt.flows.rulebook.columns import columns
from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.tokens.backing import holders, outside, room_wh
from commonwatt.metering.aggregate import home_load_wh
from commonwatt.metering.table import SlotReadings
from commonwatt.model import (
    BURN,
    CHAIN_HELD,
    CHAIN_PORT,
    MINT,
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    Commodity,
    Memo,
    Reading,
    cost_micro,
)
from commonwatt.settlement.settle import Delivery
from commonwatt.tokens import watt


def mint_and_burn(
    state: State, slot_s: int, told: Mapping[AssetId, Reading], homes: dict[AccountId, Reading]
) -> list[Delivery]:
    """Mint and burn WATT for a slot, and return whose calls the batteries' exports served."""
    import_left = {owner: reading.import_wh for owner, reading in homes.items()}
    export_left = {owner: reading.export_wh for owner, reading in homes.items()}
    clean_wh = {owner: clean_by_battery(state, slot_s, owner) for owner in {b.owner for b in columns(state).batteries}}
    deliveries: list[Delivery] = []
    for asset in columns(state).batteries:
        if asset.id not in told:
            continue
        reading = told[asset.id]
        if asset.owner not in homes:
            _meet_level(state, slot_s, asset, reading)  # nothing is known of its home, but what it holds is
            continue
        for holder, wh in _call(state, slot_s, asset, reading, import_left, export_left[asset.owner]):
            deliveries.append(Delivery(seller=asset.owner, buyer=holder, energy_wh=wh))
            import_left[holder] -= wh
            export_left[asset.owner] -= wh
        _mint(state, slot_s, asset, reading, clean_wh[asset.owner].get(asset.id, 0))
        _meet_level(state, slot_s, asset, reading)
    return deliveries


def _call(
    state: State, slot_s: int, asset: Asset, reading: Reading, import_left: dict[AccountId, int], export_wh: int
) -> tuple[tuple[AccountId, int], ...]:
    # Homes stand in the order in which their connections were registered.
    others = [member for member in import_left if member != asset.owner]
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
        _burn(state, slot_s, asset, account, wh, Memo.WATT_BURNED_ON_USE)
    return burn.delivered


def _callable_wh(state: State, member: AccountId) -> int:
    """Return the WATT that a member can call from others: what stands against no battery of their own."""
    own = (a.id for a in columns(state).owned.get(member, ()) if a.kind is AssetKind.BATTERY)
    return state.watt(member) - sum(state.claims.issued_wh(asset) for asset in own)


def _mint(state: State, slot_s: int, asset: Asset, reading: Reading, clean_wh: int) -> None:
    """Mint WATT for clean energy that a battery took in; what would pass B_max or right stays in the slot market."""
    recoverable_wh = asset.recoverable_wh(reading.level_wh or 0) - state.claims.issued_wh(asset.id)
    minted_wh = max(0, min(watt.mint_wh(asset, clean_wh), recoverable_wh, room_wh(state, asset.owner)))
    if minted_wh:
        state.claims.issue(asset.id, minted_wh, slot_s)
        state.move(Commodity.WATT, MINT, asset.owner, minted_wh, slot_s=slot_s, memo=Memo.WATT_MINTED, ref=asset.id)


def _meet_level(state: State, slot_s: int, asset: Asset, reading: Reading) -> None:
    """Keep WATT within what the battery can give: the owner's burns first, the rest is bought back (RULES)."""
    lack = watt.shortfall(reading.level_wh or 0, asset, state.claims.issued_wh(asset.id), state.watt(asset.owner))
    state.claims.lost.set(asset.id, slot_s, _take_back(state, slot_s, asset, lack))


def reconsider(state: State, slot_s: int, owner: AccountId) -> None:
    """Burn WATT of a settled slot that its readings, as they are believed now, leave without clean energy behind it."""
    clean_wh = clean_by_battery(state, slot_s, owner)
    for battery in columns(state).owned[owner]:
        if battery.kind is AssetKind.BATTERY:
            should_wh = watt.mint_wh(battery, clean_wh.get(battery.id, 0))
            unmint(state, slot_s, battery, state.claims.take_back(battery.id, slot_s, should_wh))


def unmint(state: State, slot_s: int, asset: Asset, lost_wh: int) -> None:
    """Burn WATT for which there is no energy: the owner's first, then bought back."""
    lost_wh = min(lost_wh, state.claims.issued_wh(asset.id))
    burned_wh = min(lost_wh, max(0, state.watt(asset.owner)))
    _take_back(state, slot_s, asset, watt.Shortfall(burned_wh, lost_wh - burned_wh))


def _take_back(state: State, slot_s: int, asset: Asset, lack: watt.Shortfall) -> int:
    """Burn and buy back what is lacking, as far as anybody holds WATT, and return how much that was, in Wh.

    What nobody here holds was sold to another community, or sent out to the chain, and its energy was used here all
    the same. Whoever lost it pays for it too: the other community is owed so much less WATT, and the money is held for
    it. The other log hears of nothing by itself, so its books go on saying what was owed to it before. What is out on
    the chain nobody can burn: the money is held for whoever brings it back, see `crossing`.
    """
    if lack.burned_wh:
        _burn(state, slot_s, asset, asset.owner, lack.burned_wh, Memo.WATT_BURNED_ON_LOSS)
    held = holders(state)
    short_wh = min(lack.short_wh, sum(held.values()))
    for holder, wh in watt.buy_back(short_wh, list(held.items())):
        _buy_back(state, slot_s, asset, holder, holder, wh)
    abroad = {known.owed: known for known in state.neighbours.items() if state.watt(known.owed) > 0}
    owed = [(account, state.watt(account)) for account in abroad]
    abroad_wh = min(lack.short_wh - short_wh, sum(wh for _, wh in owed))
    for account, wh in watt.buy_back(abroad_wh, owed):
        _buy_back(state, slot_s, asset, account, abroad[account].held, wh)
    left_wh = lack.short_wh - short_wh - abroad_wh
    outside_wh = min(left_wh, outside(state, Commodity.WATT)) if left_wh else 0
    if outside_wh:
        _buy_back(state, slot_s, asset, CHAIN_PORT, CHAIN_HELD, outside_wh)
        state.crossed.bought_wh += outside_wh
    return lack.burned_wh + short_wh + abroad_wh + outside_wh


def _buy_back(state: State, slot_s: int, asset: Asset, holder: AccountId, payee: AccountId, wh: int) -> None:
    """Burn a holder's WATT, and let the storage's owner pay the slot's import price for it."""
    _burn(state, slot_s, asset, holder, wh, Memo.WATT_BOUGHT_BACK)
    if payee != asset.owner:
        owed_micro = cost_micro(wh, max(0, state.prices[slot_s][0]))
        memo = Memo.WATT_BOUGHT_BACK
        state.move(Commodity.ERGON, asset.owner, payee, owed_micro, slot_s=slot_s, memo=memo, ref=asset.id)


def _burn(state: State, slot_s: int, asset: Asset, account: AccountId, wh: int, memo: Memo) -> None:
    state.claims.burn(asset.id, wh)
    state.move(Commodity.WATT, account, BURN, wh, slot_s=slot_s, memo=memo, ref=asset.id)


def clean_by_battery(state: State, slot_s: int, owner: AccountId) -> dict[AssetId, int]:
    """Return how much of what each battery of a home took in in a slot was the home's own sun, in Wh.

    Nothing is known to be clean while one meter behind the home is silent: it may be a car that feeds the battery. Nor
    is anything where a reading was only estimated (row E2: what a registered meter saw).
    """
    slot = state.readings.told(slot_s)
    behind = [a for a in columns(state).owned.get(owner, ()) if state.joined_s[a.id] <= slot_s]
    if not isinstance(slot, SlotReadings) or owner not in state.connections:
        return {}
    if not all(asset.id in slot and slot.quality_of(asset.id).mints for asset in behind):
        return {}
    home = slot[state.connections[owner]]
    others = {asset.id: slot[asset.id] for asset in behind if asset.id != home.asset}
    apart = [others[asset.id] for asset in behind if asset.id in others and not asset.own_use]
    load_wh = home_load_wh(home, apart)
    sun_wh = sum(others[asset.id].export_wh for asset in behind if asset.kind is AssetKind.SOLAR)
    clean: dict[AssetId, int] = {}
    for battery in (asset for asset in behind if asset.kind is AssetKind.BATTERY):
        clean[battery.id] = watt.clean_charge_wh(others[battery.id].import_wh, load_wh, sun_wh)
        sun_wh -= clean[battery.id]
    return clean


def sun_to_sell_wh(state: State, slot_s: int, owner: AccountId) -> int:
    """Return how much sun a home has left to sell in a slot, in Wh: what it used and what it stored is not sold again.

    Load comes first, then storage, then export (row E1), as for minting; so no Wh is both WATT and sold as sun. Where a
    meter behind the home is silent, nobody knows what it used, and what the others tell is taken off.
    """
    slot = state.readings.told(slot_s)
    behind = [a for a in columns(state).owned.get(owner, ()) if state.joined_s[a.id] <= slot_s]
    home = slot.get(state.connections.get(owner, AssetId("")))
    told = {a.id: slot[a.id] for a in behind if a.id in slot and a.kind is not AssetKind.CONNECTION}
    sun_wh = sum(told[a.id].export_wh for a in behind if a.kind is AssetKind.SOLAR and a.id in told)
    used_wh = sum(reading.import_wh for reading in told.values())
    if home is not None and len(told) + 1 == len(behind):
        used_wh += home_load_wh(home, list(told.values()))
    return max(0, sun_wh - used_wh)

"""Rules for meters that report after their slot was settled: what was booked without them is put right, not rewritten.

Energy and money both, at the grid's prices: who was silent shares in no trade of that slot. WATT is left as it is.
"""

from commonwatt.flows.rulebook.state import State
from commonwatt.model import (
    GRID,
    LOSSES,
    AccountId,
    Asset,
    AssetKind,
    Commodity,
    Entry,
    Reading,
    cost_micro,
    epoch,
)


def settle_late(state: State, asset: Asset, reading: Reading) -> None:
    """Book a connection or the feeder whose slot was settled without it; other meters change no account."""
    slot_s = epoch(reading.interval.start)
    if asset.kind is AssetKind.CONNECTION:
        _connection(state, slot_s, asset, reading)
    elif asset.kind is AssetKind.FEEDER and slot_s in state.stood_in:
        _feeder(state, slot_s, reading)


def _connection(state: State, slot_s: int, asset: Asset, reading: Reading) -> None:
    """Give a member what the slot's feeder saw and no member told: it stands as a loss.

    Where the feeder was silent too, the others' sum stood in for it, so there the grid itself is the other side.
    """
    other = GRID if slot_s in state.stood_in else LOSSES
    bought, sold = state.prices[slot_s]
    for wh, price, source, target, memo in (
        (reading.import_wh, bought, other, asset.owner, "late import"),
        (reading.export_wh, sold, asset.owner, other, "late export"),
    ):
        _move(state, Commodity.ENERGY, source, target, wh, slot_s, memo, asset.id)
        _move(state, Commodity.ERGON, target, source, cost_micro(wh, price), slot_s, memo, asset.id)
    if other == LOSSES:
        state.losses_wh[slot_s] = state.losses_wh.get(slot_s, 0) - reading.import_wh + reading.export_wh


def _feeder(state: State, slot_s: int, reading: Reading) -> None:
    """Set the grid's account to what its own meter counted; the difference to what stood in for it is the loss."""
    bought, sold = state.prices[slot_s]
    energy_wh = reading.import_wh - reading.export_wh - _given(state, slot_s, Commodity.ENERGY)
    money = cost_micro(reading.import_wh, bought) - cost_micro(reading.export_wh, sold)
    _move(state, Commodity.ENERGY, GRID, LOSSES, energy_wh, slot_s, "losses", "")
    _move(state, Commodity.ERGON, LOSSES, GRID, money + _given(state, slot_s, Commodity.ERGON), slot_s, "losses", "")
    state.losses_wh[slot_s] = state.losses_wh.get(slot_s, 0) + energy_wh
    state.stood_in.remove(slot_s)


def _given(state: State, slot_s: int, commodity: Commodity) -> int:
    """Return what the grid has given in a slot so far, less what it took."""
    moved = [e for e in state.entries if e.slot_s == slot_s and e.commodity is commodity]
    return sum(e.amount for e in moved if e.source == GRID) - sum(e.amount for e in moved if e.target == GRID)


def _move(
    state: State,
    commodity: Commodity,
    source: AccountId,
    target: AccountId,
    amount: int,
    slot_s: int,
    memo: str,
    ref: str,
) -> None:
    """Post an amount; one below zero goes the other way."""
    if amount < 0:
        source, target, amount = target, source, -amount
    if amount:
        state.post(
            Entry(commodity=commodity, source=source, target=target, amount=amount, memo=memo, slot_s=slot_s, ref=ref)
        )

"""Rules for meters that report after their slot was settled: what was booked without them is put right, not rewritten.

Energy and money both, at the grid's prices: who was silent shares in no trade of that slot. WATT is left as it is.
"""

from commonwatt.flows.rulebook.state import State
from commonwatt.model import (
    GRID,
    LOSSES,
    Asset,
    AssetKind,
    Commodity,
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
        state.move(Commodity.ENERGY, source, target, wh, slot_s=slot_s, memo=memo, ref=asset.id)
        state.move(Commodity.ERGON, target, source, cost_micro(wh, price), slot_s=slot_s, memo=memo, ref=asset.id)
    if other == LOSSES:
        state.losses_wh[slot_s] = state.losses_wh.get(slot_s, 0) - reading.import_wh + reading.export_wh


def _feeder(state: State, slot_s: int, reading: Reading) -> None:
    """Set the grid's account to what its own meter counted; the difference to what stood in for it is the loss."""
    bought, sold = state.prices[slot_s]
    energy_wh = reading.import_wh - reading.export_wh - _given(state, slot_s, Commodity.ENERGY)
    money = cost_micro(reading.import_wh, bought) - cost_micro(reading.export_wh, sold)
    owed = money + _given(state, slot_s, Commodity.ERGON)
    state.move(Commodity.ENERGY, GRID, LOSSES, energy_wh, slot_s=slot_s, memo="losses")
    state.move(Commodity.ERGON, LOSSES, GRID, owed, slot_s=slot_s, memo="losses")
    state.losses_wh[slot_s] = state.losses_wh.get(slot_s, 0) + energy_wh
    state.stood_in.remove(slot_s)


def _given(state: State, slot_s: int, commodity: Commodity) -> int:
    """Return what the grid has given in a slot so far, less what it took."""
    moved = [e for e in state.entries if e.slot_s == slot_s and e.commodity is commodity]
    return sum(e.amount for e in moved if e.source == GRID) - sum(e.amount for e in moved if e.target == GRID)

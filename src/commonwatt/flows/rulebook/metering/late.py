"""Rules for meters that report, or correct themselves, after their slot was settled: the difference is booked.

What was booked is never rewritten. Energy and money both, at the grid's prices: who was silent shares in no trade of
that slot. Where a late or corrected reading of any meter behind a home shows that less clean energy entered a battery,
or more left it, than was told, WATT that has nothing behind it is burned, the owner's first; nothing is minted after
the event. What storage owes the operator follows, see `operating`.
"""

from commonwatt.flows.rulebook.charging import operating
from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.tokens import storage
from commonwatt.metering.registers import difference
from commonwatt.model import (
    GRID,
    LOSSES,
    Asset,
    AssetKind,
    Commodity,
    Memo,
    Reading,
    cost_micro,
    epoch,
)

_LATE = (Memo.LATE_IMPORT, Memo.LATE_EXPORT)
_CORRECTED = (Memo.CORRECTED_IMPORT, Memo.CORRECTED_EXPORT)


def settle_late(state: State, asset: Asset, older: Reading | None, reading: Reading) -> None:
    """Book what a reading of a settled slot changes: all of it, or its difference from what was believed before."""
    slot_s = epoch(reading.interval.start)
    nothing = Reading(asset=asset.id, interval=reading.interval, import_wh=0, export_wh=0)
    if asset.kind is AssetKind.CONNECTION:
        _connection(state, slot_s, asset, older or nothing, reading, _LATE if older is None else _CORRECTED)
        state.sessions.note_drawn(slot_s, {asset.id: reading})
    elif asset.kind is AssetKind.FEEDER and (older is not None or slot_s in state.stood_in):
        _feeder(state, slot_s, reading)
    operating.correct(state, slot_s, asset, older or nothing, reading)
    if asset.kind is AssetKind.BATTERY:
        # What it gave beyond what was told before has called nobody's WATT yet: such as stood before the slot's own.
        claims, more_wh = state.claims, max(0, difference(older or nothing, reading).export_wh)
        before_wh = max(0, claims.issued_wh(asset.id) - claims.minted.get(asset.id, slot_s))
        storage.unmint(state, slot_s, asset, min(claims.discharge_left(asset.id, slot_s, more_wh), before_wh))


def _connection(
    state: State, slot_s: int, asset: Asset, older: Reading, reading: Reading, memos: tuple[Memo, Memo]
) -> None:
    """Give a member what the slot's feeder saw and no member told: it stands as a loss.

    Where the feeder was silent too, the others' sum stood in for it, so there the grid itself is the other side.
    """
    other = GRID if slot_s in state.stood_in else LOSSES
    bought, sold = state.prices[slot_s]
    more = difference(older, reading)
    for wh, owed, source, target, memo in (
        (
            more.import_wh,
            cost_micro(reading.import_wh, bought) - cost_micro(older.import_wh, bought),
            other,
            asset.owner,
            memos[0],
        ),
        (
            more.export_wh,
            cost_micro(reading.export_wh, sold) - cost_micro(older.export_wh, sold),
            asset.owner,
            other,
            memos[1],
        ),
    ):
        state.move(Commodity.ENERGY, source, target, wh, slot_s=slot_s, memo=memo, ref=asset.id)
        state.move(Commodity.ERGON, target, source, owed, slot_s=slot_s, memo=memo, ref=asset.id)
    if other == LOSSES:
        state.losses_wh[slot_s] = state.losses_wh.get(slot_s, 0) - more.import_wh + more.export_wh


def _feeder(state: State, slot_s: int, reading: Reading) -> None:
    """Set the grid's account to what its own meter counted; the difference to what stood in for it is the loss."""
    bought, sold = state.prices[slot_s]
    given_wh, given_micro = state.given.get(slot_s, (0, 0))
    energy_wh = reading.import_wh - reading.export_wh - given_wh
    owed = cost_micro(reading.import_wh, bought) - cost_micro(reading.export_wh, sold) + given_micro
    state.move(Commodity.ENERGY, GRID, LOSSES, energy_wh, slot_s=slot_s, memo=Memo.LOSSES)
    state.move(Commodity.ERGON, LOSSES, GRID, owed, slot_s=slot_s, memo=Memo.LOSSES)
    state.losses_wh[slot_s] = state.losses_wh.get(slot_s, 0) + energy_wh
    state.stood_in.discard(slot_s)

"""Rules that settle a slot: tokens first, then trades, then the grid, and the feeder's difference to the losses."""

from collections.abc import Mapping, Sequence

import numpy as np

from commonwatt.flows.rulebook import equalising, sharing, storage
from commonwatt.flows.rulebook.columns import Flags, Numbers, columns
from commonwatt.flows.rulebook.paying import MOST_ERGON_MICRO
from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.trading import match_book
from commonwatt.kernels.money import costs_micro
from commonwatt.ledger.journal import Postings
from commonwatt.metering.table import UNTOLD, SlotReadings
from commonwatt.model import GRID, SLOT_SECONDS, AssetId, Commodity, Reading, Trade
from commonwatt.settlement.settle import Apart, PointReading, settle_slot

MANY = 64
"""Connections from which on those with nothing behind them are settled as arrays."""


def settle_due(state: State, stamped_s: int) -> None:
    """Settle, in order, every slot whose connections and feeder have reported or whose grace has run out."""
    table = columns(state)
    while state.settled_to_s + SLOT_SECONDS <= stamped_s:
        slot_s = state.settled_to_s
        overdue = stamped_s >= slot_s + (1 + state.charter.grace_slots) * SLOT_SECONDS
        slot = state.readings.at(slot_s) if slot_s in state.readings else None
        complete = slot is not None and bool((slot.quality[table.points] != UNTOLD).all()) and len(slot) > 0
        if not overdue and (not complete or sharing.imbalance_due(state, slot_s)):
            return
        if slot is not None and slot_s not in state.prices:
            return  # without a price nothing can be owed; the oracle's fact will come
        if slot is not None and not _bookable(state, slot):
            return  # the books end at 2^53-1, and a log that stopped there would never start again
        feeder = None
        if slot is not None:
            feeder = slot.get(table.feeder) if table.feeder else None
            settle(state, slot, (feeder.import_wh, feeder.export_wh) if feeder else None)
        if feeder is None:
            state.stood_in.add(slot_s)
        state.settled_to_s = slot_s + SLOT_SECONDS
        sharing.let_go(state)
        equalising.close(state, slot_s)
        match_book(state, stamped_s)


def _bookable(state: State, slot: SlotReadings) -> bool:
    """Tell whether the books surely have room for what a slot can come to: each Wh twice, all WATT bought back."""
    price = max(map(abs, state.prices[slot.slot_s]))
    told_wh = int(slot.import_wh.sum(dtype=np.int64)) + int(slot.export_wh.sum(dtype=np.int64))
    most_wh = 2 * told_wh + 2 * state.claims.total_wh
    most_micro = most_wh * price // 1000 + len(slot.quality) + sharing.most_micro(state, slot.slot_s)
    most_wh += sharing.most_wh(state, slot.slot_s)
    accounts = state.accounts
    # Purchases and transfers of what was bought must find room beside it.
    room_micro = accounts.headroom(Commodity.ERGON) - 2 * MOST_ERGON_MICRO
    return most_micro <= room_micro and most_wh <= accounts.headroom(Commodity.ENERGY)


def settle(state: State, slot: SlotReadings, feeder: tuple[int, int] | None, many: int = MANY) -> None:
    """Settle one slot; without the feeder's reading the members' sum stands in for it, and no loss can show.

    Args:
        state: Changed in place.
        slot: What is believed of it.
        feeder: What the feeder counted in and out, Wh.
        many: From how many connections on those that settle with the grid alone are settled as arrays.
    """
    slot_s = slot.slot_s
    bought, sold = state.prices[slot_s]
    clearing = state.clearings.get(slot_s)
    trades = clearing.trades if clearing else ()
    imbalance = sharing.imbalance_prices(state, slot_s)
    table = columns(state)
    connected = table.connection & slot.told()
    plain = _plain(state, connected, trades, many)
    if sharing.one_by_one(state, slot_s):
        plain = np.zeros_like(plain)
    homes = {
        (asset := state.assets[state.readings.meters[place]]).owner: slot[asset.id]
        for place in np.flatnonzero(connected & ~plain)
    }
    told: Mapping[AssetId, Reading] = slot
    if plain.any():
        told = {(meter := state.readings.meters[n]): slot[meter] for n in np.flatnonzero(slot.told() & ~plain)}
    into_wh, out_wh = int(slot.import_wh[connected].sum()), int(slot.export_wh[connected].sum())
    net_wh = into_wh - out_wh
    deliveries = storage.mint_and_burn(state, slot_s, told, homes)
    apart = _settle_plain(state, slot, plain, bought, sold)
    done = settle_slot(
        [
            PointReading(account=owner, import_wh=reading.import_wh, export_wh=reading.export_wh)
            for owner, reading in homes.items()
        ],
        feeder or (max(0, net_wh), max(0, -net_wh)),
        # A firm trade binds who kept silent too: what was not heard was neither sent nor taken.
        [t for t in trades if imbalance is not None or (t.buyer in homes and t.seller in homes)],
        deliveries,
        import_price=bought,
        export_price=sold,
        slot_s=slot_s,
        apart=apart,
        imbalance=imbalance,
        sharing=sharing.sharing_terms(state, slot_s),
    )
    for owner, reading in homes.items():
        equalising.compare(state, owner, reading.import_wh, reading.export_wh, (bought, sold))
    for entry in done.entries:
        state.post(entry)
    state.losses_wh[slot_s] = done.losses_wh


def _plain(state: State, connected: Flags, trades: Sequence[Trade], many: int) -> Flags:
    """Tell which connections settle with the grid alone: nothing behind them, no trade, and no WATT to call."""
    if int(connected.sum()) < many:
        return np.zeros_like(connected)
    table = columns(state)
    plain = connected & table.alone
    plain &= state.accounts.column(Commodity.WATT)[table.account] == 0
    traders = {account for trade in trades for account in (trade.buyer, trade.seller)}
    numbers = np.array([state.accounts.number(account) for account in sorted(traders)], np.int64)
    return plain & ~np.isin(table.account, numbers)


def _settle_plain(state: State, slot: SlotReadings, plain: Flags, bought: int, sold: int) -> Apart:
    """Book what plain connections took from the grid and gave to it, and return what it came to."""
    grid = state.accounts.number(GRID)
    accounts = columns(state).account[plain]
    net_wh = due_micro = 0
    for way, wh, price, sign in (
        ("import", slot.import_wh[plain], bought, 1),
        ("export", slot.export_wh[plain], sold, -1),
    ):
        energy_wh = wh.astype(np.int64)
        micro = costs_micro(energy_wh, price)
        _book(state, slot.slot_s, Commodity.ENERGY, grid, accounts, sign * energy_wh, f"grid {way}")
        _book(state, slot.slot_s, Commodity.ERGON, grid, accounts, -sign * micro, f"grid {way}")
        net_wh += sign * int(energy_wh.sum())
        due_micro += sign * int(micro.sum())
    return Apart(net_wh, due_micro)


def _book(
    state: State, slot_s: int, commodity: Commodity, grid: int, accounts: Numbers, amounts: Numbers, memo: str
) -> None:
    """Book amounts from the grid to accounts; those below zero go the other way, and zeros not at all."""
    for given in (True, False):
        here = amounts > 0 if given else amounts < 0
        if not here.any():
            continue
        others, grids = accounts[here], np.full(int(here.sum()), grid)
        state.post_many(
            Postings(
                commodity=commodity,
                accounts=state.accounts,
                sources=grids if given else others,
                targets=others if given else grids,
                amounts=np.abs(amounts[here]),
                memo=memo,
                slot_s=slot_s,
            )
        )

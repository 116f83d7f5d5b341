"""Rules that settle a slot: tokens first, then trades, then the grid, and the feeder's difference to the losses."""

from collections.abc import Mapping, Sequence

import numpy as np

from commonwatt.flows.rulebook.columns import columns
from commonwatt.flows.rulebook.market.auctions import awarding
from commonwatt.flows.rulebook.market.watt_book import follow
from commonwatt.flows.rulebook.settlement import equalising, sharing
from commonwatt.flows.rulebook.settlement.settling_many import plain_connections, settle_plain, trades_apart
from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.tokens import storage
from commonwatt.flows.rulebook.tokens.paying import MOST_ERGON_MICRO
from commonwatt.kernels.slot_orders import SELLS
from commonwatt.market.slot_rows import order_id
from commonwatt.metering.table import UNTOLD, SlotReadings
from commonwatt.model import (
    GRID_FEES,
    SLOT_SECONDS,
    AssetId,
    Commodity,
    Memo,
    Reading,
    Trade,
    cost_micro,
)
from commonwatt.settlement.settle import NO_SUN, PointReading, SoldAsSun, settle_slot

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
        if state.slot_market.settled(slot_s):
            state.wallets.moved = None  # whatever the slot's orders had reserved is free again
        awarding.slot_settled(state, slot_s)
        sharing.let_go(state)
        equalising.close(state, slot_s)
        follow(state, stamped_s)


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
    table = columns(state)
    connected = table.connection & slot.told()
    agreed = state.auctions.trades(slot_s)
    imbalance = sharing.imbalance_prices(state, slot_s)
    plain = plain_connections(state, slot_s, connected, many, agreed)
    if imbalance is not None or sharing.one_by_one(state, slot_s):
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
    trades = [*agreed, *trades_apart(state, slot_s, plain)]
    # A firm trade binds who kept silent too: what was not heard was neither sent nor taken.
    trades = [t for t in trades if imbalance is not None or (t.buyer in homes and t.seller in homes)]
    deliveries = storage.mint_and_burn(state, slot_s, told, homes)
    apart = settle_plain(state, slot, plain, bought, sold)
    shared = sharing.sharing_terms(state, slot_s)
    done = settle_slot(
        [
            PointReading(account=owner, import_wh=reading.import_wh, export_wh=reading.export_wh)
            for owner, reading in homes.items()
        ],
        feeder or (max(0, net_wh), max(0, -net_wh)),
        trades,
        deliveries,
        import_price=bought,
        export_price=sold,
        slot_s=slot_s,
        apart=apart,
        imbalance=imbalance,
        sharing=shared,
        as_sun=_as_sun(state, slot_s, trades),
    )
    state.sessions.note_bought(
        slot_s,
        [
            *((wh, trade.price_micro_per_kwh) for trade, wh in zip(trades, done.delivered, strict=True)),
            (sharing.bought_wh(done.entries), shared.price_micro_per_kwh),
        ],
    )
    equalising.compare(state, homes, trades, deliveries, done, (bought, sold))
    for entry in done.entries:
        state.post(entry)
    for trade, wh in zip(trades, done.delivered, strict=True):
        fee = cost_micro(wh, trade.fee_micro_per_kwh)
        ref = f"{trade.bid}/{trade.ask}"
        state.move(Commodity.ERGON, trade.buyer, GRID_FEES, fee, slot_s=slot_s, memo=Memo.GRID_FEE, ref=ref)
    state.losses_wh[slot_s] = done.losses_wh


def _as_sun(state: State, slot_s: int, trades: Sequence[Trade]) -> SoldAsSun:
    """Return which trades were sold as sun, and how much their sellers had to sell (row M1).

    A firm trade is not smaller for it: what the roof did not make is the seller's lack, like any other.
    """
    rows = state.slot_market.rows(slot_s)
    sunny = {order_id(row) for row in rows[(rows["flags"] & SELLS != 0) & (rows["source"] > 0)]}
    places = frozenset(n for n, trade in enumerate(trades) if trade.ask in sunny)
    if not places:
        return NO_SUN
    sellers = {trades[n].seller for n in places}
    return SoldAsSun(
        trades=places, sun_wh={seller: storage.sun_to_sell_wh(state, slot_s, seller) for seller in sellers}
    )

"""Rules that settle the connections with nothing behind them, whole columns at once: trades, then the grid."""

from collections.abc import Sequence

import numpy as np

from commonwatt.flows.rulebook.columns import Flags, Numbers, columns
from commonwatt.flows.rulebook.market.traders import traders
from commonwatt.flows.rulebook.state import State
from commonwatt.kernels.money import costs_micro
from commonwatt.kernels.settling import deliver
from commonwatt.ledger.sheet import Sheet
from commonwatt.market.slot_rows import Rows
from commonwatt.metering.table import SlotReadings
from commonwatt.model import GRID_FEES, MARKET, Commodity, Memo, Trade
from commonwatt.settlement.settle import NOBODY_APART, Apart

NOWHERE = -1


def plain_connections(state: State, slot_s: int, connected: Flags, many: int, agreed: Sequence[Trade] = ()) -> Flags:
    """Tell which connections are settled as columns: nothing behind them, no WATT to call, and partners likewise.

    Args:
        state: Before the slot is settled.
        slot_s: The slot.
        connected: Which meters are connections that told something.
        many: From how many connections on it is worth it.
        agreed: Trades of the slot that were not made in its market.
    """
    if int(connected.sum()) < many:
        return np.zeros_like(connected)
    table = columns(state)
    plain = connected & table.alone
    plain &= state.accounts.column(Commodity.WATT)[table.account] == 0
    for account in {account for trade in agreed for account in (trade.buyer, trade.seller)}:
        if account in state.connections:
            plain[state.readings.number(state.connections[account])] = False
    buyer, seller = _meters(state, state.slot_market.trades(slot_s), slot_s)
    while True:
        # Who trades with somebody that is settled one by one is settled with them; and so on.
        here = [(place != NOWHERE) & plain[place] for place in (buyer, seller)]
        mixed = here[0] != here[1]
        if not mixed.any():
            return plain
        plain[buyer[mixed & here[0]]] = plain[seller[mixed & here[1]]] = False


def trades_apart(state: State, slot_s: int, plain: Flags) -> list[Trade]:
    """Return the slot's trades between those who are not settled as columns, in their order."""
    if not plain.any():
        clearing = state.slot_market.clearing(slot_s)
        return list(clearing.trades) if clearing else []
    rows = state.slot_market.trades(slot_s)
    buyer, seller = _meters(state, rows, slot_s)
    apart = ~(((buyer != NOWHERE) & plain[buyer]) | ((seller != NOWHERE) & plain[seller]))
    return state.slot_market.told(slot_s, rows[apart])


def settle_plain(state: State, slot: SlotReadings, plain: Flags, bought: int, sold: int) -> Apart:
    """Book what plain connections traded with each other, took from the grid and gave to it; return what it came to.

    Args:
        state: Changed in place.
        slot: Believed readings.
        plain: Which connections, see `plain_connections`.
        bought: What the grid takes, in micro per kWh.
        sold: What it gives.
    """
    if not plain.any():
        return NOBODY_APART
    import_wh, export_wh = np.zeros(len(plain), np.int64), np.zeros(len(plain), np.int64)
    import_wh[plain], export_wh[plain] = slot.import_wh[plain], slot.export_wh[plain]
    rows = state.slot_market.trades(slot.slot_s)
    buyer, seller = _meters(state, rows, slot.slot_s)
    here = (buyer != NOWHERE) & plain[buyer] & (seller != NOWHERE) & plain[seller]
    made = rows[here]
    bought_wh, sold_wh, traded_micro, got_wh = deliver(made, buyer[here], seller[here], import_wh, export_wh)
    state.sessions.note_bought(slot.slot_s, zip(got_wh.tolist(), made["price"].tolist(), strict=True))
    grid_micro = costs_micro(export_wh, sold) - costs_micro(import_wh, bought)
    told = np.flatnonzero(plain & ((bought_wh | sold_wh | import_wh | export_wh) != 0))
    if not len(told):
        return NOBODY_APART
    state.post_sheet(
        Sheet(
            slot_s=slot.slot_s,
            members=columns(state).account[told],
            bought_wh=bought_wh[told],
            sold_wh=sold_wh[told],
            import_wh=import_wh[told],
            export_wh=export_wh[told],
            traded_micro=traded_micro[told],
            grid_micro=grid_micro[told],
        )
    )
    fees_micro = -int(traded_micro.sum())
    state.move(Commodity.ERGON, MARKET, GRID_FEES, fees_micro, slot_s=slot.slot_s, memo=Memo.GRID_FEE)
    return Apart(int(import_wh.sum() - export_wh.sum()), -int(grid_micro.sum()))


def _meters(state: State, trades: Rows, slot_s: int) -> tuple[Numbers, Numbers]:
    """Return the places of the connections of each trade's buyer and seller; `NOWHERE` where one has none."""
    owners, place = state.slot_market.rows(slot_s)["owner"], traders(state).meter
    return place[owners[trades["bid"]]], place[owners[trades["ask"]]]

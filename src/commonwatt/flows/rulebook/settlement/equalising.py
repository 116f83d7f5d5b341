"""Rules by which nobody is worse off: who paid more than the grid alone would have cost them is made whole.

For each home, slot by slot, what its own connection's meter says it would have paid alone, at the grid's two prices, is
compared with what it paid: trades, shares, grid fees and the grid. At the end of a day or month of the community's
clock those who paid more get the difference from those who paid less, pro rata and never more than these gained.
Where all gains are not enough, all are made whole in proportion to what they lack.

Two accounts make the price of a trade between themselves, so each side's is taken as no worse for them than the grid's
and no better than the grid's other price: nobody is made whole for what they agreed to, and no price moves a loss to
where others must make up for it. WATT is out for the same reason, what was paid for it and what was called for it.

Only what meters prove is compared. A battery's home alone would perhaps have charged at other times, and nobody can
know; so "alone" means the same import and export. What somebody pays for breaking their own word (imbalance) is not
made whole by others, nor is what a late or corrected reading costs: that is the grid's price, alone or not.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.tokens.paying import MOST_ERGON_MICRO
from commonwatt.model import (
    MARKET,
    SLOT_SECONDS,
    AccountId,
    Commodity,
    Memo,
    Reading,
    Trade,
    cost_micro,
    instant,
    share_wh,
)
from commonwatt.model.wall_clock import zone_of
from commonwatt.settlement.settle import Delivery, Settlement


def compare(
    state: State,
    homes: Mapping[AccountId, Reading],
    trades: Sequence[Trade],
    called: Sequence[Delivery],
    done: Settlement,
    prices: tuple[int, int],
) -> None:
    """Note what homes would have paid for a slot alone, and at which prices they traded; the rest is as it is booked.

    Args:
        state: Changed in place.
        homes: What each connection told.
        trades: The slot's.
        called: What was called for WATT: it is no part of the comparison.
        done: What trades came to.
        prices: What the grid takes and gives, in micro per kWh.
    """
    if state.gains is None:
        return
    bought, sold = prices
    paid = Counter[AccountId]()
    for delivery in called:
        paid[delivery.buyer] += cost_micro(delivery.energy_wh, bought)
        paid[delivery.seller] -= cost_micro(delivery.energy_wh, sold)
    for trade, sent_wh, took_wh in zip(trades, done.sent_wh, done.took_wh, strict=True):
        price = trade.price_micro_per_kwh
        paid[trade.seller] -= cost_micro(sent_wh, max(sold, min(price, bought)))
        paid[trade.buyer] += cost_micro(took_wh, min(bought, max(price, sold)))
    for account, home in homes.items():
        alone_micro = cost_micro(home.import_wh, bought) - cost_micro(home.export_wh, sold)
        state.gains[account] = state.gains.get(account, 0) + alone_micro - paid[account]


def close(state: State, slot_s: int) -> None:
    """Equalise where a slot that was just settled is the last of its day or month."""
    if state.gains is None or _period(state, slot_s) == _period(state, slot_s + SLOT_SECONDS):
        return
    gains, state.gains = state.gains, {}
    # In the order of registration: an odd micro goes to who came first, whatever their name.
    homes = [account for account in state.connections if account in gains]
    winners = {account: gains[account] for account in homes if gains[account] > 0}
    losers = {account: -gains[account] for account in homes if gains[account] < 0}
    room_micro = max(0, state.accounts.headroom(Commodity.ERGON) - 2 * MOST_ERGON_MICRO)
    pool_micro = min(sum(winners.values()), sum(losers.values()), room_micro)
    if not pool_micro:
        return
    for account, micro in zip(winners, share_wh(pool_micro, list(winners.values())), strict=True):
        state.move(Commodity.ERGON, account, MARKET, micro, slot_s=slot_s, memo=Memo.EQUALISATION)
    for account, micro in zip(losers, share_wh(pool_micro, list(losers.values())), strict=True):
        state.move(Commodity.ERGON, MARKET, account, micro, slot_s=slot_s, memo=Memo.EQUALISATION)


def _period(state: State, slot_s: int) -> tuple[int, int, int]:
    local: datetime = instant(slot_s).astimezone(zone_of(state.charter.timezone))
    return local.year, local.month, local.day if state.charter.settlement.equalise == "day" else 0

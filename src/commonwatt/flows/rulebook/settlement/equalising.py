"""Rules by which nobody is worse off: who paid more than the grid alone would have cost them is made whole.

For each home, slot by slot, what its own connection's meter says it would have paid alone, at the grid's two prices, is
compared with what it paid: trades, shares, grid fees, the grid, and WATT bought and sold. At the end of a day or month
of the community's clock those who paid more get the difference from those who paid less, pro rata and never more than
these gained. Where all gains are not enough, all are made whole in proportion to what they lack.

Only what meters prove is compared. A battery's home alone would perhaps have charged at other times, and nobody can
know; so "alone" means the same import and export. What somebody pays for breaking their own word (imbalance) is not
made whole by others, nor is what a late or corrected reading costs: that is the grid's price, alone or not.
"""

from datetime import datetime

from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.tokens.paying import MOST_ERGON_MICRO
from commonwatt.model import MARKET, SLOT_SECONDS, AccountId, Commodity, Memo, cost_micro, instant, share_wh
from commonwatt.model.wall_clock import zone_of


def compare(state: State, account: AccountId, import_wh: int, export_wh: int, prices: tuple[int, int]) -> None:
    """Note what a home would have paid for a slot alone; what it did pay is noted as it is booked (`State.post`)."""
    if state.gains is not None:
        alone_micro = cost_micro(import_wh, prices[0]) - cost_micro(export_wh, prices[1])
        state.gains[account] = state.gains.get(account, 0) + alone_micro


def close(state: State, slot_s: int) -> None:
    """Equalise where a slot that was just settled is the last of its day or month."""
    if state.gains is None or _period(state, slot_s) == _period(state, slot_s + SLOT_SECONDS):
        return
    gains, state.gains = state.gains, {}
    homes = [account for account in sorted(gains) if account in state.connections]
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

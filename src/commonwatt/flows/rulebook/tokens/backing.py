"""What an account can still give, and still take: balances without what is reserved, bid or needed elsewhere."""

import numpy as np

from commonwatt.flows.rulebook.state import State
from commonwatt.model import CHAIN_PORT, AccountId, Commodity, is_system
from commonwatt.tokens.tsl import right_wh, tsl_needed_micro


def free(state: State, account: AccountId, commodity: Commodity) -> int:
    """Return what an account can give of a token, in base units; below zero where more is promised than is there.

    ERGON that a bid of an unsettled slot may need is not free, nor what an order there may cost if it is not kept, nor
    what stands for asks without WATT; nor is TSL that WATT is stored on (row E3): who wants to part with the right to
    store parts with the WATT first.
    """
    left = available(state, account, commodity)
    if commodity is Commodity.ERGON:
        left -= state.slot_market.reserved_micro(account) + collateral_micro(state, account)
        left -= state.charter.settlement.stake_micro(state.slot_market.open_wh(account))
    elif commodity is Commodity.TSL:
        kept_wh = max(0, state.watt(account)) + state.neighbours.coming_wh(account)
        left -= tsl_needed_micro(kept_wh, state.charter.tsl_micro_per_kwh)
    return left


def collateral_micro(state: State, account: AccountId, more_wh: int = 0) -> int:
    """Return the ERGON that stands for what an account asks for in the WATT book beyond the WATT that it has.

    It is counted, not booked: free again as far as WATT comes, and once the asks are gone.

    Args:
        state: As it stands.
        account: Whose.
        more_wh: How much more it would ask for.
    """
    rate = state.charter.unbacked_micro_per_kwh
    if not rate or (account not in state.book and not more_wh):
        return 0
    over_wh = state.book.asked_wh(account) + more_wh - max(0, available(state, account, Commodity.WATT))
    return -(-max(0, over_wh) * rate // 1000)


def available(state: State, account: AccountId, commodity: Commodity) -> int:
    """Return a balance less what is reserved of it, in base units."""
    balance = state.accounts.balance(account, commodity)
    return state.wallets.transfers.available(account, commodity, balance)


def room_wh(state: State, account: AccountId) -> int:
    """Return how much more WATT an account may hold: up to B_max (row E6), and to what its TSL gives a right to.

    What is on its way from another community, or may come back, has its room already.
    """
    most_wh = state.charter.b_max_wh
    if state.charter.tsl_micro_per_kwh is not None:
        tsl_micro = max(0, available(state, account, Commodity.TSL))
        most_wh = min(most_wh, right_wh(tsl_micro, state.charter.tsl_micro_per_kwh))
    return most_wh - state.watt(account) - state.neighbours.coming_wh(account)


def outside(state: State, commodity: Commodity) -> int:
    """Return how much of a token is outside, in base units, as far as it went out of these books.

    WATT that was bought back meanwhile does not count.
    """
    return state.crossed.sent[commodity] + state.accounts.balance(CHAIN_PORT, commodity)


def holders(state: State) -> dict[AccountId, int]:
    """Return whoever has WATT and is no system account, in order of registration, and how much in Wh."""
    watt = state.accounts.column(Commodity.WATT)
    numbers = np.flatnonzero(watt > 0)
    held = zip(state.accounts.names(numbers.tolist()), watt[numbers].tolist(), strict=True)
    own = [(account, wh) for account, wh in held if not is_system(account)]
    return dict(sorted(own, key=lambda one: state.keys.place(one[0])))

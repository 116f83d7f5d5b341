"""What an account can still give, and still take: balances without what is reserved, bid or needed elsewhere."""

from commonwatt.flows.rulebook.state import State
from commonwatt.model import AccountId, Commodity
from commonwatt.tokens.tsl import right_wh, tsl_needed_micro


def free(state: State, account: AccountId, commodity: Commodity) -> int:
    """Return what an account can give of a token, in base units; below zero where more is promised than is there.

    ERGON that a bid of an unsettled slot may need is not free, nor what unbacked asks and seals reserve, nor is TSL
    that WATT is stored on (row E3): who wants to part with the right to store parts with the WATT first.
    """
    left = available(state, account, commodity)
    if commodity is Commodity.ERGON:
        left -= state.slot_market.reserved_micro(account) + state.seals.count(account) * state.charter.seal_micro
        left -= collateral_micro(state, unbacked_wh(state, account))
    elif commodity is Commodity.TSL:
        left -= tsl_needed_micro(max(0, state.watt(account)), state.charter.tsl_micro_per_kwh)
    return left


def unbacked_wh(state: State, account: AccountId, more_wh: int = 0) -> int:
    """Return for how many Wh an account's asks in the WATT book are beyond what it has, were there some more."""
    asked_wh = state.book.asked_wh(account) + more_wh
    return max(0, asked_wh - max(0, free(state, account, Commodity.WATT))) if asked_wh else 0


def collateral_micro(state: State, energy_wh: int) -> int:
    """Return what unbacked asks reserve, in micro, rounded up: no ask is too small for it."""
    return -(-energy_wh * state.charter.collateral_micro_per_kwh // 1000)


def available(state: State, account: AccountId, commodity: Commodity) -> int:
    """Return a balance less what is reserved of it, in base units."""
    balance = state.accounts.balance(account, commodity)
    return state.wallets.transfers.available(account, commodity, balance)


def room_wh(state: State, account: AccountId) -> int:
    """Return how much more WATT an account may hold: up to B_max (row E6), and to what its TSL gives a right to."""
    most_wh = state.charter.b_max_wh
    if state.charter.tsl_micro_per_kwh is not None:
        tsl_micro = max(0, available(state, account, Commodity.TSL))
        most_wh = min(most_wh, right_wh(tsl_micro, state.charter.tsl_micro_per_kwh))
    return most_wh - state.watt(account)

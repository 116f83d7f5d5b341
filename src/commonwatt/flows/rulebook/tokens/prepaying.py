"""Rules for balances that have fallen: a top-up is asked for, a notice is due, a meter is switched (rows H2, H4).

A valid reading is never refused for lack of balance: it books an overdraft, and the grace of the meter begins. What
is asked for stands in the state until it is answered: who collects money, sends notices and switches meters reads it
there (`State.wallets`: top-ups asked for, accounts told, meters away from enabled).
"""

from commonwatt.flows.rulebook.state import State
from commonwatt.model import SLOT_SECONDS, AccountId


def watch(state: State, stamped_s: int) -> None:
    """Look at every account whose ERGON has changed in this commit, and at every meter whose grace has run out."""
    low, switch = state.wallets.low, state.wallets.switch
    for account in state.wallets.take_touched(state.accounts):
        if not state.has_wallet(account):
            continue
        balance_micro = state.ergon(account)
        if account in state.wallets.mandates:
            _top_up(state, account, balance_micro, stamped_s)
        if low:
            low[2].look(account, balance_micro)
        if switch and account in state.connections:
            _look(state, account, stamped_s)
    if switch:
        for account in switch[2].due(stamped_s):
            _look(state, account, stamped_s)


def _top_up(state: State, account: AccountId, balance_micro: int, stamped_s: int) -> None:
    """Ask for a top-up where one is due, under a name that no other has: since the last came an entry, or time."""
    topups = state.wallets.topups
    asked = topups.asked(account)
    if asked is None or asked.until_s <= stamped_s:
        name = f"{account}.{stamped_s}.{state.journal.count}"
        topups.ask(name, account, balance_micro, stamped_s, lasts_s=state.charter.topup_lasts_s)


def sure_to_s(state: State, account: AccountId) -> int:
    """Return the start of the first slot that is not certain for an account, seconds since 1970.

    One that is not settled; or one that is, without a measurement of the account's own connection, as long as that may
    still come. Too long ago to be corrected is certain.
    """
    connection = state.connections[account]
    earliest_s = state.settled_to_s - state.charter.correction_slots * SLOT_SECONDS
    for slot_s in range(max(earliest_s, state.joined_s[connection]), state.settled_to_s, SLOT_SECONDS):
        slot = state.readings.get(slot_s)
        if slot is None or connection not in slot or not slot.quality_of(connection).mints:
            return slot_s
    return state.settled_to_s


def _look(state: State, account: AccountId, stamped_s: int) -> None:
    assert state.wallets.switch
    threshold_micro, _, switch = state.wallets.switch
    balance_micro = state.ergon(account)
    # How far the past is certain takes a search, and matters only where a grace may end.
    sure_s = sure_to_s(state, account) if balance_micro <= threshold_micro else state.settled_to_s
    pending = state.wallets.topups.pending(account, stamped_s)
    switch.look(account, balance_micro, stamped_s, sure_to_s=sure_s, pending=pending)

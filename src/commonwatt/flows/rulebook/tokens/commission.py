"""Rules for TSL: where it comes from, and the commission on stored WATT, quarter-hour by quarter-hour (row E3).

A quarter-hour ends by the log's time: what was held in it is counted then, and waits until its slot is settled, for
only then is it known what storage was metered in it. WATT that settlement mints or burns is held, or no longer held,
from the moment at which it is booked.
"""

from collections.abc import Iterable

from commonwatt.flows.rulebook.columns import columns
from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.tokens.backing import available, holders
from commonwatt.model import (
    COMMISSION_POOL,
    EDUCATION_POT,
    MINT,
    SLOT_SECONDS,
    VAULT,
    AccountId,
    AssetId,
    Commodity,
    Memo,
)
from commonwatt.tokens import tsl


def close_quarters(state: State, stamped_s: int) -> None:
    """Count what was held in every quarter-hour that has ended by now."""
    held, quarters = state.wallets.held, state.wallets.quarters
    if held is None or held.start_s + SLOT_SECONDS > stamped_s:
        return
    held_wh, first_s = holders(state), held.start_s
    quarters[first_s] = held.close(first_s, held_wh)
    second_s, running_s = held.start_s, stamped_s // SLOT_SECONDS * SLOT_SECONDS
    if second_s < running_s:
        # Nothing has changed since: all later ones are alike, however long the log was silent.
        alike = held.close(second_s, held_wh)
        quarters |= dict.fromkeys(range(second_s, running_s, SLOT_SECONDS), alike)
        state.wallets.held = tsl.HeldTime(running_s)


def charge(state: State, slots: Iterable[int]) -> None:
    """Let holders pay for the quarter-hours of settled slots, and share it 80 : 10 : 10."""
    if state.wallets.held is None:
        return
    for slot_s in slots:
        held = state.wallets.quarters.pop(slot_s)
        carried_micro = state.tsl(COMMISSION_POOL)
        if not held and not carried_micro:
            continue
        done = tsl.commission(
            held,
            state.charter.commission_micro_per_kwh,
            {account: available(state, account, Commodity.TSL) for account in held},
            _stored(state, slot_s),
            carried_micro=carried_micro,
        )
        for paid in done.payments:
            memo = Memo.COMMISSION if paid.target == COMMISSION_POOL else Memo.COMMISSION_SHARE
            state.move(Commodity.TSL, paid.source, paid.target, paid.amount_micro, slot_s=slot_s, memo=memo)


def endow(state: State, slot_s: int) -> None:
    """Book all the TSL there will ever be to the vault, and what the charter gives to the education pot."""
    state.move(Commodity.TSL, MINT, VAULT, tsl.TOTAL_MICRO, slot_s=slot_s, memo=Memo.GENESIS)
    given_micro = state.charter.education_tsl_micro
    state.move(Commodity.TSL, VAULT, EDUCATION_POT, given_micro, slot_s=slot_s, memo=Memo.ENDOWMENT)


def welcome(state: State, account: AccountId, slot_s: int) -> None:
    """Give a new member what the charter gives: from the vault, and from the education pot."""
    charter = state.charter
    for source, wanted_micro, memo in (
        (VAULT, charter.member_tsl_micro, Memo.INITIAL_DISTRIBUTION),
        (EDUCATION_POT, charter.welcome_grant_micro, Memo.WELCOME_GRANT),
    ):
        granted_micro = tsl.welcome_grant_micro(state.tsl(source), wanted_micro)
        state.move(Commodity.TSL, source, account, granted_micro, slot_s=slot_s, memo=memo)


def _stored(state: State, slot_s: int) -> dict[AccountId, int]:
    """Return twice the mean metered Wh of each owner's batteries in a slot: the level before it plus that after it.

    What no meter saw counts for nothing: an estimate, a silent battery. Where only the level before is unknown, the
    one after stands for both. A level that comes late or is corrected later changes no share.
    """
    stored_wh: dict[AccountId, int] = {}
    for battery in columns(state).batteries:
        after_wh = _level_wh(state, slot_s, battery.id)
        if after_wh is not None:
            before_wh = _level_wh(state, slot_s - SLOT_SECONDS, battery.id)
            twice_wh = after_wh + (after_wh if before_wh is None else before_wh)
            stored_wh[battery.owner] = stored_wh.get(battery.owner, 0) + twice_wh
    return stored_wh


def _level_wh(state: State, slot_s: int, asset: AssetId) -> int | None:
    slot = state.readings.get(slot_s)
    if slot is None or asset not in slot or not slot.quality_of(asset).mints:
        return None
    return slot[asset].level_wh

"""Rules for what the operator earns: a commission per kWh that storage takes in and gives out (row W7).

The owner of a battery or a vehicle owes it for each slot that settles, by what is believed of the asset's own meter:
each direction's energy times its rate, rounded once to whole micro, halves to even (`model.cost_micro`), and nothing
carried over. A late or corrected reading books the difference between what its whole reading owes and what the one
before it did. Who has no balance owes all the same, as for energy.

A premium licence waives it for the slots that it covers: the operator grants one, or whoever owns the storage buys
months of 30 days at the charter's price. What is bought begins with the running slot and comes on top of what is held
already. A licence is never taken back.
"""

import numpy as np

from commonwatt.flows.rulebook.charging.licence_bodies import BuyLicence, Licence, LicenceBody
from commonwatt.flows.rulebook.charging.licences import Waived
from commonwatt.flows.rulebook.columns import columns
from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.tokens.backing import free
from commonwatt.model import (
    MAX_SAFE_INTEGER,
    SLOT_SECONDS,
    AccountId,
    Asset,
    Commodity,
    Memo,
    Outcome,
    Reading,
    Request,
    cost_micro,
)

OPERATOR = AccountId("operator")
MONTH_S = 30 * 86_400
LONGEST_S = 3_660 * 86_400
"""How far ahead a licence may reach."""
OWED, CORRECTED, BOUGHT = Memo.OPERATOR_COMMISSION, Memo.OPERATOR_COMMISSION_CORRECTED, Memo.LICENCE


def charge(state: State, slots: range) -> None:
    """Let owners of storage owe what settled slots come to."""
    if not slots:
        return
    if _is_rated(state):
        for slot_s in slots:
            slot = state.readings.get(slot_s)
            if slot is None:
                continue
            for place in np.flatnonzero(columns(state).meters.stores & slot.told()).tolist():
                asset = state.assets[state.readings.meters[place]]
                _owe(state, slot_s, asset, due_micro(state, slot[asset.id]), OWED)
    state.licences.forget_before(state.horizon_s)


def correct(state: State, slot_s: int, asset: Asset, older: Reading, reading: Reading) -> None:
    """Book what a reading of a settled slot changes."""
    if asset.stores and _is_rated(state):
        _owe(state, slot_s, asset, due_micro(state, reading) - due_micro(state, older), CORRECTED)


def due_micro(state: State, reading: Reading) -> int:
    """Return what a reading of storage owes the operator, licences apart."""
    rates = state.charter
    charged_micro = cost_micro(reading.import_wh, rates.operator_micro_per_kwh_charged)
    return charged_micro + cost_micro(reading.export_wh, rates.operator_micro_per_kwh_discharged)


def licence(state: State, request: Request, body: LicenceBody, stamped_s: int) -> Outcome:
    """Grant a licence, or sell one."""
    if isinstance(body, Licence):
        return _grant(state, request, body, stamped_s)
    return _sell(state, request, body, stamped_s)


def _is_rated(state: State) -> bool:
    return state.charter.operator_micro_per_kwh_charged > 0 or state.charter.operator_micro_per_kwh_discharged > 0


def _owe(state: State, slot_s: int, asset: Asset, micro: int, memo: Memo) -> None:
    if not micro or asset.owner == OPERATOR:
        return
    if state.licences.holds(asset.owner, slot_s):
        if state.licences.waived is not None:
            state.licences.waived.append(Waived(slot_s=slot_s, owner=asset.owner, asset=asset.id, micro=micro))
    elif _has_room(state, asset.owner, micro):
        state.move(Commodity.ERGON, asset.owner, OPERATOR, micro, slot_s=slot_s, memo=memo, ref=asset.id)


def _has_room(state: State, account: AccountId, micro: int) -> bool:
    """Tell whether the books can hold it: they end at 2^53-1, and a log that stopped there would never start again."""
    return all(abs(state.ergon(who)) + abs(micro) <= MAX_SAFE_INTEGER for who in (account, OPERATOR))


def _grant(state: State, request: Request, body: Licence, stamped_s: int) -> Outcome:
    account = AccountId(body.account)
    if request.author != state.operator:
        return Outcome.NOT_ALLOWED
    if not state.has_wallet(account):
        return Outcome.UNKNOWN_THING
    if body.from_s < _running(stamped_s):
        return Outcome.TOO_LATE  # a slot that may be settled has paid already
    if body.until_s <= body.from_s or body.until_s > stamped_s + LONGEST_S:
        return Outcome.OVER_LIMIT
    until_s = _running(body.until_s + SLOT_SECONDS - 1)
    granted = state.licences.grant(account, _running(body.from_s), until_s)
    return Outcome.BOOKED if granted else Outcome.OVER_LIMIT


def _sell(state: State, request: Request, body: BuyLicence, stamped_s: int) -> Outcome:
    account, price_micro = request.on_behalf_of, state.charter.licence_micro_per_month
    if price_micro is None or account == OPERATOR or not state.has_wallet(account):
        return Outcome.NOT_ALLOWED
    owed_micro, from_s = body.months * price_micro, _running(stamped_s)
    if free(state, account, Commodity.ERGON) < owed_micro:
        return Outcome.NOT_BACKED
    until_s = state.licences.extended(account, from_s, body.months * MONTH_S)
    if until_s > stamped_s + LONGEST_S or not _has_room(state, account, owed_micro):
        return Outcome.OVER_LIMIT
    if not state.licences.grant(account, from_s, until_s):
        return Outcome.OVER_LIMIT
    state.move(Commodity.ERGON, account, OPERATOR, owed_micro, slot_s=from_s, memo=BOUGHT)
    return Outcome.BOOKED


def _running(moment_s: int) -> int:
    return moment_s // SLOT_SECONDS * SLOT_SECONDS

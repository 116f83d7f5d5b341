"""Rules for the operator's income: commission on what storage charges and discharges, and the licence that waives it.

For each slot, every battery and vehicle that a reading tells of owes its owner's commission to the account `OPERATOR`:
its Wh in and its Wh out at the charter's two rates, each rounded by itself as all money is (`cost_micro`, halves to
even), so that what one reading owes never depends on another, and nothing below one micro is carried on. It is owed
when the slot is settled; a late or corrected reading books the difference. Nobody is asked whether they have it: like
energy, it may come to be owed.

A licence waives it in every slot in which it holds, be it for one second of it. None begins in the past, so nothing
that was paid is waived afterwards, and a correction finds the licence that held in its slot. The operator grants it, or
a member buys it at the charter's price (row W7).
"""

from collections.abc import Iterable

import numpy as np

from commonwatt.flows.rulebook import licence_bodies as bodies
from commonwatt.flows.rulebook.backing import free
from commonwatt.flows.rulebook.columns import columns
from commonwatt.flows.rulebook.paying import MOST_ERGON_MICRO
from commonwatt.flows.rulebook.state import State
from commonwatt.kernels.money import costs_micro
from commonwatt.ledger.journal import Postings
from commonwatt.model import (
    MAX_SAFE_INTEGER,
    SLOT_SECONDS,
    AccountId,
    Asset,
    Commodity,
    Outcome,
    Reading,
    Request,
    cost_micro,
)

OPERATOR = AccountId("operator")
COMMISSION, BOUGHT = "operator commission", "licence"
"""Memos of what is owed for storage, and of what is paid for a licence."""
MONTH_S = 30 * 86_400
LONGEST_S = 10 * 366 * 86_400
"""How far ahead a licence may reach."""
MOST_SPANS = 8
"""Licences of one account that a slot at hand may need."""


def licence(state: State, request: Request, body: bodies.LicenceBody, position: int, stamped_s: int) -> Outcome:
    """Take in the operator's grant of a licence, or sell one."""
    if isinstance(body, bodies.BuyLicence):
        return _buy(state, request, body, position, stamped_s)
    if request.author != state.operator:
        return Outcome.NOT_ALLOWED
    account = AccountId(body.account)
    if not state.has_wallet(account):
        return Outcome.UNKNOWN_THING
    if body.from_s < stamped_s or body.until_s <= body.from_s:
        return Outcome.TOO_LATE
    return _license(state, account, body.from_s, body.until_s, stamped_s)


def charge(state: State, slots: Iterable[int]) -> None:
    """Let the owners of storage owe their commission for slots that were just settled."""
    charter = state.charter
    if not (charter.operator_micro_per_kwh_charged or charter.operator_micro_per_kwh_discharged):
        return
    table, accounts = columns(state), state.accounts
    operator = accounts.number(OPERATOR)
    for slot_s in slots:
        slot = state.readings.get(slot_s)
        if slot is None:
            continue
        places = np.flatnonzero(table.meters.stores[: len(slot.quality)] & slot.told())
        owners = table.account[places]
        owed = costs_micro(slot.import_wh[places].astype(np.int64), charter.operator_micro_per_kwh_charged)
        owed = owed + costs_micro(slot.export_wh[places].astype(np.int64), charter.operator_micro_per_kwh_discharged)
        free_of_it = [accounts.number(account) for account in sorted(state.licences) if waived(state, account, slot_s)]
        owes = (owed > 0) & ~np.isin(owners, [*free_of_it, operator])
        if not owes.any() or int(owed[owes].sum(dtype=np.float64)) > _room_micro(state):
            continue
        state.post_many(
            Postings(
                commodity=Commodity.ERGON,
                accounts=accounts,
                sources=owners[owes],
                targets=np.full(int(owes.sum()), operator),
                amounts=owed[owes],
                memo=COMMISSION,
                slot_s=slot_s,
            )
        )


def correct(state: State, slot_s: int, asset: Asset, older: Reading | None, newer: Reading) -> None:
    """Book by how much a reading of a settled slot changes what its storage owes; see `late`."""
    if not asset.stores or asset.owner == OPERATOR or waived(state, asset.owner, slot_s):
        return
    more_micro = commission_micro(state, newer) - (commission_micro(state, older) if older else 0)
    if abs(more_micro) <= _room_micro(state):
        state.move(Commodity.ERGON, asset.owner, OPERATOR, more_micro, slot_s=slot_s, memo=COMMISSION, ref=asset.id)


def commission_micro(state: State, reading: Reading) -> int:
    """Return what a reading of storage owes where no licence waives it, in micro."""
    charter = state.charter
    charged_micro = cost_micro(reading.import_wh, charter.operator_micro_per_kwh_charged)
    return charged_micro + cost_micro(reading.export_wh, charter.operator_micro_per_kwh_discharged)


def waived(state: State, account: AccountId, slot_s: int) -> bool:
    """Tell whether an account has a licence in a slot, or in a part of it."""
    spans = state.licences.get(account, ())
    return any(from_s < slot_s + SLOT_SECONDS and slot_s < until_s for from_s, until_s in spans)


def _room_micro(state: State) -> int:
    """Return what the books have room for beside all else: what is beyond is not owed.

    They end at 2^53-1, a log that stopped there would never start again, and settlement itself comes first. Only rates
    and readings beyond all reason come near; a correction there takes a slot's commission as if it had been owed.
    """
    return state.accounts.headroom(Commodity.ERGON) - 4 * MOST_ERGON_MICRO


def _buy(state: State, request: Request, body: bodies.BuyLicence, position: int, stamped_s: int) -> Outcome:
    account, price_micro = request.on_behalf_of, state.charter.licence_micro_per_month
    if price_micro is None or state.keys[request.author].role != "member" or account == OPERATOR:
        return Outcome.NOT_ALLOWED
    owed_micro = body.months * price_micro
    if free(state, account, Commodity.ERGON) < owed_micro:
        return Outcome.NOT_BACKED
    if state.ergon(OPERATOR) + owed_micro > MAX_SAFE_INTEGER:
        return Outcome.OVER_LIMIT
    holds = (until_s for from_s, until_s in state.licences.get(account, ()) if from_s <= stamped_s < until_s)
    from_s = max(holds, default=stamped_s)
    outcome = _license(state, account, from_s, from_s + body.months * MONTH_S, stamped_s)
    if outcome is Outcome.BOOKED:
        slot_s = stamped_s // SLOT_SECONDS * SLOT_SECONDS
        state.move(Commodity.ERGON, account, OPERATOR, owed_micro, slot_s=slot_s, memo=BOUGHT, ref=str(position))
    return outcome


def _license(state: State, account: AccountId, from_s: int, until_s: int, stamped_s: int) -> Outcome:
    """Add a span to those of an account: what touches becomes one, what no reading can reach any more goes."""
    spans = list[tuple[int, int]]()
    for start_s, end_s in sorted([*state.licences.get(account, ()), (from_s, until_s)]):
        if spans and start_s <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(spans[-1][1], end_s)
        else:
            spans.append((start_s, end_s))
    needed = [span for span in spans if span[1] > state.horizon_s]
    if len(needed) > MOST_SPANS or until_s > stamped_s + LONGEST_S:
        return Outcome.OVER_LIMIT
    state.licences[account] = tuple(spans if state.journal.keep else needed)
    return Outcome.BOOKED

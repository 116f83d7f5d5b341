"""Rules for batches of orders for slots: many at once as whole arrays, each batch whole or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from commonwatt.flows.rulebook.market import fuses
from commonwatt.flows.rulebook.market.slot_market import MOST_AHEAD_S, slot_refused
from commonwatt.flows.rulebook.market.traders import Numbers, Traders, traders
from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.tokens.backing import free
from commonwatt.kernels.slot_orders import NO_SOURCE, NO_SUCH_SLOT, TAKEN, TOO_MUCH, asked_micro, by_slot, stakes_micro
from commonwatt.market.call.staged import NOBODY
from commonwatt.market.order_batch import ORDER_BYTES, ORDER_DTYPE
from commonwatt.market.slot_rows import Batched
from commonwatt.model import SLOT_SECONDS, AccountId, Commodity, Outcome, Side

_WHY = {
    NO_SUCH_SLOT: Outcome.TOO_LATE,
    TOO_MUCH: Outcome.OVER_LIMIT,
    TAKEN: Outcome.ALREADY_THERE,
    NO_SOURCE: Outcome.NOT_ALLOWED,
}
_UNKNOWN_SLOT, _NO_MONEY, _NO_PARTNER, _OWN_PARTNER = range(len(_WHY) + 1, len(_WHY) + 5)
_WHY |= {
    _UNKNOWN_SLOT: Outcome.UNKNOWN_THING,
    _NO_MONEY: Outcome.NOT_BACKED,
    _NO_PARTNER: Outcome.UNKNOWN_THING,
    _OWN_PARTNER: Outcome.NOT_ALLOWED,
}
_CODES = {outcome: code for code, outcome in reversed(_WHY.items())}


@dataclass(slots=True)
class OrderBatch:
    """One admitted batch of orders: whose, where it stands, and its packed records."""

    owner: AccountId
    position: int
    items: bytes
    partner: AccountId | None = None
    outcome: Outcome = Outcome.BOOKED


def apply_batches(state: State, batches: Sequence[OrderBatch], stamped_s: int) -> None:
    """Take in several batches of orders, as if one came after the other; each whole or not at all."""
    at = 0
    while at < len(batches):
        to, seen = at, set[AccountId]()
        while to < len(batches) and batches[to].owner not in seen:
            seen.add(batches[to].owner)
            to += 1
        _apply_apart(state, batches[at:to], stamped_s)
        at = to


def _apply_apart(state: State, batches: Sequence[OrderBatch], stamped_s: int) -> None:
    """Take in batches of different owners: whether one fits does not depend on the others."""
    market, told = state.slot_market, _columns(state, batches)
    known = traders(state)
    first_s = (stamped_s - state.charter.gate_s) // SLOT_SECONDS * SLOT_SECONDS
    slots = MOST_AHEAD_S // SLOT_SECONDS + 2
    places, ends = by_slot(told.records, first_s, slots, SLOT_SECONDS)
    runs = [
        (first_s + int(n) * SLOT_SECONDS, places[ends[n] : ends[n + 1]])
        for n in np.flatnonzero(np.diff(ends[: slots + 1]))
    ]
    told.why[told.whose[places[ends[slots] :]]] = NO_SUCH_SLOT
    owners = zip(told.owners.tolist(), (batch.owner for batch in batches), strict=True)
    auctioning = [(number, owner) for number, owner in owners if state.auctions.of(owner)]
    for slot_s, here in runs:
        most_in_wh, most_out_wh = _most_wh(state, auctioning, known, slot_s)
        market.judge(slot_s, here, told, most_in_wh, most_out_wh, known.makes)
    for slot_s, here in runs:
        if outcome := slot_refused(state, slot_s, stamped_s):
            told.why[told.whose[here]] = _CODES[outcome]
    _judge_owners(state, batches, told, known)
    for n in np.flatnonzero(told.why).tolist():
        batches[n].outcome = _WHY[int(told.why[n])]
    for slot_s, here in runs:
        market.write(slot_s, here, told)


def _most_wh(
    state: State, auctioning: Sequence[tuple[int, AccountId]], known: Traders, slot_s: int
) -> tuple[Numbers, Numbers]:
    """Return what each account's connection can take and give in a slot, less what some of them auctioned."""
    if not auctioning:
        return known.most_in_wh, known.most_out_wh
    most_in_wh, most_out_wh = known.most_in_wh.copy(), known.most_out_wh.copy()
    for number, owner in auctioning:
        most_in_wh[number] -= fuses.auctioned_wh(state, owner, Side.BID, slot_s)
        most_out_wh[number] -= fuses.auctioned_wh(state, owner, Side.ASK, slot_s)
    return most_in_wh, most_out_wh


def _columns(state: State, batches: Sequence[OrderBatch]) -> Batched:
    market = state.slot_market
    begins = np.zeros(len(batches) + 1, np.int64)
    np.cumsum([len(batch.items) // ORDER_BYTES for batch in batches], out=begins[1:])
    owners = [market.number(batch.owner) for batch in batches]
    partners = [NOBODY if batch.partner is None else market.number(batch.partner) for batch in batches]
    return Batched(
        records=np.frombuffer(b"".join(batch.items for batch in batches), ORDER_DTYPE),
        begins=begins,
        whose=np.repeat(np.arange(len(batches)), np.diff(begins)),
        owners=np.array(owners, np.int32),
        partners=np.array(partners, np.int32),
        positions=np.array([batch.position for batch in batches], np.int64),
        why=np.zeros(len(batches), np.uint8),
    )


def _judge_owners(state: State, batches: Sequence[OrderBatch], told: Batched, known: Traders) -> None:
    """Refuse batches of owners without the money, or with a partner that there is not."""
    rate, open_wh = state.charter.settlement.stake_micro_per_kwh, state.slot_market.open_of(told.owners)
    asked = asked_micro(told.records, told.begins, open_wh, rate)
    for n in np.flatnonzero(asked > _free_micro(state, batches, told, known)).tolist():
        # Whoever has reserved something has less: all others were looked at as a whole.
        if asked[n] > max(0, free(state, batches[n].owner, Commodity.ERGON)):
            told.why[n] = _NO_MONEY
    for n in np.flatnonzero(told.partners != NOBODY).tolist():
        partner = batches[n].partner
        if partner == batches[n].owner:
            told.why[n] = _OWN_PARTNER
        elif partner is None or not state.keys.has_role(partner, "member"):
            told.why[n] = _NO_PARTNER


def _free_micro(state: State, batches: Sequence[OrderBatch], told: Batched, known: Traders) -> Numbers:
    """Return what each batch's owner can give; of who has reservations nothing, to be looked at closer."""
    held = state.accounts.column(Commodity.ERGON)[known.account[told.owners]]
    left = held - state.slot_market.reserved_of(told.owners)
    left -= stakes_micro(state.slot_market.open_of(told.owners), state.charter.settlement.stake_micro_per_kwh)
    promised = state.charter.unbacked_micro_per_kwh > 0
    if state.wallets.any_pending or promised:
        left[
            [
                n
                for n, b in enumerate(batches)
                if state.wallets.pending_of(b.owner) or (promised and b.owner in state.book)
            ]
        ] = 0
    free_micro: Numbers = np.maximum(left, 0)
    return free_micro

"""Rules that settle charging sessions: what they come to is booked once, all of it, and told on a receipt (row E9).

See `charging` for the steps of a session and for what is waited for.
"""

from collections.abc import Iterable
from dataclasses import replace

from commonwatt.flows.rulebook.sessions import NEVER_S, Fed, Session, in_order
from commonwatt.flows.rulebook.state import State
from commonwatt.ledger.transfers import FOR_EVER_S, Transfer
from commonwatt.metering.check import ROUNDING_WH
from commonwatt.model import SLOT_SECONDS, Asset, Commodity
from commonwatt.settlement.charging import NOTHING, Bill, Mix, Receipt, bill, differences, fit, receipt_lines


def settle(state: State, slots: Iterable[int], stamped_s: int) -> None:
    """Tell prices and sources of slots that were just settled, and settle every session that is ripe."""
    known = state.charging
    if not known.stations:
        return
    closed = list(slots)
    for slot_s in closed:
        known.fed.setdefault(slot_s, Fed()).price_micro_per_kwh = standard_price(state, slot_s)
    if closed or stamped_s >= known.ripe_s:
        known.ripe_s = NEVER_S
        for one in in_order(known.sessions.values()):
            if one.stopped_s is not None and _last_slot_s(one) < state.settled_to_s:
                _settle(state, one, stamped_s)
            if one.stopped_s is not None and one.settled is None:
                known.ripe_s = min(known.ripe_s, _grace_ends_s(state, one))
    known.forget_before(state.settled_to_s)


def standard_price(state: State, slot_s: int) -> int:
    """Return a slot's price in the community, micro per kWh: what neighbours traded at, else what the grid takes.

    Zero where neither is known: a slot in which nothing at all was read can be settled without a price.
    """
    clearing = state.clearings.get(slot_s)
    if clearing is not None and clearing.trades and clearing.price_micro_per_kwh is not None:
        return clearing.price_micro_per_kwh
    return state.prices.get(slot_s, (0, 0))[0]


def forget(state: State, one: Session) -> None:
    """Let go of a session of which nothing can change any more, and of what is still reserved for it."""
    state.wallets.release(_reserved_as(one.id))
    del state.charging.sessions[one.id]


def reserve(state: State, one: Session, amount_micro: int) -> None:
    """Set aside at the car what a session may still cost."""
    if amount_micro:
        reserved = Transfer(
            id=_reserved_as(one.id),
            commodity=Commodity.ERGON,
            source=one.car,
            target=one.station,
            amount=amount_micro,
            until_s=FOR_EVER_S,
        )
        state.wallets.reserve(reserved)


def meter_of(state: State, one: Session) -> Asset:
    """Return the meter of a session's station."""
    return state.assets[state.charging.stations[one.station].meter]


def possible_wh(meter: Asset, seconds: int) -> int:
    """Return what a meter's connection can carry in so many seconds, in Wh."""
    return meter.max_import_w * seconds // 3600 + ROUNDING_WH


def _settle(state: State, one: Session, stamped_s: int) -> None:
    """Settle a session whose slots are all settled: by its meter, or after the grace by what was streamed."""
    if one.metered is not None:
        _pay(state, one, final=True)
        return
    if one.settled is None and stamped_s >= _grace_ends_s(state, one):
        _pay(state, one, final=False)
    # After a long silence of the whole log both come at once.
    if state.charging.sessions[one.id].settled is not None and _last_slot_s(one) < state.horizon_s:
        forget(state, one)


def _pay(state: State, one: Session, *, final: bool) -> None:
    """Book what a session comes to, or by how much that differs from what was booked: all of it, or nothing."""
    known = state.charging
    assert one.started_s is not None
    assert one.stopped_s is not None
    total_wh = _total_wh(state, one)
    told = fit(one.streamed, one.started_s, one.counted_s, one.stopped_s, total_wh)
    due = bill(
        told,
        {slot_s: fed.price_micro_per_kwh or 0 for slot_s, fed in known.fed.items()},
        fee_micro_per_kwh=one.fee.micro_per_kwh,
        fee_micro_per_session=one.fee.micro_per_session,
        most_wh=one.most_wh,
        most_micro=one.most_micro,
    )
    room = state.accounts.headroom
    if room(Commodity.ERGON) < one.most_micro or room(Commodity.ENERGY) < one.most_wh:
        known.ripe_s = 0
        return  # the books end at 2^53-1; it is tried again
    _book(state, one, one.settled or NOTHING, due)
    if known.receipts is not None:
        known.receipts[one.id] = _receipt(state, one, due, total_wh, final=final)
    if final:
        forget(state, one)
        return
    state.wallets.release(_reserved_as(one.id))
    reserve(state, one, one.most_micro - due.paid_micro)
    known.put(replace(one, settled=due))


def _book(state: State, one: Session, older: Bill, newer: Bill) -> None:
    owner = meter_of(state, one).owner
    word = "" if one.settled is None else " corrected"
    for slot_s, wh, micro in differences(older, newer):
        if owner != one.car:  # who charges their own car at their own meter has the energy already
            state.move(Commodity.ENERGY, owner, one.car, wh, slot_s=slot_s, memo=f"charging{word}", ref=one.id)
        state.move(Commodity.ERGON, one.car, one.station, micro, slot_s=slot_s, memo=f"charging{word}", ref=one.id)
    fee_micro = newer.fee_paid_micro - older.fee_paid_micro
    at_s, memo = _last_slot_s(one), f"charging fee{word}"
    state.move(Commodity.ERGON, one.car, one.station, fee_micro, slot_s=at_s, memo=memo, ref=one.id)


def _total_wh(state: State, one: Session) -> int:
    """Return what a session counted: by its meter where that has spoken, within what its connection can carry."""
    if one.metered is None:
        return one.streamed_wh
    assert one.started_s is not None
    assert one.stopped_s is not None
    start_wh, end_wh = max(one.metered[0], one.floor_wh), one.metered[1]
    if one.ceiling_wh is not None:
        end_wh = min(end_wh, one.ceiling_wh)
    return max(0, min(end_wh - start_wh, possible_wh(meter_of(state, one), one.stopped_s - one.started_s)))


def _receipt(state: State, one: Session, due: Bill, total_wh: int, *, final: bool) -> Receipt:
    assert one.started_s is not None
    assert one.stopped_s is not None
    lines = receipt_lines(due, {slot_s: fed.mix() for slot_s, fed in state.charging.fed.items()})
    whole = sum((line.sources for line in lines), Mix())
    wished = {"any": due.energy_wh, "neighbours": whole.neighbours_wh, "stored": whole.stored_wh}
    return Receipt(
        session=one.id,
        car=one.car,
        station=one.station,
        meter=meter_of(state, one).id,
        started_s=one.started_s,
        stopped_s=one.stopped_s,
        why=one.why,
        streamed_wh=one.streamed_wh,
        metered_wh=one.metered[1] - one.metered[0] if one.metered else None,
        energy_wh=due.energy_wh,
        unsold_wh=total_wh - due.energy_wh,
        lines=lines,
        fee_micro=due.fee_paid_micro,
        paid_micro=due.paid_micro,
        owed_micro=due.owed_micro,
        most_micro=one.most_micro,
        wish=one.wish,
        wished_wh=wished[one.wish],
        final=final,
    )


def _reserved_as(name: str) -> str:
    """Return the name of a session's reservation: one that no transfer's request can spell."""
    return f"session {name}"


def _last_slot_s(one: Session) -> int:
    """Return the start of the last slot in which a session that has ended can have taken energy."""
    assert one.started_s is not None
    assert one.stopped_s is not None
    return max(one.stopped_s - 1, one.started_s) // SLOT_SECONDS * SLOT_SECONDS


def _grace_ends_s(state: State, one: Session) -> int:
    assert one.stopped_s is not None
    return one.stopped_s + state.charter.grace_slots * SLOT_SECONDS

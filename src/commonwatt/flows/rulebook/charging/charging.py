"""Rules for charging at a station: a car's word, the station's counts, the gateway's reading, one payment (row E9).

A car authorises: where, how much at most, for how much, until when. The most is reserved, so nobody pays beyond it.
The station starts, one session at a time, and counts; each count is signed and no less than the one before. Either side
stops; a station that falls silent, or a word that ends, stops the session at the last count. The gateway then reads
the station's register, and no stretch of a register is billed twice. Where the station's tariff pins the key of a meter
that signs, the reading brings that meter's records. Whether their signatures hold is not judged here, where every
witness would need the same library of curves: the gateway judges before it signs, and so does who shows a receipt.

A session is settled once its slots are, by what the gateway read: at most what was authorised and, where it stopped by
itself, what was counted; and of no slot more than the station's connection took in it, of which the sessions that were
authorised first have first. Where the gateway stays silent for the charter's grace, the count is settled; what is left
of the reservation then waits as long once more, and a reading that comes late books the difference. Energy goes from
the station's account to the car's and ERGON the other way, in one instant. The station itself has settled that energy
with the community as any member does: what it bought stands on its account, and is passed on here.

What a kWh costs is `standard_price`, plus the station's own fee. Where it came from is the mix of its slot, as far as
entries and meters tell at settlement, see `_mix`; what is corrected later changes no receipt.
"""

from collections.abc import Sequence
from dataclasses import replace

from commonwatt.flows.rulebook.charging import session_bodies as bodies
from commonwatt.flows.rulebook.charging.sessions import (
    BY_ITSELF,
    ChargingSession,
    Flowed,
    Receipt,
    Register,
    StationTariff,
)
from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.tokens.backing import free
from commonwatt.flows.rulebook.tokens.storage import sun_to_sell_wh
from commonwatt.flows.rulebook.tokens.transferring import MOST_PENDING
from commonwatt.ledger.transfers import FOR_EVER_S, Transfer
from commonwatt.model import (
    MARKET,
    MAX_SAFE_INTEGER,
    SLOT_SECONDS,
    AccountId,
    AssetId,
    AssetKind,
    Commodity,
    Memo,
    Outcome,
    Request,
    round_div,
)
from commonwatt.settlement.charging import Bill, Fees, Mix, SlotTerms, bill, slots_between, spread_wh

PAID, CORRECTED = Memo.CHARGING, Memo.CHARGING_CORRECTED
MOST_STANDING = 4
"""Sessions that one car may have that are not closed: one it charges in, and some that wait for a meter."""
MOST_TARIFFS = 8
"""Tariffs that a station may have announced."""
LONGEST_S = 172_800
"""How far ahead a car's word may reach."""


def session(state: State, request: Request, body: bodies.Session, position: int, stamped_s: int) -> Outcome:
    """Take in a tariff, an authorisation, or what happens in a session."""
    if isinstance(body, bodies.Tariff):
        return _tariff(state, request, body, stamped_s)
    if isinstance(body, bodies.Authorise):
        return _authorise(state, request, body, position, stamped_s)
    known = state.sessions.standing.get(body.session)
    if known is None:
        return Outcome.UNKNOWN_THING
    match body:
        case bodies.Start():
            return _start(state, request, body, known, stamped_s)
        case bodies.Progress():
            return _progress(state, request, body, known, stamped_s)
        case bodies.Stop():
            return _stop(state, request, known, stamped_s)
        case bodies.Metered():
            return _metered(state, request, body, known)


def stop_due(state: State, stamped_s: int) -> None:
    """End what nobody started in time, and what ends by itself by now."""
    for known in state.sessions.due(stamped_s):
        if known.started_s is None:
            _close(state, known, None)
        else:
            why = "time" if known.until_s <= stamped_s else "silence"
            _end(state, known, known.counted_s, stamped_s, why)


def settle(state: State, slots: range, stamped_s: int) -> None:
    """Note what just settled slots cost and are made of, and settle the sessions that wait for nothing any more."""
    sessions = state.sessions
    if sessions.watching:
        for slot_s in slots:
            sessions.note_drawn(slot_s, state.readings.told(slot_s))
            if slot_s in state.prices:
                flowed = sessions.flowing.get(slot_s, Flowed())
                price = standard_price(state, slot_s, flowed)
                sessions.terms[slot_s] = SlotTerms(
                    slot_s=slot_s, price_micro_per_kwh=price, mix=_mix(state, slot_s, flowed)
                )
    sessions.flowing.clear()
    for known in sessions.waiting():
        _settle_one(state, known, stamped_s)
    sessions.forget()


def standard_price(state: State, slot_s: int, flowed: Flowed) -> int:
    """Return what a kWh costs in a priced slot, in micro: what neighbours paid on average, else what the grid takes.

    Only what meters bear out counts, traded or shared: a word that nobody kept moves no third party's price.
    """
    return round_div(flowed.worth, flowed.bought_wh) if flowed.bought_wh else state.prices[slot_s][0]


def _tariff(state: State, request: Request, body: bodies.Tariff, stamped_s: int) -> Outcome:
    account = request.on_behalf_of
    if state.keys[request.author].role not in ("station", "member") or not state.keys.has_role(account, "station"):
        return Outcome.NOT_ALLOWED
    meter = state.assets.get(AssetId(body.meter))
    if meter is None:
        return Outcome.UNKNOWN_THING
    if meter.owner != account or meter.kind is not AssetKind.CONNECTION:
        return Outcome.NOT_ALLOWED  # what it charges with must be settled as its own
    told = state.sessions.tariffs.get(account, [])
    if bool(body.signs_as) != bool(body.signs_by):
        return Outcome.NOT_ALLOWED  # half a meter signs nothing
    if body.from_s < stamped_s or (told and body.from_s <= told[-1].from_s):
        return Outcome.TOO_LATE
    # All that are superseded by now but the last one, which holds.
    held = [t for n, t in enumerate(told) if n == len(told) - 1 or told[n + 1].from_s > stamped_s]
    if len(held) >= MOST_TARIFFS:
        return Outcome.OVER_LIMIT
    fees = Fees(micro_per_kwh=body.micro_per_kwh, micro_per_session=body.micro_per_session)
    new = StationTariff(
        from_s=body.from_s,
        meter=meter.id,
        fees=fees,
        silent_s=body.silent_s,
        signs_as=body.signs_as,
        signs_by=body.signs_by,
    )
    state.sessions.tariffs[account] = [*held, new]
    return Outcome.BOOKED


def _authorise(state: State, request: Request, body: bodies.Authorise, position: int, stamped_s: int) -> Outcome:
    car, station = request.on_behalf_of, AccountId(body.station)
    if state.keys[request.author].role != "car" or car == station:
        return Outcome.NOT_ALLOWED
    terms = [t for t in state.sessions.tariffs.get(station, []) if t.from_s <= stamped_s]
    if not terms:
        return Outcome.UNKNOWN_THING
    if body.until_s <= stamped_s:
        return Outcome.TOO_LATE
    full = state.sessions.of_car(car) >= MOST_STANDING or state.wallets.asked_of(car) >= MOST_PENDING
    if full or body.until_s > stamped_s + LONGEST_S:
        return Outcome.OVER_LIMIT
    if free(state, car, Commodity.ERGON) < body.most_micro:
        return Outcome.NOT_BACKED
    known = ChargingSession(
        id=str(position),
        car=car,
        station=station,
        terms=terms[-1],
        most_wh=body.most_wh,
        most_micro=body.most_micro,
        until_s=body.until_s,
        source=body.source,
    )
    _reserve(state, known, body.most_micro)
    state.sessions.put(known)
    return Outcome.BOOKED


def _start(state: State, request: Request, body: bodies.Start, known: ChargingSession, stamped_s: int) -> Outcome:
    if state.keys[request.author].role != "station" or request.on_behalf_of != known.station:
        return Outcome.NOT_ALLOWED
    if known.started_s is not None:
        return Outcome.ALREADY_THERE
    if known.station in state.sessions.busy:
        return Outcome.OVER_LIMIT  # one meter cannot tell two cars apart
    state.sessions.put(
        replace(known, started_s=stamped_s, register_wh=body.register_wh, heard_s=stamped_s, counted_s=stamped_s)
    )
    return Outcome.BOOKED


def _progress(state: State, request: Request, body: bodies.Progress, known: ChargingSession, stamped_s: int) -> Outcome:
    speaks = state.keys[request.author].role == "station" and request.on_behalf_of == known.station
    if not (speaks or _is_gateway(state, request, known)) or known.started_s is None:
        return Outcome.NOT_ALLOWED
    if known.ended_s is not None:
        return Outcome.TOO_LATE
    at_s, wh, flowed = known.counted_s, known.counted_wh, dict(known.flowed)
    for count in body.counts:
        if count.at_s <= at_s:
            return Outcome.TOO_LATE
        if count.energy_wh < wh or count.at_s > stamped_s:
            return Outcome.NOT_ALLOWED
        for slot_s, more_wh in spread_wh(count.energy_wh - wh, at_s, count.at_s).items():
            flowed[slot_s] = flowed.get(slot_s, 0) + more_wh
        at_s, wh = count.at_s, count.energy_wh
    known = replace(known, heard_s=stamped_s, counted_s=at_s, counted_wh=wh, flowed=tuple(sorted(flowed.items())))
    state.sessions.put(known)
    if wh >= known.most_wh:
        _end(state, known, at_s, stamped_s, "energy")
    return Outcome.BOOKED


def _stop(state: State, request: Request, known: ChargingSession, stamped_s: int) -> Outcome:
    # A gateway's number is an account's name too, and may be one of theirs.
    gateway = state.keys[request.author].role == "gateway"
    if gateway or request.on_behalf_of not in (known.car, known.station):
        return Outcome.NOT_ALLOWED
    if known.ended_s is not None:
        return Outcome.ALREADY_THERE
    if known.started_s is None:
        _close(state, known, None)
    else:
        _end(state, known, stamped_s, stamped_s, "car" if request.on_behalf_of == known.car else "station")
    return Outcome.BOOKED


def _metered(state: State, request: Request, body: bodies.Metered, known: ChargingSession) -> Outcome:
    if not _is_gateway(state, request, known) or known.ended_s is None:
        return Outcome.NOT_ALLOWED
    if known.metered is not None:
        return Outcome.ALREADY_THERE
    if body.ended_wh > body.began_wh and bool(body.signed) != bool(known.terms.signs_by):
        return Outcome.NOT_ALLOWED  # where a meter signs, its word counts; where none does, nobody could check it
    register = state.sessions.registers.setdefault(known.terms.meter, Register())
    if body.began_wh < known.register_wh:
        return Outcome.NOT_ALLOWED  # what flowed before the start is another's
    if body.ended_wh < body.began_wh or not register.is_free(body.began_wh, body.ended_wh):
        return Outcome.NOT_ALLOWED
    register.take(body.began_wh, body.ended_wh)
    state.sessions.put(replace(known, metered=(body.began_wh, body.ended_wh), signed=body.signed))
    return Outcome.BOOKED


def _is_gateway(state: State, request: Request, known: ChargingSession) -> bool:
    return state.keys[request.author].gateway == state.assets[known.terms.meter].gateway


def _end(state: State, known: ChargingSession, ended_s: int, stamped_s: int, why: str) -> None:
    state.sessions.put(replace(known, ended_s=ended_s, stopped_s=stamped_s, ended_by=why))


def _settle_one(state: State, known: ChargingSession, stamped_s: int) -> None:
    assert known.started_s is not None
    assert known.ended_s is not None
    grace_s = (1 + state.charter.grace_slots) * SLOT_SECONDS
    waited_s = stamped_s - known.stopped_s // SLOT_SECONDS * SLOT_SECONDS
    slots = slots_between(known.started_s, known.ended_s)
    drawn, meter = state.sessions.drawn, known.terms.meter
    told = known.metered is not None and all(drawn.is_told(meter, slot_s) for slot_s in slots)
    if not told and (waited_s < grace_s or (known.settled and waited_s < 2 * grace_s)):
        return
    found = [_terms(state, slot_s) for slot_s in slots]
    terms = [term for term in found if term is not None]
    if len(terms) < len(found):
        return
    room_wh = _room_wh(state, known, slots)
    done = bill(_billed_wh(known), dict(known.flowed), terms, room_wh, known.terms.fees, known.most_micro)
    if not _has_room(state, known, done):
        return  # the books end at 2^53-1, and a log that stopped there would never start again
    last = told or known.settled
    state.wallets.release(known.id)
    _book(state, known, done, stamped_s)
    billed = tuple((line.slot_s, line.energy_wh) for line in done.lines)
    for sign, lines in ((-1, known.billed), (1, billed)):
        for slot_s, wh in lines:
            drawn.bill(meter, slot_s, sign * wh)
    known = replace(known, settled=True, billed=billed, paid_micro=done.due_micro)
    if last:
        _close(state, known, done)
    else:
        _reserve(state, known, known.most_micro - known.paid_micro)
        state.sessions.put(known)


def _terms(state: State, slot_s: int) -> SlotTerms | None:
    """Return what a slot's energy costs and is made of; None while that is not known.

    A slot of which no meter told anything is settled without a price. One may still come; where none can any more,
    the energy is free.
    """
    if slot_s in state.sessions.terms or slot_s >= state.settled_to_s:
        return state.sessions.terms.get(slot_s)
    if slot_s >= state.horizon_s and slot_s not in state.prices:
        return None
    price = state.prices[slot_s][0] if slot_s >= state.horizon_s else 0
    return SlotTerms(slot_s=slot_s, price_micro_per_kwh=price, mix=Mix())


def _room_wh(state: State, known: ChargingSession, slots: Sequence[int]) -> dict[int, int]:
    """Return what a session may be billed of each slot, in Wh: what the connection took, less what is others'.

    Others' is what was billed, and what is counted in sessions that were authorised before and still wait.
    """
    drawn, meter = state.sessions.drawn, known.terms.meter
    left_wh = {slot_s: drawn.left_wh(meter, slot_s) for slot_s in slots}
    for slot_s, wh in known.billed:
        left_wh[slot_s] += wh
    for slot_s, wh in (flow for other in state.sessions.before(known) for flow in other.flowed):
        left_wh[slot_s] = left_wh.get(slot_s, 0) - wh
    return {slot_s: max(0, left_wh[slot_s]) for slot_s in slots}


def _billed_wh(known: ChargingSession) -> int:
    """Return what counts: the gateway's reading, else the station's count, within what was authorised."""
    wh = known.counted_wh if known.metered_wh is None else known.metered_wh
    if known.ended_by in BY_ITSELF:
        wh = min(wh, known.counted_wh)
    return min(wh, known.most_wh)


def _has_room(state: State, known: ChargingSession, done: Bill) -> bool:
    more = {Commodity.ENERGY: done.energy_wh + known.billed_wh, Commodity.ERGON: done.due_micro + known.paid_micro}
    return all(
        abs(state.accounts.balance(account, commodity)) + amount <= MAX_SAFE_INTEGER
        for commodity, amount in more.items()
        for account in (known.car, known.station)
    )


def _book(state: State, known: ChargingSession, done: Bill, stamped_s: int) -> None:
    """Pass energy on and pay for it, both or neither; where the count was settled before, the difference."""
    memo = CORRECTED if known.settled else PAID
    slot_s = stamped_s // SLOT_SECONDS * SLOT_SECONDS
    for commodity, source, target, amount in (
        (Commodity.ENERGY, known.station, known.car, done.energy_wh - known.billed_wh),
        (Commodity.ERGON, known.car, known.station, done.due_micro - known.paid_micro),
    ):
        state.move(commodity, source, target, amount, slot_s=slot_s, memo=memo, ref=known.id)


def _reserve(state: State, known: ChargingSession, amount_micro: int) -> None:
    """Set money aside that only this module posts or lets go: its target is nobody's account."""
    if amount_micro:
        state.wallets.reserve(
            Transfer(
                id=known.id,
                commodity=Commodity.ERGON,
                source=known.car,
                target=MARKET,
                amount=amount_micro,
                until_s=FOR_EVER_S,
            )
        )


def _close(state: State, known: ChargingSession, done: Bill | None) -> None:
    state.wallets.release(known.id)
    state.sessions.close(known)
    if state.sessions.receipts is not None:
        state.sessions.receipts.append(Receipt(session=known, bill=done))


def _mix(state: State, slot_s: int, flowed: Flowed) -> Mix:
    """Return where a slot's energy in the community came from.

    Members' exports, be they sold, shared or the grid's, count as sun up to what their roofs had left to sell in the
    slot, as called WATT where a delivery was booked, and else as of unknown source; the grid gave what members took
    from it beyond what they gave to it.
    """
    solar_wh = other_wh = 0
    for owner, exported_wh in flowed.exported.items():
        sun_wh = min(exported_wh, sun_to_sell_wh(state, slot_s, owner))
        solar_wh += sun_wh
        other_wh += exported_wh - sun_wh
    return Mix(
        solar_wh=solar_wh,
        watt_wh=flowed.called_wh,
        other_wh=other_wh + flowed.many_wh,
        grid_wh=max(0, flowed.net_wh),
    )

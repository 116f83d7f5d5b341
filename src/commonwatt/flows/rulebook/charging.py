"""Rules for charging sessions: authorised by a car, delivered by a station, counted by its gateway, paid (row E9).

A station is an account with a key in the role ``station`` and a meter: its own, or one whose owner lets it sell
through it (`Equip`). Its tariff is its own fee; the energy costs the community's price, see `standard_price`. A car is
any account with money and a key in the role ``car`` or ``member``; a guest's key is registered like any other.

What a car authorises is reserved until the session is settled, under a name that no transfer can spell. A session ends
when either side says so, when its authorisation does, or after `MOST_SILENT_S` without a count: then what was counted
last stands. Its energy is what the gateway's register counted from start to end. As long as the gateway is silent
everything stays reserved; when its grace is over (``grace_slots`` after the end), what was streamed is paid, the rest
stays reserved, and a count that comes as long as a reading may still be corrected books the difference, either way,
within what was authorised. Nothing is settled before all slots of a session are: only then is their price certain.

No Wh is sold twice: on one station's register, a session begins where the one before ended, or later. The energy goes
from the owner of the meter, who takes it from the community like any member, to the car; the money from the car to the
station. All of it is booked in one instant.
"""

from collections.abc import Iterable
from dataclasses import replace

from commonwatt.flows.rulebook import session_bodies as bodies
from commonwatt.flows.rulebook.backing import free
from commonwatt.flows.rulebook.sessions import Fed, Fee, Session, Station, in_order
from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.transferring import MOST_PENDING
from commonwatt.ledger.transfers import FOR_EVER_S, Transfer
from commonwatt.metering.check import ROUNDING_WH
from commonwatt.model import (
    SLOT_SECONDS,
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    Commodity,
    GatewayId,
    Outcome,
    Request,
)
from commonwatt.settlement.charging import (
    NOTHING,
    Bill,
    Mix,
    Receipt,
    bill,
    by_slot,
    differences,
    fit,
    joined,
    receipt_lines,
)

MOST_OPEN = 8
"""Sessions that one car may have that are not over."""
MOST_FEES = 8
"""Fees of one station that hold now or later."""
LONGEST_S = 2 * 86_400
"""For how long a car may authorise."""
_METERS = (AssetKind.CONNECTION, AssetKind.VEHICLE)


def session(state: State, request: Request, body: bodies.SessionBody, position: int, stamped_s: int) -> Outcome:
    """Decide one step of a session, or what has to stand before there can be one."""
    role, account = state.keys[request.author].role, request.on_behalf_of
    match body:
        case bodies.Equip() if role == "member":
            return _equip(state, account, body)
        case bodies.Tariff() if role == "station":
            return _tariff(state, account, body, stamped_s)
        case bodies.Authorise() if role in ("car", "member"):
            return _authorise(state, account, body, position, stamped_s)
        case bodies.Start() if role == "station":
            return _start(state, account, body, stamped_s)
        case bodies.Progress() if role in ("station", "gateway"):
            return _progress(state, account, body, stamped_s)
        case bodies.Stop() if role in ("car", "member", "station"):
            return _stop(state, account, role, body, stamped_s)
        case bodies.Metered() if role == "gateway":
            return _metered(state, account, body, stamped_s)
        case _:
            return Outcome.NOT_ALLOWED


def standard_price(state: State, slot_s: int) -> int:
    """Return a slot's price in the community, micro per kWh: what neighbours traded at, else what the grid takes.

    Zero where neither is known: a slot in which nothing at all was read can be settled without a price.
    """
    clearing = state.clearings.get(slot_s)
    if clearing is not None and clearing.trades and clearing.price_micro_per_kwh is not None:
        return clearing.price_micro_per_kwh
    return state.prices.get(slot_s, (0, 0))[0]


def stop_due(state: State, stamped_s: int) -> None:
    """End what has ended by itself by the moment of a commit: authorisations nobody started, silence, lapse."""
    known = state.charging
    if stamped_s < known.next_s:
        return
    for one in in_order(known.sessions.values()):
        if one.due_s > stamped_s:
            continue
        if one.started_s is None:
            _forget(state, one)
        else:
            _end(state, one, one.due_s, "authorisation ended" if one.due_s == one.until_s else "silence")
    known.next_s = min((one.due_s for one in known.sessions.values()), default=FOR_EVER_S)


def settle(state: State, slots: Iterable[int], stamped_s: int) -> None:
    """Tell prices and sources of slots that were just settled, and settle every session that is ripe."""
    known = state.charging
    if not known.stations:
        return
    closed = list(slots)
    for slot_s in closed:
        known.fed.setdefault(slot_s, Fed()).price_micro_per_kwh = standard_price(state, slot_s)
    if closed or stamped_s >= known.ripe_s:
        known.ripe_s = FOR_EVER_S
        for one in in_order(known.sessions.values()):
            if one.stopped_s is not None and _last_slot_s(one) < state.settled_to_s:
                _settle(state, one, stamped_s)
            if one.stopped_s is not None and one.settled is None:
                known.ripe_s = min(known.ripe_s, _grace_ends_s(state, one))
    known.forget_before(state.settled_to_s)


def _equip(state: State, owner: AccountId, body: bodies.Equip) -> Outcome:
    meter, station = AssetId(body.meter), AccountId(body.station)
    asset = state.assets.get(meter)
    if asset is None or not state.keys.has_role(station, "station"):
        return Outcome.UNKNOWN_THING
    if asset.owner != owner or asset.kind not in _METERS:
        return Outcome.NOT_ALLOWED
    if any(known.meter == meter for known in state.charging.stations.values()):
        return Outcome.ALREADY_THERE
    state.charging.equipped[meter] = station
    return Outcome.BOOKED


def _tariff(state: State, account: AccountId, body: bodies.Tariff, stamped_s: int) -> Outcome:
    known, asset = state.charging, state.assets.get(AssetId(body.meter))
    if asset is None:
        return Outcome.UNKNOWN_THING
    if asset.kind not in _METERS or account not in (asset.owner, known.equipped.get(asset.id)):
        return Outcome.NOT_ALLOWED
    if body.valid_from_s < stamped_s:
        return Outcome.TOO_LATE
    station = known.stations.get(account)
    if station is None:
        if any(other.meter == asset.id for other in known.stations.values()):
            return Outcome.ALREADY_THERE
        station = Station(meter=asset.id, fees=())
    if station.meter != asset.id:
        return Outcome.NOT_ALLOWED
    if station.fees and body.valid_from_s <= station.fees[-1].valid_from_s:
        return Outcome.TOO_LATE
    now = station.fee(stamped_s)
    fees = tuple(fee for fee in station.fees if fee.valid_from_s > stamped_s or fee == now)
    if len(fees) >= MOST_FEES:
        return Outcome.OVER_LIMIT
    fee = Fee(
        valid_from_s=body.valid_from_s,
        micro_per_kwh=body.fee_micro_per_kwh,
        micro_per_session=body.fee_micro_per_session,
    )
    if not known.stations:
        known.from_s = state.settled_to_s
    known.stations[account] = replace(station, fees=(*fees, fee))
    return Outcome.BOOKED


def _authorise(state: State, car: AccountId, body: bodies.Authorise, position: int, stamped_s: int) -> Outcome:
    name = AccountId(body.station)
    station = state.charging.stations.get(name)
    fee = station.fee(stamped_s) if station else None
    if fee is None:
        return Outcome.UNKNOWN_THING
    if car == name or not state.has_wallet(car):
        return Outcome.NOT_ALLOWED
    if body.until_s <= stamped_s:
        return Outcome.TOO_LATE
    full = len(state.charging.of(car)) >= MOST_OPEN or state.wallets.pending_of(car) >= MOST_PENDING
    if full or body.until_s > stamped_s + LONGEST_S:
        return Outcome.OVER_LIMIT
    if free(state, car, Commodity.ERGON) < body.most_micro:
        return Outcome.NOT_BACKED
    one = Session(
        id=str(position),
        car=car,
        station=name,
        most_wh=body.most_energy_wh,
        most_micro=body.most_micro,
        until_s=body.until_s,
        wish=body.wish,
        fee=fee,
    )
    _reserve(state, one, one.most_micro)
    state.charging.put(one)
    return Outcome.BOOKED


def _start(state: State, account: AccountId, body: bodies.Start, stamped_s: int) -> Outcome:
    known = state.charging
    one = known.sessions.get(body.session)
    if one is None:
        return Outcome.UNKNOWN_THING
    if one.station != account:
        return Outcome.NOT_ALLOWED
    others = known.at(account)
    if one.started_s is not None or any(other.running for other in others):
        return Outcome.ALREADY_THERE
    station = known.stations[account]
    if body.register_wh < station.claimed_wh:
        return Outcome.NOT_ALLOWED
    for other in others:
        if other.stopped_s is not None and other.ceiling_wh is None:
            known.put(replace(other, ceiling_wh=body.register_wh))
    known.put(
        replace(
            one,
            started_s=stamped_s,
            register_wh=body.register_wh,
            floor_wh=station.claimed_wh,
            heard_s=stamped_s,
            counted_s=stamped_s,
        )
    )
    known.stations[account] = replace(station, claimed_wh=body.register_wh)
    return Outcome.BOOKED


def _progress(state: State, account: AccountId, body: bodies.Progress, stamped_s: int) -> Outcome:
    one = state.charging.sessions.get(body.session)
    if one is None:
        return Outcome.UNKNOWN_THING
    if account not in (one.station, _meter(state, one).gateway):
        return Outcome.NOT_ALLOWED
    if not one.running:
        return Outcome.TOO_LATE
    newer = _counted(state, one, [(count.at_s, count.energy_wh) for count in body.counts], stamped_s)
    if isinstance(newer, Outcome):
        return newer
    state.charging.put(newer)
    return Outcome.BOOKED


def _counted(state: State, one: Session, counts: Iterable[tuple[int, int]], stamped_s: int) -> Session | Outcome:
    """Return a session with further counts, or why one of them cannot be believed."""
    assert one.started_s is not None
    for at_s, energy_wh in counts:
        more_wh = energy_wh - one.streamed_wh
        if at_s > stamped_s:
            return Outcome.NOT_ALLOWED  # nobody has counted what has not flowed yet
        if at_s <= one.counted_s or more_wh < 0:
            return Outcome.TOO_LATE
        if energy_wh > _possible_wh(_meter(state, one), at_s - one.started_s):
            return Outcome.OVER_LIMIT
        streamed = joined(one.streamed, by_slot(one.counted_s, at_s, more_wh))
        one = replace(one, streamed=streamed, counted_s=at_s, heard_s=stamped_s)
    return one


def _stop(state: State, account: AccountId, role: str, body: bodies.Stop, stamped_s: int) -> Outcome:
    one = state.charging.sessions.get(body.session)
    if one is None:
        return Outcome.UNKNOWN_THING
    by_station = role == "station" and account == one.station
    if not by_station and (role == "station" or account != one.car):
        return Outcome.NOT_ALLOWED
    if one.stopped_s is not None:
        return Outcome.ALREADY_THERE
    if body.energy_wh is not None and (not by_station or one.started_s is None):
        return Outcome.NOT_ALLOWED
    if one.started_s is None:
        _forget(state, one)
        return Outcome.BOOKED
    if body.energy_wh is not None and (stamped_s, body.energy_wh) != (one.counted_s, one.streamed_wh):
        newer = _counted(state, one, [(stamped_s, body.energy_wh)], stamped_s)
        if isinstance(newer, Outcome):
            return newer
        one = newer
    _end(state, one, stamped_s, "station" if by_station else "car")
    return Outcome.BOOKED


def _metered(state: State, account: AccountId, body: bodies.Metered, stamped_s: int) -> Outcome:
    one = state.charging.sessions.get(body.session)
    if one is None:
        return Outcome.UNKNOWN_THING
    if _meter(state, one).gateway != GatewayId(account):
        return Outcome.NOT_ALLOWED
    if one.metered is not None:
        return Outcome.ALREADY_THERE
    if one.started_s is None or body.end_wh < body.start_wh:
        return Outcome.NOT_ALLOWED
    if one.stopped_s is None:
        # Whoever reads the last value says that nothing flows any more; the other word may come after it.
        one = _end(state, one, stamped_s, "meter")
    state.charging.put(replace(one, metered=(body.start_wh, body.end_wh)))
    if one.ceiling_wh is None:
        # No other has begun since: the next begins where the register stands, whatever the station had claimed.
        station = state.charging.stations[one.station]
        state.charging.stations[one.station] = replace(station, claimed_wh=max(one.floor_wh, body.end_wh))
    return Outcome.BOOKED


def _end(state: State, one: Session, stopped_s: int, why: str) -> Session:
    ended = replace(one, stopped_s=stopped_s, why=why)
    state.charging.put(ended)
    station = state.charging.stations[one.station]
    claimed_wh = max(station.claimed_wh, one.register_wh + one.streamed_wh)
    state.charging.stations[one.station] = replace(station, claimed_wh=claimed_wh)
    return ended


def _forget(state: State, one: Session) -> None:
    """Let go of a session of which nothing can change any more, and of what is still reserved for it."""
    state.wallets.release(_reserved_as(one.id))
    del state.charging.sessions[one.id]


def _settle(state: State, one: Session, stamped_s: int) -> None:
    """Settle a session whose slots are all settled: by its meter, or after the grace by what was streamed."""
    if one.metered is not None:
        _pay(state, one, final=True)
        return
    if one.settled is None and stamped_s >= _grace_ends_s(state, one):
        _pay(state, one, final=False)
    # After a long silence of the whole log both come at once.
    if state.charging.sessions[one.id].settled is not None and _last_slot_s(one) < state.horizon_s:
        _forget(state, one)


def _pay(state: State, one: Session, *, final: bool) -> None:
    """Book what a session comes to, or by how much that differs from what was booked: all of it, or nothing."""
    known = state.charging
    assert one.stopped_s is not None
    total_wh = _total_wh(state, one)
    told = fit(one.streamed, one.counted_s, one.stopped_s, total_wh)
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
        _forget(state, one)
        return
    state.wallets.release(_reserved_as(one.id))
    _reserve(state, one, one.most_micro - due.paid_micro)
    known.put(replace(one, settled=due))


def _book(state: State, one: Session, older: Bill, newer: Bill) -> None:
    owner = _meter(state, one).owner
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
    return max(0, min(end_wh - start_wh, _possible_wh(_meter(state, one), one.stopped_s - one.started_s)))


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
        meter=_meter(state, one).id,
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


def _reserve(state: State, one: Session, amount_micro: int) -> None:
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


def _reserved_as(name: str) -> str:
    """Return the name of a session's reservation: one that no transfer's request can spell."""
    return f"session {name}"


def _meter(state: State, one: Session) -> Asset:
    return state.assets[state.charging.stations[one.station].meter]


def _possible_wh(meter: Asset, seconds: int) -> int:
    return meter.max_import_w * seconds // 3600 + ROUNDING_WH


def _last_slot_s(one: Session) -> int:
    """Return the start of the last slot in which a session that has ended can have taken energy."""
    assert one.started_s is not None
    assert one.stopped_s is not None
    return max(one.stopped_s - 1, one.started_s) // SLOT_SECONDS * SLOT_SECONDS


def _grace_ends_s(state: State, one: Session) -> int:
    assert one.stopped_s is not None
    return one.stopped_s + state.charter.grace_slots * SLOT_SECONDS

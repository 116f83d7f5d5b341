"""Rules for charging sessions: authorised by a car, delivered by a station, counted by its gateway, paid (row E9).

A station is an account with a key in the role ``station`` and a meter: its own, or one whose owner lets it sell
through it (`Equip`). Its tariff is its own fee; the energy costs the community's price (`charged.standard_price`). A
car is any account with money and a key in the role ``car`` or ``member``; a guest's key is registered like any other.

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
from commonwatt.flows.rulebook.charged import forget, meter_of, possible_wh, reserve
from commonwatt.flows.rulebook.sessions import NEVER_S, Fee, Session, Station, in_order
from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.transferring import MOST_PENDING
from commonwatt.model import AccountId, AssetId, AssetKind, Commodity, GatewayId, Outcome, Request
from commonwatt.settlement.charging import by_slot, joined

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


def stop_due(state: State, stamped_s: int) -> None:
    """End what has ended by itself by the moment of a commit: authorisations nobody started, silence, lapse."""
    known = state.charging
    if stamped_s < known.next_s:
        return
    for one in in_order(known.sessions.values()):
        if one.due_s > stamped_s:
            continue
        if one.started_s is None:
            forget(state, one)
        else:
            _end(state, one, one.due_s, "authorisation ended" if one.due_s == one.until_s else "silence")
    known.next_s = min((one.due_s for one in known.sessions.values()), default=NEVER_S)


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
    reserve(state, one, one.most_micro)
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
    if account not in (one.station, meter_of(state, one).gateway):
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
        if energy_wh > possible_wh(meter_of(state, one), at_s - one.started_s):
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
        forget(state, one)
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
    if meter_of(state, one).gateway != GatewayId(account):
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

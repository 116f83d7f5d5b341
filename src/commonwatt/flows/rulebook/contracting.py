"""Rules for utility contracts (rows W5, E13, M4): offered, answered, accepted, left, disputed and resolved.

- A utility (or the operator, with its own money) offers. The most that it can come to owe is reserved at once, and what
  can be owed no more is let go of as windows pass.
- An asset answers what it can guarantee, by its owner's key or its gateway's. Only direct control backs a guarantee;
  the answer lies within what is registered and attested, whichever is smaller, and within what its owner consents to.
- A member accepts as much as was guaranteed, and reserves the most that they can come to owe. No meter is promised to
  two windows at a time: nothing that is delivered counts twice.
- A member leaves by the contract's terms alone. An owner's off wins over every contract; what is then not delivered
  costs what the contract says of it, and nothing else.
- Between measurement and payment either side may dispute. What both sides say then is paid, or what the arbiter says,
  or after ``resolve_s`` what was measured; never more than was set aside.
"""

from commonwatt.flows.rulebook import aside, bodies, calling, disputing, registry
from commonwatt.flows.rulebook import contract_bodies as told
from commonwatt.flows.rulebook.backing import free
from commonwatt.flows.rulebook.contracted import Guarantee
from commonwatt.flows.rulebook.delivering import one_meter
from commonwatt.flows.rulebook.state import State
from commonwatt.market.contracts import facts
from commonwatt.market.contracts.payment import member_most, utility_most
from commonwatt.market.contracts.standing import Acceptance, Contract
from commonwatt.market.contracts.terms import (
    MOST_RESERVED_MICRO,
    Direction,
    Hours,
    Terms,
    Window,
    overlapping,
    windows_of,
)
from commonwatt.metering.baseline import ADJUST_SLOTS
from commonwatt.model import (
    EVERY_DAY,
    SLOT_SECONDS,
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    Commodity,
    Consent,
    Interval,
    InvalidValue,
    KeyId,
    Outcome,
    Request,
    instant,
    zone_of,
)

MOST_OFFERS = 20
"""That one account may have standing."""
MOST_ACCEPTED = 10_000
"""Promises in one contract."""
MOST_PROMISES = 50
"""Of one account, in all contracts: each reserves, and leaves room for reservations of other kinds."""
MOST_ANSWERS = 8
"""Offers to which one asset may have answered at a time."""
_HOUR_S = 3600


def contract(state: State, request: Request, body: told.ContractBody, position: int, stamped_s: int) -> Outcome:
    """Take in whatever is said about a contract."""
    match body:
        case told.Offer():
            return _offer(state, request, body, position, stamped_s)
        case told.Dispute() | told.Resolve():
            return disputing.disagree(state, request, body, stamped_s)
        case told.Leave():
            return _leave(state, request, body, stamped_s)
    found = state.contracts.standing.get(body.contract)
    if found is None:
        return Outcome.UNKNOWN_THING
    match body:
        case told.Withdraw():
            return _withdraw(state, request, found, stamped_s)
        case told.Guarantee():
            return _guarantee(state, request, found, body, position, stamped_s)
        case told.Accept():
            return _accept(state, request, found, body, position, stamped_s)


def fact(state: State, request: Request, body: bodies.Fact, stamped_s: int) -> Outcome:
    """Take in an oracle's fact, and let it call what it calls."""
    match body:
        case bodies.FactBody():
            outcome = registry.fact(state, request, body)
            if outcome is Outcome.BOOKED:
                starts = (body.start_s + n * SLOT_SECONDS for n in range(len(body.prices)))
                calling.prices_told(state, dict(zip(starts, body.prices, strict=True)), stamped_s)
            return outcome
        case told.FrequencyFact():
            if body.at_s % body.seconds:
                return Outcome.OVER_LIMIT
            measured = facts.Frequency(at_s=body.at_s, seconds=body.seconds, millihertz=body.millihertz)
            return calling.hear(state, request.on_behalf_of, measured, stamped_s)
        case told.EventFact():
            if body.end_s <= body.start_s:
                return Outcome.OVER_LIMIT
            event = facts.GridEvent(
                name=body.name,
                start_s=body.start_s,
                end_s=body.end_s,
                direction=body.direction,
                zone=body.zone,
            )
            return calling.hear(state, request.on_behalf_of, event, stamped_s)


def scheduled(state: State, body: bodies.ScheduleBody, outcome: Outcome, stamped_s: int) -> Outcome:
    """Note what a schedule that was taken in instructs in windows that are measured by it."""
    if outcome is Outcome.BOOKED:
        calling.scheduled(state, state.schedules[AssetId(body.asset)], stamped_s)
    return outcome


def terms_of(body: told.Offer, utility: AccountId, timezone: str) -> Terms:
    """Return the terms that an offer tells.

    Raises:
        InvalidValue: They contradict each other.
    """
    hours = [
        Hours(
            direction=item.direction,
            start_minute=item.start_minute,
            end_minute=item.end_minute,
            weekdays=item.weekdays or EVERY_DAY,
        )
        for item in body.windows
        if isinstance(item, told.HoursItem)
    ]
    once = [
        Window(start_s=item.start_s, end_s=item.end_s, direction=item.direction)
        for item in body.windows
        if isinstance(item, told.OnceItem)
    ]
    given = {name: getattr(body, name) for name in _PLAIN}
    return Terms(
        utility=utility,
        windows=windows_of(hours, once, body.begins_s, body.ends_s, zone_of(timezone)),
        arbiter=KeyId(body.arbiter) if body.arbiter else None,
        **given,
    )


_PLAIN = tuple(sorted(set(Terms.__dataclass_fields__) - {"utility", "windows", "arbiter"}))


def _offer(state: State, request: Request, body: told.Offer, position: int, stamped_s: int) -> Outcome:
    utility, contracts = request.on_behalf_of, state.contracts
    if state.keys[request.author].role not in ("utility", "operator"):
        return Outcome.NOT_ALLOWED
    try:
        terms = terms_of(body, utility, state.charter.timezone)
    except InvalidValue:
        return Outcome.OVER_LIMIT
    # A window is measured from readings that may no more be forgotten, with the hours before its notice.
    needed_s = terms.longest_s + terms.notice_s + ADJUST_SLOTS * SLOT_SECONDS
    if needed_s > state.charter.correction_slots * SLOT_SECONDS:
        return Outcome.OVER_LIMIT
    if terms.accept_by_s <= stamped_s or terms.windows[0].start_s <= stamped_s:
        return Outcome.TOO_LATE
    if sum(each.terms.utility == utility for each in contracts.standing.values()) >= MOST_OFFERS:
        return Outcome.OVER_LIMIT
    if terms.arbiter is not None and terms.arbiter not in state.keys:
        return Outcome.UNKNOWN_THING
    if not state.has_wallet(utility):
        return Outcome.NOT_ALLOWED
    offered = Contract(id=str(position), terms=terms, accept_by_s=terms.accept_by_s)
    most_micro = utility_most(terms, ((window, terms.most_w) for window in terms.windows), terms.most_wh)
    if most_micro > MOST_RESERVED_MICRO:
        return Outcome.OVER_LIMIT
    if free(state, utility, Commodity.ERGON) < most_micro:
        return Outcome.NOT_BACKED
    contracts.offer(offered)
    aside.hold_contract(state, offered, stamped_s)
    return Outcome.BOOKED


def _withdraw(state: State, request: Request, found: Contract, stamped_s: int) -> Outcome:
    if found.terms.utility != request.on_behalf_of:
        return Outcome.NOT_ALLOWED
    if stamped_s >= found.accept_by_s:
        return Outcome.TOO_LATE
    found.accept_by_s = stamped_s
    calling.tidy(state, found, (), stamped_s)
    state.contracts.changed()
    return Outcome.BOOKED


def _guarantee(
    state: State, request: Request, found: Contract, body: told.Guarantee, position: int, stamped_s: int
) -> Outcome:
    asset = state.assets.get(AssetId(body.asset))
    if asset is None:
        return Outcome.UNKNOWN_THING
    if not _speaks_for(state, request, asset):
        return Outcome.NOT_ALLOWED
    if stamped_s >= found.accept_by_s:
        return Outcome.TOO_LATE
    if body.end_s <= body.start_s:
        return Outcome.OVER_LIMIT
    answers = state.contracts.guarantees
    if sum(asset.id in of_offer for name, of_offer in answers.items() if name != found.id) >= MOST_ANSWERS:
        return Outcome.OVER_LIMIT
    answer = Guarantee(
        position=position,
        account=asset.owner,
        start_s=body.start_s,
        end_s=body.end_s,
        up_w=body.up_w,
        down_w=body.down_w,
        direct=body.direct,
    )
    if body.direct:
        windows = [w for w in found.terms.windows if body.start_s <= w.start_s and w.end_s <= body.end_s]
        if refusal := _cannot(state, asset, windows, body.up_w, body.down_w):
            return refusal
    answers.setdefault(found.id, {})[asset.id] = answer
    return Outcome.BOOKED


def _accept(
    state: State, request: Request, found: Contract, body: told.Accept, position: int, stamped_s: int
) -> Outcome:
    asset = state.assets.get(AssetId(body.asset))
    answer = state.contracts.guarantees.get(found.id, {}).get(AssetId(body.asset))
    if asset is None or answer is None:
        return Outcome.UNKNOWN_THING
    account = request.on_behalf_of
    if state.keys[request.author].role != "member" or asset.owner != account or account == found.terms.utility:
        return Outcome.NOT_ALLOWED
    if found.terms.zone not in (None, asset.zone) or not answer.direct or answer.account != account:
        return Outcome.NOT_ALLOWED
    if stamped_s >= found.accept_by_s:
        return Outcome.TOO_LATE
    if body.up_w > answer.up_w or body.down_w > answer.down_w:
        return Outcome.OVER_LIMIT
    promise = Acceptance(
        id=str(position),
        account=account,
        asset=asset.id,
        up_w=body.up_w,
        down_w=body.down_w,
        since_s=max(answer.start_s, stamped_s),
        until_s=answer.end_s,
    )
    windows = [window for _, window in found.to_come() if promise.binds(window)]
    if refusal := _no_room(state, found, promise, windows) or _cannot(state, asset, windows, body.up_w, body.down_w):
        return refusal
    most_micro = member_most(found.terms, ((window, promise.power_w(window.direction)) for window in windows))
    if most_micro > MOST_RESERVED_MICRO:
        return Outcome.OVER_LIMIT
    if free(state, account, Commodity.ERGON) < most_micro:
        return Outcome.NOT_BACKED
    state.contracts.promise(found, promise)
    del state.contracts.guarantees[found.id][asset.id]
    aside.hold_promise(state, found, promise)
    return Outcome.BOOKED


def _no_room(state: State, found: Contract, promise: Acceptance, windows: list[Window]) -> Outcome | None:
    """Return why a contract or an account has no room for a promise, or its meter is promised already."""
    mine = state.contracts.promises_of(promise.account)
    if not windows:
        return Outcome.TOO_LATE
    if len(mine) >= MOST_PROMISES or len(found.accepted) >= MOST_ACCEPTED:
        return Outcome.OVER_LIMIT
    for way in Direction:
        if found.promised_w(way) + promise.power_w(way) > found.terms.most_w:
            return Outcome.OVER_LIMIT
    asset = state.assets[promise.asset]
    for other, standing_promise in mine:
        if one_meter(asset, state.assets[standing_promise.asset]):
            taken = [window for _, window in other.to_come() if standing_promise.binds(window)]
            taken += [call.window for call in other.calls.values() if standing_promise.id in call.parts]
            if overlapping(windows, sorted(taken)):
                return Outcome.ALREADY_THERE
    return None


def _cannot(state: State, asset: Asset, windows: list[Window], up_w: int, down_w: int) -> Outcome | None:
    """Return why an asset cannot guarantee so much in windows, or None."""
    consent, zone = state.consent(asset.id), zone_of(state.charter.timezone)
    if not consent.direct or state.trusted.suspended(asset.id) or asset.kind is AssetKind.FEEDER:
        return Outcome.NOT_ALLOWED
    for window in windows:
        power_w = up_w if window.direction is Direction.GIVE_BACK else down_w
        if not power_w:
            continue
        if power_w > most_w(asset, consent, window.seconds):
            return Outcome.OVER_LIMIT
        if not consent.open_during(Interval(instant(window.start_s), instant(window.end_s)), zone):
            return Outcome.NOT_ALLOWED
    return None


def most_w(asset: Asset, consent: Consent, seconds: int) -> int:
    """Return by how much an asset's power can differ from whatever it would be, at the very most, W.

    From drawing all it may to supplying all it may, and what stores neither longer than it has room or energy for.
    It is a bound on what can be true, not a forecast; what an asset answers should come from its plan.

    Args:
        asset: With the smaller of its registered and attested limits.
        consent: Its owner's: what supplies leaves its least level, and no more than the owner lets it supply.
        seconds: How long it would have to be held.
    """
    draw_w, supply_w = asset.max_import_w, asset.max_export_w
    if consent.most_supply_w is not None:
        supply_w = min(supply_w, consent.most_supply_w)
    if asset.stores:
        given_wh = asset.recoverable_wh(asset.capacity_wh - consent.floor_wh(asset.capacity_wh))
        taken_wh = asset.capacity_wh * 1000 // asset.charge_permille
        supply_w = min(supply_w, given_wh * _HOUR_S // seconds)
        draw_w = min(draw_w, taken_wh * _HOUR_S // seconds)
    return draw_w + supply_w


def _leave(state: State, request: Request, body: told.Leave, stamped_s: int) -> Outcome:
    found = state.contracts.accepted_in(body.acceptance)
    if found is None:
        return Outcome.UNKNOWN_THING
    promise = found.accepted[body.acceptance]
    member = state.keys[request.author].role == "member" and promise.account == request.on_behalf_of
    if not member or found.terms.leave_s is None:
        return Outcome.NOT_ALLOWED
    free_s = stamped_s + found.terms.leave_s
    staying = [w.end_s for _, w in found.to_come() if promise.binds(w) and w.start_s < free_s]
    until_s = max(staying, default=promise.since_s)
    if until_s >= promise.until_s:
        return Outcome.ALREADY_THERE
    found.accepted[promise.id] = Acceptance(
        id=promise.id,
        account=promise.account,
        asset=promise.asset,
        up_w=promise.up_w,
        down_w=promise.down_w,
        since_s=promise.since_s,
        until_s=until_s,
    )
    calling.tidy(state, found, (promise.id,), stamped_s)
    state.contracts.changed()
    return Outcome.BOOKED


def _speaks_for(state: State, request: Request, asset: Asset) -> bool:
    record = state.keys[request.author]
    if record.role == "gateway":
        return record.gateway == asset.gateway
    return record.role == "member" and asset.owner == request.on_behalf_of

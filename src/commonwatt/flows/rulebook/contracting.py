"""Rules for contracts between utilities and members (rows W5, E13, M4); the states are `commonwatt.market.contracts`.

- An offer reserves its budget, an acceptance what its member's penalties could come to: nobody owes what they cannot
  pay. What a contract needs no more is free again.
- Only an asset that is controlled directly backs a guarantee: one whose owner lets schedules come into force without
  asking. One contract at a time counts on it, so nothing is promised, measured or paid twice.
- An owner's ``off`` wins. What it leaves undelivered costs what the contract says, and no more.
- What is measured is paid when nobody disputed it in time. Corrections until then count; afterwards nothing changes.
"""

from zoneinfo import ZoneInfo

from commonwatt.flows.rulebook import contract_bodies as bodies
from commonwatt.flows.rulebook.backing import free
from commonwatt.flows.rulebook.contract_measuring import backfill, begin_measuring
from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.transferring import MOST_PENDING
from commonwatt.ledger.transfers import FOR_EVER_S, Transfer
from commonwatt.market.contracts import (
    Call,
    Contract,
    Direction,
    Fact,
    Guarantee,
    Offer,
    Status,
    Terms,
    Trigger,
    TriggerKind,
    Window,
    most_penalty_micro,
)
from commonwatt.metering.baseline import DayRows
from commonwatt.model import (
    MARKET,
    SLOT_SECONDS,
    AccountId,
    Asset,
    AssetId,
    Commodity,
    ConsentMode,
    InvalidValue,
    Outcome,
    Request,
    zone_of,
)

MOST_OFFERS = 20
"""Of one utility: open, or with contracts that run."""
MOST_CONTRACTS = 32
"""Of one member at a time."""
MOST_CONTRACTS_IN_ALL = 1_000
"""Of one community at a time: each is looked at in every commit."""
MOST_FACTS = 200
"""Of one oracle that still matter."""
LATE_S = 900
"""How old a frequency may be when it is told."""


def contract(state: State, request: Request, body: bodies.ContractBody, position: int, stamped_s: int) -> Outcome:
    """Offer, close, guarantee, accept, leave, dispute or resolve."""
    account, role = request.on_behalf_of, state.keys[request.author].role
    offers = isinstance(body, bodies.MakeOffer | bodies.CloseOffer)
    owns = isinstance(body, bodies.GiveGuarantee | bodies.Accept | bodies.Leave)
    if (offers and role == "member") or (owns and role != "member"):
        return Outcome.NOT_ALLOWED
    match body:
        case bodies.MakeOffer():
            return _offer(state, account, body, position, stamped_s)
        case bodies.CloseOffer():
            return _close(state, account, body)
        case bodies.GiveGuarantee():
            return _guarantee(state, account, body, stamped_s)
        case bodies.Accept():
            return _accept(state, account, body, position, stamped_s)
        case bodies.Leave():
            return _leave(state, account, body, stamped_s)
        case bodies.Dispute():
            return _dispute(state, account, body, stamped_s)
        case bodies.Resolve():
            return _resolve(state, account, body, stamped_s)


def advance(state: State, stamped_s: int) -> None:
    """Do what time has brought: close offers, call windows, pay what nobody disputed, end what is over."""
    book = state.contracted.book
    for offer in book.offers.values():
        if not offer.closed and offer.terms.accept_by_s < stamped_s:
            offer.closed = True
            _secure(state, offer)
    if book.facts:
        book.facts = [fact for fact in book.facts if fact.end_s + LATE_S >= stamped_s]
    for one in book.running():
        _advance(state, one, stamped_s)


def fact(state: State, request: Request, body: bodies.ContractFact, stamped_s: int) -> Outcome:
    """Take in what an oracle says of the grid, and call what enough of them agree on; what comes late calls nothing."""
    found = _fact(request.on_behalf_of, body)
    if not 0 < body.end_s - body.start_s <= (SLOT_SECONDS if found.mhz is not None else 86_400):
        return Outcome.OVER_LIMIT
    if found.mhz is not None and body.end_s > stamped_s:
        return Outcome.NOT_ALLOWED  # nobody has measured what has not been
    if body.end_s + LATE_S < stamped_s or (found.mhz is None and body.start_s <= stamped_s):
        return Outcome.TOO_LATE
    book = state.contracted.book
    if sum(known.oracle == found.oracle for known in book.facts) >= MOST_FACTS:
        return Outcome.OVER_LIMIT
    if not book.hear(found):
        return Outcome.ALREADY_THERE
    for one in book.running():
        if one.calls:
            _called_by_fact(state, one, one.calls[-1], found, stamped_s)
    return Outcome.BOOKED


def priced(state: State, stamped_s: int) -> None:
    """Call what new prices call."""
    for one in state.contracted.book.running():
        if one.calls:
            _called_by_price(state, one, one.calls[-1], stamped_s)


def _offer(state: State, utility: AccountId, body: bodies.MakeOffer, position: int, stamped_s: int) -> Outcome:
    book = state.contracted.book
    try:
        terms = _terms(body)
    except InvalidValue:
        return Outcome.OVER_LIMIT
    if not all(state.keys.has_role(oracle, "oracle") for oracle in terms.trigger.oracles):
        return Outcome.UNKNOWN_THING
    if terms.arbiter is not None and (terms.arbiter == utility or not state.has_wallet(terms.arbiter)):
        return Outcome.NOT_ALLOWED
    if terms.accept_by_s <= stamped_s:
        return Outcome.TOO_LATE
    if book.standing_offers(utility) >= MOST_OFFERS or state.wallets.pending_of(utility) >= MOST_PENDING:
        return Outcome.OVER_LIMIT
    if not state.has_wallet(utility) or free(state, utility, Commodity.ERGON) < body.budget_micro:
        return Outcome.NOT_BACKED
    _secure(state, book.offer(str(position), utility, terms, body.budget_micro))
    return Outcome.BOOKED


def _close(state: State, utility: AccountId, body: bodies.CloseOffer) -> Outcome:
    offer = state.contracted.book.offers.get(body.offer)
    if offer is None or offer.closed:
        return Outcome.UNKNOWN_THING
    if offer.utility != utility:
        return Outcome.NOT_ALLOWED
    offer.closed = True
    _secure(state, offer)
    return Outcome.BOOKED


def _guarantee(state: State, owner: AccountId, body: bodies.GiveGuarantee, stamped_s: int) -> Outcome:
    """Note what an asset can be counted on for, if it can (rows M4, X13)."""
    asset = state.assets.get(AssetId(body.asset))
    if asset is None:
        return Outcome.UNKNOWN_THING
    if asset.owner != owner or (body.direct and not _controlled(state, asset)):
        return Outcome.NOT_ALLOWED
    if body.until_s <= stamped_s:
        return Outcome.TOO_LATE
    if body.charge_w > asset.max_import_w or body.give_back_w > _most_back_w(asset):
        return Outcome.OVER_LIMIT
    book = state.contracted.book
    if book.pledge(asset.id):
        return Outcome.ALREADY_THERE  # somebody counts on what was said before
    book.guarantees[asset.id] = Guarantee(
        asset=asset.id,
        until_s=body.until_s,
        charge_w=body.charge_w,
        give_back_w=body.give_back_w,
        direct=body.direct,
    )
    return Outcome.BOOKED


def _accept(state: State, member: AccountId, body: bodies.Accept, position: int, stamped_s: int) -> Outcome:
    book, asset = state.contracted.book, state.assets.get(AssetId(body.asset))
    offer = book.offers.get(body.offer)
    if offer is None or offer.closed or asset is None:
        return Outcome.UNKNOWN_THING  # closed ones are forgotten sooner or later
    terms = offer.terms
    if asset.owner != member or member in (offer.utility, terms.arbiter) or terms.zone not in (None, asset.zone):
        return Outcome.NOT_ALLOWED
    if not _guaranteed(state, asset, body, terms):
        return Outcome.NOT_ALLOWED
    if book.pledge(asset.id):
        return Outcome.ALREADY_THERE
    running = book.running()
    mine = sum(one.member == member for one in running)
    if mine >= MOST_CONTRACTS or len(running) >= MOST_CONTRACTS_IN_ALL or _full(state, member):
        return Outcome.OVER_LIMIT
    most_micro = most_penalty_micro(terms, body.charge_w, body.give_back_w) * terms.most_windows
    if free(state, member, Commodity.ERGON) < most_micro:
        return Outcome.NOT_BACKED
    first = terms.next_window(stamped_s + terms.notice_s, zone_of(state.charter.timezone))
    if first is None:
        return Outcome.TOO_LATE
    made = book.accept(str(position), offer, member, asset.id, body.charge_w, body.give_back_w)
    if made is None:
        return Outcome.OVER_LIMIT
    made.calls.append(Call(window=first[0], start_s=first[1], end_s=first[2]))
    _secure(state, offer)
    _secure_member(state, made)
    state.contracted.days[asset.id] = DayRows()
    backfill(state, made)
    _call_by_known(state, made, made.calls[0], stamped_s)
    return Outcome.BOOKED


def _leave(state: State, member: AccountId, body: bodies.Leave, stamped_s: int) -> Outcome:
    found = state.contracted.book.contracts.get(body.contract)
    if found is None or found.ended_s is not None:
        return Outcome.UNKNOWN_THING
    if found.member != member:
        return Outcome.NOT_ALLOWED
    ends_s = stamped_s + state.contracted.book.terms(found).leave_s
    if ends_s >= found.ends_s:
        return Outcome.ALREADY_THERE
    found.ends_s = ends_s
    if found.calls and found.calls[-1].start_s >= ends_s and found.calls[-1].status is Status.STANDBY:
        found.calls.pop()
    return Outcome.BOOKED


def _dispute(state: State, account: AccountId, body: bodies.Dispute, stamped_s: int) -> Outcome:
    found = _window(state, body.contract, body.window_s)
    if found is None:
        return Outcome.UNKNOWN_THING
    one, call = found
    book = state.contracted.book
    if account not in (one.member, book.offers[one.offer].utility):
        return Outcome.NOT_ALLOWED
    if call.status is Status.DISPUTED:
        return Outcome.ALREADY_THERE
    return Outcome.BOOKED if book.dispute(one, call, stamped_s, body.reason) else Outcome.TOO_LATE


def _resolve(state: State, account: AccountId, body: bodies.Resolve, stamped_s: int) -> Outcome:
    found = _window(state, body.contract, body.window_s)
    if found is None:
        return Outcome.UNKNOWN_THING
    one, call = found
    book = state.contracted.book
    if account not in (one.member, book.offers[one.offer].utility, book.terms(one).arbiter):
        return Outcome.NOT_ALLOWED
    if call.status is not Status.DISPUTED:
        return Outcome.TOO_LATE
    if not state.accounts.headroom(Commodity.ERGON) > abs(body.net_micro):
        return Outcome.OVER_LIMIT
    try:
        net_micro = book.resolve(one, call, account, body.net_micro)
    except InvalidValue:
        return Outcome.OVER_LIMIT
    if net_micro is not None:
        _pay(state, one, call, [("flexibility settlement", net_micro)], stamped_s)
    return Outcome.BOOKED


def _window(state: State, name: str, start_s: int) -> tuple[Contract, Call] | None:
    one = state.contracted.book.contracts.get(name)
    call = one.find(start_s) if one and one.ended_s is None else None
    return (one, call) if one and call else None


def _guaranteed(state: State, asset: Asset, body: bodies.Accept, terms: Terms) -> bool:
    """Tell whether an asset's guarantee covers a promise, its limits and its owner's consent what was guaranteed."""
    told = state.contracted.book.guarantees.get(asset.id)
    if told is None or not told.direct or told.until_s < terms.until_s or not _controlled(state, asset):
        return False
    charge_w, give_back_w = min(told.charge_w, asset.max_import_w), min(told.give_back_w, _most_back_w(asset))
    if body.charge_w > charge_w or body.give_back_w > give_back_w:
        return False
    asked = {window.direction for window in terms.windows}
    promised = {Direction.CHARGE: body.charge_w, Direction.GIVE_BACK: body.give_back_w}
    return all((power_w > 0) == (direction in asked) for direction, power_w in promised.items())


def _controlled(state: State, asset: Asset) -> bool:
    """Tell whether schedules for an asset come into force without asking anybody: direct control (row X13)."""
    direct = state.consent(asset.id).mode in (ConsentMode.ALWAYS, ConsentMode.WITHIN)
    return direct and not state.trusted.suspended(asset.id)


def _most_back_w(asset: Asset) -> int:
    """Return what an asset can give back: what it can give, and for what only draws, what it can leave off."""
    return asset.max_export_w or asset.max_import_w


def _full(state: State, account: AccountId) -> bool:
    return state.wallets.pending_of(account) >= MOST_PENDING


def _advance(state: State, one: Contract, stamped_s: int) -> None:
    while one.calls:
        call = one.calls[-1]
        terms = state.contracted.book.terms(one)
        if terms.trigger.kind is TriggerKind.STANDING and stamped_s >= call.start_s - terms.notice_s:
            _call(state, one, call, call.start_s, call.end_s)
        if call.end_s > stamped_s:
            break
        if call.status is Status.STANDBY:
            asset = state.assets[one.asset]
            call.available = _controlled(state, asset)
        if not _arm(state, one, call.end_s):
            break
        _call_by_known(state, one, one.calls[-1], stamped_s)
    for call in one.calls:
        if call.status in (Status.MEASURED, Status.DISPUTED) and call.due_s <= stamped_s:
            payment, availability, penalty = call.due
            if state.accounts.headroom(Commodity.ERGON) <= payment + availability + penalty:
                continue  # the books end at 2^53-1; it is owed until there is room
            parts = [
                ("flexibility payment", payment),
                ("flexibility availability", availability),
                ("flexibility penalty", -penalty),
            ]
            _pay(state, one, call, parts, stamped_s)
    over = not one.calls or (one.calls[-1].end_s <= stamped_s and _next(state, one, one.calls[-1].end_s) is None)
    if over and all(call.status is Status.PAID for call in one.calls):
        _end(state, one, stamped_s)


def _arm(state: State, one: Contract, after_s: int) -> bool:
    """Let the next window stand by, where there is one."""
    found = _next(state, one, after_s)
    if found is not None:
        one.calls.append(Call(window=found[0], start_s=found[1], end_s=found[2]))
    return found is not None


def _next(state: State, one: Contract, after_s: int) -> tuple[int, int, int] | None:
    terms = state.contracted.book.terms(one)
    if len(one.calls) >= terms.most_windows:
        return None
    found = terms.next_window(after_s, _zone(state))
    return found if found and found[1] < one.ends_s else None


def _call_by_known(state: State, one: Contract, call: Call, stamped_s: int) -> None:
    """Call a window that just began to stand by, if events or prices that were told before call it."""
    for known in state.contracted.book.facts:
        if known.name is not None:
            _called_by_fact(state, one, call, known, stamped_s)
    _called_by_price(state, one, call, stamped_s)


def _called_by_price(state: State, one: Contract, call: Call, stamped_s: int) -> None:
    """Call a window by the import price of its first slot, if that is known in time."""
    terms = state.contracted.book.terms(one)
    trigger, told = terms.trigger, state.prices.get(call.start_s)
    if told is None or call.status is not Status.STANDBY or stamped_s > call.start_s - terms.notice_s:
        return
    above = trigger.kind is TriggerKind.PRICE_ABOVE and told[0] > trigger.level
    below = trigger.kind is TriggerKind.PRICE_BELOW and told[0] < trigger.level
    if above or below:
        _call(state, one, call, call.start_s, call.end_s)


def _called_by_fact(state: State, one: Contract, call: Call, told: Fact, stamped_s: int) -> None:
    book = state.contracted.book
    terms = book.terms(one)
    if call.status is not Status.STANDBY or not book.agreed(terms.trigger, told):
        return
    earliest_s = stamped_s + terms.notice_s
    if terms.trigger.kind is TriggerKind.EVENT:
        meant = told.direction is terms.windows[call.window].direction
        meant = meant and told.zone in (None, state.assets[one.asset].zone)
        if meant and max(told.start_s, call.start_s) >= earliest_s:
            _call(state, one, call, told.start_s, told.end_s)
    elif call.start_s <= stamped_s < call.end_s:
        start_s = -(-earliest_s // SLOT_SECONDS) * SLOT_SECONDS
        _call(state, one, call, start_s, start_s + terms.trigger.lasts_s)


def _call(state: State, one: Contract, call: Call, start_s: int, end_s: int) -> None:
    if state.contracted.book.call(one, call, start_s, end_s):
        begin_measuring(state, one, call)


def _pay(state: State, one: Contract, call: Call, parts: list[tuple[str, int]], stamped_s: int) -> None:
    """Pay what a window comes to, and keep aside from now on what the rest may come to."""
    book = state.contracted.book
    offer = book.offers[one.offer]
    book.paid(one, call, sum(micro for _, micro in parts))
    slot_s = stamped_s // SLOT_SECONDS * SLOT_SECONDS
    for memo, micro in parts:
        ref = f"{one.id}/{call.start_s}"
        state.move(Commodity.ERGON, offer.utility, one.member, micro, slot_s=slot_s, memo=memo, ref=ref)
    offer.free_micro += one.stake_micro - max(0, call.paid_micro)
    _secure(state, offer)
    _secure_member(state, one)


def _end(state: State, one: Contract, stamped_s: int) -> None:
    book = state.contracted.book
    book.end(one, stamped_s)
    state.contracted.days.pop(one.asset, None)
    _secure(state, book.offers[one.offer])
    _secure_member(state, one)


def _secure(state: State, offer: Offer) -> None:
    """Set aside at a utility what an offer and its contracts may come to, in place of what was set aside before.

    No request can name such a reservation: names have no spaces.
    """
    amount = state.contracted.book.reserved_micro(offer)
    _set_aside(state, f"offer {offer.id}", offer.utility, amount)


def _secure_member(state: State, one: Contract) -> None:
    _set_aside(state, f"contract {one.id}", one.member, one.left * one.penalty_stake_micro)


def _set_aside(state: State, name: str, source: AccountId, amount: int) -> None:
    state.wallets.release(name)
    if amount:
        state.wallets.reserve(
            Transfer(
                id=name, commodity=Commodity.ERGON, source=source, target=MARKET, amount=amount, until_s=FOR_EVER_S
            )
        )


def _zone(state: State) -> ZoneInfo:
    return zone_of(state.charter.timezone)


def _fact(oracle: AccountId, body: bodies.ContractFact) -> Fact:
    if isinstance(body, bodies.FrequencyFact):
        return Fact(oracle=oracle, start_s=body.start_s, end_s=body.end_s, mhz=body.mhz)
    return Fact(
        oracle=oracle,
        start_s=body.start_s,
        end_s=body.end_s,
        name=body.name,
        zone=body.zone,
        direction=body.direction,
    )


def _terms(body: bodies.MakeOffer) -> Terms:
    """Return an offer's conditions.

    Raises:
        InvalidValue: They contradict each other.
    """
    windows = tuple(Window(**{name: getattr(item, name) for name in item.__struct_fields__}) for item in body.windows)
    told = body.trigger
    trigger = Trigger(
        kind=told.kind,
        level=told.level,
        name=told.name,
        oracles=tuple(AccountId(oracle) for oracle in told.oracles),
        quorum=told.quorum,
        lasts_s=told.lasts_s,
    )
    return Terms(
        windows=windows,
        most_windows=body.most_windows,
        until_s=body.until_s,
        accept_by_s=body.accept_by_s,
        power_w=body.power_w,
        basis=body.basis,
        most_micro_per_kwh=body.most_micro_per_kwh,
        availability_micro_per_kw_h=body.availability_micro_per_kw_h,
        penalty_micro_per_kwh=body.penalty_micro_per_kwh,
        rule=body.rule,
        whole_permille=body.whole_permille,
        baseline=body.baseline,
        adjust_permille=body.adjust_permille,
        trigger=trigger,
        notice_s=body.notice_s,
        leave_s=body.leave_s,
        dispute_s=body.dispute_s,
        resolve_s=body.resolve_s,
        arbiter=AccountId(body.arbiter) if body.arbiter else None,
        zone=body.zone,
    )

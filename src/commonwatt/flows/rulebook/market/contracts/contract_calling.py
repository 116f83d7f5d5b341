"""Rules for what time and facts do to contracts: windows are called, measured ones paid, and contracts end."""

from zoneinfo import ZoneInfo

from commonwatt.flows.rulebook.market.contracts import contract_bodies as bodies
from commonwatt.flows.rulebook.market.contracts.contract_measuring import begin_measuring
from commonwatt.flows.rulebook.state import State
from commonwatt.ledger.transfers import FOR_EVER_S, Transfer
from commonwatt.market.contracts import (
    Call,
    Contract,
    Fact,
    Offer,
    Status,
    TriggerKind,
)
from commonwatt.model import (
    MARKET,
    SLOT_SECONDS,
    AccountId,
    Asset,
    Commodity,
    ConsentMode,
    Memo,
    Outcome,
    Request,
    zone_of,
)

MOST_FACTS = 200
"""Of one oracle that still matter."""
LATE_S = 900
"""How old a frequency may be when it is told."""


def advance(state: State, stamped_s: int) -> None:
    """Do what time has brought: close offers, call windows, pay what nobody disputed, end what is over."""
    book = state.contracted.book
    for offer in book.offers.values():
        if not offer.closed and offer.terms.accept_by_s < stamped_s:
            offer.closed = True
            secure(state, offer)
    if book.facts:
        book.facts = [fact for fact in book.facts if fact.end_s + LATE_S >= stamped_s]
    for one in book.running():
        _advance(state, one, stamped_s)


def fact(state: State, request: Request, body: bodies.ContractFact, stamped_s: int) -> Outcome:
    """Take in what an oracle says of the grid, and call what enough of them agree on; what comes late calls nothing.

    Who pays for contracts tells events alone, and those that its own offers name.
    """
    found = _fact(request.on_behalf_of, body)
    if state.keys[request.author].role != "oracle":
        if found.name is None:
            return Outcome.NOT_ALLOWED
        if not _names(state, found):
            return Outcome.UNKNOWN_THING
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


def call_by_known(state: State, one: Contract, call: Call, stamped_s: int) -> None:
    """Call a window that just began to stand by, if events or prices that were told before call it."""
    for known in state.contracted.book.facts:
        if known.name is not None:
            _called_by_fact(state, one, call, known, stamped_s)
    _called_by_price(state, one, call, stamped_s)


def pay(state: State, one: Contract, call: Call, parts: list[tuple[Memo, int]], stamped_s: int) -> None:
    """Pay what a window comes to, and keep aside from now on what the rest may come to."""
    book = state.contracted.book
    offer = book.offers[one.offer]
    book.paid(one, call, sum(micro for _, micro in parts))
    slot_s = stamped_s // SLOT_SECONDS * SLOT_SECONDS
    for memo, micro in parts:
        ref = f"{one.id}/{call.start_s}"
        state.move(Commodity.ERGON, offer.utility, one.member, micro, slot_s=slot_s, memo=memo, ref=ref)
    offer.free_micro += one.stake_micro - max(0, call.paid_micro)
    secure(state, offer)
    secure_member(state, one)


def secure(state: State, offer: Offer) -> None:
    """Set aside at a utility what an offer and its contracts may come to, in place of what was set aside before.

    No request can name such a reservation: names have no spaces.
    """
    amount = state.contracted.book.reserved_micro(offer)
    _set_aside(state, f"offer {offer.id}", offer.utility, amount)


def secure_member(state: State, one: Contract) -> None:
    """Set aside at a member what the rest of a contract may cost in penalties, in place of what was before."""
    _set_aside(state, f"contract {one.id}", one.member, one.left * one.penalty_stake_micro)


def controlled(state: State, asset: Asset) -> bool:
    """Tell whether schedules for an asset come into force without asking anybody: direct control (row X13)."""
    direct = state.consent(asset.id).mode in (ConsentMode.ALWAYS, ConsentMode.WITHIN)
    return direct and not state.trusted.suspended(asset.id)


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
            call.available = controlled(state, asset)
        if not _arm(state, one, call.end_s):
            break
        call_by_known(state, one, one.calls[-1], stamped_s)
    for call in one.calls:
        if call.status in (Status.MEASURED, Status.DISPUTED) and call.due_s <= stamped_s:
            payment, availability, penalty = call.due
            if state.accounts.headroom(Commodity.ERGON) <= payment + availability + penalty:
                continue  # the books end at 2^53-1; it is owed until there is room
            parts = [
                (Memo.FLEXIBILITY_PAYMENT, payment),
                (Memo.FLEXIBILITY_AVAILABILITY, availability),
                (Memo.FLEXIBILITY_PENALTY, -penalty),
            ]
            pay(state, one, call, parts, stamped_s)
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


def _names(state: State, told: Fact) -> bool:
    """Tell whether an offer of who tells an event names both."""
    offers = (one for one in state.contracted.book.offers.values() if one.utility == told.oracle)
    return any(told.oracle in one.terms.trigger.oracles and told.name == one.terms.trigger.name for one in offers)


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


def _end(state: State, one: Contract, stamped_s: int) -> None:
    book = state.contracted.book
    book.end(one, stamped_s)
    state.contracted.days[one.asset].rest()
    secure(state, book.offers[one.offer])
    secure_member(state, one)


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

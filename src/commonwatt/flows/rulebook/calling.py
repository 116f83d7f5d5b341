"""Rules that let contracts run by the log's time: windows open, facts call them, meters tell, money follows by itself.

A window is called by its time (a standing contract), or when a quorum of oracles has signed a fact in time; a fact that
comes too late for any whole slot calls nothing, and who was not called owes nothing. What a window comes to is due once
its slots are settled: all meters reported, or their grace ran out. Until the dispute window ends a corrected reading
still counts; then it is paid, and stays.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from commonwatt.flows.rulebook import aside, delivering
from commonwatt.flows.rulebook.contracted import Fact, Heard, Paid
from commonwatt.flows.rulebook.state import State
from commonwatt.market.contracts import facts
from commonwatt.market.contracts.standing import Call, Contract, Part, Stage, call_wh, measured, paid
from commonwatt.market.contracts.terms import Direction, Terms, Trigger, Window
from commonwatt.model import (
    SLOT_SECONDS,
    AccountId,
    Commodity,
    Outcome,
    Schedule,
    epoch,
)

KEPT_S = 3_600
"""How long a fact may still call something once what it is about is over, and how late one is taken in."""
AHEAD_S = 7 * 86_400
"""How far ahead an event is announced."""
MOST_FACTS = 4_000
"""That one oracle may have standing: every second of the hour for which they count."""
_PRICES = (Trigger.PRICE_ABOVE, Trigger.PRICE_BELOW)
_LATER = 2**53


def begin(state: State, stamped_s: int) -> None:
    """Pay what has come due, and open the windows that have begun."""
    contracts = state.contracts
    contracts.at_hand_s = state.horizon_s
    if not contracts.standing and not contracts.heard:
        return
    if contracts.wake_s is not None and stamped_s < contracts.wake_s:
        return
    for contract in list(contracts.standing.values()):
        done = {name for call in contract.calls.values() for name in _pay_due(state, contract, call, stamped_s)}
        _open(state, contract, stamped_s)
        tidy(state, contract, done, stamped_s)
    for subject in [name for name, heard in contracts.heard.items() if heard.over_s + KEPT_S <= stamped_s]:
        del contracts.heard[subject]
    contracts.changed()
    contracts.wake_s = _next_s(state, stamped_s)


def end(state: State, stamped_s: int) -> None:
    """Measure the windows whose slots are settled, and remember the days that readings will soon tell no more."""
    contracts = state.contracts
    if contracts.standing and (contracts.settled_s is None or contracts.settled_s <= state.settled_to_s):
        running: list[int] = []
        for contract in contracts.standing.values():
            for call in contract.calls.values():
                if call.over_s <= state.settled_to_s:
                    _measure(state, contract, call, stamped_s)
                elif call.parts:
                    running.append(call.over_s)
        contracts.settled_s = min(running, default=_LATER)
    delivering.note_days(state)


def tidy(state: State, contract: Contract, changed: Iterable[str], stamped_s: int) -> None:
    """Let go of what is paid and of promises from which nothing follows; hold what can still be owed, and no more.

    Args:
        state: Changed in place.
        contract: Which.
        changed: Promises of which a part was paid, or that their member leaves: of all others the same can be owed.
        stamped_s: The log's time.
    """
    contracts = state.contracts
    for number in [n for n, call in contract.calls.items() if all(p.stage is Stage.PAID for p in call.parts.values())]:
        if number < contract.opened:
            del contract.calls[number]
    for acceptance in list(contract.accepted.values()):
        if contract.bound(acceptance.id):
            if acceptance.id in changed:
                aside.hold_promise(state, contract, acceptance)
        else:
            aside.release_promise(state, acceptance)
            contracts.drop_promise(contract, acceptance)
    if stamped_s >= contract.accept_by_s:
        contracts.guarantees.pop(contract.id, None)
    if contract.done or (stamped_s >= contract.accept_by_s and not contract.accepted):
        aside.release_contract(state, contract)
        contracts.guarantees.pop(contract.id, None)
        del contracts.standing[contract.id]
    else:
        aside.hold_contract(state, contract, stamped_s)


def hear(state: State, account: AccountId, told: Fact, stamped_s: int) -> Outcome:
    """Take in what an oracle says of a frequency or an event, and call what a quorum of them calls.

    Whoever said something else of the same thing before is refused: the contradiction stands in the log.
    """
    contracts = state.contracts
    if told.over_s + KEPT_S <= stamped_s:
        return Outcome.TOO_LATE
    frequency = isinstance(told, facts.Frequency)
    if frequency and told.over_s > stamped_s:
        return Outcome.NOT_ALLOWED  # nobody has measured what has not happened yet
    if told.over_s > stamped_s + AHEAD_S:
        return Outcome.OVER_LIMIT
    heard = contracts.heard.get(told.subject, Heard())
    said: Mapping[AccountId, Fact] = heard.frequencies if frequency else heard.events
    if account in said:
        return Outcome.ALREADY_THERE if said[account] == told else Outcome.NOT_ALLOWED
    if sum(account in each.frequencies or account in each.events for each in contracts.heard.values()) >= MOST_FACTS:
        return Outcome.OVER_LIMIT
    if isinstance(told, facts.Frequency):
        heard.frequencies[account] = told
        said = heard.frequencies
    else:
        heard.events[account] = told
        said = heard.events
    contracts.heard[told.subject] = heard
    contracts.changed()
    for contract in contracts.standing.values():
        _call_by_fact(state, contract, told, said, stamped_s)
    return Outcome.BOOKED


def prices_told(state: State, told: Mapping[int, tuple[int, int]], stamped_s: int) -> None:
    """Call the windows that newly published prices call."""
    for contract in state.contracts.standing.values():
        if contract.terms.trigger in _PRICES:
            for number, window in _uncalled(contract, min(told), max(told) + SLOT_SECONDS):
                _call_by_price(state, contract, number, window, told, stamped_s)


def consent_said(state: State, account: AccountId, stamped_s: int) -> None:
    """Note in running windows which of an owner's assets may be moved no more: off wins over every contract."""
    for contract, promise in state.contracts.promises_of(account):
        if state.consent(promise.asset).direct:
            continue
        for call in contract.calls.values():
            part = call.parts.get(promise.id)
            if part is not None and part.ready and stamped_s < call.over_s:
                call.parts[promise.id] = replace(part, ready=False)


def scheduled(state: State, schedule: Schedule, stamped_s: int) -> None:
    """Note what a schedule that came into force instructs in running windows, from its own slot on."""
    account = state.assets[schedule.asset].owner
    for contract, promise in state.contracts.promises_of(account):
        if promise.asset != schedule.asset:
            continue
        for call in contract.calls.values():
            part = call.parts.get(promise.id)
            if part is not None and part.stage is Stage.RUNNING and call.called:
                call.parts[promise.id] = _instructed(call, part, schedule, stamped_s)


def _instructed(call: Call, part: Part, schedule: Schedule, stamped_s: int) -> Part:
    told = list(part.instructed_wh)
    first_s = stamped_s // SLOT_SECONDS * SLOT_SECONDS
    for entry in schedule.instructions:
        from_s, to_s = epoch(entry.interval.start), epoch(entry.interval.end)
        for place, slot_s in enumerate(call.slots):
            if slot_s >= first_s and from_s <= slot_s < to_s:
                sign = 1 if entry.power_w >= 0 else -1
                told[place] = sign * (abs(entry.power_w) * SLOT_SECONDS // 3600)
    return replace(part, instructed_wh=tuple(told))


def _open(state: State, contract: Contract, stamped_s: int) -> None:
    """Open every window that has begun: of a standing contract it is called, of any other it stands ready."""
    windows, terms = contract.terms.windows, contract.terms
    while contract.opened < len(windows) and windows[contract.opened].start_s <= stamped_s:
        number = contract.opened
        window = windows[number]
        if number not in contract.calls:
            parts = _parts(state, contract, window)
            if parts:
                contract.calls[number] = Call(
                    window=window,
                    told_s=window.start_s - terms.notice_s,
                    from_s=window.start_s,
                    to_s=window.start_s,
                    parts=parts,
                )
        contract.opened += 1
        if terms.trigger is Trigger.STANDING:
            _call(state, contract, number, _standing_span(terms, window), window.start_s - terms.notice_s, stamped_s)
        elif terms.trigger in _PRICES:
            known = {s: state.prices[s] for s in _slots(window) if s in state.prices and s >= state.contracts.at_hand_s}
            _call_by_price(state, contract, number, window, known, stamped_s)


def _standing_span(terms: Terms, window: Window) -> tuple[int, int]:
    found = facts.span(terms, window, window.start_s - terms.notice_s, window.start_s)
    assert found is not None, "a standing window was always known in time"
    return found


def _slots(window: Window) -> range:
    return range(window.start_s, window.end_s, SLOT_SECONDS)


def _parts(state: State, contract: Contract, window: Window) -> dict[str, Part]:
    return {
        promise.id: Part(
            acceptance=promise.id,
            account=promise.account,
            asset=promise.asset,
            power_w=promise.power_w(window.direction),
            ready=state.consent(promise.asset).direct and not state.trusted.suspended(promise.asset),
        )
        for promise in contract.accepted.values()
        if promise.binds(window)
    }


def _uncalled(contract: Contract, from_s: int, to_s: int) -> list[tuple[int, Window]]:
    """Return the windows that overlap a stretch of time and can still be called."""
    running = [(number, call.window) for number, call in contract.calls.items() if not call.called]
    found = [*running, *contract.to_come()]
    return [(n, window) for n, window in sorted(found) if window.start_s < to_s and from_s < window.end_s]


def _call_by_price(
    state: State,
    contract: Contract,
    number: int,
    window: Window,
    told: Mapping[int, tuple[int, int]],
    stamped_s: int,
) -> None:
    found = facts.crossing(contract.terms, window, ((s, prices[0]) for s, prices in sorted(told.items())))
    if found is not None:
        _call(state, contract, number, facts.span(contract.terms, window, stamped_s, *found), stamped_s, stamped_s)


def _call_by_fact(state: State, contract: Contract, told: Fact, said: Mapping[AccountId, Fact], stamped_s: int) -> None:
    if isinstance(told, facts.Frequency):
        from_s, to_s, until_s = told.at_s, told.over_s, None
    else:
        from_s, to_s, until_s = told.start_s, told.end_s, told.end_s
    if contract.terms.trigger in (Trigger.STANDING, *_PRICES) or not facts.enough_say(contract.terms, said, told):
        return
    for number, window in _uncalled(contract, from_s, to_s):
        if facts.concerns(contract.terms, window, told):
            span = facts.span(contract.terms, window, stamped_s, from_s, until_s)
            _call(state, contract, number, span, stamped_s, stamped_s)


def _call(
    state: State, contract: Contract, number: int, span: tuple[int, int] | None, told_s: int, stamped_s: int
) -> None:
    """Call a window for a span, unless it was called before, or nobody is there, or enough was called already."""
    window = contract.terms.windows[number]
    call = contract.calls.get(number)
    if call is None and number >= contract.opened and (parts := _parts(state, contract, window)):
        call = Call(window=window, told_s=told_s, from_s=window.start_s, to_s=window.start_s, parts=parts)
    if call is None or call.called or span is None:
        return
    if any(part.stage is not Stage.RUNNING for part in call.parts.values()):
        return  # it stood ready, was not called, and is due for that
    asked_wh = call_wh(*span, call.parts.values())
    if not contract.room_for(asked_wh):
        return
    call.told_s, (call.from_s, call.to_s) = told_s, span
    call.parts = {name: replace(p, instructed_wh=(None,) * len(call.slots)) for name, p in call.parts.items()}
    contract.called_wh += asked_wh
    contract.calls[number] = call
    delivering.mark_called(state, call)
    aside.hold_contract(state, contract, stamped_s)
    state.contracts.changed()


def _measure(state: State, contract: Contract, call: Call, stamped_s: int) -> None:
    for name, part in call.parts.items():
        if part.stage is not Stage.RUNNING:
            continue
        baseline = delivering.make_baseline(state, contract, call, part)
        told = measured(
            replace(part, baseline_wh=baseline),
            *delivering.deliver(state, contract, call, part, baseline),
            stamped_s + contract.terms.dispute_s,
        )
        assert told is not None, "what runs can be measured"
        call.parts[name] = told
        state.contracts.changed()


def measure_again(state: State, contract: Contract, call: Call, part: Part) -> Part:
    """Return a part that is due as its meter's readings are believed now, as long as they are at hand."""
    if part.baseline_wh is None or not delivering.at_hand(state, call):
        return part
    told = measured(part, *delivering.deliver(state, contract, call, part, part.baseline_wh), part.until_s)
    return part if told is None else told


def _pay_due(state: State, contract: Contract, call: Call, stamped_s: int) -> list[str]:
    """Pay the parts whose time has come, and return the promises that they are of."""
    due = [
        name
        for name, part in call.parts.items()
        if part.stage in (Stage.DUE, Stage.DISPUTED) and part.until_s <= stamped_s
    ]
    return [
        name
        for name in due
        if pay(state, contract, call, measure_again(state, contract, call, call.parts[name]), stamped_s)
    ]


def pay(state: State, contract: Contract, call: Call, part: Part, stamped_s: int, *, settled: bool = False) -> bool:
    """Pay a part, once; return False where the books have no room for it now, or it is not to be paid.

    Args:
        state: Changed in place.
        contract: Whose terms.
        call: Which of its windows.
        part: As it is to be paid.
        stamped_s: The log's time.
        settled: Whether the amount is what a dispute came to, and not what was measured.
    """
    after = paid(part)
    owed = part.due
    most_micro = abs(owed.energy_micro) + owed.availability_micro + owed.penalty_micro
    if after is None or most_micro > state.accounts.headroom(Commodity.ERGON):
        return False
    call.parts[part.acceptance] = after
    memo = "surplus sale" if call.window.direction is Direction.CHARGE else "flexibility payment"
    ref = f"{contract.id}/{call.window.start_s}"
    slot_s = stamped_s // SLOT_SECONDS * SLOT_SECONDS
    for amount, why in (
        (owed.energy_micro, "flexibility settlement" if settled else memo),
        (owed.availability_micro, "flexibility availability"),
        (-owed.penalty_micro, "flexibility penalty"),
    ):
        state.move(Commodity.ERGON, contract.terms.utility, part.account, amount, slot_s=slot_s, memo=why, ref=ref)
    if state.journal.keep:
        state.contracts.past.append(
            Paid(
                contract=contract.id, utility=contract.terms.utility, window=call.window, called=call.called, part=after
            )
        )
    return True


def _next_s(state: State, stamped_s: int) -> int:
    """Return when, by the log's time, something is to be done next, as things stand."""
    times = [heard.over_s + KEPT_S for heard in state.contracts.heard.values()]
    for contract in state.contracts.standing.values():
        if contract.opened < len(contract.terms.windows):
            times.append(contract.terms.windows[contract.opened].start_s)
        if contract.accept_by_s > stamped_s:
            times.append(contract.accept_by_s)
        for call in contract.calls.values():
            times += [part.until_s for part in call.parts.values() if part.stage in (Stage.DUE, Stage.DISPUTED)]
    return min(times, default=_LATER)

"""Rules for disputes over what a window of a contract came to: held, then resolved by both sides, or by the arbiter."""

from commonwatt.flows.rulebook import calling
from commonwatt.flows.rulebook import contract_bodies as told
from commonwatt.flows.rulebook.state import State
from commonwatt.market.contracts import standing
from commonwatt.market.contracts.payment import member_most
from commonwatt.market.contracts.standing import Call, Contract, Part, Party
from commonwatt.model import Outcome, Request


def disagree(state: State, request: Request, body: told.Dispute | told.Resolve, stamped_s: int) -> Outcome:
    """Hold what one side says is wrong, or end a dispute by what the arbiter or both sides say."""
    found = state.contracts.accepted_in(body.acceptance)
    call = None if found is None else _window(found, body.window_s)
    part = None if call is None else call.parts.get(body.acceptance)
    if found is None or call is None or part is None:
        return Outcome.UNKNOWN_THING
    party = _party(state, request, found, part)
    if isinstance(body, told.Resolve):
        return _resolve(state, request, found, call, part, body.micro, stamped_s)
    if party is None:
        return Outcome.NOT_ALLOWED
    if part.stage is standing.Stage.RUNNING:
        return Outcome.UNKNOWN_THING  # nothing is measured yet
    part = calling.measure_again(state, found, call, part)
    held = standing.disputed(part, party, body.reason, stamped_s, stamped_s + found.terms.resolve_s)
    if held is None:
        return Outcome.TOO_LATE
    call.parts[part.acceptance] = held
    state.contracts.changed()
    return Outcome.BOOKED


def _resolve(
    state: State, request: Request, found: Contract, call: Call, part: Part, micro: int, stamped_s: int
) -> Outcome:
    """End a dispute: at once by the arbiter's word, and by the second of two sides that say the same."""
    party, arbiter = _party(state, request, found, part), request.author == found.terms.arbiter
    if party is None and not arbiter:
        return Outcome.NOT_ALLOWED
    most_micro = standing.part_most(found.terms, call.window, part)
    least_micro = -member_most(found.terms, [(call.window, part.power_w)])
    ended = standing.resolved(part, micro, most_micro, least_micro)
    if ended is None:
        return Outcome.TOO_LATE if part.stage is not standing.Stage.DISPUTED else Outcome.OVER_LIMIT
    if party is not None and not arbiter:
        said = standing.proposed(part, party, micro)
        assert said is not None, "what can be resolved is disputed"
        if standing.agreed(said) is None:
            call.parts[part.acceptance] = said
            return Outcome.BOOKED
    if not calling.pay(state, found, call, ended, stamped_s, settled=True):
        return Outcome.OVER_LIMIT  # the books have no room for it now
    calling.tidy(state, found, (part.acceptance,), stamped_s)
    state.contracts.changed()
    return Outcome.BOOKED


def _window(found: Contract, window_s: int) -> Call | None:
    return next((call for call in found.calls.values() if call.window.start_s == window_s), None)


def _party(state: State, request: Request, found: Contract, part: Part) -> Party | None:
    """Return which side the author of a request speaks for: an account's other keys do not speak for its money."""
    role, account = state.keys[request.author].role, request.on_behalf_of
    if account == found.terms.utility and role in ("utility", "operator"):
        return Party.UTILITY
    return Party.MEMBER if account == part.account and role == "member" else None

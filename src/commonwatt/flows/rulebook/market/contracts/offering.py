"""Rules for offers: what keeps one from standing, in words that whoever makes it can use, and how it is taken back."""

from commonwatt.flexibility.permission import Objection
from commonwatt.flows.rulebook.market.contracts import contract_bodies as bodies
from commonwatt.flows.rulebook.market.contracts.contract_calling import secure
from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.tokens.backing import free
from commonwatt.flows.rulebook.tokens.transferring import MOST_PENDING
from commonwatt.market.contracts import Terms, Trigger, TriggerKind, Window
from commonwatt.model import AccountId, Commodity, InvalidValue, Outcome

SPEAKERS = frozenset({"member", "utility", "aggregator", "operator"})
"""Whose keys may sign a contract request."""
OFFERING = SPEAKERS - {"member"}
"""Whose keys may make an offer: who pays for flexibility, not who sells it."""
MOST_OFFERS = 20
"""Of one utility: open, or with contracts that run."""


def offer(state: State, utility: AccountId, body: bodies.MakeOffer, position: int, stamped_s: int) -> Outcome:
    """Let an offer stand, and set its budget aside."""
    no = offer_objection(state, utility, body, stamped_s)
    if no is not None:
        return no.outcome
    secure(state, state.contracted.book.offer(str(position), utility, terms_of(body), body.budget_micro))
    return Outcome.BOOKED


def offer_objection(state: State, utility: AccountId, body: bodies.MakeOffer, stamped_s: int) -> Objection | None:
    """Return why an offer may not stand, or None where it may.

    Args:
        state: With the money that is free, and whose keys there are.
        utility: Who offers.
        body: What.
        stamped_s: When, seconds since 1970.
    """
    book = state.contracted.book
    if not any(state.keys.has_role(utility, role) for role in OFFERING):
        return Objection(
            Outcome.NOT_ALLOWED, "who offers is a utility, an aggregator, or who runs the community", {"found": utility}
        )
    try:
        terms = terms_of(body)
    except InvalidValue as error:
        return Objection(Outcome.OVER_LIMIT, "an offer's terms agree with each other", {"found": str(error)})
    own = utility if terms.trigger.kind is TriggerKind.EVENT else None  # who pays may call, and measures no frequency
    unknown = [one for one in terms.trigger.oracles if one != own and not state.keys.has_role(one, "oracle")]
    if unknown:
        return Objection(
            Outcome.UNKNOWN_THING,
            "who calls a contract is an oracle, or by events who pays for it",
            {"found": ", ".join(unknown)},
        )
    if terms.arbiter is not None and (terms.arbiter == utility or not _can_speak(state, terms.arbiter)):
        return Objection(Outcome.NOT_ALLOWED, "an arbiter is neither side, and can sign", {"found": terms.arbiter})
    if terms.accept_by_s <= stamped_s:
        return Objection(
            Outcome.TOO_LATE, "an offer can still be accepted", {"accept_by_s": terms.accept_by_s, "now_s": stamped_s}
        )
    standing = book.standing_offers(utility)
    if standing >= MOST_OFFERS:
        return Objection(Outcome.OVER_LIMIT, "so many offers stand at once at most", {"most": MOST_OFFERS})
    if state.wallets.asked_of(utility) >= MOST_PENDING:
        return Objection(Outcome.OVER_LIMIT, "so much is set aside at once at most", {"most": MOST_PENDING})
    if not state.has_wallet(utility):
        return Objection(Outcome.NOT_BACKED, "who offers has an account with money of its own", {"found": utility})
    free_micro = free(state, utility, Commodity.ERGON)
    if free_micro < body.budget_micro:
        found = {"budget_micro": body.budget_micro, "free_micro": free_micro}
        return Objection(Outcome.NOT_BACKED, "an offer's budget is money that is free", found)
    return None


def close(state: State, utility: AccountId, body: bodies.CloseOffer) -> Outcome:
    """Take an offer back: nobody accepts it any more; what its contracts do not need is free again."""
    found = state.contracted.book.offers.get(body.offer)
    if found is None or found.closed:
        return Outcome.UNKNOWN_THING
    if found.utility != utility:
        return Outcome.NOT_ALLOWED
    found.closed = True
    secure(state, found)
    return Outcome.BOOKED


def _can_speak(state: State, account: AccountId) -> bool:
    """Tell whether an account has a key that may resolve a dispute, and is none of the books' own names."""
    return state.has_wallet(account) and any(state.keys.has_role(account, role) for role in SPEAKERS)


def terms_of(body: bodies.MakeOffer) -> Terms:
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

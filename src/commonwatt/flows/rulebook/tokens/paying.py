"""Rules for money at the edges: ERGON bought, given back, collected by itself, and paid out to a bank (row H2).

The payment key tells what its provider knows; members ask for pay-outs and for automatic top-ups. What is said twice
counts once: a repeat is `ALREADY_THERE`, something that contradicts what was said before is `NOT_ALLOWED`, and what is
about a reference that nobody has heard of yet is `UNKNOWN_THING`, to be said again later. Who has which card or bank
account only the provider knows; here stands whether it may collect.
"""

from msgspec import structs

from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.tokens import wallet_bodies as bodies
from commonwatt.flows.rulebook.tokens.backing import free
from commonwatt.ledger.transfers import FOR_EVER_S, Transfer
from commonwatt.model import (
    MAX_SAFE_INTEGER,
    PAYMENT_PORT,
    SLOT_SECONDS,
    AccountId,
    Commodity,
    InvalidValue,
    Memo,
    Outcome,
    Request,
)
from commonwatt.tokens.ergon import Decision, Verdict
from commonwatt.tokens.prepaid import TopUpRule

MOST_ERGON_MICRO = 10**15
"""All ERGON of one community together, a thousand million units of money: far from where whole numbers end."""
_OUTCOMES = {
    Verdict.NEW: Outcome.BOOKED,
    Verdict.REPEAT: Outcome.ALREADY_THERE,
    Verdict.CONTRADICTION: Outcome.NOT_ALLOWED,
    Verdict.UNKNOWN: Outcome.UNKNOWN_THING,
    Verdict.TOO_MUCH: Outcome.NOT_BACKED,
}


def purchase(state: State, request: Request, body: bodies.Purchase, position: int, stamped_s: int) -> Outcome:
    """Take in what the provider says of purchases and mandates, or a member's wish for automatic ones."""
    if _is_provider(state, request) == isinstance(body, bodies.TopUpWish):
        return Outcome.NOT_ALLOWED
    match body:
        case bodies.PurchaseBody():
            return _bought(state, body, position, stamped_s)
        case bodies.RefundBody():
            account = state.wallets.purchases.account(body.purchase)
            decision = state.wallets.purchases.refund(
                body.reference,
                body.purchase,
                body.amount_micro,
                available_micro=free(state, account, Commodity.ERGON) if account else 0,
            )
            return _mint(state, decision, Memo.REFUND, position, stamped_s)
        case bodies.ChargeBackBody():
            decision = state.wallets.purchases.charge_back(body.reference, body.purchase, body.amount_micro)
            return _mint(state, decision, Memo.CHARGE_BACK, position, stamped_s)
        case bodies.UncollectedBody():
            return _uncollected(state, body)
        case bodies.MandateBody():
            return _mandate(state, body)
        case bodies.TopUpWish():
            return _wish(state, request.on_behalf_of, body)


def payout(state: State, request: Request, body: bodies.PayoutBody, position: int, stamped_s: int) -> Outcome:
    """Take in a member's wish for money, or what the provider says became of one.

    What is asked for is reserved until the bank has answered; it is burned when it was paid, never before.
    """
    if _is_provider(state, request) == isinstance(body, bodies.PayoutRequest):
        return Outcome.NOT_ALLOWED
    payouts, wallets = state.wallets.payouts, state.wallets
    if isinstance(body, bodies.PayoutRequest):
        return _ask_payout(state, request.on_behalf_of, str(position), body.amount_micro)
    if isinstance(body, bodies.PayoutPaid):
        decision = payouts.confirm(body.payout)
        if decision.verdict is Verdict.NEW:
            wallets.release(_reserved_as(body.payout))
        return _mint(state, decision, Memo.PAYOUT, position, stamped_s)
    decision = payouts.fail(body.payout)
    if decision.verdict is Verdict.NEW:
        wallets.release(_reserved_as(body.payout))
    return _mint(state, decision, Memo.PAYOUT_RETURNED, position, stamped_s)


def _is_provider(state: State, request: Request) -> bool:
    """Tell whether the payment key speaks, and for nobody else: all others can only wish."""
    record = state.keys[request.author]
    return record.role == "payment" and record.account == request.on_behalf_of


def _bought(state: State, body: bodies.PurchaseBody, position: int, stamped_s: int) -> Outcome:
    """Mint ERGON against money received; one payment reference counts once."""
    account, wallets = AccountId(body.account), state.wallets
    if not state.has_wallet(account):
        return Outcome.UNKNOWN_THING
    known = wallets.purchases.account(body.reference) is not None
    # Before anything is remembered: what could not be booked must leave no trace.
    beyond = state.ergon(account) + body.amount_micro > MAX_SAFE_INTEGER
    if not known and (beyond or body.amount_micro - state.ergon(PAYMENT_PORT) > MOST_ERGON_MICRO):
        return Outcome.OVER_LIMIT
    decision = wallets.purchases.buy(body.reference, account, body.amount_micro)
    asked = wallets.topups.asked(account)
    if decision.verdict is Verdict.NEW and asked and asked.id == body.topup:
        wallets.topups.arrived(asked.id)
    return _mint(state, decision, Memo.PURCHASE, position, stamped_s)


def _mint(state: State, decision: Decision, memo: Memo, position: int, stamped_s: int) -> Outcome:
    """Book what was decided, if anything, and return what is answered."""
    if decision.account:
        slot_s = stamped_s // SLOT_SECONDS * SLOT_SECONDS
        state.move(
            Commodity.ERGON,
            PAYMENT_PORT,
            decision.account,
            decision.minted_micro,
            slot_s=slot_s,
            memo=memo,
            ref=str(position),
        )
    return _OUTCOMES[decision.verdict]


def _uncollected(state: State, body: bodies.UncollectedBody) -> Outcome:
    account, topups = AccountId(body.account), state.wallets.topups
    if not state.has_wallet(account):
        return Outcome.UNKNOWN_THING
    asked = topups.asked(account)
    waited_for = asked is not None and asked.id == body.topup
    return Outcome.BOOKED if waited_for and topups.failed(body.topup) else Outcome.ALREADY_THERE


def _mandate(state: State, body: bodies.MandateBody) -> Outcome:
    account, mandates = AccountId(body.account), state.wallets.mandates
    if not state.has_wallet(account):
        return Outcome.UNKNOWN_THING
    if (account in mandates) == body.active:
        return Outcome.ALREADY_THERE
    if body.active:
        mandates.add(account)
        state.wallets.touched.add(account)
    else:
        mandates.remove(account)
    return Outcome.BOOKED


def _wish(state: State, account: AccountId, body: bodies.TopUpWish) -> Outcome:
    if not state.has_wallet(account):
        return Outcome.NOT_ALLOWED
    try:
        rule = TopUpRule(**structs.asdict(body.rule)) if body.rule else None
    except InvalidValue:
        return Outcome.OVER_LIMIT
    state.wallets.topups.wish(account, rule)
    state.wallets.look_at(account)
    return Outcome.BOOKED


def _ask_payout(state: State, account: AccountId, name: str, amount_micro: int) -> Outcome:
    if not state.has_wallet(account):
        return Outcome.NOT_ALLOWED
    available_micro = free(state, account, Commodity.ERGON)
    decision = state.wallets.payouts.request(name, account, amount_micro, available_micro=available_micro)
    if decision.verdict is Verdict.NEW:
        reserved = Transfer(
            id=_reserved_as(name),
            commodity=Commodity.ERGON,
            source=account,
            target=PAYMENT_PORT,
            amount=amount_micro,
            until_s=FOR_EVER_S,
        )
        state.wallets.reserve(reserved)
    return _OUTCOMES[decision.verdict]


def _reserved_as(payout: str) -> str:
    """Return the name of a pay-out's reservation: one that no member's request can spell."""
    return f"payout {payout}"

"""Paying in: by card where there is somebody who takes one, and by itself whenever money runs low."""

from dataclasses import dataclass

from markupsafe import Markup

from commonwatt.apps import wishes
from commonwatt.apps.sandbox_till import SandboxTill, has_till
from commonwatt.apps.views import wallet as views
from commonwatt.apps.web.context import Context
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.parts.controls import Option, button, choice, chosen_of
from commonwatt.apps.web.words import Words
from commonwatt.identity.access import Action
from commonwatt.model import MICRO, AccountId, Kind

_AMOUNTS = (10, 20, 50)
_OFF = "0"


@dataclass(slots=True)
class _Draft:
    """How much is about to be paid in, in whole units of money."""

    amount: int = _AMOUNTS[1]


def paying_in(context: Context, account: AccountId) -> None:
    """Put the ways to pay in on the page."""
    words, draft = context.words, _Draft()
    till = SandboxTill(context.community, words.place.currency) if has_till(context.community) else None
    amounts = [Option(value=str(one), label=words.coins(one)) for one in _AMOUNTS]
    rules = [Option(value=_OFF, label=words.say("Off")), *amounts]

    def card() -> Markup:
        told = views.dealings(context.community, context.seat, account)
        now = _by_card(words, amounts, draft) if till else _no_till(words)
        return tag("div", tag("h2", words.say("Pay in")), now, _by_itself(words, rules, told), class_="card pile")

    def set_amount(value: object) -> None:
        draft.amount = int(chosen_of(amounts, value))
        piece.set_content(card())

    async def pay(_: object) -> None:
        assert till is not None  # the button is there only where it is
        await till.pay(context.seat, account, draft.amount * MICRO)
        context.announce(words.say("{money} came in.", money=words.coins(draft.amount)))

    async def set_rule(value: object) -> None:
        whole = int(chosen_of(rules, value))
        told: dict[str, object] = {"what": "automatic"}
        if whole:
            micro = whole * MICRO
            told["rule"] = {"threshold_micro": micro // 4, "amount_micro": micro, "daily_cap_micro": 2 * micro}
        await wishes.granted(context.community, context.seat, Action.SEND_TOKENS, account, Kind.PURCHASE, told)
        context.announce(words.say("It is said."))

    piece = context.put(card(), on={"pay-amount": set_amount, "pay": pay, "rule": set_rule})
    context.redraw(piece, card, (account, "purchase"))


def _by_card(words: Words, amounts: list[Option], draft: _Draft) -> Markup:
    money = words.coins(draft.amount)
    return join(
        choice("pay-amount", words.say("By card"), amounts, str(draft.amount)),
        tag("p", words.say("A sandbox bank for rehearsals: no money moves anywhere."), class_="small"),
        button(
            "pay", words.say("Pay in {money}", money=money), kind="first", ask=words.say("Pay {money}?", money=money)
        ),
    )


def _no_till(words: Words) -> Markup:
    why = words.say("No payment page is known to this app: pay in at your community's provider, and it appears here.")
    return tag("p", why, class_="small")


def _by_itself(words: Words, rules: list[Option], told: views.Dealings) -> Markup:
    rule = told.rule
    chosen = _OFF if rule is None else str(rule.amount_micro // MICRO)
    why = words.say("Whenever you have less than a quarter of it, twice a day at most.")
    if rule is not None:
        low, most = words.money(rule.threshold_micro), words.money(rule.daily_cap_micro)
        why = words.say("Whenever you have {low} or less, {most} a day at most.", low=low, most=most)
    allowed = (
        words.say("Your payment provider may collect it.")
        if told.collects
        else words.say("Nothing is collected until your payment provider says that you allowed it: ask it for that.")
    )
    return join(
        choice("rule", words.say("By itself, when money runs low"), rules, chosen),
        tag("p", f"{why} {allowed}", class_="small"),
    )

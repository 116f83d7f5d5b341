"""Events that are called by hand: DEMAND, told to every open gateway (row H6), and responses under contract (W5)."""

from markupsafe import Markup

from commonwatt.apps import calling
from commonwatt.apps.web.context import Context
from commonwatt.apps.web.markup import tag
from commonwatt.apps.web.pages import following, responses
from commonwatt.apps.web.parts.controls import Option, button, choice, chosen_of
from commonwatt.apps.web.parts.listing import row
from commonwatt.identity.access import Action, Relation, lets

_LASTS_S = {"1800": 1_800, "3600": 3_600, "7200": 7_200}


def put(context: Context) -> None:
    """Put what a seat may call on the page, DEMAND and responses under contract, and what came of it."""
    _demand(context)
    responses.put(context)


def _demand(context: Context) -> None:
    if not lets(context.seat, Action.CALL_EVENT, Relation.OWN) or context.seat.zones:
        return  # a broadcast is heard in every zone, and a seat of some speaks of its own
    words, lasting = context.words, ["3600"]
    options = [Option(value=key, label=words.lasting(seconds)) for key, seconds in _LASTS_S.items()]

    def card() -> Markup:
        told = calling.standing(context.community, context.seat)
        rows = []
        for one in told:
            when = words.between(one.start_s, one.end_s)
            back = button("retract", words.say("Take back"), value=one.id, kind="quiet")
            own = calling.may_retract(context.community, context.seat, one.id)
            rows.append(tag("li", row(words.say("DEMAND {id}", id=one.id), "", note=when), back if own else ""))
        none = tag("p", words.say("Nothing is called now."), class_="small")
        why = words.say("Gateways whose line is open hear it at once; each follows its owner's own rules for it.")
        return tag(
            "div",
            choice("lasts", words.say("For how long"), options, lasting[0]),
            button("call", words.say("Call DEMAND now"), kind="first", ask=words.say("Press again to call it")),
            tag("p", why, class_="small"),
            tag("ul", *rows, class_="listing", aria_label=words.say("Called now")) if rows else none,
            class_="card pile",
        )

    def lasts(value: object) -> None:
        lasting[0] = chosen_of(options, value)

    def call(_: object) -> None:
        calling.call(context.community, context.seat, _LASTS_S[lasting[0]])
        piece.set_content(card())
        context.announce(words.say("DEMAND is called."))

    def retract(value: object) -> None:
        calling.retract(context.community, context.seat, str(value)[:64])
        piece.set_content(card())
        context.announce(words.say("It is taken back."))

    context.put(tag("h2", words.say("Events")))
    piece = context.put(card(), on={"lasts": lasts, "call": call, "retract": retract})
    following.put(context)

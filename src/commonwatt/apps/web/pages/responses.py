"""Responses under contract that who pays for them calls by hand: what stands by, called in two taps."""

from markupsafe import Markup

from commonwatt.apps import wishes
from commonwatt.apps.views import responses as views
from commonwatt.apps.web.context import Context
from commonwatt.apps.web.markup import tag
from commonwatt.apps.web.parts.controls import Option, button, choice, chosen_of
from commonwatt.apps.web.parts.listing import row
from commonwatt.apps.web.parts.states import empty_state
from commonwatt.apps.web.words import Words, mark
from commonwatt.identity.access import Action, Relation, lets
from commonwatt.model import AccountId

_LASTS_S = {"900": 900, "1800": 1_800, "3600": 3_600, "7200": 7_200}
_TOPICS = ("contract", "fact", "reading_batch")
_ASKS = {"charge": mark("Take up {power}, {when}"), "give_back": mark("Give back {power}, {when}")}


def put(context: Context) -> None:
    """Put the windows that a seat may call on the page, each with its button; nothing for who pays for none."""
    account = context.seat.account
    if account is None or not lets(context.seat, Action.OFFER_CONTRACT, Relation.OWN):
        return
    words, lasting = context.words, ["3600"]
    options = [Option(value=key, label=words.lasting(seconds)) for key, seconds in _LASTS_S.items()]

    def card() -> Markup:
        return _card(context, account, options, lasting[0])

    def lasts(value: object) -> None:
        lasting[0] = chosen_of(options, value)

    async def respond(value: object) -> None:
        await wishes.call_response(context.community, context.seat, str(value)[:16], _LASTS_S[lasting[0]])
        piece.set_content(card())
        context.announce(words.say("It is called. What the meters show of it stands under contract, below."))

    context.put(tag("h2", words.say("Responses under contract")))
    piece = context.put(card(), on={"response_lasts": lasts, "respond": respond})
    context.redraw(piece, card, _TOPICS)


def _card(context: Context, account: AccountId, options: list[Option], lasting: str) -> Markup:
    words = context.words
    found = views.responses(context.community, context.seat, account)
    if not found:
        why = words.say("Make an offer that you call yourself; once a member accepts it, you call its windows here.")
        return empty_state(words, words.say("Nothing stands by"), why)
    rows = [tag("li", _row(words, one)) for one in found]
    why = words.say(
        "From its earliest quarter-hour on. Who delivers is paid by the offer, who does not owes its penalty."
    )
    return tag(
        "div",
        choice("response_lasts", words.say("For how long"), options, lasting),
        tag("ul", *rows, class_="listing", aria_label=words.say("Stands by")),
        tag("p", why, class_="small"),
        class_="card pile",
    )


def _row(words: Words, one: views.Response) -> Markup:
    when = words.between(one.start_s, one.end_s)
    asks = words.say(_ASKS[one.direction], power=words.power(one.promised_w), when=when)
    note = words.say(
        "offer {offer}, {n} promised; can begin at {at}",
        offer=one.offer,
        n=words.number(one.contracts),
        at=words.instant(one.earliest_s),
    )
    ask = words.say("Press again to call it")
    return tag("div", row(asks, "", note=note), button("respond", words.say("Call it"), value=one.offer, ask=ask))

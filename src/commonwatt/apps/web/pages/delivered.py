"""Flexibility under contract: each window with what meters show of it, what was paid, and the proof of that."""

from collections.abc import Sequence

from markupsafe import Markup

from commonwatt.apps import wishes
from commonwatt.apps.views import contracts, flexibility
from commonwatt.apps.web.context import Context
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.parts.controls import button
from commonwatt.apps.web.parts.listing import row
from commonwatt.apps.web.parts.states import empty_state
from commonwatt.apps.web.words import Words, mark
from commonwatt.identity.access import Action
from commonwatt.model import AccountId, Kind

_TOPICS = ("reading_batch", "fact", "contract")
_STATUS = {
    "standby": mark("not called"),
    "called": mark("called"),
    "measured": mark("measured"),
    "disputed": mark("disputed"),
    "paid": mark("measured and paid"),
}
_AGAINST = {
    "ten_like_days": mark("against ten days like it"),
    "metered_setpoint": mark("against what was instructed"),
}
_DIRECTION = {"charge": mark("Take up"), "give_back": mark("Give back")}


def put(context: Context) -> None:
    """Put every offer that concerns a seat on the page; who made one takes it back here."""
    words = context.words

    async def close(value: object) -> None:
        await wishes.withdraw(context.community, context.seat, str(value)[:16])
        context.announce(words.say("It is taken back: nobody accepts it any more, and what was accepted goes on."))

    context.put(tag("h2", words.say("Flexibility under contract")))
    piece = context.put(_delivered(context), on={"close-offer": close})
    context.redraw(piece, lambda: _delivered(context), _TOPICS)


def mine(context: Context, account: AccountId) -> None:
    """Put a member's own contracts on the page: what each window came to, with its proof, and a way out."""
    words = context.words

    def card() -> Markup:
        told = contracts.contracts(context.community, context.seat, account)
        title = tag("h2", words.say("Your contracts"))
        if not told:
            why = words.say("What you promise under an offer stands here, with what it earned.")
            return join(title, empty_state(words, words.say("No contracts"), why))
        return join(title, *(_contract(words, one) for one in told))

    async def leave(value: object) -> None:
        told = {"what": "leave", "contract": str(value)[:16]}
        await wishes.granted(context.community, context.seat, Action.PLACE_ORDER, account, Kind.CONTRACT, told)
        context.announce(words.say("You leave it; what is called already still binds."))

    piece = context.put(card(), on={"leave-contract": leave})
    context.redraw(piece, card, _TOPICS)


def _contract(words: Words, one: contracts.ContractView) -> Markup:
    power, until = words.power(one.charge_w or one.give_back_w), words.instant(one.ends_s)
    lead = words.say(
        "{asset} for {utility}, {power} until {until}", asset=one.asset, utility=one.utility, power=power, until=until
    )
    rows = []
    for each in one.windows:
        what = words.say(
            "{what}, {when}", what=words.say(_DIRECTION[each.direction]), when=words.between(each.start_s, each.end_s)
        )
        became, money = words.say(_STATUS[each.status]), words.exactly(each.paid_micro or each.due_micro, signed=True)
        if each.status in ("standby", "called"):
            rows.append(tag("li", row(what, became)))
            continue
        note = words.say(
            "{became}; {delivered} of {promised} {against}",
            became=became,
            delivered=words.energy(each.delivered_wh),
            promised=words.energy(each.promised_wh),
            against=words.say(_AGAINST[each.against]),
        )
        rows.append(tag("li", row(what, money, note=note), proofs(words, each.entries)))
    none = tag("p", words.say("No window yet."), class_="small")
    listed = tag("ul", *rows, class_="listing", aria_label=lead) if rows else none
    ask = words.say("Press again to leave it")
    end = button("leave-contract", words.say("Leave it"), value=one.contract, kind="quiet", ask=ask)
    return tag("div", tag("p", lead, class_="lead"), listed, Markup("") if one.ended else end, class_="card pile")


def proofs(words: Words, entries: Sequence[int]) -> Markup:
    """Return links to the proofs of what was booked; nothing where nothing was."""
    links = [
        tag("a", words.say("proof of entry {number}", number=words.number(one)), href=f"/proof/entry/{one}")
        for one in sorted(entries)
    ]
    return tag("p", *(join(link, " ") for link in links), class_="small") if links else Markup("")


def _delivered(context: Context) -> Markup:
    words = context.words
    told = flexibility.offers(context.community, context.seat)
    if not told:
        why = words.say("No utility has made an offer yet. Whoever has an account as one can.")
        return empty_state(words, words.say("No contracts"), why)
    own = context.seat.account
    return tag("div", *(_offer(words, one, mine=one.utility == own) for one in told), class_="pile")


def _offer(words: Words, one: flexibility.OfferView, *, mine: bool) -> Markup:
    title = words.say("Offer {offer} of {utility}", offer=one.offer, utility=one.utility)
    about = words.say(
        "Asks for {power} until {until}; accepted {n} times; as of {at}.",
        power=words.power(one.power_w),
        until=words.instant(one.until_s),
        n=words.number(one.contracts),
        at=words.instant(one.as_of_s),
    )
    rows = [tag("li", _window(words, each)) for each in one.windows]
    none = tag("p", words.say("No window yet."), class_="small")
    windows = tag("ul", *rows, class_="listing", aria_label=title) if rows else none
    parts = [tag("h3", title), tag("p", about, class_="small"), windows]
    if one.closed:
        parts.insert(2, tag("p", words.say("Nobody can accept it any more."), class_="small"))
    if mine:
        made = tag("a", words.say("proof of the offer"), href=f"/proof/leaf/{one.offer}")
        parts.append(tag("p", made, class_="small"))
        if not one.closed:
            ask = words.say("Press again to take it back")
            parts.append(button("close-offer", words.say("Take back"), value=one.offer, kind="quiet", ask=ask))
    return tag("div", *parts, class_="card pile")


def _window(words: Words, one: flexibility.WindowSum) -> Markup:
    """Return what became of a window: how much of what was promised the meters show, against what, and what it cost."""
    what = words.say(
        "{what}, {when}", what=words.say(_DIRECTION[one.direction]), when=words.between(one.start_s, one.end_s)
    )
    became = ", ".join(words.say(_STATUS[status]) for status in one.status)
    if one.promised_wh is None or one.delivered_wh is None or one.paid_micro is None:
        return row(what, became, note=words.say("sums are shown from three homes on"))
    how_much = words.say(
        "{delivered} of {promised}", delivered=words.energy(one.delivered_wh), promised=words.energy(one.promised_wh)
    )
    note = words.say(
        "{became}; measured {against}; paid {money}",
        became=became,
        against=words.say(_AGAINST[one.baseline]),
        money=words.money(one.paid_micro),
    )
    return join(row(what, how_much, note=note), proofs(words, one.entries))

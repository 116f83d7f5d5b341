"""Wallet: what somebody holds, sending and taking, paying in, and everything that came and went."""

from dataclasses import dataclass

from markupsafe import Markup
from nicegui import ui

from commonwatt.apps import wishes
from commonwatt.apps.api.answers import read_cursor, write_cursor
from commonwatt.apps.views import bills
from commonwatt.apps.views import wallet as views
from commonwatt.apps.web.context import Context, Page
from commonwatt.apps.web.live import Value
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.pages.crossing import crossing
from commonwatt.apps.web.pages.paying_in import paying_in
from commonwatt.apps.web.parts.controls import Option, button, choice, chosen_of
from commonwatt.apps.web.parts.fields import amount_of, text_field
from commonwatt.apps.web.parts.figures import Figure, figures
from commonwatt.apps.web.parts.listing import Stretch, listing, row
from commonwatt.apps.web.parts.states import empty_state
from commonwatt.apps.web.parts.undo import Undoable
from commonwatt.apps.web.words import Words, mark
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Role
from commonwatt.model import AccountId, Commodity, InvalidValue, Kind

_DIGITS = {Commodity.ERGON: 6, Commodity.WATT: 3, Commodity.TSL: 6, Commodity.ENERGY: 3}
_NAMES = {Commodity.ERGON: "ERGON", Commodity.WATT: "WATT", Commodity.TSL: "TSL"}
_ENTRIES_A_STRETCH = 25
_EVERYTHING = "all"


@dataclass(slots=True)
class _Draft:
    """A gift in the making."""

    to: str = ""
    amount: str = ""
    commodity: Commodity = Commodity.ERGON


def build(context: Context) -> None:
    """Put a wallet on the page."""
    account = context.seat.account
    assert account is not None  # only who has an account sits here
    context.put(figures(_figures(context, account)))
    with ui.element("div").classes("columns"):
        with ui.element("div").classes("pile"):
            _send(context, account)
            _waiting(context, account)
            crossing(context, account)
        with ui.element("div").classes("pile"):
            paying_in(context, account)
            context.put(_papers(context, account))
    _history(context, account)


def written(words: Words, commodity: Commodity, amount: int, *, signed: bool = False) -> str:
    """Write an amount of anything that the books count, as people read it."""
    if commodity is Commodity.ERGON:
        return words.exactly(amount, signed=signed)
    plus = "+" if signed and amount > 0 else ""
    if commodity is Commodity.ENERGY:
        return plus + words.energy(amount)
    return plus + words.tokens(amount, _NAMES[commodity], _DIGITS[commodity])


def _figures(context: Context, account: AccountId) -> list[Figure]:
    words = context.words

    def view() -> dict[str, Value]:
        told = views.wallet(context.community, context.seat, account)
        room, at = words.tokens(told.b_max_wh, "WATT", 3), words.instant(told.as_of_s)
        free = {
            Commodity.ERGON: told.free_ergon_micro,
            Commodity.WATT: told.free_watt_wh,
            Commodity.TSL: told.free_tsl_micro,
        }
        notes = {
            token: words.say("{free} free, {at}", free=written(words, token, free[token]), at=at) for token in free
        }
        return {
            "ergon": words.money(told.ergon_micro),
            "ergon_note": notes[Commodity.ERGON],
            "watt": words.tokens(told.watt_wh, "", 3).strip(),
            "watt_note": words.say("of {room} at most, {at}", room=room, at=at),
            "tsl": words.tokens(told.tsl_micro, "", 6).strip(),
            "tsl_note": notes[Commodity.TSL],
        }

    shown = context.follow("wallet", view, topics=(account,))
    labels = (
        ("ergon", words.say("Money (ERGON)"), ""),
        ("watt", words.say("Stored energy (WATT)"), "battery"),
        ("tsl", words.say("Right to store (TSL)"), ""),
    )
    return [
        Figure(label=label, value=str(shown[key]), note=str(shown[f"{key}_note"]), key=key, colour=colour)
        for key, label, colour in labels
    ]


def _send(context: Context, account: AccountId) -> None:
    """Put a form on the page by which tokens are given; what is asked for can be taken back until it is sent."""
    words, draft = context.words, _Draft()
    tokens = [Option(value=token.value, label=name) for token, name in _NAMES.items()]

    def card() -> Markup:
        if not views.wallet(context.community, context.seat, account).custodial:
            why = words.say("This community does not keep your key: sign with your own wallet, and hand it in.")
            return empty_state(words, words.say("Sending is your own wallet's"), why)
        known = views.dealings(context.community, context.seat, account).known
        who = words.say("A member's pseudonym, as in the list of trades.")
        return tag(
            "div",
            tag("h2", words.say("Send")),
            text_field("to", words.say("To"), draft.to, why=who, suggested=known),
            choice("token", words.say("What"), tokens, draft.commodity.value),
            text_field("amount", words.say("How much"), draft.amount, amount=True),
            button("send", words.say("Send"), kind="first"),
            class_="card pile",
        )

    def set_to(value: object) -> None:
        draft.to = str(value).strip()[:64]

    def set_amount(value: object) -> None:
        draft.amount = str(value)[:32]

    def set_token(value: object) -> None:
        draft.commodity = Commodity(chosen_of(tokens, value))

    def send(_: object) -> None:
        to, token, amount = draft.to, draft.commodity, amount_of(draft.amount, _DIGITS[draft.commodity])
        if not to or to == account:
            raise InvalidValue(words.say("Say to whom: another member's pseudonym."))
        shown = written(words, token, amount)

        async def give() -> None:
            told = {"what": "give", "target": to, "commodity": token.value, "amount": amount}
            await wishes.granted(context.community, context.seat, Action.SEND_TOKENS, account, Kind.TRANSFER, told)

        draft.amount = ""
        piece.set_content(card())
        doing = words.say("{amount} goes to {to}. Once sent, only they can give it back.", amount=shown, to=to)
        undoable.ask(doing, words.say("{amount} went to {to}.", amount=shown, to=to), give)

    piece = context.put(card(), on={"to": set_to, "amount": set_amount, "token": set_token, "send": send})
    undoable = Undoable(context)


def _waiting(context: Context, account: AccountId) -> None:
    """Put what others have set aside for somebody on the page, to be taken or let go, and what they set aside."""
    words = context.words

    def card() -> Markup:
        told = views.dealings(context.community, context.seat, account).waiting
        if not told:
            return tag("div")
        lines = tag("ul", *(tag("li", _waiting_row(words, one)) for one in told), class_="listing")
        return tag("div", tag("h2", words.say("Set aside")), lines, class_="card pile")

    async def transfer(what: str, value: object, done: str) -> None:
        told = {"what": what, "transfer": str(value)[:64]}
        await wishes.granted(context.community, context.seat, Action.SEND_TOKENS, account, Kind.TRANSFER, told)
        context.announce(done)

    async def take(value: object) -> None:
        await transfer("post", value, words.say("It is yours."))

    async def let_go(value: object) -> None:
        await transfer("void", value, words.say("It goes back."))

    piece = context.put(card(), on={"take": take, "let-go": let_go})
    context.redraw(piece, card, (account,))


def _waiting_row(words: Words, one: views.Waiting) -> Markup:
    who = words.say("From {who}", who=one.other) if one.incoming else words.say("For {who}", who=one.other)
    note = words.say("until {when}", when=words.instant(one.until_s))
    if one.against is not None:
        price = written(words, one.against, one.against_amount)
        note = words.say("against {price}, until {when}", price=price, when=words.instant(one.until_s))
    line = row(who, written(words, one.commodity, one.amount), note=note)
    if not one.incoming:
        return line
    what = words.say("Give {price} for it?", price=price) if one.against is not None else ""
    both = (
        button("take", words.say("Take"), value=one.transfer, ask=what),
        button("let-go", words.say("Let it go"), value=one.transfer, kind="quiet"),
    )
    return join(line, *both)


def _papers(context: Context, account: AccountId) -> Markup:
    """Return the way to every month's bill and to the keys."""
    words = context.words
    months = bills.months(context.community, context.seat, account)
    rows = [row(words.month(one), words.say("Open"), href=f"/bill?month={one}") for one in months]
    keys = row(words.say("Keys"), words.say("Open"), note=words.say("Who can act for you"), href="/keys")
    none = tag("p", words.say("Nothing is settled yet, so there is no bill."), class_="small")
    bill = tag("ul", *(tag("li", one) for one in rows), class_="listing") if rows else none
    return tag("div", tag("h2", words.say("Bills and keys")), bill, keys, class_="card pile")


def _history(context: Context, account: AccountId) -> None:
    """Put every entry on the page, the newest first, of one kind of thing or of all."""
    words = context.words
    options = [
        Option(value=Commodity.ERGON.value, label=words.say("Money")),
        Option(value=Commodity.WATT.value, label="WATT"),
        Option(value=Commodity.TSL.value, label="TSL"),
        Option(value=_EVERYTHING, label=words.say("All")),
    ]

    def show(wanted: Commodity | None) -> None:
        def fetch(cursor: str | None) -> Stretch:
            before = read_cursor(cursor)
            found = views.entries(context.community, context.seat, account, before, _ENTRIES_A_STRETCH, wanted)
            more = write_cursor(found[-1].number) if len(found) >= _ENTRIES_A_STRETCH else None
            return Stretch(rows=[_entry_row(words, one) for one in found], cursor=more)

        none = empty_state(words, words.say("Nothing yet"), words.say("What comes and goes appears here."))
        listing(context, words.say("History"), fetch, empty=none)

    def choose(value: object) -> None:
        chosen = chosen_of(options, value)
        box.clear()
        with box:
            show(None if chosen == _EVERYTHING else Commodity(chosen))

    context.put(tag("h2", words.say("History")))
    context.put(choice("kind", words.say("Of what"), options, Commodity.ERGON.value), on={"kind": choose})
    with ui.element("div") as box:
        show(Commodity.ERGON)


def _entry_row(words: Words, one: views.EntryView) -> Markup:
    note = f"{words.instant(one.slot_s)} · {one.other} · {words.say('entry {number}', number=one.number)}"
    return row(words.say(one.label), written(words, one.commodity, one.amount, signed=True), note=note)


PAGE = Page(
    path="/wallet",
    title=mark("Wallet"),
    icon="wallet",
    roles=frozenset({Role.MEMBER, Role.UTILITY, Role.AGGREGATOR}),
    build=build,
)

"""Keys: which act for somebody, their own to take along, and whom they let act for them."""

from dataclasses import dataclass

from markupsafe import Markup
from nicegui import ui

from commonwatt.apps import keyring
from commonwatt.apps.api.problems import problem_of
from commonwatt.apps.web.context import Context, Page
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.parts.controls import Option, button, choice, chosen_of, pick
from commonwatt.apps.web.parts.fields import text_field
from commonwatt.apps.web.parts.listing import row
from commonwatt.apps.web.parts.states import error_state
from commonwatt.apps.web.words import Words, mark
from commonwatt.identity.keystore import MOST_BYTES
from commonwatt.identity.seat import Role
from commonwatt.model import AccountId, CommonwattError

_DAY_S = 86_400
_MOST_LOOKERS = 50
_MEDIA = "application/x-pem-file"


@dataclass(slots=True)
class _Draft:
    """What was typed so far; the passphrase goes as soon as it was used, and a new round takes it off the page."""

    round_number: int = 0
    passphrase: str = ""
    brought: str = ""
    public: str = ""
    days: int = 30
    looker: str = ""
    looker_days: int = 30


def build(context: Context) -> None:
    """Put somebody's keys on the page."""
    account = context.seat.account
    assert account is not None  # only who has an account sits here
    _take_along(context, account)
    _bring(context, account)
    _lookers(context, account)
    _delegates(context, account)
    context.put(tag("a", context.say("Wallet"), href="/wallet", class_="button"))


def _take_along(context: Context, account: AccountId) -> None:
    """Put the own key on the page, and the way to have it as an encrypted file."""
    words, draft = context.words, _Draft()

    def card() -> Markup:
        told = keyring.keyring(context.community, context.seat, account)
        own = [tag("li", tag("code", one, class_="wrapped")) for one in told.own]
        inside = [tag("h2", words.say("Your key")), tag("ul", *own, class_="pile")]
        if told.kept_here:
            inside += _form(words)
        else:
            inside.append(tag("p", words.say("This community does not keep it: only your own wallet signs with it.")))
        return tag("div", *inside, class_="card pile", data_round=draft.round_number)

    def set_passphrase(value: object) -> None:
        draft.passphrase = str(value)[:1_000]

    async def take(_: object) -> None:
        passphrase, draft.passphrase = draft.passphrase, ""
        pem = await keyring.take_along(context.community, context.seat, context.held, account, passphrase)
        ui.download.content(pem, f"{account}.pem", _MEDIA)
        draft.round_number += 1
        piece.set_content(card())
        context.announce(words.say("Your key is in your downloads."))

    piece = context.put(card(), on={"passphrase": set_passphrase, "take": take})


def _form(words: Words) -> list[Markup]:
    kept = words.say("The community keeps it for you and signs with it when you ask. Your copy can sign, too.")
    limits = words.say("The community keeps its copy even when you take yours along.")
    why = words.say("Twelve characters or more. Nobody can open the file without it.")
    return [
        tag("p", kept),
        text_field("passphrase", words.say("Passphrase"), type_="password", why=why, autocomplete="new-password"),
        button("take", words.say("Take the key along"), ask=words.say("Who has it can spend. Take it?")),
        tag("p", limits, class_="small"),
    ]


def _bring(context: Context, account: AccountId) -> None:
    """Put a form on the page by which somebody has a key of their own, made elsewhere, kept here to sign with it."""
    words, draft = context.words, _Draft()

    def card() -> Markup:
        why = words.say(
            "A wallet's file (keystore), PEM, or 12 to 24 words. Who runs the community registers the key for your"
            " account first. It then lies here, and whoever runs this machine could sign with it; to keep it to"
            " yourself, sign with commonwatt wallet or your own wallet instead."
        )
        file = tag("input", id="field-key-file", type="file", data_send="brought", data_most=MOST_BYTES)
        typed = tag("textarea", id="field-brought", rows=3, data_send="brought", autocomplete="off", spellcheck="false")
        inside = [
            tag("h2", words.say("Bring a key")),
            tag("p", why),
            tag("div", tag("label", words.say("From a file"), for_="field-key-file"), file, class_="field"),
            tag("div", tag("label", words.say("Or its words"), for_="field-brought"), typed, class_="field"),
            text_field("opens", words.say("Passphrase of the file"), type_="password"),
            button("bring", words.say("Sign with this key"), ask=words.say("It will be kept here. Bring it?")),
        ]
        return tag("div", *inside, class_="card pile", data_round=draft.round_number)

    def set_brought(value: object) -> None:
        draft.brought = str(value)[: MOST_BYTES + 1]

    def set_opens(value: object) -> None:
        draft.passphrase = str(value)[:1_000]

    async def bring(_: object) -> None:
        content, draft.brought = draft.brought, ""
        passphrase, draft.passphrase = draft.passphrase, ""
        draft.round_number += 1
        piece.set_content(card())
        try:
            await keyring.bring(context.community, context.seat, context.held, account, content, passphrase)
        except CommonwattError as error:
            told.set_content(error_state(words, problem_of(error)))  # with the key to hand to who registers it
            raise
        told.set_content("")
        context.announce(words.say("Your key signs for you now."))

    piece = context.put(card(), on={"brought": set_brought, "opens": set_opens, "bring": bring})
    told = context.put(Markup(""))


def _delegates(context: Context, account: AccountId) -> None:
    """Put whom somebody lets act for them on the page, to be ended, and a form for another."""
    words, draft, spans = context.words, _Draft(), _spans(context.words)

    def card() -> Markup:
        told = keyring.keyring(context.community, context.seat, account)
        rows = [tag("li", _delegate(words, one)) for one in told.delegates]
        none = tag("p", words.say("Nobody but you acts for you."), class_="small")
        why = words.say("66 digits and letters, of a key that your community knows, as an agent's or another member's.")
        inside = [
            tag("h2", words.say("Let another key act for you")),
            tag("ul", *rows, class_="listing") if rows else none,
            text_field("public", words.say("Public key"), draft.public, why=why),
            choice("days", words.say("For"), spans, str(draft.days)),
            tag("p", words.say("It may trade, send, state wishes, decide and look in your name."), class_="small"),
            button("let", words.say("Let it act"), ask=words.say("It can spend what you have. Let it?")),
        ]
        return tag("div", *inside, class_="card pile")

    def set_public(value: object) -> None:
        draft.public = str(value)[:100]

    def set_days(value: object) -> None:
        draft.days = int(chosen_of(spans, value))

    async def let(_: object) -> None:
        until_s = context.now_s() + draft.days * _DAY_S
        await keyring.let_act(context.community, context.seat, context.held, account, draft.public, until_s)
        draft.public = ""
        piece.set_content(card())
        context.announce(words.say("It may act for you now."))

    async def end(value: object) -> None:
        await keyring.end_acting(context.community, context.seat, account, str(value)[:100])
        context.announce(words.say("It acts for you no more."))

    piece = context.put(card(), on={"public": set_public, "days": set_days, "let": let, "end": end})
    context.redraw(piece, card, ("delegate",))


def _spans(words: Words) -> list[Option]:
    return [
        Option(value="1", label=words.say("A day")),
        Option(value="30", label=words.say("A month")),
        Option(value="365", label=words.say("A year")),
    ]


def _lookers(context: Context, account: AccountId) -> None:
    """Put a form on the page by which somebody lets a grid, an auditor or an installer look at their home."""
    words, spans = context.words, _spans(context.words)
    known = keyring.lookers(context.community, account)[:_MOST_LOOKERS]
    if not known:
        return
    options = [Option(value=one.public, label=f"{one.account} ({one.role})") for one in known]
    draft = _Draft(looker=options[0].value)

    def card() -> Markup:
        why = words.say(
            "They see what your meters told, what is planned and what you stated; no money, and they can do nothing."
            " Whom you let look stands below, to be ended."
        )
        inside = [
            tag("h2", words.say("Let somebody look")),
            tag("p", why),
            pick("looker", words.say("Who"), options, draft.looker),
            choice("looker_days", words.say("For"), spans, str(draft.looker_days)),
            button("look", words.say("Let them look")),
        ]
        return tag("div", *inside, class_="card pile")

    def set_looker(value: object) -> None:
        draft.looker = chosen_of(options, value)

    def set_days(value: object) -> None:
        draft.looker_days = int(chosen_of(spans, value))

    async def let(_: object) -> None:
        until_s = context.now_s() + draft.looker_days * _DAY_S
        held, public = context.held, draft.looker
        await keyring.let_act(context.community, context.seat, held, account, public, until_s, keyring.TO_LOOK)
        context.announce(words.say("They may look now."))

    context.put(card(), on={"looker": set_looker, "looker_days": set_days, "look": let})


def _delegate(words: Words, one: keyring.Delegate) -> Markup:
    until = words.say("until {when}", when=words.instant(one.until_s))
    if one.kinds == keyring.TO_LOOK:
        until = words.say("may look, {until}", until=until)
    line = row(one.account, until, note=tag("code", one.public, class_="wrapped"))
    return join(line, button("end", words.say("End it"), value=one.public, kind="quiet"))


PAGE = Page(
    path="/keys",
    title=mark("Keys"),
    icon="wallet",
    roles=frozenset({Role.MEMBER, Role.UTILITY, Role.AGGREGATOR}),
    build=build,
    listed=False,
)

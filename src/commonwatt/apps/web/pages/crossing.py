"""Crossing: tokens sent out to an address of the chain, claimed there, and the way back."""

from dataclasses import dataclass

from markupsafe import Markup

from commonwatt.apps import wishes
from commonwatt.apps.views import onchain as views
from commonwatt.apps.views import wallet as wallets
from commonwatt.apps.web.context import Context
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.pages.channels import channels
from commonwatt.apps.web.parts.controls import Option, button, choice, chosen_of
from commonwatt.apps.web.parts.fields import amount_of, text_field
from commonwatt.apps.web.parts.listing import row
from commonwatt.apps.web.parts.states import empty_state
from commonwatt.apps.web.parts.undo import Undoable
from commonwatt.apps.web.words import Words
from commonwatt.identity.access import Action
from commonwatt.identity.signing_in.wallet import read_address, with_checksum
from commonwatt.model import AccountId, Commodity, InvalidValue, Kind

_TOKENS = {Commodity.ERGON: ("ERGON", 6), Commodity.WATT: ("WATT", 3), Commodity.TSL: ("TSL", 6)}
_TOPICS = ("chain", "transfer", "checkpoint", "register")


@dataclass(slots=True)
class _Draft:
    """What is about to be sent out, as it was typed."""

    to: str = ""
    amount: str = ""
    commodity: Commodity = Commodity.ERGON


def crossing(context: Context, account: AccountId) -> None:
    """Put the way out to the chain and back on the page, where the community has a chain."""
    if views.chain(context.community, context.seat).kind:
        _out(context, account)
        _claims(context, account)
        _exit(context, account)
        channels(context, account)


def _out(context: Context, account: AccountId) -> None:
    words, draft = context.words, _Draft()
    tokens = [Option(value=token.value, label=name) for token, (name, _) in _TOKENS.items()]

    def card() -> Markup:
        head = tag("h2", words.say("Send out to the chain"))
        if not context.community.state.has_chain:
            why = words.say("The chain is being opened, or its key is not in the log yet.")
            return tag("div", head, empty_state(words, words.say("Not possible now"), why), class_="pile")
        if not wallets.wallet(context.community, context.seat, account).custodial:
            why = words.say("This community does not keep your key: sign with your own wallet, and hand it in.")
            return tag("div", head, empty_state(words, words.say("Sending is your own wallet's"), why), class_="pile")
        return tag(
            "div",
            head,
            text_field("address", words.say("Address"), draft.to, why=_judged(words, draft.to)),
            choice("out-token", words.say("What"), tokens, draft.commodity.value),
            text_field("out-amount", words.say("How much"), draft.amount, amount=True),
            tag("p", _cost(words), class_="small"),
            button("send-out", words.say("Send out"), kind="first"),
            class_="card pile",
        )

    def set_to(value: object) -> None:
        draft.to = str(value).strip()[:64]
        piece.set_content(card())

    def set_amount(value: object) -> None:
        draft.amount = str(value)[:32]

    def set_token(value: object) -> None:
        draft.commodity = Commodity(chosen_of(tokens, value))

    def send(_: object) -> None:
        name, digits = _TOKENS[draft.commodity]
        to, commodity, amount = with_checksum(read_address(draft.to)), draft.commodity, amount_of(draft.amount, digits)
        shown = words.tokens(amount, name, digits)

        async def give() -> None:
            told = {"what": "send out", "commodity": commodity.value, "amount": amount, "address": to}
            await wishes.granted(context.community, context.seat, Action.SEND_TOKENS, account, Kind.TRANSFER, told)

        draft.amount = ""
        piece.set_content(card())
        doing = words.say("{amount} leaves for {to}. Nobody can call it back.", amount=shown, to=to)
        undoable.ask(doing, words.say("{amount} left. It can be claimed once it is anchored.", amount=shown), give)

    piece = context.put(
        card(), on={"address": set_to, "out-amount": set_amount, "out-token": set_token, "send-out": send}
    )
    context.redraw(piece, card, ("register",))
    undoable = Undoable(context)


def _judged(words: Words, typed: str) -> str:
    """Say whether what was typed is an address, as soon as it stands there."""
    if not typed:
        return words.say("0x and 40 digits, as your wallet shows it.")
    try:
        found = with_checksum(read_address(typed))
    except InvalidValue:
        return words.say("This is no address: a digit is missing or wrong.")
    if found == typed:
        return words.say("Its checksum holds.")
    return words.say("It has no checksum: with it, it is {address}. Compare it.", address=found)


def _cost(words: Words) -> str:
    when = words.say("It can be claimed once the next checkpoint is anchored, after the end of this quarter-hour.")
    free = words.say("It costs nothing: the community pays the chain.")
    return " ".join((free, when))


def _claims(context: Context, account: AccountId) -> None:
    words = context.words

    def card() -> Markup:
        found = views.withdrawals(context.community, context.seat, account)
        lines = [tag("li", _claim_row(words, account, one)) for one in found]
        listed = (
            tag("ul", *lines, class_="listing")
            if lines
            else tag("p", words.say("Nothing was sent out from here."), class_="small")
        )
        return tag("div", tag("h2", words.say("On the chain")), listed, _back(context, account), class_="card pile")

    async def claim(value: object) -> None:
        found = await views.claim(context.community, context.seat, account, str(value)[:64])
        context.announce(words.say("It is there, by transaction {tx}.", tx=found.tx[:8]))

    async def look(value: object) -> None:
        told = await views.held(context.community, context.seat, account, str(value)[:64])
        amounts = zip((told.ergon_micro, told.watt_wh, told.tsl_micro), _TOKENS.values(), strict=True)
        shown = ", ".join(words.tokens(amount, name, digits) for amount, (name, digits) in amounts)
        context.announce(words.say("There are {shown} on {address}.", shown=shown, address=told.address))

    piece = context.put(card(), on={"claim": claim, "held": look})
    context.redraw(piece, card, (account, *_TOPICS))


def _claim_row(words: Words, account: AccountId, one: views.Withdrawal) -> Markup:
    name, digits = _TOKENS[one.commodity]
    if one.due:
        state = words.say("{amount} can be claimed", amount=words.tokens(one.due, name, digits))
    elif one.provable < one.sent:
        state = words.say("waits for the next checkpoint")
    else:
        state = words.say("claimed")
    note = join(tag("span", state), " · ", tag("code", one.address))
    line = row(words.tokens(one.mine, name, digits), "", note=note)
    acts = [button("held", words.say("What is there?"), value=one.address, kind="quiet")]
    if one.due:
        acts.insert(0, button("claim", words.say("Claim"), value=one.address, kind="first"))
    if one.provable:
        href = f"/api/v1/accounts/{account}/withdrawals/{one.address}/proof"
        acts.append(tag("a", words.say("Proof"), href=href, class_="button", download="withdrawal.json"))
    return join(line, tag("div", *acts, class_="ways"))


def _exit(context: Context, account: AccountId) -> None:
    words = context.words
    draft = _Draft()

    def card() -> Markup:
        found = views.exit_of(context.community, context.seat, account)
        how = words.say("It was named.") if found.named else words.say("It is that of the key registered last.")
        where = tag("code", found.address) if found.address else words.say("Nowhere yet")
        why = words.say("If the operator stops, all that is yours here can be taken to this address on the chain.")
        parts = [tag("h2", words.say("If the operator stops")), tag("p", why, class_="small"), row(where, "", note=how)]
        kept = wallets.wallet(context.community, context.seat, account).custodial
        if context.community.state.has_chain and kept:
            note = words.say("This community keeps your key: name an address of a wallet that only you have.")
            parts += [
                tag("p", note, class_="small"),
                text_field(
                    "exit-address", words.say("Address of my own wallet"), draft.to, why=_judged(words, draft.to)
                ),
                button("exit-to", words.say("Name it"), kind="first"),
            ]
        return tag("div", *parts, class_="card pile")

    def set_to(value: object) -> None:
        draft.to = str(value).strip()[:64]
        piece.set_content(card())

    async def name(_: object) -> None:
        to = with_checksum(read_address(draft.to))
        told = {"what": "exit to", "address": to}
        await wishes.granted(context.community, context.seat, Action.SEND_TOKENS, account, Kind.TRANSFER, told)
        draft.to = ""
        piece.set_content(card())
        context.announce(words.say("What is yours goes to {to} if the operator stops.", to=to))

    piece = context.put(card(), on={"exit-address": set_to, "exit-to": name})
    context.redraw(piece, card, (account, "register", "transfer"))


def _back(context: Context, account: AccountId) -> Markup:
    words, told = context.words, views.chain(context.community, context.seat)
    if not told.vault:
        return Markup("")
    how = words.say(
        "To bring tokens back, let the Vault take them (approve) and call deposit with your name, {account}.",
        account=account,
    )
    places = [tag("li", row(words.say("Vault"), "", note=tag("code", told.vault)))]
    if told.rpc:
        places.append(tag("li", row(words.say("For wallets on this machine"), "", note=tag("code", told.rpc))))
    return join(tag("h3", words.say("Bring back")), tag("p", how, class_="small"), tag("ul", *places, class_="listing"))

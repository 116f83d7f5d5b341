"""Channels: paying often by two transactions; opened, looked at, closed, or taken back."""

from dataclasses import dataclass

from markupsafe import Markup

from commonwatt.apps.api.problems import problem_of
from commonwatt.apps.chain_facts import ChannelFact
from commonwatt.apps.views import channels as views
from commonwatt.apps.web.context import Context
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.parts.controls import button
from commonwatt.apps.web.parts.fields import amount_of, text_field
from commonwatt.apps.web.parts.listing import row
from commonwatt.apps.web.parts.states import skeleton
from commonwatt.apps.web.words import Words
from commonwatt.model import AccountId, Commodity, InvalidValue, Refused

_DIGITS = {"ERGON": 6, "WATT": 3, "TSL": 6}
_ERGON = Commodity.ERGON.name
_HOUR_S = 3_600
_COMMAND = "commonwatt channel open"


@dataclass(slots=True)
class _Draft:
    """A channel that is about to be opened, as it was typed."""

    amount: str = ""
    signer: str = ""
    number: int = 0


def channels(context: Context, account: AccountId) -> None:
    """Put an account's channels on the page, and a way to open one where the community's till takes vouchers."""
    words, draft = context.words, _Draft()

    async def card() -> Markup:
        found = await views.channels(context.community, context.seat, account)
        custodial = context.community.holds_key(account)
        try:
            ways = await views.ways(context.community, context.seat, account)
            opening, draft.number = _opening(words, ways, draft), ways.number
        except (Refused, InvalidValue) as error:  # of the till's own file: what was opened is shown all the same
            opening = tag("p", problem_of(error).rule, class_="small")
        own = {record.verifying.id for record in context.community.state.keys if record.account == account}
        rows = [tag("li", _row(words, one, paying=one.payer in own, custodial=custodial)) for one in found]
        none = tag("p", words.say("No payment channel of yours is on the chain."), class_="small")
        listed = tag("ul", *rows, class_="listing") if rows else none
        return tag("div", tag("h2", words.say("My channels")), listed, opening, class_="card pile")

    async def show() -> None:
        markup = await card()
        if not context.client.is_deleted and markup != piece.content:
            piece.set_content(markup)

    def set_amount(value: object) -> None:
        draft.amount = str(value)[:32]

    def set_signer(value: object) -> None:
        draft.signer = str(value).strip()[:64]

    async def open_one(_: object) -> None:
        micro = amount_of(draft.amount, _DIGITS[_ERGON])
        await views.open_channel(context.community, context.seat, account, micro, draft.signer, draft.number)
        draft.amount = draft.signer = ""
        context.announce(words.say("The channel is open."))
        await show()

    async def withdraw(value: object) -> None:
        await views.withdraw(context.community, context.seat, account, str(value)[:64])
        context.announce(words.say("It is begun: come back when the time is over."))
        await show()

    async def finish(value: object) -> None:
        await views.finish(context.community, context.seat, account, str(value)[:64])
        context.announce(words.say("The rest is back at your address."))
        await show()

    async def close(value: object) -> None:
        await views.close(context.community, context.seat, account, str(value)[:64])
        context.announce(words.say("The channel is closed, and both sides are paid."))
        await show()

    on = {
        "channel-amount": set_amount,
        "channel-signer": set_signer,
        "channel-open": open_one,
        "channel-withdraw": withdraw,
        "channel-finish": finish,
        "channel-close": close,
    }
    piece = context.later(skeleton(words, 2), card, on=on)
    context.live.watch(context.client.id, show, ("chain",))


def _opening(words: Words, ways: views.ChannelWays, draft: _Draft) -> Markup:
    head = tag("h3", words.say("Open a channel"))
    what = tag(
        "p",
        words.say(
            "Deposit once and pay as often as you like: only opening and closing go to the chain. What you do not"
            " use comes back."
        ),
        class_="small",
    )
    if not ways.takes:
        why = words.say("This community's till takes no vouchers. Another's does by {command}.", command=_COMMAND)
        return join(head, what, tag("p", why, class_="small"))
    if not ways.custodial:
        why = words.say("This community does not keep your key: open one with your own wallet, by {command}.",
                        command=_COMMAND)  # fmt: skip
        return join(head, what, tag("p", why, class_="small"))
    held = words.tokens(ways.ergon_micro, _ERGON, _DIGITS[_ERGON])
    there = words.say(
        "On the chain you have {held}. Send some out to this address and claim it to have more:", held=held
    )
    delay = words.say(
        "If nobody closes it, you can take the rest back yourself; the payee has {hours} hours to claim what you owe.",
        hours=words.number(ways.delay_s / _HOUR_S),
    )
    signs = words.say("The address that your gateway says, so that it pays by itself. Leave it empty to sign yourself.")
    return join(
        head,
        what,
        tag("p", there, " ", tag("code", ways.address), class_="small"),
        text_field("channel-amount", words.say("Deposit, ERGON"), draft.amount, amount=True),
        text_field("channel-signer", words.say("Who signs vouchers"), draft.signer, why=signs),
        tag("p", delay, class_="small"),
        button("channel-open", words.say("Open it"), ask=words.say("Deposit it?")),
    )


def _row(words: Words, one: ChannelFact, *, paying: bool, custodial: bool) -> Markup:
    paid, deposit = (_amount(words, one, amount) for amount in (one.claimed, one.deposit))
    state = words.say("closed") if one.closed else words.say("open")
    if one.can_finish:
        state = words.say("can be finished")
    elif one.finish_at_s and not one.closed:
        state = words.say("it ends on {when}", when=words.instant(one.finish_at_s))
    other = one.payee if paying else one.payer
    side = words.say("You pay") if paying else words.say("You are paid")
    parts: list[Markup | str] = []
    if not one.closed:  # of a closed one the chain keeps no amounts
        parts += [words.say("{paid} claimed of {deposit}", paid=paid, deposit=deposit), " · "]
    if one.vouchers:
        parts += [words.say("vouchers of {amount}", amount=_amount(words, one, one.vouchers)), " · "]
    line = row(side, state, note=join(*parts, tag("code", other)))
    acts = _acts(words, one) if paying and custodial else []
    return join(line, tag("div", *acts, class_="ways")) if acts else line


def _acts(words: Words, one: ChannelFact) -> list[Markup]:
    if one.closed:
        return []
    acts = []
    if one.can_close:
        ask = words.say("Close it? The last voucher is paid, the rest comes back.")
        acts.append(button("channel-close", words.say("Close"), value=one.channel, kind="first", ask=ask))
    if one.can_finish:
        acts.append(button("channel-finish", words.say("Take the rest back"), value=one.channel, kind="first"))
    elif not one.finish_at_s:
        ask = words.say("Begin? It takes no more payments, and this cannot be called back.")
        acts.append(
            button("channel-withdraw", words.say("End it without the payee"), value=one.channel, kind="quiet", ask=ask)
        )
    return acts


def _amount(words: Words, one: ChannelFact, amount: int) -> str:
    token = one.token.upper()
    return words.tokens(amount, token if token in _DIGITS else "", _DIGITS.get(token, 0))

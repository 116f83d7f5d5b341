"""Deals: stored energy sold straight from one to another, auctions, and contracts with what they could earn."""

from dataclasses import dataclass

from markupsafe import Markup

from commonwatt.apps import wishes
from commonwatt.apps.views import deals as views
from commonwatt.apps.views.seeing import can_ask
from commonwatt.apps.views.wallet import wallet
from commonwatt.apps.web.context import Context, Page
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.pages import delivered
from commonwatt.apps.web.parts.controls import Option, button, choice, chosen_of
from commonwatt.apps.web.parts.fields import amount_of, text_field
from commonwatt.apps.web.parts.listing import row
from commonwatt.apps.web.parts.states import empty_state
from commonwatt.apps.web.words import Words, mark
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Role
from commonwatt.model import AccountId, Kind, Refused

_HOUR_S = 3_600
_TRADES = 25
_TOPICS = ("transfer", "order", "order_batch", "auction", "contract", "fact", "reading_batch")
_GOODS = {
    "watt": mark("Stored energy"),
    "slots": mark("Energy to come"),
    "capacity_up": mark("Power to give"),
    "capacity_down": mark("Power to take"),
}
_CALLED = {
    "standing": mark("in every window"),
    "price_above": mark("when the grid is dear"),
    "price_below": mark("when the grid is cheap"),
    "frequency_above": mark("when the grid's frequency is high"),
    "frequency_below": mark("when the grid's frequency is low"),
    "event": mark("when there is an event of the grid"),
    "payer": mark("when it calls for it"),
}


@dataclass(slots=True)
class _Draft:
    """An offer of stored energy in the making."""

    energy: str = ""
    price: str = ""
    hours: int = 24


def build(context: Context) -> None:
    """Put all deals on the page; whoever has an account takes part."""
    # Sales are transfers, and auctions are taken of the same accounts.
    member = (
        context.seat.account if can_ask(context.community, context.seat, Action.SEND_TOKENS, Kind.TRANSFER) else None
    )
    _sales(context, member)
    if member is not None:
        _sell(context, member)
    _lots(context, member)
    _contracts(context, member if context.seat.role is Role.MEMBER else None)
    if member is not None and context.seat.role is Role.MEMBER:
        delivered.mine(context, member)
    trades = context.put(_trades(context))
    context.redraw(trades, lambda: _trades(context), _TOPICS)
    context.put(tag("a", context.say("Market"), href="/market", class_="button"))


def _sales(context: Context, account: AccountId | None) -> None:
    words = context.words

    def card() -> Markup:
        told = views.deals(context.community, context.seat).sales
        title = tag("h2", words.say("Stored energy for sale"))
        if not told:
            why = words.say("Who has stored energy can offer it here at a price of their own.")
            return join(title, empty_state(words, words.say("Nobody sells just now"), why))
        rows = [tag("li", _sale(words, one, account)) for one in told]
        return tag("div", title, tag("ul", *rows, class_="listing"), class_="card pile")

    async def buy(value: object) -> None:
        sale = next((one for one in views.deals(context.community, context.seat).sales if one.listing == value), None)
        if sale is None or account is None:
            raise Refused(words.say("It is sold, or taken back."))
        told = {
            "what": "take",
            "listing": sale.listing,
            "seller": sale.address,
            "energy_wh": sale.energy_wh,
            "most_micro": sale.cost_micro,
        }
        await wishes.granted(context.community, context.seat, Action.SEND_TOKENS, account, Kind.TRANSFER, told)
        context.announce(words.say("You bought {energy}.", energy=words.energy(sale.energy_wh)))

    async def unlist(value: object) -> None:
        if account is not None:
            told = {"what": "unlist", "listing": str(value)[:16]}
            await wishes.granted(context.community, context.seat, Action.SEND_TOKENS, account, Kind.TRANSFER, told)
            context.announce(words.say("Your offer is taken back."))

    piece = context.put(card(), on={"buy": buy, "unlist": unlist})
    context.redraw(piece, card, _TOPICS)


def _sale(words: Words, one: views.Sale, account: AccountId | None) -> Markup:
    title = words.say("{energy} from {who}", energy=words.energy(one.energy_wh), who=one.seller)
    price, until = words.price(one.price_micro_per_kwh), words.instant(one.until_s)
    note = words.say("{price}, until {when}, seller's key {key}", price=price, when=until, key=one.address)
    line = row(title, words.exactly(one.cost_micro), note=note)
    if account is None:
        return line
    if one.seller == account:
        return join(line, button("unlist", words.say("Take back"), value=one.listing, kind="quiet"))
    asked = words.say("Pay {money} for it?", money=words.exactly(one.cost_micro))
    return join(line, button("buy", words.say("Buy"), value=one.listing, ask=asked))


def _sell(context: Context, account: AccountId) -> None:
    words, draft = context.words, _Draft()
    spans = [
        Option(value="1", label=words.say("An hour")),
        Option(value="24", label=words.say("A day")),
        Option(value="168", label=words.say("A week")),
    ]

    def free_now_wh() -> int:
        return wallet(context.community, context.seat, account).free_watt_wh

    def card() -> Markup:
        free_wh = free_now_wh()
        title = tag("h2", words.say("Sell stored energy"))
        if free_wh <= 0:
            why = words.say("You have none that is free: it comes when your battery stores your own sun.")
            return join(title, empty_state(words, words.say("Nothing to sell"), why))
        free = words.say("{energy} are free.", energy=words.energy(free_wh))
        unit = words.say("Price of a kWh, in {currency}", currency=words.place.currency)
        return tag(
            "div",
            title,
            text_field("energy", words.say("How much, in kWh"), draft.energy, why=free, amount=True),
            text_field("price", unit, draft.price, amount=True),
            choice("hours", words.say("For"), spans, str(draft.hours)),
            button("list", words.say("Offer it"), kind="first", ask=words.say("Set it aside and offer it?")),
            class_="card pile",
        )

    def set_energy(value: object) -> None:
        draft.energy = str(value)[:32]

    def set_price(value: object) -> None:
        draft.price = str(value)[:32]

    def set_hours(value: object) -> None:
        draft.hours = int(chosen_of(spans, value))

    shown, some = card(), free_now_wh() > 0

    async def offer(_: object) -> None:
        nonlocal shown
        told = {
            "what": "list",
            "energy_wh": amount_of(draft.energy, 3),
            "price_micro_per_kwh": amount_of(draft.price, 6),
            "until_s": context.now_s() + draft.hours * _HOUR_S,
        }
        await wishes.granted(context.community, context.seat, Action.SEND_TOKENS, account, Kind.TRANSFER, told)
        draft.energy = draft.price = ""
        piece.set_content(shown := card())
        context.announce(words.say("Your offer stands."))

    on = {"energy": set_energy, "price": set_price, "hours": set_hours, "list": offer}
    piece = context.put(shown, on=on)

    def once_there_is_some() -> Markup:
        # What is typed into the form is not drawn over because some more came.
        nonlocal shown, some
        if (free_now_wh() > 0) != some:
            some = not some
            shown = card()
        return shown

    context.redraw(piece, once_there_is_some, (account,))


def _lots(context: Context, account: AccountId | None) -> None:
    words = context.words

    def card() -> Markup:
        told = views.deals(context.community, context.seat).lots
        title = tag("h2", words.say("Auctions"))
        if not told:
            why = words.say("Larger lots and power held ready are put up here.")
            return join(title, empty_state(words, words.say("No auction is open"), why))
        rows = [tag("li", _lot(words, one, account)) for one in told]
        return tag("div", title, tag("ul", *rows, class_="listing"), class_="card pile")

    async def bid(value: object) -> None:
        name, _, price = str(value).partition("@")
        lot = next((one for one in views.deals(context.community, context.seat).lots if one.auction == name), None)
        if lot is None or account is None or str(lot.price) != price:
            raise Refused(words.say("The price has moved meanwhile: look again."))
        told = {"what": "bid", "auction": name, "amount": lot.amount, "price_micro_per_kwh": lot.price}
        await wishes.granted(context.community, context.seat, Action.PLACE_ORDER, account, Kind.AUCTION, told)
        context.announce(words.say("Your bid stands."))

    piece = context.put(card(), on={"bid": bid})
    context.redraw(piece, card, _TOPICS)


def _lot(words: Words, one: views.Lot, account: AccountId | None) -> Markup:
    capacity = one.good.startswith("capacity")
    amount = words.power(one.amount) if capacity else words.energy(one.amount)
    what = f"{words.say(_GOODS[one.good])}, {amount}"
    title = (
        words.say("{what} from {who}", what=what, who=one.owner)
        if one.sells
        else words.say("{what} wanted by {who}", what=what, who=one.owner)
    )
    parts = [words.say("until {when}", when=words.instant(one.ends_s)), words.say_many("{n} bid", "{n} bids", one.bids)]
    if one.to_s:
        parts.insert(0, words.between(one.from_s, one.to_s))
    price = words.say("sealed") if one.price is None else words.price(one.price)
    if capacity and one.price is not None:
        price = f"{words.money(one.price)}/kW/h"
    line = row(title, price, note=" · ".join(parts))
    if account is None or one.owner == account or one.price is None:
        sealed = one.price is None and account is not None
        why = words.say("Bids are sealed or not taken yet; sealed ones are made with `commonwatt ask`.")
        return join(line, tag("p", why, class_="small")) if sealed else line
    money = price if one.cost_micro is None else words.exactly(one.cost_micro)
    asked = words.say("Bid {money} for all of it?", money=money)
    return join(line, button("bid", words.say("Bid"), value=f"{one.auction}@{one.price}", ask=asked))


def _contracts(context: Context, account: AccountId | None) -> None:
    words = context.words

    def card() -> Markup:
        told = views.deals(context.community, context.seat).contracts
        title = tag("h2", words.say("Contracts on offer"))
        if not told:
            why = words.say("A utility that pays for flexibility makes its offers here.")
            return join(title, empty_state(words, words.say("No contract is on offer"), why))
        return join(title, *(_contract(words, one, account) for one in told))

    async def accept(value: object) -> None:
        offer, _, asset = str(value).partition("@")
        found = [
            (one, earning)
            for one in views.deals(context.community, context.seat).contracts
            for earning in one.earnings
            if (one.offer, earning.asset) == (offer, asset)
        ]
        if not found or account is None:
            raise Refused(words.say("This is not on offer any more."))
        ((one, earning),) = found
        promised = {"asset": asset, "charge_w": earning.charge_w, "give_back_w": earning.give_back_w}
        for told in (
            {"what": "guarantee", "until_s": one.until_s, "direct": True, **promised},
            {"what": "accept", "offer": offer, **promised},
        ):
            await wishes.granted(context.community, context.seat, Action.PLACE_ORDER, account, Kind.CONTRACT, told)
        context.announce(words.say("The contract is made."))

    piece = context.put(card(), on={"accept": accept})
    context.redraw(piece, card, _TOPICS)


def _contract(words: Words, one: views.Contractual, account: AccountId | None) -> Markup:
    called = words.say(_CALLED[one.trigger])
    often = words.say_many("{n} window at most", "{n} windows at most", one.windows)
    until = words.say("to be accepted by {when}", when=words.instant(one.accept_by_s))
    lines = [tag("p", words.say("{who} pays {called}", who=one.utility, called=called), class_="lead")]
    lines.append(tag("p", f"{often}, {until}", class_="small"))
    lines += [_earning(words, one, earning) for earning in one.earnings] if account is not None else []
    if account is not None and not one.earnings:
        lines.append(tag("p", words.say("You have no battery or car that could take part.")))
    return tag("div", *lines, class_="card pile")


def _earning(words: Words, one: views.Contractual, earning: views.Earning) -> Markup:
    least, most = words.exactly(earning.least_micro), words.exactly(earning.most_micro)
    kept = most if least == most else words.say("{least} to {most}", least=least, most=most)
    power = words.power(earning.charge_w or earning.give_back_w)
    when = words.between(earning.start_s, earning.end_s)
    promise = (
        words.say("{asset} takes {power} all of {when}", asset=earning.asset, power=power, when=when)
        if earning.charge_w
        else words.say("{asset} gives {power} all of {when}", asset=earning.asset, power=power, when=when)
    )
    facts = (
        (words.say("Called and kept"), kept),
        (words.say("Not called"), words.exactly(earning.standby_micro)),
        (words.say("Called and not kept"), words.exactly(earning.missed_micro)),
        (words.say("Set aside of your money"), words.exactly(earning.stake_micro)),
    )
    table = tag("dl", *(join(tag("dt", name), tag("dd", value)) for name, value in facts), class_="facts")
    why = words.say("It must be steered without asking you, and no other contract may count on it.")
    act = (
        button("accept", words.say("Promise it"), value=f"{one.offer}@{earning.asset}", ask=words.say("Bind yourself?"))
        if earning.ready
        else tag("p", why, class_="small")
    )
    return tag("div", tag("p", promise), table, act, class_="pile")


def _trades(context: Context) -> Markup:
    """Return the last trades of stored energy, under pseudonyms (row M1)."""
    words = context.words
    title = tag("h2", words.say("Stored energy that changed hands"))
    told = views.stored_trades(context.community, context.seat, _TRADES)
    if not told:
        why = words.say("It appears as soon as somebody buys.")
        return join(title, empty_state(words, words.say("No trades yet"), why))
    rows = [
        tag(
            "li",
            row(
                words.say("{seller} to {buyer}", seller=one.seller, buyer=one.buyer),
                words.energy(one.energy_wh),
                note=f"{words.instant(one.slot_s)} · {words.exactly(one.paid_micro)}",
            ),
        )
        for one in told
    ]
    return tag("div", title, tag("ul", *rows, class_="listing"), class_="card pile")


PAGE = Page(path="/deals", title=mark("Deals"), icon="market", roles=frozenset(Role), build=build, listed=False)

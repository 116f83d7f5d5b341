"""Market: what energy costs among neighbours, how deep the book is, an order in two taps, and every trade."""

from dataclasses import dataclass, field

from markupsafe import Markup

from commonwatt.apps import wishes
from commonwatt.apps.api.answers import read_cursor, write_cursor
from commonwatt.apps.views import depth as depths
from commonwatt.apps.views import market as views
from commonwatt.apps.views.seeing import can_ask
from commonwatt.apps.web.context import Context, Page
from commonwatt.apps.web.live import Value
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.pages import agent
from commonwatt.apps.web.parts.chart import Drawn, Line, moving_chart
from commonwatt.apps.web.parts.controls import Option, button, choice, chosen_of
from commonwatt.apps.web.parts.depth import Level, depth
from commonwatt.apps.web.parts.figures import Figure, figures
from commonwatt.apps.web.parts.listing import Stretch, listing, row
from commonwatt.apps.web.parts.states import empty_state
from commonwatt.apps.web.words import Words, mark
from commonwatt.identity.access import Action, Relation, lets
from commonwatt.identity.seat import Role
from commonwatt.model import SLOT_SECONDS, AccountId, Kind, Side, cost_micro

_DAY_S = 86_400
_AMOUNTS_WH = (250, 500, 1_000, 2_000)
_TRADES_A_STRETCH = 25
_TOPICS = ("order", "cancel", "order_batch", "fact", "reading_batch", "transfer")


@dataclass(slots=True)
class _Draft:
    """An order in the making: which side, and how much."""

    side: Side = Side.BID
    energy_wh: int = _AMOUNTS_WH[1]
    amounts: list[Option] = field(default_factory=list)


def build(context: Context) -> None:
    """Put the markets on the page; whoever has an account orders here, too."""
    words = context.words
    context.put(figures(_figures(context)))
    account = context.seat.account
    if account is not None and can_ask(context.community, context.seat, Action.PLACE_ORDER, Kind.ORDER):
        _order(context, account)
        _own(context, account)
        agent.put(context, account, _offered(context))
    elif account is not None and lets(context.seat, Action.PLACE_ORDER, Relation.OWN):
        why = words.say("The log takes orders for members' accounts alone; this one deals under Deals.")
        context.put(empty_state(words, words.say("No orders from this account"), why))
    more = row(words.say("Direct sales, auctions and contracts"), words.say("Open"), href="/deals")
    context.put(tag("div", more, class_="card"))
    _prices(context)
    book = context.put(_depth(context))
    context.redraw(book, lambda: _depth(context), _TOPICS)
    _trades(context)


def _figures(context: Context) -> list[Figure]:
    words = context.words

    def view() -> dict[str, Value]:
        now_s = context.now_s() // SLOT_SECONDS * SLOT_SECONDS
        told = views.slot_prices(context.community, context.seat, now_s - _DAY_S, now_s + SLOT_SECONDS)
        local = next((one for one in reversed(told) if one.local_price is not None), None)
        grid = told[-1] if told else None
        none = "\N{EN DASH}"
        return {
            "local": none if local is None or local.local_price is None else words.price(local.local_price),
            "local_note": "" if local is None else words.between(local.slot_s, local.slot_s + SLOT_SECONDS),
            "takes": none if grid is None else words.price(grid.import_price),
            "takes_note": "" if grid is None else words.between(grid.slot_s, grid.slot_s + SLOT_SECONDS),
            "gives": none if grid is None else words.price(grid.export_price),
            "gives_note": "" if grid is None else words.between(grid.slot_s, grid.slot_s + SLOT_SECONDS),
        }

    shown = context.follow("market", view, topics=_TOPICS)
    labels = (
        ("local", words.say("Among neighbours"), "neighbours"),
        ("takes", words.say("The grid takes"), "grid"),
        ("gives", words.say("The grid gives"), "grid"),
    )
    return [
        Figure(label=label, value=str(shown[key]), note=str(shown[f"{key}_note"]), key=key, colour=colour)
        for key, label, colour in labels
    ]


def _order(context: Context, account: AccountId) -> None:
    """Put an order for the next quarter-hour on the page: one tap shows what it costs at most, the next one sends."""
    words, draft = context.words, _Draft()
    sides = [Option(value=Side.BID, label=words.say("Buy")), Option(value=Side.ASK, label=words.say("Sell"))]
    amounts = [Option(value=str(wh), label=words.energy(wh)) for wh in _AMOUNTS_WH]

    def card() -> Markup:
        slot_s, limit = _next_slot(context), _limit(context, draft.side)
        when = words.between(slot_s, slot_s + SLOT_SECONDS)
        if limit is None:
            why = words.say("The prices of the next quarter-hour are not known yet.")
            return empty_state(words, words.say("No order yet"), why)
        money, price = words.money(cost_micro(draft.energy_wh, limit)), words.price(limit)
        if draft.side is Side.BID:
            asked = words.say("Buy for {money} at most?", money=money)
            label, why = words.say("Buy"), words.say("{when}, at {price} or less", when=when, price=price)
        else:
            asked = words.say("Sell for {money} or more?", money=money)
            label, why = words.say("Sell"), words.say("{when}, at {price} or more", when=when, price=price)
        return tag(
            "div",
            tag("h2", words.say("Order from neighbours")),
            choice("side", words.say("What"), sides, draft.side),
            choice("amount", words.say("How much"), amounts, str(draft.energy_wh)),
            tag("p", why, class_="small"),
            button("place", label, kind="first", ask=asked),
            class_="card pile",
        )

    def set_side(value: object) -> None:
        draft.side = Side(chosen_of(sides, value))
        piece.set_content(card())

    def set_amount(value: object) -> None:
        draft.energy_wh = int(chosen_of(amounts, value))
        piece.set_content(card())

    async def place(_: object) -> None:
        limit, slot_s = _limit(context, draft.side), _next_slot(context)
        told = {
            "what": "slot",
            "side": draft.side.value,
            "energy_wh": draft.energy_wh,
            "price_micro_per_kwh": limit,
            "slot_s": slot_s,
        }
        await wishes.granted(context.community, context.seat, Action.PLACE_ORDER, account, Kind.ORDER, told)
        context.announce(words.say("Your order stands."))

    piece = context.put(card(), on={"side": set_side, "amount": set_amount, "place": place})
    context.redraw(piece, card, ("fact", "reading_batch"))


def _offered(context: Context) -> tuple[int, int] | None:
    """Return a third and two thirds of the way from what the grid gives to what it takes: an agent begins with them."""
    gives, takes = _limit(context, Side.ASK), _limit(context, Side.BID)
    if gives is None or takes is None or takes - gives < 3:
        return None
    third = (takes - gives) // 3
    return gives + third, takes - third


def _own(context: Context, account: AccountId) -> None:
    """Put what somebody has standing on the page."""
    words = context.words

    def card() -> Markup:
        told = views.own_orders(context.community, context.seat, account)
        rows = [_own_row(words, one) for one in told.orders]
        none = tag("p", words.say("You have no order standing."), class_="small")
        orders = tag("ul", *(tag("li", one) for one in rows), class_="listing") if rows else none
        return tag("div", tag("h2", words.say("My orders")), orders, class_="card pile")

    async def cancel(value: object) -> None:
        told = {"what": "cancel", "order": str(value)[:64]}
        await wishes.granted(context.community, context.seat, Action.PLACE_ORDER, account, Kind.CANCEL, told)
        context.announce(words.say("The order is taken back."))

    piece = context.put(card(), on={"cancel": cancel})
    context.redraw(piece, card, (account, *_TOPICS))


def _own_row(words: Words, one: views.OwnOrder) -> Markup:
    side = words.say("Buy") if one.side is Side.BID else words.say("Sell")
    what = words.say("{side} {energy}", side=side, energy=words.energy(one.energy_wh))
    when = words.say("stored") if one.slot_s is None else words.between(one.slot_s, one.slot_s + SLOT_SECONDS)
    back = button("cancel", words.say("Take back"), value=one.order, kind="quiet")
    return join(row(what, words.price(one.price_micro_per_kwh), note=when), back)


def _prices(context: Context) -> None:
    """Put the last day's prices on the page, as they move."""
    words, hundredth = context.words, 10_000

    def draw() -> Drawn:
        now_s = context.now_s() // SLOT_SECONDS * SLOT_SECONDS
        told = views.slot_prices(context.community, context.seat, now_s - _DAY_S, now_s + SLOT_SECONDS)
        curves = (
            (words.say("Among neighbours"), "neighbours", [one.local_price for one in told]),
            (words.say("The grid takes"), "grid", [one.import_price for one in told]),
            (words.say("The grid gives"), "house", [one.export_price for one in told]),
        )
        lines = [
            Line(
                name=name,
                colour=colour,
                values=[None if price is None else price / hundredth for price in prices],
                steps=True,
            )
            for name, colour, prices in curves
        ]
        return Drawn(times_s=[one.slot_s for one in told], lines=lines, as_of_s=context.community.told_s)

    unit = words.price(0).split("\N{NO-BREAK SPACE}")[-1]
    moving_chart(context, words.say("Prices of a kilowatt-hour"), draw, _TOPICS, unit=unit, key="prices")


def _depth(context: Context) -> Markup:
    told = depths.depth(context.community, context.seat)
    if not told.bids and not told.asks:
        why = context.say("Nobody offers or wants stored energy just now.")
        return empty_state(context.words, context.say("The book is empty"), why)
    bids, asks = (
        [
            Level(price_micro_per_kwh=one.price_micro_per_kwh, backed_wh=one.backed_wh, unbacked_wh=one.unbacked_wh)
            for one in side
        ]
        for side in (told.bids, told.asks)
    )
    title = tag("h2", context.say("Stored energy: who offers and who wants"))
    return join(title, depth(context.words, bids, asks, as_of_s=told.as_of_s))


def _trades(context: Context) -> None:
    """Put every trade on the page, under pseudonyms (row M1), the newest first."""
    words = context.words

    def fetch(cursor: str | None) -> Stretch:
        before_s = read_cursor(cursor) or 2**40
        found = views.trades(context.community, context.seat, 0, before_s, None, _TRADES_A_STRETCH)
        rows = [
            row(
                words.say("{seller} to {buyer}", seller=one.seller, buyer=one.buyer),
                words.energy(one.energy_wh),
                note=f"{words.between(one.slot_s, one.slot_s + SLOT_SECONDS)} · {words.price(one.price_micro_per_kwh)}",
            )
            for one in found
        ]
        more = write_cursor(found[-1].slot_s) if len(found) >= _TRADES_A_STRETCH else None
        return Stretch(rows=rows, cursor=more)

    context.put(tag("h2", words.say("Every trade")))
    why = words.say("Trades appear once a quarter-hour is settled.")
    none = empty_state(words, words.say("No trades yet"), why)
    listing(context, words.say("Trades"), fetch, empty=none, topics=_TOPICS)


def _next_slot(context: Context) -> int:
    return (context.now_s() // SLOT_SECONDS + 1) * SLOT_SECONDS


def _limit(context: Context, side: Side) -> int | None:
    """Return what is sure to be no worse than the grid: its own price for the next quarter-hour; None where unknown."""
    slot_s = _next_slot(context)
    told = views.slot_prices(context.community, context.seat, slot_s, slot_s + SLOT_SECONDS)
    if not told:
        return None
    return told[0].import_price if side is Side.BID else told[0].export_price


PAGE = Page(path="/market", title=mark("Market"), icon="market", roles=frozenset(Role), build=build)

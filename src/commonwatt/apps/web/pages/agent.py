"""The agent that trades for somebody at the two prices that they set (row E7): switched on, set anew, switched off."""

from dataclasses import dataclass

from markupsafe import Markup

from commonwatt.apps import wishes
from commonwatt.apps.views import market as views
from commonwatt.apps.web.context import Context
from commonwatt.apps.web.markup import tag
from commonwatt.apps.web.parts.controls import button
from commonwatt.apps.web.parts.fields import amount_of, text_field
from commonwatt.identity.access import Action
from commonwatt.model import MICRO, AccountId, InvalidValue, Kind

_DIGITS = 6
_ROUND_MICRO = 1_000
"""What is offered to begin with is a tenth of a penny, or a multiple."""


@dataclass(slots=True)
class _Draft:
    """The two prices as they were typed."""

    buy: str = ""
    sell: str = ""


def put(context: Context, account: AccountId, offered: tuple[int, int] | None) -> None:
    """Put an account's agent on the page.

    Args:
        context: The page.
        account: Whose agent it is.
        offered: Prices to begin with, micro per kWh, what it buys at and what it sells at; None where none are known.
    """
    words, draft = context.words, _Draft()
    standing = views.own_orders(context.community, context.seat, account).agent
    begun = (standing.buy, standing.sell) if standing is not None else offered
    if begun is not None:
        draft.buy, draft.sell = (_typed(price) for price in begun)

    def card() -> Markup:
        now = views.own_orders(context.community, context.seat, account).agent
        why = words.say("Buys when you run low and sells what you have too much, at your two prices.")
        if now is not None:
            why = words.say("Buys at {buy}, sells at {sell}.", buy=words.price(now.buy), sell=words.price(now.sell))
        currency = words.place.currency
        off = button("agent-off", words.say("Switch it off"), kind="quiet") if now is not None else Markup("")
        return tag(
            "div",
            tag("h2", words.say("Let an agent trade for me")),
            tag("p", why),
            text_field(
                "agent-buy", words.say("Buy at, a kWh in {currency}", currency=currency), draft.buy, amount=True
            ),
            text_field(
                "agent-sell", words.say("Sell at, a kWh in {currency}", currency=currency), draft.sell, amount=True
            ),
            button("agent-on", words.say("Switch it on") if now is None else words.say("Set these prices")),
            off,
            class_="card pile",
        )

    def set_buy(value: object) -> None:
        draft.buy = str(value)[:32]

    def set_sell(value: object) -> None:
        draft.sell = str(value)[:32]

    async def on(_: object) -> None:
        buy, sell = amount_of(draft.buy, _DIGITS), amount_of(draft.sell, _DIGITS)
        if buy >= sell:
            raise InvalidValue(words.say("An agent buys for less than it sells for."))
        now = views.own_orders(context.community, context.seat, account).agent
        told = {
            "what": "agent",
            "buy_micro_per_kwh": buy,
            "sell_micro_per_kwh": sell,
            "forecast": now is not None and now.forecast,  # other prices change nothing of what it deals in
        }
        await wishes.granted(context.community, context.seat, Action.PLACE_ORDER, account, Kind.ORDER, told)
        context.announce(words.say("Your agent trades at these prices."))

    async def off(_: object) -> None:
        told = {"what": "agent off"}
        await wishes.granted(context.community, context.seat, Action.PLACE_ORDER, account, Kind.CANCEL, told)
        context.announce(words.say("Your agent is off."))

    piece = context.put(card(), on={"agent-buy": set_buy, "agent-sell": set_sell, "agent-on": on, "agent-off": off})
    context.redraw(piece, card, ("order", "cancel"))


def _typed(price_micro: int) -> str:
    """Return a price as somebody would type it."""
    whole, part = divmod(max(_ROUND_MICRO, price_micro // _ROUND_MICRO * _ROUND_MICRO), MICRO)
    return f"{whole}.{part:0{_DIGITS}}".rstrip("0").rstrip(".")

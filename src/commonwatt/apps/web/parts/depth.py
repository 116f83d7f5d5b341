"""A market's depth: how much is asked and bid up to which price, backed and not, drawn and as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from markupsafe import Markup

from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.parts.behind import legend, with_table
from commonwatt.apps.web.words import Words
from commonwatt.model import InvalidValue

_WIDTH, _HEIGHT, _FOOT = 360, 180, 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """All orders at one price.

    Args:
        price_micro_per_kwh: The price.
        backed_wh: What there is energy or money for.
        unbacked_wh: What only counts for the price so far.
    """

    price_micro_per_kwh: int
    backed_wh: int
    unbacked_wh: int = 0

    def __post_init__(self) -> None:
        if min(self.backed_wh, self.unbacked_wh) < 0:
            raise InvalidValue(f"a level holds zero or more, was {self.backed_wh} and {self.unbacked_wh} Wh")


def depth(words: Words, bids: Sequence[Level], asks: Sequence[Level], *, as_of_s: int) -> Markup:
    """Return both sides of a book over the price.

    Args:
        words: Whose language and money.
        bids: In any order.
        asks: In any order.
        as_of_s: When the book stood so, seconds since 1970.
    """
    down = sorted(bids, key=lambda level: -level.price_micro_per_kwh)
    up = sorted(asks, key=lambda level: level.price_micro_per_kwh)
    rows = [_row(words, words.say("Ask"), level) for level in reversed(up)]
    rows += [_row(words, words.say("Bid"), level) for level in down]
    head = (words.say("Side"), words.say("Price"), words.say("Backed"), words.say("Not backed yet"))
    picture = join(
        _drawn(words, down, up),
        legend([("buy", words.say("Bid")), ("sell", words.say("Ask")), ("faint", words.say("Not backed yet"))]),
    )
    title = words.say("Energy offered up to each price")
    return tag(
        "div", with_table(words, picture, title=title, as_of_s=as_of_s, head=head, rows=rows), class_="card depth"
    )


def _row(words: Words, side: str, level: Level) -> tuple[str, ...]:
    return side, words.price(level.price_micro_per_kwh), words.energy(level.backed_wh), words.energy(level.unbacked_wh)


def _drawn(words: Words, down: Sequence[Level], up: Sequence[Level]) -> Markup:
    levels = [*down, *up]
    if not levels:
        return tag("p", words.say("No orders stand"), class_="small")
    prices = [level.price_micro_per_kwh for level in levels]
    low, high = min(prices), max(prices)
    span = max(high - low, 1)
    most_wh = max(sum(level.backed_wh + level.unbacked_wh for level in side) for side in (down, up)) or 1

    def x(price: int) -> float:
        return round(12 + (_WIDTH - 24) * (price - low) / span, 1)

    def y(energy_wh: int) -> float:
        return round(_HEIGHT - _FOOT - (_HEIGHT - _FOOT - 10) * energy_wh / most_wh, 1)

    areas = []
    for side, colour, edge in ((down, "buy", low), (up, "sell", high)):
        places = [x(level.price_micro_per_kwh) for level in side]
        whole = list(accumulate(level.backed_wh + level.unbacked_wh for level in side))
        backed = list(accumulate(level.backed_wh for level in side))
        areas.append(_steps(places, [y(wh) for wh in whole], x(edge), f"{colour} faint"))
        areas.append(_steps(places, [y(wh) for wh in backed], x(edge), colour))
    ground = tag("path", d=f"M0 {_HEIGHT - _FOOT}H{_WIDTH}", class_="wire")
    marks = [
        tag("text", words.price(price), x=place, y=_HEIGHT - 6, text_anchor=anchor, class_="name")
        for price, place, anchor in ((low, 12, "start"), (high, _WIDTH - 12, "end"))
    ]
    return tag("svg", *areas, ground, *marks, viewBox=f"0 0 {_WIDTH} {_HEIGHT}")


def _steps(places: Sequence[float], heights: Sequence[float], edge: float, class_: str) -> Markup:
    """Return an area that rises in steps from the best price outwards."""
    if not places:
        return Markup("")
    foot = _HEIGHT - _FOOT
    way = [f"M{places[0]} {foot}"]
    for place, height in zip(places, heights, strict=True):
        way.append(f"H{place}V{height}")
    way.append(f"H{edge}V{foot}Z")
    return tag("path", d="".join(way), class_=f"area {class_}")

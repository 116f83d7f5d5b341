"""A member's cars on their forecast: when each leaves and what it needs, or when it is back, and how sure that is."""

from markupsafe import Markup

from commonwatt.apps.foresight import Book
from commonwatt.apps.views.cars_ahead import CarAhead, cars_ahead
from commonwatt.apps.web.context import Context
from commonwatt.apps.web.markup import tag
from commonwatt.apps.web.parts.listing import row
from commonwatt.apps.web.words import Words
from commonwatt.forecasting.parked import LEAST_OWN
from commonwatt.model import LEVELS_PERMILLE

_LOW, _MIDDLE, _HIGH = 0, LEVELS_PERMILLE.index(500), -1


def put(context: Context, book: Book) -> None:
    """Put what comes next of one's cars; nothing for who has none."""
    words, account = context.words, context.seat.account
    assert account is not None  # of whom cars are, has an account
    found = cars_ahead(context.community, context.seat, account, book)
    if not found:
        return
    title = words.say("Your car next")
    context.put(tag("h2", title))
    rows = [tag("li", _car(words, one)) for one in found]
    context.put(tag("div", tag("ul", *rows, class_="listing", aria_label=title), class_="card"))


def _car(words: Words, one: CarAhead) -> Markup:
    told = one.next
    if told is None:
        few = words.say("Told once it has come and gone {n} times.", n=words.number(LEAST_OWN))
        return row(one.asset, "\N{EN DASH}", note=few)
    low, middle, high = (words.instant(told.until_s[at]) for at in (_LOW, _MIDDLE, _HIGH))
    if told.here:
        said, value = words.say("Leaves, most likely, {when}", when=middle), words.energy(told.needs_wh[_MIDDLE])
    else:
        said, value = words.say("Is back, most likely, {when}", when=middle), "\N{EN DASH}"
    if low == high:
        sure = words.say("The median of {n} stays of its own: the forecast was no better.", n=words.number(told.stays))
    else:
        sure = words.say("Nine times in ten between {low} and {high}.", low=low, high=high)
    note = tag("span", said, ". ", sure)
    if told.here and low != high:
        least, most = words.energy(told.needs_wh[_LOW]), words.energy(told.needs_wh[_HIGH])
        note = tag("span", note, " ", words.say("It takes {least} to {most} in all.", least=least, most=most))
    if one.card is not None:
        score = words.say(
            "Over {n} stays {skill} less off than their median; {held} fell into the band.",
            n=words.number(one.card.stays),
            skill=words.percent(one.card.departure_skill),
            held=words.percent(one.card.coverage_permille / 1000),
        )
        note = tag("span", note, " ", score)
    return row(one.asset, value, note=note)

"""What became of each DEMAND: who was asked, and who gave by their meters against what they would have drawn."""

from markupsafe import Markup

from commonwatt.apps.views import following as views
from commonwatt.apps.web.context import Context
from commonwatt.apps.web.markup import tag
from commonwatt.apps.web.parts.listing import row
from commonwatt.apps.web.parts.states import empty_state
from commonwatt.apps.web.words import Words, mark

_TOPICS = ("reading_batch", "contract")
_AGAINST = {
    "ten_like_days": mark("against ten days like it"),
    "three_hours_before": mark("against the three hours before"),
}


def put(context: Context) -> None:
    """Put what became of the last DEMANDs on the page."""
    context.put(tag("h2", context.say("What became of them")))
    piece = context.put(card(context))
    context.redraw(piece, lambda: card(context), _TOPICS)


def card(context: Context) -> Markup:
    """Return the last DEMANDs that began, the newest first."""
    words = context.words
    told = views.followed(context.community, context.seat)
    if not told:
        why = words.say("Once a DEMAND begins, it stands here what homes gave for it.")
        return empty_state(words, words.say("No DEMAND yet"), why)
    return tag("div", *(_demand(words, one) for one in told), class_="pile")


def _demand(words: Words, one: views.Followed) -> Markup:
    when = words.between(one.start_s, one.end_s)
    title = words.say("DEMAND, {when}", when=when)
    asked = words.say(
        "{asked} homes were asked; the meters of {measured} told of {slots} whole quarter-hours.",
        asked=words.number(one.asked),
        measured=words.number(one.measured),
        slots=words.number(one.slots),
    )
    parts = [tag("h3", title), tag("p", asked)]
    if one.retracted:
        parts.append(tag("p", words.say("It was taken back."), class_="small"))
    if one.delivered_wh is None or one.baseline_wh is None or one.actual_wh is None or one.gave is None:
        why = words.say("Sums are shown from three homes on, once all their meters told of a whole quarter-hour of it.")
        return tag("div", *parts, tag("p", why, class_="small"), class_="card pile")
    against = words.say(
        "{expected} expected {against}, {actual} drawn",
        expected=words.energy(one.baseline_wh),
        against=words.say(_AGAINST[one.against]),
        actual=words.energy(one.actual_wh),
    )
    contracts = words.say("A DEMAND pays nothing by itself; this is what contracts owe and paid for these hours.")
    rows = [
        row(words.say("Given"), words.energy(one.delivered_wh), note=against),
        row(words.say("Homes that gave"), f"{words.number(one.gave)} / {words.number(one.measured)}"),
        row(
            words.say("Earned under contract"),
            words.exactly(one.due_micro),
            note=f"{contracts} {words.exactly(one.paid_micro)}",
        ),
        *(_home(words, home) for home in one.homes),
    ]
    listed = tag("ul", *(tag("li", line) for line in rows), class_="listing", aria_label=title)
    proof = tag("a", words.say("The checkpoint under which these readings stand"), href="/proof")
    return tag("div", *parts, listed, tag("p", proof, class_="small"), class_="card pile")


def _home(words: Words, home: views.HomeFollowed) -> Markup:
    """Return one home that its owner lets a seat see; it leads to the proof of its last reading."""
    given = words.energy(home.baseline_wh - home.actual_wh)
    note = words.say("against the three hours before")
    return row(home.account, given, note=note, href=f"/proof/reading/{home.connection}/{home.slots_s[-1]}")

"""Alarms of devices, on the forecast's page: what is wrong, on which evidence, what it costs, and a visit to answer."""

from collections.abc import Sequence

from markupsafe import Markup

from commonwatt.apps.answering import answer_visit
from commonwatt.apps.foresight import Book
from commonwatt.apps.views import alarms
from commonwatt.apps.web.context import Context
from commonwatt.apps.web.icons import icon
from commonwatt.apps.web.markup import tag
from commonwatt.apps.web.parts.controls import button
from commonwatt.apps.web.parts.states import empty_state
from commonwatt.apps.web.words import Words, mark
from commonwatt.identity.access import Action, Relation, lets

WHAT = {
    "soiling": mark("{device} yields {percent} less than it did, a little more each day: dirt, most likely"),
    "shading": mark("{device} yields {percent} less, nearly all of it in one half of the day: a shadow, most likely"),
    "string loss": mark("{device} yields {percent} less from one day to the next: a string is lost, most likely"),
    "capacity": mark("{device} holds {percent} less than is registered"),
    "efficiency": mark("{device} gives back {percent} less of what goes in than is registered"),
    "drift": mark("{device} shows {percent} less than passes it, by the energy balance of the feeder"),
    "bypass": mark("{percent} of what {device} shows passes it unseen, by the energy balance of the feeder"),
    "over limit": mark("{device} drew {percent} more than it was told, quarter-hour after quarter-hour"),
}
_TO_DO = (
    mark("Look at the modules from the ground; have them cleaned if they are dirty."),
    mark("See what stands in the sun at that half of the day: a tree that grew, a new mast or wall."),
    mark("Have an electrician measure the strings: one gives nothing, or its fuse is open."),
    mark("Have the cells measured, and claim the guarantee if there is one."),
    mark("Have the inverter and its fans looked at: more is lost on the way than when it was new."),
    mark("Have the meter compared with a calibrated one."),
    mark("Have the connection looked at: much is drawn that the meter does not see."),
    mark("Restart the charger; if it still does not follow, have its link looked at."),
)
"""What the view says is to be done, marked for translation; a test holds both together."""


def put(context: Context, book: Book) -> None:
    """Put the alarms that a seat may see; their owner answers the visits."""
    words, community, seat = context.words, context.community, context.seat
    own = seat.account is not None and lets(seat, Action.DECIDE_SCHEDULE, Relation.OWN)
    every = lets(seat, Action.SEE_MEMBERS, Relation.OTHER)
    if not own and not every:
        return
    account = seat.account

    def told() -> Sequence[alarms.AlarmView]:
        if every or account is None:
            return alarms.of_all(community, seat, book)
        return alarms.of_account(community, seat, account, book)

    def draw() -> Markup:
        found = told()
        if not found:
            why = words.say("Roofs, batteries, meters and chargers do as they did, as far as their meters tell.")
            return empty_state(words, words.say("No device needs a look"), why)
        return tag("div", *(_alarm(words, one, own=own) for one in found), class_="pile")

    def answer(value: object, *, accept: bool) -> None:
        assert account is not None  # only owners are shown the buttons
        answer_visit(community, seat, account, book, str(value)[:40], accept=accept)
        piece.set_content(draw())
        yes, no = words.say("The visit stands in your calendar."), words.say("The visit is declined; the alarm stays.")
        context.announce(yes if accept else no)

    context.put(tag("h2", words.say("Devices that need a look")))
    piece = context.put(
        draw(),
        on={
            "accept-visit": lambda value: answer(value, accept=True),
            "decline-visit": lambda value: answer(value, accept=False),
        }
        if own
        else None,
    )


def _alarm(words: Words, view: alarms.AlarmView, *, own: bool) -> Markup:
    one = view.alarm
    what = words.say(WHAT[one.ailment.value], device=one.asset, percent=words.percent(abs(one.off_permille) / 1000))
    cost = words.say(
        "Lost since then: {energy}, at the grid's price {money}.",
        energy=words.energy(one.lost_wh),
        money=words.money(one.lost_micro),
    )
    evidence = words.say(
        "Evidence: its readings from {start} to {end}. Its statistic is {score}, an alarm from {threshold} on; of a "
        "thousand healthy days {false} at most alarm.",
        start=words.instant(one.since_s),
        end=words.instant(one.until_s),
        score=words.number(one.score, 1),
        threshold=words.number(one.threshold, 1),
        false=words.number(one.false_alarms_permille),
    )
    visit = words.say("A visit is proposed: {when}.", when=words.between(view.visit.start_s, view.visit.end_s))
    said = {
        None: Markup(""),
        True: tag("p", icon("check"), tag("span", words.say("Accepted")), class_="done"),
        False: tag("p", icon("cross"), tag("span", words.say("Declined")), class_="done"),
    }[view.accepted]
    deeds = tag(
        "div",
        button("accept-visit", words.say("Accept"), value=one.id, glyph="check", kind="first"),
        button("decline-visit", words.say("Decline"), value=one.id, glyph="cross"),
        class_="deeds",
    )
    return tag(
        "section",
        tag("p", icon("warning"), tag("span", what), class_="lead done"),
        tag("p", cost) if one.lost_wh else Markup(""),
        tag("p", words.say(view.what_to_do)),
        tag("p", evidence, class_="small"),
        tag("p", visit),
        said,
        deeds if own else Markup(""),
        class_="card pile",
    )

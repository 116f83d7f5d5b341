"""Alarms of devices, on the forecast's page: what is wrong, on which evidence, what it costs, and a visit to answer."""

from collections.abc import Sequence

from markupsafe import Markup

from commonwatt.adapters.stores.answered import Word
from commonwatt.apps.answering import Reply, answer_alarm
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
    "short cycling": mark(
        "{device} started twice an hour or more often for {percent} of the time that it ran, hours on end"
    ),
    "unregistered roof": mark("Behind {device} something gives energy that nobody registered: a roof, most likely"),
    "unregistered car": mark("Behind {device} a car seems to be charged that nobody registered: {percent} of its use"),
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
    mark("Have its heating curve, thermostat and flow looked at: it makes more heat than is taken."),
    mark("Register the roof or battery on Devices, so that what it gives is its owner's and is foreseen."),
    mark("Register the car or charger on Devices, so that it is charged when energy is cheap."),
)
"""What the view says is to be done, marked for translation; a test holds both together."""


def put(context: Context, book: Book) -> None:
    """Put the alarms that a seat may see; their owner answers the visits."""
    words, community, seat = context.words, context.community, context.seat
    own = seat.account is not None and lets(seat, Action.DECIDE_SCHEDULE, Relation.OWN)
    every = lets(seat, Action.SEE_MEMBERS, Relation.OTHER)
    mends = lets(seat, Action.MANAGE_DEVICES, Relation.GRANTED)
    if not own and not every and not mends:
        return
    account = seat.account

    def told() -> Sequence[alarms.AlarmView]:
        if own and account is not None:
            return alarms.of_account(community, seat, account, book)
        return alarms.of_all(community, seat, book) if every else alarms.of_devices(community, seat, book)

    def draw() -> Markup:
        found = told()
        if not found:
            why = words.say(
                "Roofs, batteries, meters, chargers and heat pumps do as they did, as far as their meters tell."
            )
            return empty_state(words, words.say("No device needs a look"), why)
        replies = _OWNERS if own else _MENDERS if mends else ()
        return tag("div", *(_alarm(words, one, replies) for one in found), class_="pile")

    def answer(value: object) -> None:
        reply, _, name = str(value)[:60].partition(" of ")
        view = next((one for one in told() if one.alarm.id == name), None)
        known = next((one for one in Reply if one.value == reply), None)
        if view is not None and known is not None:
            answer_alarm(community, seat, view.alarm.owner, book, name, known)
            context.announce(words.say(_SAID[known]))
        piece.set_content(draw())

    context.put(tag("h2", words.say("Devices that need a look")))
    piece = context.put(draw(), on={"answer-alarm": answer} if own or mends else None)


_OWNERS = (Reply.ACCEPT, Reply.DECLINE, Reply.MENDED, Reply.AS_IT_IS)
_MENDERS = (Reply.MENDED,)
_BUTTONS = {
    Reply.ACCEPT: (mark("Accept"), "check", "first"),
    Reply.DECLINE: (mark("Decline"), "cross", ""),
    Reply.MENDED: (mark("It was mended"), "check", ""),
    Reply.AS_IT_IS: (mark("It stays as it is"), "", "quiet"),
    Reply.TAKE_BACK: (mark("Take back"), "cross", "quiet"),
}
_SAID = {
    Reply.ACCEPT: mark("The visit stands in your calendar."),
    Reply.DECLINE: mark("The visit is declined; the alarm stays."),
    Reply.MENDED: mark("It is looked at anew from now on."),
    Reply.AS_IT_IS: mark("Nothing more is said of it unless it grows clearly worse."),
    Reply.TAKE_BACK: mark("What was answered is taken back."),
}


def _deeds(words: Words, view: alarms.AlarmView, replies: Sequence[Reply]) -> Markup:
    """Return the answers that are left: one that was given can be taken back, a visit thought of again."""
    left = replies if view.word is None else (Reply.TAKE_BACK,)
    buttons = (
        button("answer-alarm", words.say(label), value=f"{one.value} of {view.alarm.id}", glyph=glyph, kind=kind)
        for one in left
        for label, glyph, kind in (_BUTTONS[one],)
    )
    return tag("div", *buttons, class_="deeds")


def _alarm(words: Words, view: alarms.AlarmView, replies: Sequence[Reply]) -> Markup:
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
    said = Markup("")
    if view.word is not None:
        text = words.say("Mended, and looked at anew") if view.word is Word.MENDED else words.say("Stays as it is")
        by = words.say("said by {who}", who=view.said_by) if view.said_by not in ("", view.alarm.owner) else ""
        said = tag("p", icon("check"), tag("span", f"{text}, {by}" if by else text), class_="done")
    elif view.accepted is not None:
        text = words.say("Accepted") if view.accepted else words.say("Declined")
        said = tag("p", icon("check" if view.accepted else "cross"), tag("span", text), class_="done")
    return tag(
        "section",
        tag("p", icon("warning"), tag("span", what), class_="lead done"),
        tag("p", cost) if one.lost_wh else Markup(""),
        tag("p", words.say(view.what_to_do)),
        tag("p", evidence, class_="small"),
        tag("p", visit) if view.word is None else Markup(""),
        said,
        _deeds(words, view, replies) if replies else Markup(""),
        class_="card pile",
    )

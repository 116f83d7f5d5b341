"""Devices as their gateways know them: firmware, quarantine with its release, and what was written down of them."""

from markupsafe import Markup

from commonwatt.apps.views import lives as views
from commonwatt.apps.web.context import Context
from commonwatt.apps.web.icons import icon
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.parts.controls import button
from commonwatt.apps.web.parts.listing import row
from commonwatt.apps.web.parts.states import empty_state
from commonwatt.apps.web.words import Words, mark

_HEALTH = {
    "quarantined": ("cross", "failed", mark("In quarantine")),
    "silent": ("warning", "failed", mark("Silent")),
    "new": ("clock", "pending", mark("Has told nothing yet")),
    "healthy": ("check", "verified", mark("Answers and is believed")),
}
_MARKS = {
    "added": mark("added"),
    "moved": mark("spoken to elsewhere"),
    "first seen": mark("first seen"),
    "nameplate": mark("nameplate"),
    "silent": mark("silent"),
    "back": mark("back"),
    "clock wrong": mark("clock wrong"),
    "clock right": mark("clock right"),
    "quarantined": mark("quarantined"),
    "released": mark("released"),
    "counters set back": mark("counters set back"),
    "replaced": mark("replaced"),
    "removed": mark("removed"),
    "refused": mark("refused a command"),
}


def put(context: Context) -> None:
    """Put what gateways know of their devices on the page; looked at when the page opens, and when somebody asks."""
    words = context.words

    def card() -> Markup:
        title, told = tag("h2", words.say("At their gateways")), views.lives(context.community, context.seat)
        if not told:
            why = words.say(
                "No gateway of these devices keeps its folder on this machine: commonwatt devices list tells "
                "firmware and quarantine there."
            )
            return join(title, empty_state(words, words.say("Nothing to show here"), why))
        again = button("look", words.say("Look again"), kind="quiet")
        return tag("div", title, *(_life(words, one) for one in told), again, class_="card pile")

    def look(_: object) -> None:
        piece.set_content(card())

    def release(value: object) -> None:
        views.release(context.community, context.seat, str(value)[:64])
        piece.set_content(card())
        context.announce(words.say("Its gateway lets it out within moments, and writes down that you said so."))

    piece = context.put(card(), on={"look": look, "release": release})


def _life(words: Words, one: views.Life) -> Markup:
    glyph, look, said = _HEALTH.get(one.health, ("clock", "pending", one.health))
    badge = tag("span", icon(glyph), tag("span", words.say(said)), class_=f"badge {look}")
    label = " ".join(part for part in (one.make, one.model) if part)
    none = "\N{EN DASH}"
    rows = [
        (words.say("Device"), label or none),
        (words.say("Firmware"), one.firmware or words.say("it tells none")),
        (words.say("Believed last"), none if one.last_good_s is None else words.instant(one.last_good_s)),
    ]
    if one.quarantined_s is not None:
        rows.append((words.say("In quarantine since"), words.instant(one.quarantined_s)))
    if one.trouble:
        rows.append((words.say("What went wrong last"), one.trouble))
    if one.clock_ahead_s:
        rows.append((words.say("Its clock is ahead by"), words.lasting(one.clock_ahead_s)))
    if one.ordered:
        rows.append((words.say("Waits at its gateway"), ", ".join(one.ordered)))
    facts = tag("dl", *(join(tag("dt", name), tag("dd", value)) for name, value in rows), class_="facts")
    notes = [
        tag("li", row(words.say(_MARKS.get(each.what.value, each.what.value)), "", note=_when(words, each)))
        for each in one.notes
    ]
    life = tag("details", tag("summary", words.say("What was written down")), tag("ul", *notes, class_="listing"))
    parts = [tag("h3", one.asset), tag("p", badge), facts, life if notes else Markup("")]
    if one.may_release and "release" not in one.ordered:
        ask = words.say("Press again to have it believed")
        parts.append(button("release", words.say("Release it"), value=one.asset, ask=ask))
    return tag("section", *parts, class_="pile")


def _when(words: Words, each: views.Noted) -> Markup:
    said = join(" · ", tag("span", each.words, lang="en")) if each.words else Markup("")
    return join(words.instant(each.at_s), said)

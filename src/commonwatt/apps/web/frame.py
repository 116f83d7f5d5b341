"""What is around every page: the community's name, the log's time, where one can go, and how one wants to see it.

It is in the page before any script, so that it stands while the rest loads, and works by keyboard alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from commonwatt.apps.web.icons import icon
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.parts.live_value import live_value
from commonwatt.apps.web.words import LANGUAGES, Words, mark
from commonwatt.identity.seat import Role, Seat

_FIRST_ON_A_PHONE = 4
_THEMES = (("auto", mark("As the system")), ("light", mark("Light")), ("dark", mark("Dark")))
ROLE_NAMES = {
    Role.PUBLIC: mark("Public"),
    Role.MEMBER: mark("Member"),
    Role.INSTALLER: mark("Installer"),
    Role.OPERATOR: mark("Operator"),
    Role.DSO: mark("Distribution grid"),
    Role.TSO: mark("Transmission grid"),
    Role.UTILITY: mark("Utility"),
    Role.AGGREGATOR: mark("Aggregator"),
    Role.AUDITOR: mark("Auditor"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One entry of the navigation."""

    href: str
    title: str
    icon: str
    here: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Chair:
    """A seat that may be taken, and where one takes it."""

    seat: Seat
    href: str


def frame(
    words: Words,
    seat: Seat,
    *,
    title: str,
    as_of_s: int,
    stands: bool,
    places: Sequence[Way],
    chairs: Sequence[Chair],
    theme: str,
) -> Markup:
    """Return everything around the content, to stand before it."""
    still = standing_still(words, as_of_s) if stands else ""
    return join(
        tag("a", words.say("Skip to content"), href="#content", class_="skip"),
        _header(words, seat, title, as_of_s, chairs, theme),
        tag("div", live_value("stands", still), class_="stands", role="status"),
        _navigation(words, places),
        tag("div", id="said", class_="unseen", role="status", aria_live="polite"),
        tag("div", id="toast", class_="toast", aria_hidden="true", hidden=True),
    )


def standing_still(words: Words, as_of_s: int) -> str:
    """Return what is said along the top while the log cannot be followed; nothing stands there otherwise."""
    return words.say("These numbers stand still since {when}: the log cannot be read.", when=words.instant(as_of_s))


def early(pieces: Sequence[Markup]) -> Markup:
    """Return what is seen, and nothing else, until the page lives: its own pieces, or grey lines where it has none."""
    bones = join(*(tag("span", class_="bone") for _ in range(4)))
    inside = tag("div", join(*pieces) if pieces else bones, class_="content")
    return tag("div", inside, class_="early", aria_hidden="true", inert=True)


def _header(words: Words, seat: Seat, title: str, as_of_s: int, chairs: Sequence[Chair], theme: str) -> Markup:
    time = live_value("as_of", words.seconds(as_of_s))
    name = tag("div", tag("p", words.place.name, class_="community"), tag("h1", title), class_="titles")
    as_of = tag("p", icon("clock"), tag("span", words.say("as of"), " ", time), class_="as-of")
    return tag("header", name, as_of, _settings(words, seat, chairs, theme), class_="bar")


def _settings(words: Words, seat: Seat, chairs: Sequence[Chair], theme: str) -> Markup:
    who = tag("p", icon("person"), tag("span", _seat_name(words, seat)), class_="who")
    menu = [who]
    if chairs:
        seats = join(*(tag("li", tag("a", _seat_name(words, chair.seat), href=chair.href)) for chair in chairs))
        menu += [
            tag("p", words.say("Look as"), class_="small", id="look-as"),
            tag("ul", seats, aria_labelledby="look-as"),
        ]
    languages = join(*(_option(code, name, code == words.language, lang=code) for code, name in LANGUAGES.items()))
    menu.append(_labelled(words.say("Language"), tag("select", languages, id="set-language", data_set="cw_language")))
    themes = join(*(_option(code, words.say(name), code == theme) for code, name in _THEMES))
    menu.append(_labelled(words.say("Light or dark"), tag("select", themes, id="set-theme", data_set="cw_theme")))
    summary = tag("summary", icon("settings"), tag("span", words.say("Settings"), class_="unseen"), class_="round")
    return tag("details", summary, tag("div", *menu, class_="menu"), class_="settings")


def _labelled(label: str, select: Markup) -> Markup:
    return tag("label", tag("span", label, class_="small"), select, class_="field")


def _option(value: str, label: str, chosen: bool, lang: str | None = None) -> Markup:
    return tag("option", label, value=value, selected=chosen, lang=lang)


def _seat_name(words: Words, seat: Seat) -> str:
    role = words.say(ROLE_NAMES[seat.role])
    return f"{seat.person} ({role})" if seat.person else role


def _navigation(words: Words, places: Sequence[Way]) -> Markup:
    first = places[:_FIRST_ON_A_PHONE] if len(places) > _FIRST_ON_A_PHONE + 1 else places
    rest = places[len(first) :]
    phone = [tag("li", _link(place)) for place in first]
    if rest:
        summary = tag(
            "summary",
            icon("more"),
            tag("span", words.say("More")),
            class_="go" + (" here" if any(place.here for place in rest) else ""),
        )
        more = tag("ul", join(*(tag("li", _link(place)) for place in rest)), class_="menu")
        phone.append(tag("li", tag("details", summary, more)))
    rail = [tag("li", _link(place)) for place in places]
    label = words.say("Pages")
    return tag(
        "nav",
        tag("ul", *phone, class_="on-phone"),
        tag("ul", *rail, class_="on-rail"),
        class_="places",
        aria_label=label,
    )


def _link(place: Way) -> Markup:
    current = "page" if place.here else None
    shown = tag("span", place.title)
    return tag("a", icon(place.icon), shown, href=place.href, class_="go", aria_current=current)

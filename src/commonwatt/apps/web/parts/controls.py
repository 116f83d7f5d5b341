"""Things that people set: a choice of a few, a big time, and a button that asks once more."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from commonwatt.apps.web.icons import icon
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.words import Words
from commonwatt.model import InvalidValue

STEP_MINUTES = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One of a few things to choose from."""

    value: str
    label: str
    icon: str = ""
    colour: str = ""


def choice(name: str, label: str, options: Sequence[Option], chosen: str | None) -> Markup:
    """Return a segmented choice, which is a group of radio buttons; sends the value.

    Args:
        name: Under which it sends, and unique on its page.
        label: What is chosen, in words.
        options: Two to five.
        chosen: The value that holds now; None for none.
    """
    segments = join(*(_segment(name, option, option.value == chosen) for option in options))
    return tag(
        "fieldset", tag("legend", label, class_="lead"), tag("div", segments, class_="segments"), class_="choice"
    )


def pick(name: str, label: str, options: Sequence[Option], chosen: str) -> Markup:
    """Return a list to choose one from, for more than a segmented choice has room for; sends the value.

    Args:
        name: Under which it sends, and unique on its page.
        label: What is chosen, in words.
        options: One or more.
        chosen: The value that holds now.
    """
    inside = (tag("option", one.label, value=one.value, selected=one.value == chosen) for one in options)
    box = tag("select", *inside, id=f"pick-{name}", data_send=name)
    return tag("div", tag("label", label, for_=f"pick-{name}", class_="lead"), box, class_="field")


def chosen_of(options: Sequence[Option], value: object) -> str:
    """Return what a browser sent as the value of one of the options.

    Raises:
        InvalidValue: It is none of them.
    """
    found = next((option.value for option in options if option.value == value), None)
    if found is None:
        raise InvalidValue(f"one of {', '.join(option.value for option in options)} can be chosen, was {value!r}")
    return found


def ready_by(words: Words, name: str, label: str, at_s: int, *, why: str = "") -> Markup:
    """Return a big time of day with steps of a quarter-hour; sends HH:MM.

    Args:
        words: Whose language and clocks.
        name: Under which it sends, and unique on its page.
        label: Of what it is the time.
        at_s: The time that holds now, seconds since 1970.
        why: What follows from it, in a sentence; empty for none.
    """
    field = tag(
        "input",
        id=f"time-{name}",
        type="time",
        value=words.clock(at_s),
        step=STEP_MINUTES * 60,
        required=True,
        data_send=name,
    )
    earlier = _step(-STEP_MINUTES, words.say("{minutes} minutes earlier", minutes=STEP_MINUTES), "\N{MINUS SIGN}")
    later = _step(STEP_MINUTES, words.say("{minutes} minutes later", minutes=STEP_MINUTES), "+")
    steps = tag("div", earlier, field, later, class_="clockwork")
    said = tag("p", why, class_="small") if why else Markup("")
    return tag("div", tag("label", label, for_=f"time-{name}", class_="lead"), steps, said, class_="ready-by")


def minutes_of(value: object) -> int:
    """Return a time of day that a browser sent, in minutes after midnight as the clock on the wall shows them.

    Raises:
        InvalidValue: It is no time of day.
    """
    parts = str(value).split(":")
    # Only plain digits: int() would also take other scripts', signs and underscores.
    if len(parts) in (2, 3) and all(part.isascii() and part.isdigit() and len(part) == 2 for part in parts):
        hours, minutes = int(parts[0]), int(parts[1])
        if hours < 24 and minutes < 60:
            return hours * 60 + minutes
    raise InvalidValue(f"a time of day is written like 07:30, was {str(value)[:20]!r}")


def switch(name: str, label: str, *, on: bool, why: str = "") -> Markup:
    """Return one switch; sends true or false."""
    box = tag("input", type="checkbox", role="switch", checked=on, data_send=name, id=f"switch-{name}")
    said = tag("span", why, class_="small") if why else Markup("")
    return tag("label", box, tag("span", tag("span", label), said, class_="stacked"), class_="switch")


def button(name: str, label: str, *, value: str = "", glyph: str = "", kind: str = "", ask: str = "") -> Markup:
    """Return a button; sends its value.

    Args:
        name: Under which it sends.
        label: What it does, as a verb.
        value: What it sends.
        glyph: An icon before the label.
        kind: ``first`` for what a page is for, ``quiet`` for what is beside the point, ``danger`` for what ends things.
        ask: What to ask before it is sent, for what cannot be undone; the second press on the same place sends.
    """
    shown = tag("span", label, data_label=True)
    before = icon(glyph) if glyph else Markup("")
    return tag(
        "button", before, shown, type="button", class_=kind or None, value=value, data_send=name, data_ask=ask or None
    )


def _segment(name: str, option: Option, chosen: bool) -> Markup:
    radio = tag("input", type="radio", name=name, value=option.value, checked=chosen, data_send=name)
    glyph = icon(option.icon) if option.icon else Markup("")
    return tag("label", radio, tag("span", glyph, option.label, class_="segment"), class_=option.colour or None)


def _step(minutes: int, label: str, shown: str) -> Markup:
    return tag("button", shown, type="button", class_="round", data_step=minutes, aria_label=label)

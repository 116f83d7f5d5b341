"""A day of one asset as a line of time: what it will do, and a departure that can be moved."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
from markupsafe import Markup

from commonwatt.apps.web.icons import icon
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.parts.behind import with_table
from commonwatt.apps.web.words import Words
from commonwatt.model import InvalidValue

SLOT_S = 900
_HOUR_S = 3_600
_HOURS_BETWEEN_MARKS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Some slots in which an asset does one thing.

    Args:
        start_s: From when, seconds since 1970.
        end_s: Until when.
        colour: What it means: solar, battery, grid, neighbours, car, rest.
        label: What it does.
        note: How much, or why.
    """

    start_s: int
    end_s: int
    colour: str
    label: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """A time that may be moved: name under which it sends seconds since 1970, what it is, and where it stands."""

    name: str
    label: str
    at_s: int
    icon: str = "car"


def diary(
    words: Words,
    title: str,
    blocks: Sequence[Block],
    *,
    start_s: int,
    end_s: int,
    now_s: int,
    departure: Departure | None = None,
) -> Markup:
    """Return the line of time, with the same as a table behind it.

    Args:
        words: Whose language and clocks.
        title: Of which asset.
        blocks: In order; what lies outside start and end is cut.
        start_s: Where the line begins, seconds since 1970.
        end_s: Where it ends.
        now_s: The community's clock.
        departure: What can be moved by pointer and by arrow keys, a slot a step.

    Raises:
        InvalidValue: The line ends before it begins.
    """
    if end_s <= start_s:
        raise InvalidValue(f"a line of time ends after it begins, was {start_s} to {end_s}")
    seen = [block for block in blocks if block.start_s < end_s and block.end_s > start_s]
    line = tag(
        "div",
        join(*(_block(block, start_s, end_s) for block in seen)),
        join(*_hours(words, start_s, end_s)),
        _at("now", now_s, start_s, end_s) if start_s <= now_s <= end_s else Markup(""),
        class_="timeline",
    )
    rows = [(words.between(block.start_s, block.end_s), block.label, block.note) for block in seen]
    head = (words.say("When"), words.say("What"), words.say("How much"))
    shown = with_table(words, line, title=title, as_of_s=now_s, head=head, rows=rows)
    below = Markup("") if departure is None else mover(words, departure, start_s, end_s)
    return tag("div", shown, below, class_="diary card")


def mover(words: Words, departure: Departure, start_s: int, end_s: int) -> Markup:
    """Return what can be moved by pointer and by arrow keys, a slot a step; for where it stands by itself.

    Args:
        words: Whose language and clocks.
        departure: What is moved.
        start_s: The first slot's start to which it can be moved, seconds since 1970.
        end_s: The last one's.
    """
    # The browser shows times that were written here, so that nothing is reckoned twice across a change of clocks.
    labels = [words.instant(at_s) for at_s in range(start_s, end_s + 1, SLOT_S)]
    place = min(max((departure.at_s - start_s) // SLOT_S, 0), len(labels) - 1)
    slider = tag(
        "input",
        type="range",
        id=f"move-{departure.name}",
        min=0,
        max=len(labels) - 1,
        step=1,
        value=place,
        aria_valuetext=labels[place],
        data_labels=msgspec.json.encode(labels).decode(),
        data_send=departure.name,
        data_scale=SLOT_S,
        data_from=start_s,
    )
    shown = tag("output", labels[place], for_=f"move-{departure.name}", class_="amount")
    label = tag("label", icon(departure.icon), tag("span", departure.label), for_=f"move-{departure.name}")
    return tag("div", label, shown, slider, class_="departure")


def slot_start_of(value: object, *, start_s: int, end_s: int) -> int:
    """Return a departure that a browser sent as the start of a slot on the line.

    Raises:
        InvalidValue: It is no such instant.
    """
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise InvalidValue(f"a departure is a whole number of seconds, was {text[:20]!r}")
    at_s = int(text)
    if not start_s <= at_s <= end_s or (at_s - start_s) % SLOT_S:
        raise InvalidValue(f"a departure is at the start of a slot from {start_s} to {end_s}, was {at_s}")
    return at_s


def _block(block: Block, start_s: int, end_s: int) -> Markup:
    left = _share(max(block.start_s, start_s), start_s, end_s)
    width = _share(min(block.end_s, end_s), start_s, end_s) - left
    return tag(
        "span", tag("span", block.label), class_=f"block {block.colour}", style=f"left:{left}%;width:{width:.2f}%"
    )


def _hours(words: Words, start_s: int, end_s: int) -> Iterator[Markup]:
    first_s = -(-start_s // _HOUR_S) * _HOUR_S
    for at_s in range(first_s, end_s + 1, _HOUR_S):
        if words.local(at_s).hour % _HOURS_BETWEEN_MARKS == 0:
            left = _share(at_s, start_s, end_s)
            yield tag("span", words.clock(at_s), class_="hour", style=f"left:{left}%")


def _at(what: str, at_s: int, start_s: int, end_s: int) -> Markup:
    return tag("span", class_=what, style=f"left:{_share(at_s, start_s, end_s)}%")


def _share(at_s: int, start_s: int, end_s: int) -> float:
    return round(100 * (at_s - start_s) / (end_s - start_s), 2)

"""Homes by the zone that they are wired to, with a table behind; where they stand, `places` draws."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.parts.behind import with_table
from commonwatt.apps.web.words import Words

_WIDTH = 360
_ACROSS = 8
_STEP = 42
_HEAD = 34
_MOST = 160
"""Homes that are drawn of a zone; the table has as many, and both say how many more there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A home on a map: its name, what it has and when it was heard in words, and whether it was of late."""

    name: str
    has: str
    heard: str
    alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarter:
    """A zone on a map, its load in words, how many homes it has, and those that are drawn."""

    zone: str
    load: str
    homes: int
    spots: Sequence[Spot]


def homes_map(words: Words, quarters: Sequence[Quarter], *, as_of_s: int) -> Markup:
    """Return zones as boxes with their homes as dots: filled where they are heard, hollow where they are silent."""
    pieces, y = list[Markup](), 0
    for one in quarters:
        drawn = one.spots[:_MOST]
        tall = _HEAD + _STEP * max(1, -(-len(drawn) // _ACROSS)) + 6
        pieces.append(_quarter(words, one, drawn, y, tall))
        y += tall + 8
    svg = tag("svg", *pieces, viewBox=f"0 0 {_WIDTH} {max(y, 40)}")
    head = (words.say("Zone"), words.say("Household"), words.say("What it has"), words.say("Last heard"))
    rows = [(one.zone, spot.name, spot.has, spot.heard) for one in quarters for spot in one.spots[:_MOST]]
    title = words.say("Homes by the zone that they are wired to")
    shown = with_table(words, svg, title=title, as_of_s=as_of_s, head=head, rows=rows)
    return tag("div", shown, class_="card grid-picture")


def _quarter(words: Words, one: Quarter, drawn: Sequence[Spot], y: int, tall: int) -> Markup:
    more = one.homes - len(drawn)
    rest = words.say("and {n} more", n=words.number(more)) if more > 0 else ""
    name = f"{one.zone}, {words.say_many('{n} home', '{n} homes', one.homes)}"
    inside = [
        tag("rect", x=2, y=y + 2, width=_WIDTH - 4, height=tall - 4, rx=10, class_="quarter"),
        tag("text", name, x=14, y=y + 24, class_="value", text_anchor="start"),
        tag("text", one.load or rest, x=_WIDTH - 14, y=y + 24, class_="name", text_anchor="end"),
    ]
    for place, spot in enumerate(drawn):
        x = 24 + place % _ACROSS * _STEP + 8
        at = y + _HEAD + place // _ACROSS * _STEP + 14
        inside.append(tag("circle", cx=x, cy=at, r=9, class_="home" if spot.alive else "home silent"))
        inside.append(tag("text", spot.name[-3:].lstrip("-"), x=x, y=at + 22, class_="name", text_anchor="middle"))
    if one.load and rest and drawn:
        inside.append(tag("text", rest, x=_WIDTH - 14, y=y + tall - 10, class_="name", text_anchor="end"))
    return join(*inside)

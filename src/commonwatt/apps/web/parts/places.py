"""Homes and zones where they stand, drawn without anybody's map tiles: points to scale, north up, a table behind."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi

from markupsafe import Markup

from commonwatt.apps.web.markup import tag
from commonwatt.apps.web.parts.behind import with_table
from commonwatt.apps.web.words import Words
from commonwatt.model import Position

_WIDTH, _HEIGHT, _EDGE = 360, 300, 30
_UDEG_M = 40_007_863 / 360 / 1e6
"""Metres of a millionth of a degree along a meridian."""
_LEAST_M = 400
"""So wide a picture is at least: one home alone is no dot that fills a country."""
_MOST = 400
_LENGTHS_M = [size * 10**power for power in range(1, 7) for size in (1, 2, 5)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A point: its name, what to know of it in words, where it is, whether it is a zone's middle, and heard of late."""

    name: str
    about: str
    where: Position
    zone: bool
    alive: bool
    coarse: bool


def places_map(words: Words, dots: Sequence[Dot], *, as_of_s: int) -> Markup:
    """Return points to scale: homes filled where they are heard, hollow where silent, zones as names in the middle."""
    drawn = list(dots[:_MOST])
    across_m, points = _projected([one.where for one in drawn])
    pieces = [_dot(one, x, y) for one, (x, y) in zip(drawn, points, strict=True)]
    svg = tag("svg", *pieces, _scale(words, across_m), viewBox=f"0 0 {_WIDTH} {_HEIGHT}")
    head = (words.say("What"), words.say("Latitude, longitude"), words.say("About it"))
    near = words.say("within a kilometre")
    rows = [(one.name, f"{one.where}" + (f" ({near})" if one.coarse else ""), one.about) for one in drawn]
    title = words.say("Where homes stand, as their owners say; north is up")
    shown = with_table(words, svg, title=title, as_of_s=as_of_s, head=head, rows=rows)
    return tag("div", shown, class_="card grid-picture")


def _projected(places: Sequence[Position]) -> tuple[float, list[tuple[float, float]]]:
    """Return how many metres a picture is wide, and where on it each place is: as a plane, which a few miles are."""
    middle_udeg = sum(one.latitude_udeg for one in places) / len(places)
    squeeze = max(0.01, cos(middle_udeg / 1e6 * pi / 180))
    east_m = [one.longitude_udeg * _UDEG_M * squeeze for one in places]
    south_m = [-one.latitude_udeg * _UDEG_M for one in places]
    wide, tall = _WIDTH - 2 * _EDGE, _HEIGHT - 2 * _EDGE
    scale_m = max(_LEAST_M / wide, (max(east_m) - min(east_m)) / wide, (max(south_m) - min(south_m)) / tall)
    east_mid, south_mid = (max(east_m) + min(east_m)) / 2, (max(south_m) + min(south_m)) / 2
    points = [
        (_WIDTH / 2 + (x - east_mid) / scale_m, _HEIGHT / 2 + (y - south_mid) / scale_m)
        for x, y in zip(east_m, south_m, strict=True)
    ]
    return scale_m * _WIDTH, points


def _dot(one: Dot, x: float, y: float) -> Markup:
    if one.zone:
        return tag("text", one.name, x=round(x, 1), y=round(y, 1), class_="value", text_anchor="middle")
    look = "home" if one.alive else "home silent"
    name = tag("title", one.name)
    return tag("circle", name, cx=round(x, 1), cy=round(y, 1), r=9 if one.coarse else 6, class_=look)


def _scale(words: Words, across_m: float) -> Markup:
    """Return a bar that is some round length, and says which."""
    length_m = max(size for size in _LENGTHS_M if size <= max(_LENGTHS_M[0], across_m / 3))
    x, y, long = 14, _HEIGHT - 12, length_m / across_m * _WIDTH
    said = f"{words.number(length_m)} m" if length_m < 1_000 else f"{words.number(length_m // 1_000)} km"
    bar = tag("line", x1=x, y1=y, x2=round(x + long, 1), y2=y, class_="axis", stroke="currentColor", stroke_width=2)
    return tag("g", bar, tag("text", said, x=x, y=y - 6, class_="name", text_anchor="start"))

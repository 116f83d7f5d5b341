"""A community's wires: as a one-line diagram, and as a map of zones; no tiles from anywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt

from markupsafe import Markup

from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.parts.behind import with_table
from commonwatt.apps.web.words import Words, mark
from commonwatt.model import InvalidValue

_NEAR = 0.85
_WIDTH = 360
_LINE = 44


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneLoad:
    """What flows into a zone, against what its wires allow.

    Args:
        zone: Its name.
        load_w: Positive from grid to homes.
        import_limit_w: The most that may flow in; None where no limit is known.
        export_limit_w: The most that may flow out, zero or more; None where no limit is known.
        homes: How many homes the sum is of.
        outline: Its shape as points in degrees (longitude, latitude); empty where nobody told.
    """

    zone: str
    load_w: int
    import_limit_w: int | None = None
    export_limit_w: int | None = None
    homes: int = 0
    outline: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        limits = (self.import_limit_w or 0, self.export_limit_w or 0)
        if min(limits) < 0 or len(self.outline) in (1, 2):
            raise InvalidValue(f"limits are zero or more and an outline has three points or more, zone {self.zone}")

    @property
    def used(self) -> float | None:
        """Return which part of its limit is used; None where there is no limit; over one where it is broken."""
        limit_w = self.import_limit_w if self.load_w >= 0 else self.export_limit_w
        if limit_w is None:
            return None
        return abs(self.load_w) / limit_w if limit_w else (0.0 if self.load_w == 0 else 2.0)


def one_line(words: Words, zones: Sequence[ZoneLoad], *, total_w: int, as_of_s: int) -> Markup:
    """Return grid, transformer and zones as engineers draw them, each with its load against its limit."""
    bottom = 64 + _LINE * max(len(zones), 1)
    feeder = join(
        tag("circle", cx=28, cy=24, r=11, class_="coil"),
        tag("circle", cx=28, cy=38, r=11, class_="coil"),
        tag("text", words.say("Grid"), x=48, y=22, class_="name", text_anchor="start"),
        tag("text", words.power(total_w), x=48, y=42, class_="value", text_anchor="start"),
        tag("path", d=f"M28 49V{bottom - _LINE}", class_="bus"),
    )
    lines = join(*(_branch(words, zone, 64 + _LINE * place) for place, zone in enumerate(zones)))
    svg = tag("svg", feeder, lines, viewBox=f"0 0 {_WIDTH} {bottom}")
    return _with_loads(words, svg, words.say("One-line diagram"), zones, as_of_s)


def zone_map(words: Words, zones: Sequence[ZoneLoad], *, as_of_s: int) -> Markup:
    """Return zones by their outlines where all have one, else as tiles in the order given."""
    known = bool(zones) and all(zone.outline for zone in zones)
    svg = _outlines(words, zones) if known else _tiles(words, zones)
    title = words.say("Map of zones") if known else words.say("Zones (their shapes are not known)")
    return _with_loads(words, svg, title, zones, as_of_s)


def _with_loads(words: Words, picture: Markup, title: str, zones: Sequence[ZoneLoad], as_of_s: int) -> Markup:
    head = tuple(words.say(name) for name in (mark("Zone"), mark("Homes"), mark("Load"), mark("Limit"), mark("Used")))
    rows = [
        (zone.zone, str(zone.homes), words.power(zone.load_w), _limit(words, zone), _used(words, zone))
        for zone in zones
    ]
    shown = with_table(words, picture, title=title, as_of_s=as_of_s, head=head, rows=rows)
    return tag("div", shown, class_="card grid-picture")


def _limit(words: Words, zone: ZoneLoad) -> str:
    limit_w = zone.import_limit_w if zone.load_w >= 0 else zone.export_limit_w
    return words.say("none known") if limit_w is None else words.power(limit_w)


def _used(words: Words, zone: ZoneLoad) -> str:
    return "\N{EN DASH}" if zone.used is None else words.percent(min(zone.used, 9.99))


def _state(zone: ZoneLoad) -> str:
    used = zone.used
    return "unknown" if used is None else "over" if used > 1 else "near" if used > _NEAR else "fine"


def _branch(words: Words, zone: ZoneLoad, y: int) -> Markup:
    used = min(zone.used or 0.0, 1.0)
    width = 130
    return join(
        tag("path", d=f"M28 {y}H60", class_="bus"),
        tag("circle", cx=28, cy=y, r=3.5, class_="joint"),
        tag("text", zone.zone, x=68, y=y + 5, class_="value", text_anchor="start"),
        tag("rect", x=140, y=y - 6, width=width, height=12, rx=6, class_="gauge"),
        tag("rect", x=140, y=y - 6, width=width * used, height=12, rx=6, class_=f"gauge {_state(zone)}"),
        tag("text", words.power(zone.load_w), x=_WIDTH - 4, y=y + 5, class_="name", text_anchor="end"),
    )


def _tiles(words: Words, zones: Sequence[ZoneLoad]) -> Markup:
    columns = max(ceil(sqrt(len(zones))), 1)
    side = _WIDTH / columns
    tall = min(side, 110.0)
    pieces = []
    for place, zone in enumerate(zones):
        x, y = place % columns * side, place // columns * tall
        shape = tag("rect", x=x + 3, y=y + 3, width=side - 6, height=tall - 6, rx=10, class_=f"zone {_state(zone)}")
        pieces.append(join(shape, *_named(words, zone, x + side / 2, y + tall / 2)))
    return tag("svg", *pieces, viewBox=f"0 0 {_WIDTH} {max(ceil(len(zones) / columns), 1) * tall:.0f}")


def _outlines(words: Words, zones: Sequence[ZoneLoad]) -> Markup:
    points = [point for zone in zones for point in zone.outline]
    west, east = min(x for x, _ in points), max(x for x, _ in points)
    south, north = min(y for _, y in points), max(y for _, y in points)
    # Close enough to true angles for a town: a degree of longitude is about 0.6 of one of latitude at 52 degrees.
    scale = (_WIDTH - 8) / max((east - west) * 0.6, north - south, 1e-9)

    def placed(point: tuple[float, float]) -> tuple[float, float]:
        return round(4 + (point[0] - west) * 0.6 * scale, 1), round(4 + (north - point[1]) * scale, 1)

    pieces = []
    for zone in zones:
        shape = [placed(point) for point in zone.outline]
        middle = sum(x for x, _ in shape) / len(shape), sum(y for _, y in shape) / len(shape)
        path = " ".join(f"{x},{y}" for x, y in shape)
        pieces.append(join(tag("polygon", points=path, class_=f"zone {_state(zone)}"), *_named(words, zone, *middle)))
    height = 8 + (north - south) * scale
    return tag("svg", *pieces, viewBox=f"0 0 {_WIDTH} {max(height, 40):.0f}")


def _named(words: Words, zone: ZoneLoad, x: float, y: float) -> tuple[Markup, Markup]:
    name = tag("text", zone.zone, x=x, y=y - 3, class_="value", text_anchor="middle")
    return name, tag(
        "text", f"{words.power(zone.load_w)} ({_used(words, zone)})", x=x, y=y + 15, class_="name", text_anchor="middle"
    )

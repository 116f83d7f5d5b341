"""Where power flows now: roof, house, battery, car, grid and neighbours, drawn, moving, and as a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from types import MappingProxyType
from typing import Final

import msgspec
from markupsafe import Markup

from commonwatt.apps.web.icons import drawn
from commonwatt.apps.web.live import Value
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.words import Words, mark
from commonwatt.model import InvalidValue

_STILL_W = 10
_FULL_W: Final = 8_000
_CENTRE: Final = (180, 138)
_PLACES: Final = MappingProxyType(
    {"solar": (180, 34), "grid": (42, 138), "neighbours": (318, 138), "battery": (92, 242), "car": (268, 242)}
)
_NAMES: Final = MappingProxyType(
    {
        "solar": mark("Roof"),
        "grid": mark("Grid"),
        "neighbours": mark("Neighbours"),
        "battery": mark("Battery"),
        "car": mark("Car"),
    }
)
_SENTENCES: Final = MappingProxyType(
    {
        ("solar", "in"): mark("The roof gives {power}."),
        ("solar", "still"): mark("The roof gives nothing."),
        ("solar", "out"): mark("The roof's inverter draws {power}."),
        ("battery", "in"): mark("The battery supplies {power}."),
        ("battery", "still"): mark("The battery rests."),
        ("battery", "out"): mark("The battery charges with {power}."),
        ("car", "in"): mark("The car supplies {power}."),
        ("car", "still"): mark("The car does not charge."),
        ("car", "out"): mark("The car charges with {power}."),
        ("grid", "in"): mark("{power} comes from the grid."),
        ("grid", "still"): mark("Nothing comes from the grid."),
        ("grid", "out"): mark("{power} goes to the grid."),
        ("neighbours", "in"): mark("{power} comes from neighbours."),
        ("neighbours", "still"): mark("Nothing is traded with neighbours."),
        ("neighbours", "out"): mark("{power} goes to neighbours."),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What flows in a home at an instant; None where there is no such thing.

    Args:
        at_s: When, seconds since 1970.
        house_w: What the house draws, zero or more.
        solar_w: Positive from grid to asset, so negative while the roof gives.
        battery_w: Positive while it charges.
        car_w: Positive while it charges.
        grid_w: Positive from grid to home.
        neighbours_w: Positive from neighbours to home: what the home's trades of the slot are of that power.
        battery_level: How full the battery is, 0 to 1.

    Raises:
        InvalidValue: The house gives power, or the battery is more than full.
    """

    at_s: int
    house_w: int
    solar_w: int | None = None
    battery_w: int | None = None
    car_w: int | None = None
    grid_w: int | None = None
    neighbours_w: int | None = None
    battery_level: float | None = None

    def __post_init__(self) -> None:
        if self.house_w < 0:
            raise InvalidValue(f"a house draws zero or more, was {self.house_w} W")
        if self.battery_level is not None and not 0 <= self.battery_level <= 1:
            raise InvalidValue(f"a battery's level is 0 to 1, was {self.battery_level}")

    def into_home_w(self, thing: str) -> int | None:
        """Return the power from a thing into the home's wires."""
        power_w: int | None = getattr(self, f"{thing}_w")
        if power_w is None:
            return None
        return power_w if thing in ("grid", "neighbours") else -power_w


def flow_picture(words: Words, flow: Flow, key: str = "flow") -> Markup:
    """Return the picture; it follows the feed's value under a key, made by `flow_values`."""
    values = flow_values(words, flow)
    spokes, level = _spokes(words, flow), str(values["level"] or "")
    svg = tag(
        "svg",
        join(*(_spoke(thing, spoke) for thing, spoke in spokes.items())),
        join(*(_node(words, thing, spoke["text"], *_PLACES[thing], level) for thing, spoke in spokes.items())),
        _node(words, "house", str(values["house"]), *_CENTRE),
        viewBox="0 0 360 296",
        role="img",
        aria_labelledby=f"{key}-said",
    )
    sentence = tag("figcaption", str(values["sentence"]), id=f"{key}-said", class_="small", data_part="sentence")
    initial = _json(values)
    return tag("cw-flow", tag("figure", svg, sentence), data_live=key, data_value=initial, class_="flow card")


def flow_values(words: Words, flow: Flow) -> dict[str, Value]:
    """Return what moves in the picture, as the browser takes it."""
    spokes = _spokes(words, flow)
    sentences = [
        f"{words.seconds(flow.at_s)}.",
        words.say("The house uses {power}.", power=words.kilowatts(flow.house_w)),
    ]
    level = None if flow.battery_level is None else words.percent(flow.battery_level)
    for thing, spoke in spokes.items():
        sentences.append(words.say(_SENTENCES[thing, spoke["way"]], power=spoke["text"]))
        if thing == "battery" and level is not None:
            sentences.append(words.say("It is {level} full.", level=level))
    return {
        "house": words.kilowatts(flow.house_w),
        "spokes": {thing: dict(spoke) for thing, spoke in spokes.items()},
        "level": level,
        "sentence": " ".join(sentences),
    }


def _spokes(words: Words, flow: Flow) -> dict[str, dict[str, str]]:
    """Return which way power flows along each spoke, how long a dash takes along it, and how much it is."""
    spokes = {}
    for thing in _PLACES:
        into_w = flow.into_home_w(thing)
        if into_w is not None:
            way = "still" if abs(into_w) < _STILL_W else "in" if into_w > 0 else "out"
            spokes[thing] = {"way": way, "pace": f"{_pace(into_w)}s", "text": words.kilowatts(abs(into_w))}
    return spokes


def _pace(power_w: int) -> float:
    """Return how long a dash takes along a spoke, in seconds: from 3 at nothing to 0.6 at what a home can draw."""
    share = min(abs(power_w), _FULL_W) / _FULL_W
    return round(3 - 2.4 * sqrt(share), 2)


def _spoke(thing: str, spoke: Mapping[str, str]) -> Markup:
    (x, y), (to_x, to_y) = _PLACES[thing], _CENTRE
    way = f"M{x} {y}L{to_x} {to_y}"
    moving = tag(
        "path",
        d=way,
        class_=f"stream {thing}",
        data_spoke=thing,
        data_way=spoke["way"],
        style=f"--pace:{spoke['pace']}",
    )
    return tag("path", d=way, class_="wire") + moving


def _node(words: Words, thing: str, power: str, x: int, y: int, level: str = "") -> Markup:
    name = words.say("House") if thing == "house" else words.say(_NAMES[thing])
    place = f"translate({x - 12} {y - 19})"
    shape = tag("g", tag("path", d=drawn("home" if thing == "house" else thing)), transform=place, class_="glyph")
    value = tag("text", power, x=x, y=y + 19, class_="value", text_anchor="middle", data_text=thing)
    # The roof's wire runs down from it, so its name stands beside it.
    at, anchor = ((x + 41, y + 4), "start") if thing == "solar" else ((x, y + 47), "middle")
    full = tag("tspan", level, data_text="level") if thing == "battery" else Markup("")
    under = tag("text", name, " ", full, x=at[0], y=at[1], class_="name", text_anchor=anchor)
    return tag("g", tag("circle", cx=x, cy=y, r=33), shape, value, under, class_=f"node {thing}")


def _json(values: dict[str, Value]) -> str:
    return msgspec.json.encode(values).decode()

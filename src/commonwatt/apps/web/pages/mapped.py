"""The homes of a community by zone, drawn for who may see them: who runs it, or whom owners let look."""

from collections.abc import Sequence

from markupsafe import Markup

from commonwatt.apps.views import mapping
from commonwatt.apps.web.context import Context
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.parts.homes import Quarter, Spot, homes_map
from commonwatt.apps.web.parts.places import Dot, places_map
from commonwatt.apps.web.parts.states import empty_state
from commonwatt.apps.web.words import Words, mark
from commonwatt.model import SLOT_SECONDS

KINDS = {
    "connection": mark("meter"),
    "solar": mark("roof"),
    "battery": mark("battery"),
    "vehicle": mark("car"),
    "station": mark("station"),
    "heat pump": mark("heat pump"),
}
_TOPICS = ("reading_batch", "register", "delegate")


def put(context: Context) -> None:
    """Put the map on the page, where there is a home on it that this seat may see, or a zone that has a middle."""
    found = mapping.community_map(context.community, context.seat)
    if any(one.shown or one.position for one in found):
        piece = context.put(_drawn(context, found))
        context.redraw(piece, lambda: _drawn(context, mapping.community_map(context.community, context.seat)), _TOPICS)


def _drawn(context: Context, found: Sequence[mapping.MapZone]) -> Markup:
    by_zone = _by_zone(context, found) if any(one.shown for one in found) else Markup("")
    return tag("div", _placed(context, found), by_zone, class_="pile")


def has(words: Words, kinds: dict[str, int]) -> str:
    """Say what a home has, by kind."""
    return ", ".join(f"{words.number(n)} {words.say(KINDS.get(kind, kind))}" for kind, n in kinds.items())


def heard(words: Words, last_slot_s: int | None) -> str:
    """Say when a home was heard last."""
    return words.say("never heard") if last_slot_s is None else words.instant(last_slot_s + SLOT_SECONDS)


def _placed(context: Context, found: Sequence[mapping.MapZone]) -> Markup:
    """Return homes and zones where they stand; who did not say is in no place, and it says how many those are."""
    words, dots, homes, silent = context.words, list[Dot](), 0, 0
    for one in found:
        if one.position is not None:
            load = "" if one.load_w is None else words.power(one.load_w)
            dots.append(Dot(name=one.zone, about=load, where=one.position, zone=True, alive=True, coarse=True))
        for home in one.shown:
            homes += 1
            if home.position is None:
                silent += 1
                continue
            about = f"{has(words, home.kinds)} · {heard(words, home.last_slot_s)}"
            dots.append(
                Dot(
                    name=home.account,
                    about=about,
                    where=home.position,
                    zone=False,
                    alive=home.heard,
                    coarse=home.coarse,
                )
            )
    if not dots:
        why = words.say("No owner said yet where their home stands. Members may do so under Devices; nobody has to.")
        return empty_state(words, words.say("No places on the map"), why)
    rest = words.say("{n} of {homes} homes are in no place: their owners did not say.", n=silent, homes=homes)
    missing = tag("p", rest, class_="small") if silent else Markup("")
    return join(places_map(words, dots, as_of_s=context.community.told_s), missing)


def _by_zone(context: Context, found: Sequence[mapping.MapZone]) -> Markup:
    words = context.words
    quarters = [
        Quarter(
            zone=one.zone,
            load="" if one.load_w is None else words.power(one.load_w),
            homes=one.homes,
            spots=[
                Spot(
                    name=home.account,
                    has=has(words, home.kinds),
                    heard=heard(words, home.last_slot_s),
                    alive=home.heard,
                )
                for home in one.shown
            ],
        )
        for one in found
    ]
    return homes_map(words, quarters, as_of_s=context.community.told_s)

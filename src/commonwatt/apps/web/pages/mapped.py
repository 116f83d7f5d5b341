"""The homes of a community by zone, drawn for who may see them: who runs it, or whom owners let look."""

from markupsafe import Markup

from commonwatt.apps.views import mapping
from commonwatt.apps.web.context import Context
from commonwatt.apps.web.parts.homes import Quarter, Spot, homes_map
from commonwatt.apps.web.words import Words, mark
from commonwatt.model import SLOT_SECONDS

KINDS = {
    "connection": mark("meter"),
    "solar": mark("roof"),
    "battery": mark("battery"),
    "vehicle": mark("car"),
    "station": mark("station"),
}
_TOPICS = ("reading_batch", "register", "delegate")


def put(context: Context) -> None:
    """Put the map on the page, where there is a home on it that this seat may see; zones by themselves are drawn."""
    if not any(one.shown for one in mapping.community_map(context.community, context.seat)):
        return
    piece = context.put(_drawn(context))
    context.redraw(piece, lambda: _drawn(context), _TOPICS)


def has(words: Words, kinds: dict[str, int]) -> str:
    """Say what a home has, by kind."""
    return ", ".join(f"{words.number(n)} {words.say(KINDS.get(kind, kind))}" for kind, n in kinds.items())


def heard(words: Words, last_slot_s: int | None) -> str:
    """Say when a home was heard last."""
    return words.say("never heard") if last_slot_s is None else words.instant(last_slot_s + SLOT_SECONDS)


def _drawn(context: Context) -> Markup:
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
        for one in mapping.community_map(context.community, context.seat)
    ]
    return homes_map(words, quarters, as_of_s=context.community.told_s)

"""Grid: what flows into zones against what they bear, limits to state, and what was delivered under contract."""

from collections.abc import Sequence

from markupsafe import Markup

from commonwatt.apps.views import zones
from commonwatt.apps.views.diary import Lent, lent
from commonwatt.apps.views.seeing import assets_of
from commonwatt.apps.web.context import Context, Page
from commonwatt.apps.web.live import Value
from commonwatt.apps.web.markup import tag
from commonwatt.apps.web.pages import delivered, events, mapped, offering, stating
from commonwatt.apps.web.parts.chart import Drawn, Line, moving_chart
from commonwatt.apps.web.parts.figures import Figure, figures
from commonwatt.apps.web.parts.grid import ZoneLoad, zone_map
from commonwatt.apps.web.parts.listing import row
from commonwatt.apps.web.parts.states import empty_state
from commonwatt.apps.web.words import Words, mark
from commonwatt.identity.access import Action, Relation, lets
from commonwatt.identity.seat import Role
from commonwatt.model import SLOT_SECONDS

_DAY_S = 86_400
_TOPICS = ("reading_batch", "constraint", "fact")
_MOST_CHARTS = 4
_AS = {Role.DSO: "dso", Role.TSO: "grid"}
"""How important a limit is that a role states; of all others it is a contract's."""


def build(context: Context) -> None:
    """Put zones, limits and delivered flexibility on the page."""
    words = context.words
    told = _zones(context)
    if not told:
        why = words.say("No home is registered in a zone that your seat is about.")
        context.put(empty_state(words, words.say("No zones"), why))
    else:
        context.put(figures(_figures(context)))
        picture = context.put(_map(context))
        context.redraw(picture, lambda: _map(context), _TOPICS)
        mapped.put(context)
        for one in told[:_MOST_CHARTS]:
            _load(context, one.zone)
    account = context.seat.account
    if account is not None and lets(context.seat, Action.STATE_CONSTRAINT, Relation.OWN):
        stating.put(context, account, stating.LIMITS, _examples(context, told))
    events.put(context)
    _homes(context)
    delivered.put(context)
    offering.put(context)


def loads(told: Sequence[zones.ZoneView]) -> list[ZoneLoad]:
    """Return zones as their last slot was, for pictures; those of which no sum is shown are left out."""
    found = []
    for one in told:
        last = next((slot for slot in reversed(one.slots) if slot.power_w is not None), None)
        if last is None or last.power_w is None:
            continue
        found.append(
            ZoneLoad(
                zone=one.zone,
                load_w=last.power_w,
                import_limit_w=one.fuses_w if last.most_w is None else max(0, last.most_w),
                export_limit_w=None if last.least_w is None else max(0, -last.least_w),
                homes=one.homes,
            )
        )
    return found


def _zones(context: Context) -> list[zones.ZoneView]:
    now_s = context.now_s() // SLOT_SECONDS * SLOT_SECONDS
    return zones.zones(context.community, context.seat, now_s - _DAY_S, now_s + SLOT_SECONDS)


def _figures(context: Context) -> list[Figure]:
    words = context.words

    def view() -> dict[str, Value]:
        told = _zones(context)
        shown = [slot for one in told for slot in one.slots if slot.power_w is not None]
        last_s = max((slot.slot_s for slot in shown), default=None)
        now = [slot.power_w for slot in shown if slot.slot_s == last_s and slot.power_w is not None]
        most = max(
            (slot for slot in shown if slot.power_w is not None), key=lambda slot: slot.power_w or 0, default=None
        )
        none = "\N{EN DASH}"
        return {
            "load": words.power(sum(now)) if now else none,
            "load_note": "" if last_s is None else words.between(last_s, last_s + SLOT_SECONDS),
            "peak": none if most is None or most.power_w is None else words.power(most.power_w),
            "peak_note": "" if most is None else words.between(most.slot_s, most.slot_s + SLOT_SECONDS),
            "over": words.number(sum(one.over for one in told)),
            "over_note": words.say("quarter-hours of the last day"),
        }

    shown = context.follow("zones", view, topics=_TOPICS)
    labels = (
        ("load", words.say("Load of all zones")),
        ("peak", words.say("Highest of the last day")),
        ("over", words.say("Beyond what was stated")),
    )
    return [
        Figure(label=label, value=str(shown[key]), note=str(shown[f"{key}_note"]), key=key, colour="")
        for key, label in labels
    ]


def _map(context: Context) -> Markup:
    found, words = loads(_zones(context)), context.words
    if not found:
        why = words.say("Sums are shown from three homes on, once their meters told of the same quarter-hour.")
        return empty_state(words, words.say("Nothing to show yet"), why)
    return zone_map(words, found, as_of_s=context.community.told_s)


def _load(context: Context, name: str) -> None:
    """Put a zone's day on the page as it moves: load, and what was stated as its most and least."""
    words = context.words

    def told() -> zones.ZoneView:
        now_s = context.now_s() // SLOT_SECONDS * SLOT_SECONDS
        return zones.zone(context.community, context.seat, name, now_s - _DAY_S, now_s + SLOT_SECONDS)

    def draw() -> Drawn:
        shown = [slot for slot in told().slots if slot.power_w is not None]
        curves = (
            (words.say("Load"), "grid", [slot.power_w for slot in shown]),
            (words.say("At most"), "bad", [slot.most_w for slot in shown]),
            (words.say("At least"), "battery", [slot.least_w for slot in shown]),
        )
        lines = [
            Line(
                name=line,
                colour=colour,
                values=[None if watts is None else watts / 1000 for watts in values],
                steps=True,
                dashed=colour != "grid",
            )
            for line, colour, values in curves
            if colour == "grid" or any(watts is not None for watts in values)
        ]
        return Drawn(times_s=[slot.slot_s for slot in shown], lines=lines, as_of_s=context.community.told_s)

    now = told()
    if now.homes >= zones.LEAST_HOMES or any(slot.power_w is not None for slot in now.slots):
        title = words.say("Zone {zone}, {homes} homes", zone=name, homes=words.number(now.homes))
        moving_chart(context, title, draw, _TOPICS, unit="kW", key=f"zone-{name}")


def _homes(context: Context) -> None:
    """Put the meters on the page that owners let this seat look at, where there are any."""
    words = context.words

    def card() -> Markup:
        now_s = context.now_s()
        found = lent(context.community, context.seat, now_s - _DAY_S, now_s)
        head = tag("h2", words.say("Homes that let you look"))
        if not found:
            return tag(
                "div", head, tag("p", words.say("No owner lets you look at a home."), class_="small"), class_="card"
            )
        rows = [tag("li", _meter(words, one)) for one in found]
        return tag("div", head, tag("ul", *rows, class_="listing"), class_="card pile")

    piece = context.put(card())
    context.redraw(piece, card, ("reading_batch", "delegate"))


def _meter(words: Words, one: Lent) -> Markup:
    """Return what flowed at a meter in its last slot, and when that was."""
    title = f"{one.owner}: {one.asset}"
    if one.last is None:
        return row(title, "\N{EN DASH}", note=words.say("nothing heard within a day"))
    power_w = (one.last.import_wh - one.last.export_wh) * 3600 // SLOT_SECONDS
    return row(title, words.power(power_w), note=words.between(one.last.slot_s, one.last.slot_s + SLOT_SECONDS))


def _examples(context: Context, told: Sequence[zones.ZoneView]) -> list[str]:
    """Return a line that a seat could state: of a zone, or of a store that its owner lets it look at."""
    if context.seat.role is Role.AGGREGATOR:
        stores = [one.id for one in assets_of(context.community, context.seat) if one.stores]
        return [f"power of {one} <= 1 kW from 17:00 to 19:00 for contract" for one in stores[:1]]
    zone = told[0].zone if told else "north"
    return [f"power of zone {zone} <= 20 kW from 17:00 to 19:00 for {_AS.get(context.seat.role, 'contract')}"]


PAGE = Page(
    path="/grid",
    title=mark("Grid"),
    icon="grid",
    roles=frozenset({Role.DSO, Role.TSO, Role.UTILITY, Role.AGGREGATOR, Role.AUDITOR}),
    build=build,
)

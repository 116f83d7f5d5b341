"""Grid: what flows into zones against what they bear, limits to state, and what was delivered under contract."""

from collections.abc import Sequence

from markupsafe import Markup

from commonwatt.apps.views import flexibility, zones
from commonwatt.apps.web.context import Context, Page
from commonwatt.apps.web.live import Value
from commonwatt.apps.web.markup import tag
from commonwatt.apps.web.pages import stating
from commonwatt.apps.web.parts.chart import Drawn, Line, moving_chart
from commonwatt.apps.web.parts.figures import Figure, figures
from commonwatt.apps.web.parts.grid import ZoneLoad, zone_map
from commonwatt.apps.web.parts.listing import row
from commonwatt.apps.web.parts.states import empty_state
from commonwatt.apps.web.words import Words, mark
from commonwatt.identity.access import Action, Relation, may
from commonwatt.identity.seat import Role
from commonwatt.model import SLOT_SECONDS

_DAY_S = 86_400
_TOPICS = ("reading_batch", "constraint", "fact")
_MOST_CHARTS = 4
_STATUS = {
    "standby": mark("not called"),
    "called": mark("called"),
    "measured": mark("measured"),
    "disputed": mark("disputed"),
    "paid": mark("measured and paid"),
}
_AGAINST = {
    "ten_like_days": mark("against ten days like it"),
    "metered_setpoint": mark("against what was instructed"),
}
_DIRECTION = {"charge": mark("Take up"), "give_back": mark("Give back")}


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
        for one in told[:_MOST_CHARTS]:
            _load(context, one.zone)
    account = context.seat.account
    if account is not None and may(context.seat.role, Action.STATE_CONSTRAINT, Relation.OWN):
        stating.put(context, account, _example(words, told))
    context.put(tag("h2", words.say("Flexibility under contract")))
    delivered = context.put(_delivered(context))
    context.redraw(delivered, lambda: _delivered(context), (*_TOPICS, "contract"))


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
    if any(slot.power_w is not None for slot in now.slots):
        title = words.say("Zone {zone}, {homes} homes", zone=name, homes=words.number(now.homes))
        moving_chart(context, title, draw, _TOPICS, unit="kW", key=f"zone-{name}")


def _example(words: Words, told: Sequence[zones.ZoneView]) -> str:
    zone = told[0].zone if told else "north"
    return f"power of zone {zone} <= 20 kW from 17:00 to 19:00 for dso"


def _delivered(context: Context) -> Markup:
    words = context.words
    told = flexibility.offers(context.community, context.seat)
    if not told:
        why = words.say("No utility has made an offer yet. Whoever has an account as one can.")
        return empty_state(words, words.say("No contracts"), why)
    return tag("div", *(_offer(words, one) for one in told), class_="pile")


def _offer(words: Words, one: flexibility.OfferView) -> Markup:
    title = words.say("Offer {offer} of {utility}", offer=one.offer, utility=one.utility)
    about = words.say(
        "Asks for {power} until {until}; accepted {n} times; as of {at}.",
        power=words.power(one.power_w),
        until=words.instant(one.until_s),
        n=words.number(one.contracts),
        at=words.instant(one.as_of_s),
    )
    rows = [tag("li", _window(words, each)) for each in one.windows]
    none = tag("p", words.say("No window yet."), class_="small")
    windows = tag("ul", *rows, class_="listing", aria_label=title) if rows else none
    return tag("div", tag("h3", title), tag("p", about, class_="small"), windows, class_="card pile")


def _window(words: Words, one: flexibility.WindowSum) -> Markup:
    """Return what became of a window: how much of what was promised the meters show, against what, and what it cost."""
    what = words.say(
        "{what}, {when}", what=words.say(_DIRECTION[one.direction]), when=words.between(one.start_s, one.end_s)
    )
    became = ", ".join(words.say(_STATUS[status]) for status in one.status)
    if one.promised_wh is None or one.delivered_wh is None or one.paid_micro is None:
        return row(what, became, note=words.say("sums are shown from three homes on"))
    how_much = words.say(
        "{delivered} of {promised}", delivered=words.energy(one.delivered_wh), promised=words.energy(one.promised_wh)
    )
    note = words.say(
        "{became}; measured {against}; paid {money}",
        became=became,
        against=words.say(_AGAINST[one.baseline]),
        money=words.money(one.paid_micro),
    )
    return row(what, how_much, note=note)


PAGE = Page(
    path="/grid",
    title=mark("Grid"),
    icon="grid",
    roles=frozenset({Role.DSO, Role.TSO, Role.UTILITY, Role.AUDITOR}),
    build=build,
)

"""Operator: how the community runs: its load and four curves, what needs a look, who is in it, events, and money."""

from collections.abc import Callable, Sequence

from markupsafe import Markup

from commonwatt.apps import calling
from commonwatt.apps.views import audit, curves, operations, tariffs, zones
from commonwatt.apps.web.context import Context, Page
from commonwatt.apps.web.icons import icon
from commonwatt.apps.web.live import Value
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.pages import chain, delivered, following, mapped, offering, stating
from commonwatt.apps.web.pages.grid import loads
from commonwatt.apps.web.parts.chart import Drawn, Line, moving_chart
from commonwatt.apps.web.parts.controls import Option, button, choice, chosen_of
from commonwatt.apps.web.parts.figures import Figure, figures
from commonwatt.apps.web.parts.grid import one_line
from commonwatt.apps.web.parts.listing import row
from commonwatt.apps.web.parts.states import empty_state
from commonwatt.apps.web.words import Words, mark
from commonwatt.identity.seat import Role
from commonwatt.model import SLOT_SECONDS

_DAY_S = 86_400
_TOPICS = ("reading_batch", "fact", "ack", "constraint", "register", "purchase", "payout", "checkpoint")
_MOST_ALARMS = 20
_NONE = "\N{EN DASH}"
_LASTS_S = {"1800": 1_800, "3600": 3_600, "7200": 7_200}
_ALARMS = {
    operations.AlarmKind.SET_ASIDE: mark("A reading of {thing} was set aside"),
    operations.AlarmKind.SILENT: mark("{thing} is silent"),
    operations.AlarmKind.REFUSED: mark("{thing} did not take its command"),
    operations.AlarmKind.SUSPENDED: mark("{thing} failed its inspection: nothing is planned for it"),
    operations.AlarmKind.LOSSES: mark("The feeder and the homes' meters differ"),
    operations.AlarmKind.UNSETTLED: mark("Settlement waits for meters"),
    operations.AlarmKind.UNCHECKED: mark("The last checkpoint is old"),
}
_MEMOS = {
    "purchase": mark("Paid in"),
    "payout": mark("Paid out"),
    "refund": mark("Paid back"),
    "charge back": mark("Taken back by a bank"),
    "payout returned": mark("Came back unpaid"),
}


def build(context: Context) -> None:
    """Put the community before whoever runs it."""
    context.put(figures(_figures(context)))
    _put(context, lambda: _diagram(context))
    mapped.put(context)
    _curves(context)
    context.put(tag("a", context.say("What if"), href="/what-if", class_="button"))
    context.put(tag("h2", context.say("What needs a look")))
    _put(context, lambda: _alarms(context))
    _events(context)
    if context.seat.account is not None:
        example = "energy of community <= 20 kWh from 17:00 to 19:00 for contract"
        stating.put(context, context.seat.account, stating.LIMITS, [example])
    delivered.put(context)
    offering.put(context)
    context.put(tag("h2", context.say("Members")))
    _put(context, lambda: _members(context))
    context.put(tag("h2", context.say("Money in and out")))
    _put(context, lambda: _money(context))
    context.put(tag("h2", context.say("Tariff and fees")))
    _put(context, lambda: _tariff(context))
    context.put(tag("h2", context.say("The record")))
    _put(context, lambda: _record(context))
    chain.put_last(context)


def _put(context: Context, draw: Callable[[], Markup]) -> None:
    piece = context.put(draw())
    context.redraw(piece, draw, _TOPICS)


def _figures(context: Context) -> list[Figure]:
    words = context.words

    def view() -> dict[str, Value]:
        told = operations.operations(context.community, context.seat)
        last = _last(context)
        as_of = words.instant(told.as_of_s)
        return {
            "feeder": _NONE if last is None or last.power_w is None else words.power(last.power_w),
            "feeder_note": "" if last is None else words.between(last.slot_s, last.slot_s + SLOT_SECONDS),
            "alarms": words.number(len(told.alarms)),
            "alarms_note": as_of,
            "members": words.number(len(told.members)),
            "members_note": as_of,
            "taken": _NONE if told.commands.slot_s is None else words.number(told.commands.taken),
            "taken_note": words.say("no gateway answered yet")
            if told.commands.slot_s is None
            else words.say("{n} refused, {at}", n=told.commands.refused, at=words.instant(told.commands.slot_s)),
        }

    shown = context.follow("operator", view, topics=_TOPICS)
    labels = (
        ("feeder", words.say("At the feeder")),
        ("alarms", words.say("Alarms")),
        ("members", words.say("Members")),
        ("taken", words.say("Commands taken")),
    )
    return [
        Figure(label=label, value=str(shown[key]), note=str(shown[f"{key}_note"]), key=key) for key, label in labels
    ]


def _last(context: Context) -> zones.FeederSlot | None:
    told = zones.feeder(context.community, context.seat, context.now_s() - _DAY_S, context.now_s() + SLOT_SECONDS)
    return told[-1] if told else None


def _diagram(context: Context) -> Markup:
    words, now_s = context.words, context.now_s()
    found = loads(zones.zones(context.community, context.seat, now_s - _DAY_S, now_s + SLOT_SECONDS))
    if not found:
        why = words.say("Sums are shown from three homes on, once their meters told of the same quarter-hour.")
        return empty_state(words, words.say("Nothing to show yet"), why)
    last = _last(context)
    total_w = sum(one.load_w for one in found) if last is None or last.power_w is None else last.power_w
    return one_line(words, found, total_w=total_w, as_of_s=context.community.told_s)


def _curves(context: Context) -> None:
    """Put the four curves of the last day on the page, and how they are made (row W2)."""
    words = context.words
    names = (
        (words.say("Demand alone"), "house"),
        (words.say("With unmanaged cars"), "bad"),
        (words.say("Smart charging"), "car"),
        (words.say("With discharging"), "battery"),
    )

    def draw() -> Drawn:
        now_s = context.now_s()
        told = curves.curves(context.community, context.seat, now_s - _DAY_S, now_s + SLOT_SECONDS)
        watts: Sequence[Sequence[int | None]] = (
            [one.demand_w for one in told],
            [one.unmanaged_w for one in told],
            [one.smart_w for one in told],
            [one.discharging_w for one in told],
        )
        lines = [
            Line(name=name, colour=colour, values=[None if w is None else w / 1000 for w in values], steps=True)
            for (name, colour), values in zip(names, watts, strict=True)
        ]
        return Drawn(times_s=[one.slot_s for one in told], lines=lines, as_of_s=context.community.told_s)

    moving_chart(context, words.say("Four ways to live through this day"), draw, _TOPICS, unit="kW", key="curves")
    made = (
        words.say("All of it comes from meters: demand alone is homes and roofs without batteries and cars."),
        words.say("Unmanaged cars charge at full power as they come, what they took in their stay or still lack."),
        words.say("Smart charging is the day as it was, had no car given back; with discharging is the day as it was."),
    )
    context.put(tag("p", " ".join(made), class_="small"))


def _alarms(context: Context) -> Markup:
    words = context.words
    told = operations.operations(context.community, context.seat)
    if not told.alarms:
        why = words.say("All meters are heard, all readings believed, as of {at}.", at=words.instant(told.as_of_s))
        return empty_state(words, words.say("Nothing needs a look"), why)
    rows = [tag("li", _alarm(words, one)) for one in told.alarms[:_MOST_ALARMS]]
    more = len(told.alarms) - len(rows)
    rest = tag("p", words.say("and {n} more", n=words.number(more)), class_="small") if more > 0 else Markup("")
    return tag("div", tag("ul", *rows, class_="listing", aria_label=words.say("Alarms")), rest, class_="card")


def _alarm(words: Words, one: operations.Alarm) -> Markup:
    title = join(icon("warning"), tag("span", words.say(_ALARMS[one.kind], thing=one.thing)))
    amount = "" if one.energy_wh is None else words.energy(one.energy_wh)
    since = words.say("never heard") if one.since_s is None else words.instant(one.since_s)
    when = "" if one.kind is operations.AlarmKind.SUSPENDED else since
    where = "" if one.position is None else words.say("request {n} of the record", n=words.number(one.position))
    return row(title, amount, note=" · ".join(part for part in (when, one.why, where) if part))


def _events(context: Context) -> None:
    """Put DEMAND on the page, to be called and taken back (row H6), and say what is called elsewhere."""
    words, lasting = context.words, ["3600"]
    options = [Option(value=key, label=words.lasting(seconds)) for key, seconds in _LASTS_S.items()]

    def card() -> Markup:
        told = calling.standing(context.community, context.seat)
        rows = []
        for one in told:
            when = words.between(one.start_s, one.end_s)
            back = button("retract", words.say("Take back"), value=one.id, kind="quiet")
            own = calling.may_retract(context.community, context.seat, one.id)
            rows.append(tag("li", row(words.say("DEMAND {id}", id=one.id), "", note=when), back if own else ""))
        none = tag("p", words.say("Nothing is called now."), class_="small")
        why = words.say("Gateways whose line is open hear it at once; each follows its owner's own rules for it.")
        return tag(
            "div",
            choice("lasts", words.say("For how long"), options, lasting[0]),
            button("call", words.say("Call DEMAND now"), kind="first", ask=words.say("Press again to call it")),
            tag("p", why, class_="small"),
            tag("ul", *rows, class_="listing", aria_label=words.say("Called now")) if rows else none,
            class_="card pile",
        )

    def lasts(value: object) -> None:
        lasting[0] = chosen_of(options, value)

    def call(_: object) -> None:
        calling.call(context.community, context.seat, _LASTS_S[lasting[0]])
        piece.set_content(card())
        context.announce(words.say("DEMAND is called."))

    def retract(value: object) -> None:
        calling.retract(context.community, context.seat, str(value)[:64])
        piece.set_content(card())
        context.announce(words.say("It is taken back."))

    context.put(tag("h2", words.say("Events")))
    piece = context.put(card(), on={"lasts": lasts, "call": call, "retract": retract})
    missing = words.say(
        "Events and frequency under contract are called by signed facts of their oracles; this page writes none."
    )
    context.put(tag("p", missing, class_="small"))
    following.put(context)


def _members(context: Context) -> Markup:
    words = context.words
    told = operations.operations(context.community, context.seat)
    rows = []
    for one in told.members:
        note = f"{mapped.has(words, one.kinds)} · {mapped.heard(words, one.last_slot_s)}"
        rows.append(tag("li", row(one.account, "", note=note)))
    if not rows:
        return empty_state(words, words.say("No members yet"), words.say("Nobody has joined this community yet."))
    return tag("div", tag("ul", *rows, class_="listing", aria_label=words.say("Members")), class_="card")


def _money(context: Context) -> Markup:
    words = context.words
    told = operations.operations(context.community, context.seat)
    rows = [
        tag(
            "li", row(words.say(_MEMOS.get(one.memo, one.memo)), words.money(one.in_micro - one.out_micro, signed=True))
        )
        for one in told.money
    ]
    as_of = words.say("as of {when}", when=words.instant(told.as_of_s))
    rows.append(tag("li", row(words.say("Held for members and books"), words.money(told.held_micro), note=as_of)))
    return tag("div", tag("ul", *rows, class_="listing", aria_label=words.say("Money in and out")), class_="card")


def _tariff(context: Context) -> Markup:
    words, told = context.words, tariffs.tariff(context.community, context.seat)
    none = words.say("none")
    month = told.licence_micro_per_month
    lines = [
        (words.say("Operator, a kilowatt-hour charged"), words.price(told.charged_micro_per_kwh)),
        (words.say("Operator, a kilowatt-hour discharged"), words.price(told.discharged_micro_per_kwh)),
        (words.say("Licence in place of these, a month"), none if month is None else words.money(month)),
        (words.say("Storage commission, a kilowatt-hour"), words.tokens(told.commission_micro_per_kwh, "TSL", 6)),
    ]
    rows = [tag("li", row(name, value)) for name, value in lines]
    why = words.say("Set when the community was founded; they stand in the first request of its record.")
    shown = tag("ul", *rows, class_="listing", aria_label=words.say("Tariff and fees"))
    return tag("div", shown, tag("p", why, class_="small"), class_="card")


def _record(context: Context) -> Markup:
    words, told = context.words, audit.standing(context.community, context.seat)
    checked = words.say("none yet") if told.checkpoint_s is None else words.instant(told.checkpoint_s)
    as_of = words.instant(told.as_of_s)
    lines = [
        (words.say("Last checkpoint, of the quarter-hour from"), checked, ""),
        (words.say("Witnesses named"), words.number(told.witnesses), ""),
        (words.say("Requests in the log"), words.number(told.size), as_of),
        (words.say("Settled until"), words.instant(told.settled_to_s), as_of),
        (words.say("Root of the record"), tag("code", told.log_root[:16]), as_of),
    ]
    rows = [tag("li", row(name, value, note=note)) for name, value, note in lines]
    return tag("div", tag("ul", *rows, class_="listing", aria_label=words.say("The record")), class_="card")


PAGE = Page(path="/operator", title=mark("Operator"), icon="operator", roles=frozenset({Role.OPERATOR}), build=build)

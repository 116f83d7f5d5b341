"""What if: more batteries, cars or roofs, a limit, a tariff, a DEMAND, tried on the next day or a past one."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time

from markupsafe import Markup
from nicegui import background_tasks, ui

from commonwatt.apps.api.problems import problem_of
from commonwatt.apps.views import what_if as views
from commonwatt.apps.web.context import Context, Handler, Page
from commonwatt.apps.web.markup import tag
from commonwatt.apps.web.parts.chart import Line, chart
from commonwatt.apps.web.parts.controls import Option, button, chosen_of, minutes_of, pick
from commonwatt.apps.web.parts.fields import amount_of, text_field
from commonwatt.apps.web.parts.listing import row
from commonwatt.apps.web.parts.states import error_state
from commonwatt.apps.web.words import Words, mark
from commonwatt.flows.what_if import Change
from commonwatt.identity.seat import Role
from commonwatt.model import SLOT_SECONDS, CommonwattError, InvalidValue
from commonwatt.model.wall_clock import moment

_PLANS = 4
_LONG = 16
_NONE = "\N{EN DASH}"


@dataclass(slots=True)
class _Draft:
    """A change in the making, as it was typed."""

    batteries: str = ""
    cars: str = ""
    roofs: str = ""
    limit: str = ""
    import_percent: str = ""
    export_percent: str = ""
    demand_from: str = ""
    demand_to: str = ""
    demand: str = ""
    day: str = ""


class _Running:
    """The trial that a page runs just now, if it does."""

    task: "asyncio.Task[None] | None" = None

    def end(self) -> None:
        """End it, and its process with it."""
        if self.task is not None:
            self.task.cancel()


def build(context: Context) -> None:
    """Put the form on the page; an address that tells a change is tried at once."""
    words, running = context.words, _Running()
    zone, draft, days = views.zone_here(context.community), _Draft(), _days(context)
    asked: Change | None = None
    told: Markup = _hint(words)
    try:
        change = views.read_query(context.within)
        asked, draft = (None if change == Change() else change), _draft_of(words, change)
    except CommonwattError as error:
        told = error_state(words, problem_of(error))

    def typer(name: str) -> Handler:
        def typed(value: object) -> None:
            setattr(draft, name, str(value).strip()[:_LONG])

        return typed

    def begin(change: Change) -> None:
        running.end()
        running.task = background_tasks.create(_try(context, change, said, place), name="a trial")

    def attempt(_: object) -> None:
        try:
            change = change_of(draft, zone)
        except CommonwattError as error:
            said.set_content(error_state(words, problem_of(error)))
            raise
        begin(change)

    def cancel(_: object) -> None:
        running.end()

    fields: dict[str, Handler] = {name: typer(name) for name in _Draft.__dataclass_fields__}
    fields["day"] = lambda value: setattr(draft, "day", chosen_of(days, value))
    context.put(_box(words, draft, zone, days), on=fields | {"try": attempt})
    said = context.put(told, on={"cancel": cancel})
    said.props("role=status")
    place = ui.element("div").classes("pile")
    context.client.on_delete(running.end)
    if asked is not None:
        begin(asked)


async def _try(context: Context, change: Change, said: ui.html, place: ui.element) -> None:
    """Have a change tried, say how far that is, and put what comes of it in its place."""
    words = context.words

    def on_step(made: int) -> None:
        if not context.client.is_deleted:
            said.set_content(_going_on(words, made))

    try:
        said.set_content(_going_on(words, 0))
        found = await views.what_if(context.community, context.seat, change, on_step)
    except asyncio.CancelledError:
        if not context.client.is_deleted:
            said.set_content(tag("p", words.say("Cancelled."), class_="card"))
        raise
    except Exception as error:
        said.set_content(error_state(words, problem_of(error)))
        return
    if context.client.is_deleted:
        return
    link = tag("a", words.say("Link to this trial"), href=f"/what-if?{views.query(change)}")
    if found.was is None:
        rests = words.say(
            "Planned for {homes} homes, from what their meters told of {hours} hours and the cars that are there now.",
            homes=words.number(found.homes),
            hours=words.number(found.known_slots / 4, 1),
        )
    else:
        rests = words.say(
            "Planned for {homes} homes, knowing all that came that day. What cars took and gave stays as it was, and "
            "batteries hold in the end what they held then; what was stated that day is not looked at.",
            homes=words.number(found.homes),
        )
    said.set_content(tag("div", tag("p", rests), tag("p", link), class_="card"))
    place.clear()
    with place:
        _results(context, found)


def _results(context: Context, found: views.WhatIf) -> None:
    words = context.words
    context.put(_figures(words, found), early=False)
    times = [found.start_s + slot * SLOT_SECONDS for slot in range(len(found.changed.discharging_w))]
    curves: tuple[tuple[str, str, Sequence[int], bool], ...] = (
        (words.say("Demand alone"), "house", found.changed.demand_w, False),
        (words.say("With unmanaged cars"), "bad", found.changed.unmanaged_w, False),
        (words.say("Smart charging"), "car", found.changed.smart_w, False),
        (words.say("With discharging"), "battery", found.changed.discharging_w, False),
        (words.say("As it is"), "grid", found.as_is.discharging_w, True),
    )
    if found.was is not None:
        curves = (*curves, (words.say("As metered"), "neighbours", found.was.exchange_w, True))
    lines = [
        Line(name=name, colour=colour, values=[watts / 1000 for watts in values], steps=True, dashed=dashed)
        for name, colour, values, dashed in curves
    ]
    title = words.say("The next day, changed") if found.was is None else _changed(words, found)
    chart(context, title, times, lines, unit="kW", as_of_s=context.community.told_s)


def _figures(words: Words, found: views.WhatIf) -> Markup:
    """Return the changed day in figures, each with what it is without the change."""

    def kept(one: views.Figures) -> str:
        return _NONE if one.kept_permille is None else words.percent(one.kept_permille / 1000)

    was, would = found.as_is, found.changed
    told = (
        (words.say("Highest load"), words.power(would.peak_w), words.power(was.peak_w)),
        (words.say("Paid to the grid"), words.money(would.cost_micro), words.money(was.cost_micro)),
        (words.say("Of its sun used here"), kept(would), kept(was)),
        (words.say("In batteries and cars at the end"), words.energy(would.left_wh), words.energy(was.left_wh)),
        (words.say("Limits missed"), words.number(len(would.missed)), words.number(len(was.missed))),
        (
            words.say("Owners' wishes missed"),
            words.number(would.missed_of_owners),
            words.number(was.missed_of_owners),
        ),
    )
    rows = [tag("li", row(name, now, note=words.say("as it is: {value}", value=before))) for name, now, before in told]
    rows += [tag("li", row(tag("span", line, lang="en"), words.say("missed"))) for line in would.missed]
    if found.was is not None:
        metered = ((words.power(found.was.peak_w)), words.money(found.was.cost_micro))
        names = (words.say("Highest load, as metered"), words.say("Paid to the grid, as metered"))
        rows += [tag("li", row(name, value)) for name, value in zip(names, metered, strict=True)]
    title = words.say("The next 24 hours, changed") if found.was is None else _changed(words, found)
    listed = tag("ul", *rows, class_="listing", aria_label=title)
    return tag("div", tag("h2", title), listed, class_="card")


def _changed(words: Words, found: views.WhatIf) -> str:
    return words.say("{day}, changed", day=words.day(found.start_s))


def _days(context: Context) -> list[Option]:
    """Return the days that can be tried: the one that comes, and those that are over."""
    words, zone = context.words, context.words.place.zone
    past = (
        Option(
            value=day.isoformat(),
            label=words.day(int(moment(datetime.combine(day, time()), zone).timestamp())),
        )
        for day in views.days(context.community, context.seat)
    )
    return [Option(value="", label=words.say("The next 24 hours")), *past]


def _hint(words: Words) -> Markup:
    why = words.say(
        "Nothing changes by trying: the planner plans the day twice, as it is and changed. "
        "A car that is added stands there now at 40% and leaves at 07:30 with 80%; a battery that is added is empty."
    )
    return tag("p", why, class_="small")


def _going_on(words: Words, made: int) -> Markup:
    said = words.say("{n} of {all} plans are made", n=words.number(made), all=words.number(_PLANS))
    bar = tag("progress", value=made, max=_PLANS, aria_label=said)
    return tag("div", tag("p", said), bar, button("cancel", words.say("Cancel"), kind="quiet"), class_="card pile")


def _box(words: Words, draft: _Draft, zone: str, days: list[Option]) -> Markup:
    as_is = words.say("Empty for as it is.")
    which = pick("day", words.say("Which day"), days, draft.day)
    fields = [
        text_field("batteries", words.say("More batteries"), draft.batteries, amount=True),
        text_field("cars", words.say("More cars"), draft.cars, amount=True),
        text_field("roofs", words.say("More roofs"), draft.roofs, amount=True),
        text_field("limit", words.say("Most load of {zone}, in kW", zone=zone), draft.limit, why=as_is, amount=True),
        text_field("import_percent", words.say("What the grid takes, in % of now"), draft.import_percent, amount=True),
        text_field("export_percent", words.say("What the grid gives, in % of now"), draft.export_percent, amount=True),
        text_field("demand_from", words.say("A DEMAND from"), draft.demand_from, type_="time"),
        text_field("demand_to", words.say("A DEMAND until"), draft.demand_to, type_="time"),
        text_field("demand", words.say("Load that it leaves at most, in kW"), draft.demand, amount=True),
    ]
    sent = button("try", words.say("Try it"), kind="first")
    return tag("div", which, tag("div", *fields, class_="columns"), sent, class_="card pile")


def change_of(draft: _Draft, zone: str) -> Change:
    """Return a draft as a change.

    Raises:
        InvalidValue: A field holds no number or time; says which.
    """
    found = Change(
        batteries=_whole("batteries", draft.batteries, 0),
        cars=_whole("cars", draft.cars, 0),
        roofs=_whole("roofs", draft.roofs, 0),
        import_percent=_whole("what the grid takes", draft.import_percent, 100),
        export_percent=_whole("what the grid gives", draft.export_percent, 100),
        day=draft.day,
    )
    if draft.limit:
        found = replace(found, zone=zone, limit_w=_watts("a limit", draft.limit))
    if draft.demand_from or draft.demand_to:
        start, end = minutes_of(draft.demand_from), minutes_of(draft.demand_to)
        if start == end:
            raise InvalidValue(f"a DEMAND lasts more than no time, was from {draft.demand_from} to {draft.demand_to}")
        watts = _watts("a DEMAND", draft.demand)
        found = replace(found, demand_from_minute=start, demand_to_minute=end, demand_w=watts)
    return found


def _draft_of(words: Words, change: Change) -> _Draft:
    plain, draft = Change(), _Draft(day=change.day)
    for name in ("batteries", "cars", "roofs", "import_percent", "export_percent"):
        if getattr(change, name) != getattr(plain, name):
            setattr(draft, name, str(getattr(change, name)))
    if change.zone:
        draft.limit = _kilowatts(change.limit_w)
    if change.demand_from_minute != change.demand_to_minute:
        draft.demand_from, draft.demand_to = (
            f"{minute // 60:02}:{minute % 60:02}" for minute in (change.demand_from_minute, change.demand_to_minute)
        )
        draft.demand = _kilowatts(change.demand_w)
    return draft


def _kilowatts(watts: int) -> str:
    return f"{watts // 1000}.{watts % 1000:03}".rstrip("0").rstrip(".")


def _whole(name: str, text: str, empty: int) -> int:
    if not text:
        return empty
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise InvalidValue(f"{name}: a whole number, was {text[:20]!r}")
    return int(text)


def _watts(name: str, text: str) -> int:
    if text.strip() in ("0", "0.0"):
        return 0
    try:
        return amount_of(text, 3)
    except InvalidValue as error:
        raise InvalidValue(f"{name}: {error}") from error


PAGE = Page(
    path="/what-if",
    title=mark("What if"),
    icon="market",
    roles=frozenset({Role.OPERATOR, Role.AUDITOR}),
    build=build,
    listed=False,
)

"""Forecast: what is expected beside what came, what follows from it, what ails devices, and score cards."""

import asyncio
from collections.abc import Sequence

from markupsafe import Markup

from commonwatt.apps.foresight import Book
from commonwatt.apps.views import foresight as views
from commonwatt.apps.views import proposals
from commonwatt.apps.web.context import Context, Page
from commonwatt.apps.web.markup import tag
from commonwatt.apps.web.pages import ailing, habits, leaving
from commonwatt.apps.web.parts.chart import Line, chart
from commonwatt.apps.web.parts.listing import row
from commonwatt.apps.web.parts.states import empty_state
from commonwatt.apps.web.words import Words, mark
from commonwatt.flows.issued import CARBON, EXPORT, LOCAL, PRICE
from commonwatt.forecasting.foresee import AHEAD, SOON
from commonwatt.forecasting.leads import DAY, LAST_DAY, NEXT_SLOT
from commonwatt.identity.access import Action, Relation, lets
from commonwatt.identity.seat import Role

WAITED_FOR_S = 1.0
"""A page that is not there after three seconds is given up by its carrier; until then there is more to draw."""
_COLOURS = {
    "load": "house",
    "solar": "solar",
    "heat": "house",
    "net": "grid",
    PRICE: "accent",
    EXPORT: "solar",
    LOCAL: "neighbours",
    CARBON: "rest",
}
_ROWS = {
    "load": mark("Own use"),
    "solar": mark("Solar"),
    "heat": mark("Heat pump"),
    "net": mark("Homes less their roofs"),
    PRICE: mark("Price from the grid"),
    EXPORT: mark("Price to the grid"),
    LOCAL: mark("Price among neighbours"),
    CARBON: mark("Carbon of the grid"),
}

_LEADS = {
    DAY: mark("A day ahead"),
    NEXT_SLOT: mark("The next quarter-hour, as each begins"),
    LAST_DAY: mark("The seventh day ahead"),
}


async def build(context: Context) -> None:
    """Put forecasts on the page; the day's first visitor may come before they are made."""
    words = context.words
    try:
        async with asyncio.timeout(WAITED_FOR_S):
            book = await asyncio.shield(context.community.book())
    except TimeoutError:
        why = words.say("They are made once a day and take some seconds. Look again in a moment.")
        title = words.say("Today's forecasts are being made")
        context.put(empty_state(words, title, why, action=words.say("Look again"), href="/forecast"))
        return
    whole = context.within.get("days") == str(AHEAD)
    told = _told(context, book, AHEAD if whole else SOON)
    if not told:
        context.put(
            empty_state(
                words,
                words.say("No forecast yet"),
                words.say("A forecast needs a home with a meter, and for sums three homes that told."),
            )
        )
    issued = words.say("Told at {when}; nothing later was looked at.", when=words.instant(book.issued_s))
    context.put(tag("p", issued, " ", _spans(words, whole=whole), class_="small"))
    for one in told:
        _chart(context, one)
    _follows(context, book)
    ailing.put(context, book)
    context.put(tag("h2", words.say("How good forecasts were")))
    context.put(_cards(context, views.cards(context.community, context.seat, book)))


def _spans(words: Words, *, whole: bool) -> Markup:
    """Return the way to the week, or back to today and tomorrow."""
    if whole:
        return tag("a", words.say("Today and tomorrow alone"), href="/forecast")
    return tag("a", words.say("The whole week"), href=f"/forecast?days={AHEAD}")


def _told(context: Context, book: Book, days: int) -> list[views.SeriesView]:
    community, seat = context.community, context.seat
    if lets(seat, Action.SEE_ZONES, Relation.COMMUNITY):
        return views.commons(community, seat, book, days)
    own = views.home(community, seat, seat.account, book, days) if seat.account is not None else []
    return [*own, *views.price(community, seat, book, days)]


def _chart(context: Context, one: views.SeriesView) -> None:
    words = context.words
    scale, unit = {
        views.WATT_HOURS: (1 / 250, "kW"),
        views.MICRO_PER_KWH: (1 / 1_000_000, words.say("per kWh")),
        views.MG_PER_KWH: (1 / 1_000, words.say("g per kWh")),
    }[one.unit]

    def shown(values: Sequence[int | None]) -> list[float | None]:
        return [None if value is None else value * scale for value in values]

    low, high = shown([at.low_90 for at in one.slots]), shown([at.high_90 for at in one.slots])
    colour = _COLOURS[one.of]
    lines = [
        Line(name=words.say("Came"), colour=colour, values=shown([at.came for at in one.slots])),
        Line(
            name=words.say("Expected"),
            colour=colour,
            values=shown([at.expected for at in one.slots]),
            low=shown([at.low_50 for at in one.slots]),
            high=shown([at.high_50 for at in one.slots]),
            dashed=True,
        ),
        Line(name=words.percent(0.05), colour="rest", values=low, low=low, high=high, dashed=True, edge=True),
        Line(name=words.percent(0.95), colour="rest", values=high, dashed=True, edge=True),
    ]
    if any(at.now is not None for at in one.slots):
        now = shown([at.now for at in one.slots])
        lines.insert(2, Line(name=words.say("Expected now"), colour=colour, values=now))
    write = words.number
    title = _title(context, one.of, one.series)
    times = [at.slot_s for at in one.slots]
    as_of_s = context.community.told_s
    chart(context, title, times, lines, unit=unit, as_of_s=as_of_s, write=lambda value: write(value, 2))
    inside = tag("p", words.say("Half of all values fall into the darker band, nine in ten into the lighter one."))
    context.put(tag("div", inside, _used(words, one.card), class_="small"))


def _title(context: Context, of: str, series: str) -> str:
    name = context.say(_ROWS[of])
    return name if series in (of, "community", context.seat.account) else f"{name}, {series}"


def _used(words: Words, card: views.Card) -> Markup:
    """Say which forecast is used and why, and never hide one that lost."""
    if card.used:
        said = words.say("By the learnt forecast, which was better of late than the mean of seven days.")
    elif card.slots:
        said = words.say("By the mean of seven days.")
    else:
        said = words.say("By the mean of seven days; nothing could be scored yet.")
    why = tag("span", card.reason, lang="en", class_="small") if card.reason else Markup("")
    return tag("p", said, " ", why)


def _follows(context: Context, book: Book) -> None:
    """Put what a community is warned of, or what a member may want to state about their car."""
    words, community, seat = context.words, context.community, context.seat
    if lets(seat, Action.SEE_ZONES, Relation.COMMUNITY):
        context.put(tag("h2", words.say("What this means")))
        context.put(_meaning(words, proposals.outlooks(community, seat, book)))
    elif seat.account is not None and lets(seat, Action.STATE_CONSTRAINT, Relation.OWN):
        leaving.put(context, book)
        habits.put(context, book)


def _meaning(words: Words, told: proposals.Outlooks) -> Markup:
    rows = [
        row(
            words.say("Peak risk in zone {zone}", zone=one.zone),
            words.say("{percent} likely", percent=words.percent(one.permille / 1000)),
            note=words.say(
                "{when}: expected {expected}, nine times in ten no more than {high}, stated are {limit}; what passes "
                "that is, nine times in ten, no more than {over}. Kept free: no more than {asked}, by which it holds "
                "in nine futures of ten.",
                when=words.between(one.start_s, one.end_s),
                expected=words.power(one.expected_w),
                high=words.power(one.high_w),
                limit=words.power(one.limit_w),
                asked=words.power(one.asked_w),
                over=words.energy(one.over_wh),
            ),
        )
        for one in told.risks
    ]
    rows += [
        row(
            words.say("Solar surplus in zone {zone}", zone=one.zone),
            words.energy(one.expected_wh),
            note=words.say(
                "{when}; nine times in ten at least {sure}.",
                when=words.between(one.start_s, one.end_s),
                sure=words.energy(one.sure_wh),
            ),
        )
        for one in told.surpluses
    ]
    if not rows:
        why = words.say("No limit is likely to be passed, and no surplus of an hour or more is expected.")
        return empty_state(words, words.say("Nothing to prepare for"), why)
    items = (tag("li", one) for one in rows)
    return tag("div", tag("ul", *items, class_="listing", aria_label=words.say("What this means")), class_="card")


def _cards(context: Context, cards: Sequence[views.Card]) -> Markup:
    words = context.words
    if not cards:
        why = words.say("Scores come once a day was forecast and is over.")
        return empty_state(words, words.say("No scores yet"), why)
    rows = [tag("li", _card(context, one)) for one in cards]
    title = words.say("How good forecasts were")
    return tag("div", tag("ul", *rows, class_="listing", aria_label=title), class_="card")


def _card(context: Context, one: views.Card) -> Markup:
    words, title = context.words, _title(context, one.of, one.series)
    naive, steady = one.baseline_nmae, one.median_nmae
    if naive is None or steady is None or one.nmae is None or one.skill is None or one.coverage_permille is None:
        return row(title, "\N{EN DASH}", note=words.say("A day ahead: nothing could be scored yet."))
    used = words.say("used") if one.used else words.say("not used, the better baseline is")
    told = words.say(
        "{lead} over {n} quarter-hours, {used}: off by {error} of what came, the mean of seven days by {naive}, "
        "the median of 28 by {steady}; {held} fell into the band of nine tenths.",
        lead=words.say(_LEADS[one.lead]),
        n=words.number(one.slots),
        used=used,
        error=words.percent(one.nmae),
        naive=words.percent(naive),
        steady=words.percent(steady),
        held=words.percent(one.coverage_permille / 1000),
    )
    note = tag("span", told)
    if one.mase is not None:
        note = tag("span", told, " ", words.say("MASE {mase}.", mase=words.number(one.mase, 2)))
    if one.told_nmae is not None and one.told_coverage_permille is not None:
        then = words.say(
            "As it was told at the time, over {n}: off by {error}, {held} in that band.",
            n=words.number(one.told_slots),
            error=words.percent(one.told_nmae),
            held=words.percent(one.told_coverage_permille / 1000),
        )
        note = tag("span", note, " ", then)
    if one.decision_micro is not None:
        lost = words.say(
            "Yesterday's plan lost {money} to it against one that knew.", money=words.exactly(one.decision_micro)
        )
        note = tag("span", note, " ", lost)
    skill = words.say("skill {skill}", skill=words.number(one.skill, 3))
    return row(title, skill, note=note)


PAGE = Page(
    path="/forecast",
    title=mark("Forecast"),
    icon="forecast",
    roles=frozenset({Role.MEMBER, Role.OPERATOR, Role.DSO, Role.TSO, Role.UTILITY, Role.AUDITOR}),
    build=build,
)

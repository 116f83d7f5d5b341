"""Auditor: search the log, lay accounts or periods side by side, take records along; nothing here changes anything."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import TypeVar
from urllib.parse import urlencode

from markupsafe import Markup

from commonwatt.apps.api.answers import read_cursor, write_cursor
from commonwatt.apps.views import audit, comparing
from commonwatt.apps.web.context import Context, Page
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.pages.proving import amount
from commonwatt.apps.web.parts.figures import Figure, figures
from commonwatt.apps.web.parts.listing import Stretch, listing, row
from commonwatt.apps.web.parts.states import empty_state
from commonwatt.apps.web.words import Words, mark
from commonwatt.identity.seat import Role
from commonwatt.model import AccountId, AssetId, InvalidValue, Kind, Outcome, read_day

_T = TypeVar("_T", Kind, Outcome)
_A_STRETCH = 20
_EVER_S = 32_503_680_000
_TASKS = {"search": mark("Search"), "compare": mark("Compare"), "export": mark("Take along")}


def build(context: Context) -> None:
    """Put an auditor's tools on the page, one at a time; what is asked stands in the address, to be passed on."""
    words = context.words
    told = audit.standing(context.community, context.seat)
    as_of = words.instant(told.as_of_s)
    context.put(
        figures(
            [
                Figure(label=words.say("Requests in the log"), value=words.number(told.size), note=as_of),
                Figure(label=words.say("Entries in the books"), value=words.number(told.entries), note=as_of),
                Figure(label=words.say("Log root"), value=told.log_root[:8], note=as_of),
                Figure(label=words.say("State root"), value=told.state_root[:8], note=as_of),
            ]
        )
    )
    asked = context.within.get("task", "")
    task = asked if asked in _TASKS else "search"
    ways = [
        tag(
            "a",
            words.say(label),
            href=f"/audit?task={name}",
            class_="button",
            aria_current="page" if name == task else None,
        )
        for name, label in _TASKS.items()
    ]
    context.put(tag("nav", *ways, class_="ways", aria_label=words.say("What to do")))
    {"search": _search, "compare": _compare, "export": _export}[task](context)


def _search(context: Context) -> None:
    words, within = context.words, context.within
    kinds = [(kind.value, kind.value.replace("_", " ")) for kind in Kind]
    outcomes = [(one.value, one.value.replace("_", " ")) for one in Outcome if one.admitted]
    context.put(
        _form(
            context,
            "search",
            [
                _select(words.say("What"), "kind", kinds, within),
                _select(words.say("What became of it"), "outcome", outcomes, within),
                _field(words.say("For whom"), "account", within),
                _field(words.say("About which asset"), "asset", within),
            ],
            words.say("Search"),
        )
    )
    kind, outcome = _one_of(Kind, within.get("kind")), _one_of(Outcome, within.get("outcome"))
    account, asset = within.get("account", "").strip(), within.get("asset", "").strip()

    def fetch(cursor: str | None) -> Stretch:
        found = audit.leaves(
            context.community,
            context.seat,
            before=read_cursor(cursor),
            limit=_A_STRETCH,
            kinds=[kind] if kind else (),
            account=AccountId(account) if account else None,
            asset=AssetId(asset) if asset else None,
            outcome=outcome,
        )
        rows = [
            row(
                f"{one.kind.value.replace('_', ' ')} · {one.account}",
                one.outcome.value.replace("_", " "),
                note=f"{words.instant(one.stamped_s)} · {words.number(one.position)}",
                href=f"/proof/leaf/{one.position}",
            )
            for one in found
        ]
        return Stretch(rows=rows, cursor=write_cursor(found[-1].position) if len(found) >= _A_STRETCH else None)

    why = words.say("No request in the log is of this kind.")
    listing(context, words.say("Requests"), fetch, empty=empty_state(words, words.say("Nothing found"), why))


def _compare(context: Context) -> None:
    words, within = context.words, context.within
    days = _span_of(words, context.community.told_s)
    fields = [
        _field(words.say("Account"), "left", within, required=True),
        _field(words.say("and account"), "right", within, required=True),
        _day(words.say("From"), "left_from", within, days),
        _day(words.say("From, of the second"), "right_from", within, days),
        _day(words.say("Until, that day included"), "left_to", within, days),
        _day(words.say("Until, of the second"), "right_to", within, days),
    ]
    context.put(_form(context, "compare", fields, words.say("Compare")))
    if not (within.get("left") and within.get("right")):
        return
    sides = [_side(words, within, side, days) for side in ("left", "right")]
    told = comparing.compare(context.community, context.seat, *sides)
    rows = [
        (
            f"{one.memo} · {one.commodity.value.partition('_')[0]}",
            amount(words, one.commodity, one.left),
            amount(words, one.commodity, one.right),
            amount(words, one.commodity, one.right - one.left),
        )
        for one in told.rows
    ]
    head = (words.say("What for"), *(side.account for side in sides), words.say("Difference"))
    title = words.say("{left} beside {right}", left=sides[0].account, right=sides[1].account)
    when = tag("p", words.say("as of {when}", when=words.instant(told.as_of_s)), class_="small")
    columns = tag("tr", *(tag("th", name, scope="col") for name in head))
    lines = [tag("tr", tag("th", one[0], scope="row"), *(tag("td", cell) for cell in one[1:])) for one in rows]
    shown = tag("table", tag("thead", columns), tag("tbody", *lines))
    # What scrolls sideways on a phone can be scrolled by keyboard too.
    wide = tag("div", shown, class_="wide", role="region", aria_label=title, tabindex=0)
    context.put(tag("div", tag("h2", title), when, wide, class_="card pile"))


def _export(context: Context) -> None:
    words = context.words
    labels = {
        "entries": words.say("Entries"),
        "trades": words.say("Trades"),
        "leaves": words.say("Requests"),
    }
    account = context.within.get("account", "").strip()
    context.put(
        _form(
            context,
            "export",
            [_field(words.say("Entries of one account alone"), "account", context.within)],
            words.say("Narrow"),
        )
    )
    narrowed = f"?{urlencode({'account': account})}" if account else ""
    cards = []
    for what, label in labels.items():
        query = narrowed if what == "entries" else ""
        links = [
            tag("a", form, href=f"/api/v1/exports/{what}.{ending}{query}", class_="button", download=True)
            for ending, form in (("csv", "CSV"), ("jsonl", "JSON lines"))
        ]
        cards.append(tag("div", tag("h2", label), tag("div", *links, class_="ways"), class_="card pile"))
    why = words.say("The first line of each file tells size and roots of the log under which its records stand.")
    context.put(join(tag("p", why), *cards))


def _form(context: Context, task: str, fields: Sequence[Markup], label: str) -> Markup:
    hidden = tag("input", type="hidden", name="task", value=task)
    send = tag("button", label, type="submit", class_="first")
    grid = tag("div", *fields, class_="columns")
    return tag("form", hidden, grid, tag("div", send), action="/audit", method="get", class_="card pile")


def _field(label: str, name: str, within: Mapping[str, str], *, required: bool = False) -> Markup:
    value = within.get(name, "")[:64]
    box = tag("input", type="text", name=name, id=f"audit-{name}", value=value, maxlength=64, required=required)
    return tag("div", tag("label", label, for_=f"audit-{name}"), box, class_="field")


def _day(label: str, name: str, within: Mapping[str, str], days: tuple[date, date]) -> Markup:
    at = days[0] if name.endswith("from") else days[1]
    value = within.get(name) or at.isoformat()
    box = tag("input", type="date", name=name, id=f"audit-{name}", value=value[:10], class_="day")
    return tag("div", tag("label", label, for_=f"audit-{name}"), box, class_="field")


def _select(label: str, name: str, options: Sequence[tuple[str, str]], within: Mapping[str, str]) -> Markup:
    chosen = within.get(name, "")
    shown = [("", "\N{EN DASH}"), *options]
    inside = (tag("option", text, value=value, selected=value == chosen) for value, text in shown)
    select = tag("select", *inside, name=name, id=f"audit-{name}")
    return tag("div", tag("label", label, for_=f"audit-{name}"), select, class_="field")


def _span_of(words: Words, told_s: int) -> tuple[date, date]:
    """Return the first day of the month of the log's time, and that day."""
    today = words.local(told_s).date()
    return today.replace(day=1), today


def _side(words: Words, within: Mapping[str, str], side: str, days: tuple[date, date]) -> comparing.Span:
    first = _read_day(within.get(f"{side}_from"), days[0])
    last = _read_day(within.get(f"{side}_to"), days[1])
    zone = words.place.zone
    from_s, to_s = (
        min(_EVER_S, max(0, int(datetime.combine(day, time(), zone).timestamp())))
        for day in (first, last + timedelta(days=1))
    )
    return comparing.Span(account=AccountId(within.get(side, "").strip()), from_s=from_s, to_s=to_s)


def _read_day(text: str | None, otherwise: date) -> date:
    if not text:
        return otherwise
    day = read_day(text)
    if not 1970 <= day.year <= 2999:
        raise InvalidValue(f"a day lies from 1970 to 2999, was {day}")
    return day


def _one_of(kinds: type[_T], value: str | None) -> _T | None:
    try:
        return kinds(value) if value else None
    except ValueError as error:
        raise InvalidValue(f"one of those offered can be chosen, was {str(value)[:40]!r}") from error


PAGE = Page(path="/audit", title=mark("Audit"), icon="audit", roles=frozenset({Role.AUDITOR}), build=build)

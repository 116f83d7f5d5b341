"""A month's bill: what it comes to, line by line, and as a PDF to keep."""

from markupsafe import Markup

from commonwatt.apps.views import bills
from commonwatt.apps.web.context import Context, Page
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.parts.figures import Figure, figures
from commonwatt.apps.web.parts.listing import row
from commonwatt.apps.web.parts.states import empty_state
from commonwatt.apps.web.words import Words, mark
from commonwatt.identity.seat import Role
from commonwatt.settlement.bill import Bill, Line

_MOST_ENTRIES = 96
"""Of a line: a day of quarter-hours, so that a month's bill stays light."""


async def build(context: Context) -> None:
    """Put the bill of the month that the address names on the page, or of the newest one."""
    account, words = context.seat.account, context.words
    assert account is not None  # only who has an account sits here
    months = bills.months(context.community, context.seat, account)
    if not months:
        why = words.say("A bill begins with the first quarter-hour that is settled.")
        context.put(empty_state(words, words.say("No bill yet"), why))
        return
    month = context.within.get("month", months[0])
    told = await bills.bill(context.community, context.seat, account, month)
    context.put(figures(_figures(words, told)))
    context.put(_lines(words, month, told))
    context.put(_ways(words, month, months, f"/api/v1/accounts/{account}/bills/{month}.pdf"))


def _figures(words: Words, told: Bill) -> list[Figure]:
    span, total = words.between(told.from_s, told.to_s), told.total_micro
    label = words.say("To pay") if total >= 0 else words.say("To be paid to you")
    found = [
        Figure(label=label, value=words.money(abs(total)), note=span),
        Figure(label=words.say("Came in"), value=words.energy(told.import_wh), note=span),
        Figure(label=words.say("Went out"), value=words.energy(told.export_wh), note=span),
    ]
    if told.before is not None:
        was = words.between(told.before.from_s, told.before.to_s)
        found.append(Figure(label=words.say("The month before"), value=words.money(told.before.total_micro), note=was))
    return found


def _lines(words: Words, month: str, told: Bill) -> Markup:
    notes = []
    if told.purchases_micro:
        paid = words.money(told.purchases_micro)
        notes.append(words.say("Paid in less what was paid out: {money}; it is no part of the total.", money=paid))
    if not told.final:
        notes.append(words.say("Provisional: a late or corrected reading can still change it."))
    notes.append(words.say("Below zero is what you are paid."))
    rows = [tag("li", _line(words, one)) for one in told.lines]
    total = row(tag("strong", words.say("Total")), words.money(told.total_micro))
    return tag(
        "div",
        tag("h2", words.month(month)),
        tag("ul", *rows, tag("li", total), class_="listing"),
        *(tag("p", note, class_="small") for note in notes),
        class_="card pile",
    )


def _line(words: Words, one: Line) -> Markup:
    parts = []
    if one.energy_wh:
        parts.append(words.energy(one.energy_wh))
    elif one.watt_wh:
        parts.append(words.tokens(one.watt_wh, "WATT", 3))
    price = one.price_micro_per_kwh
    if price is not None:
        parts.append(words.price(price))
    if one.tax_micro:
        parts.append(words.say("{tax} of it tax", tax=words.money(one.tax_micro)))
    amount = words.exactly(one.amount_micro) if one.amount_micro else ""
    return join(row(words.say(one.label), amount, note=" · ".join(parts)), _behind(words, one))


def _behind(words: Words, one: Line) -> Markup:
    """Return the entries behind a line, each of which leads to its proof: the newest, and the way to all."""
    shown = [
        tag("a", words.say("entry {number}", number=number), href=f"/proof/entry/{number}", class_="button")
        for number in reversed(one.entries[-_MOST_ENTRIES:])
    ]
    if len(one.entries) > len(shown):
        shown.append(tag("a", words.say("All"), href="/proof?of=entries", class_="button"))
    summary = tag("summary", words.say_many("{n} entry", "{n} entries", len(one.entries)), class_="row")
    return tag("details", summary, tag("div", *shown, class_="ways"), class_="small")


def _ways(words: Words, month: str, months: list[str], pdf: str) -> Markup:
    at = months.index(month)
    links = [tag("a", words.say("Download as PDF"), href=pdf, class_="button", download=True)]
    if at + 1 < len(months):
        before = months[at + 1]
        links.append(tag("a", words.month(before), href=f"/bill?month={before}", class_="button", rel="prev"))
    if at > 0:
        after = months[at - 1]
        links.append(tag("a", words.month(after), href=f"/bill?month={after}", class_="button", rel="next"))
    links.append(tag("a", words.say("Wallet"), href="/wallet", class_="button"))
    return tag("nav", join(*links), class_="ways", aria_label=words.say("Bills"))


PAGE = Page(
    path="/bill",
    title=mark("Bill"),
    icon="wallet",
    roles=frozenset({Role.MEMBER, Role.UTILITY, Role.AGGREGATOR}),
    build=build,
    listed=False,
)

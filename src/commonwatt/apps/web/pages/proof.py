"""Proof: any reading, trade, entry or request, its way up to a checkpoint, and a check that the browser does itself."""

from collections.abc import Callable
from functools import partial

from nicegui import ui

from commonwatt.apps.api.answers import read_cursor, write_cursor
from commonwatt.apps.views import audit, diary, market, wallet
from commonwatt.apps.views import proof as views
from commonwatt.apps.views.seeing import assets_of
from commonwatt.apps.web.assets import address
from commonwatt.apps.web.context import Context, Page
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.pages import chain, proving
from commonwatt.apps.web.parts.listing import Fetch, Stretch, listing, row
from commonwatt.apps.web.parts.states import empty_state
from commonwatt.apps.web.words import mark
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Role
from commonwatt.model import SLOT_SECONDS, AccountId, Commodity

_A_STRETCH = 10
_SORTS = {
    "readings": mark("Readings"),
    "trades": mark("Trades"),
    "entries": mark("Entries"),
    "requests": mark("Requests"),
}
_SIGNED_IN = frozenset(Role) - {Role.PUBLIC}


async def build(context: Context) -> None:
    """Put what there is to prove on the page, and below the last checkpoint, on which all of it rests."""
    _script()
    account = context.seat.account
    if account is not None and context.seat.role is not Role.PUBLIC:
        _choose(context, account)
    context.put(tag("h2", context.say("The last checkpoint")))
    make = partial(views.checkpoint, context.community, context.seat)
    await proving.put(context, "/api/v1/proofs/checkpoint", make, [])
    chain.put_last(context)


def _choose(context: Context, account: AccountId) -> None:
    """Put what can be proven on the page, one sort at a time, the newest first."""
    meters = assets_of(context.community, context.seat, Action.SEE_READINGS)
    sorts = [sort for sort in _SORTS if sort != "readings" or meters]
    asked = context.within.get("of", "")
    sort = asked if asked in sorts else sorts[0]
    ways = [
        tag("a", context.say(_SORTS[one]), href=f"/proof?of={one}", class_="button", aria_current=_current(one == sort))
        for one in sorts
    ]
    what = context.say("What would you see proven?")
    context.put(tag("div", tag("h2", what), tag("nav", *ways, class_="ways", aria_label=what), class_="pile"))
    why = context.say("As soon as there is something, it stands here.")
    nothing = empty_state(context.words, context.say("Nothing to show yet"), why)
    fetches: dict[str, Callable[[Context, AccountId], Fetch]] = {
        "readings": _readings,
        "trades": _trades,
        "entries": _entries,
        "requests": _requests,
    }
    listing(context, context.say(_SORTS[sort]), fetches[sort](context, account), empty=nothing)


def _current(here: bool) -> str | None:
    return "page" if here else None


def _script() -> None:
    ui.add_head_html(f'<script type="module" src="{address("proof.js")}"></script>')


def _readings(context: Context, account: AccountId) -> Fetch:
    """Return what lists the meters' readings, the newest slot first, a stretch of slots at a time."""
    words, community, seat = context.words, context.community, context.seat
    meters = [one.id for one in assets_of(community, seat, Action.SEE_READINGS)]

    def fetch(cursor: str | None) -> Stretch:
        last = [community.chronicle.last_slot_s(meter) for meter in meters]
        newest_s = max((slot_s for slot_s in last if slot_s is not None), default=-SLOT_SECONDS)
        to_s = read_cursor(cursor) or newest_s + SLOT_SECONDS
        from_s = to_s - 4 * SLOT_SECONDS
        told = [
            (one.slot_s, meter, one) for meter in meters for one in diary.readings(community, seat, meter, from_s, to_s)
        ]
        rows = [
            row(
                meter,
                words.energy(one.import_wh - one.export_wh),
                note=words.between(slot_s, slot_s + SLOT_SECONDS),
                href=f"/proof/reading/{meter}/{slot_s}",
            )
            for slot_s, meter, one in sorted(told, key=lambda each: (-each[0], each[1]))
        ]
        return Stretch(rows=rows, cursor=write_cursor(from_s) if rows else None)

    return fetch


def _trades(context: Context, account: AccountId) -> Fetch:
    words = context.words

    def fetch(cursor: str | None) -> Stretch:
        before_s = read_cursor(cursor) or 2**40
        whose = None if context.seat.role is Role.AUDITOR else account
        found = market.trades(context.community, context.seat, 0, before_s, whose, _A_STRETCH)
        if more := len(found) >= _A_STRETCH:
            # The last slot may be cut through: it comes whole with the next stretch, unless it is all there is.
            before_s = found[-1].slot_s
            if found[0].slot_s > before_s:
                found, before_s = [one for one in found if one.slot_s > before_s], before_s + 1
        rows = [
            row(
                words.say("{seller} to {buyer}", seller=one.seller, buyer=one.buyer),
                words.energy(one.energy_wh),
                note=words.between(one.slot_s, one.slot_s + SLOT_SECONDS),
                href=f"/proof/trade/{one.slot_s}/{one.seller}/{one.buyer}",
            )
            for one in found
        ]
        return Stretch(rows=rows, cursor=write_cursor(before_s) if more else None)

    return fetch


def _entries(context: Context, account: AccountId) -> Fetch:
    words = context.words

    def fetch(cursor: str | None) -> Stretch:
        found = wallet.entries(context.community, context.seat, account, read_cursor(cursor), _A_STRETCH, None)
        rows = [
            row(
                one.memo,
                proving.amount(words, one.commodity, one.amount),
                note=f"{words.between(one.slot_s, one.slot_s + SLOT_SECONDS)} · {one.other}",
                href=f"/proof/entry/{one.number}",
            )
            for one in found
        ]
        return Stretch(rows=rows, cursor=write_cursor(found[-1].number) if len(found) >= _A_STRETCH else None)

    return fetch


def _requests(context: Context, account: AccountId) -> Fetch:
    words = context.words

    def fetch(cursor: str | None) -> Stretch:
        found = audit.leaves(context.community, context.seat, before=read_cursor(cursor), limit=_A_STRETCH)
        rows = [
            row(
                one.kind.value.replace("_", " "),
                one.outcome.value.replace("_", " "),
                note=f"{words.instant(one.stamped_s)} · {one.account}",
                href=f"/proof/leaf/{one.position}",
            )
            for one in found
        ]
        return Stretch(rows=rows, cursor=write_cursor(found[-1].position) if len(found) >= _A_STRETCH else None)

    return fetch


async def reading(context: Context) -> None:
    """Put one reading and its proof on the page."""
    _script()
    words, name = context.words, context.within["name"]
    slot_s = proving.whole(context.within["slot_s"])
    found = diary.readings(context.community, context.seat, name, slot_s, slot_s + 1)
    when = words.between(slot_s, slot_s + SLOT_SECONDS)
    facts = [(words.say("Meter"), name), (words.say("When"), when)]
    for one in found:
        facts += [
            (words.say("From the grid"), words.energy(one.import_wh)),
            (words.say("To the grid"), words.energy(one.export_wh)),
            (words.say("How it came to be"), proving.quality(words, one.quality.lower())),
        ]
    context.put(proving.facts(words.say("A reading"), facts))
    make = partial(views.reading, context.community, context.seat, name, slot_s)
    files = [
        (words.say("Evidence of this quarter-hour"), f"/api/v1/proofs/evidence/{context.seat.account}/{slot_s}"),
        (words.say("From wish to flow, of this asset"), f"/api/v1/proofs/chains/{name}/{slot_s}"),
    ]
    await proving.put(context, f"/api/v1/proofs/readings/{name}/{slot_s}", make, files)


async def entry(context: Context) -> None:
    """Put one entry of the books and its proof on the page."""
    _script()
    words, number = context.words, proving.whole(context.within["number"])
    seen = views.seen(context.community, context.seat, number)
    facts = [
        (words.say("What for"), seen.memo),
        (words.say("From"), seen.source),
        (words.say("To"), seen.target),
        (words.say("How much"), proving.amount(words, seen.commodity, seen.amount)),
        (words.say("When"), words.between(seen.slot_s, seen.slot_s + SLOT_SECONDS)),
    ]
    context.put(proving.facts(words.say("Entry {number}", number=words.number(number)), facts))
    make = partial(views.entry, context.community, context.seat, number)
    account = context.seat.account
    evidence = f"/api/v1/proofs/evidence/{account}/{seen.slot_s}"
    mine = context.seat.role is Role.MEMBER and account in (seen.source, seen.target)
    files = [(words.say("Evidence of this quarter-hour"), evidence)] if mine else []
    await proving.put(context, f"/api/v1/proofs/entries/{number}", make, files)


async def leaf(context: Context) -> None:
    """Put one request and its proof on the page."""
    _script()
    words, position = context.words, proving.whole(context.within["position"])
    seen = audit.leaf(context.community, context.seat, position)
    facts = [
        (words.say("What"), seen.kind.value.replace("_", " ")),
        (words.say("For whom"), seen.account),
        (words.say("What became of it"), seen.outcome.value.replace("_", " ")),
        (words.say("When"), words.instant(seen.stamped_s)),
        (words.say("Signed by"), seen.author),
    ]
    context.put(proving.facts(words.say("Request {number}", number=words.number(position)), facts))
    make = partial(views.leaf, context.community, context.seat, position)
    await proving.put(context, f"/api/v1/proofs/leaves/{position}", make, [])


def trade(context: Context) -> None:
    """Put the entries on the page to which a trade came: each has a proof of its own."""
    words, within = context.words, context.within
    slot_s, seller, buyer = proving.whole(within["slot_s"]), within["seller"], within["buyer"]
    numbers = views.entries_of_trade(context.community, context.seat, slot_s, seller, buyer)
    facts = [
        (words.say("From"), seller),
        (words.say("To"), buyer),
        (words.say("When"), words.between(slot_s, slot_s + SLOT_SECONDS)),
    ]
    context.put(proving.facts(words.say("A trade"), facts))
    if not numbers:
        why = words.say("Its entries are for those who traded, and for auditors.")
        context.put(empty_state(words, words.say("Nothing to show yet"), why))
        return
    rows = []
    for number in numbers:
        seen = views.seen(context.community, context.seat, number)
        label = words.say("Energy") if seen.commodity is Commodity.ENERGY else words.say("Money")
        shown = proving.amount(words, seen.commodity, seen.amount)
        sides = words.say("{seller} to {buyer}", seller=seen.source, buyer=seen.target)
        rows.append(tag("li", row(label, shown, note=sides, href=f"/proof/entry/{number}")))
    lead = tag("h2", words.say("It came to these entries"))
    context.put(join(lead, tag("div", tag("ul", *rows, class_="listing"), class_="card")))


PAGE = Page(path="/proof", title=mark("Proof"), icon="proof", roles=frozenset(Role), build=build)
PAGES = (
    PAGE,
    *(
        Page(path=path, title=mark("Proof"), icon="proof", roles=_SIGNED_IN, build=make, listed=False)
        for path, make in (
            ("/proof/reading/{name}/{slot_s}", reading),
            ("/proof/entry/{number}", entry),
            ("/proof/leaf/{position}", leaf),
            ("/proof/trade/{slot_s}/{seller}/{buyer}", trade),
        )
    ),
)

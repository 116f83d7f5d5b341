"""Schedule: what each store will do, by when it is to be ready, what waits for a word, and wishes in one line."""

from markupsafe import Markup

from commonwatt.apps import wishes
from commonwatt.apps.views import diary as views
from commonwatt.apps.views.wanted import Ready
from commonwatt.apps.web.context import Context, Handler, Page
from commonwatt.apps.web.feed import does
from commonwatt.apps.web.icons import icon
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.pages import calendar, habits, stating
from commonwatt.apps.web.parts.behind import legend
from commonwatt.apps.web.parts.controls import button
from commonwatt.apps.web.parts.diary import SLOT_S, Block, Departure, diary, mover, slot_start_of
from commonwatt.apps.web.parts.states import empty_state
from commonwatt.apps.web.parts.undo import Undoable
from commonwatt.apps.web.reasons import said, why
from commonwatt.apps.web.words import Words, mark
from commonwatt.identity.seat import Role
from commonwatt.model import Asset, AssetKind, InvalidValue

TOPICS = ("constraint", "consent", "schedule")
_DAY_S = 86_400
_MORNING_S = 7 * 3_600 + 1_800


def build(context: Context) -> None:
    """Put a member's schedule on the page."""
    words, account = context.words, context.seat.account
    assert account is not None  # only members sit here, and a member has an account
    seen = views.assets(context.community, context.seat)
    stores = [one.asset for one in seen if one.asset.owner == account and one.asset.stores]
    _decisions(context, stores)
    if not stores:
        why = words.say("A battery or a car behind your gateway has a diary, which appears here.")
        context.put(empty_state(words, words.say("Nothing that is scheduled"), why))
    for asset in stores:
        _store(context, asset)
    book = context.community.foresight.latest
    if book is not None:  # else it is being made, and stands here the next time
        habits.put(context, book)
    stating.put(context, account, stating.WISHES, stating.wishes_of(stores))
    calendar.put(context)


def _decisions(context: Context, stores: list[Asset]) -> None:
    """Put what waits for its owner's word, with the time by which it is to be given."""
    words, community, seat = context.words, context.community, context.seat

    def draw() -> Markup:
        told = (views.diary(community, seat, asset.id).waiting for asset in stores)
        return join(*(_waiting(words, one) for one in told if one is not None))

    def decided(asset: Asset, accept: bool) -> Handler:
        def ask(value: object) -> None:
            issued_s = _whole(value)
            if accept:
                doing = words.say("Accepting the plan for {asset}", asset=asset.id)
                done = words.say("It is accepted: {asset} follows it.", asset=asset.id)
            else:
                doing = words.say("Declining the plan for {asset}", asset=asset.id)
                done = words.say("It is declined: {asset} does not follow it.", asset=asset.id)

            async def act() -> None:
                await wishes.decide(community, seat, asset.id, issued_s, accept=accept)

            undo.ask(doing, done, act)

        return ask

    handlers = {
        f"{what}-{asset.id}": decided(asset, accept)
        for asset in stores
        for what, accept in (("accept", True), ("decline", False))
    }
    undo = Undoable(context)
    piece = context.put(draw(), on=handlers)
    context.redraw(piece, draw, TOPICS)


def _waiting(words: Words, waiting: views.Waiting) -> Markup:
    by = words.say("Decide by {when}. No answer by then is a no.", when=words.instant(waiting.deadline_s))
    steps = [
        tag(
            "li",
            tag("p", f"{words.between(spell.start_s, spell.end_s)}: {does(words, spell)}"),
            why(words, spell.reason),
        )
        for spell in views.spells(waiting.entries)
    ]
    issued = str(waiting.issued_s)
    buttons = tag(
        "div",
        button(f"accept-{waiting.asset}", words.say("Accept"), value=issued, glyph="check", kind="first"),
        button(f"decline-{waiting.asset}", words.say("Decline"), value=issued, glyph="cross"),
        class_="deeds",
    )
    title = tag("h2", words.say("A plan for {asset} waits for your word", asset=waiting.asset))
    inside = title, tag("p", icon("clock"), tag("span", by), class_="done"), tag("ul", *steps, class_="pile"), buttons
    return tag("section", *inside, class_="card pile waiting")


def _store(context: Context, asset: Asset) -> None:
    """Put an asset's line of time, and below it the departure that can be moved."""
    words, community, seat = context.words, context.community, context.seat

    def line() -> Markup:
        return _line(words, asset, views.diary(community, seat, asset.id), community.now_s())

    context.redraw(context.put(line()), line, TOPICS)
    first_s = community.now_s() // SLOT_S * SLOT_S + SLOT_S
    ready = views.diary(community, seat, asset.id).ready
    last_s = max(first_s + _DAY_S, min(ready.at_s if ready else 0, first_s + 2 * _DAY_S) // SLOT_S * SLOT_S)

    def leaving() -> Markup:
        told = views.diary(community, seat, asset.id).ready
        return _mover(words, asset, told, first_s, last_s)

    async def move(value: object) -> None:
        at_s = slot_start_of(value, start_s=first_s, end_s=last_s)
        if await wishes.depart(community, seat, asset.id, at_s) is not None:
            when = words.instant(at_s)
            context.announce(
                words.say("{asset} will be ready by {when}. The next plan keeps to it.", asset=asset.id, when=when)
            )

    # A piece of its own, which changes only with what was stated: nothing moves under a finger that drags.
    piece = context.put(leaving(), on={f"leave-{asset.id}": move})
    context.redraw(piece, leaving, ("constraint",))


def _line(words: Words, asset: Asset, told: views.Diary, now_s: int) -> Markup:
    start_s = now_s // SLOT_S * SLOT_S
    end_s = start_s + _DAY_S
    colour = "car" if asset.kind is AssetKind.VEHICLE else "battery"
    blocks = [
        Block(
            start_s=spell.start_s,
            end_s=spell.end_s,
            colour=colour if spell.way > 0 else "neighbours" if spell.way < 0 else "rest",
            label=_label(words, spell),
            note=f"{does(words, spell)}. {said(words, spell.reason) or spell.reason}",
        )
        for spell in views.spells(told.entries)
        if spell.end_s > start_s and spell.start_s < end_s
    ]
    title = f"{_kind(words, asset)} {asset.id}"
    if not blocks:
        why = words.say("No plan asks anything of it in the next 24 hours.")
        if told.consent.mode.value == "off":
            why = words.say("You have paused its control, so nothing is planned for it.")
        return empty_state(words, title, why)
    line = diary(words, title, blocks, start_s=start_s, end_s=end_s, now_s=now_s)
    keys = [(colour, words.say("Charges")), ("neighbours", words.say("Supplies")), ("rest", words.say("Rests"))]
    note = tag("p", words.say("As planned now; every quarter-hour the plan is made anew."), class_="small")
    return tag("div", line, tag("div", legend(keys), note, class_="beneath"), class_="card lined")


def _mover(words: Words, asset: Asset, ready: Ready | None, first_s: int, last_s: int) -> Markup:
    car = asset.kind is AssetKind.VEHICLE
    if ready is None and not car:
        return Markup("")  # a battery goes nowhere; who wants it full by a time says so in a line
    percent = wishes.READY_PERCENT if ready is None else ready.percent
    label = words.say("{percent} full by", percent=words.percent(percent / 100))
    if ready is None:
        why = words.say("Nothing is said yet. Move it, and your car will be ready by then.")
    elif ready.repeats:
        why = words.say("{line} - moving it moves all of its days", line=ready.text)
    else:
        why = ready.text
    departure = Departure(
        name=f"leave-{asset.id}",
        label=join(tag("span", f"{asset.id}: ", class_="unseen"), label),
        at_s=_morning_s(words, first_s) if ready is None else ready.at_s,
        icon="car" if car else "battery",
    )
    return tag("div", mover(words, departure, first_s, last_s), tag("p", why, class_="small"), class_="card pile")


def _label(words: Words, spell: views.Spell) -> str:
    labels = {1: words.say("Charges"), -1: words.say("Supplies"), 0: words.say("Rests")}
    return labels[spell.way]


def _kind(words: Words, asset: Asset) -> str:
    return words.say("Car") if asset.kind is AssetKind.VEHICLE else words.say("Battery")


def _morning_s(words: Words, from_s: int) -> int:
    local = words.local(from_s)
    since_s = local.hour * 3_600 + local.minute * 60
    return from_s + (_MORNING_S - since_s) % _DAY_S


def _whole(value: object) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise InvalidValue(f"a plan is named by when it was issued, in whole seconds, was {text[:20]!r}")
    return int(text)


PAGE = Page(path="/schedule", title=mark("Schedule"), icon="schedule", roles=frozenset({Role.MEMBER}), build=build)

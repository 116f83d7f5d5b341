"""Devices: how each fares and what it said last, one more by the number of its gateway, and what drivers admit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from commonwatt.apps import devicing, wishes
from commonwatt.apps.views import devices as views
from commonwatt.apps.web.context import Context, Handler, Page
from commonwatt.apps.web.icons import icon
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.pages import ailing, living, standing
from commonwatt.apps.web.pages.proving import quality
from commonwatt.apps.web.parts.controls import Option, button, choice, chosen_of, pick
from commonwatt.apps.web.parts.states import empty_state
from commonwatt.apps.web.words import Words, mark
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Role
from commonwatt.model import SLOT_SECONDS, AccountId, AssetKind, InvalidValue, Kind

_SAID = {
    views.Telling.HEALTHY: ("check", "verified", mark("Tells every quarter-hour")),
    views.Telling.SILENT: ("warning", "failed", mark("Silent")),
    views.Telling.NEW: ("clock", "pending", mark("Has told nothing yet")),
    views.Telling.DOUBTED: ("cross", "failed", mark("Its gateway was not believed just now")),
}
_KINDS = {
    AssetKind.CONNECTION: mark("Connection"),
    AssetKind.SOLAR: mark("Solar"),
    AssetKind.BATTERY: mark("Battery"),
    AssetKind.VEHICLE: mark("Car"),
    AssetKind.FEEDER: mark("Feeder"),
    AssetKind.HEAT_PUMP: mark("Heat pump"),
}
_CLAIMED = (AssetKind.BATTERY, AssetKind.VEHICLE, AssetKind.HEAT_PUMP, AssetKind.SOLAR, AssetKind.CONNECTION)
_TOPICS = ("reading_batch", "ack", "register")
_MOST_TEXT = 64


@dataclass(slots=True)
class _Draft:
    """A device about to be claimed, as far as it was typed."""

    account: AccountId
    number: str = ""
    name: str = ""
    kind: AssetKind = AssetKind.BATTERY
    most_w: int = 3_000
    capacity_wh: int = 10_000
    least_w: int = 1_000


def build(context: Context) -> None:
    """Put devices on the page; members claim theirs here, and installers those of members who let them."""
    listed = context.put(_list(context))
    context.redraw(listed, lambda: _list(context), _TOPICS)
    if accounts := views.claims_for(context.community, context.seat):
        _claim(context, accounts)
    book = context.community.foresight.latest
    if context.seat.role is Role.INSTALLER and book is not None:
        ailing.put(context, book)
    living.put(context)
    standing.put(context)
    context.put(_drivers(context.words))


def _list(context: Context) -> Markup:
    words = context.words
    found = views.devices(context.community, context.seat)
    if not found:
        why = words.say("What is behind your gateway appears here once you have claimed it.")
        return empty_state(words, words.say("No devices yet"), why)
    cards = (tag("li", _device(words, one)) for one in found)
    return tag("ul", *cards, class_="columns", aria_label=words.say("Devices"))


def _device(words: Words, one: views.DeviceView) -> Markup:
    glyph, look, said = _SAID[one.telling]
    kind = words.say(_KINDS[one.kind]) if one.kind in _KINDS else one.kind.value
    rows: list[tuple[str, str]] = [(words.say("Gateway"), one.gateway)]
    if one.last_slot_s is not None:
        rows.append((words.say("Last read"), words.between(one.last_slot_s, one.last_slot_s + SLOT_SECONDS)))
    if one.import_wh is not None and one.export_wh is not None:
        rows += [
            (words.say("From the grid"), words.energy(one.import_wh)),
            (words.say("To the grid"), words.energy(one.export_wh)),
            (words.say("How it came to be"), quality(words, one.quality or "")),
        ]
    if one.level_wh is not None:
        rows.append((words.say("Stored"), words.energy(one.level_wh)))
    if one.set_aside_s is not None:
        rows.append((words.say("Last doubted"), words.instant(one.set_aside_s)))
    rows.append((words.say("Last word"), _last_word(words, one.last_word)))
    facts = join(*(join(tag("dt", name), tag("dd", value)) for name, value in rows))
    badge = tag("span", icon(glyph), tag("span", words.say(said)), class_=f"badge {look}")
    head = tag("h2", f"{kind} {one.asset}")
    return tag("div", head, tag("p", badge), tag("dl", facts, class_="facts"), class_="card pile")


def _last_word(words: Words, word: views.LastWord | None) -> str:
    if word is None:
        return words.say("none: it was not asked for anything")
    when = words.between(word.slot_s, word.slot_s + SLOT_SECONDS)
    if word.lo_w is None or word.hi_w is None:
        return words.say("{when}: took no command, {why}", when=when, why=word.why or "\N{EN DASH}")
    low, high = words.power(word.lo_w), words.power(word.hi_w)
    return words.say("{when}: took {low} to {high}", when=when, low=low, high=high)


def _claim(context: Context, accounts: Sequence[AccountId]) -> None:
    """Put the form on the page by which a device is claimed for somebody with its gateway's number (row H1)."""
    words, draft = context.words, _Draft(account=accounts[0])
    whose = [Option(value=account, label=account) for account in accounts]
    kinds = [Option(value=kind.value, label=words.say(_KINDS[kind])) for kind in _CLAIMED]

    def card() -> Markup:
        return _form(context, draft, kinds, whose if list(accounts) != [context.seat.account] else [])

    def set_kind(value: object) -> None:
        draft.kind = AssetKind(chosen_of(kinds, value))
        piece.set_content(card())

    def set_whose(value: object) -> None:
        draft.account = AccountId(chosen_of(whose, value))

    def sets(field: str, read: Callable[[object], object]) -> Handler:
        return lambda value: setattr(draft, field, read(value))

    on: dict[str, Handler] = {"whose": set_whose, "kind": set_kind, "claim": lambda _: _claimed(context, draft)}
    on |= {field: sets(field, _typed) for field in ("number", "name")}
    on |= {field: sets(field, _whole) for field in ("most_w", "capacity_wh", "least_w")}
    piece = context.put(card(), on=on)


def _form(context: Context, draft: _Draft, kinds: Sequence[Option], whose: Sequence[Option]) -> Markup:
    """Return the form as it stands; it asks whose a device is where there is a choice."""
    words = context.words
    fields = [
        _text(words.say("Number on the gateway"), "number", draft.number),
        _text(words.say("What you call it"), "name", draft.name),
        _number(words.say("Most power, W"), "most_w", draft.most_w),
    ]
    if draft.kind in (AssetKind.BATTERY, AssetKind.VEHICLE):
        fields.append(_number(words.say("Capacity, Wh"), "capacity_wh", draft.capacity_wh))
    if draft.kind is AssetKind.HEAT_PUMP:
        fields.append(_number(words.say("Least power while it runs, W"), "least_w", draft.least_w))
    return tag(
        "div",
        tag("h2", words.say("Add a device")),
        pick("whose", words.say("Whose it is"), whose, draft.account) if whose else "",
        tag("p", words.say("The number stands on the gateway. Who holds it claims what is behind it.")),
        choice("kind", words.say("What it is"), kinds, draft.kind.value),
        tag("div", *fields, class_="columns"),
        button("claim", words.say("Claim it"), kind="first", ask=words.say("Press again to claim it")),
        class_="card pile",
    )


async def _claimed(context: Context, draft: _Draft) -> None:
    """Claim a device as it was typed."""
    community, seat, words = context.community, context.seat, context.words
    told = views.claim(
        community,
        seat,
        draft.account,
        draft.number,
        draft.name,
        draft.kind,
        most_w=draft.most_w,
        capacity_wh=draft.capacity_wh,
        least_w=draft.least_w,
    )
    await wishes.granted(community, seat, Action.MANAGE_DEVICES, draft.account, Kind.REGISTER, told)
    done = words.say("{name} is yours.", name=draft.name)
    if draft.account != seat.account:
        done = words.say("{name} belongs to {who}.", name=draft.name, who=draft.account)
    context.announce(done)


def _text(label: str, name: str, value: str) -> Markup:
    box = tag("input", type="text", id=f"device-{name}", value=value, maxlength=_MOST_TEXT, data_send=name)
    return tag("div", tag("label", label, for_=f"device-{name}"), box, class_="field")


def _number(label: str, name: str, value: int) -> Markup:
    box = tag("input", type="number", id=f"device-{name}", value=value, min=1, max=10**8, step=1, data_send=name)
    return tag("div", tag("label", label, for_=f"device-{name}"), box, class_="field")


def _typed(value: object) -> str:
    return str(value).strip()[:_MOST_TEXT]


def _whole(value: object) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise InvalidValue(f"watts and watt-hours are whole numbers, was {text[:20]!r}")
    return int(text)


def _drivers(words: Words) -> Markup:
    """Return what drivers admit of themselves: how much of their protocol is done, and what is missing."""
    rows = []
    for one in devicing.admissions():
        missing = "; ".join(f"{name.replace('_', ' ')}: {why}" for name, why in one.missing.items())
        counted = words.say("{done} done, {missing} missing", done=len(one.done), missing=len(one.missing))
        amount = tag("span", words.say("not usable") if one.trouble else counted, class_="amount")
        title = tag("span", one.title or one.driver, class_="title", lang="en")
        said = tag("p", one.trouble or missing, class_="small", lang="en")
        rows.append(tag("li", tag("details", tag("summary", title, amount, class_="row"), said)))
    head = tag("h2", words.say("What can be spoken to"))
    why = words.say("What each driver admits of itself: how much of its protocol is done, and what is missing.")
    list_of = tag("ul", *rows, class_="listing", aria_label=words.say("What can be spoken to"))
    return tag("div", head, tag("p", why, class_="small"), list_of, class_="card pile")


PAGE = Page(
    path="/devices",
    title=mark("Devices"),
    icon="devices",
    roles=frozenset({Role.MEMBER, Role.INSTALLER, Role.OPERATOR}),
    build=build,
)

"""The form in which who pays for flexibility offers a contract: weighed while it is typed, refused in words."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from http import HTTPStatus
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from commonwatt.apps import wishes
from commonwatt.apps.api.problems import Problem, problem_of
from commonwatt.apps.views import offering as views
from commonwatt.apps.views import zones
from commonwatt.apps.web.context import Context, Handler
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.parts.controls import Option, button, choice, chosen_of, minutes_of
from commonwatt.apps.web.parts.fields import amount_of, text_field
from commonwatt.apps.web.parts.states import empty_state, error_state
from commonwatt.apps.web.words import Words, mark
from commonwatt.identity.access import Action, Relation, lets
from commonwatt.model import AccountId, CommonwattError, InvalidValue
from commonwatt.model.wall_clock import moment

_DAY_S = 86_400
_ONCE = "once"
_CHOICES = {
    "direction": (mark("What is asked for"), {"give_back": mark("Give back"), "charge": mark("Take up")}),
    "days": (
        mark("When"),
        {
            _ONCE: mark("Once"),
            "working": mark("Working days"),
            "weekend": mark("Weekends"),
            "all": mark("Every day"),
        },
    ),
    "basis": (mark("The price"), {"on_top": mark("On top of the grid's"), "instead": mark("In place of the grid's")}),
    "trigger": (
        mark("Called"),
        {
            "standing": mark("in every window"),
            "price_above": mark("when the grid is dear"),
            "price_below": mark("when the grid is cheap"),
            "event": mark("when I call it"),
        },
    ),
    "baseline": (
        mark("Measured"),
        {
            "metered_setpoint": mark("against what was instructed"),
            "ten_like_days": mark("against ten days like it"),
        },
    ),
    "accept": (mark("To be accepted within"), {"1": mark("A day"), "7": mark("A week"), "30": mark("30 days")}),
    "runs": (mark("Runs for"), {"7": mark("A week"), "30": mark("30 days"), "90": mark("90 days")}),
}
_LONG = 32


@dataclass(slots=True)
class _Draft:
    """An offer in the making, as it was typed and chosen."""

    direction: str = "give_back"
    days: str = "working"
    day: str = ""
    start: str = "17:00"
    end: str = "19:00"
    power: str = "10"
    price: str = ""
    basis: str = "on_top"
    most: str = ""
    trigger: str = "standing"
    level: str = ""
    availability: str = ""
    penalty: str = ""
    windows: str = "20"
    accept: str = "7"
    runs: str = "30"
    baseline: str = "metered_setpoint"
    zone: str = ""


def put(context: Context) -> None:
    """Put the form for offers on the page, where a seat's account can make any; else why it cannot."""
    words, account = context.words, context.seat.account
    if account is None or not lets(context.seat, Action.OFFER_CONTRACT, Relation.OWN):
        return
    context.put(tag("h2", words.say("Offer a contract")))
    if not views.offers_here(context.community, context.seat):
        why = words.say(
            "An offer sets money aside, and only a utility's, an aggregator's or the operator's account can do so. "
            "Who runs the wires takes a seat as a utility for it."
        )
        context.put(empty_state(words, words.say("This account makes no offers"), why))
        return
    _form(context, account)


def _form(context: Context, account: AccountId) -> None:
    words, community, seat, draft = context.words, context.community, context.seat, _Draft()
    known = [one.zone for one in zones.zones(community, seat, 0, 0)]
    draft.zone = known[0] if seat.zones and known else ""
    clock = words.place.zone

    def explain() -> None:
        told = _explained(context, account, draft)
        if told != explained.content:
            explained.set_content(told)

    def chooser(name: str) -> Handler:
        def chosen(value: object) -> None:
            setattr(draft, name, chosen_of(_options(words, name), value))
            box.set_content(_box(words, draft, known))
            explain()

        return chosen

    def typer(name: str) -> Handler:
        def typed(value: object) -> None:
            setattr(draft, name, str(value).strip()[:_LONG])
            explain()

        return typed

    async def make(_: object) -> None:
        try:
            await wishes.offer(community, seat, offer_of(draft, account, context.now_s(), clock))
        except CommonwattError as error:
            explained.set_content(error_state(words, problem_of(error)))
            raise
        draft.price = ""
        box.set_content(_box(words, draft, known))
        explain()
        context.announce(words.say("The offer stands: members see it under Deals."))

    fields = ("day", "start", "end", "power", "price", "most", "level", "availability", "penalty", "windows", "zone")
    on: dict[str, Handler] = {name: chooser(name) for name in _CHOICES}
    on |= {name: typer(name) for name in fields} | {"offer": make}
    box = context.put(_box(words, draft, known), on=on)
    explained = context.put(_explained(context, account, draft))
    explained.props("role=status")


def _box(words: Words, draft: _Draft, known: list[str]) -> Markup:
    currency = words.place.currency
    price = words.say("Price of a kWh, in {currency}", currency=currency)
    optional = words.say("Empty for none.")
    fields = [
        text_field("start", words.say("From"), draft.start, type_="time"),
        text_field("end", words.say("To"), draft.end, type_="time"),
        text_field("power", words.say("Power of all together, in kW"), draft.power, amount=True),
        text_field("price", price, draft.price, amount=True),
    ]
    if draft.days == _ONCE:
        fields.insert(0, text_field("day", words.say("Day"), draft.day, type_="date"))
    else:
        fields.append(text_field("windows", words.say("Windows at most"), draft.windows, amount=True))
    if draft.basis == "instead":
        fields.append(text_field("most", words.say("At most a kWh, in {currency}", currency=currency), draft.most))
    if draft.trigger.startswith("price_"):
        level = words.say("Than this a kWh from the grid, in {currency}", currency=currency)
        fields.append(text_field("level", level, draft.level, amount=True))
    standby = words.say("For standing by, a kW and hour, in {currency}", currency=currency)
    missed = words.say("Penalty for a kWh missed, in {currency}", currency=currency)
    fields += [
        text_field("availability", standby, draft.availability, why=optional, amount=True),
        text_field("penalty", missed, draft.penalty, why=optional, amount=True),
        text_field("zone", words.say("Zone"), draft.zone, why=words.say("Empty for all."), suggested=known),
    ]
    shown = [name for name in _CHOICES if name not in ("accept", "runs") or draft.days != _ONCE]
    choices = [_choice(words, name, getattr(draft, name)) for name in shown]
    ask = words.say("Press again to set the money aside")
    return tag(
        "div",
        tag("div", *choices, class_="columns"),
        tag("div", *fields, class_="columns"),
        button("offer", words.say("Offer it"), kind="first", ask=ask),
        class_="card pile",
    )


def _choice(words: Words, name: str, chosen: str) -> Markup:
    return choice(name, words.say(_CHOICES[name][0]), _options(words, name), chosen)


def _options(words: Words, name: str) -> list[Option]:
    return [Option(value=value, label=words.say(label)) for value, label in _CHOICES[name][1].items()]


def _explained(context: Context, account: AccountId, draft: _Draft) -> Markup:
    """Return what an offer comes to as far as it is typed, or which rule says no."""
    words = context.words
    if not draft.price:
        return tag(
            "p",
            words.say("What it comes to stands here once it has a price; nothing is offered before you press."),
            class_="small",
        )
    try:
        told = views.weigh(
            context.community, context.seat, account, offer_of(draft, account, context.now_s(), words.place.zone)
        )
    except CommonwattError as error:
        return error_state(words, problem_of(error))
    if not told.may:
        return error_state(words, Problem(HTTPStatus.CONFLICT, told.why, **told.found))
    first = "\N{EN DASH}"
    if told.start_s is not None and told.end_s is not None:
        first = words.between(told.start_s, told.end_s)
    facts = (
        (words.say("First window"), first),
        (words.say("Costs at most"), words.exactly(told.most_micro)),
        (words.say("Set aside at once"), words.exactly(told.budget_micro)),
        (words.say("Free of your money"), words.exactly(told.free_micro)),
    )
    shown = tag("dl", *(join(tag("dt", name), tag("dd", value)) for name, value in facts), class_="facts")
    return tag("div", shown, class_="card")


def offer_of(draft: _Draft, account: AccountId, now_s: int, clock: ZoneInfo) -> dict[str, Any]:
    """Return a draft as the body of an offer.

    Args:
        draft: As it was typed.
        account: Whose offer it is, who calls it by an event of a name of its own where it is called by hand.
        now_s: From when its times count, seconds since 1970.
        clock: Of the community.

    Raises:
        InvalidValue: A field holds no amount, time or day; says which.
    """
    price = _micro("price", draft.price)
    window: dict[str, Any] = {"direction": draft.direction, "price_micro_per_kwh": price}
    start, end = minutes_of(draft.start), minutes_of(draft.end)
    if draft.days == _ONCE:
        at = [int(moment(_day(draft.day) + timedelta(minutes=each), clock).timestamp()) for each in (start, end)]
        window |= {"start_s": at[0], "end_s": at[1]}
        accept_by_s, until_s, most_windows = at[0] - 1, at[1], 1
    else:
        window |= {"days": draft.days, "from_minute": start, "to_minute": end}
        accept_by_s, until_s = now_s + int(draft.accept) * _DAY_S, now_s + int(draft.runs) * _DAY_S
        most_windows = _amount("windows", draft.windows, 0)
    told: dict[str, Any] = {
        "windows": [window],
        "most_windows": most_windows,
        "accept_by_s": min(accept_by_s, until_s - 1),
        "until_s": until_s,
        "power_w": _amount("power", draft.power, 3),
        "basis": draft.basis,
        "most_micro_per_kwh": price if draft.basis == "on_top" else _micro("at most", draft.most),
        "availability_micro_per_kw_h": _micro("standing by", draft.availability) if draft.availability else 0,
        "penalty_micro_per_kwh": _micro("penalty", draft.penalty) if draft.penalty else 0,
        "baseline": draft.baseline,
    }
    if draft.trigger == "event":
        told["trigger"] = {"kind": "event", "name": f"called-{now_s}", "oracles": [account], "quorum": 1}
    elif draft.trigger != "standing":
        told["trigger"] = {"kind": draft.trigger, "level": _micro("level", draft.level)}
    return told | ({"zone": draft.zone} if draft.zone else {})


def _micro(name: str, text: str) -> int:
    return _amount(name, text, 6)


def _amount(name: str, text: str, digits: int) -> int:
    try:
        return amount_of(text, digits)
    except InvalidValue as error:
        raise InvalidValue(f"{name}: {error}") from error


def _day(text: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(text), time())
    except ValueError as error:
        raise InvalidValue(f"a day is written like 2026-06-01, was {text[:20]!r}") from error

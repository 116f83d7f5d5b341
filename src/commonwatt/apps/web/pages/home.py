"""Home: what flows, what today came to, what the stores do and are to do, and one switch to pause it all."""

from collections.abc import Mapping
from datetime import timedelta

from markupsafe import Markup

from commonwatt.apps import wishes
from commonwatt.apps.views import home as views
from commonwatt.apps.views.carbon import Carbon
from commonwatt.apps.views.wanted import Target
from commonwatt.apps.web.context import Context, Handler, Page
from commonwatt.apps.web.live import Value
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.parts.controls import Option, choice, chosen_of, minutes_of, ready_by, switch
from commonwatt.apps.web.parts.figures import Figure, figures
from commonwatt.apps.web.parts.flow import Flow, flow_picture, flow_values
from commonwatt.apps.web.parts.live_value import live_value
from commonwatt.apps.web.parts.states import empty_state
from commonwatt.apps.web.reasons import why
from commonwatt.apps.web.words import Words, mark
from commonwatt.identity.seat import Role
from commonwatt.model import AccountId, AssetId, AssetKind

_MORNING_MINUTES = 7 * 60 + 30
_DOES = {
    "START CHARGE": mark("{asset} charges with {power} until {end}."),
    "INCREASE RATE": mark("{asset} charges with {power} until {end}."),
    "REDUCE RATE": mark("{asset} charges with {power} until {end}."),
    "STOP CHARGE": mark("{asset} rests until {end}."),
    "SUPPLY": mark("{asset} supplies {power} until {end}."),
    "STOP SUPPLY": mark("{asset} rests until {end}."),
}


def build(context: Context) -> None:
    """Put a member's home on the page."""
    account = context.seat.account
    assert account is not None  # only members sit here, and a member has an account
    words = context.words
    first = views.home(context.community, context.seat, account)

    def view() -> dict[str, Value]:
        return _values(words, views.home(context.community, context.seat, account))

    shown = context.follow("home", view, topics=(account, "reading_batch", "fact"))
    _picture(context, account, first)
    context.put(figures(_figures(words, shown)))
    ahead = context.put(_ahead(words, first))
    context.redraw(ahead, lambda: _ahead(words, views.home(context.community, context.seat, account)), (account,))

    def stores() -> Markup:
        # Levels move within it: no control is drawn anew under a hand because a meter told something.
        return _stores(words, views.home(context.community, context.seat, account), shown)

    context.redraw(context.put(stores(), on=_handlers(context, account, first)), stores, (account,))


def _picture(context: Context, account: AccountId, first: views.Home) -> None:
    """Put what flows on the page; where nothing is measured yet, as soon as something is."""
    words = context.words

    def draw(told: views.Home) -> Markup:
        if told.flow is None:
            why = words.say("Your meters have not all told of one quarter-hour yet.")
            return empty_state(words, words.say("Nothing measured yet"), why)
        return flow_picture(words, _flow(told))

    shown, measured = draw(first), first.flow is not None

    def once() -> Markup:
        # From then on its numbers move within it.
        nonlocal shown, measured
        if not measured:
            told = views.home(context.community, context.seat, account)
            shown, measured = draw(told), told.flow is not None
        return shown

    piece = context.put(shown)
    context.redraw(piece, once, (account, "reading_batch"))


def _flow(home: views.Home) -> Flow:
    flow = home.flow
    assert flow is not None
    kinds = {store.kind for store in home.stores}
    battery = next((store for store in home.stores if store.kind is AssetKind.BATTERY), None)
    level = None
    if battery is not None and battery.level_wh is not None and battery.capacity_wh:
        level = min(1.0, battery.level_wh / battery.capacity_wh)
    return Flow(
        at_s=flow.slot_s,
        house_w=max(0, flow.house_w),
        solar_w=-flow.solar_w,
        battery_w=flow.battery_w if AssetKind.BATTERY in kinds else None,
        car_w=flow.car_w if AssetKind.VEHICLE in kinds else None,
        grid_w=flow.grid_w - flow.bought_w + flow.sold_w,
        neighbours_w=flow.bought_w - flow.sold_w,
        battery_level=level,
    )


def _values(words: Words, home: views.Home) -> dict[str, Value]:
    today, span = home.today, words.between(home.today.from_s, home.today.to_s)
    local_wh = today.solar_wh - today.export_wh + today.sold_wh + today.bought_wh
    paid, alone, held = today.paid_micro, today.alone_micro, home.ergon_micro
    assert paid is not None and alone is not None and held is not None  # the page is its owner's
    used_wh = today.import_wh + today.solar_wh - today.export_wh
    values: dict[str, Value] = {
        "paid": words.money(paid),
        "paid_note": span,
        "saved": words.money(alone - paid, signed=True),
        "saved_note": words.say("against the grid alone, no battery"),
        "sun": words.percent(min(1, max(0, local_wh) / used_wh)) if used_wh > 0 else "\N{EN DASH}",
        "sun_note": span,
        "held": words.money(held),
        "held_note": words.instant(home.as_of_s),
    }
    values |= _carbon(words, today.carbon)
    values |= {f"level-{store.asset}": _level(words, store) for store in home.stores}
    if home.flow is not None:
        values["flow"] = flow_values(words, _flow(home))
    return values


def _carbon(words: Words, carbon: Carbon | None) -> dict[str, Value]:
    """Say what carbon was saved, by whose word and as of when; nothing where no feed tells it."""
    if carbon is None:
        return {}
    if carbon.heard_s is None:
        said = words.say("no carbon is published for {place} yet", place=carbon.place)
        return {"carbon": "\N{EN DASH}", "carbon_note": said}
    said = words.say(
        "against the grid alone, no battery; {source}, {n} of {of} quarter-hours, heard {at}",
        source=carbon.source,
        n=words.number(carbon.slots),
        of=words.number(carbon.of_slots),
        at=words.instant(carbon.heard_s),
    )
    return {"carbon": words.carbon(carbon.alone_mg - carbon.emitted_mg, signed=True), "carbon_note": said}


def _figures(words: Words, shown: Mapping[str, Value]) -> list[Figure]:
    told = (
        ("paid", words.say("Paid today"), ""),
        ("saved", words.say("Saved today"), "good"),
        ("carbon", words.say("Carbon saved today"), ""),
        ("sun", words.say("Own and neighbours' energy"), "solar"),
        ("held", words.say("In the wallet"), ""),
    )
    return [
        Figure(label=label, value=str(shown[key]), note=str(shown[f"{key}_note"]), key=key, colour=colour)
        for key, label, colour in told
        if key in shown
    ]


def _ahead(words: Words, home: views.Home) -> Markup:
    """Say what comes next, and why, a sentence a store."""
    if home.paused:
        said = words.say("Everything rests: you have paused all control.")
        return tag("div", tag("p", said, class_="lead"), class_="card")
    if not home.next:
        return empty_state(words, words.say("Nothing planned"), words.say("No plan asks anything of your things now."))
    rows = []
    for one in home.next:
        power = words.power(abs(one.power_w))
        does = words.say(_DOES[one.verb], asset=one.asset, power=power, end=words.clock(one.end_s))
        rows.append(join(tag("p", does, class_="lead"), why(words, one.reason)))
    return tag("div", tag("h2", words.say("What happens next")), *rows, class_="card pile")


def _stores(words: Words, home: views.Home, shown: Mapping[str, Value]) -> Markup:
    """Return the controls of every store, and the switch."""
    if not home.stores:
        why = words.say("A battery or a car behind your gateway appears here.")
        return empty_state(words, words.say("Nothing that stores"), why)
    cards = [_store(words, home, store, shown) for store in home.stores]
    why = words.say("Switch off and nothing is steered until you say so. Safety limits stay.")
    steer = switch("control", words.say("Let the community steer"), on=not home.paused, why=why)
    return tag("div", *cards, tag("div", steer, class_="card"), class_="pile")


def _store(words: Words, home: views.Home, store: views.Store, shown: Mapping[str, Value]) -> Markup:
    key = f"level-{store.asset}"
    full = tag("p", live_value(key, str(shown.get(key) or _level(words, store))), class_="lead")
    name = words.say("Car") if store.kind is AssetKind.VEHICLE else words.say("Battery")
    inside: list[Markup] = [tag("h2", f"{name} {store.asset}"), full]
    if store.kind is AssetKind.VEHICLE:
        percent = wishes.READY_PERCENT if store.ready is None else store.ready.percent
        label = words.say("Ready by, {percent} full", percent=words.percent(percent / 100))
        at_s = _morning_s(words, home.as_of_s) if store.ready is None else store.ready.at_s
        why = words.say("Nothing is said yet: set a time.") if store.ready is None else words.instant(at_s)
        inside.append(ready_by(words, f"ready-{store.asset}", label, at_s, why=why))
    inside.append(choice(f"target-{store.asset}", words.say("For two hours"), _options(words), store.target))
    return tag("div", *inside, class_="card pile")


def _level(words: Words, store: views.Store) -> str:
    if store.level_wh is None or store.level_s is None or not store.capacity_wh:
        return words.say("Its level is not known: it has told none yet, or is not plugged in.")
    part = words.percent(store.level_wh / store.capacity_wh)
    at = words.instant(store.level_s)
    return words.say("{part} full, {energy} as of {at}", part=part, energy=words.energy(store.level_wh), at=at)


def _options(words: Words) -> list[Option]:
    labels = {
        Target.CHARGE: words.say("Charge"),
        Target.HOLD: words.say("Hold"),
        Target.DISCHARGE: words.say("Discharge"),
        Target.PLAN: words.say("As planned"),
    }
    return [Option(value=what.value, label=label) for what, label in labels.items()]


def _handlers(context: Context, account: AccountId, home: views.Home) -> dict[str, Handler]:
    community, seat, words = context.community, context.seat, context.words

    def ready(asset: AssetId) -> Handler:
        async def set_ready(value: object) -> None:
            at_s = _next_s(words, minutes_of(value), community.now_s())
            await wishes.depart(community, seat, asset, at_s)
            context.announce(words.say("{asset} will be ready by {clock}.", asset=asset, clock=words.instant(at_s)))

        return set_ready

    def target(asset: AssetId) -> Handler:
        async def set_target(value: object) -> None:
            await wishes.target(community, seat, asset, Target(chosen_of(_options(words), value)))
            context.announce(words.say("It is said. The next plan keeps to it."))

        return set_target

    async def control(value: object) -> None:
        await wishes.pause(community, seat, on=value is not True)
        told = words.say("The community steers again.") if value is True else words.say("All control is paused.")
        context.announce(told)

    handlers: dict[str, Handler] = {"control": control}
    for store in home.stores:
        handlers[f"ready-{store.asset}"] = ready(store.asset)
        handlers[f"target-{store.asset}"] = target(store.asset)
    return handlers


def _morning_s(words: Words, now_s: int) -> int:
    return _next_s(words, _MORNING_MINUTES, now_s)


def _next_s(words: Words, minutes: int, now_s: int) -> int:
    """Return when the place's clocks show so many minutes after midnight next."""
    local = words.local(now_s)
    at = local.replace(hour=minutes // 60, minute=minutes % 60, second=0, microsecond=0, fold=0)
    if at.timestamp() <= now_s:
        at += timedelta(days=1)
    return int(at.timestamp())


PAGE = Page(path="/", title=mark("Home"), icon="home", roles=frozenset({Role.MEMBER}), build=build)

"""Pages that show every part in every state, and one like a household's home."""

import asyncio
import math

from markupsafe import Markup

from commonwatt.apps.web.context import Context, Page
from commonwatt.apps.web.live import Value
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.parts.badge import Verdict, badge
from commonwatt.apps.web.parts.chart import Line, chart
from commonwatt.apps.web.parts.controls import button, choice, chosen_of, minutes_of, ready_by, switch
from commonwatt.apps.web.parts.depth import depth
from commonwatt.apps.web.parts.diary import Departure, diary, slot_start_of
from commonwatt.apps.web.parts.figures import Figure, figures
from commonwatt.apps.web.parts.flow import Flow, flow_picture, flow_values
from commonwatt.apps.web.parts.grid import one_line, zone_map
from commonwatt.apps.web.parts.listing import Stretch, listing, row
from commonwatt.apps.web.parts.live_value import live_value
from commonwatt.apps.web.parts.states import empty_state, skeleton
from commonwatt.apps.web.parts.undo import Undoable
from commonwatt.identity.seat import Role
from commonwatt.model import Refused
from gallery import frozen

EVERYBODY = frozenset(Role)


def home(context: Context) -> None:
    """A household's home, with what moves on it."""
    street, words = context.community, context.words

    def view() -> dict[str, Value]:
        street.computed += 1
        return {
            "flow": flow_values(words, street.flow),
            "saved": words.money(1_280_000 + street.now_s % 97 * 10_000, signed=True),
            "saved_note": words.instant(street.now_s),
        }

    shown = context.follow("home", view, topics=("reading_batch",))
    context.put(flow_picture(words, street.flow))
    context.put(
        figures(
            [
                Figure(
                    label="Saved today",
                    value=str(shown["saved"]),
                    note=str(shown["saved_note"]),
                    key="saved",
                    colour="good",
                ),
                Figure(
                    label="Carbon against doing nothing", value=f"{words.number(-2.4, 1)} kg", note="since midnight"
                ),
            ]
        )
    )
    context.put(
        tag(
            "div",
            tag("p", "The car charges from 01:00, when energy is cheapest, and is ready by 07:30.", class_="lead"),
            ready_by(
                words,
                "ready",
                "Car ready by",
                street.now_s + 12 * 3_600 + 1_800,
                why="80 % at 07:30 costs about £1.30.",
            ),
            choice("target", "Battery", frozen.TARGETS, "hold"),
            switch(
                "control", "Let the community steer", on=True, why="Switch off and nothing is steered until you say so."
            ),
            class_="card pile",
        ),
        on={
            "ready": lambda value: street.done.append(f"ready {minutes_of(value)}"),
            "target": lambda value: street.done.append(f"target {chosen_of(frozen.TARGETS, value)}"),
            "control": lambda value: street.done.append(f"control {value is True}"),
        },
    )


def parts(context: Context) -> None:
    """Every part that is drawn, in every state."""
    street, words = context.community, context.words
    start_s, end_s = frozen.DAY_S, frozen.DAY_S + 16 * 3_600
    calm = Flow(at_s=frozen.NOW_S, house_w=310, grid_w=310)
    context.put(flow_picture(words, calm, key="calm"))
    context.put(
        diary(
            words,
            "Car",
            frozen.BLOCKS,
            start_s=start_s,
            end_s=end_s,
            now_s=frozen.NOW_S,
            departure=Departure(name="departure", label="Departure", at_s=start_s + 15 * 3_600),
        ),
        on={
            "departure": lambda value: street.done.append(
                f"departure {slot_start_of(value, start_s=start_s, end_s=end_s)}"
            )
        },
    )
    context.put(depth(words, frozen.BIDS, frozen.ASKS, as_of_s=frozen.NOW_S))
    context.put(depth(words, [], [], as_of_s=frozen.NOW_S))
    context.put(one_line(words, frozen.ZONES, total_w=62_300, as_of_s=frozen.NOW_S))
    context.put(zone_map(words, frozen.ZONES, as_of_s=frozen.NOW_S))
    context.put(zone_map(words, frozen.SHAPED, as_of_s=frozen.NOW_S))
    badges = join(*(badge(words, verdict, at_s=frozen.NOW_S) for verdict in Verdict))
    context.put(tag("div", badges, class_="card pile"))
    context.put(skeleton(words))
    context.put(
        empty_state(
            words, "No orders yet", "You have placed none, and no agent trades for you.", action="Market", href="/"
        )
    )
    colours = ("solar", "battery", "grid", "neighbours", "car", "good", "bad", "")
    context.put(figures([Figure(label=c or "plain", value="12.3 kWh", note="today", colour=c) for c in colours]))
    shown = context.follow("told", lambda: {"told": words.kilowatts(street.flow.house_w)}, topics=("reading_batch",))
    told = live_value("told", str(shown["told"]), announced_as="House")
    context.put(tag("p", "House: ", told, class_="card"))


def deeds(context: Context) -> None:
    """What is done, asked twice, taken back, refused; and a list that goes on."""
    street = context.community
    undo = Undoable(context, wait_s=float(context.within.get("wait", "10")))

    async def order() -> None:
        street.done.append("ordered")

    async def over() -> None:
        raise Refused("above fuse rating", asset="car", found_w=18_000)

    def refuse(_: object) -> None:
        raise Refused("above fuse rating", asset="car", found_w=18_000)

    buttons = join(
        button("order", "Buy 2 kWh", kind="first"),
        button("over", "Charge with 18 kW"),
        button("refuse", "Refuse"),
        button("end", "Leave the community", kind="danger", ask="Press again to leave"),
    )
    context.put(
        tag("div", buttons, class_="card pile"),
        on={
            "order": lambda _: undo.ask("Buying 2.0 kWh at 19.5 p/kWh", "Bought 2.0 kWh", order),
            "over": lambda _: undo.ask("Charging with 18 kW", "Charging", over),
            "refuse": refuse,
            "end": lambda value: street.done.append("left"),
        },
    )
    lines = [row(f"Trade {n}", f"{n}.0 kWh", note="Thu 23 Apr, 19:00") for n in range(1, 26)]

    def fetch(cursor: str | None) -> Stretch:
        first = int(cursor or 0)
        after = first + 10
        return Stretch(rows=lines[first:after], cursor=str(after) if after < len(lines) else None)

    listing(context, "Trades", fetch, empty=empty_state(context.words, "No trades", "Nobody traded yet."))
    listing(
        context,
        "Nothing",
        lambda _: Stretch(rows=()),
        empty=empty_state(context.words, "No trades", "Nobody traded yet."),
    )


def charts(context: Context) -> None:
    """A chart with a band, steps and a gap."""
    places = range(len(frozen.TIMES_S))
    load = [3 + 2 * math.sin(place / 8) for place in places]
    solar = [max(0.0, 5 * math.sin((place - 20) / 18)) if place < 70 else None for place in places]
    lines = [
        Line(name="Demand", colour="house", values=load, low=[v - 0.6 for v in load], high=[v + 0.8 for v in load]),
        Line(name="Roof", colour="solar", values=solar, steps=True),
        Line(name="Expected", colour="grid", values=[v * 0.8 for v in load], dashed=True),
    ]
    chart(context, "Demand of the street", frozen.TIMES_S, lines, unit="kW", as_of_s=frozen.NOW_S)


async def slow(context: Context) -> None:
    """Something that takes a while, and something that never comes."""

    async def come() -> Markup:
        await asyncio.sleep(0.3)
        return tag("p", "Here at last", class_="card")

    async def fail() -> Markup:
        raise Refused("nobody watches this log", community="Sunny Street")

    context.later(skeleton(context.words), come)
    context.later(skeleton(context.words), fail)


def refusing(context: Context) -> None:
    raise Refused("above fuse rating", asset="car", found_w=18_000, fuse_w=14_000)


def broken(context: Context) -> None:
    raise RuntimeError("the gallery breaks on purpose, with a secret")


PAGES = (
    Page(path="/", title="Home", icon="home", roles=EVERYBODY, build=home),
    Page(path="/parts", title="Schedule", icon="schedule", roles=EVERYBODY, build=parts),
    Page(path="/deeds", title="Market", icon="market", roles=EVERYBODY, build=deeds),
    Page(path="/charts", title="Wallet", icon="wallet", roles=EVERYBODY, build=charts),
    Page(path="/slow", title="Proof", icon="proof", roles=EVERYBODY, build=slow),
    Page(path="/refusing", title="Devices", icon="devices", roles=EVERYBODY, build=refusing),
    Page(path="/broken", title="Auditor", icon="audit", roles=EVERYBODY, build=broken, listed=False),
    Page(path="/operator", title="Operator", icon="operator", roles=frozenset({Role.OPERATOR}), build=home),
)

"""What somebody states in one line, a wish or a limit: explained while it is typed, stated, listed, taken back."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from commonwatt.apps import wishes
from commonwatt.apps.views import diary as views
from commonwatt.apps.web.context import Context
from commonwatt.apps.web.icons import icon
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.parts.controls import button
from commonwatt.apps.web.parts.states import empty_state
from commonwatt.apps.web.parts.undo import Undoable
from commonwatt.apps.web.words import Words, mark
from commonwatt.model import AccountId, Asset, AssetKind, InvalidValue

MOST_TYPED = 400
_FAR_S = 32_503_680_000  # the year 3000: what ends later, ends never


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """How it is called what somebody states here.

    Args:
        title: Above it.
        label: Of the line.
        say: On the button.
        said: Once it is stated.
        nothing: Where nothing stands.
    """

    title: str
    label: str
    say: str
    said: str
    nothing: str


WISHES = Phrases(
    title=mark("Say what you want"),
    label=mark("A wish in one line"),
    say=mark("Say it"),
    said=mark("It is said. The next plan keeps to it."),
    nothing=mark("You have said nothing that still holds: plans follow prices alone."),
)
LIMITS = Phrases(
    title=mark("State a limit"),
    label=mark("A limit in one line"),
    say=mark("State it"),
    said=mark("It is stated. The next plan keeps to it."),
    nothing=mark("Nothing that you stated limits anything now."),
)


def put(context: Context, account: AccountId, phrases: Phrases, examples: Sequence[str]) -> None:
    """Put the line on the page, and all that stands.

    Args:
        context: The page.
        account: For whom its seat speaks.
        phrases: How it is called what is stated here.
        examples: Lines that could be said here.
    """
    context.put(tag("h2", context.say(phrases.title)))
    _saying(context, phrases, examples)
    _standing(context, account, phrases)


def _saying(context: Context, phrases: Phrases, examples: Sequence[str]) -> None:
    words, community, seat = context.words, context.community, context.seat
    typed, rounds = [""], [0]

    def explain(value: object) -> None:
        typed[0] = _line(value)
        piece = explained.content
        told = _explained(words, views.understood(community, seat, typed[0])) if typed[0] else _hint(words)
        if told != piece:
            explained.set_content(told)

    def fill(value: object) -> None:
        explain(value)
        rounds[0] += 1
        box.set_content(_box(words, phrases, examples, typed[0], rounds[0]))

    async def say(_: object) -> None:
        if not typed[0]:
            context.announce(words.say("Write first what you want."))
            return
        told = views.understood(community, seat, typed[0])
        if not told.may:
            context.announce(words.say("This line cannot be said as it is; see below it why."))
            return
        await wishes.say(community, seat, typed[0])
        fill("")
        context.announce(words.say(phrases.said))

    box = context.put(_box(words, phrases, examples, "", 0), on={"line": explain, "example": fill, "say": say})
    explained = context.put(_hint(words), on={"example": fill})
    explained.props("role=status")


def _box(words: Words, phrases: Phrases, examples: Sequence[str], line: str, round_number: int) -> Markup:
    field = tag(
        "input",
        type="text",
        id="line",
        value=line,
        maxlength=MOST_TYPED,
        autocomplete="off",
        autocapitalize="off",
        spellcheck="false",
        lang="en",
        data_send="line",
        data_typing=True,
        data_new=round_number > 0,
        data_round=round_number,
    )
    label = tag("label", words.say(phrases.label), for_="line", class_="lead")
    tries = [button("example", line, value=line, kind="quiet") for line in examples]
    shown = tag("div", tag("span", words.say("For example"), class_="small"), *tries, class_="examples", lang="en")
    enter = tag("div", field, button("say", words.say(phrases.say), kind="first"), class_="saying")
    return tag("div", label, enter, shown if tries else Markup(""), class_="card pile")


def _hint(words: Words) -> Markup:
    return tag("p", words.say("While you write, it stands here how your line is understood."), class_="small")


def _explained(words: Words, told: views.Understood) -> Markup:
    """Return what a line says in full, or what keeps it from being said."""
    if told.means and told.may:
        lines = tag("ul", *(tag("li", line, lang="en") for line in told.means))
        return tag(
            "div",
            tag("p", icon("check"), tag("span", words.say("Understood")), class_="done"),
            lines,
            class_="card pile",
        )
    no = words.say("You may not say this") if told.means else words.say("Not understood yet")
    if told.at_word and not told.means:
        no = words.say(
            "Not understood at \N{LEFT DOUBLE QUOTATION MARK}{word}\N{RIGHT DOUBLE QUOTATION MARK}", word=told.at_word
        )
    inside = [tag("p", icon("warning"), tag("span", no), class_="done")]
    if told.instead:
        inside.append(button("example", words.say("Did you mean: {line}", line=told.instead), value=told.instead))
    inside.append(tag("p", told.why, class_="small", lang="en"))
    return tag("div", *inside, class_="card pile")


def wishes_of(stores: Sequence[Asset]) -> list[str]:
    """Return lines that a member with these stores could say."""
    car = next((one.id for one in stores if one.kind is AssetKind.VEHICLE), None)
    battery = next((one.id for one in stores if one.kind is AssetKind.BATTERY), None)
    lines = []
    if car is not None:
        lines.append(f"charge of {car} >= 80% at 07:30 every weekday")
    if battery is not None:
        lines.append(f"charge of {battery} >= 30% at 06:00 every day")
    if battery or car:
        lines.append(f"power of {battery or car} <= 0 W from 17:00 to 20:00")
    return lines


def _standing(context: Context, account: AccountId, phrases: Phrases) -> None:
    """Put all that stands, each with a way to take it back."""
    words, community, seat = context.words, context.community, context.seat

    def draw() -> Markup:
        by_position: dict[int, views.StatedView] = {}
        for one in views.stated(community, seat, account):
            by_position.setdefault(one.position, one)
        return _list(words, phrases, list(by_position.values()))

    def take_back(value: object) -> None:
        text = str(value)
        if not (text.isascii() and text.isdigit() and len(text) <= 12):
            raise InvalidValue(f"a line is named by its place in the log, was {text[:20]!r}")
        found = next((one.means for one in views.stated(community, seat, account) if one.position == int(text)), "")

        async def act() -> None:
            await wishes.no_longer(community, seat, int(text))

        undo.ask(words.say("Taking back: {line}", line=found), words.say("It holds no longer."), act)

    undo = Undoable(context)
    piece = context.put(draw(), on={"no-longer": take_back})
    context.redraw(piece, draw)


def _list(words: Words, phrases: Phrases, lines: Sequence[views.StatedView]) -> Markup:
    title = words.say("What stands")
    if not lines:
        return empty_state(words, title, words.say(phrases.nothing))
    rows = []
    for one in lines:
        until = (
            words.say("until {when}", when=words.instant(one.ends_s))
            if one.ends_s < _FAR_S
            else words.say("again and again")
        )
        # A screen reader hears of which line the button is.
        label = join(words.say("No longer"), tag("span", one.means, class_="unseen"))
        end = button("no-longer", label, value=str(one.position), kind="quiet")
        inside = tag("span", one.means, class_="title", lang="en"), tag("span", end, class_="amount")
        rows.append(tag("li", tag("div", *inside, tag("span", until, class_="small"), class_="row")))
    return tag("section", tag("h2", title), tag("ul", *rows, class_="listing", aria_label=title), class_="card pile")


def _line(value: object) -> str:
    if not isinstance(value, str) or len(value) > MOST_TYPED:
        raise InvalidValue(f"a line has {MOST_TYPED} characters at most")
    return " ".join(value.split())

"""Constraints in one line, for whoever states them for zones: explained while typed, stated, listed and taken back."""

from markupsafe import Markup

from commonwatt.apps import wishes
from commonwatt.apps.views import diary as views
from commonwatt.apps.web.context import Context
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.parts.controls import button
from commonwatt.apps.web.parts.listing import row
from commonwatt.apps.web.parts.states import empty_state
from commonwatt.apps.web.words import Words
from commonwatt.model import AccountId

MOST_TYPED = 400
_FAR_S = 32_503_680_000  # the year 3000: what ends later, ends never


def put(context: Context, account: AccountId, example: str) -> None:
    """Put the line in which limits are stated on the page, and all that stands.

    Args:
        context: The page.
        account: For whom its seat speaks.
        example: A line that could be said here.
    """
    words, community, seat = context.words, context.community, context.seat
    typed, rounds = [""], [0]

    def explain(value: object) -> None:
        typed[0] = " ".join(str(value)[:MOST_TYPED].split())
        hint = _hint(words)
        told = _explained(words, views.understood(community, seat, typed[0])) if typed[0] else hint
        if told != explained.content:
            explained.set_content(told)

    def fill(value: object) -> None:
        explain(value)
        rounds[0] += 1
        box.set_content(_box(words, example, typed[0], rounds[0]))

    async def state(_: object) -> None:
        if not typed[0] or not views.understood(community, seat, typed[0]).may:
            context.announce(words.say("This cannot be stated as it is; the line below says why."))
            return
        await wishes.say(community, seat, typed[0])
        fill("")
        context.announce(words.say("It is stated. The next plan keeps to it."))

    context.put(tag("h2", words.say("State a limit")))
    box = context.put(_box(words, example, "", 0), on={"line": explain, "example": fill, "state": state})
    explained = context.put(_hint(words))
    explained.props("role=status")
    _standing(context, account)


def _box(words: Words, example: str, line: str, round_number: int) -> Markup:
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
    label = tag("label", words.say("A limit in one line"), for_="line", class_="lead")
    tried = button("example", example, value=example, kind="quiet")
    return tag("div", label, field, tried, button("state", words.say("State it"), kind="first"), class_="card pile")


def _hint(words: Words) -> Markup:
    return tag("p", words.say("What you write is explained here; nothing is stated before you press."), class_="small")


def _explained(words: Words, told: views.Understood) -> Markup:
    lines = tag("ul", *(tag("li", line, lang="en") for line in told.means)) if told.means else Markup("")
    if told.may:
        said = tag("p", words.say("Understood as:"), class_="lead")
    else:
        said = join(
            tag("p", words.say("It cannot be stated so:"), class_="lead"), tag("p", told.why, class_="small", lang="en")
        )
    return tag("div", said, lines, class_="card")


def _standing(context: Context, account: AccountId) -> None:
    """Put what an account has stated and what still stands, to be taken back."""
    words = context.words

    def card() -> Markup:
        told = views.stated(context.community, context.seat, account)
        if not told:
            why = words.say("Nothing that you stated limits anything now.")
            return empty_state(words, words.say("No limits stand"), why)
        rows = (
            tag("li", row(tag("span", one.text, lang="en"), "", note=_until(words, one.ends_s)), _back(words, one.text))
            for one in sorted(told, key=lambda one: one.ends_s)
        )
        return tag("div", tag("ul", *rows, class_="listing", aria_label=words.say("Limits that stand")), class_="card")

    async def take_back(value: object) -> None:
        ended = f"no longer: {str(value)[:MOST_TYPED]}"
        await wishes.say(context.community, context.seat, ended)
        context.announce(words.say("It is taken back."))

    context.put(tag("h2", words.say("What stands")))
    piece = context.put(card(), on={"take-back": take_back})
    context.redraw(piece, card, (account, "constraint", "fact"))


def _until(words: Words, ends_s: int) -> str:
    return words.say("until it is taken back") if ends_s > _FAR_S else words.say("until {at}", at=words.instant(ends_s))


def _back(words: Words, line: str) -> Markup:
    ask = words.say("Press again to take it back")
    return button("take-back", words.say("Take back"), value=line, kind="quiet", ask=ask)

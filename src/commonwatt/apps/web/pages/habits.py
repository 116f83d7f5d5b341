"""Habits of a member's cars, on their forecast and schedule: stated as they are or in other words, or declined."""

from markupsafe import Markup

from commonwatt.apps.answering import answer_proposal
from commonwatt.apps.foresight import Book
from commonwatt.apps.views import proposals
from commonwatt.apps.web.context import Context, Handler
from commonwatt.apps.web.markup import tag
from commonwatt.apps.web.parts.controls import button
from commonwatt.apps.web.words import Words
from commonwatt.model import InvalidValue

MOST_TYPED = 400


def put(context: Context, book: Book) -> None:
    """Put habits of one's cars, each to be stated as it is or in other words, or to be declined."""
    words, community, seat = context.words, context.community, context.seat
    account = seat.account
    assert account is not None  # who states anything has an account
    typed: dict[str, str] = {}

    def waiting() -> list[proposals.Proposal]:
        return proposals.proposals(community, seat, account, book)

    def draw() -> Markup:
        return tag("div", *(_habit(words, one) for one in waiting()), class_="pile")

    def edited(name: str) -> Handler:
        def keep(value: object) -> None:
            typed[name] = " ".join(str(value)[:MOST_TYPED].split())

        return keep

    async def decide(value: object, *, accept: bool) -> None:
        name = str(value)[:40]
        if name not in {one.id for one in waiting()}:
            raise InvalidValue(f"what is answered waits, was {name!r}")
        await answer_proposal(community, seat, account, book, name, accept=accept, text=typed.get(name, ""))
        piece.set_content(draw())
        yes, no = words.say("It is stated. The next plan keeps to it."), words.say("You will not be asked again.")
        context.announce(yes if accept else no)

    async def accept(value: object) -> None:
        await decide(value, accept=True)

    async def decline(value: object) -> None:
        await decide(value, accept=False)

    if not (asked := waiting()):
        return
    context.put(tag("h2", words.say("What your car usually does")))
    edits = {f"edit-{one.id}": edited(one.id) for one in asked}
    piece = context.put(draw(), on={"accept-habit": accept, "decline-habit": decline, **edits})


def _habit(words: Words, one: proposals.Proposal) -> Markup:
    days = words.say("On days off") if one.off else words.say("On workdays")
    usual = f"{one.minute // 60:02d}:{one.minute % 60:02d}"
    why = words.say(
        "{days} {car} leaves at {at}, give or take {minutes} minutes: on {n} of {of}. "
        "Nine times in ten it needed {energy} or less; both held on {percent} of days.",
        days=days,
        car=one.asset,
        at=usual,
        minutes=words.number(one.spread_minutes),
        n=words.number(one.days),
        of=words.number(one.of_days),
        energy=words.energy(one.needs_wh),
        percent=words.percent(one.kept_permille / 1000),
    )
    ask = tag("p", words.say("Nothing of this is stated unless you say so."), class_="small")
    label = tag("label", words.say("As a line"), for_=f"habit-{one.id}", class_="lead")
    field = tag(
        "input",
        type="text",
        id=f"habit-{one.id}",
        value=one.text,
        maxlength=MOST_TYPED,
        autocomplete="off",
        spellcheck="false",
        lang="en",
        data_send=f"edit-{one.id}",
        data_typing=True,
    )
    deeds = tag(
        "div",
        button("accept-habit", words.say("State it"), value=one.id, glyph="check", kind="first"),
        button("decline-habit", words.say("Decline"), value=one.id, glyph="cross"),
        class_="deeds",
    )
    return tag("section", tag("p", why), label, field, deeds, ask, class_="card pile")

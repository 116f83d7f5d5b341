"""A member's secret calendar address, on the schedule: made, shown once, revoked."""

from markupsafe import Markup

from commonwatt.apps import feeds
from commonwatt.apps.web.context import Context
from commonwatt.apps.web.icons import icon
from commonwatt.apps.web.markup import tag
from commonwatt.apps.web.parts.controls import button
from commonwatt.apps.web.words import Words


def put(context: Context) -> None:
    """Put what there is of an address, and what can be done about it."""
    words, community, seat = context.words, context.community, context.seat
    base = str(context.client.request.base_url).rstrip("/")

    def draw(address: str = "") -> Markup:
        return _calendar(words, address, feeds.made_s(community, seat))

    def make(_: object) -> None:
        path = feeds.make(community, seat)
        piece.set_content(draw(f"{base}{path}?language={words.language}"))
        context.announce(words.say("Your calendar has an address now. It is shown only this once."))

    def revoke(_: object) -> None:
        feeds.revoke(community, seat)
        piece.set_content(draw())
        context.announce(words.say("The address is revoked: nothing stands there any more."))

    piece = context.put(draw(), on={"make-feed": make, "revoke-feed": revoke})


def _calendar(words: Words, address: str, made_s: int | None) -> Markup:
    title = tag("h2", words.say("In your own calendar"))
    why = words.say("Plans, departures and deadlines, at a secret address that your calendar looks at by itself.")
    inside: list[Markup] = [title, tag("p", why)]
    if address:
        field = tag("input", type="text", id="feed", value=address, readonly=True, data_new=True, class_="secret")
        copy = tag(
            "button", icon("check"), words.say("Copy"), type="button", data_copy="feed", data_copied=words.say("Copied")
        )
        once = words.say("Subscribe to it in your calendar now: it is shown only this once. Who has it sees the same.")
        inside += [
            tag("label", words.say("Secret address"), for_="feed", class_="lead"),
            tag("div", field, copy, class_="saying"),
            tag("p", once, class_="small"),
        ]
    elif made_s is not None:
        inside.append(
            tag(
                "p",
                words.say("Made {when}. Lost it? Make a new one; the old one ends.", when=words.instant(made_s)),
                class_="small",
            )
        )
    if made_s is None:
        inside.append(tag("div", button("make-feed", words.say("Make an address"), glyph="schedule"), class_="deeds"))
    else:
        again = button("make-feed", words.say("Make a new address"), ask=words.say("Press again: the old one ends"))
        end = button("revoke-feed", words.say("Revoke"), kind="danger", ask=words.say("Press again to revoke"))
        inside.append(tag("div", again, end, class_="deeds"))
    return tag("section", *inside, class_="card pile")

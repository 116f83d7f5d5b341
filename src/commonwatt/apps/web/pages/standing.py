"""Where a member's home stands: stated or taken back by its owner, exact for nobody but who runs the community."""

from markupsafe import Markup

from commonwatt.apps.views import positions as views
from commonwatt.apps.web.context import Context
from commonwatt.apps.web.markup import tag
from commonwatt.apps.web.parts.controls import button
from commonwatt.apps.web.parts.fields import text_field
from commonwatt.identity.access import Action, Relation, lets
from commonwatt.identity.seat import Role


def put(context: Context) -> None:
    """Put the card on the page of a member; nothing for others."""
    words, seat = context.words, context.seat
    account = seat.account
    if account is None or seat.role is not Role.MEMBER or not lets(seat, Action.MANAGE_DEVICES, Relation.OWN):
        return
    typed = [""]

    def card() -> Markup:
        where = views.position(context.community, seat, account)
        why = words.say(
            "You need not say. Who runs the community sees the place exactly, others who may see your home only to a"
            " kilometre or so. It is in no log, and gone when you take it back."
        )
        stands = words.say("Nobody knows where your home stands.") if where is None else str(where)
        inside = [
            tag("h2", words.say("Where your home stands")),
            tag("p", stands, class_="lead"),
            tag("p", why, class_="small"),
            text_field("where", words.say("Latitude, longitude"), typed[0], why=words.say("Such as 48.2082, 16.3738.")),
            button("place", words.say("Put it on the map")),
        ]
        if where is not None:
            inside.append(button("unplace", words.say("Take it off the map"), kind="quiet"))
        return tag("div", *inside, class_="card pile")

    def set_where(value: object) -> None:
        typed[0] = str(value).strip()[:60]

    def place(_: object) -> None:
        views.state_position(context.community, seat, account, views.read_position(typed[0]))
        typed[0] = ""
        piece.set_content(card())
        context.announce(words.say("It is on the map."))

    def unplace(_: object) -> None:
        views.state_position(context.community, seat, account, None)
        piece.set_content(card())
        context.announce(words.say("It is off the map, and forgotten."))

    piece = context.put(card(), on={"where": set_where, "place": place, "unplace": unplace})

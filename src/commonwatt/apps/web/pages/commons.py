"""The community in figures that everybody may know."""

from commonwatt.apps.views import audit
from commonwatt.apps.web.context import Context, Page
from commonwatt.apps.web.live import Value
from commonwatt.apps.web.parts.figures import Figure, figures
from commonwatt.apps.web.words import mark
from commonwatt.identity.seat import Role


def build(context: Context) -> None:
    """Put the community's figures on the page; they move as the log grows."""
    words = context.words

    def view() -> dict[str, Value]:
        told = audit.standing(context.community, context.seat)
        as_of = words.instant(told.as_of_s)
        return {
            "size": words.number(told.size),
            "size_note": as_of,
            "entries": words.number(told.entries),
            "entries_note": as_of,
            "settled": words.instant(told.settled_to_s),
            "settled_note": as_of,
            "members": words.number(told.members),
            "members_note": as_of,
        }

    shown = context.follow("commons", view)
    labels = {
        "members": words.say("Members"),
        "size": words.say("Requests in the log"),
        "entries": words.say("Entries in the books"),
        "settled": words.say("Settled until"),
    }
    context.put(
        figures(
            [
                Figure(label=label, value=str(shown[key]), note=str(shown[f"{key}_note"]), key=key)
                for key, label in labels.items()
            ]
        )
    )


PAGE = Page(path="/community", title=mark("Community"), icon="more", roles=frozenset(Role), build=build)

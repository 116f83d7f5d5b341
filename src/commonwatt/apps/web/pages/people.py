"""People: who is here and as what, who is asked to join, and whose access is being recovered."""

from markupsafe import Markup
from nicegui import ui

from commonwatt.apps.web.assets import address
from commonwatt.apps.web.context import Context, Page
from commonwatt.apps.web.frame import ROLE_NAMES
from commonwatt.apps.web.markup import tag
from commonwatt.apps.web.parts.forms import field, form, listing, scripted
from commonwatt.apps.web.words import Words, mark
from commonwatt.identity.access import Action, Relation, lets
from commonwatt.identity.seat import Role

_GIVEN = tuple(role for role in Role if role not in (Role.PUBLIC, Role.AUDITOR))
"""What the app gives: nobody is the public, and an auditor is named at the machine."""


def build(context: Context) -> None:
    """Put on the page what whoever looks may do for people's access: an operator all of it, an auditor the second word.

    The browser fills the lists from the API, which says again who may do what.
    """
    scripted()
    _scripted()
    words, seat = context.words, context.seat
    cards = [_recoveries(words, hides=False)]
    if lets(seat, Action.BEGIN_RECOVERY, Relation.OTHER):
        cards.append(_begin(words))
    if lets(seat, Action.INVITE, Relation.COMMUNITY):
        cards += [_invite(words), _invitations(words)]
    if lets(seat, Action.MANAGE_PEOPLE, Relation.OTHER):
        cards += [_people(words), _give(words)]
    context.put(tag("div", *cards, class_="columns"))


def household(context: Context) -> list[Markup]:
    """Return what somebody does for others on the page of their own access: let them in, agree to their recovery."""
    words, seat, cards = context.words, context.seat, list[Markup]()
    _scripted()
    if lets(seat, Action.INVITE, Relation.OWN):
        own = (tag("input", type="hidden", name=name, value=value) for name, value in _place_of(context).items())
        why = words.say("Whoever follows its link joins your household, and sees and does in it what you do.")
        label = words.say("Invite into my household")
        cards += [form("invite", label, *own, tag("p", why, class_="small"), _once(words)), _invitations(words)]
    if lets(seat, Action.AGREE_RECOVERY, Relation.GRANTED):
        cards.append(_recoveries(words, hides=True))
    return cards


def _scripted() -> None:
    ui.add_head_html(f'<script src="{address("people.js")}" defer></script>')


def _place_of(context: Context) -> dict[str, str]:
    return {"role": context.seat.role.value, "account": str(context.seat.account)}


def _recoveries(words: Words, *, hides: bool) -> Markup:
    title = words.say("Recoveries, and from when on they open")
    return listing(title, "recoveries", "agree", words.say("Agree"), hides=hides)


def _begin(words: Words) -> Markup:
    why = words.say(
        "It opens nothing before a week is over and a second person agreed; they can say no. Hand its secret to them in"
        " person."
    )
    name = field(words.say("Name of who lost their ways in"), "name", "off")
    return form("begin-recovery", words.say("Begin a recovery"), tag("p", why, class_="small"), name, _once(words))


def _invite(words: Words) -> Markup:
    return form("invite", words.say("Invite somebody"), *_place(words), _once(words))


def _give(words: Words) -> Markup:
    name = field(words.say("Name of somebody here"), "name", "off")
    return form("give-place", words.say("Give a role"), name, *_place(words))


def _place(words: Words) -> tuple[Markup, ...]:
    """Return the fields of a role: which, for which account, about which zones."""
    options = (tag("option", words.say(ROLE_NAMES[role]), value=role.value) for role in _GIVEN)
    label = tag("span", words.say("As what"), class_="small")
    return (
        tag("label", label, tag("select", *options, name="role", class_="text"), class_="pile"),
        field(words.say("For which account, where for one"), "account", "off", needed=False),
        field(words.say("About which zones, with commas; none for all"), "zones", "off", needed=False),
    )


def _invitations(words: Words) -> Markup:
    return listing(words.say("Who is asked to join"), "invitations", "remove", words.say("Take back"), hides=True)


def _people(words: Words) -> Markup:
    return listing(words.say("Who is here, and as what"), "people", "remove", words.say("End"))


def _once(words: Words) -> Markup:
    """Return the place of what is shown once: a link or a secret."""
    shown = tag("code", data_secret=True, class_="wrapped")
    return tag("p", words.say("It is shown once:"), " ", shown, data_once=True, hidden=True)


PAGE = Page(
    path="/people",
    title=mark("People"),
    icon="person",
    roles=frozenset({Role.OPERATOR, Role.AUDITOR}),
    build=build,
)

"""Coming in, joining by an invitation, and one's own access: forms that the browser itself sends to the API."""

from collections.abc import Sequence

from markupsafe import Markup
from nicegui import ui

from commonwatt.apps.web.assets import address
from commonwatt.apps.web.context import Context, Page
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.notice_words import VETO
from commonwatt.apps.web.pages import people
from commonwatt.apps.web.parts.forms import field, form, listing, scripted
from commonwatt.apps.web.words import Words, mark
from commonwatt.identity.access import Scope
from commonwatt.identity.seat import Role
from commonwatt.identity.signing_in.recovery import Recovery

SIGN_IN = "/sign-in"


def sign_in(context: Context) -> None:
    """Put every way in on the page, the one that needs least typing first."""
    scripted()
    words = context.words
    name = field(words.say("Name"), "name", "username")
    code = field(words.say("Six digits of your authenticator"), "code", "one-time-code", mode="numeric")
    password = field(words.say("Password"), "password", "current-password", kind="password")
    printed = field(words.say("Printed code"), "code", "off")
    no_wallet = words.say("This browser has no wallet.")
    context.put(
        tag(
            "div",
            form("passkey", words.say("Come in with a passkey")),
            form("password", words.say("Come in with a password"), name, password, code),
            form("wallet", words.say("Come in with a wallet"), tag("span", data_no_wallet=no_wallet)),
            form("printed", words.say("Come in with a printed code"), field(words.say("Name"), "name", "off"), printed),
            listing(
                words.say("Come in by your organisation"), "organisations", "organisation", words.say("Go"), hides=True
            ),
            _recovered(words),
            class_="columns",
        )
    )


def _recovered(words: Words) -> Markup:
    """Return the form that finishes a recovery: for who lost every other way in."""
    why = words.say(
        "Whoever helps you hands you its secret. It opens a week after they began, once a second person agreed."
    )
    secret = field(words.say("Secret of the recovery"), "secret", "off")
    return form("recovery", words.say("Come in by a recovery"), tag("p", why, class_="small"), secret)


def joining(context: Context) -> None:
    """Say what an invitation is for, and take a name; the secret is in the address's end, which no server sees."""
    scripted()
    words = context.words
    invited = tag("p", tag("cw-invited", class_="amount"), class_="lead")
    why = tag("p", words.say("Choose the name under which you sign in; then set up how you come in."), class_="small")
    context.put(form("join", words.say("Join"), invited, why, field(words.say("Name"), "name", "username")))


def veto(context: Context) -> None:
    """Take a no to a recovery from who has its letter; the secret is in the address's end, which no server sees."""
    scripted()
    words = context.words
    why = tag("p", words.say("Somebody asked to recover your access. Nobody gets in once you say no."), class_="lead")
    done = words.say("The recovery is ended.")
    context.put(form("veto", words.say("Say no"), why, tag("p", data_done=done, role="status", class_="small")))


def myself(context: Context) -> None:
    """Put one's ways in, sessions, places, programs' tokens and guardians on the page, and what happened to them."""
    scripted()
    ui.add_head_html(f'<script src="{address("access.js")}" defer></script>')
    words = context.words
    context.put(
        tag(
            "div",
            listing(words.say("My ways in"), "ways", "remove", words.say("Take away")),
            form("make-passkey", words.say("Make a passkey on this device")),
            _password(words),
            form("keep-wallet", words.say("Come in with my wallet, too")),
            listing(
                words.say("Come in by my organisation, too"),
                "organisations",
                "link-organisation",
                words.say("Link"),
                hides=True,
            ),
            form("print-codes", words.say("Print ten codes"), tag("pre", data_codes=True, class_="amount")),
            listing(words.say("Where I am signed in"), "sessions", "remove", words.say("End")),
            listing(words.say("My places"), "places", "place", words.say("Sit here")),
            listing(words.say("Programs that come in for me"), "tokens", "remove", words.say("Take back")),
            _token(words),
            listing(words.say("Who agrees when I recover my access"), "guardians", "drop-guardian", words.say("Drop")),
            _guardian(words),
            *people.household(context),
            listing(words.say("What happened to my access"), "happened", "remove", words.say("Seen")),
            form("leave", words.say("Leave")),
            class_="columns",
        )
    )


def recovery_bar(words: Words, found: Sequence[Recovery]) -> Markup | None:
    """Return what tells somebody on every page that their access is being recovered, with a no; None for no such."""
    if not found:
        return None
    scripted()
    bars = []
    for one in found:
        when = words.instant(one.ripe_s)
        text = words.say("Somebody asked to recover your access. Who has its secret comes in from {when} on. If you did"
                         " not ask for it, say no.", when=when)  # fmt: skip
        path = f"/me/recoveries/{one.id}"
        bars.append(form("remove", words.say("Say no"), tag("p", text, class_="lead"), path=path))
    return join(*bars)


def _token(words: Words) -> Markup:
    """Return the form that makes a token for a program: its name, what it is for, how long, and then its secret."""
    names = {
        Scope.READ: words.say("See what I see"),
        Scope.CONTROL: words.say("State wishes and decide"),
        Scope.TRADE: words.say("Order and send"),
        Scope.OPERATE: words.say("Call events"),
        Scope.LISTEN: words.say("Be told of what happens"),
    }
    boxes = [
        tag("label", tag("input", type="checkbox", name="scope", value=one.value, checked=one is Scope.READ), " ", name)
        for one, name in names.items()
    ]
    days = ((30, words.say("A month")), (1, words.say("A day")), (365, words.say("A year")))
    lasts = tag("select", *(tag("option", name, value=n) for n, name in days), name="days", class_="text")
    once = tag(
        "p",
        words.say("Its secret is shown once:"),
        " ",
        tag("code", data_secret=True, class_="wrapped"),
        data_once=True,
        hidden=True,
    )
    return form(
        "make-token",
        words.say("Let a program come in"),
        field(words.say("Name of the program"), "label", "off"),
        tag("fieldset", tag("legend", words.say("What it may"), class_="small"), *boxes, class_="pile"),
        tag("label", tag("span", words.say("For"), class_="small"), lasts, class_="pile"),
        once,
    )


def _guardian(words: Words) -> Markup:
    why = words.say("Whoever you choose agrees in place of all others, and never the operator alone.")
    name = field(words.say("Name of somebody here"), "name", "off")
    return form("add-guardian", words.say("Let them agree"), tag("p", why, class_="small"), name)


def _password(words: Words) -> Markup:
    """Return the form that sets a password: first a picture for an authenticator, then what it shows."""
    second = tag(
        "div",
        tag("input", type="text", autocomplete="username", hidden=True),
        tag("p", words.say("Read this picture with an authenticator app, or type the secret into it."), class_="small"),
        tag("div", data_picture=True, class_="picture"),
        tag("p", tag("a", tag("code", data_secret=True), href="#", data_uri=True)),
        field(words.say("New password"), "password", "new-password", kind="password", needed=False),
        field(words.say("Six digits of your authenticator"), "code", "one-time-code", mode="numeric", needed=False),
        data_second=True,
        hidden=True,
        class_="pile",
    )
    return form("begin-password", words.say("Set a password"), second)


ME = "/me"
_JOIN = "/join"
OWN_ACCESS = (ME, SIGN_IN, _JOIN, VETO)
"""What is about how somebody comes in, and nothing else; the first is their own."""
_ALL = frozenset(Role)
PAGES = (
    Page(path=SIGN_IN, title=mark("Come in"), icon="person", roles=_ALL, build=sign_in, listed=False),
    Page(path=_JOIN, title=mark("Join"), icon="person", roles=_ALL, build=joining, listed=False),
    Page(path=VETO, title=mark("Say no"), icon="person", roles=_ALL, build=veto, listed=False),
    people.PAGE,
    Page(path=ME, title=mark("My access"), icon="person", roles=_ALL - {Role.PUBLIC}, build=myself),
)

"""Coming in, joining by an invitation, and one's own access: forms that the browser itself sends to the API."""

from markupsafe import Markup
from nicegui import ui

from commonwatt.apps.web.assets import address
from commonwatt.apps.web.context import Context, Page
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.words import Words, mark
from commonwatt.identity.seat import Role

SIGN_IN = "/sign-in"


def sign_in(context: Context) -> None:
    """Put every way in on the page, the one that needs least typing first."""
    _scripted()
    words = context.words
    name = _field(words.say("Name"), "name", "username")
    code = _field(words.say("Six digits of your authenticator"), "code", "one-time-code", mode="numeric")
    password = _field(words.say("Password"), "password", "current-password", kind="password")
    printed = _field(words.say("Printed code"), "code", "off")
    no_wallet = words.say("This browser has no wallet.")
    context.put(
        tag(
            "div",
            _form("passkey", words.say("Come in with a passkey")),
            _form("password", words.say("Come in with a password"), name, password, code),
            _form("wallet", words.say("Come in with a wallet"), tag("span", data_no_wallet=no_wallet)),
            _form(
                "printed", words.say("Come in with a printed code"), _field(words.say("Name"), "name", "off"), printed
            ),
            class_="columns",
        )
    )


def joining(context: Context) -> None:
    """Say what an invitation is for, and take a name; the secret is in the address's end, which no server sees."""
    _scripted()
    words = context.words
    invited = tag("p", tag("cw-invited", class_="amount"), class_="lead")
    why = tag("p", words.say("Choose the name under which you sign in; then set up how you come in."), class_="small")
    context.put(_form("join", words.say("Join"), invited, why, _field(words.say("Name"), "name", "username")))


def myself(context: Context) -> None:
    """Put one's ways in, sessions and places on the page."""
    _scripted()
    words = context.words
    context.put(
        tag(
            "div",
            _list(words.say("My ways in"), "ways", "remove", words.say("Take away")),
            _form("make-passkey", words.say("Make a passkey on this device")),
            _password(words),
            _form("keep-wallet", words.say("Come in with my wallet, too")),
            _form("print-codes", words.say("Print ten codes"), tag("pre", data_codes=True, class_="amount")),
            _list(words.say("Where I am signed in"), "sessions", "remove", words.say("End")),
            _list(words.say("My places"), "places", "place", words.say("Sit here")),
            _form("leave", words.say("Leave")),
            class_="columns",
        )
    )


def _password(words: Words) -> Markup:
    """Return the form that sets a password: first a picture for an authenticator, then what it shows."""
    second = tag(
        "div",
        tag("input", type="text", autocomplete="username", hidden=True),
        tag("p", words.say("Read this picture with an authenticator app, or type the secret into it."), class_="small"),
        tag("div", data_picture=True, class_="picture"),
        tag("p", tag("a", tag("code", data_secret=True), href="#", data_uri=True)),
        _field(words.say("New password"), "password", "new-password", kind="password", needed=False),
        _field(words.say("Six digits of your authenticator"), "code", "one-time-code", mode="numeric", needed=False),
        data_second=True,
        hidden=True,
        class_="pile",
    )
    return _form("begin-password", words.say("Set a password"), second)


def _list(title: str, name: str, deed: str, label: str) -> Markup:
    row = tag(
        "div",
        tag("span", data_title=True, class_="title"),
        tag("span", data_note=True, class_="small"),
        tag("form", tag("button", label, type="submit", class_="quiet"), data_entrance=deed),
        class_="row",
    )
    return tag("div", tag("h2", title), tag("cw-list", tag("template", row), data_list=name), class_="card pile")


def _form(deed: str, label: str, *inside: Markup) -> Markup:
    """Return a form that the browser sends by itself; what is wrong stands under its button, and is read out."""
    press = tag("button", label, type="submit", class_="first")
    wrong = tag("p", role="alert", class_="small bad")
    return tag("form", join(*inside), press, wrong, data_entrance=deed, class_="card pile")


def _field(label: str, name: str, fills: str, *, kind: str = "text", mode: str = "text", needed: bool = True) -> Markup:
    given = tag(
        "input", type=kind, name=name, autocomplete=fills, inputmode=mode, required=needed, maxlength=200, class_="text"
    )
    return tag("label", tag("span", label, class_="small"), given, class_="pile")


def _scripted() -> None:
    ui.add_head_html(f'<script src="{address("entrance.js")}" defer></script>')


_ALL = frozenset(Role)
PAGES = (
    Page(path=SIGN_IN, title=mark("Come in"), icon="person", roles=_ALL, build=sign_in, listed=False),
    Page(path="/join", title=mark("Join"), icon="person", roles=_ALL, build=joining, listed=False),
    Page(path="/me", title=mark("My access"), icon="person", roles=_ALL - {Role.PUBLIC}, build=myself),
)

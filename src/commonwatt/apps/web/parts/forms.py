"""Forms that the browser itself sends to the API, and lists that it fills from there; see ``static/entrance.js``."""

from markupsafe import Markup
from nicegui import ui

from commonwatt.apps.web.assets import address
from commonwatt.apps.web.markup import join, tag


def listing(title: str, name: str, deed: str, label: str, *, hides: bool = False) -> Markup:
    """Return a list that the browser itself fills, with a button that does a deed to each of its lines.

    Args:
        title: Above it.
        name: Which, see ``entrance.js``.
        deed: Likewise.
        label: Of the buttons.
        hides: Whether it is seen only once it has a line.
    """
    row = tag(
        "div",
        tag("span", data_title=True, class_="title"),
        tag("span", data_note=True, class_="small"),
        tag("form", tag("button", label, type="submit", class_="quiet"), _wrong(), data_entrance=deed),
        class_="row",
    )
    filled = tag("cw-list", tag("template", row), data_list=name)
    return tag("div", tag("h2", title), filled, class_="card pile", hidden=hides, data_hides=hides)


def form(deed: str, label: str, *inside: Markup, path: str | None = None) -> Markup:
    """Return a form that the browser sends by itself; what is wrong stands under its button, and is read out.

    Args:
        deed: What it does, see ``entrance.js``.
        label: Of its button.
        *inside: What stands before that.
        path: Of the API, of what the deed is done to; where the deed needs one.
    """
    press = tag("button", label, type="submit", class_="first")
    return tag("form", join(*inside), press, _wrong(), data_entrance=deed, data_path=path, class_="card pile")


def _wrong() -> Markup:
    """Return the place of what was wrong."""
    return tag("p", role="alert", class_="small bad")


def field(label: str, name: str, fills: str, *, kind: str = "text", mode: str = "text", needed: bool = True) -> Markup:
    """Return one line to type in, for a form that the browser sends by itself."""
    given = tag(
        "input", type=kind, name=name, autocomplete=fills, inputmode=mode, required=needed, maxlength=200, class_="text"
    )
    return tag("label", tag("span", label, class_="small"), given, class_="pile")


def scripted() -> None:
    """Let the page know how such forms and lists are sent and filled."""
    ui.add_head_html(f'<script src="{address("entrance.js")}" defer></script>')

"""A list that goes on as far as somebody wants to read, a page at a time, by cursor."""

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from nicegui import ui

from commonwatt.apps.web.context import Context
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.parts.controls import button


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Some rows of a list, newest first, and where it goes on; None at its end."""

    rows: Sequence[Markup]
    cursor: str | None = None


Fetch = Callable[[str | None], Stretch]


def row(title: str | Markup, value: str | Markup, *, note: str | Markup = "", href: str = "") -> Markup:
    """Return one line of a list: what, how much, and below when or why."""
    inside = join(
        tag("span", title, class_="title"), tag("span", value, class_="amount"), tag("span", note, class_="small")
    )
    return tag("a", inside, href=href, class_="row") if href else tag("div", inside, class_="row")


def listing(context: Context, label: str, fetch: Fetch, *, empty: Markup, topics: Collection[Hashable] = ()) -> ui.html:
    """Put a list on the page, with a button for more of it.

    Args:
        context: The page.
        label: What is listed.
        fetch: Returns what follows a cursor; the first stretch for None. Only cursors that it gave come back to it.
        empty: What stands there if there is nothing.
        topics: What makes it be fetched anew, as far as somebody has read; none for a list that stays as it was.
    """
    gathered: list[Markup] = []
    cursor: str | None = None
    stretches = 0

    def take() -> None:
        nonlocal cursor, stretches
        stretch = fetch(cursor)
        gathered.extend(stretch.rows)
        cursor, stretches = stretch.cursor, stretches + 1

    def drawn(new_from: int = 0) -> Markup:
        if not gathered:
            return empty
        more = button(f"more-{label}", context.say("More"), kind="quiet") if cursor is not None else Markup("")
        items = (
            tag("li", line, tabindex=-1 if place == new_from else None, data_new=place == new_from > 0)
            for place, line in enumerate(gathered)
        )
        return tag("div", tag("ul", *items, class_="listing", aria_label=label), more, class_="card")

    def go_on(_: object) -> None:
        if cursor is not None:
            first = len(gathered)
            take()
            piece.set_content(drawn(first))

    def anew() -> Markup:
        nonlocal cursor, stretches
        wanted, cursor, stretches = stretches, None, 0
        gathered.clear()
        take()
        while stretches < wanted and cursor is not None:
            take()
        return drawn()

    take()
    piece = context.put(drawn(), on={f"more-{label}": go_on})
    if topics:
        context.redraw(piece, anew, topics)
    return piece

"""A picture with a table behind it: whoever cannot or will not look at the picture reads the same numbers."""

from collections.abc import Sequence

from markupsafe import Markup

from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.parts.live_value import live_value
from commonwatt.apps.web.words import Words


def with_table(
    words: Words, picture: Markup, *, title: str, as_of_s: int, head: Sequence[str], rows: Sequence[Sequence[str]]
) -> Markup:
    """Return a picture, what it is of and as of when, and its numbers as a table that can be shown instead.

    Args:
        words: Whose language.
        picture: Drawn; screen readers pass over it and read the table.
        title: What is shown, with units.
        as_of_s: When the numbers were true, seconds since 1970.
        head: Of the columns; the first names the rows.
        rows: As many texts each as there are columns.
    """
    shown = tag("div", picture, class_="picture", aria_hidden="true")
    return tag("figure", caption(words, title, as_of_s), shown, table(words, title, head, rows), class_="pictured")


def caption(words: Words, title: str, as_of_s: int, key: str = "") -> Markup:
    """Return what a picture is of, as of when, and the button that turns it into its table.

    Args:
        words: Whose language.
        title: What is shown, with units.
        as_of_s: When the numbers were true, seconds since 1970.
        key: The feed's key that moves that time; empty where the picture stays as it is.
    """
    button = tag("button", words.say("Table"), type="button", class_="quiet", data_toggle="table", aria_pressed="false")
    told = as_of(words, as_of_s)
    when = tag("span", live_value(key, told) if key else told, class_="small")
    return tag("figcaption", tag("span", title, class_="lead"), when, button)


def as_of(words: Words, as_of_s: int) -> str:
    """Say when the numbers of a picture were true."""
    return words.say("as of {when}", when=words.instant(as_of_s))


def table(words: Words, title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    """Return the numbers behind a picture."""
    columns = tag("tr", *(tag("th", name, scope="col") for name in head))
    lines = [tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:])) for row in rows]
    if not rows:
        lines = [tag("tr", tag("td", words.say("Nothing to show yet"), colspan=len(head)))]
    named = tag("caption", title, class_="unseen")
    inside = tag("table", named, tag("thead", columns), tag("tbody", *lines))
    return tag("div", inside, class_="behind", role="region", aria_label=title)


def legend(entries: Sequence[tuple[str, str]]) -> Markup:
    """Return what the colours of a picture mean: colour names and texts."""
    return tag("ul", join(*(tag("li", text, class_=f"key {colour}") for colour, text in entries)), class_="legend")

"""Write HTML and SVG from Python so that nothing that somebody typed is ever read as markup."""

from markupsafe import Markup, escape

_EMPTY = frozenset(
    {"br", "hr", "img", "input", "link", "meta", "path", "rect", "circle", "line", "polygon", "polyline", "use"}
)

Attribute = str | int | float | bool | None


def tag(name: str, /, *inside: str | Markup, **attributes: Attribute) -> Markup:
    """Return one element; strings inside and values are escaped, markup is not.

    Args:
        name: The element's name.
        *inside: What stands in it.
        **attributes: A trailing underscore is dropped (``class_``), others become hyphens (``aria_label``); True is an
            attribute without value, False and None are none.
    """
    head = Markup("").join(_attribute(key, value) for key, value in attributes.items())
    if name in _EMPTY:
        return Markup("<{}{}/>").format(name, head)
    return Markup("<{0}{1}>{2}</{0}>").format(name, head, join(*inside))


def join(*pieces: str | Markup) -> Markup:
    """Put pieces after each other, escaping what is not markup."""
    return Markup("").join(escape(piece) for piece in pieces)


def _attribute(key: str, value: Attribute) -> Markup:
    if value is None or value is False:
        return Markup("")
    name = key.rstrip("_").replace("_", "-")
    return Markup(" {}").format(name) if value is True else Markup(' {}="{}"').format(name, _plain(value))


def _plain(value: str | float) -> str | float:
    return round(value, 2) if isinstance(value, float) else value

"""A value that moves by itself: it keeps its place while it does, and says so politely only where that matters."""

from markupsafe import Markup

from commonwatt.apps.web.markup import tag


def live_value(key: str, shown: str, *, announced_as: str = "", class_: str = "") -> Markup:
    """Return a place whose text follows a feed.

    Args:
        key: Under which the feed tells it.
        shown: What it shows now, with its unit.
        announced_as: What it is called when screen readers are told, at most every ten seconds; empty for never.
        class_: How it looks.
    """
    return tag("span", shown, data_live=key, data_announce=announced_as or None, class_=f"live {class_}".strip())

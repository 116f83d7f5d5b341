"""The app's own icons: strokes on a 24 by 24 grid, drawn in the colour of the text around them."""

from types import MappingProxyType
from typing import Final

from markupsafe import Markup

from commonwatt.apps.web.markup import tag

_PATHS: Final = MappingProxyType(
    {
        "home": "M4 11 12 4l8 7M6 10v10h12V10M10 20v-6h4v6",
        "schedule": "M5 6h14v14H5zM5 10h14M9 3v4M15 3v4M9 14h3",
        "market": "M4 20V4M4 20h16M8 16v-5M12 16V8M16 16v-3",
        "wallet": "M4 7h14a2 2 0 0 1 2 2v9a2 2 0 0 1-2 2H4zM4 7V6a2 2 0 0 1 2-2h10v3M16 13.5h.5",
        "proof": "M12 3 5 6v6c0 4 3 7 7 9 4-2 7-5 7-9V6zM9 12l2 2 4-4",
        "devices": "M9 3v4M15 3v4M7 7h10v5a5 5 0 0 1-10 0zM12 17v4",
        "operator": "M12 5a2 2 0 1 0 0-.1M5 19a2 2 0 1 0 0-.1M19 19a2 2 0 1 0 0-.1M12 7v5M12 12l-6 5M12 12l6 5",
        "grid": "M8 21 12 3l4 18M9 9h6M6 13h12M9.5 15l4-4M14.5 15l-4-4",
        "audit": "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14M16 16l5 5M8 11h6",
        "forecast": "M4 18l4-5 4 3 8-9M16 7h4v4M4 21h16",
        "more": "M5 11a1 1 0 1 0 0 2 1 1 0 0 0 0-2M12 11a1 1 0 1 0 0 2 1 1 0 0 0 0-2M19 11a1 1 0 1 0 0 2 1 1 0 0 0 0-2",
        "settings": "M4 7h10M18 7h2M4 17h2M10 17h10M16 5v4M8 15v4",
        "solar": "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2v3M12 19v3M2 12h3M19 12h3M5 5l2 2M17 17l2 2M5 19l2-2M17 7l2-2",
        "battery": "M4 8h14v8H4zM21 11v2M8 11v2M12 11v2",
        "car": "M4 16v-4l2-5h12l2 5v4zM4 12h16M7 16v2M17 16v2M7.5 14h.01M16.5 14h.01",
        "neighbours": "M3 12l5-4 5 4v8H3zM13 20h8v-9l-4-3-3 2M7 20v-4h2v4",
        "check": "M5 12l5 5 9-10",
        "cross": "M6 6l12 12M18 6 6 18",
        "warning": "M12 4 3 20h18zM12 10v4M12 17h.01",
        "clock": "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16M12 8v4l3 2",
        "pause": "M9 6v12M15 6v12",
        "undo": "M9 14 4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3",
        "down": "M6 9l6 6 6-6",
        "bell": "M6 17v-6a6 6 0 0 1 12 0v6l2 2H4zM10 21.5h4",
        "person": "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8M4 21c1-4 4-6 8-6s7 2 8 6",
    }
)
NAMES: Final = tuple(_PATHS)


def icon(name: str, **attributes: str) -> Markup:
    """Return an icon as SVG that screen readers pass over: the words beside it say what it means."""
    body = tag("path", d=_PATHS[name])
    return tag("svg", body, viewBox="0 0 24 24", class_="icon", aria_hidden="true", focusable="false", **attributes)


def drawn(name: str) -> str:
    """Return an icon's path data, to be drawn within another picture."""
    return _PATHS[name]

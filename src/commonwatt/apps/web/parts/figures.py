"""Single figures: what it is, how much, and as of when."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.parts.live_value import live_value


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number that people read.

    Args:
        label: What it is.
        value: How much, with its unit.
        note: As of when, of which span, or against what: no number is without its time.
        key: The feed's key that moves it; empty for none.
        colour: A meaning: solar, battery, grid, neighbours, car, good, bad; empty for none.
    """

    label: str
    value: str
    note: str
    key: str = ""
    colour: str = ""


def figures(entries: Sequence[Figure]) -> Markup:
    """Return figures side by side."""
    return tag("dl", join(*(_figure(entry) for entry in entries)), class_="figures")


def _figure(entry: Figure) -> Markup:
    value = live_value(entry.key, entry.value) if entry.key else tag("span", entry.value)
    note = live_value(f"{entry.key}_note", entry.note) if entry.key else tag("span", entry.note)
    shown = tag("dd", value, class_="amount"), tag("dd", note, class_="small")
    return tag("div", tag("dt", entry.label), *shown, class_=f"figure {entry.colour}".strip())

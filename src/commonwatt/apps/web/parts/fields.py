"""Things that people type: a line of text or an amount, with its name above it and what to know of it below."""

import re
from collections.abc import Sequence

from markupsafe import Markup

from commonwatt.apps.web.markup import join, tag
from commonwatt.model import InvalidValue

_AMOUNT = re.compile(r"([0-9]{1,12})(?:[.,]([0-9]+))?", re.ASCII)


def text_field(
    name: str,
    label: str,
    value: str = "",
    *,
    type_: str = "text",
    why: str = "",
    suggested: Sequence[str] = (),
    autocomplete: str = "off",
    amount: bool = False,
) -> Markup:
    """Return one line to type in; sends what was typed once somebody leaves it.

    Args:
        name: Under which it sends, and unique on its page.
        label: What is typed.
        value: What stands there now.
        type_: Of input, as HTML has it; nothing that is secret is ever given as ``value``.
        why: What to know of it, in a sentence; empty for nothing.
        suggested: What can be picked instead of being typed.
        autocomplete: What a browser may fill in, as HTML has it.
        amount: Whether it is a number, for phones to show digits.
    """
    named, told, list_ = f"field-{name}", f"why-{name}" if why else None, f"list-{name}" if suggested else None
    box = tag(
        "input",
        id=named,
        type=type_,
        value=value or None,
        data_send=name,
        list=list_,
        autocomplete=autocomplete,
        autocapitalize="none",
        spellcheck="false",
        inputmode="decimal" if amount else None,
        aria_describedby=told,
    )
    options = tag("datalist", *(tag("option", value=one) for one in suggested), id=list_) if suggested else Markup("")
    said = tag("span", why, id=told, class_="small") if why else Markup("")
    return tag("div", tag("label", label, for_=named, class_="lead"), join(box, options), said, class_="field")


def amount_of(value: object, digits: int) -> int:
    """Return an amount that somebody typed, in the smallest units of a thing with so many digits after the point.

    A comma is a point: who reads 2,50 writes it so; nobody groups thousands here.

    Raises:
        InvalidValue: It is no such number, or is zero.
    """
    found = _AMOUNT.fullmatch(str(value).strip())
    if found is None or len(found[2] or "") > digits:
        raise InvalidValue(f"an amount is written like 2.50, with {digits} digits at most, was {str(value)[:20]!r}")
    amount: int = int(found[1]) * 10**digits + int((found[2] or "").ljust(digits, "0") or 0)
    if not amount:
        raise InvalidValue("an amount is more than zero")
    return amount
